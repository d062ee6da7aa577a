"""How a virtual pump is provisioned: one strict JSON file with its identity, keys, people and first program.

It holds private keys of a *simulated* pump: keep it readable by its owner only. Byte strings are hex.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from drivers.virtual.limits import HardRow, load_rows
from drivers.virtual.profiles import load_catheter, load_profile
from drivers.virtual.pump import Identity
from protocol.credential import MAX_ROOTS
from protocol.messages import Drug, Mode, Program, Realm
from protocol.order import is_weak_point
from protocol.session import PairedTablet

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
Hex8 = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Z0-9-]+$")]
U32 = Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]


class ProvisionError(ValueError):
    """The provisioning file cannot be used; the sentence names the first thing that is wrong."""


class Tablet(BaseModel):
    """A paired tablet: its name, X25519 public key and the pairwise key."""

    model_config = _STRICT
    id: Name
    public: Hex32
    psk: Hex32


class InitialProgram(BaseModel):
    """The simple continuous program with which the pump begins."""

    model_config = _STRICT
    dose_ng_per_day: U32
    concentration_ng_per_ml: U32 = Field(gt=0)
    alarm_nl: U32


class Provision(BaseModel):
    """The whole file. `start_s` is the pump time at manufacture; without it the host's time is taken.
    `roots` are the Ed25519 keys of the clinics whose credentials the pump takes; `two_persons` names what needs a
    second signature for this patient beside what always does (`increase` for a child under 4 years).
    `hard_limits` is this patient's row; without it the row of the profile's population. Without `card_secret`
    nobody has emergency access, and no tablet can be paired by presence. `catheter` names the catheter's profile, of
    which `catheter_trimmed_mm` were cut off at the implant."""

    model_config = _STRICT
    schema_: Literal[2] = Field(alias="schema")
    realm: Literal["simulated"]
    serial: Name
    profile: str
    static_private: Hex32
    receipt_seed: Hex32
    patient_tag: Hex8
    tablets: list[Tablet] = Field(default=[], max_length=8)
    roots: list[Hex32] = Field(default=[], max_length=MAX_ROOTS)
    two_persons: list[Literal["program", "refill", "increase"]] = []
    hard_limits: HardRow | None = None
    program: InitialProgram
    fill_nl: U32
    start_s: U32 | None = None
    card_secret: Hex32 | None = None
    catheter: str = "catheter-89"
    catheter_trimmed_mm: int = Field(default=90, ge=0, le=2_000)
    call_number: Annotated[str, Field(min_length=1, max_length=24)] = "NOT ON FILE"

    @model_validator(mode="after")
    def _unique(self) -> Provision:
        if len({t.id for t in self.tablets}) != len(self.tablets):
            raise ValueError("two tablets have one id")
        if len(set(self.roots)) != len(self.roots):
            raise ValueError("two clinic roots are alike")
        if any(is_weak_point(bytes.fromhex(root)) for root in self.roots):
            raise ValueError("a clinic root is a weak key, under which anybody could sign")
        return self

    def identity(self) -> Identity:
        """What the firmware needs of it. Raises ProfileError for an unknown profile or a cut beyond it."""
        profile = load_profile(self.profile)
        return Identity(
            profile=profile,
            serial=self.serial,
            realm=Realm.SIMULATED,
            patient_tag=bytes.fromhex(self.patient_tag),
            row=self.hard_limits or load_rows()[profile.limit_row],
            receipt_seed=bytes.fromhex(self.receipt_seed),
            roots=tuple(bytes.fromhex(root) for root in self.roots),
            tablets=tuple((t.id, bytes.fromhex(t.public)) for t in self.tablets),
            two_persons=frozenset(self.two_persons),
            catheter_nl=load_catheter(self.catheter).volume_nl(self.catheter_trimmed_mm),
        )

    def first_program(self) -> Program:
        """The program with which the pump begins."""
        return Program(
            mode=Mode.SIMPLE,
            dose_ng_per_day=self.program.dose_ng_per_day,
            concentration_ng_per_ml=self.program.concentration_ng_per_ml,
            alarm_nl=self.program.alarm_nl,
            drug=Drug.BACLOFEN,
        )

    def paired(self) -> dict[str, PairedTablet]:
        """The tablets by name."""
        return {t.id: PairedTablet(t.id, bytes.fromhex(t.public), bytes.fromhex(t.psk)) for t in self.tablets}

    @property
    def pump_public(self) -> bytes:
        """X25519 public key of the pump."""
        key = X25519PrivateKey.from_private_bytes(bytes.fromhex(self.static_private))
        return key.public_key().public_bytes_raw()

    @property
    def receipt_public(self) -> bytes:
        """Ed25519 public key that verifies the pump's receipts."""
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.receipt_seed))
        return key.public_key().public_bytes_raw()


def parse_provision(text: str) -> Provision:
    """Read the file's text, strictly. Raises ProvisionError."""
    try:
        return Provision.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ProvisionError(f"the provisioning file is wrong at {where}: {first['msg']}") from error


def load_provision(path: Path) -> Provision:
    """Read a provisioning file. Raises ProvisionError."""
    try:
        return parse_provision(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProvisionError(f"the provisioning file {path} cannot be read") from error


def default_provision(profile: str, seed: bytes) -> Provision:
    """A pump that no tablet is paired with, with keys drawn from `seed` (96 bytes): it answers a greeting."""
    return parse_provision(
        json.dumps(
            {
                "schema": 2,
                "realm": "simulated",
                "serial": "VP-0001",
                "profile": profile,
                "static_private": seed[:32].hex(),
                "receipt_seed": seed[32:64].hex(),
                "patient_tag": seed[64:72].hex(),
                "program": {
                    "dose_ng_per_day": 100_000,
                    "concentration_ng_per_ml": 500_000,
                    "alarm_nl": load_profile(profile).alarm_default_nl,
                },
                "fill_nl": load_profile(profile).capacity_nl,
            }
        )
    )
