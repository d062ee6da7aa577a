"""Refill dates and reconciliation: the worked examples of the specification and the edges between them."""

from datetime import date
from fractions import Fraction

import pytest

from programmer.clinical.library import baclofen
from programmer.clinical.plan import (
    ADVICE,
    Reconciliation,
    ceil_tenth,
    reaction_sentence,
    recommended_alarm_ml,
    reconcile,
    refill_day_is_safe,
    refill_plan,
)
from programmer.clinical.profiles import profile
from programmer.clinical.refusals import CalculationRefused

CHILD, ADULT = profile("child-20"), profile("adult-40")
LIMITS = baclofen().reconciliation
FILL = date(2026, 11, 23)


def test_worked_plan_of_a_20_ml_pump() -> None:
    plan = refill_plan(CHILD, FILL, Fraction(20), Fraction(2), Fraction("0.6"), 180)
    assert plan.alarm_nominal == date(2026, 12, 23)
    assert plan.alarm_guarded == date(2026, 12, 19)
    assert plan.low_guarded == date(2026, 12, 19)
    assert plan.empty_guarded == date(2026, 12, 22)
    assert (plan.refill_by, plan.limited_by) == (date(2026, 12, 16), "alarm_lead")
    assert plan.plan_is_safe
    assert plan.recommended_alarm_ml == Fraction("2.6")
    assert plan.alarm_is_low
    assert plan.reaction_days == Fraction(10, 3)
    assert reaction_sentence(plan) == "From the alarm to an empty pump: 3 days, to Sat 2026-12-26."
    assert plan.low_sentence == "The pump may be low from Sat 2026-12-19; the alarm will NOT sound then."
    assert refill_day_is_safe(plan, date(2026, 12, 16))
    assert not refill_day_is_safe(plan, date(2026, 12, 17))


def test_worked_plan_of_a_40_ml_pump() -> None:
    plan = refill_plan(ADULT, FILL, Fraction(40), Fraction(2), Fraction("0.3"), 180)
    assert plan.alarm_nominal == date(2027, 3, 29)
    assert plan.low_guarded == date(2027, 3, 13)
    assert (plan.refill_by, plan.limited_by) == (date(2027, 3, 13), "reserve")
    assert plan.recommended_alarm_ml == Fraction("5.1")


def test_the_drug_limits_a_slow_pump() -> None:
    plan = refill_plan(ADULT, FILL, Fraction(40), Fraction("5.1"), Fraction("0.05"), 180)
    assert (plan.refill_by, plan.limited_by) == (date(2027, 5, 22), "drug_stability")
    assert plan.stable_until == date(2027, 5, 22)
    assert not plan.alarm_is_low


def test_after_a_withdrawal_more_is_kept() -> None:
    before = refill_plan(CHILD, FILL, Fraction(20), Fraction(2), Fraction("0.6"), 180)
    after = refill_plan(CHILD, FILL, Fraction(20), Fraction(2), Fraction("0.6"), 180, after_withdrawal=True)
    assert after.recommended_alarm_ml == 4
    assert after.low_guarded < before.low_guarded
    assert recommended_alarm_ml(ADULT, after_withdrawal=True) == Fraction("5.1")


def test_a_small_fill_keeps_its_dates_and_says_why_there_is_no_refill_day() -> None:
    plan = refill_plan(CHILD, FILL, Fraction(8), Fraction(2), Fraction(1), 180)
    assert plan.alarm_nominal == date(2026, 11, 29)
    assert (plan.refill_by, plan.limited_by, plan.plan_is_safe) == (None, None, False)
    assert plan.not_computable is not None
    assert "Sun 2026-11-29" in plan.not_computable
    assert not refill_day_is_safe(plan, FILL)
    dry = refill_plan(CHILD, FILL, Fraction(0), Fraction(2), Fraction(1), 180)
    assert dry.alarm_nominal == dry.empty_guarded == FILL


def test_a_date_after_2199_is_refused() -> None:
    with pytest.raises(CalculationRefused, match="OUT_OF_DOMAIN"):
        refill_plan(CHILD, FILL, Fraction(20), Fraction(2), Fraction(1, 10**6), 180)


