"""What a virtual pump is made of: identity, state, the events that reach it and the effects that it wants.

Frozen values only; what happens with them stands in `firmware`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.virtual.alarms import AlarmBook
from drivers.virtual.eventlog import EventLog
from drivers.virtual.limits import HardRow, Past
from drivers.virtual.physics import Physics
from drivers.virtual.profiles import Profile
from drivers.virtual.record import Record
from protocol.credential import Credential, Trust
from protocol.messages import EmergencyAct, Message, Mode, Realm
from protocol.participant import Participant, Signer
from protocol.session import PairedTablet, SessionKind

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
    catheter_nl: int = 0

    @property
    def receipt_public(self) -> bytes:
        """Ed25519 public key that verifies the receipts."""
        return Ed25519PrivateKey.from_private_bytes(self.receipt_seed).public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Session:
    """The open session, and the persons whose credentials were presented in it, `shown` beside each signer. `public`
    is the key that a tablet proved in pairing, `pattern` the beeps that it must know, `tried` that it has named some;
    `refused` counts refused commands.
    """

    tablet_id: str
    handshake_hash: bytes
    signers: tuple[Signer, ...] = ()
    shown: tuple[Credential, ...] = ()
    requests: int = 0
    kind: SessionKind = SessionKind.ROUTINE
    public: bytes = b""
    pattern: bytes = b""
    tried: bool = False
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Use:
    """One use of break-glass: what was done (None: only read), and who said so."""

    at_ms: int
    act: EmergencyAct | None
    name: str
    reason: str
    phone: str


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
    `hands` tells that needle and syringe have been used since the last refill order (simulated world).
    `override` is the mode of an emergency act over the signed program, `uses` the book of break-glass, `paired`
    the tablets paired by presence. `trust` and `verified` are what the pump knows of credentials, the latter by
    digest and only while it has power."""

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
    override: Mode | None = None
    uses: tuple[Use, ...] = ()
    paired: tuple[PairedTablet, ...] = ()


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing but time."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A new session proved itself."""

    tablet_id: str
    handshake_hash: bytes
    kind: SessionKind = SessionKind.ROUTINE
    public: bytes = b""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; `orderly` when it was closed and not lost."""

    orderly: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request; `entropy` is 32 fresh random bytes for a token or a key. `contact_ms`: for how long the wand has
    been in place; `window_ms`: for how long somebody present still lets a tablet be paired."""

    message: Message
    entropy: bytes
    contact_ms: int = 0
    window_ms: int = 0


@dataclass(frozen=True, slots=True)
class Needle:
    """Hands at the port: withdraw (None: all), then inject, in nL, a strength in ng/mL (None: the program's)."""

    withdraw_nl: int | None
    inject_nl: int
    conc_ng_ml: int | None = None


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
