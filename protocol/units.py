"""Quantities as they travel on the wire: types over integers in base units, converted exactly or not at all.

=================  ==============  ==========================================
type               base unit       display units
=================  ==============  ==========================================
``Volume``         nL              mL, uL, nL
``Mass``           ng              mg, mcg, ng
``DoseRate``       ng/day          mg/day, mcg/day, ng/day, mcg/h
``Concentration``  ng/mL           mg/mL, mcg/mL, ng/mL
``FlowRate``       nL/day          mL/day, uL/day, nL/day, mL/h
=================  ==============  ==========================================

Two types never meet in a sum or a comparison (``MixedQuantities``). A number that falls between two base
units is refused (``NotExact``); where a quotient must become a whole number the function's name says which
way it goes. Scale factors: SI prefixes (BIPM, The International System of Units, 9th edition), a day of 24
hours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import ClassVar, Final, Self

from protocol.errors import MixedQuantities, NotANumber, NotExact, OutOfRange

MAX_BASE: Final = 2**53 - 1
"""Largest value in base units: whole numbers up to here survive every JSON and CBOR reader."""
NL_PER_ML: Final = 1_000_000

_DECIMAL: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Common ground of the types below: 0..``MAX_BASE`` base units, an integer and nothing else."""

    base: int

    UNITS: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def __post_init__(self) -> None:
        if type(self.base) is not int:
            raise NotANumber(f"{type(self).__name__} takes a whole number, not {self.base!r}")
        if not 0 <= self.base <= MAX_BASE:
            raise OutOfRange(f"{type(self).__name__} of {self.base} base units")

    @classmethod
    def of(cls, value: Fraction | int, unit: str) -> Self:
        """``value`` of ``unit``, exactly. Raises ``NotExact``, ``OutOfRange`` or ``MixedQuantities``.

        >>> Mass.of(Fraction(1, 2), "mg")
        Mass(base=500000)
        """
        if not isinstance(value, (int, Fraction)) or isinstance(value, bool):
            raise NotANumber(f"{value!r} is no exact number")
        scaled = Fraction(value) * cls._scale(unit)
        if scaled.denominator != 1:
            raise NotExact(f"{value} {unit} falls between two base units")
        return cls(scaled.numerator)

    @classmethod
    def parse(cls, text: str, unit: str) -> Self:
        """The decimal number ``text`` of ``unit``, exactly: digits, at most one point with digits on both
        sides.

        >>> DoseRate.parse("115.5", "mcg/day")
        DoseRate(base=115500)
        """
        if _DECIMAL.fullmatch(text) is None:
            raise NotANumber(f"{text[:40]!r}")
        return cls.of(Fraction(text), unit)

    def in_unit(self, unit: str) -> Fraction:
        """The value in ``unit``, exactly.

        >>> Volume(18_500_000).in_unit("mL")
        Fraction(37, 2)
        """
        return Fraction(self.base, self._scale(unit))

    def text(self, unit: str) -> str:
        """The value in ``unit`` as a decimal number without trailing zeros. ``NotExact`` if it never ends.

        >>> Volume(18_500_000).text("mL")
        '18.5'
        """
        whole, rest = divmod(self.base, self._scale(unit))
        digits, fraction = "", Fraction(rest, self._scale(unit))
        while fraction:
            if len(digits) == 20:
                raise NotExact(f"{self.base} base units in {unit} have no end of decimal places")
            digit, fraction = divmod(fraction * 10, 1)
            digits += str(digit)
        return f"{whole}.{digits}" if digits else str(whole)

    def __add__(self, other: Self) -> Self:
        return type(self)(self.base + self._same(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.base - self._same(other))

    def __lt__(self, other: Self) -> bool:
        return self.base < self._same(other)

    def __le__(self, other: Self) -> bool:
        return self.base <= self._same(other)

    def __gt__(self, other: Self) -> bool:
        return self.base > self._same(other)

    def __ge__(self, other: Self) -> bool:
        return self.base >= self._same(other)

    def _same(self, other: object) -> int:
        if type(other) is not type(self) or not isinstance(other, Quantity):
            raise MixedQuantities(f"{type(self).__name__} and {type(other).__name__}")
        return other.base

    @classmethod
    def _scale(cls, unit: str) -> int:
        if unit not in cls.UNITS:
            raise MixedQuantities(f"{cls.__name__} is not measured in {unit!r}")
        return cls.UNITS[unit]


@dataclass(frozen=True, slots=True)
class Volume(Quantity):
    """A volume in nL."""

    UNITS = MappingProxyType({"mL": 1_000_000, "uL": 1_000, "nL": 1})

    @property
    def nl(self) -> int:
        """Nanolitres."""
        return self.base


@dataclass(frozen=True, slots=True)
class Mass(Quantity):
    """A mass of drug in ng."""

    UNITS = MappingProxyType({"mg": 1_000_000, "mcg": 1_000, "ng": 1})

    @property
    def ng(self) -> int:
        """Nanograms."""
        return self.base


@dataclass(frozen=True, slots=True)
class DoseRate(Quantity):
    """Drug per time in ng/day."""

    UNITS = MappingProxyType({"mg/day": 1_000_000, "mcg/day": 1_000, "ng/day": 1, "mcg/h": 24_000})

    @property
    def ng_per_day(self) -> int:
        """Nanograms a day."""
        return self.base


@dataclass(frozen=True, slots=True)
class Concentration(Quantity):
    """Drug per volume in ng/mL."""

    UNITS = MappingProxyType({"mg/mL": 1_000_000, "mcg/mL": 1_000, "ng/mL": 1})

    @property
    def ng_per_ml(self) -> int:
        """Nanograms in a millilitre."""
        return self.base


@dataclass(frozen=True, slots=True)
class FlowRate(Quantity):
    """Volume per time in nL/day."""

    UNITS = MappingProxyType({"mL/day": 1_000_000, "uL/day": 1_000, "nL/day": 1, "mL/h": 24_000_000})

    @property
    def nl_per_day(self) -> int:
        """Nanolitres a day."""
        return self.base


def flow_exact(dose: DoseRate, concentration: Concentration) -> Fraction:
    """The flow in nL/day that delivers ``dose``, exactly. ``OutOfRange`` for a concentration of zero."""
    dose_base, concentration_base = _typed(dose, DoseRate), _typed(concentration, Concentration)
    if concentration_base == 0:
        raise OutOfRange("a concentration of zero delivers no drug")
    return Fraction(dose_base * NL_PER_ML, concentration_base)


def flow_floor(dose: DoseRate, concentration: Concentration) -> FlowRate:
    """The greatest whole flow that does not deliver more than ``dose``: never upwards.

    >>> flow_floor(DoseRate.parse("100", "mcg/day"), Concentration.parse("2000", "mcg/mL"))
    FlowRate(base=50000)
    """
    exact = flow_exact(dose, concentration)
    return FlowRate(exact.numerator // exact.denominator)


def dose_exact(flow: FlowRate, concentration: Concentration) -> Fraction:
    """The dose in ng/day that ``flow`` delivers, exactly."""
    return Fraction(_typed(flow, FlowRate) * _typed(concentration, Concentration), NL_PER_ML)


def dose_floor(flow: FlowRate, concentration: Concentration) -> DoseRate:
    """The whole ng/day that ``flow`` delivers at least."""
    exact = dose_exact(flow, concentration)
    return DoseRate(exact.numerator // exact.denominator)


def mass_floor(volume: Volume, concentration: Concentration) -> Mass:
    """The whole ng of drug that ``volume`` holds at least."""
    return Mass(_typed(volume, Volume) * _typed(concentration, Concentration) // NL_PER_ML)


def _typed(value: Quantity, kind: type[Quantity]) -> int:
    if type(value) is not kind:
        raise MixedQuantities(f"{kind.__name__} expected, {type(value).__name__} given")
    return value.base
