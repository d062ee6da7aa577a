"""Programs as schedules of flow: flex patterns by weekday, scheduled boluses, bridges.

A flex program is at most 13 steps in total. A step is [weekdays, minute, dose rate]: it begins at that minute
of each of its weekdays and lasts until the next step of the same day, or midnight. Every day of the week needs
a step at minute 0, so that the steps tile the day. Days are those of the pump's own clock, which counts ms since
1970-01-01T00:00:00Z, a Thursday.
Source: pumps with timed programs offer 13 steps and day patterns; steps that leave a gap are refused.

Units: dose rate ng/day, concentration ng/mL, flow nL/day (floored, never rounded up), volume nL, time ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from drivers.virtual.accumulator import DAY_MS, WEEK_MS, Accumulator, ScheduleError

MINUTE_MS = 60_000
DAY_MINUTES = 1440
EVERY_DAY = 0x7F
MAX_STEPS = 13
NL_PER_ML = 1_000_000

MONDAY_MS = 3 * DAY_MS
"""Added to the pump clock, whole weeks begin on Monday at midnight: day 0 was a Thursday."""


@dataclass(frozen=True, slots=True)
class Step:
    """One flex step: `weekdays` bit 0 Monday to bit 6 Sunday, `minute` of the day 0 to 1439, dose rate ng/day."""

    weekdays: int
    minute: int
    dose_ng_day: int


@dataclass(frozen=True, slots=True)
class ScheduledBolus:
    """A bolus at `minute` of each of its `weekdays`: `rate_nl_day` on top of the basal flow for `duration_ms`."""

    weekdays: int
    minute: int
    rate_nl_day: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Stage:
    """From `at_ms` (pump time) on the basal flow follows `flow`."""

    at_ms: int
    flow: Accumulator


def rate_for_dose(dose_ng_day: int, conc_ng_ml: int) -> int:
    """Flow in whole nL/day for a daily dose, quantised downwards, never upwards (1 mL = 1,000,000 nL)."""
    return dose_ng_day * NL_PER_ML // conc_ng_ml


def dose_for_rate(rate_nl_day: int, conc_ng_ml: int) -> int:
    """Daily dose in whole ng achieved by a flow, floored."""
    return rate_nl_day * conc_ng_ml // NL_PER_ML


def weekday(clock_ms: int) -> int:
    """0 Monday to 6 Sunday at a pump clock."""
    return (clock_ms + MONDAY_MS) // DAY_MS % 7


def flex(steps: tuple[Step, ...], conc_ng_ml: int) -> Accumulator:
    """The flow of a flex program, each step's floored by itself. Raises ScheduleError as `pattern`."""
    doses = pattern(steps)
    return doses.mapped(tuple(rate_for_dose(dose, conc_ng_ml) for dose in doses.rates))


def pattern(steps: tuple[Step, ...]) -> Accumulator:
    """The dose rate of a flex program from Monday midnight on; one day long if all days are alike.

    Raises ScheduleError for too many steps, a step outside the day or the week, two steps at one minute of one
    day, or a day without a step at midnight.
    """
    _judge(steps)
    days = [_day(steps, day) for day in range(7)]
    if all(day == days[0] for day in days):
        return Accumulator.of(DAY_MS, days[0])
    return _thinned(WEEK_MS, [(i * DAY_MS + at, rate) for i, day in enumerate(days) for at, rate in day])


def _judge(steps: tuple[Step, ...]) -> None:
    if len(steps) > MAX_STEPS:
        raise ScheduleError(f"a flex program has at most {MAX_STEPS} steps in total; join steps or days")
    for step in steps:
        if not (0 < step.weekdays <= EVERY_DAY and 0 <= step.minute < DAY_MINUTES and step.dose_ng_day >= 0):
            raise ScheduleError("a step needs a weekday, a minute from 0 to 1439 and a rate that is not negative")
    for day in range(7):
        minutes = [step.minute for step in steps if step.weekdays >> day & 1]
        if 0 not in minutes:
            raise ScheduleError("every day of the week needs a step at midnight; add one")
        if len(set(minutes)) < len(minutes):
            raise ScheduleError("two steps begin at one minute of one day; take one of them out")


