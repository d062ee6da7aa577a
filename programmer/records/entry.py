"""One audit entry as the derived tables read it: the JSON line of a signed note, with its fields checked.

Signatures, canonical form and schema are the audit log's to judge; here only fields are taken out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from programmer.records.errors import EntryUnreadable

__all__ = ["Entry", "json_line", "parse_entry"]


@dataclass(frozen=True, slots=True)
class Entry:
    """The fields of an entry. `body` holds JSON values; whole numbers only, in the unit of their name."""

    idx: int
    type: str
    utc: str
    boot: str
    boot_us: int
    actor: str
    role: str
    patient: str | None
    tag: str | None
    epoch: int | None
    chain: str | None
    body: Mapping[str, object]

    def value(self, name: str) -> object:
        """A field of the body as it stands. Raises `EntryUnreadable` if it is not there."""
        if name not in self.body:
            raise EntryUnreadable(self.idx, f"{self.type} has no {name}")
        return self.body[name]

    def maybe_text(self, name: str) -> str | None:
        """A text or null."""
        found = self.value(name)
        if found is None or isinstance(found, str):
            return found
        raise EntryUnreadable(self.idx, f"{name} is not a text")

    def text(self, name: str) -> str:
        """A text."""
        found = self.maybe_text(name)
        if found is None:
            raise EntryUnreadable(self.idx, f"{name} is not a text")
        return found

    def label(self, name: str) -> str:
        """A code: a text as it stands, anything else as JSON (a pump gives codes as whole numbers)."""
        found = self.value(name)
        return found if isinstance(found, str) else json_line(found)

    def maybe_whole(self, name: str) -> int | None:
        """A whole number or null."""
        found = self.value(name)
        if found is None or type(found) is int:
            return found
        raise EntryUnreadable(self.idx, f"{name} is not a whole number")

    def whole(self, name: str) -> int:
        """A whole number."""
        found = self.maybe_whole(name)
        if found is None:
            raise EntryUnreadable(self.idx, f"{name} is not a whole number")
        return found

    def truth(self, name: str) -> int:
        """A truth value, as 0 or 1."""
        found = self.value(name)
        if isinstance(found, bool):
            return int(found)
        raise EntryUnreadable(self.idx, f"{name} is neither true nor false")

    def json(self, name: str) -> str:
        """A field of any shape, as one line of JSON with sorted keys."""
        return json_line(self.value(name))


def json_line(value: object) -> str:
    """JSON with sorted keys and no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse(text: str) -> object:
    raise ValueError(f"{text} is not a whole number")


def parse_entry(note: bytes, idx: int) -> Entry:
    """Read the first line of a note. `idx` is the place it stands at, used in the error.

    Raises `EntryUnreadable` if the line is no JSON object with the fields of an entry.
    """
    line, _, _ = note.partition(b"\n")
    try:
        record = json.loads(line.decode("utf-8"), parse_float=_refuse, parse_constant=_refuse)
        pump = record["pump"] or {}
        entry = Entry(
            idx=record["idx"],
            type=record["type"],
            utc=record["utc"],
            boot=record["boot"],
            boot_us=record["boot_us"],
            actor=record["actor"]["id"],
            role=record["actor"]["role"],
            patient=record["patient"],
            tag=pump.get("tag"),
            epoch=pump.get("epoch"),
            chain=pump.get("chain"),
            body=record["body"],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise EntryUnreadable(idx, "it is not an entry of this log's format") from None
    for kind, values in (
        (int, (entry.idx, entry.boot_us)),
        (str, (entry.type, entry.utc, entry.boot, entry.actor, entry.role)),
        (dict, (entry.body,)),
    ):
        if any(type(value) is not kind for value in values):
            raise EntryUnreadable(idx, f"a field that should be {kind.__name__} is not")
    if not (
        (entry.patient is None or isinstance(entry.patient, str))
        and (entry.tag is None or isinstance(entry.tag, str))
        and (entry.chain is None or isinstance(entry.chain, str))
        and (entry.epoch is None or type(entry.epoch) is int)
    ):
        raise EntryUnreadable(idx, "patient or pump is not as it should be")
    return entry
