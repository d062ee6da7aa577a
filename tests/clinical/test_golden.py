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