def _day(steps: tuple[Step, ...], day: int) -> tuple[tuple[int, int], ...]:
    on = sorted((step.minute, step.dose_ng_day) for step in steps if step.weekdays >> day & 1)
    return tuple((minute * MINUTE_MS, dose) for minute, dose in on)


def _thinned(period_ms: int, segments: list[tuple[int, int]]) -> Accumulator:
    """Segments without those that change nothing."""
    kept = [segments[0], *(b for a, b in pairwise(segments) if b[1] != a[1])]
    return Accumulator.of(period_ms, tuple(kept))


def with_boluses(basal: Accumulator, boluses: tuple[ScheduledBolus, ...]) -> Accumulator:
    """The basal flow, untouched, with scheduled boluses on top; those that run over midnight on Sunday go on.

    Raises ScheduleError for a bolus outside the week, without length, longer than a day, or over another one.
    """
    pulses = sorted(_pulses(boluses))
    if not pulses:
        return basal
    for (_, end, _), (start, _, _) in pairwise([*pulses, (pulses[0][0] + WEEK_MS, 0, 0)]):
        if start < end:
            raise ScheduleError("one scheduled bolus begins before another has ended; move it or shorten it")
    edges = {0}
    for start, end, _ in pulses:
        edges |= {start, end % WEEK_MS}
    for first in range(0, WEEK_MS, basal.period_ms):
        edges |= {first + start for start in basal.starts}
    segments = [(at, basal.rate_at(at) + _on_top(pulses, at)) for at in sorted(edges)]
    return _thinned(WEEK_MS, segments)


def _pulses(boluses: tuple[ScheduledBolus, ...]) -> list[tuple[int, int, int]]:
    found = []
    for bolus in boluses:
        if not (0 < bolus.weekdays <= EVERY_DAY and 0 <= bolus.minute < DAY_MINUTES):
            raise ScheduleError("a scheduled bolus needs a weekday and a minute from 0 to 1439")
        if not 0 < bolus.duration_ms <= DAY_MS or bolus.rate_nl_day < 0:
            raise ScheduleError("a scheduled bolus lasts longer than 0 and at most a day, at a rate not negative")
        starts = [d * DAY_MS + bolus.minute * MINUTE_MS for d in range(7) if bolus.weekdays >> d & 1]
        found += [(start, start + bolus.duration_ms, bolus.rate_nl_day) for start in starts]
    return found


def _on_top(pulses: list[tuple[int, int, int]], at: int) -> int:
    return sum(rate for start, end, rate in pulses if start <= at < end or start <= at + WEEK_MS < end)


def bridge(
    parts: tuple[tuple[int, int], ...], *, dose_ng_day: int, at_ms: int, then: Accumulator
) -> tuple[Accumulator, tuple[Stage, ...]]:
    """The flow of a bridge that begins at `at_ms`, and its later stages.

    `parts` is what the line holds, tip first, as (volume nL, concentration ng/mL). Each part is pumped at the flow
    that gives `dose_ng_day` of it; its time is volume / flow, floored to whole ms, so that an old strength is never
    run into the new one. Then follows `then`.
    Raises ScheduleError for a part without drug: a bridge over saline is no bridge.
    """
    if any(volume < 0 or conc <= 0 for volume, conc in parts) or dose_ng_day <= 0:
        raise ScheduleError("each part of a bridge needs drug, and the bridge a dose; prime the line instead")
    flows, at = [], at_ms
    for volume, conc in parts:
        rate = rate_for_dose(dose_ng_day, conc)
        if rate == 0:
            raise ScheduleError("the flow of the bridge is below 1 nL a day; choose a strength between the two")
        if (lasts := volume * DAY_MS // rate) > 0:
            flows.append((at, Accumulator.constant(rate)))
            at += lasts
    flows.append((at, then))
    return flows[0][1], tuple(Stage(start, flow) for start, flow in flows[1:])
