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
from protocol.credential import Credential, Trust
from protocol.messages import Message, Realm
from protocol.participant import Participant, Signer

NOTHING_TRUSTED = Trust((), ())


@dataclass(frozen=True, slots=True)
class Identity:
    """What the pump was provisioned with and no message changes. `roots` are Ed25519 keys of clinics, `tablets` maps
    names to X25519 keys, `two_persons` names what needs a second signature for this patient (rules.TWO_PERSONS)."""

    profile: Profile
    serial: str
    realm: Realm
    patient_tag: bytes
    row: HardRow
    receipt_seed: bytes
    roots: tuple[bytes, ...]
    tablets: tuple[tuple[str, bytes], ...] = ()
    two_persons: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """The open session, and the persons whose credentials were presented in it, `shown` beside each signer."""

    tablet_id: str
    handshake_hash: bytes
    signers: tuple[Signer, ...] = ()
    shown: tuple[Credential, ...] = ()
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
    `trust` and `verified` are what the pump knows of credentials, the latter by digest and only while it has power;
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
    trust: Trust = NOTHING_TRUSTED
    verified: tuple[tuple[bytes, Credential], ...] = ()


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
