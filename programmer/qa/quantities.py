"""Quantities in scenario files: one decimal number, one blank, a unit; exact, or not valid.

Base units are integers: nL, ng/day, ng/mL, nL/day, ppm, ms. A bare number is not valid, and nothing is rounded.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Annotated, Final

from pydantic import AfterValidator, Field

_DAY, _HOUR, _MINUTE, _SECOND = 86_400_000, 3_600_000, 60_000, 1_000
UNITS: Final[Mapping[str, Mapping[str, int]]] = MappingProxyType(
    {
        "volume": {"mL": 1_000_000, "uL": 1_000, "nL": 1},
        "dose": {"mcg/day": 1_000, "mg/day": 1_000_000, "mcg/h": 24_000},
        "concentration": {"mcg/mL": 1_000, "mg/mL": 1_000_000},
        "flow": {"mL/day": 1_000_000, "uL/day": 1_000, "nL/day": 1},
        "gain": {"ppm": 1},
        "time": {"d": _DAY, "h": _HOUR, "min": _MINUTE, "s": _SECOND},
    }
)
"""Dimension to unit to how many base units it has."""

_NUMBER: Final = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?) (\S+)", re.ASCII)
_MOMENT: Final = re.compile(r"\+(?=[0-9])(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)min)?(?:([0-9]+)s)?", re.ASCII)


def exact(dimension: str, text: str) -> int:
    """The quantity in base units. Raises ValueError for another unit, no unit, or a fraction of the base unit."""
    units = UNITS[dimension]
    found = _NUMBER.fullmatch(text)
    if found is None or found[2] not in units:
        raise ValueError(f"'{text}' is no {dimension}: write a number, one blank and one of {', '.join(units)}")
    value = Fraction(found[1]) * units[found[2]]
    if value.denominator != 1:
        raise ValueError(f"'{text}' is finer than the pump can count: use fewer decimals")
    return int(value)


def moment(text: str) -> int:
    """Milliseconds of a moment such as +11d1h20min, counted from the scenario's start. Raises ValueError."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no moment: write it as in +14d or +11d1h20min")
    spans = zip(found.groups(), (_DAY, _HOUR, _MINUTE, _SECOND), strict=True)
    return sum(int(count or 0) * size for count, size in spans)


def ratio(text: str) -> Fraction:
    """A decimal ratio. Raises ValueError."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII) is None:
        raise ValueError(f"'{text}' is no ratio: write a decimal number, as in '1.02'")
    return Fraction(text)


def _is(dimension: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        exact(dimension, text)
        return text

    return check


def _moment(text: str) -> str:
    moment(text)
    return text


def _ratio(text: str) -> str:
    ratio(text)
    return text


def _two(bounds: list[str]) -> list[str]:
    if len(bounds) != 2:
        raise ValueError("a range has two bounds, the lower first")
    return bounds


Volume = Annotated[str, AfterValidator(_is("volume")), Field(description="volume with its unit, as in '20 mL'")]
Dose = Annotated[str, AfterValidator(_is("dose")), Field(description="daily dose with its unit, as in '115 mcg/day'")]
Strength = Annotated[str, AfterValidator(_is("concentration")), Field(description="as in '500 mcg/mL'")]
Flow = Annotated[str, AfterValidator(_is("flow")), Field(description="as in '0.2 mL/day'")]
GainText = Annotated[str, AfterValidator(_is("gain")), Field(description="parts per million, as in '25000 ppm'")]
Span = Annotated[str, AfterValidator(_is("time")), Field(description="a span of time, as in '60 s' or '14 d'")]
Moment = Annotated[str, AfterValidator(_moment), Field(description="time since the start, as in '+11d1h20min'")]
Ratio = Annotated[str, AfterValidator(_ratio), Field(description="a decimal ratio, as in '1.02'")]
Volumes = Volume | Annotated[list[Volume], AfterValidator(_two)]
Flows = Flow | Annotated[list[Flow], AfterValidator(_two)]
Ratios = Ratio | Annotated[list[Ratio], AfterValidator(_two)]


def bounds(text: str | list[str], value: Callable[[str], Fraction | int]) -> tuple[Fraction | int, Fraction | int]:
    """Lower and upper bound, both inclusive; one quantity is both."""
    low, high = (text, text) if isinstance(text, str) else text
    return value(low), value(high)
