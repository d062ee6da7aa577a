"""Types of the documented inputs: each parses a JSON value, then checks its domain.

Parsing and domain are two passes, because every malformed input goes before any value that is
well-formed but outside its domain.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from programmer.clinical.decimals import parse_decimal
from programmer.clinical.service import parse_date


class Malformed(Exception):
    """The value is not of the documented type; write it as the documentation says."""


class TwiceNamed(dict[str, Any]):
    """A JSON object in which a name was given twice; ``name`` is the first such name."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class JsonReal:
    """A JSON number with a point or an exponent, as it was written; never a documented input."""

    text: str


Parse = Callable[[Any], Any]
Domain = Callable[[Any], bool]


def _everywhere(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class InputType:
    """A documented input type: ``parse`` raises :class:`Malformed`, ``inside`` tells the domain."""

    parse: Parse
    inside: Domain = _everywhere


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed
    return value


def _decimal(value: Any) -> Fraction:
    parsed = parse_decimal(_text(value))
    if parsed is None:
        raise Malformed
    return parsed


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed
    return value


def _date(value: Any) -> Any:
    parsed = parse_date(_text(value))
    if parsed is None:
        raise Malformed
    return parsed


_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def _time(value: Any) -> int:
    match = _CLOCK.fullmatch(_text(value))
    if match is None:
        raise Malformed
    return int(match[1]) * 60 + int(match[2])


def _time24(value: Any) -> int:
    return 1440 if value == "24:00" else _time(value)


DEC = InputType(_decimal)
DEC_POSITIVE = InputType(_decimal, lambda value: value > 0)
DEC_BELOW_1 = InputType(_decimal, lambda value: value < 1)
PERCENT = InputType(_decimal, lambda value: 0 < value < 100)
INT = InputType(_integer)
INT_FROM_0 = InputType(_integer, lambda value: value >= 0)
INT_FROM_1 = InputType(_integer, lambda value: value >= 1)
DATE = InputType(_date)
TIME = InputType(_time)
TIME24 = InputType(_time24)
TEXT = InputType(_text)


def one_of(*allowed: str) -> InputType:
    """One of these words."""

    def parse(value: Any) -> str:
        if _text(value) not in allowed:
            raise Malformed
        return str(value)

    return InputType(parse)


def list_of(item: InputType) -> InputType:
    """A non-empty list of one type."""

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise Malformed
        return tuple(item.parse(each) for each in value)

    return InputType(parse, lambda value: all(item.inside(each) for each in value))


def rows_of(
    record: Callable[..., Any], names: Mapping[str, InputType], also: Callable[[Any], bool] = _everywhere
) -> InputType:
    """A non-empty list of objects with these names (``?`` at the end: optional), built as ``record``.

    ``also`` is a condition on the whole list that belongs to its shape.
    """
    known = {name.rstrip("?"): (kind, name.endswith("?")) for name, kind in names.items()}

    def row(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or isinstance(value, TwiceNamed) or set(value) - set(known):
            raise Malformed
        missing = {name for name, (_, optional) in known.items() if not optional} - set(value)
        if missing:
            raise Malformed
        return {name: known[name][0].parse(value[name]) for name in value}

    def parse(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or not value:
            raise Malformed
        built = tuple(record(**row(each)) for each in value)
        if not also(built):
            raise Malformed
        return built

    def inside(value: Any) -> bool:
        return all(
            kind.inside(getattr(each, name))
            for each in value
            for name, (kind, _) in known.items()
            if getattr(each, name) is not None
        )

    return InputType(parse, inside)
