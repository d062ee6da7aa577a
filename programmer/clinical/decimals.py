"""The text of an exact number: canonical decimals and reduced fractions.

A value that terminates is written in full; one that does not is rounded to 12 decimals for readers
and written as a fraction beside it. Digits are produced in blocks, so length has no limit.
"""

import re
from fractions import Fraction

DECIMAL = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?")
READER_DECIMALS = 12
_BLOCK = 4000


def parse_decimal(text: str) -> Fraction | None:
    """The exact value of a plain unsigned decimal (12 digits before and after the point), else None."""
    return Fraction(text) if DECIMAL.fullmatch(text) else None


def digits(value: int) -> str:
    """Decimal digits of an integer of any length, with its sign."""
    if value < 0:
        return "-" + digits(-value)
    blocks: list[str] = []
    base = 10**_BLOCK
    while value >= base:
        value, low = divmod(value, base)
        blocks.append(str(low).zfill(_BLOCK))
    blocks.append(str(value))
    return "".join(reversed(blocks))


def _places(value: Fraction) -> int | None:
    """Decimals needed to write the value in full, or None if it does not terminate."""
    rest = value.denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    fives = 0
    while rest % 5 == 0:
        rest //= 5
        fives += 1
    return max(twos, fives) if rest == 1 else None


def terminates(value: Fraction) -> bool:
    """Whether the value has an end as a decimal."""
    return _places(value) is not None


def half_away(value: Fraction, places: int) -> int:
    """``value`` x 10^places as an integer, rounded half away from zero."""
    scaled: Fraction = abs(value) * Fraction(10) ** places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    if 2 * rest >= scaled.denominator:
        whole += 1
    return whole if value >= 0 else -whole


def placed(scaled: int, places: int) -> str:
    """The integer ``scaled`` x 10^-places as a plain decimal without trailing zero."""
    sign = "-" if scaled < 0 else ""
    text = digits(abs(scaled)).zfill(places + 1)
    cut = len(text) - places
    fraction = text[cut:].rstrip("0")
    return sign + text[:cut] + ("." + fraction if fraction else "")


def decimal_text(value: Fraction) -> str:
    """Canonical decimal: in full if it terminates, else to 12 decimals."""
    places = _places(value)
    if places is None:
        places = READER_DECIMALS
    return placed(half_away(value, places), places)


def fraction_text(value: Fraction) -> str:
    """The reduced fraction ``n/d``."""
    return f"{digits(value.numerator)}/{digits(value.denominator)}"
