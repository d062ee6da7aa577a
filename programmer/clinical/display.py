"""The one formatter of quantities, for screen, print, report and command line.

Rules after the ISMP list of error-prone abbreviations: leading zero, no trailing zero, a comma from
1,000, a no-break space before the unit, ``mcg``, ``mL``, ``/day``. A value is rounded once, from the
exact value, half away from zero; an inexact one carries a tilde. A displayed value is never an input.
Unknown (None) is "not read", never 0, a dash or the last value.
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from programmer.clinical.decimals import decimal_text, half_away, placed, terminates

NO_BREAK: Final = "\u00a0"
NOT_READ: Final = "not read"
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a kind of quantity is shown: digits after the point and the unit."""

    places: int
    unit: str


DOSE: Final = Quantity(1, "mcg/day")
RATE: Final = Quantity(1, "mcg/h")
AMOUNT: Final = Quantity(1, "mcg")
STRENGTH: Final = Quantity(1, "mcg/mL")
FLOW: Final = Quantity(3, "mL/day")
LINE: Final = Quantity(3, "mL")
SYRINGE: Final = Quantity(1, "mL")
PERCENT: Final = Quantity(1, "%")
HOURS: Final = Quantity(1, "h")
DAYS: Final = Quantity(1, "days")


def number(value: Fraction, places: int) -> str:
    """A number grouped by comma, rounded to ``places``, with a tilde when that is not exact."""
    scaled = half_away(value, places)
    if scaled == 0 and value != 0:
        return f"under {placed(1, places)}" if value > 0 else f"under -{placed(1, places)}"
    text = placed(abs(scaled), places)
    whole, point, fraction = text.partition(".")
    first = len(whole) % 3 or 3
    groups = [whole[:first], *(whole[at : at + 3] for at in range(first, len(whole), 3))]
    tilde = "" if Fraction(scaled, 10**places) == value else "~"
    return tilde + ("-" if scaled < 0 else "") + ",".join(groups) + point + fraction


def show(value: Fraction | None, quantity: Quantity) -> str:
    """A quantity with its unit, or "not read"."""
    if value is None:
        return NOT_READ
    return f"{number(value, quantity.places)}{NO_BREAK}{quantity.unit}"


def signed(value: Fraction | None, quantity: Quantity) -> str:
    """As :func:`show`, with a plus before a positive value: for changes and differences."""
    shown = show(value, quantity)
    if value is None or value <= 0:
        return shown
    return f"~+{shown[1:]}" if shown.startswith("~") else f"+{shown}"


def mcg_per_day(value: Fraction | None) -> str:
    """A daily dose."""
    return show(value, DOSE)


def mcg_per_h(value: Fraction | None) -> str:
    """A dose per hour."""
    return show(value, RATE)


def mcg(value: Fraction | None) -> str:
    """An amount of drug."""
    return show(value, AMOUNT)


def mcg_per_ml(value: Fraction | None) -> str:
    """A strength."""
    return show(value, STRENGTH)


def ml_per_day(value: Fraction | None) -> str:
    """A flow."""
    return show(value, FLOW)


def ml_line(value: Fraction | None) -> str:
    """A volume of the line, to 0.001 mL."""
    return show(value, LINE)


def ml_syringe(value: Fraction | None) -> str:
    """A volume of reservoir or syringe, to 0.1 mL."""
    return show(value, SYRINGE)


def percent(value: Fraction | None) -> str:
    """Percent: 30 means 30 %."""
    return show(value, PERCENT)


def hours(value: Fraction | None) -> str:
    """Hours, to 0.1 h."""
    return show(value, HOURS)


def exact(value: Fraction, unit: str) -> str:
    """A value that terminates, in full: for read-backs, where nothing may be rounded."""
    if not terminates(value):
        raise ValueError(f"{value} {unit} has no end as a decimal; show it rounded, with a tilde")
    whole, point, fraction = decimal_text(value).partition(".")
    return f"{int(whole):,}{point}{fraction}{NO_BREAK}{unit}"


def factor(value: Fraction | None) -> str:
    """A ratio as a factor, for example ``×10``."""
    return NOT_READ if value is None else f"×{number(value, 2)}"


def times(value: Fraction) -> str:
    """A ratio in the middle of a sentence: "24 times", "~3.3 times"."""
    return f"{number(value, 1)} times"


def day(value: date | None) -> str:
    """A date to plan by: weekday and ISO date, for example ``Fri 2026-12-25``."""
    return NOT_READ if value is None else f"{WEEKDAYS[value.weekday()]} {value.isoformat()}"


def duration(seconds: int) -> str:
    """A length of time in its two largest units: "2 days 3 h", "5 min 10 s", "0 s"."""
    parts = []
    for size, one, many in ((86_400, "day", "days"), (3_600, "h", "h"), (60, "min", "min"), (1, "s", "s")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:,}{NO_BREAK}{one if count == 1 else many}")
    return " ".join(parts[:2]) or f"0{NO_BREAK}s"


def age(seconds: int | None) -> str:
    """The age of a reading; over 60 s it is called stale."""
    if seconds is None:
        return NOT_READ
    return f"{duration(seconds)} ago" + (", stale" if seconds > 60 else "")


_ONES = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS = (
    "zero",
    "ten",
    "twenty",
    "thirty",
    "forty",
    "fifty",
    "sixty",
    "seventy",
    "eighty",
    "ninety",
)
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))


def cardinal(value: int) -> str:
    """A whole number from 0 on in words, below 10^12."""
    if not 0 <= value < 10**12:
        raise ValueError(f"{value} has no words here; use 0 to 999,999,999,999")
    if value < 20:
        return _ONES[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    size, name = next(scale for scale in _SCALES if value >= scale[0])
    head, rest = divmod(value, size)
    return f"{cardinal(head)} {name}" + (f" {cardinal(rest)}" if rest else "")


def in_words(value: Fraction) -> str:
    """A number that terminates in words, digit by digit after the point."""
    if value < 0 or not terminates(value):
        raise ValueError(f"{value} has no words; use a number from 0 on that ends as a decimal")
    whole, _, fraction = decimal_text(value).partition(".")
    spoken = cardinal(int(whole))
    return spoken + (" point " + " ".join(_ONES[int(digit)] for digit in fraction) if fraction else "")


def dose_in_words(value: Fraction) -> str:
    """A daily dose in words: "One hundred fifteen micrograms a day"."""
    spoken = in_words(value)
    return f"{spoken[0].upper()}{spoken[1:]} microgram{'' if value == 1 else 's'} a day"
