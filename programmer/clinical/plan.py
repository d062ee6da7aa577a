"""Refill dates and the reconciliation of a refill, over the exact functions.

A measured fact is never refused: where the arithmetic has no answer, the derived value is
"not computable" with its cause, and the volumes stay what they are.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor
from typing import Final

from programmer.clinical import display
from programmer.clinical.library import ReconciliationLimits
from programmer.clinical.profiles import PumpProfile
from programmer.clinical.refill import RefillReconciliation, reconcile_refill
from programmer.clinical.refusals import SENTENCES, CalculationRefused
from programmer.clinical.reservoir import (
    alarm_to_empty_days,
    day_after,
    days_to_low_reservoir_worst_case,
    min_alarm_volume_for_accuracy,
    refill_by,
    true_empty_vs_alarm,
)

TENTH: Final = Fraction(1, 10)
DEFAULT_LEAD_DAYS: Final = 7


@dataclass(frozen=True, slots=True)
class RefillPlan:
    """Dates from one fill; ``refill_by`` is None where ``not_computable`` says why.

    ``alarm_nominal`` is the day the computed alarm sounds. On the guarded days the true volume of a
    fast pump may be at the alarm volume, at the reserve, at zero, and nothing sounds.
    ``reaction_days`` is the time from the alarm to an empty reservoir at the programmed flow.
    ``plan_is_safe``: the refill lies strictly before the empty day of a fast pump.
    """

    alarm_nominal: date
    alarm_guarded: date
    low_guarded: date
    empty_guarded: date
    stable_until: date
    refill_by: date | None
    limited_by: str | None
    not_computable: str | None
    recommended_alarm_ml: Fraction
    alarm_is_low: bool
    reaction_days: Fraction
    plan_is_safe: bool

    @property
    def low_sentence(self) -> str:
        """What the fast pump does before its alarm."""
        if self.low_guarded >= self.alarm_nominal:
            return f"The alarm sounds on {display.day(self.alarm_nominal)}, before the pump can be low."
        return f"The pump may be low from {display.day(self.low_guarded)}; the alarm will NOT sound then."


def ceil_tenth(volume_ml: Fraction) -> Fraction:
    """A required least volume, up to the next 0.1 mL."""
    return ceil(volume_ml / TENTH) * TENTH


def recommended_alarm_ml(profile: PumpProfile, after_withdrawal: bool = False) -> Fraction:
    """Alarm volume to recommend: the pump's default, the volume for its accuracy, more after a withdrawal."""
    needed = ceil_tenth(min_alarm_volume_for_accuracy(profile.reservoir_ml, profile.accuracy_fraction))
    least = max(profile.alarm_ml, needed)
    return max(least, profile.alarm_after_withdrawal_ml) if after_withdrawal else least


def refill_plan(
    profile: PumpProfile,
    fill_date: date,
    volume_ml: Fraction,
    alarm_ml: Fraction,
    flow_ml_per_day: Fraction,
    in_pump_days: int,
    lead_days: int = DEFAULT_LEAD_DAYS,
    after_withdrawal: bool = False,
) -> RefillPlan:
    """Dates of a fill of ``volume_ml`` at ``flow_ml_per_day`` (above 0).

    Raises :class:`CalculationRefused` (OUT_OF_DOMAIN) only if a date lies after 2199. A lead longer
    than the days to the alarm leaves the dates and says that no refill day is left.
    """
    band = profile.accuracy_fraction
    reserve = profile.reserve_after_withdrawal_ml if after_withdrawal else profile.reserve_ml
    recommended = recommended_alarm_ml(profile, after_withdrawal)
    dates = (fill_date, volume_ml, alarm_ml, reserve, flow_ml_per_day, band)
    by: date | None = None
    limited_by, cause = None, None
    try:
        found = refill_by(*dates, lead_days, in_pump_days)
        by, limited_by = found.refill_by, found.limited_by
    except CalculationRefused as refused:
        if refused.code != "LEAD_EXCEEDS_HORIZON":
            raise
        found = refill_by(*dates, 0, in_pump_days)
        cause = (
            f"The alarm sounds on {display.day(found.alarm_nominal)}, less than {lead_days} days after the "
            "fill: book the next refill now, or fill more."
        )
    guarded = days_to_low_reservoir_worst_case(volume_ml, alarm_ml, flow_ml_per_day, band)
    empty = true_empty_vs_alarm(volume_ml, alarm_ml, flow_ml_per_day, band).true_empty_day_exact
    return RefillPlan(
        alarm_nominal=found.alarm_nominal,
        alarm_guarded=day_after(fill_date, guarded.days_display_floor, "flow_ml_per_day"),
        low_guarded=found.low_guarded,
        empty_guarded=found.empty_guarded,
        stable_until=day_after(fill_date, in_pump_days, "in_pump_days"),
        refill_by=by,
        limited_by=limited_by,
        not_computable=cause,
        recommended_alarm_ml=recommended,
        alarm_is_low=alarm_ml < recommended,
        reaction_days=alarm_to_empty_days(alarm_ml, flow_ml_per_day),
        plan_is_safe=by is not None and (by - fill_date).days < empty,
    )


