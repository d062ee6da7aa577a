"""``programmer qa``: scenarios and their transcripts; does an adapter or a pump do what the specification says?"""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_port, command

if TYPE_CHECKING:
    from programmer.qa.conformance_line import Material

QUIET_MS = 200
OTHERS = ("run", "replay", "schema")
SCENARIOS = "programmer.qa.commands"
"""Loaded by name and only for these words: with it comes the virtual pump, which no other command holds."""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = command(
        "qa",
        "run tests/scenarios --junit out.xml",
        "replay visit.jsonl",
        "schema",
        "conformance --port /dev/ttyACM0",
        "conformance --port /dev/ttyACM0 --role pump --data DIR --card card.txt --json report.json",
    )
    parser.add_argument(
        "check",
        choices=("conformance", *OTHERS),
        help="conformance: try every case that can be tried, and print a report (the options below are its own); "
        "run: scenarios; replay: a transcript; schema: of scenario files; 'qa run --help' and so on explain these",
    )
    add_port(parser)
    parser.add_argument(
        "--role", choices=("adapter", "pump"), default="adapter", help="what is under test (default: adapter)"
    )
    parser.add_argument("--card", type=Path, metavar="FILE", help="the text of the pump's implant card")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report to this file as well")
    parser.add_argument("--only", default="", metavar="ID", help="only cases whose id begins so")
    parser.add_argument("--slow", action="store_true", help="try timers as well: about three minutes more")
    parser.add_argument(
        "--quiet-ms", type=int, default=QUIET_MS, metavar="N", help=f"what counts as silence (default: {QUIET_MS})"
    )
    options = parser.parse_args(arguments)
    if not 10 <= options.quiet_ms <= 10_000:
        raise talk.Usage("Silence is listened to for 10 to 10,000 ms. Give --quiet-ms within that range.")
    return options


def run(arguments: list[str]) -> int:
    """Do what the first word says; for conformance 0 when nothing failed, 1 when something did, 3 without answer."""
    if arguments and arguments[0] in OTHERS:
        return int(getattr(import_module(SCENARIOS), arguments[0])(arguments[1:]))
    options = _options(arguments)
    from drivers.address import parse_address
    from drivers.runner import monotonic_ms
    from drivers.serial_port import open_port
    from programmer.qa import conformance, conformance_cases
    from programmer.qa.conformance_line import Bench, Line
    from protocol.link import LinkTiming

    cases = conformance.chosen(conformance_cases.of(options.role), options.only)
    if not cases:
        raise talk.Usage(
            f"No case of the {options.role} begins with {options.only!r}. Run it without --only to see them."
        )
    material = _material(options)
    timing = LinkTiming(parse_address(options.port).timing_baud)
    port = open_port(options.port)
    try:
        bench = Bench(Line(port, monotonic_ms, timing, options.quiet_ms), material, os.urandom, slow=options.slow)
        report = conformance.run(bench, options.role, cases, lambda result: talk.talk(f"{result.case.id} ..."))
    finally:
        port.close()
    for line in report.lines():
        talk.data(line)
    if options.json is not None:
        options.json.write_text(report.as_json(), encoding="utf-8")
    return Exit.DONE if report.passed else Exit.REFUSED


def _material(options: argparse.Namespace) -> Material:
    """Keys of the clinic in ``--data``, and the card; without them the cases that need them are not run."""
    from programmer.qa.conformance_line import Material
    from protocol.card import parse_card
    from protocol.errors import CardRefused
    from protocol.session import TabletKeys

    card = None
    if options.card is not None:
        try:
            card = parse_card(options.card.read_text(encoding="utf-8"))
        except (CardRefused, UnicodeDecodeError) as error:
            raise talk.Usage(f"The card cannot be read: {error}. Give another --card FILE.") from error
    if options.data is None and "PROGRAMMER_DATA" not in os.environ:
        return Material(card=card)
    from programmer.cli import desk

    with desk.tablet(options, "qa") as tablet:
        cards = tablet.pumps()
        return Material(
            TabletKeys(tablet.clinic.tablet, tablet.identity.keys.noise_private),
            tuple(known.pairing() for known in cards),
            {known.serial: bytes.fromhex(known.receipt_key) for known in cards},
            card,
        )
