"""Where the shared vectors lie: one setting for every test that reads them.

``PROGRAMMER_VECTORS`` names the folder; without it the folder ``shared/vectors`` beside the checkout is used.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(os.environ.get("PROGRAMMER_VECTORS", Path(__file__).resolve().parents[2] / "shared" / "vectors"))


def vectors(name: str) -> Any:
    """The parsed JSON file ``name`` (relative to the vectors folder), or a skip that says why."""
    path = ROOT / name
    if not path.is_file():
        pytest.skip(f"not run here: the shared vectors have no {name}", allow_module_level=True)
    return json.loads(path.read_text(encoding="utf-8"))
