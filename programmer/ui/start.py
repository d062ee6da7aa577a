"""Start the screens on a tablet."""

from pathlib import Path

from programmer.ui.clinic import ClinicApp
from programmer.ui.model import Model
from programmer.visit.tablet import Tablet

FAULT = 70
"""Exit code of an internal fault, as on the command line."""


def start(data: Path, state: Path, *, ports: tuple[str, ...] = (), hints: tuple[str, ...] = ()) -> int:
    """Open the tablet and run until it is closed; the exit code."""
    with Tablet.open(data, state) as tablet:
        app = ClinicApp(Model(tablet, ports, hints))
        app.run()
        return FAULT if app.return_code else 0
