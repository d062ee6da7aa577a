"""Limits of a simple dose: worked examples, and a grid one unit around every edge (hand-made)."""

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.clinical.library import POPULATIONS, baclofen
from programmer.clinical.limits import DoseContext, Finding, check_simple_dose
from programmer.clinical.profiles import profile

LIBRARY, CHILD, ADULT = baclofen(), profile("child-20"), profile("adult-40")
B = "\u00a0"


def context(base: str | None = "100", population: str = "child_4_11", **changes: Any) -> DoseContext:
    dose = None if base is None else Fraction(base)
    usual = DoseContext(
        population=population,
        phase="titration",
        running_mcg_per_day=dose,
        conc_mcg_per_ml=Fraction(500),
        last_therapeutic_mcg_per_day=dose,
        profile=CHILD if population.startswith("child") else ADULT,
        library=LIBRARY,
        today=date(2026, 11, 24),
        hours_since_change=Fraction(240),
        dose_24h_ago_mcg_per_day=dose,
        dose_7d_ago_mcg_per_day=dose,
    )
    return replace(usual, **changes)


def codes(found: list[Finding]) -> list[str]:
    return [f"{finding.severity}:{finding.code}" for finding in found]


def judged(dose: str, base: str | None = "100", population: str = "child_4_11", **changes: Any) -> list[str]:
    return codes(check_simple_dose(context(base, population, **changes), Fraction(dose)))


STEP, CHANGE = "soft:STEP_ABOVE_BAND", "hard:CHANGE_ABOVE_HARD"
BAND, FALL = "soft:DECREASE_ABOVE_BAND", "hard:DECREASE_ABOVE_HARD"
SOFT, HARD = "soft:DOSE_ABOVE_SOFT", "hard:DOSE_ABOVE_HARD"
LOW, LEAST = "soft:DOSE_BELOW_SOFT", "hard:FLOW_BELOW_MINIMUM"

# (population, phase, base, dose, findings): each edge at the limit and 0.1 mcg/day beyond
EDGES = [
    ("child_4_11", "titration", "100", "115", []),
    ("child_4_11", "titration", "100", "115.1", [STEP]),
    ("child_4_11", "titration", "100", "130", [STEP]),
    ("child_4_11", "titration", "100", "130.1", [CHANGE]),
    ("child_4_11", "maintenance", "100", "120", []),
    ("child_4_11", "maintenance", "100", "120.1", [STEP]),
    ("child_4_11", "maintenance", "100", "140", [STEP]),
    ("child_4_11", "maintenance", "100", "140.1", [CHANGE]),
    ("child_12_17", "titration", "200", "230", []),
    ("child_12_17", "titration", "200", "230.1", [STEP]),
    ("child_12_17", "titration", "200", "260", [STEP]),
    ("child_12_17", "titration", "200", "260.1", [CHANGE]),
    ("child_12_17", "maintenance", "200", "240", []),
    ("child_12_17", "maintenance", "200", "280.1", [CHANGE]),
    ("adult_cerebral", "titration", "200", "230", []),
    ("adult_cerebral", "titration", "200", "230.1", [STEP]),
    ("adult_cerebral", "titration", "200", "260.1", [CHANGE]),
    ("adult_cerebral", "maintenance", "200", "240", []),
    ("adult_cerebral", "maintenance", "200", "280", [STEP]),
    ("adult_spinal", "titration", "200", "260", []),
    ("adult_spinal", "titration", "200", "260.1", [STEP]),
    ("adult_spinal", "titration", "200", "300", [STEP]),
    ("adult_spinal", "titration", "200", "300.1", [CHANGE]),
    ("adult_spinal", "maintenance", "200", "280", []),
    ("adult_spinal", "maintenance", "200", "280.1", [STEP]),
    ("adult_spinal", "maintenance", "200", "300", [STEP]),
    ("adult_spinal", "maintenance", "200", "300.1", [CHANGE]),
    # absolute dose, by a step that is itself unremarkable
    ("child_4_11", "titration", "480", "500", []),
    ("child_4_11", "titration", "480", "500.1", [SOFT]),
    ("child_4_11", "titration", "1150", "1200", [SOFT]),
    ("child_4_11", "titration", "1150", "1200.1", [HARD, "hard:WINDOW_ABOVE_HARD"]),
    ("child_12_17", "titration", "780", "800", []),
    ("child_12_17", "titration", "780", "800.1", [SOFT]),
    ("child_12_17", "titration", "1950", "2000", [SOFT]),
    ("child_12_17", "titration", "1950", "2000.1", [HARD, "hard:WINDOW_ABOVE_HARD"]),
    ("adult_spinal", "titration", "980", "1000", []),
    ("adult_spinal", "titration", "980", "1000.1", [SOFT]),
    ("adult_spinal", "titration", "1950", "2000.1", [HARD, "hard:WINDOW_ABOVE_HARD"]),
    ("adult_cerebral", "titration", "1950", "2000", [SOFT]),
    ("adult_cerebral", "titration", "1950", "2000.1", [HARD, "hard:WINDOW_ABOVE_HARD"]),
    # decreases
    ("child_4_11", "titration", "100", "80", []),
    ("child_4_11", "titration", "100", "79.9", [BAND]),
    ("child_4_11", "titration", "100", "50", [BAND]),
    ("child_4_11", "titration", "100", "49.9", [FALL]),
    ("adult_spinal", "maintenance", "2400", "1920", []),
    ("adult_spinal", "maintenance", "2400", "1919.9", [BAND]),
    # least flow 0.048 mL/day at 500 mcg/mL: soft below 30, hard below 24 mcg/day
    ("child_4_11", "titration", "35", "30", []),
    ("child_4_11", "titration", "35", "29.9", [LOW]),
    ("child_4_11", "titration", "28", "24", [LOW]),
    ("child_4_11", "titration", "28", "23.9", [LEAST]),
    ("child_4_11", "titration", "22", "23", [LEAST]),
    # unchanged, whatever it is
    ("child_4_11", "titration", "1500", "1500", []),
    ("child_4_11", "titration", "20", "20", []),
]