def refill_day_is_safe(plan: RefillPlan, day: date) -> bool:
    """Whether an appointment on ``day`` is not later than the last day for it."""
    return plan.refill_by is not None and day <= plan.refill_by


def reaction_sentence(plan: RefillPlan) -> str:
    """The reaction window in whole days, rounded down, with the day it ends."""
    days = floor(plan.reaction_days)
    ends = plan.alarm_nominal + timedelta(days=days)
    return f"From the alarm to an empty pump: {days} days, to {display.day(ends)}."


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A refill's volumes, what follows from them, and what to do.

    ``figures`` is None where ``not_computable`` says why. ``klass`` is ``within``, ``percent_only``,
    ``absolute_only``, ``both`` or ``not_computable``. ``prescriber_before_leaving``: the prescriber
    decides before the patient leaves.
    """

    fill_ml: Fraction
    expected_ml: Fraction
    withdrawn_ml: Fraction
    discrepancy_ml: Fraction
    klass: str
    figures: RefillReconciliation | None
    not_computable: str | None
    resolution_dominated: bool
    gross_under_delivery: bool
    urgent_over_delivery: bool
    needs_cause: bool
    advice: str

    @property
    def ratio(self) -> Fraction | None:
        """Delivered over programmed volume, or None where it is not computable."""
        return None if self.figures is None else self.figures.ratio

    @property
    def prescriber_before_leaving(self) -> bool:
        """Whether a prescriber has to decide before the patient leaves."""
        return self.gross_under_delivery or self.urgent_over_delivery

    @property
    def blocks_increase(self) -> bool:
        """Whether the dose may not be increased until a prescriber has closed the discrepancy."""
        return self.needs_cause


ADVICE: Final = {
    "within": "Within the limits: chart the point.",
    "percent_only": "Repeat the reading, name the cause, and shorten the interval.",
    "absolute_only": "Repeat the aspiration, look at the trend, and name the cause.",
    "both": "Look for a leak, a stall or a wrong entry, name the cause, and tell the prescriber today.",
    "resolution": "Little was programmed, so the syringe's resolution dominates: draw no conclusion.",
    "gross": (
        "Less than half was delivered: no dose increase and no routine restart. Look for a stall or a "
        "blocked catheter; a sudden release is possible when flow returns. The prescriber decides before the "
        "patient leaves."
    ),
    "urgent": (
        "Far more was delivered than programmed: urgent review, watch for overdose. The prescriber decides "
        "before the patient leaves."
    ),
}


def reconcile(
    profile: PumpProfile,
    limits: ReconciliationLimits,
    fill_ml: Fraction,
    expected_ml: Fraction,
    withdrawn_ml: Fraction,
) -> Reconciliation:
    """Reconcile a refill; every combination of volumes is taken, ``expected_ml`` may be negative.

    Gross under-delivery and urgent over-delivery are called only if the discrepancy is above what the
    syringe can resolve.
    """
    discrepancy = withdrawn_ml - expected_ml
    try:
        if expected_ml < 0:
            raise CalculationRefused("EXPECTED_BELOW_ZERO", expected_ml=expected_ml)
        figures = reconcile_refill(fill_ml, expected_ml, withdrawn_ml, limits.abs_limit_ml, profile.accuracy_fraction)
    except CalculationRefused as refused:
        cause = SENTENCES[refused.code]
        noted = refused.code != "NOTHING_PROGRAMMED" or abs(discrepancy) > profile.syringe_resolution_ml
        nothing_delivered = (
            refused.code == "WITHDRAWN_EXCEEDS_FILL" and fill_ml - expected_ml > profile.syringe_resolution_ml
        )
        advice = ": name the cause and tell the prescriber today." if noted else "."
        return Reconciliation(
            fill_ml=fill_ml,
            expected_ml=expected_ml,
            withdrawn_ml=withdrawn_ml,
            discrepancy_ml=discrepancy,
            klass="not_computable",
            figures=None,
            not_computable=cause,
            resolution_dominated=False,
            gross_under_delivery=nothing_delivered,
            urgent_over_delivery=False,
            needs_cause=noted,
            advice=ADVICE["gross"]
            if nothing_delivered
            else f"The ratio is not computable. {cause} The volumes are recorded{advice}",
        )
    resolvable = abs(discrepancy) > profile.syringe_resolution_ml
    gross = figures.ratio < limits.gross_under_ratio and resolvable
    urgent = figures.ratio > limits.urgent_over_ratio and resolvable
    dominated = (
        figures.klass == "percent_only"
        and figures.programmed_ml * profile.accuracy_fraction < profile.syringe_resolution_ml
    )
    advice = "gross" if gross else "urgent" if urgent else "resolution" if dominated else figures.klass
    return Reconciliation(
        fill_ml,
        expected_ml,
        withdrawn_ml,
        discrepancy,
        figures.klass,
        figures,
        None,
        dominated,
        gross,
        urgent,
        gross or urgent or (figures.klass != "within" and not dominated),
        ADVICE[advice],
    )
