"""Quantities: exact or refused, and never mixed."""

import itertools
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import MixedQuantities, NotANumber, NotExact, OutOfRange, QuantityError
from protocol.units import (
    MAX_BASE,
    Concentration,
    DoseRate,
    FlowRate,
    Mass,
    Quantity,
    Volume,
    dose_exact,
    dose_floor,
    flow_exact,
    flow_floor,
    mass_floor,
)

TYPES: list[type[Quantity]] = [Volume, Mass, DoseRate, Concentration, FlowRate]


@pytest.mark.parametrize(
    "kind, text, unit, base",
    [
        (Volume, "18.5", "mL", 18_500_000),
        (Volume, "0.000001", "mL", 1),
        (Volume, "7", "uL", 7_000),
        (Mass, "10", "mg", 10_000_000),
        (Mass, "0.5", "mcg", 500),
        (DoseRate, "115", "mcg/day", 115_000),
        (DoseRate, "1.2", "mg/day", 1_200_000),
        (DoseRate, "4.5", "mcg/h", 108_000),
        (Concentration, "2000", "mcg/mL", 2_000_000),
        (Concentration, "0.5", "mg/mL", 500_000),
        (FlowRate, "0.048", "mL/day", 48_000),
        (FlowRate, "1", "mL/h", 24_000_000),
        (Volume, "0", "nL", 0),
    ],
)
def test_text_to_base_units_and_back(kind: type[Quantity], text: str, unit: str, base: int) -> None:
    assert kind.parse(text, unit) == kind(base)
    assert kind(base).text(unit) == text
    assert kind(base).in_unit(unit) == Fraction(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "-1",
        "+1",
        "1.",
        ".5",
        "1,5",
        "1e3",
        "1_000",
        "0x1",
        "nan",
        "inf",
        "١",
        "1.2.3",
        "9" * 21,
    ],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        Volume.parse(text, "nL")


@pytest.mark.parametrize(
    "kind, text, unit",
    [
        (Volume, "0.0000001", "mL"),
        (DoseRate, "0.0005", "mcg/day"),
        (Mass, "0.5", "ng"),
        (FlowRate, "1.5", "nL/day"),
    ],
)
def test_between_two_base_units_nothing_is_rounded(kind: type[Quantity], text: str, unit: str) -> None:
    with pytest.raises(NotExact):
        kind.parse(text, unit)


def test_a_number_without_end_has_no_text() -> None:
    assert DoseRate(100_000).in_unit("mcg/h") == Fraction(25, 6)
    with pytest.raises(NotExact):
        DoseRate(100_000).text("mcg/h")


@pytest.mark.parametrize("wrong", [1.0, "1", True, None, Fraction(1)])
def test_only_integers_inside(wrong: Any) -> None:
    with pytest.raises(NotANumber):
        Volume(wrong)


@pytest.mark.parametrize("wrong", [1.0, "1", True, None])
def test_only_exact_numbers_are_converted(wrong: Any) -> None:
    with pytest.raises(NotANumber):
        Volume.of(wrong, "mL")


def test_the_range_is_closed() -> None:
    assert Volume(MAX_BASE).base == MAX_BASE
    for value in (-1, MAX_BASE + 1):
        with pytest.raises(OutOfRange):
            Volume(value)
    with pytest.raises(OutOfRange):
        Volume(1) - Volume(2)
    with pytest.raises(OutOfRange):
        Volume(MAX_BASE) + Volume(1)


@pytest.mark.parametrize("one, two", list(itertools.permutations(TYPES, 2)))
def test_two_types_never_meet(one: Any, two: Any) -> None:
    assert one(1) != two(1)
    for act in ("__add__", "__sub__", "__lt__", "__le__", "__gt__", "__ge__"):
        with pytest.raises(MixedQuantities):
            getattr(one(1), act)(two(1))
    for unit in set(two.UNITS) - set(one.UNITS):
        with pytest.raises(MixedQuantities):
            one.of(1, unit)
    with pytest.raises(MixedQuantities):
        one(1) + 1


@given(st.integers(0, 10**12), st.integers(0, 10**12))
@settings(max_examples=50, deadline=None)
def test_sums_and_order_are_those_of_integers(a: int, b: int) -> None:
    low, high = Volume(min(a, b)), Volume(max(a, b))
    assert (Volume(a) + Volume(b)).nl == a + b
    assert (high - low).nl == abs(a - b)
    assert low <= high
    assert high >= low
    assert (low < high) == (a != b) == (high > low)


@given(st.sampled_from(TYPES), st.integers(0, MAX_BASE), st.data())
@settings(max_examples=100, deadline=None)
def test_conversion_comes_back(kind: type[Quantity], base: int, data: st.DataObject) -> None:
    unit = data.draw(st.sampled_from(sorted(kind.UNITS)))
    assert kind.of(kind(base).in_unit(unit), unit) == kind(base)
    try:
        text = kind(base).text(unit)
    except NotExact:
        assert unit in ("mcg/h", "mL/h")
    else:
        assert kind.parse(text, unit) == kind(base)


@pytest.mark.parametrize(
    "dose, concentration, flow",
    [
        ("100", "2000", 50_000),
        ("115", "2000", 57_500),
        ("100", "500", 200_000),
        ("100", "3000", 33_333),  # 33,333.33 nL/day: never upwards
        ("0.001", "2000", 0),
        ("0", "2000", 0),
    ],
)
def test_flow_of_a_dose(dose: str, concentration: str, flow: int) -> None:
    found = flow_floor(DoseRate.parse(dose, "mcg/day"), Concentration.parse(concentration, "mcg/mL"))
    assert found == FlowRate(flow)


@given(st.integers(0, 10**9), st.integers(1, 10**8))
@settings(max_examples=100, deadline=None)
def test_a_floor_never_delivers_more(dose: int, concentration: int) -> None:
    wanted, drug = DoseRate(dose), Concentration(concentration)
    flow = flow_floor(wanted, drug)
    assert dose_exact(flow, drug) <= dose < dose_exact(FlowRate(flow.nl_per_day + 1), drug)
    assert 0 <= flow_exact(wanted, drug) - flow.nl_per_day < 1
    assert dose_floor(flow, drug) <= wanted
    assert mass_floor(Volume(flow.nl_per_day), drug).ng == dose_floor(flow, drug).ng_per_day


def test_no_drug_and_wrong_types_are_refused() -> None:
    with pytest.raises(OutOfRange):
        flow_floor(DoseRate(1), Concentration(0))
    wrong: Any = Mass(1)
    for act in (
        lambda: flow_floor(wrong, Concentration(1)),
        lambda: dose_floor(FlowRate(1), wrong),
        lambda: mass_floor(wrong, Concentration(1)),
    ):
        with pytest.raises(QuantityError):
            act()


def test_named_values() -> None:
    assert (Volume(1).nl, Mass(2).ng, DoseRate(3).ng_per_day) == (1, 2, 3)
    assert (Concentration(4).ng_per_ml, FlowRate(5).nl_per_day) == (4, 5)