@pytest.mark.parametrize("population, phase, base, dose, expected", EDGES)
def test_edges(population: str, phase: str, base: str, dose: str, expected: list[str]) -> None:
    assert judged(dose, base, population, phase=phase) == expected


def test_the_worked_sentences() -> None:
    assert check_simple_dose(context(), Fraction(115)) == []
    [step] = check_simple_dose(context(), Fraction(120))
    assert (step.code, step.severity, step.value, step.limit) == ("STEP_ABOVE_BAND", "soft", 20, 15)
    assert step.sentence.startswith(f"20{B}% more than now (usual step +15{B}%).")
    assert "give the reason" in step.sentence
    [hard] = check_simple_dose(context(), Fraction(131))
    assert (hard.code, hard.severity, hard.limit) == ("CHANGE_ABOVE_HARD", "hard", 30)
    assert hard.sentence.startswith(f"31{B}% more than now")
    flex = check_simple_dose(context("60"), Fraction(1440))
    assert flex[0].code == "CHANGE_ABOVE_HARD"
    assert flex[0].sentence.startswith("24 times the present dose")


@pytest.mark.parametrize(
    "base, dose, word, sentence",
    [
        ("4.17", "41.7", "soft:POWER_OF_TEN", "Ten times the present dose"),
        ("150", "1500", "soft:POWER_OF_TEN", "Ten times the present dose"),
        ("1500", "150", "soft:POWER_OF_TEN", "A tenth of the present dose"),
        ("95", "1000", "soft:NEAR_POWER_OF_TEN", "~10.5 times the present dose"),
        ("250", "520", "advisory:DIGIT_PERMUTATION", "~2.1 times the present dose"),
        ("520", "250", "advisory:DIGIT_PERMUTATION", f"~51.9{B}% less than now"),
        ("50", "550", "advisory:DIGIT_DOUBLED", "11 times the present dose"),
    ],
)
def test_sentinels_in_words(base: str, dose: str, word: str, sentence: str) -> None:
    found = check_simple_dose(context(base, "adult_spinal"), Fraction(dose))
    assert word in codes(found)
    [said] = [finding for finding in found if finding.code == word.split(":")[1]]
    assert said.sentence.startswith(sentence)


def test_a_sentinel_speaks_also_inside_all_limits() -> None:
    assert judged("121", "112", "adult_spinal") == ["advisory:DIGIT_PERMUTATION"]


def test_a_step_is_also_judged_against_the_dose_24_hours_ago() -> None:
    day = {"dose_24h_ago_mcg_per_day": Fraction(100), "hours_since_change": Fraction(24)}
    assert judged("115", "115", **day) == []
    assert judged("132", "115", **day, dose_7d_ago_mcg_per_day=None) == [CHANGE]
    assert judged("120", "115", **day, dose_7d_ago_mcg_per_day=None) == [STEP]
    assert judged("120", "115", dose_24h_ago_mcg_per_day=None, dose_7d_ago_mcg_per_day=None) == []


@pytest.mark.parametrize(
    "population, dose, expected",
    [
        ("child_4_11", "150", []),
        ("child_4_11", "150.1", ["soft:CHANGE_7D"]),
        ("child_4_11", "151", ["soft:CHANGE_7D"]),
        ("adult_spinal", "151", []),
    ],
)
def test_change_in_seven_days(population: str, dose: str, expected: list[str]) -> None:
    assert judged(dose, "140", population, dose_7d_ago_mcg_per_day=Fraction(100)) == expected
    assert judged("201", "190", "child_4_11", dose_7d_ago_mcg_per_day=Fraction(100)) == ["hard:CHANGE_7D"]


def test_an_increase_too_soon() -> None:
    assert judged("110", hours_since_change=Fraction("23.99")) == ["soft:INCREASE_TOO_SOON"]
    assert judged("110", hours_since_change=Fraction(24)) == []
    assert judged("90", hours_since_change=Fraction(1)) == []
    assert judged("110", hours_since_change=None) == []


