"""The dose window that looks forward: the most that any trailing span of a plan holds, at every future instant.

A plan is a row of laws of the dose rate: history, what runs, the stages of a bridge, and a last law that repeats for
ever; boluses lie on top. What a trailing span holds is piecewise linear in its end, so its greatest value lies where
one of the span's two ends meets a change of rate. From the last change on the plan repeats with its law's period, so
that finitely many instants answer for all. What was delivered before still counts.
Source: safety rules for patient-controlled pumps; a window that only looks back lets an increase after a pause exceed
it later.

Units: dose rate ng/day, time ms of the pump; amounts in ng/day x ms, so that 86,400,000 of them are 1 ng.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.bolus import ButtonRule, most_presses
from drivers.virtual.schedule import MONDAY_MS


class WindowError(ValueError):
    """The plan is none: give at least one law, in the order of time, and a span longer than 0."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`laws`: (from ms, dose rate), rising; the first reaches back for ever, the last forward for ever. `boluses`:
    (start ms, end ms, dose rate) on top. `phase_ms`: the pump's wall clock is ahead of its elapsed time."""

    laws: tuple[tuple[int, Accumulator], ...]
    boluses: tuple[tuple[int, int, int], ...] = ()
    phase_ms: int = 0

    def __post_init__(self) -> None:
        if not self.laws or any(a[0] >= b[0] for a, b in pairwise(self.laws)):
            raise WindowError("a plan needs at least one law, and its laws must follow one another")
        if any(start >= end or rate < 0 for start, end, rate in self.boluses):
            raise WindowError("a bolus ends after it begins and has no negative rate")


@dataclass(frozen=True, slots=True)
class Peak:
    """The greatest amount in a trailing span, and the first end of such a span."""

    amount: int
    ends_ms: int


def given(plan: Plan, start_ms: int, end_ms: int) -> int:
    """The amount that the plan gives in [start, end)."""
    total = 0
    for first, last, law in _reigns(plan, start_ms, end_ms):
        shift = plan.phase_ms + MONDAY_MS
        total += law.between(first + shift, last + shift)
    for start, end, rate in plan.boluses:
        total += rate * max(0, min(end, end_ms) - max(start, start_ms))
    return total


def peak(plan: Plan, *, span_ms: int, now_ms: int) -> Peak:
    """The most that any trailing span ending at or after `now_ms` holds."""
    if span_ms <= 0:
        raise WindowError("a window needs a span longer than 0")
    changes = [now_ms, plan.laws[-1][0], *(end for _, end, _ in plan.boluses)]
    horizon = max(changes) + span_ms + plan.laws[-1][1].period_ms
    breaks = set(_breaks(plan, now_ms - span_ms, horizon))
    ends = {now_ms} | {at for b in breaks for at in (b, b + span_ms) if at >= now_ms}
    best, at = max((given(plan, end - span_ms, end), -end) for end in ends)
    return Peak(best, -at)


def peak_with_button(plan: Plan, rule: ButtonRule, press_ng: int, *, span_ms: int, now_ms: int) -> int:
    """A bound that is never exceeded: the peak, and every press that a span can hold on top, `press_ng` each."""
    return peak(plan, span_ms=span_ms, now_ms=now_ms).amount + most_presses(rule, span_ms) * press_ng * DAY_MS


def _reigns(plan: Plan, start_ms: int, end_ms: int) -> Iterator[tuple[int, int, Accumulator]]:
    for i, (begins, law) in enumerate(plan.laws):
        first = start_ms if i == 0 else max(start_ms, begins)
        last = min(end_ms, plan.laws[i + 1][0]) if i + 1 < len(plan.laws) else end_ms
        if first < last:
            yield first, last, law


def _breaks(plan: Plan, start_ms: int, end_ms: int) -> Iterator[int]:
    for first, last, law in _reigns(plan, start_ms, end_ms):
        yield first
        shift = plan.phase_ms + MONDAY_MS
        period = (first + shift) // law.period_ms * law.period_ms - shift
        while period < last:
            yield from (period + start for start in law.starts if first <= period + start < last)
            period += law.period_ms
    for start, end, _ in plan.boluses:
        yield from (start, end)
