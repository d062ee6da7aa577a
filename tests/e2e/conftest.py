"""One demo clinic made once; each test works on a copy, with a virtual pump of its own."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]  # no pseudo terminal on this platform
else:
    from programmer.qa import demo_clinic
    from programmer.qa.pump_process import PumpProcess
    from tests.e2e.terminal import Terminal


class Ward:
    """A clinic's folders, its pump in the next room, and terminals on the tablet."""

    def __init__(self, folder: Path) -> None:
        self.data, self.state = folder / "data", folder / "state"
        self.pump = PumpProcess.start(demo_clinic.provision_path(self.data), demo_clinic.state_path(self.data))
        self.pump.control.send("advance", days=demo_clinic.DAYS_SINCE_FILL)
        self.terminals: list[Terminal] = []

    def open(self, columns: int, rows: int) -> Terminal:
        """The tablet's screens in a window of that size."""
        arguments = ["ui", "--data", str(self.data), "--port", self.pump.wand]
        return self.run(arguments, columns, rows)

    def run(self, arguments: list[str], columns: int, rows: int) -> Terminal:
        """Any command of the program in a window of that size."""
        terminal = Terminal(arguments, columns, rows, {"PROGRAMMER_STATE": str(self.state)})
        self.terminals.append(terminal)
        return terminal

    def truth(self) -> dict[str, Any]:
        """What the pump really does, by its own control channel."""
        return self.pump.control.send("status")

    def close(self) -> None:
        """End everything that was started."""
        for terminal in self.terminals:
            terminal.close()
        self.pump.stop()


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clinic as it was on its first day."""
    folder = tmp_path_factory.mktemp("clinic")
    demo_clinic.create(folder / "data", folder / "state")
    return folder


@pytest.fixture
def ward(made: Path, tmp_path: Path) -> Iterator[Ward]:
    """A copy of it with a running pump, 14 days after the fill."""
    folder = tmp_path / "ward"
    shutil.copytree(made, folder)
    os.environ.pop("PROGRAMMER_DATA", None)
    place = Ward(folder)
    try:
        yield place
    finally:
        place.close()