def test_what_blocks_increases_only() -> None:
    late = {"today": date(2028, 1, 1)}
    assert judged("110", **late) == ["hard:LIBRARY_EXPIRED"]
    assert judged("90", **late) == []
    assert judged("110", discrepancy_open=True) == ["hard:DISCREPANCY_OPEN"]
    assert judged("90", discrepancy_open=True) == []
    assert judged("110", under_four=True) == ["soft:NO_POPULATION"]
    assert judged("90", under_four=True) == []


def test_what_lifts_the_hard_limit_of_a_decrease() -> None:
    assert judged("40", overdose_suspected=True) == [BAND]
    assert judged("40", taper_signed=True) == [BAND]
    assert judged("40", dose_24h_ago_mcg_per_day=Fraction(40)) == [BAND]
    assert judged("39", dose_24h_ago_mcg_per_day=Fraction(40)) == [FALL]
    assert judged("0") == [FALL, LEAST]


def test_steps_are_judged_against_the_last_therapeutic_dose() -> None:
    stopped = {"running_mcg_per_day": Fraction(0)}
    assert judged("100", **stopped) == []
    assert judged("115", **stopped) == []
    assert judged("131", **stopped) == [CHANGE]
    assert judged("3", running_mcg_per_day=Fraction(3)) == []


def test_without_a_base_only_absolute_limits_and_the_start_rule() -> None:
    first = {"hours_since_change": None}
    assert judged("150", None, **first) == []
    assert judged("501", None, **first) == [SOFT]
    assert judged("1201", None, **first) == [HARD, "hard:WINDOW_ABOVE_HARD"]
    assert judged("101", None, **first, start_rule_mcg_per_day=Fraction(100)) == [SOFT]
    assert judged("100", None, **first, start_rule_mcg_per_day=Fraction(100)) == []
    assert judged("100", None, **first, today=date(2028, 1, 1)) == ["hard:LIBRARY_EXPIRED"]


def test_flow_above_the_pump() -> None:
    # 24 mL/day at 50 mcg/mL is 1,200 mcg/day
    weak = {"conc_mcg_per_ml": Fraction(50), "dose_24h_ago_mcg_per_day": None}
    assert "hard:FLOW_ABOVE_MAXIMUM" not in judged("1200", "1190", "adult_spinal", **weak)
    assert "hard:FLOW_ABOVE_MAXIMUM" in judged("1200.1", "1190", "adult_spinal", **weak)
    assert "hard:FLOW_ABOVE_MAXIMUM" not in judged("1250", "1300", "adult_spinal", **weak)


UPPER = {
    "DOSE_ABOVE_SOFT",
    "DOSE_ABOVE_HARD",
    "STEP_ABOVE_BAND",
    "CHANGE_ABOVE_HARD",
    "CHANGE_7D",
    "WINDOW_ABOVE_HARD",
    "FLOW_ABOVE_MAXIMUM",
    "INCREASE_TOO_SOON",
    "DISCREPANCY_OPEN",
    "LIBRARY_EXPIRED",
}
RANK = {"hard": 0, "soft": 1, "advisory": 2}
doses = st.integers(1, 40_000).map(lambda tenths: Fraction(tenths, 10))


@settings(max_examples=150, deadline=None)
@given(
    base=doses,
    dose=doses,
    population=st.sampled_from(POPULATIONS),
    phase=st.sampled_from(["titration", "maintenance"]),
    late=st.booleans(),
    open_=st.booleans(),
)
def test_no_upper_limit_refuses_a_value_that_is_not_raised(
    base: Fraction, dose: Fraction, population: str, phase: str, late: bool, open_: bool
) -> None:
    today = date(2028, 1, 1) if late else date(2026, 11, 24)
    asked = replace(
        context("1", population),
        running_mcg_per_day=base,
        last_therapeutic_mcg_per_day=base,
        phase=phase,
        today=today,
        discrepancy_open=open_,
    )
    found = check_simple_dose(asked, dose)
    if dose <= base:
        assert not {finding.code for finding in found} & UPPER
    ranks = [RANK[finding.severity] for finding in found]
    assert ranks == sorted(ranks)
    assert len({finding.code for finding in found}) == len(found)
    assert all(finding.sentence.endswith((".", "?")) and finding.basis for finding in found)


@settings(max_examples=60, deadline=None)
@given(base=doses, first=doses, second=doses, population=st.sampled_from(POPULATIONS))
def test_a_higher_dose_is_never_judged_more_mildly(
    base: Fraction, first: Fraction, second: Fraction, population: str
) -> None:
    low, high = sorted((base + first, base + second))
    asked = replace(
        context("1", population),
        running_mcg_per_day=base,
        last_therapeutic_mcg_per_day=base,
        dose_24h_ago_mcg_per_day=base,
        dose_7d_ago_mcg_per_day=base,
        conc_mcg_per_ml=Fraction(2000),
    )
    hard_low = {f.code for f in check_simple_dose(asked, low) if f.severity == "hard"} & UPPER
    hard_high = {f.code for f in check_simple_dose(asked, high) if f.severity == "hard"}
    assert hard_low <= hard_high
