"""``programmer emergency``: read a pump with its implant card, lower it, stop it, or bring back its last program."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, add_port, command

if TYPE_CHECKING:
    from programmer.visit.emergency import EmergencyVisit
    from protocol.messages import EmergencyAct, EmergencyDone
    from protocol.session import ImplantCard

ACTS = ("stop", "minimum", "resume")


def run(arguments: list[str]) -> int:
    """Read or act; the exit code."""
    options = _options(arguments)
    from programmer.visit import emergency

    if options.act == "full":
        talk.talk(emergency.NO_FULL_ACCESS)
        return Exit.NOT_ALLOWED
    card = _card(options)
    if options.act != "read":
        _confirm(options)
    from programmer.cli import desk

    with desk.tablet(options, "emergency") as tablet, tablet.emergency(options.port, card) as visit:
        return _read(visit, options.json, card) if options.act == "read" else _act(visit, options, card)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = command(
        "emergency",
        "read --port /dev/ttyACM0 --card card.txt",
        'stop ... --name "Dr B. Lee" --reason "drowsy" --phone "555 0100"',
    )
    parser.add_argument(
        "act",
        choices=("read", *ACTS, "full"),
        help="read; stop; minimum rate; resume the last signed program; full says why that is not offered",
    )
    add_port(parser)
    parser.add_argument("--card", metavar="FILE", type=Path, help="the text of the implant card; - reads it from input")
    parser.add_argument("--name", metavar="TEXT", help="who acts, at most 40 letters; the pump keeps it")
    parser.add_argument("--reason", metavar="TEXT", help="why, at most 60 letters; the pump keeps it")
    parser.add_argument("--phone", metavar="TEXT", help="where that person can be called, at most 24 letters")
    parser.add_argument("--confirm", metavar="ACT", help="the act once more, where no terminal can ask for it")
    add_json(parser)
    options = parser.parse_args(arguments)
    if options.act in ACTS:
        limits = (("name", 40), ("reason", 60), ("phone", 24))
        wrong = [f"--{name} (1 to {most} letters)" for name, most in limits if _too_long(options, name, most)]
        if wrong:
            raise talk.Usage(f"An emergency act leaves its traces in the pump. Give {', '.join(wrong)}.")
    return options


def _too_long(options: argparse.Namespace, name: str, most: int) -> bool:
    return not 1 <= len((getattr(options, name) or "").strip()) <= most


def _card(options: argparse.Namespace) -> ImplantCard:
    """The card of ``--card``. Raises ``Usage``."""
    import sys

    from protocol.card import parse_card
    from protocol.errors import CardRefused

    if options.card is None:
        raise talk.Usage("Give --card FILE, the text of the patient's implant card; --card - reads it from input.")
    try:
        typed = str(options.card) == "-"
        return parse_card(sys.stdin.read(2_048) if typed else options.card.read_text(encoding="utf-8"))
    except CardRefused as error:
        raise talk.Usage(f"{error}") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise talk.Usage(f"The card file cannot be read: {reason}. Give another --card FILE.") from error


def _confirm(options: argparse.Namespace) -> None:
    """The second, different act that every change of delivery takes. Raises ``Usage``."""
    from programmer.visit.emergency import WITHDRAWAL

    if options.act != "resume":
        talk.talk(WITHDRAWAL)
    given = options.confirm
    if given is None and str(options.card) != "-" and talk.at_terminal():
        given = talk.ask(f"Key the word {options.act.upper()} and Enter to do it: ")
    if (given or "").strip().upper() != options.act.upper():
        raise talk.Usage(f"Nothing was done. To do it, key {options.act.upper()} or give --confirm {options.act}.")


def _read(visit: EmergencyVisit, as_json: bool, card: ImplantCard) -> int:
    from programmer.cli import reading

    status, events = visit.read()
    view = reading.PumpView(card.serial, status, None, None, events, (), (), 0)
    if as_json:
        talk.document("programmer/emergency/1", reading.as_data(view))
    else:
        for line in reading.lines(view):
            talk.data(line)
    return Exit.DONE


def _act(visit: EmergencyVisit, options: argparse.Namespace, card: ImplantCard) -> int:
    from programmer.visit.emergency import Operator
    from protocol.messages import EmergencyAct

    act = EmergencyAct[options.act.upper()]
    done = visit.act(act, Operator(options.name.strip(), options.reason.strip(), options.phone.strip()))
    if options.json:
        talk.document("programmer/emergency/1", {"serial": card.serial, **done.model_dump(mode="json")})
    else:
        _say(act, done, card)
    return Exit.DONE


def _say(act: EmergencyAct, done: EmergencyDone, card: ImplantCard) -> None:
    from programmer.cli import reading
    from programmer.clinical.display import ml_per_day
    from programmer.visit.history import ml

    mode = reading.MODES.get(done.mode, "mode not known")
    talk.data(f"{reading.realm_word(card.realm)}  pump {card.serial}: DONE, {act.name.lower()}")
    talk.data(f"The pump now runs: {mode}; {ml_per_day(ml(done.flow_nl_per_day))}.")
    talk.data(f"This can be done {done.left} more times within 24 hours. The pump keeps who did it, and why.")
    talk.talk("Call the clinic that implanted the pump: it must see to the dose and sign this off.")
