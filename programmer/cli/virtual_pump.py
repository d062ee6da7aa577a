"""``programmer virtual-pump``: becomes the virtual pump's own process; this program never holds the pump itself."""

import os
import sys


def run(arguments: list[str]) -> int:
    """Replace this process by the virtual pump with the same options."""
    os.execv(sys.executable, [sys.executable, "-m", "drivers.virtual", *arguments])
