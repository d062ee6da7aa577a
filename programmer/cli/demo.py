"""``programmer demo``: a simulated clinic with a virtual pump; with a screen, or played without one."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from programmer.cli.exits import Exit
from programmer.cli.main import NOTICE
from programmer.cli.places import add_data_option, data_folder, state_folder

BANNER = f"[[ SIMULATED ]]  {NOTICE}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="programmer demo",
        description="A simulated clinic with one patient and one virtual pump. " + NOTICE + ".",
        epilog="Without a terminal the demo is played as with --headless.",
    )
    add_data_option(parser)
    parser.add_argument("--headless", action="store_true", help="play a whole follow-up and print it")
    parser.add_argument("--prepare", action="store_true", help="only make the clinic, and print how to use it")
    return parser


def run(arguments: list[str]) -> int:
    """Run the demo; 0 when every step came out as it should."""
    options = _parser().parse_args(arguments)
    if options.prepare:
        return _prepare(data_folder(options.data, "demo"))
    if options.headless or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return _headless(options.data)
    return _screens(data_folder(options.data, "demo"))


def _headless(data: Path | None) -> int:
    from programmer.qa.follow_up import play

    print(BANNER)
    with TemporaryDirectory(prefix="programmer-demo-") as folder:
        place = data if data is not None else Path(folder) / "data"
        state = state_folder(place) if data is not None else Path(folder) / "state"
        play(place, state, lambda text: print(text, flush=True))
    print("\nEvery step came out as it should.")
    return Exit.DONE


def _made(data: Path) -> Path:
    """The demo clinic in ``data``, made where it is not there yet; its state folder."""
    from programmer.qa import demo_clinic

    state = state_folder(data)
    if not demo_clinic.exists(data):
        print(f"Making a simulated clinic in {data} ...", file=sys.stderr)
        demo_clinic.create(data, state)
    return state


def _prepare(data: Path) -> int:
    import json

    from programmer.qa import demo_clinic

    state = _made(data)
    told = {
        "schema": 1,
        "realm": "simulated",
        "data": str(data),
        "state": str(state),
        "provision": str(demo_clinic.provision_path(data)),
        "pump_state": str(demo_clinic.state_path(data)),
        "users": [{"id": user.id, "role": user.role, "secret": user.secret} for user in demo_clinic.USERS],
    }
    print(json.dumps(told, indent=1))
    return Exit.DONE


def _screens(data: Path) -> int:
    from programmer.qa import demo_clinic
    from programmer.qa.pump_process import PumpProcess

    state = _made(data)
    first = not demo_clinic.state_path(data).exists()
    with PumpProcess.start(demo_clinic.provision_path(data), demo_clinic.state_path(data)) as pump:
        if first:
            pump.control.send("advance", days=demo_clinic.DAYS_SINCE_FILL)
        from programmer.ui.start import start

        hints = tuple(f"{user.id}  {user.name}, {user.role}, secret {user.secret}" for user in demo_clinic.USERS)
        return start(data, state, ports=(pump.wand,), hints=hints)