@pytest.mark.parametrize("exact, up", [("2", "2"), ("2.01", "2.1"), ("2.6", "2.6"), ("0", "0")])
def test_least_volumes_go_up(exact: str, up: str) -> None:
    assert ceil_tenth(Fraction(exact)) == Fraction(up)


def test_recommendation_agrees_with_the_signed_profile() -> None:
    for pump in (CHILD, ADULT, profile("adult-20")):
        assert recommended_alarm_ml(pump) == pump.recommended_alarm_ml


def rec(fill: str, expected: str, withdrawn: str) -> Reconciliation:
    return reconcile(CHILD, LIMITS, Fraction(fill), Fraction(expected), Fraction(withdrawn))


# fill, expected, withdrawn, class, resolution, gross, urgent, needs cause
CASES = [
    ("20", "5", "5", "within", False, False, False, False),
    ("20", "5", "4.6", "within", False, False, False, False),
    ("20", "5", "2.5", "both", False, False, False, True),
    ("20", "5", "7.5", "both", False, False, False, True),
    # 10 mL programmed: exactly 14.5 % and just above
    ("20", "10", "8.55", "within", False, False, False, False),
    ("20", "10", "8.54", "percent_only", False, False, False, True),
    # exactly 2 mL and just above, of 18 mL
    ("20", "2", "4", "within", False, False, False, False),
    ("20", "2", "4.01", "absolute_only", False, False, False, True),
    # the syringe's resolution: 0.4 / 0.145 = 80/29 mL programmed
    ("20", "17.3", "16.8", "percent_only", True, False, False, False),
    ("20", "17.2", "16.7", "percent_only", False, False, False, True),
    # ratio exactly 1/2 and just below; exactly 1.29 and just above
    ("20", "10", "15", "both", False, False, False, True),
    ("20", "10", "15.1", "both", False, True, False, True),
    ("20", "10", "7.1", "both", False, False, False, True),
    ("20", "10", "7.0", "both", False, False, True, True),
    # little programmed, but more missing than the syringe can hide
    ("20", "18", "19.5", "percent_only", True, True, False, True),
    ("20", "19.8", "19.95", "percent_only", True, False, False, False),
]


@pytest.mark.parametrize("fill, expected, withdrawn, klass, resolution, gross, urgent, cause", CASES)
def test_reconciliation(
    fill: str,
    expected: str,
    withdrawn: str,
    klass: str,
    resolution: bool,
    gross: bool,
    urgent: bool,
    cause: bool,
) -> None:
    got = rec(fill, expected, withdrawn)
    assert got.klass == klass
    assert (got.resolution_dominated, got.gross_under_delivery) == (resolution, gross)
    assert (got.urgent_over_delivery, got.needs_cause) == (urgent, cause)
    assert got.prescriber_before_leaving is (gross or urgent)
    assert got.blocks_increase is cause
    key = "gross" if gross else "urgent" if urgent else "resolution" if resolution else klass
    assert got.advice == ADVICE[key]


def test_the_worked_reconciliation() -> None:
    got = rec("20", "5", "2.5")
    assert (got.discrepancy_ml, got.ratio) == (Fraction("-2.5"), Fraction(7, 6))
    assert got.figures is not None
    assert got.figures.direction == "over-infusion"
    assert "tell the prescriber" in got.advice


@pytest.mark.parametrize(
    "fill, expected, withdrawn, cause, noted, gross",
    [
        ("20", "5", "20.5", "More came out than went in", True, True),
        ("20", "-2", "0", "used more than was filled", True, False),
        ("18", "18.4", "17", "above the fill", True, False),
        ("18", "18", "17.8", "Nothing was programmed", False, False),
        ("18", "18", "17", "Nothing was programmed", True, False),
    ],
)
def test_a_measured_fact_is_never_refused(
    fill: str, expected: str, withdrawn: str, cause: str, noted: bool, gross: bool
) -> None:
    got = rec(fill, expected, withdrawn)
    assert (got.klass, got.ratio, got.figures) == ("not_computable", None, None)
    assert got.not_computable is not None
    assert cause in got.not_computable
    assert (got.needs_cause, got.gross_under_delivery) == (noted, gross)
    assert got.withdrawn_ml == Fraction(withdrawn)
    assert got.discrepancy_ml == Fraction(withdrawn) - Fraction(expected)
