"""What a virtual pump is made of: identity, state, the events that reach it and the effects that it wants.

Frozen values only; what happens with them stands in `firmware`.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.virtual.alarms import AlarmBook
from drivers.virtual.eventlog import EventLog
from drivers.virtual.limits import HardRow, Past
from drivers.virtual.physics import Physics
from drivers.virtual.profiles import Profile
from drivers.virtual.record import Record
from protocol.messages import Message, Realm, Role
from protocol.participant import Participant, Signer


@dataclass(frozen=True, slots=True)
class Identity:
    """What the pump was provisioned with and no message changes. `clinicians` maps Ed25519 keys to roles."""

    profile: Profile
    serial: str
    realm: Realm
    patient_tag: bytes
    row: HardRow
    receipt_seed: bytes
    clinicians: tuple[tuple[bytes, Role], ...]


@dataclass(frozen=True, slots=True)
class Session:
    """The open session, and the persons whose keys were presented in it."""

    tablet_id: str
    handshake_hash: bytes
    signers: tuple[Signer, ...] = ()
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Small facts of the pump's life. `stopped_ms`: since when nothing is delivered, None while it delivers."""

    interrupted: int = 0
    resets: int = 0
    slot_bad: bool = False
    stopped_ms: int | None = None


@dataclass(frozen=True, slots=True)
class PumpState:
    """All of the pump. `image` is its durable memory, `record` and `participant` what boot made of it;
    `hands` tells that needle and syringe have been used since the last refill order (simulated world)."""

    image: bytes
    record: Record | None
    participant: Participant
    physics: Physics
    alarms: AlarmBook
    log: EventLog
    history: tuple[Past, ...]
    counters: Counters
    session: Session | None = None
    hands: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A new session proved itself."""

    tablet_id: str
    handshake_hash: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; `orderly` when it was closed and not lost."""

    orderly: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `entropy` is 8 fresh random bytes for a token."""

    message: Message
    entropy: bytes


@dataclass(frozen=True, slots=True)
class Needle:
    """Hands at the port: withdraw (None: all), then inject, in nL."""

    withdraw_nl: int | None
    inject_nl: int


@dataclass(frozen=True, slots=True)
class Gain:
    """True flow differs from programmed flow by so many ppm from now on."""

    ppm: int


Event = Tick | Arrived | Ended | Asked | Needle | Gain


@dataclass(frozen=True, slots=True)
class Save:
    """Make the state durable before the effects that follow."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer the open request."""

    message: Message


Out = Save | Reply
Step = tuple[PumpState, tuple[Out, ...]]
