"""Service life: the day on which the pump stops. It is never called a date to replace by."""

import re
from dataclasses import dataclass
from datetime import date

from programmer.clinical.refusals import CalculationRefused
from programmer.clinical.reservoir import LAST_DAY, day_after

FIRST_YEAR = 1900
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_date(text: str) -> date | None:
    """A real day of the years 1900-2199 written ``YYYY-MM-DD``, else None."""
    if not _ISO.fullmatch(text):
        return None
    try:
        day = date(int(text[:4]), int(text[5:7]), int(text[8:]))
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_DAY.year else None


def eos_date(eri_date: date, eri_to_eos_days: int) -> date:
    """End of service: replacement indicator plus the days of the pump's profile."""
    return day_after(eri_date, eri_to_eos_days, "eri_to_eos_days")


@dataclass(frozen=True, slots=True)
class ReplaceBy:
    """The device's own date, found consistent."""

    consistent: bool
    replace_by: date


def replace_by_sanity(eri_date: date, device_replace_by: str, eri_to_eos_days: int) -> ReplaceBy:
    """The device's date must be readable and lie from ERI to ERI + days; otherwise a fault, no date."""
    day = parse_date(device_replace_by)
    if day is None or not 0 <= (day - eri_date).days <= eri_to_eos_days:
        raise CalculationRefused("REPLACE_BY_INCONSISTENT")
    return ReplaceBy(True, day)


def max_service_date(implant_date: date, cap_years: int) -> date:
    """Same day and month ``cap_years`` later; 29 February becomes 28 February in a common year."""
    year = implant_date.year + cap_years
    if year > LAST_DAY.year:
        raise CalculationRefused("OUT_OF_DOMAIN", field="cap_years")
    try:
        return implant_date.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
