"""Timed schedules: flex steps, scheduled boluses, the clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused

MINUTES_PER_DAY = 1440
ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class FlexStep:
    """A step from ``start`` (minute of the day) on, by rate or by dose: exactly one of the two."""

    start: int
    mcg_per_h: Fraction | None = None
    dose_mcg: Fraction | None = None


@dataclass(frozen=True, slots=True)
class FlexTotal:
    """A day's total, step by step."""

    total_mcg_per_day: Fraction
    mcg_per_h_by_step: tuple[Fraction, ...]
    dose_mcg_by_step: tuple[Fraction, ...]
    average_flow_ml_per_day: Fraction | None


def flex_total(steps: Sequence[FlexStep], conc_mcg_per_ml: Fraction | None = None) -> FlexTotal:
    """A step lasts to the next start, the last to 24:00."""
    starts = [step.start for step in steps]
    ends = [*starts[1:], MINUTES_PER_DAY]
    if starts[0] != 0 or any(end <= start for start, end in zip(starts, ends, strict=True)):
        raise CalculationRefused("NOT_CONTIGUOUS")
    rates: list[Fraction] = []
    doses: list[Fraction] = []
    for step, end in zip(steps, ends, strict=True):
        hours = Fraction(end - step.start, 60)
        if step.mcg_per_h is not None:
            rates.append(step.mcg_per_h)
            doses.append(step.mcg_per_h * hours)
        elif step.dose_mcg is not None:
            rates.append(step.dose_mcg / hours)
            doses.append(step.dose_mcg)
        else:
            raise CalculationRefused("BAD_INPUT", field="steps")
    total = sum(doses, ZERO)
    average = None if conc_mcg_per_ml is None else total / conc_mcg_per_ml
    return FlexTotal(total, tuple(rates), tuple(doses), average)


@dataclass(frozen=True, slots=True)
class EntryRatio:
    """A rate typed per hour that was meant per day."""

    entered_mcg_per_day: Fraction
    ratio: Fraction


def flex_entry_ratio(intended_mcg_per_day: Fraction, entered_mcg_per_hour: Fraction) -> EntryRatio:
    """What an hourly rate amounts to in a day, against what was intended."""
    entered = entered_mcg_per_hour * 24
    return EntryRatio(entered, entered / intended_mcg_per_day)


@dataclass(frozen=True, slots=True)
class FlexSpan:
    """A step with start and end in minutes of the day (1440 is 24:00)."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class FlexValid:
    """A schedule that tiles the day."""

    valid: bool
    n_steps: int


def flex_validate(steps: Sequence[FlexSpan], max_steps: int) -> FlexValid:
    """Steps tile 00:00-24:00 exactly, in order, and are not more than the pump holds."""
    if len(steps) > max_steps:
        raise CalculationRefused("TOO_MANY_STEPS", n_steps=len(steps))
    at = 0
    for step in steps:
        if step.start != at or step.end <= step.start:
            raise CalculationRefused("NOT_CONTIGUOUS")
        at = step.end
    if at != MINUTES_PER_DAY:
        raise CalculationRefused("NOT_CONTIGUOUS")
    return FlexValid(True, len(steps))


@dataclass(frozen=True, slots=True)
class StepFlow:
    """Flow of one step."""

    flow_ml_per_h: Fraction
    flow_ml_per_day: Fraction
    allowed: bool


def flex_step_flow(
    dose_mcg: Fraction,
    hours: Fraction,
    conc_mcg_per_ml: Fraction,
    min_flow_ml_per_day: Fraction | None = None,
    max_flow_ml_per_day: Fraction | None = None,
) -> StepFlow:
    """Flow of a step, refused outside the range given (equal to a bound is allowed)."""
    per_h = dose_mcg / conc_mcg_per_ml / hours
    per_day = per_h * 24
    if min_flow_ml_per_day is not None and per_day < min_flow_ml_per_day:
        raise CalculationRefused("FLOW_BELOW_MINIMUM", flow_ml_per_h=per_h, flow_ml_per_day=per_day)
    if max_flow_ml_per_day is not None and per_day > max_flow_ml_per_day:
        raise CalculationRefused("FLOW_ABOVE_MAXIMUM", flow_ml_per_h=per_h, flow_ml_per_day=per_day)
    return StepFlow(per_h, per_day, True)


def periodic_bolus_total(bolus_mcg: Fraction, deliveries_per_day: int, basal_mcg_per_day: Fraction) -> Fraction:
    """Day's dose in mcg/day of scheduled boluses on a basal dose."""
    return bolus_mcg * deliveries_per_day + basal_mcg_per_day


@dataclass(frozen=True, slots=True)
class PeriodicEntryRatio:
    """An interval in hours that was typed as minutes."""

    intended_mcg_per_day: Fraction
    entered_mcg_per_day: Fraction
    ratio: Fraction


def periodic_bolus_entry_ratio(
    bolus_mcg: Fraction, intended_interval_h: Fraction, entered_interval_min: Fraction
) -> PeriodicEntryRatio:
    """Day averages of the intended and of the entered interval."""
    intended = bolus_mcg * 24 / intended_interval_h
    entered = bolus_mcg * MINUTES_PER_DAY / entered_interval_min
    return PeriodicEntryRatio(intended, entered, entered / intended)


@dataclass(frozen=True, slots=True)
class ClockShift:
    """Wall time (minute of the day) of a step and how many days later it falls."""

    wall_time_of_step: int
    day_shift: int


def flex_after_clock_shift(step_start_pump: int, wall_minus_pump_minutes: int) -> ClockShift:
    """When a step starts by the clock on the wall."""
    days, minute = divmod(step_start_pump + wall_minus_pump_minutes, MINUTES_PER_DAY)
    return ClockShift(minute, days)
