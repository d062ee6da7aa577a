"""Parsers of the commands: examples first, help at most 100 columns wide, the same options by the same names."""

import argparse
import shutil

from programmer.cli.main import NOTICE
from programmer.cli.places import add_data_option

WIDTH = 100


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))

    def format_help(self) -> str:
        """The examples, then usage and options."""
        text = super().format_help()
        usage, _, rest = text.partition("\n\n")
        examples, _, options = rest.partition("\n\n")
        return f"{examples}\n\n{usage}\n\n{options}" if examples.startswith("examples:") else text


def command(name: str, *examples: str) -> argparse.ArgumentParser:
    """The parser of ``programmer NAME``, with its examples."""
    lines = "\n".join(f"  programmer {name} {example}".rstrip() for example in examples)
    return argparse.ArgumentParser(
        prog=f"programmer {name}",
        description=f"examples:\n{lines}",
        epilog=NOTICE,
        formatter_class=_Help,
        allow_abbrev=False,
    )


def add_port(parser: argparse.ArgumentParser) -> None:
    """``--port URL`` and ``--data DIR``."""
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="port of the wand: a device, a pseudo terminal, socket://HOST:PORT, rfc2217://HOST:PORT",
    )
    add_data_option(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """``--json``."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def add_person(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--user U`` and ``--secret-fd N``."""
    parser.add_argument("--user", required=required, metavar="U", help="short name of the person who signs")
    parser.add_argument(
        "--secret-fd", type=int, metavar="N", help="read the secret from this open file instead of the terminal"
    )


def add_second(parser: argparse.ArgumentParser) -> None:
    """``--second U``, ``--second-secret-fd N``, ``--second-confirm``."""
    parser.add_argument("--second", metavar="U", help="short name of the second person, where one must sign too")
    parser.add_argument(
        "--second-secret-fd", type=int, metavar="N", help="read the second person's secret from this open file"
    )
    parser.add_argument(
        "--second-confirm", metavar='"N mcg/day"', help="the 24-hour dose as the second person reckons it"
    )
