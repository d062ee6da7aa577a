"""Reservoir horizon: days and dates of the computed alarm, of the fast pump, of the refill.

"Guarded" is the pump that runs fast by its whole accuracy band; its dates are warnings that no
alarm will announce, because the low-reservoir alarm is computed from the programmed flow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import floor

from programmer.clinical.refusals import CalculationRefused

LAST_DAY = date(2199, 12, 31)
ZERO = Fraction(0)


def _above(volume_ml: Fraction, level_ml: Fraction) -> Fraction:
    """Volume above a level, never negative: at or below the level nothing is left to wait for."""
    return max(ZERO, volume_ml - level_ml)


def day_after(start: date, days: int, field: str) -> date:
    """The day ``days`` after ``start``; past 2199-12-31 it is refused in the name of ``field``."""
    if days > (LAST_DAY - start).days:
        raise CalculationRefused("OUT_OF_DOMAIN", field=field)
    return start + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Horizon:
    """Days exact, and the whole days that may be shown."""

    days_exact: Fraction
    days_display_floor: int


def _horizon(days: Fraction) -> Horizon:
    return Horizon(days, floor(days))


def days_to_low_reservoir(
    reservoir_ml: Fraction, alarm_ml: Fraction, dose_mcg_per_day: Fraction, conc_mcg_per_ml: Fraction
) -> Horizon:
    """Days until the computed alarm at the programmed flow."""
    return _horizon(_above(reservoir_ml, alarm_ml) / (dose_mcg_per_day / conc_mcg_per_ml))


def days_to_low_reservoir_worst_case(
    reservoir_ml: Fraction, alarm_ml: Fraction, flow_ml_per_day: Fraction, accuracy_fraction: Fraction
) -> Horizon:
    """Days until the true volume of a fast pump may be down to ``alarm_ml``; nothing sounds then."""
    return _horizon(_above(reservoir_ml, alarm_ml) / (flow_ml_per_day * (1 + accuracy_fraction)))


@dataclass(frozen=True, slots=True)
class EmptyVsAlarm:
    """Day of the computed alarm beside the day a fast pump is empty."""

    alarm_day_exact: Fraction
    true_empty_day_exact: Fraction
    empty_before_alarm: bool


def true_empty_vs_alarm(
    reservoir_ml: Fraction, alarm_ml: Fraction, flow_ml_per_day: Fraction, accuracy_fraction: Fraction
) -> EmptyVsAlarm:
    """Whether a fast pump runs dry strictly before its computed alarm sounds."""
    alarm = _above(reservoir_ml, alarm_ml) / flow_ml_per_day
    empty = reservoir_ml / (flow_ml_per_day * (1 + accuracy_fraction))
    return EmptyVsAlarm(alarm, empty, empty < alarm)


def min_alarm_volume_for_accuracy(reservoir_ml: Fraction, accuracy_fraction: Fraction) -> Fraction:
    """Smallest alarm volume (mL) whose computed alarm is not later than the fast pump's empty day."""
    return reservoir_ml * (1 - 1 / (1 + accuracy_fraction))


@dataclass(frozen=True, slots=True)
class LeadCheck:
    """A planned refill against the day a fast pump is empty."""

    alarm_day_exact: Fraction
    planned_refill_day_exact: Fraction
    true_empty_day_exact: Fraction
    plan_is_safe: bool
    min_lead_days_exact: Fraction


def refill_lead_check(
    reservoir_ml: Fraction,
    alarm_ml: Fraction,
    flow_ml_per_day: Fraction,
    accuracy_fraction: Fraction,
    lead_days: int,
) -> LeadCheck:
    """Safe only if alarm day - lead is strictly before the fast pump's empty day."""
    days = true_empty_vs_alarm(reservoir_ml, alarm_ml, flow_ml_per_day, accuracy_fraction)
    alarm, empty = days.alarm_day_exact, days.true_empty_day_exact
    if lead_days > alarm:
        raise CalculationRefused("LEAD_EXCEEDS_HORIZON", alarm_day_exact=alarm)
    planned = alarm - lead_days
    return LeadCheck(alarm, planned, empty, planned < empty, max(ZERO, alarm - empty))


def alarm_to_empty_days(alarm_ml: Fraction, flow_ml_per_day: Fraction) -> Fraction:
    """Reaction window in days from the alarm to an empty reservoir, at the programmed flow."""
    return alarm_ml / flow_ml_per_day


@dataclass(frozen=True, slots=True)
class RefillDates:
    """Alarm date and one refill-by date for each lead, in the order asked."""

    alarm_date: date
    refill_by: tuple[date, ...]


