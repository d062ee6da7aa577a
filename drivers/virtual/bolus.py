"""Boluses: how much is given in what time, and when the patient's button is heard.

A bolus lies on top of the basal flow, which goes on untouched. Its rate is floored to whole nL/day, so that it
never gives more than was asked for; `achieved_u` says what it gives. The lock-out and the daily maximum run on
elapsed time, not on the time of day. Source: patient-controlled pumps; presses at 0, 5, 10, 15 and 20 h fit a day
with a lock-out of 5 h, so a day holds ceil(24 h / lock-out) presses.

Units: volume nL, rate nL/day, time ms; achieved volume in u (nL/86,400,000).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from drivers.virtual.accumulator import DAY_MS


class BolusError(ValueError):
    """The bolus cannot be given as asked for; the sentence names what to change."""


class Cause(Enum):
    """Why a bolus runs."""

    SINGLE = "single"
    PATIENT = "patient"
    PRIMING = "priming"


@dataclass(frozen=True, slots=True)
class Bolus:
    """A bolus that runs until `ends_ms` (pump time) at `rate_nl_day` on top of the basal flow."""

    cause: Cause
    ends_ms: int
    rate_nl_day: int


def single(cause: Cause, *, volume_nl: int, duration_ms: int, at_ms: int) -> Bolus:
    """A volume in a given time. Raises BolusError if the rate would be below 1 nL/day, or time runs out."""
    if duration_ms <= 0 or (rate := volume_nl * DAY_MS // duration_ms) <= 0:
        raise BolusError("a bolus needs a volume and a time in which at least 1 nL a day flows; shorten it")
    return Bolus(cause, at_ms + duration_ms, rate)


def priming(*, volume_nl: int, rate_nl_day: int, at_ms: int) -> Bolus:
    """A line's volume at a given rate; the time is floored to whole ms."""
    if rate_nl_day <= 0 or (lasts := volume_nl * DAY_MS // rate_nl_day) <= 0:
        raise BolusError("priming needs a volume and a rate; take the line's volume and the profile's bolus rate")
    return Bolus(Cause.PRIMING, at_ms + lasts, rate_nl_day)


def achieved_u(bolus: Bolus, at_ms: int) -> int:
    """What a bolus that began at `at_ms` gives by its end, in u."""
    return bolus.rate_nl_day * (bolus.ends_ms - at_ms)


@dataclass(frozen=True, slots=True)
class ButtonRule:
    """The patient's button: one press gives `volume_nl` in `duration_ms`; `lockout_ms` from start to start, and no
    more than `most_in_24h` starts within any 24 hours."""

    volume_nl: int
    duration_ms: int
    lockout_ms: int
    most_in_24h: int

    def __post_init__(self) -> None:
        if self.lockout_ms < self.duration_ms or min(self.duration_ms, self.volume_nl, self.most_in_24h) <= 0:
            raise BolusError("a button needs a volume, a time, a count, and a lock-out not shorter than the bolus")


class Press(Enum):
    """What came of a press."""

    GIVEN = "given"
    LOCKED_OUT = "locked out"
    DAILY_MAXIMUM = "daily maximum reached"


def press(rule: ButtonRule, starts: tuple[int, ...], at_ms: int) -> tuple[tuple[int, ...], Press]:
    """(the starts that still count, with this one if it was given; what came of it). `starts` rise; time is elapsed."""
    kept = tuple(start for start in starts if start > at_ms - max(DAY_MS, rule.lockout_ms))
    if kept and at_ms < kept[-1] + rule.lockout_ms:
        return kept, Press.LOCKED_OUT
    if sum(start > at_ms - DAY_MS for start in kept) >= rule.most_in_24h:
        return kept, Press.DAILY_MAXIMUM
    return (*kept, at_ms), Press.GIVEN


def most_presses(rule: ButtonRule, span_ms: int) -> int:
    """The most starts that any half-open window of `span_ms` can hold if every press that may be given is."""
    a_day = -(-DAY_MS // rule.lockout_ms)
    if a_day <= rule.most_in_24h:
        return -(-span_ms // rule.lockout_ms)
    days, rest = divmod(span_ms, DAY_MS)
    return days * rule.most_in_24h + min(rule.most_in_24h, -(-rest // rule.lockout_ms))
