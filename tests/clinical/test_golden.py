"""Every golden dosing case, through the real command line, compared as exact numbers."""

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from programmer.cli import calc
from programmer.clinical.calculator import FUNCTIONS
from tests.vectors import vectors

OWN = json.loads((Path(__file__).parent / "data" / "dosing_cases.json").read_text(encoding="utf-8"))
TEXT_OUTPUTS = {
    "direction",
    "class",
    "tail",
    "limited_by",
    "sentinel",
    "action",
    "alarm",
    "warn",
    "error",
    "field",
    "wall_time_of_step",
}


def ask(function: str, inputs: Any) -> tuple[int, dict[str, Any]]:
    out = io.StringIO()
    status = calc.run([function], io.StringIO(json.dumps(inputs)), out)
    return status, json.loads(out.getvalue())


def as_numbers(value: Any) -> Any:
    return [Fraction(each) for each in value] if isinstance(value, list) else Fraction(value)


def is_number(value: Any) -> bool:
    try:
        as_numbers(value)
    except (ValueError, TypeError):
        return False
    return True


def compare(case: dict[str, Any], printed: dict[str, Any]) -> None:
    exact = case.get("expected_exact_fraction") or {}
    for key, expected in case["expected"].items():
        if key in exact:
            assert as_numbers(printed["exact_fraction"][key]) == as_numbers(exact[key]), key
            assert printed["exact_fraction"][key] == exact[key], key
        if isinstance(expected, bool | int) or key in TEXT_OUTPUTS or not is_number(expected):
            assert printed[key] == expected, key
            assert type(printed[key]) is type(expected), key
        else:
            assert as_numbers(printed[key]) == as_numbers(expected), key
    documented = {name for name, _ in FUNCTIONS[case["function"]].outputs} if "error" not in printed else None
    if documented is not None:
        assert set(printed) - {"exact_fraction"} <= documented


@pytest.mark.parametrize("case", OWN["cases"], ids=[case["id"] for case in OWN["cases"]])
def test_golden_case(case: dict[str, Any]) -> None:
    status, printed = ask(case["function"], case["inputs"])
    compare(case, printed) if case["function"] in FUNCTIONS else None
    if case["function"] not in FUNCTIONS:
        assert printed == case["expected"]
    assert status == (1 if "error" in case["expected"] else 0)
    if "error" in case["expected"]:
        assert printed == case["expected"]


def test_shared_cases_in_one_batch() -> None:
    shared = vectors("dosing/dosing_cases.json")["cases"]
    lines = "".join(
        json.dumps({"id": c["id"], "function": c["function"], "inputs": c["inputs"]}) + "\n" for c in shared
    )
    out = io.StringIO()
    assert calc.run(["--batch"], io.StringIO(lines), out) == 0
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["id"] for each in answers] == [case["id"] for case in shared]
    for case, printed in zip(shared, answers, strict=True):
        del printed["id"]
        if case["function"] in FUNCTIONS:
            compare(case, printed)
        else:
            assert printed == case["expected"]


def test_every_documented_function_has_a_golden_case() -> None:
    asked = {case["function"] for case in OWN["cases"]}
    assert set(FUNCTIONS) - asked == set()


@pytest.mark.parametrize(
    "function, inputs, expected",
    [
        (
            "bolus",
            {"dose_mcg": "50", "conc_mcg_per_ml": "500", "max_ml_per_h": "1"},
            {"volume_ml": "0.1", "min_minutes": "6"},
        ),
        (
            "bridge_bolus",
            {
                "path_ml": "0.316",
                "old_conc_mcg_per_ml": "50",
                "new_conc_mcg_per_ml": "2000",
                "bridge_dose_mcg_per_day": "1500",
                "max_flow_ml_per_day": "24",
            },
            {"error": "FLOW_ABOVE_MAXIMUM", "bridge_flow_ml_per_day": "30", "after_flow_ml_per_day": "0.75"},
        ),
        ("flex_total", {"steps": [{"start": "00:01", "dose_mcg": "1"}]}, {"error": "NOT_CONTIGUOUS"}),
        ("flex_validate", {"steps": [{"start": "00:00", "end": "23:00"}], "max_steps": 1}, {"error": "NOT_CONTIGUOUS"}),
        (
            "restart_rule",
            {"gap_h": "48", "last_mcg_per_day": "400", "start_rule_mcg_per_day": "100"},
            {
                "action": "resume_two_persons",
                "persons": 2,
                "monitored_bed": False,
                "low_mcg_per_day": "400",
                "high_mcg_per_day": "400",
            },
        ),
        (
            "refill_date_with_patient_boluses",
            {
                "reservoir_ml": "20",
                "threshold_ml": "3",
                "basal_mcg_per_day": "0",
                "bolus_mcg": "20",
                "max_boluses_per_day": 0,
                "conc_mcg_per_ml": "500",
            },
            {"error": "OUT_OF_DOMAIN", "field": "basal_mcg_per_day"},
        ),
        (
            "refill_horizon_with_stability",
            {"reservoir_ml": "20", "alarm_ml": "2", "flow_ml_per_day": "0.1", "stability_days": 179},
            {"volume_days_exact": "180", "horizon_days": 179, "limited_by": "drug_stability"},
        ),
        (
            "refill_horizon_with_stability",
            {"reservoir_ml": "20", "alarm_ml": "2", "flow_ml_per_day": "0.1", "stability_days": 180},
            {"volume_days_exact": "180", "horizon_days": 180, "limited_by": "volume"},
        ),
        (
            "max_service_date",
            {"implant_date": "2199-01-01", "cap_years": 7},
            {"error": "OUT_OF_DOMAIN", "field": "cap_years"},
        ),
        ("max_service_date", {"implant_date": "2024-02-29", "cap_years": 7}, {"cap_date": "2031-02-28"}),
        (
            "replace_by_sanity",
            {"eri_date": "2026-01-10", "device_replace_by": "2026-13-01", "eri_to_eos_days": 90},
            {"error": "REPLACE_BY_INCONSISTENT"},
        ),
    ],
)
def test_cases_beyond_the_golden_ones(function: str, inputs: Any, expected: dict[str, Any]) -> None:
    assert ask(function, inputs)[1] == expected
