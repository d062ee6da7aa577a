"""A virtual pump started with its parent ends when the parent is gone, so that no second one meets its state file."""

import json
import subprocess
import sys
from pathlib import Path


def test_the_pump_ends_when_its_standard_input_closes(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "drivers.virtual", "--listen", "tcp:127.0.0.1:0", "--with-parent",
         "--state", str(tmp_path / "state.json")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["wand"].startswith("socket://")
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()
    assert (tmp_path / "state.json").exists()
