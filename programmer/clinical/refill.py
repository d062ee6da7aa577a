"""Refill reconciliation: what the needle should find, what it found, what that means."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class DeliverySegment:
    """A stretch of ``days`` at one programmed flow; ``stall_hours`` of it delivered nothing."""

    days: Fraction
    flow_ml_per_day: Fraction
    stall_hours: Fraction | None = None


def expected_residual(
    fill_ml: Fraction, segments: Sequence[DeliverySegment], boluses_ml: Sequence[Fraction] | None = None
) -> Fraction:
    """Expected residual in mL; no rounding between segments.

    Refuses a stall longer than its segment, and a residual below zero (the pump should be dry).
    """
    expected = fill_ml - sum(boluses_ml or (), ZERO)
    for segment in segments:
        stall_days = (segment.stall_hours or ZERO) / 24
        if stall_days > segment.days:
            raise CalculationRefused("STALL_EXCEEDS_SEGMENT")
        expected -= segment.flow_ml_per_day * (segment.days - stall_days)
    if expected < 0:
        raise CalculationRefused("EXPECTED_BELOW_ZERO", expected_ml=expected)
    return expected


@dataclass(frozen=True, slots=True)
class RefillReconciliation:
    """The figures of one refill; ``klass`` is the class of the discrepancy."""

    discrepancy_ml: Fraction
    programmed_ml: Fraction
    actual_ml: Fraction
    ratio: Fraction
    error_percent: Fraction
    direction: str
    klass: str


_CLASSES = {
    (False, False): "within",
    (True, False): "percent_only",
    (False, True): "absolute_only",
    (True, True): "both",
}


def reconcile_refill(
    fill_ml: Fraction,
    expected_ml: Fraction,
    withdrawn_ml: Fraction,
    abs_limit_ml: Fraction,
    accuracy_fraction: Fraction,
) -> RefillReconciliation:
    """Delivered against programmed volume since the fill; equal to a limit is not broken.

    Source: ASRA 2017, poster 1139 (percent rule and absolute rule).
    """
    if withdrawn_ml > fill_ml:
        raise CalculationRefused("WITHDRAWN_EXCEEDS_FILL")
    if expected_ml > fill_ml:
        raise CalculationRefused("EXPECTED_EXCEEDS_FILL")
    if expected_ml == fill_ml:
        raise CalculationRefused("NOTHING_PROGRAMMED")
    discrepancy = withdrawn_ml - expected_ml
    programmed, actual = fill_ml - expected_ml, fill_ml - withdrawn_ml
    ratio = actual / programmed
    direction = "over-infusion" if ratio > 1 else "under-infusion" if ratio < 1 else "none"
    broken = (abs(ratio - 1) > accuracy_fraction, abs(discrepancy) > abs_limit_ml)
    return RefillReconciliation(discrepancy, programmed, actual, ratio, (ratio - 1) * 100, direction, _CLASSES[broken])


@dataclass(frozen=True, slots=True)
class PocketFill:
    """Injected minus measured volume; ``alert`` means drug may lie under the skin."""

    difference_ml: Fraction
    alert: bool


POCKET_FILL_LIMITS_ML = {Fraction(20): Fraction(1), Fraction(40): Fraction(2)}
"""Reservoir size (mL) to threshold (mL). Source: Maino 2017."""


def pocket_fill_check(pump_ml: Fraction, injected_ml: Fraction, measured_ml: Fraction) -> PocketFill:
    """Whether more was injected than is found again, beyond the published threshold."""
    limit = POCKET_FILL_LIMITS_ML.get(pump_ml)
    if limit is None:
        raise CalculationRefused("NO_RULE_FOR_PUMP")
    difference = injected_ml - measured_ml
    return PocketFill(difference, difference > limit)


def over_infusion_ratio_that_beats_alarm(reservoir_ml: Fraction, alarm_ml: Fraction) -> Fraction:
    """A pump faster than this ratio is empty before its computed alarm."""
    if alarm_ml >= reservoir_ml:
        raise CalculationRefused("ALARM_NOT_BELOW_RESERVOIR")
    return reservoir_ml / (reservoir_ml - alarm_ml)
