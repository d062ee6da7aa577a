"""``programmer`` or ``programmer ui``: the tablet's screens."""

import argparse
import sys

from programmer.cli.exits import Exit
from programmer.cli.main import NOTICE
from programmer.cli.places import add_data_option, data_folder, state_folder


def run(arguments: list[str]) -> int:
    """Open the screens on the clinic's data."""
    parser = argparse.ArgumentParser(prog="programmer ui", description=f"The tablet's screens; {NOTICE}.")
    add_data_option(parser)
    parser.add_argument("--port", action="append", default=[], help="offer this virtual wand (simulated clinics only)")
    options = parser.parse_args(arguments)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("programmer: the screens need a terminal. 'programmer --help' lists what works without.", file=sys.stderr)
        return Exit.USAGE
    data = data_folder(options.data)
    from programmer.ui.start import start

    return start(data, state_folder(data), ports=tuple(options.port))
