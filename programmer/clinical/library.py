"""The drug library: one row of limits by id and population, exact, with its basis and version.

A row asks for a reason at ``soft`` and refuses at ``hard``; limits are inclusive. The loader refuses
a file whose limits contradict each other or leave a dangerous quantity without a hard upper limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Final

from programmer.clinical.files import DataFileError, Day, Exact, Strict, digest, file_bytes, packaged, read

POPULATIONS: Final = ("adult_spinal", "adult_cerebral", "child_4_11", "child_12_17")
NEEDS_HARD_HIGH: Final = ("dose_high", "flow", "single_bolus", "window_24h", "window_1h")
UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "dose_high": "mcg/day",
        "dose_low": "x least flow x strength",
        "flow": "mL/day",
        "step_up_titration": "%",
        "step_up_maintenance": "%",
        "step_down": "%",
        "increase_interval_h": "h",
        "change_24h_titration": "%",
        "change_24h_maintenance": "%",
        "change_7d": "%",
        "single_bolus": "mcg",
        "bolus_share": "%",
        "scheduled_per_day": "1",
        "patient_per_day": "1",
        "patient_lockout_h": "h",
        "window_24h": "mcg",
        "window_1h": "mcg",
        "bridge_hours": "h",
        "alarm_volume_low": "mL",
        "lead_days": "days",
        "gap_h": "h",
        "return_to_dose": "days",
        "mixed_strength": "%",
    }
)


class Limit(Strict):
    """One row of the limit table; a bound that is absent does not exist."""

    id: str
    population: str
    unit: str
    typical: str = ""
    soft_low: Exact | None = None
    soft_high: Exact | None = None
    hard_low: Exact | None = None
    hard_high: Exact | None = None
    basis: str
    version: str


class ReconciliationLimits(Strict):
    """Thresholds of the refill reconciliation."""

    abs_limit_ml: Exact
    gross_under_ratio: Exact
    urgent_over_ratio: Exact
    pump_difference_ml: Exact
    basis: str


class _LibraryFile(Strict):
    name: str
    drug: str
    version: str
    issued: Day
    expires: Day
    basis: str
    strengths_mcg_per_ml: list[Exact]
    screening_strength_mcg_per_ml: Exact
    strength_tolerance_percent: Exact
    in_pump_days: Exact
    reconciliation: ReconciliationLimits
    limits: list[Limit]


@dataclass(frozen=True, slots=True)
class DrugLibrary:
    """A checked library; ``limit(id, population)`` gives a row."""

    name: str
    drug: str
    version: str
    issued: date
    expires: date
    basis: str
    digest: str
    strengths_mcg_per_ml: tuple[Fraction, ...]
    screening_strength_mcg_per_ml: Fraction
    strength_tolerance_percent: Fraction
    in_pump_days: int
    reconciliation: ReconciliationLimits
    limits: Mapping[tuple[str, str], Limit]

    def limit(self, limit_id: str, population: str) -> Limit:
        """The row of a limit for a population (both must be documented names)."""
        return self.limits[limit_id, population]

    def expired(self, today: date) -> bool:
        """Whether the library no longer counts; its expiry day is the last good day."""
        return today > self.expires


def _in_order(bounds: list[Fraction | None]) -> bool:
    given = [bound for bound in bounds if bound is not None]
    return all(low <= high for low, high in pairwise(given))


def _check(row: Limit, source: str) -> None:
    place = f"{source}: {row.id} for {row.population}"
    if row.id not in UNITS:
        raise DataFileError(f"{source}: unknown limit {row.id!r}; use a documented name")
    if row.population not in POPULATIONS:
        raise DataFileError(f"{place}: unknown population; use one of {', '.join(POPULATIONS)}")
    if row.unit != UNITS[row.id]:
        raise DataFileError(f"{place}: the unit is {UNITS[row.id]!r}, not {row.unit!r}")
    if not _in_order([row.hard_low, row.soft_low, row.soft_high, row.hard_high]):
        raise DataFileError(f"{place}: a hard limit lies inside a soft one; widen the hard limit")
    if row.id in NEEDS_HARD_HIGH and row.hard_high is None:
        raise DataFileError(f"{place}: a hard upper limit is missing; this quantity must have one")


def parse_library(raw: bytes, source: str) -> DrugLibrary:
    """A library from the bytes of its file, checked row by row and for completeness."""
    parsed = read(raw, _LibraryFile, source)
    rows: dict[tuple[str, str], Limit] = {}
    for row in parsed.limits:
        _check(row, source)
        if (row.id, row.population) in rows:
            raise DataFileError(f"{source}: {row.id} for {row.population} stands twice; remove one")
        rows[row.id, row.population] = row
    for limit_id in UNITS:
        for population in POPULATIONS:
            if (limit_id, population) not in rows:
                raise DataFileError(f"{source}: {limit_id} for {population} is missing; add its row")
    if parsed.in_pump_days.denominator != 1 or parsed.in_pump_days < 1:
        raise DataFileError(f"{source}: in_pump_days must be a whole number of days from 1 on")
    if not parsed.strengths_mcg_per_ml or any(each <= 0 for each in parsed.strengths_mcg_per_ml):
        raise DataFileError(f"{source}: the strengths must be a list of values above 0")
    if parsed.expires < parsed.issued:
        raise DataFileError(f"{source}: expires before it is issued; correct the dates")
    return DrugLibrary(
        parsed.name,
        parsed.drug,
        parsed.version,
        parsed.issued,
        parsed.expires,
        parsed.basis,
        digest(raw),
        tuple(parsed.strengths_mcg_per_ml),
        parsed.screening_strength_mcg_per_ml,
        parsed.strength_tolerance_percent,
        parsed.in_pump_days.numerator,
        parsed.reconciliation,
        MappingProxyType(rows),
    )


def baclofen() -> DrugLibrary:
    """The packaged library of the simulation."""
    return parse_library(packaged("library-baclofen.toml"), "library-baclofen.toml")


def load_library(path: Path) -> DrugLibrary:
    """A library of the site."""
    return parse_library(file_bytes(path), path.name)