def refill_dates(fill_date: date, days_display_floor: int, lead_days: Sequence[int]) -> RefillDates:
    """Calendar days: alarm = fill + days, each refill-by = alarm - lead."""
    alarm = day_after(fill_date, days_display_floor, "days_display_floor")
    if any(lead > days_display_floor for lead in lead_days):
        raise CalculationRefused("LEAD_EXCEEDS_HORIZON", alarm_date=alarm)
    return RefillDates(alarm, tuple(alarm - timedelta(days=lead) for lead in lead_days))


@dataclass(frozen=True, slots=True)
class StabilityHorizon:
    """Whole days until the next refill and what sets them."""

    volume_days_exact: Fraction
    horizon_days: int
    limited_by: str


def refill_horizon_with_stability(
    reservoir_ml: Fraction, alarm_ml: Fraction, flow_ml_per_day: Fraction, stability_days: int
) -> StabilityHorizon:
    """The earlier of volume and drug stability; a tie counts as ``volume``."""
    days = _above(reservoir_ml, alarm_ml) / flow_ml_per_day
    whole = floor(days)
    if stability_days < whole:
        return StabilityHorizon(days, stability_days, "drug_stability")
    return StabilityHorizon(days, whole, "volume")


@dataclass(frozen=True, slots=True)
class BolusHorizon:
    """Flow with every allotted bolus taken, and the days it leaves."""

    flow_ml_per_day: Fraction
    days_exact: Fraction
    days_display_floor: int


def refill_date_with_patient_boluses(
    reservoir_ml: Fraction,
    threshold_ml: Fraction,
    basal_mcg_per_day: Fraction,
    bolus_mcg: Fraction,
    max_boluses_per_day: int,
    conc_mcg_per_ml: Fraction,
) -> BolusHorizon:
    """Days to the threshold when every allotted bolus is assumed taken."""
    flow = (basal_mcg_per_day + bolus_mcg * max_boluses_per_day) / conc_mcg_per_ml
    if flow == 0:
        raise CalculationRefused("OUT_OF_DOMAIN", field="basal_mcg_per_day")
    days = _above(reservoir_ml, threshold_ml) / flow
    return BolusHorizon(flow, days, floor(days))


@dataclass(frozen=True, slots=True)
class LowGuarded:
    """First day on which a fast pump's true volume may be down to the reserve."""

    days_exact: Fraction
    days_display_floor: int
    low_guarded: date


def low_guarded(
    fill_date: date,
    reservoir_ml: Fraction,
    reserve_ml: Fraction,
    flow_ml_per_day: Fraction,
    accuracy_fraction: Fraction,
) -> LowGuarded:
    """From this date on the reserve may be reached, and no alarm sounds."""
    days = _above(reservoir_ml, reserve_ml) / (flow_ml_per_day * (1 + accuracy_fraction))
    whole = floor(days)
    return LowGuarded(days, whole, day_after(fill_date, whole, "flow_ml_per_day"))


@dataclass(frozen=True, slots=True)
class RefillBy:
    """The last day for the appointment, with the dates it comes from."""

    alarm_nominal: date
    low_guarded: date
    empty_guarded: date
    refill_by: date
    limited_by: str


def refill_by(
    fill_date: date,
    reservoir_ml: Fraction,
    alarm_ml: Fraction,
    reserve_ml: Fraction,
    flow_ml_per_day: Fraction,
    accuracy_fraction: Fraction,
    lead_days: int,
    in_pump_days: int,
) -> RefillBy:
    """Earliest of alarm - lead, reserve of the fast pump, drug stability; ties in this order."""
    fast = flow_ml_per_day * (1 + accuracy_fraction)
    alarm_days = floor(_above(reservoir_ml, alarm_ml) / flow_ml_per_day)
    low_days = floor(_above(reservoir_ml, reserve_ml) / fast)
    empty_days = floor(reservoir_ml / fast)
    alarm, low, empty = (day_after(fill_date, days, "flow_ml_per_day") for days in (alarm_days, low_days, empty_days))
    if lead_days > alarm_days:
        raise CalculationRefused("LEAD_EXCEEDS_HORIZON", alarm_nominal=alarm)
    candidates = (
        (alarm_days - lead_days, "alarm_lead"),
        (low_days, "reserve"),
        (in_pump_days, "drug_stability"),
    )
    days, limited_by = min(candidates, key=lambda candidate: candidate[0])
    return RefillBy(alarm, low, empty, fill_date + timedelta(days=days), limited_by)
