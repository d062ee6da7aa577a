"""``python -m programmer``."""

import sys

from programmer.cli.main import main

sys.exit(main())
