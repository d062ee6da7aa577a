"""Pump profiles: data files with value, unit, source and version for each datum; no such literal in code.

Files: drivers/virtual/profiles/NAME.toml, strict; an unknown or missing key is refused.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.virtual.battery import BatteryModel

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")

UNITS = {
    "capacity": "nL",
    "alarm_default": "nL",
    "alarm_recommended": "nL",
    "flow_min": "nL/day",
    "flow_max": "nL/day",
    "minimum_rate": "nL/day",
    "motor_step": "nL",
    "battery_capacity": "pW*ms",
    "battery_base": "pW",
    "battery_flat_to": "nL/day",
    "battery_slope": "pW per uL/day",
    "eri_lead": "ms",
    "battery_full": "mV",
    "battery_empty": "mV",
}


class ProfileError(ValueError):
    """The profile is unknown or damaged; choose one that `profile_names` lists."""


class _Datum(BaseModel):
    model_config = _STRICT
    value: int = Field(ge=0)
    unit: str
    source: str = Field(min_length=1)
    version: int = Field(ge=1)


class _File(BaseModel):
    model_config = _STRICT
    schema_: int = Field(alias="schema", ge=1, le=1)
    number: int = Field(ge=0, le=0xFFFF)
    name: str
    version: int
    model: str
    limit_row: str
    datum: dict[str, _Datum]


@dataclass(frozen=True, slots=True)
class Profile:
    """One pump type. Volumes nL, flows nL/day; `number` names it on the wire;
    `digest` is the SHA-256 of the file as it stands."""

    number: int
    name: str
    version: int
    model: str
    limit_row: str
    digest: bytes
    capacity_nl: int
    alarm_default_nl: int
    alarm_recommended_nl: int
    flow_min_nl_day: int
    flow_max_nl_day: int
    minimum_rate_nl_day: int
    motor_step_nl: int
    battery_full_mv: int
    battery_empty_mv: int
    battery: BatteryModel


def profile_names() -> tuple[str, ...]:
    """Names that `load_profile` accepts, sorted."""
    folder = files("drivers.virtual").joinpath("profiles")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def load_profile(name: str) -> Profile:
    """The profile of that name. Raises ProfileError with the known names, or with what is wrong in it."""
    if name not in profile_names():
        raise ProfileError(f"unknown profile {name!r}; choose one of {', '.join(profile_names())}")
    raw = files("drivers.virtual").joinpath("profiles", f"{name}.toml").read_bytes()
    return parse_profile(raw)


def parse_profile(raw: bytes) -> Profile:
    """Read profile bytes, strictly. Raises ProfileError."""
    try:
        data = _File.model_validate(tomllib.loads(raw.decode("utf-8")))
    except (ValidationError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"the profile file is damaged; install it again ({error})") from error
    units = {key: datum.unit for key, datum in data.datum.items()}
    if units != UNITS:
        raise ProfileError("the profile file lacks a datum, has one too many or states another unit")
    v = {key: datum.value for key, datum in data.datum.items()}
    return Profile(
        number=data.number,
        name=data.name,
        version=data.version,
        model=data.model,
        limit_row=data.limit_row,
        digest=hashlib.sha256(raw).digest(),
        capacity_nl=v["capacity"],
        alarm_default_nl=v["alarm_default"],
        alarm_recommended_nl=v["alarm_recommended"],
        flow_min_nl_day=v["flow_min"],
        flow_max_nl_day=v["flow_max"],
        minimum_rate_nl_day=v["minimum_rate"],
        motor_step_nl=v["motor_step"],
        battery_full_mv=v["battery_full"],
        battery_empty_mv=v["battery_empty"],
        battery=BatteryModel(
            capacity=v["battery_capacity"],
            base_pw=v["battery_base"],
            flat_to_nl_day=v["battery_flat_to"],
            slope_pw_per_ul_day=v["battery_slope"],
            lead_ms=v["eri_lead"],
        ),
    )
