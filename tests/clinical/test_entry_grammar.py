"""The number grammar: the conformance cases, an exhaustive grid against an independent oracle, profiles."""

import json
import re
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from programmer.clinical.entry import EntryProfile, Outcome, Reason, UnknownProfile, parse_entry
from programmer.clinical.entry_grammar import (
    REASON_TEXT,
    BadProfile,
    decimal_text,
    fixture_profiles,
    judge,
    lock_reason_of,
    reason_sentence,
)
from tests.vectors import vectors

OWN = json.loads((Path(__file__).parent / "data" / "number_entry_cases.json").read_text(encoding="utf-8"))
LIMITS = dict(OWN["profiles"])


def check_string_case(case: dict[str, Any]) -> None:
    result = parse_entry(case["profile"], case["input"])
    expected = (case["outcome"], case["reason"], case.get("value"), case.get("base_value"))
    assert (result.outcome, result.reason, result.value, result.base_value) == expected


@pytest.mark.parametrize("case", OWN["string_cases"], ids=lambda c: c["id"])
def test_every_string_case(case: dict[str, Any]) -> None:
    check_string_case(case)


def test_every_shared_string_case() -> None:
    cases = vectors("number_entry/number_entry_cases.json")["string_cases"]
    assert len(cases) >= 111
    for case in cases:
        check_string_case(case)


def test_the_shipped_profiles_are_those_of_the_cases() -> None:
    assert set(fixture_profiles()) == set(LIMITS)
    for name, row in LIMITS.items():
        built = EntryProfile.of(**{k: v for k, v in row.items() if k != "base_unit"})
        assert fixture_profiles()[name] == built


def oracle(name: str, text: str) -> str:
    """The reason table, written a second time with predicates and decimals instead of patterns."""
    row = LIMITS[name]
    tests: list[tuple[str, bool]] = [
        ("E_EMPTY", len(text) == 0),
        ("E_CONTROL", any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in text)),
        ("E_NON_ASCII", any(ord(c) >= 0xA0 for c in text)),
        ("E_SPACE", " " in text),
        ("E_GROUPING", any(c in ",_'" for c in text)),
        ("E_EXPONENT", exponent(text)),
        ("E_LETTER", any(c.isascii() and c.isalpha() for c in text)),
        ("E_SIGN", "+" in text or "-" in text),
        ("E_SYMBOL", any(c not in "0123456789." for c in text)),
        ("E_TWO_POINTS", text.count(".") >= 2),
        ("E_NAKED_POINT", text.startswith(".")),
        ("E_DANGLING_POINT", text.endswith(".")),
    ]
    for reason, hit in tests:
        if hit:
            return reason
    whole = text.split(".")[0]
    decimals = text[len(whole) + 1 :]
    if len(whole) > 1 and whole[0] == "0":
        return "E_LEADING_ZERO"
    if len(whole) > row["int_digits"]:
        return "E_TOO_LONG"
    if len(decimals) > row["decimals"]:
        return "E_PRECISION"
    if decimals and decimals[-1] == "0":
        return "E_TRAILING_ZERO"
    value = Decimal(text)
    if value == 0:
        return "E_ZERO"
    if value < Decimal(row["hard_min"]):
        return "E_BELOW_HARD_MIN"
    if value > Decimal(row["hard_max"]):
        return "E_ABOVE_HARD_MAX"
    if value < Decimal(row["soft_min"]):
        return "W_BELOW_SOFT_MIN"
    return "W_ABOVE_SOFT_MAX" if value > Decimal(row["soft_max"]) else "OK"


def exponent(text: str) -> bool:
    rest = text[1:] if text[:1] in ("+", "-") else text
    head, mark, tail = (rest + "\0").replace("E", "e").partition("e")
    tail = tail[:-1]
    if not mark or not head or head.strip("0123456789."):
        return False
    tail = tail[1:] if tail[:1] in ("+", "-") else tail
    return all(c in "0123456789" for c in tail)


def check_against_oracle(name: str, text: str) -> None:
    result = parse_entry(name, text)
    assert result.reason == oracle(name, text), repr(text)
    if result.outcome is Outcome.REJECT:
        assert result.value is None
        assert result.base_value is None
    else:
        assert result.value == text
        assert result.base_value is not None
        assert Decimal(result.base_value) == Decimal(text) * LIMITS[name]["base_per_unit"]


