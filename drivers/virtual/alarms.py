"""Alarms: a condition is raised once when it becomes true, cleared when it is gone, and never by reading.

A pause of the sound lasts 120 s at most, comes back by itself, and is broken by a new alarm of higher
priority; the condition and its display stay. Source: general safety rules for infusion pumps (audio pause
of at most two minutes). Times are ms of the pump clock.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from drivers.virtual.accumulator import DAY_MS

PRIORITIES = ("HIGH", "MEDIUM", "LOW")
Priority = Literal["HIGH", "MEDIUM", "LOW"]
_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")


class SilenceError(ValueError):
    """The pause is out of range: choose 1 to 120 s; an alarm is never silenced for good."""


class _Tone(BaseModel):
    model_config = _STRICT
    pattern: str
    seconds: int
    every_s: int


class _Condition(BaseModel):
    model_config = _STRICT
    code: str
    priority: Priority
    tone: str
    high_after_days: int | None = None


class AlarmTable(BaseModel):
    """The conditions in fixed order (ties are logged in it), their priorities and tones."""

    model_config = _STRICT
    version: int
    silence_max_s: int
    condition: list[_Condition]
    tones: dict[str, _Tone]

    def order(self, code: str) -> int:
        """Place of a condition in the table; KeyError for an unknown code."""
        for index, row in enumerate(self.condition):
            if row.code == code:
                return index
        raise KeyError(code)


def load_table() -> AlarmTable:
    """The table that stands beside this file."""
    text = files("drivers.virtual").joinpath("alarms.toml").read_text(encoding="utf-8")
    return AlarmTable.model_validate(tomllib.loads(text))


TABLE = load_table()


@dataclass(frozen=True, slots=True)
class Active:
    """One condition that holds since `since_ms`; its sound is paused until `silenced_until_ms`."""

    code: str
    since_ms: int
    silenced_until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """What the event log gets: `event` RAISED, CLEARED, SILENCED, RESOUNDED."""

    at_ms: int
    event: str
    code: str


@dataclass(frozen=True, slots=True)
class AlarmBook:
    """The active alarms, in table order."""

    active: tuple[Active, ...] = ()


def priority(alarm: Active, at_ms: int) -> Priority:
    """Priority at an instant (a battery notice rises to HIGH near the end)."""
    row = TABLE.condition[TABLE.order(alarm.code)]
    if row.high_after_days is not None and at_ms - alarm.since_ms >= row.high_after_days * DAY_MS:
        return "HIGH"
    return row.priority


def tone(code: str) -> str:
    """Name of the tone a condition sounds with."""
    return TABLE.condition[TABLE.order(code)].tone


def run_to(book: AlarmBook, at_ms: int) -> tuple[AlarmBook, tuple[Notice, ...]]:
    """End the pauses that are over at `at_ms`, each at its own instant."""
    notices = []
    active = []
    for alarm in book.active:
        end = alarm.silenced_until_ms
        if end is not None and end <= at_ms:
            notices.append(Notice(end, "RESOUNDED", alarm.code))
            alarm = replace(alarm, silenced_until_ms=None)
        active.append(alarm)
    return AlarmBook(tuple(active)), tuple(sorted(notices, key=lambda n: n.at_ms))


def update(book: AlarmBook, holding: Iterable[str], at_ms: int) -> tuple[AlarmBook, tuple[Notice, ...]]:
    """Make the active alarms those of `holding`. What was active stays as it was; nothing is raised twice."""
    wanted = sorted(set(holding), key=TABLE.order)
    have = {a.code: a for a in book.active}
    notices = [Notice(at_ms, "CLEARED", a.code) for a in book.active if a.code not in wanted]
    fresh = [code for code in wanted if code not in have]
    notices += [Notice(at_ms, "RAISED", code) for code in fresh]
    active = [have.get(code, Active(code, at_ms)) for code in wanted]
    if fresh:
        worst = min(PRIORITIES.index(priority(Active(code, at_ms), at_ms)) for code in fresh)
        active = [
            replace(a, silenced_until_ms=None)
            if a.silenced_until_ms is not None and PRIORITIES.index(priority(a, at_ms)) > worst
            else a
            for a in active
        ]
    return AlarmBook(tuple(active)), tuple(notices)


def silence(
    book: AlarmBook, seconds: int, at_ms: int, codes: Iterable[str] | None = None
) -> tuple[AlarmBook, tuple[Notice, ...]]:
    """Pause the sound of the active alarms in `codes` (None: of all). Raises SilenceError outside
    1..silence_max_s."""
    if not 1 <= seconds <= TABLE.silence_max_s:
        raise SilenceError(f"a pause lasts 1 to {TABLE.silence_max_s} s; {seconds} s is refused")
    until = at_ms + seconds * 1000
    meant = [a.code for a in book.active] if codes is None else list(codes)
    active = tuple(replace(a, silenced_until_ms=until) if a.code in meant else a for a in book.active)
    return AlarmBook(active), tuple(Notice(at_ms, "SILENCED", a.code) for a in active if a.code in meant)


def sounding(book: AlarmBook, at_ms: int) -> tuple[str, ...]:
    """Codes that make a sound at this instant."""
    return tuple(a.code for a in book.active if a.silenced_until_ms is None or a.silenced_until_ms <= at_ms)
