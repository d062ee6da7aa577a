"""Rows that the store hands out: frozen, whole numbers in the unit of their name, ISO dates as text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Alarm",
    "Correction",
    "Discrepancy",
    "Intent",
    "Measurement",
    "Patient",
    "PatientKey",
    "Plan",
    "Program",
    "Pump",
    "PumpLink",
    "Reading",
    "RebuildReport",
    "Refill",
    "Visit",
]


@dataclass(frozen=True, slots=True)
class Patient:
    """A patient under the random reference. `sealed` is the encrypted identity, None when erased or unknown.

    `first_idx`, `last_idx` and `last_utc` are the patient's first and last entries in the log, or None.
    """

    ref: str
    sealed: bytes | None
    first_idx: int | None
    last_idx: int | None
    last_utc: str | None


@dataclass(frozen=True, slots=True)
class PatientKey:
    """A patient's key, wrapped. One row for each wrapping key id."""

    kid: str
    patient: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class PumpLink:
    """Which pump is whose: salted tag, patient, model, and the sealed serial number with its salt."""

    tag: str
    patient: str
    model: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Pump:
    """A pump as the log links it. `unlinked_idx` is the entry that ended the link, or None."""

    tag: str
    patient: str | None
    model: str
    receipt_key: str
    linked_idx: int
    linked_utc: str
    unlinked_idx: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One interrogation. `alarms` is JSON; `eri` says that the replacement indicator is on.

    `reservoir_nl` is None where the pump has no volume to tell.
    """

    idx: int
    patient: str | None
    tag: str | None
    epoch: int | None
    chain: str | None
    utc: str
    boot: str
    boot_us: int
    pump_time_ms: int
    rtt_us: int
    reservoir_nl: int | None
    battery_mv: int
    eri: bool
    program_digest: str | None
    last_order: str | None
    tablet_tag: str | None
    alarms: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that was signed and for which COMMIT may have been sent.

    `state`: open, in_doubt, applied, not_applied. `closed_idx` None means the outcome is not known.
    """

    txid: str
    idx: int
    patient: str | None
    tag: str | None
    utc: str
    actor: str
    kind: str
    base_epoch: int
    digest: str | None
    order_digest: str | None
    program: str
    total_24h_ng: int | None
    state: str
    closed_idx: int | None


@dataclass(frozen=True, slots=True)
class Program:
    """A change that the pump applied. `program` is the readable copy as JSON ("null" where there is none)."""

    idx: int
    txid: str
    intent_idx: int
    patient: str | None
    tag: str | None
    epoch: int | None
    utc: str
    actor: str
    kind: str
    digest: str | None
    total_24h_ng: int | None
    program: str


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was drawn from the reservoir at a refill. `class_` is the verdict on the residual."""

    idx: int
    patient: str | None
    tag: str | None
    utc: str
    class_: str
    method: str
    withdrawn_nl: int | None
    expected_nl: int | None
    discarded_nl: int | None


@dataclass(frozen=True, slots=True)
class Correction:
    """A later correction of a field of entry `target`. `old` and `new` are JSON values."""

    idx: int
    target: int
    patient: str | None
    utc: str
    actor: str
    field: str
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refill:
    """A refill with corrected values; `corrections` keeps what stood there before, and why."""

    idx: int
    patient: str | None
    tag: str | None
    utc: str
    actor: str
    injected_nl: int
    concentration_ng_per_ml: int
    lot: str | None
    expires: str | None
    refill_by: str | None
    alarm_guarded: str | None
    alarm_nominal: str | None
    in_pump: bool
    txid: str | None
    measured_idx: int | None
    corrections: tuple[Correction, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm the pump reported. `acknowledged_idx` is the entry of the acknowledgement, or None."""

    idx: int
    patient: str | None
    tag: str | None
    utc: str
    code: str
    priority: str
    state: str
    pump_time_ms: int | None
    acknowledged_idx: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A recorded plan; `rows` is JSON."""

    idx: int
    patient: str | None
    utc: str
    actor: str
    rows: str


@dataclass(frozen=True, slots=True)
class Visit:
    """A person's session from unlocking to closing. `closed_idx` None: it is open."""

    idx: int
    actor: str
    role: str
    utc: str
    locked_idx: int | None
    closed_idx: int | None
    closed_utc: str | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A person's decision on something that did not agree. `about_idx` is the entry it is about."""

    idx: int
    patient: str | None
    utc: str
    actor: str
    about_origin: str | None
    about_idx: int | None
    cause: str
    decision: str


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """Result of making the derived tables again. `differing` names the tables that did not agree before.

    `copies` are indexes of entries whose copied columns (type, patient, utc) disagree with their note.
    """

    entries: int
    differing: tuple[str, ...]
    copies: tuple[int, ...]

    @property
    def agrees(self) -> bool:
        """True if nothing differed."""
        return not self.differing and not self.copies
