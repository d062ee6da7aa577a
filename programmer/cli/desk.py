"""A tablet opened for one command, and a visit that is always hung up again."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from programmer.cli import talk
from programmer.cli.places import data_folder, state_folder
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import Tablet
from programmer.visit.unfinished import Unfinished, unfinished
from protocol.coordinator import State


@contextmanager
def tablet(options: argparse.Namespace, command: str) -> Iterator[Tablet]:
    """The tablet of ``--data``; raises what ``Tablet.open`` raises."""
    data = data_folder(options.data)
    with Tablet.open(data, state_folder(data), owner=f"programmer {command}") as opened:
        yield opened


@contextmanager
def visit(opened: Tablet, url: str) -> Iterator[VisitShell]:
    """A visit over ``url``; the port is given back however it ends, and what could not be saved is said."""
    shell = opened.visit(url)
    try:
        yield shell
    finally:
        shell.hang_up()
        if shell.not_saved:
            talk.talk(shell.not_saved)


@dataclass(frozen=True, slots=True)
class Change:
    """A change that was unfinished when the command began, and the word on it now."""

    item: Unfinished
    word: str
    """``APPLIED``, ``NOT APPLIED`` or ``IN DOUBT``."""

    @property
    def settled(self) -> bool:
        """Whether the end is known."""
        return self.word != IN_DOUBT


APPLIED, NOT_APPLIED, IN_DOUBT = "APPLIED", "NOT APPLIED", "IN DOUBT"
_WORDS = {State.COMMITTED: APPLIED, State.ABORTED: NOT_APPLIED}


def open_changes(opened: Tablet) -> list[Unfinished]:
    """Changes whose end the journal does not hold, oldest first."""
    return unfinished(opened.journal.records())


def verdicts(opened: Tablet, before: list[Unfinished]) -> list[Change]:
    """The word on each change of ``before`` from what the journal holds now; ask before the visit is hung up."""
    said: dict[str, str] = {}
    for record in opened.journal.records():
        txid, kind = str(record.get("txid", "")), str(record["type"])
        if kind in ("committed", "aborted"):
            said[txid] = APPLIED if kind == "committed" else NOT_APPLIED
    return [
        Change(item, said.get(item.transaction.txid.hex(), _WORDS.get(item.transaction.state, IN_DOUBT)))
        for item in before
    ]


def settled(change: Change, serial: str, verdict: str) -> Change:
    """The change as a prescriber has signed it; one of another pump, or of known end, stays as it is."""
    if change.settled or change.item.serial != serial:
        return change
    return Change(change.item, APPLIED if verdict == "applied" else NOT_APPLIED)
