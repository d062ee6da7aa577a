"""Entry sentinels: the shapes that a slip of the finger or of the unit leaves behind."""

from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.decimals import decimal_text

POWERS = tuple(k for k in range(-4, 5) if k != 0)
NEAR_LOW = Fraction(9, 10)
NEAR_HIGH = Fraction(11, 10)


@dataclass(frozen=True, slots=True)
class WrongConcentration:
    """The dose that really flows when the programmed strength is not the one in the vial."""

    actual_mcg_per_day: Fraction
    ratio: Fraction


def wrong_concentration(
    dose_mcg_per_day: Fraction, programmed_conc_mcg_per_ml: Fraction, actual_conc_mcg_per_ml: Fraction
) -> WrongConcentration:
    """Actual over programmed strength, times the dose."""
    ratio = actual_conc_mcg_per_ml / programmed_conc_mcg_per_ml
    return WrongConcentration(dose_mcg_per_day * ratio, ratio)


@dataclass(frozen=True, slots=True)
class Sentinel:
    """Entered over previous value and the name of the pattern, or ``NONE``."""

    ratio: Fraction
    sentinel: str


def decimal_shift(previous: Fraction, entered: Fraction) -> Sentinel:
    """A moved point: exactly, or within a tenth of, a power of ten from 10^-4 to 10^4."""
    ratio = entered / previous
    powers = [Fraction(10) ** k for k in POWERS]
    if ratio in powers:
        return Sentinel(ratio, "POWER_OF_TEN")
    if any(NEAR_LOW * power <= ratio <= NEAR_HIGH * power for power in powers):
        return Sentinel(ratio, "NEAR_POWER_OF_TEN")
    return Sentinel(ratio, "NONE")


def unit_slip(mg_per_day: Fraction) -> Fraction:
    """The mcg/day that a number of mg/day amounts to."""
    return mg_per_day * 1000


def digit_transposition(previous: Fraction, entered: Fraction) -> Sentinel:
    """Digits in another order, or one digit written twice, compared on canonical texts."""
    ratio = entered / previous
    old, new = decimal_text(previous), decimal_text(entered)
    if old != new and old.find(".") == new.find(".") and sorted(old) == sorted(new):
        return Sentinel(ratio, "DIGIT_PERMUTATION")
    doubled = (old[: i + 1] + old[i:] for i, sign in enumerate(old) if sign != ".")
    if new in doubled:
        return Sentinel(ratio, "DIGIT_DOUBLED")
    return Sentinel(ratio, "NONE")