def test_every_short_string_agrees_with_the_oracle() -> None:
    alphabet = "019.,e-x "
    count = 0
    for length in range(6):
        for characters in product(alphabet, repeat=length):
            check_against_oracle("DAILY_DOSE", "".join(characters))
            count += 1
    assert count == sum(9**n for n in range(6))


@pytest.mark.parametrize("name", list(LIMITS))
def test_every_digit_string_agrees_with_the_oracle(name: str) -> None:
    for length in range(7):
        for characters in product("0148.", repeat=length):
            check_against_oracle(name, "".join(characters))


@pytest.mark.full
@pytest.mark.parametrize("name", list(LIMITS))
def test_every_longer_string_agrees_with_the_oracle(name: str) -> None:
    for characters in product("0159.,eE+x", repeat=6):
        check_against_oracle(name, "".join(characters))


FORM = (
    "E_ZERO",
    "E_BELOW_HARD_MIN",
    "E_ABOVE_HARD_MAX",
    "W_BELOW_SOFT_MIN",
    "W_ABOVE_SOFT_MAX",
    "OK",
)


def passes_form(name: str, text: str) -> bool:
    """Reasons 2 to 16 do not apply, and the text is not empty."""
    return bool(text) and oracle(name, text) in FORM


@pytest.mark.parametrize("name", list(LIMITS))
def test_the_lock_holds_exactly_when_no_continuation_is_well_formed(name: str) -> None:
    tails = ["".join(t) for n in range(3) for t in product(".07", repeat=n)]
    for length in range(6):
        for characters in product("05.,", repeat=length):
            text = "".join(characters)
            can_go_on = any(passes_form(name, text + tail) for tail in tails)
            assert (lock_reason_of(fixture_profiles()[name], text) is None) == can_go_on, repr(text)


def test_every_reason_has_a_sentence_that_names_an_act() -> None:
    assert set(REASON_TEXT) == set(Reason)
    profile = fixture_profiles()["DAILY_DOSE"]
    for reason in Reason:
        sentence = reason_sentence(reason, profile)
        assert sentence.endswith(".")
        assert "{" not in sentence
        assert len(sentence) <= 76, sentence
    assert reason_sentence(Reason.E_ABOVE_HARD_MAX, profile).startswith("Over the highest possible 2000 mcg/day")
    assert "use a point" in REASON_TEXT[Reason.E_GROUPING]


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UnknownProfile, match="DAILY_DOSE, REFILL_VOL, BOLUS, FINE_RATE"):
        parse_entry("NO_SUCH", "1")


def measured(**changes: Any) -> EntryProfile:
    row: dict[str, Any] = {
        "int_digits": 2,
        "decimals": 1,
        "hard_min": 0,
        "soft_min": "0",
        "soft_max": Fraction(20),
        "hard_max": "99.9",
        "base_per_unit": 1_000_000,
        "zero_allowed": True,
    }
    return EntryProfile.of("mL", **(row | changes))


def test_a_measured_volume_may_be_zero_and_a_dose_never() -> None:
    assert judge(measured(), "0").base_value == 0
    assert judge(measured(), "0").outcome is Outcome.ACCEPT
    assert judge(measured(zero_allowed=False), "0").reason is Reason.E_ZERO


def test_a_field_without_decimals_locks_at_the_point() -> None:
    whole = measured(decimals=0)
    assert lock_reason_of(whole, "1.") is Reason.E_DANGLING_POINT
    assert lock_reason_of(whole, "1") is None


@pytest.mark.parametrize(
    "changes",
    [
        {"int_digits": 0},
        {"decimals": -1},
        {"soft_min": "30"},
        {"soft_max": 100},
        {"hard_min": -1},
        {"base_per_unit": 0},
        {"base_per_unit": 15},
        {"hard_max": "1e9"},
        {"hard_max": "1,000"},
        {"hard_max": " 9"},
    ],
)
def test_a_contradictory_profile_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadProfile):
        measured(**changes)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(1, 2), "0.5"),
        (Fraction(79, 2), "39.5"),
        (Fraction(48, 1000), "0.048"),
        (Fraction(2000), "2000"),
        (Fraction(1, 16), "0.0625"),
        (Fraction(1, 3), "1/3"),
        (Fraction(3, 20), "0.15"),
    ],
)
def test_limits_are_written_exactly(value: Fraction, text: str) -> None:
    assert decimal_text(value) == text
    assert re.fullmatch(r"[0-9./]+", text)
