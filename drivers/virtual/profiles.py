"""Profiles of pumps and catheters: signed data files with value, unit, tolerance, source and version of each datum.

Files: drivers/virtual/profiles/NAME.toml for pumps, profiles/catheters/NAME.toml for catheters, and beside each
its signature, NAME.toml.sig. They are strict: an unknown or missing key, another unit, a changed byte are refused.
No such number stands in code.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.virtual.battery import BatteryModel
from drivers.virtual.signed_file import SignatureCheck, SignatureError, maker_check, verified

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")

UNITS = {
    "capacity": "nL",
    "dead_volume": "nL",
    "tubing": "nL",
    "alarm_default": "nL",
    "alarm_recommended": "nL",
    "reserve": "nL",
    "pocket_threshold": "nL",
    "accuracy_band": "ppm",
    "gain_spread": "ppm",
    "flow_per_kelvin": "ppm per K",
    "near_empty_1": "nL",
    "near_empty_1_flow": "ppm",
    "near_empty_2": "nL",
    "near_empty_2_flow": "ppm",
    "flow_min": "nL/day",
    "flow_max": "nL/day",
    "minimum_rate": "nL/day",
    "bolus_rate_max": "nL/day",
    "flex_steps_max": "1",
    "motor_step": "nL",
    "battery_capacity": "pW*ms",
    "battery_base": "pW",
    "battery_flat_to": "nL/day",
    "battery_slope": "pW per uL/day",
    "eri_lead": "ms",
    "service_age": "ms",
    "stall_recovery": "ms",
    "stall_recovery_late": "ms",
    "battery_full": "mV",
    "battery_empty": "mV",
}
CATHETER_UNITS = {"length": "mm", "bore": "nL/mm", "trim_max": "mm"}


class ProfileError(ValueError):
    """The profile is unknown or damaged; choose one that `profile_names` lists."""


class Datum(BaseModel):
    """One number. `tolerance`: `exact`, `setting` (a choice, not a measure), `assumed` (nobody has stated it), or
    `+-N ppm` of the value."""

    model_config = _STRICT
    value: int = Field(ge=0)
    unit: str
    tolerance: str = Field(pattern=r"^(exact|setting|assumed|\+-[1-9][0-9]{0,6} ppm)$")
    source: str = Field(min_length=1)
    version: int = Field(ge=1)


class _File(BaseModel):
    model_config = _STRICT
    schema_: int = Field(alias="schema", ge=2, le=2)
    number: int = Field(ge=0, le=0xFFFF)
    name: str
    version: int
    model: str
    datum: dict[str, Datum]


class _PumpFile(_File):
    kind: Literal["pump"]
    limit_row: str


class _CatheterFile(_File):
    kind: Literal["catheter"]


_F = TypeVar("_F", bound=_File)


@dataclass(frozen=True, slots=True)
class Profile:
    """One pump type. Volumes nL, flows nL/day, spans ms; `number` names it on the wire; `digest` is the SHA-256 of
    the file as it stands; `near_empty` rows are (volume nL, ppm of the flow from there down); `data` has every number
    with unit, tolerance and source."""

    number: int
    name: str
    version: int
    model: str
    limit_row: str
    digest: bytes
    capacity_nl: int
    dead_volume_nl: int
    tubing_nl: int
    alarm_default_nl: int
    alarm_recommended_nl: int
    reserve_nl: int
    pocket_threshold_nl: int
    accuracy_band_ppm: int
    gain_spread_ppm: int
    flow_ppm_per_kelvin: int
    near_empty: tuple[tuple[int, int], ...]
    flow_min_nl_day: int
    flow_max_nl_day: int
    minimum_rate_nl_day: int
    bolus_rate_max_nl_day: int
    flex_steps_max: int
    motor_step_nl: int
    service_age_ms: int
    stall_recovery_ms: int
    stall_recovery_late_ms: int
    battery_full_mv: int
    battery_empty_mv: int
    battery: BatteryModel
    data: tuple[tuple[str, Datum], ...]


@dataclass(frozen=True, slots=True)
class CatheterProfile:
    """One catheter type: uncut length mm, volume nL per mm, the most that may be cut off mm."""

    number: int
    name: str
    version: int
    model: str
    digest: bytes
    length_mm: int
    bore_nl_mm: int
    trim_max_mm: int
    data: tuple[tuple[str, Datum], ...]

    def volume_nl(self, trimmed_mm: int) -> int:
        """Volume of the catheter after so much was cut off. Raises ProfileError for a cut beyond `trim_max_mm`."""
        if not 0 <= trimmed_mm <= self.trim_max_mm:
            raise ProfileError(f"{self.name}: from 0 to {self.trim_max_mm} mm may be cut off, not {trimmed_mm} mm")
        return (self.length_mm - trimmed_mm) * self.bore_nl_mm


def profile_names() -> tuple[str, ...]:
    """Names of pump profiles that `load_profile` accepts, sorted."""
    return _names("profiles")


def catheter_names() -> tuple[str, ...]:
    """Names that `load_catheter` accepts, sorted."""
    return _names("profiles", "catheters")


def _names(*folder: str) -> tuple[str, ...]:
    place = files("drivers.virtual").joinpath(*folder)
    return tuple(sorted(f.name[:-5] for f in place.iterdir() if f.name.endswith(".toml")))


def load_profile(name: str, check: SignatureCheck = maker_check) -> Profile:
    """The pump profile of that name. Raises ProfileError with the known names, or with what is wrong in it."""
    return parse_profile(_read(name, profile_names(), check, "profiles"))


def load_catheter(name: str, check: SignatureCheck = maker_check) -> CatheterProfile:
    """The catheter profile of that name. Raises ProfileError as `load_profile`."""
    return parse_catheter(_read(name, catheter_names(), check, "profiles", "catheters"))


def _read(name: str, known: tuple[str, ...], check: SignatureCheck, *folder: str) -> bytes:
    if name not in known:
        raise ProfileError(f"unknown profile {name!r}; choose one of {', '.join(known)}")
    place = files("drivers.virtual").joinpath(*folder)
    raw = place.joinpath(f"{name}.toml").read_bytes()
    try:
        return verified(raw, place.joinpath(f"{name}.toml.sig").read_bytes(), check)
    except (SignatureError, OSError) as error:
        raise ProfileError(f"the profile {name!r} has no valid signature; install it again ({error})") from error


def parse_profile(raw: bytes) -> Profile:
    """Read a pump profile's bytes, strictly; its signature is not looked at. Raises ProfileError."""
    data, v, rows = _parsed(raw, _PumpFile, UNITS)
    return Profile(
        number=data.number,
        name=data.name,
        version=data.version,
        model=data.model,
        limit_row=data.limit_row,
        digest=hashlib.sha256(raw).digest(),
        capacity_nl=v["capacity"],
        dead_volume_nl=v["dead_volume"],
        tubing_nl=v["tubing"],
        alarm_default_nl=v["alarm_default"],
        alarm_recommended_nl=v["alarm_recommended"],
        reserve_nl=v["reserve"],
        pocket_threshold_nl=v["pocket_threshold"],
        accuracy_band_ppm=v["accuracy_band"],
        gain_spread_ppm=v["gain_spread"],
        flow_ppm_per_kelvin=v["flow_per_kelvin"],
        near_empty=tuple((v[f"near_empty_{n}"], v[f"near_empty_{n}_flow"]) for n in (1, 2)),
        flow_min_nl_day=v["flow_min"],
        flow_max_nl_day=v["flow_max"],
        minimum_rate_nl_day=v["minimum_rate"],
        bolus_rate_max_nl_day=v["bolus_rate_max"],
        flex_steps_max=v["flex_steps_max"],
        motor_step_nl=v["motor_step"],
        service_age_ms=v["service_age"],
        stall_recovery_ms=v["stall_recovery"],
        stall_recovery_late_ms=v["stall_recovery_late"],
        battery_full_mv=v["battery_full"],
        battery_empty_mv=v["battery_empty"],
        battery=BatteryModel(
            capacity=v["battery_capacity"],
            base_pw=v["battery_base"],
            flat_to_nl_day=v["battery_flat_to"],
            slope_pw_per_ul_day=v["battery_slope"],
            lead_ms=v["eri_lead"],
        ),
        data=rows,
    )


def parse_catheter(raw: bytes) -> CatheterProfile:
    """Read a catheter profile's bytes, strictly; its signature is not looked at. Raises ProfileError."""
    data, v, rows = _parsed(raw, _CatheterFile, CATHETER_UNITS)
    if v["trim_max"] > v["length"]:
        raise ProfileError("more than the whole catheter may be cut off, says its profile; correct the file")
    return CatheterProfile(
        number=data.number,
        name=data.name,
        version=data.version,
        model=data.model,
        digest=hashlib.sha256(raw).digest(),
        length_mm=v["length"],
        bore_nl_mm=v["bore"],
        trim_max_mm=v["trim_max"],
        data=rows,
    )


def _parsed(
    raw: bytes, shape: type[_F], wanted: dict[str, str]
) -> tuple[_F, dict[str, int], tuple[tuple[str, Datum], ...]]:
    try:
        data = shape.model_validate(tomllib.loads(raw.decode("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"the profile file is damaged; install it again ({error})") from error
    if {key: datum.unit for key, datum in data.datum.items()} != wanted:
        raise ProfileError("the profile file lacks a datum, has one too many or states another unit")
    return data, {key: datum.value for key, datum in data.datum.items()}, tuple(data.datum.items())
