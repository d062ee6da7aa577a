"""What a connection tells its host; immutable, so that it can be handed between threads."""

from dataclasses import dataclass
from enum import Enum

from protocol import wand
from protocol.messages import Beacon, HelloPump, Message
from protocol.session import ImplantCard, Pairing, SessionKind


class EndReason(Enum):
    """Why a session is over."""

    CLOSED = "closed"
    LINK_LOST = "no answer"
    SILENCE = "line silent"
    TIME_LIMIT = "time limit reached"
    TAMPERED = "a frame failed its authentication"
    MALFORMED = "a message of no known form"
    REPLACED = "a new session began"
    PORT_LOST = "the port is gone"
    REFUSED = "too many commands were refused"


@dataclass(frozen=True, slots=True)
class WandFound:
    """The wand adapter answered with its name."""

    identity: wand.Identity


@dataclass(frozen=True, slots=True)
class CouplingRead:
    """How well the wand couples, 0 to 5."""

    coupling: wand.Coupling


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """Tablet: the secure session with this pump is open. ``pump`` is what the tablet itself holds of the pump."""

    pump: Pairing | ImplantCard
    handshake_hash: bytes
    kind: SessionKind = SessionKind.ROUTINE


@dataclass(frozen=True, slots=True)
class TabletArrived:
    """Pump: the first authentic message of a new session came from this tablet.

    Break-glass has no tablet id and no key; pairing has the key that the tablet proved to hold, ``public``.
    """

    tablet_id: str
    handshake_hash: bytes
    kind: SessionKind = SessionKind.ROUTINE
    public: bytes = b""


@dataclass(frozen=True, slots=True)
class PumpNotPaired:
    """A pump answered with which this tablet shares no key; which pump it is stays unknown."""


@dataclass(frozen=True, slots=True)
class BeaconHeard:
    """Tablet: an implant answered the contact without authentication."""

    beacon: Beacon


@dataclass(frozen=True, slots=True)
class VersionRefused:
    """The pump speaks no version that this tablet knows."""

    pump: HelloPump


@dataclass(frozen=True, slots=True)
class Received:
    """Tablet: the answer to request ``request_id``. Pump: a request to be answered with ``reply``."""

    request_id: int
    message: Message


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session, or the attempt to open one, is over; an unanswered request may or may not have been executed."""

    reason: EndReason


Event = (
    WandFound
    | CouplingRead
    | SessionOpened
    | TabletArrived
    | PumpNotPaired
    | VersionRefused
    | BeaconHeard
    | Received
    | SessionEnded
)
