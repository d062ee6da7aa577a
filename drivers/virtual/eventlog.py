"""The pump's event log: a ring with sequence numbers, read in pages; what was overtaken is counted.

Source: safety rules for infusion pumps ask for at least 1,000 entries that survive a restart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocol.event_codes import EventCode

CAPACITY = 1_024


class LogError(ValueError):
    """A page needs a cursor of 0 or more and at least one entry."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: `seq` counts from 0 for ever, `at_ms` pump clock, `value` a number the code explains."""

    seq: int
    at_ms: int
    code: EventCode
    value: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """`lost` entries were overtaken before `entries`; read on at `next_cursor` while `more`."""

    lost: int
    entries: tuple[Entry, ...]
    next_cursor: int
    more: bool


@dataclass(frozen=True, slots=True)
class EventLog:
    """The last `capacity` entries; `next_seq` is the number the next one gets."""

    entries: tuple[Entry, ...] = ()
    next_seq: int = 0
    capacity: int = CAPACITY

    def add(self, at_ms: int, code: EventCode, value: int = 0) -> EventLog:
        """The log with one more entry."""
        entries = (*self.entries, Entry(self.next_seq, at_ms, code, value))[-self.capacity :]
        return replace(self, entries=entries, next_seq=self.next_seq + 1)

    def page(self, cursor: int, limit: int) -> Page:
        """At most `limit` entries from number `cursor` on."""
        if cursor < 0 or limit < 1:
            raise LogError("a log page needs a cursor of 0 or more and room for at least one entry")
        first = self.next_seq - len(self.entries)
        start = max(cursor, first)
        entries = self.entries[start - first : start - first + limit]
        following = entries[-1].seq + 1 if entries else min(start, self.next_seq)
        return Page(start - cursor, entries, following, following < self.next_seq)
