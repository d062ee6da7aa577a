"""Start the screens on a tablet."""

from pathlib import Path

from programmer.ui.clinic import ClinicApp
from programmer.ui.model import Model
from programmer.visit.tablet import Tablet


def start(data: Path, state: Path, *, ports: tuple[str, ...] = (), hints: tuple[str, ...] = ()) -> int:
    """Open the tablet and run until it is closed; the exit code."""
    with Tablet.open(data, state) as tablet:
        return ClinicApp(Model(tablet, ports, hints)).run() or 0
