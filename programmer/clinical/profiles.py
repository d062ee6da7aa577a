"""Pump profiles: the device data that a programme needs, with unit, basis and version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from programmer.clinical.files import DataFileError, Day, Exact, Strict, digest, file_bytes, packaged, read

UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reservoir_ml": "mL",
        "accuracy_fraction": "1",
        "tubing_ml": "mL",
        "ml_per_cm": "mL/cm",
        "catheter_length_cm": "cm",
        "dead_volume_ml": "mL",
        "min_flow_ml_per_day": "mL/day",
        "max_flow_ml_per_day": "mL/day",
        "minimum_rate_ml_per_day": "mL/day",
        "bolus_max_ml_per_h": "mL/h",
        "max_steps": "1",
        "alarm_ml": "mL",
        "recommended_alarm_ml": "mL",
        "alarm_after_withdrawal_ml": "mL",
        "reserve_ml": "mL",
        "reserve_after_withdrawal_ml": "mL",
        "bolus_threshold_ml": "mL",
        "eri_to_eos_days": "days",
        "service_cap_years": "years",
        "stopped_limit_h": "h",
        "pocket_fill_ml": "mL",
        "syringe_resolution_ml": "mL",
    }
)
WHOLE: Final = frozenset({"max_steps", "eri_to_eos_days", "service_cap_years"})
PACKAGED: Final = ("child-20", "adult-20", "adult-40")


class _Datum(Strict):
    value: Exact
    unit: str
    basis: str


class _ProfileFile(Strict):
    name: str
    model: str
    title: str
    version: str
    expires: Day
    data: dict[str, _Datum]


@dataclass(frozen=True, slots=True)
class PumpProfile:
    """One pump model for one kind of patient; every value exact, its unit in its name."""

    name: str
    model: str
    title: str
    version: str
    expires: date
    digest: str
    basis: Mapping[str, str]
    reservoir_ml: Fraction
    accuracy_fraction: Fraction
    tubing_ml: Fraction
    ml_per_cm: Fraction
    catheter_length_cm: Fraction
    dead_volume_ml: Fraction
    min_flow_ml_per_day: Fraction
    max_flow_ml_per_day: Fraction
    minimum_rate_ml_per_day: Fraction
    bolus_max_ml_per_h: Fraction
    max_steps: int
    alarm_ml: Fraction
    recommended_alarm_ml: Fraction
    alarm_after_withdrawal_ml: Fraction
    reserve_ml: Fraction
    reserve_after_withdrawal_ml: Fraction
    bolus_threshold_ml: Fraction
    eri_to_eos_days: int
    service_cap_years: int
    stopped_limit_h: Fraction
    pocket_fill_ml: Fraction
    syringe_resolution_ml: Fraction


def parse_profile(raw: bytes, source: str) -> PumpProfile:
    """A profile from the bytes of its file; every datum has to be there, in its documented unit."""
    parsed = read(raw, _ProfileFile, source)
    unknown, missing = sorted(set(parsed.data) - set(UNITS)), sorted(set(UNITS) - set(parsed.data))
    if unknown or missing:
        raise DataFileError(
            f"{source}: {'unknown ' + unknown[0] if unknown else 'missing ' + missing[0]}; "
            "a profile has exactly the documented values"
        )
    for name, datum in parsed.data.items():
        if datum.unit != UNITS[name]:
            raise DataFileError(f"{source}: {name}: the unit is {UNITS[name]!r}, not {datum.unit!r}")
        if name in WHOLE and datum.value.denominator != 1:
            raise DataFileError(f"{source}: {name}: must be a whole number")
    values: dict[str, Fraction] = {name: datum.value for name, datum in parsed.data.items()}
    if not 0 < values["min_flow_ml_per_day"] < values["max_flow_ml_per_day"]:
        raise DataFileError(f"{source}: the least flow must be above 0 and below the greatest flow")
    if values["alarm_ml"] >= values["reservoir_ml"] or values["accuracy_fraction"] >= 1:
        raise DataFileError(f"{source}: alarm volume or accuracy is out of range; correct the file")
    exact: dict[str, Any] = {name: value.numerator if name in WHOLE else value for name, value in values.items()}
    return PumpProfile(
        name=parsed.name,
        model=parsed.model,
        title=parsed.title,
        version=parsed.version,
        expires=parsed.expires,
        digest=digest(raw),
        basis=MappingProxyType({name: datum.basis for name, datum in parsed.data.items()}),
        **exact,
    )


def profile(name: str) -> PumpProfile:
    """A packaged profile by its name (``child-20``, ``adult-20``, ``adult-40``)."""
    if name not in PACKAGED:
        raise DataFileError(f"there is no profile {name!r}; choose one of {', '.join(PACKAGED)}")
    return parse_profile(packaged(f"profile-{name}.toml"), f"profile-{name}.toml")


def load_profile(path: Path) -> PumpProfile:
    """A profile of the site."""
    return parse_profile(file_bytes(path), path.name)
