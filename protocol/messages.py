"""The messages between tablet and pump, each declared once.

A message travels as one frame: the array ``[op, request id, body]``. Requests come from the tablet, each reply names
the request that it answers. Quantities are integers in base units; the unit stands beside the field.
Times of the pump are seconds since 1970-01-01T00:00:00Z on the pump's own clock.
"""

from enum import IntEnum, IntFlag
from typing import Annotated, ClassVar

from pydantic import Field

from protocol import cbor
from protocol.errors import MalformedMessage
from protocol.wire_model import U8, U16, U32, U64, Bytes8, Bytes16, Bytes32, Bytes64, Wire, WireModel

MAX_MESSAGE_BYTES = 232
MAX_CREDENTIAL_BYTES = 208

Name = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[A-Z0-9-]+$")]


class Realm(IntEnum):
    """Whether a pump is real or simulated; bound into every order and receipt."""

    CLINICAL = 0
    SIMULATED = 1


class OrderKind(IntEnum):
    """What an order changes; rights go by this kind."""

    PROGRAM = 1
    REFILL = 2
    ALARM_VOLUME = 3
    CLOCK = 4
    STOP = 5
    RESUME = 6
    LIMITS = 7
    PAIRING = 8


class Mode(IntEnum):
    """How the pump delivers."""

    STOPPED = 0
    SIMPLE = 1
    MINIMUM_RATE = 2
    SAFE_STATE = 3


class Drug(IntEnum):
    """The only drug of the library."""

    BACLOFEN = 1


class Discrepancy(IntEnum):
    """State of a refill's volume discrepancy: while it is open the pump refuses every increase."""

    NONE = 0
    OPEN = 1
    CLOSED = 2


class Role(IntEnum):
    """Role in a clinician's credential; in a tablet's, the highest role that may sign on it."""

    PRESCRIBER = 1
    IMPLANTER = 2
    REFILL_NURSE = 3
    THERAPIST = 4
    QA = 5
    ADMINISTRATOR = 6
    OBSERVER = 7


class Alarm(IntFlag):
    """Bits of the alarm fields of a status report."""

    LOW_RESERVOIR = 1
    EMPTY = 2
    ERI = 4
    EOS = 8
    STALL = 16
    MEMORY = 32
    STOPPED = 64
    SAFE_STATE = 128


class Refusal(IntEnum):
    """Why the pump did not do what was asked."""

    EXPIRED = 1
    EPOCH = 2
    TOKEN = 3
    SIGNATURE = 4
    UNKNOWN_TX = 5
    TX_USED = 6
    DIGEST = 7
    ROLE = 8
    SIGNER_UNKNOWN = 9
    NOT_READ_BACK = 10
    PROGRAM_CHANGED = 11
    DISCREPANCY_OPEN = 12
    SAFE_STATE = 13
    MALFORMED = 14
    UNSUPPORTED = 15
    NO_SUCH_ALARM = 16
    MEMORY = 17
    CREDENTIAL = 18
    EXPIRED_CREDENTIAL = 19
    REVOKED = 20
    ROOT_UNKNOWN = 21
    TABLET_CREDENTIAL = 22
    TABLETS_FULL = 23
    NOT_IN_THIS_SESSION = 24
    CONTACT_TOO_SHORT = 25
    TOO_OFTEN = 26
    GAP_TOO_LONG = 27
    NOT_LOWER = 28
    NOTHING_TO_RESUME = 29
    WRONG_PATTERN = 30
    WINDOW_CLOSED = 31
    LIMIT_DOSE_HIGH = 32
    LIMIT_DOSE_LOW = 33
    LIMIT_STEP_UP = 34
    LIMIT_STEP_DOWN = 35
    LIMIT_CHANGE_24H = 36
    LIMIT_CHANGE_7D = 37
    LIMIT_FLOW_LOW = 38
    LIMIT_FLOW_HIGH = 39
    LIMIT_WINDOW = 40
    LIMIT_ALARM_VOLUME = 41
    LIMIT_CAPACITY = 42
    LIMIT_CONCENTRATION = 43
    SECOND_PERSON = 44
    SESSION_OVER = 45


class Device(IntEnum):
    """What an implant says it is to somebody who knows nothing of it."""

    INFUSION_PUMP = 1


class HelloTablet(WireModel):
    """First words of the tablet, in clear; bound into the handshake byte for byte."""

    OPEN: ClassVar[bool] = True
    min_version: Annotated[U8, Wire(0)]
    max_version: Annotated[U8, Wire(1)]
    capabilities: Annotated[U32, Wire(2)]
    link_kind: Annotated[U8, Wire(3)]
    nonce: Annotated[Bytes8, Wire(4)]
    kind: Annotated[U8, Wire(5, "0 routine, 1 break-glass, 2 pairing")]


class HelloPump(WireModel):
    """The pump's answer in clear; bound into the handshake byte for byte."""

    OPEN: ClassVar[bool] = True
    version: Annotated[U8, Wire(0)]
    capabilities: Annotated[U32, Wire(1)]
    nonce: Annotated[Bytes8, Wire(2)]
    tags: Annotated[Bytes64, Wire(3, "8 tags of 8 bytes")]


class Beacon(WireModel):
    """Answer to a contact of 20 seconds, in clear and without authentication: no drug, no identity."""

    OPEN: ClassVar[bool] = True
    device: Annotated[Device, Wire(0)]
    alarm: Annotated[bool, Wire(1)]
    call: Annotated[str, Field(min_length=1, max_length=24), Wire(2, "phone number")]


class Program(WireModel):
    """Everything that defines delivery: mode, daily dose, concentration, alarm volume, drug."""

    mode: Annotated[Mode, Wire(0)]
    dose_ng_per_day: Annotated[U32, Wire(1, "ng/day")]
    concentration_ng_per_ml: Annotated[U32, Wire(2, "ng/mL")]
    alarm_nl: Annotated[U32, Wire(3, "nL")]
    drug: Annotated[Drug, Wire(4)]


class Message(WireModel):
    """A message inside the secure session."""

    OP: ClassVar[int]
    AFFECTS_THERAPY: ClassVar[bool] = False
    REQUEST: ClassVar[bool] = False


class KeepAlive(Message):
    """Nothing but a sign of life, each second while the line is idle."""

    OP = 1
    REQUEST = True


class Alive(Message):
    """Answer to ``KeepAlive``."""

    OP = 2


class GetStatus(Message):
    """Ask for the whole interrogation in one report."""

    OP = 3
    REQUEST = True


class Status(Message):
    """The whole interrogation. Reading changes nothing in the pump."""

    OP = 4
    POSITIONAL = True
    OPEN = True
    pump_time_s: Annotated[U32, Wire(0, "s")]
    realm: Annotated[Realm, Wire(1)]
    mode: Annotated[Mode, Wire(2)]
    drug: Annotated[Drug, Wire(3)]
    dose_ng_per_day: Annotated[U32, Wire(4, "ng/day")]
    flow_nl_per_day: Annotated[U32, Wire(5, "nL/day")]
    concentration_ng_per_ml: Annotated[U32, Wire(6, "ng/mL")]
    alarm_nl: Annotated[U32, Wire(7, "nL")]
    epoch: Annotated[U32, Wire(8)]
    program_digest8: Annotated[Bytes8, Wire(9)]
    since_s: Annotated[U32, Wire(10, "s")]
    reservoir_nl: Annotated[U32, Wire(11, "nL")]
    capacity_nl: Annotated[U32, Wire(12, "nL")]
    filled_nl: Annotated[U32, Wire(13, "nL")]
    filled_at_s: Annotated[U32, Wire(14, "s")]
    delivered_nl: Annotated[U32, Wire(15, "nL")]
    battery_mv: Annotated[U16, Wire(16, "mV")]
    battery_used_permille: Annotated[U16, Wire(17, "1/1000")]
    eri_at_s: Annotated[U32, Wire(18, "s, 0: not raised")]
    alarms: Annotated[U16, Wire(19, "bits of Alarm")]
    silenced: Annotated[U16, Wire(20, "bits of Alarm")]
    events_first: Annotated[U32, Wire(21)]
    events_next: Annotated[U32, Wire(22)]
    patient_tag: Annotated[Bytes8, Wire(23)]
    profile: Annotated[U16, Wire(24)]
    gap_s: Annotated[U32, Wire(25, "s")]
    discrepancy: Annotated[Discrepancy, Wire(26)]
    staged: Annotated[bool, Wire(27)]
    interrupted: Annotated[U16, Wire(28, "sessions ended without close")]
    resets: Annotated[U16, Wire(29)]

    @property
    def program(self) -> Program:
        """The running program as this report gives it."""
        return Program(
            mode=self.mode,
            dose_ng_per_day=self.dose_ng_per_day,
            concentration_ng_per_ml=self.concentration_ng_per_ml,
            alarm_nl=self.alarm_nl,
            drug=self.drug,
        )


class GetEvents(Message):
    """Ask for a page of the pump's event log, from a sequence number on."""

    OP = 5
    REQUEST = True
    cursor: Annotated[U32, Wire(0)]


class EventItem(WireModel):
    """One entry of the pump's event log."""

    POSITIONAL: ClassVar[bool] = True
    time_s: Annotated[U32, Wire(0, "s")]
    code: Annotated[U8, Wire(1)]
    argument: Annotated[U32, Wire(2)]


class Events(Message):
    """A page of the event log; ``lost`` entries before it were overwritten."""

    OP = 6
    OPEN = True
    first: Annotated[U32, Wire(0)]
    next: Annotated[U32, Wire(1)]
    lost: Annotated[U32, Wire(2)]
    items: Annotated[tuple[EventItem, ...], Wire(3)]


class Anchor(Message):
    """Ask for the pump's witness record, freshly signed over this nonce."""

    OP = 7
    REQUEST = True
    nonce: Annotated[Bytes16, Wire(0)]


class Anchored(Message):
    """The witness record of the newest order, with the pump's signature; written together with that order."""

    OP = 8
    epoch: Annotated[U32, Wire(0)]
    order_hash: Annotated[Bytes32, Wire(1)]
    chain: Annotated[Bytes32, Wire(2)]
    tablet_tag: Annotated[Bytes8, Wire(3)]
    pump_time_s: Annotated[U32, Wire(4, "s")]
    signature: Annotated[Bytes64, Wire(5)]


class StageProgram(Message):
    """Propose a whole program; the running one delivers on unchanged."""

    OP = 16
    AFFECTS_THERAPY = True
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]
    base_epoch: Annotated[U32, Wire(1)]
    program: Annotated[Program, Wire(2)]
    annex: Annotated[Bytes32, Wire(3)]


class StageRefill(Message):
    """Propose a new reservoir volume; the program stays, and its digest says which one is meant."""

    OP = 17
    AFFECTS_THERAPY = True
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]
    base_epoch: Annotated[U32, Wire(1)]
    program_digest: Annotated[Bytes32, Wire(2)]
    reservoir_nl: Annotated[U32, Wire(3, "nL")]
    discrepancy: Annotated[Discrepancy, Wire(4)]
    annex: Annotated[Bytes32, Wire(5)]


Stage = StageProgram | StageRefill


class Staged(Message):
    """The proposal is stored; it can be read back, and committed until it expires."""

    OP = 18
    txid: Annotated[Bytes16, Wire(0)]
    digest: Annotated[Bytes32, Wire(1)]
    token: Annotated[Bytes8, Wire(2)]
    expires_in_s: Annotated[U16, Wire(3, "s")]
    persons: Annotated[U8, Wire(4, "signatures that the pump demands")]


class ReadBack(Message):
    """Ask what the pump understood."""

    OP = 19
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]


class ReadBackReport(Message):
    """The proposal as stored and decoded by the pump, with its own totals."""

    OP = 20
    txid: Annotated[Bytes16, Wire(0)]
    kind: Annotated[OrderKind, Wire(1)]
    base_epoch: Annotated[U32, Wire(2)]
    program: Annotated[Program, Wire(3)]
    flow_nl_per_day: Annotated[U32, Wire(4, "nL/day")]
    total_24h_fg: Annotated[U64, Wire(5, "fg")]
    reservoir_nl: Annotated[U32, Wire(6, "nL")]
    discrepancy: Annotated[Discrepancy, Wire(7)]
    staged_at_s: Annotated[U32, Wire(8, "s")]
    previous_digest: Annotated[Bytes32, Wire(9)]


class Present(Message):
    """Show a credential: whole, or its 32-byte digest where the pump has verified it before."""

    OP = 21
    AFFECTS_THERAPY = True
    REQUEST = True
    position: Annotated[U8, Wire(0, "0: author, 1: second person, 2: this tablet")]
    credential: Annotated[bytes, Field(min_length=32, max_length=MAX_CREDENTIAL_BYTES), Wire(1)]


class Presented(Message):
    """The credential holds, with this role."""

    OP = 22
    position: Annotated[U8, Wire(0)]
    role: Annotated[Role, Wire(1)]


class Commit(Message):
    """Put the proposal in force: the only message that changes therapy."""

    OP = 23
    AFFECTS_THERAPY = True
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]
    token: Annotated[Bytes8, Wire(1)]
    digest: Annotated[Bytes32, Wire(2)]
    head: Annotated[Bytes16, Wire(3)]
    signatures: Annotated[tuple[Bytes64, ...], Wire(4), Field(min_length=1, max_length=2)]


class Committed(Message):
    """The proposal is in force since ``effective_at_s``; signed with the pump's receipt key."""

    OP = 24
    txid: Annotated[Bytes16, Wire(0)]
    epoch: Annotated[U32, Wire(1)]
    digest: Annotated[Bytes32, Wire(2)]
    effective_at_s: Annotated[U32, Wire(3, "s")]
    chain: Annotated[Bytes32, Wire(4)]
    receipt: Annotated[Bytes64, Wire(5)]


class Query(Message):
    """Ask what became of a proposal; the answer is final."""

    OP = 25
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]
    base_epoch: Annotated[U32, Wire(1)]


class NotApplied(Message):
    """The proposal was not put in force and never will be."""

    OP = 26
    txid: Annotated[Bytes16, Wire(0)]


class Indeterminate(Message):
    """The pump's history no longer reaches back to this proposal."""

    OP = 27
    txid: Annotated[Bytes16, Wire(0)]
    oldest_epoch: Annotated[U32, Wire(1)]


class Abort(Message):
    """Drop the proposal."""

    OP = 28
    REQUEST = True
    txid: Annotated[Bytes16, Wire(0)]


class Aborted(Message):
    """The proposal is dropped for ever."""

    OP = 29
    txid: Annotated[Bytes16, Wire(0)]


class SilenceAlarm(Message):
    """Pause the pump's alarm sound; the condition stays."""

    OP = 32
    REQUEST = True
    alarm: Annotated[U16, Wire(0, "one bit of Alarm")]


class Silenced(Message):
    """The sound pauses for this long and comes back by itself."""

    OP = 33
    alarm: Annotated[U16, Wire(0)]
    seconds: Annotated[U16, Wire(1, "s")]


class Close(Message):
    """End the session in good order; counts let both sides see that nothing was lost."""

    OP = 40
    REQUEST = True
    requests: Annotated[U32, Wire(0)]


class Closed(Message):
    """The session is over."""

    OP = 41
    requests: Annotated[U32, Wire(0)]


class EmergencyAct(IntEnum):
    """What the holder of the implant card may do; nothing of it raises delivery above the last signed program."""

    STOP = 1
    MINIMUM = 2
    RESUME = 3


class Emergency(Message):
    """Break-glass: stop, minimum rate, or resume the last signed program; with who asks, why, and a phone number."""

    OP = 56
    AFFECTS_THERAPY = True
    REQUEST = True
    act: Annotated[EmergencyAct, Wire(0)]
    name: Annotated[str, Field(min_length=1, max_length=40), Wire(1)]
    reason: Annotated[str, Field(min_length=1, max_length=60), Wire(2)]
    phone: Annotated[str, Field(min_length=1, max_length=24), Wire(3)]


class EmergencyDone(Message):
    """The pump did it; ``left`` tells how often the same is possible within the next 24 hours."""

    OP = 57
    act: Annotated[EmergencyAct, Wire(0)]
    at_s: Annotated[U32, Wire(1, "s")]
    mode: Annotated[Mode, Wire(2)]
    flow_nl_per_day: Annotated[U32, Wire(3, "nL/day")]
    left: Annotated[U8, Wire(4)]


class Pair(Message):
    """Pairing: ask to become a tablet of this pump. The pump beeps a pattern, to be typed in."""

    OP = 58
    REQUEST = True
    tablet_id: Annotated[Name, Wire(0)]


class Listen(Message):
    """The pump beeps the pattern now; it waits this long for it."""

    OP = 59
    seconds: Annotated[U16, Wire(0, "s")]


class ConfirmPattern(Message):
    """What a person heard: six groups of one to four beeps."""

    OP = 60
    REQUEST = True
    pattern: Annotated[bytes, Field(min_length=6, max_length=6), Wire(0, "beeps in each group")]


class Paired(Message):
    """The tablet is paired: its random key for this pump, and the key that verifies the pump's receipts."""

    OP = 61
    psk: Annotated[Bytes32, Wire(0)]
    receipt_key: Annotated[Bytes32, Wire(1)]


class Refused(Message):
    """The pump did not do it, and says why."""

    OP = 48
    op: Annotated[U8, Wire(0)]
    txid: Annotated[bytes, Field(max_length=16), Wire(1)]
    reasons: Annotated[tuple[Refusal, ...], Wire(2), Field(min_length=1, max_length=16)]


MESSAGES: dict[int, type[Message]] = {
    kind.OP: kind
    for kind in (
        KeepAlive, Alive, GetStatus, Status, GetEvents, Events, Anchor, Anchored, StageProgram, StageRefill, Staged,
        ReadBack, ReadBackReport, Present, Presented, Commit, Committed, Query, NotApplied, Indeterminate, Abort,
        Aborted, SilenceAlarm, Silenced, Close, Closed, Refused, Emergency, EmergencyDone, Pair, Listen,
        ConfirmPattern, Paired,
    )
}  # fmt: skip


def encode_message(request_id: int, message: Message) -> bytes:
    """The bytes of a message; at most ``MAX_MESSAGE_BYTES``.

    Raises:
        ValueError: the message is longer than one frame takes.
    """
    data = cbor.encode([message.OP, request_id, message.to_wire()])
    if len(data) > MAX_MESSAGE_BYTES:
        raise ValueError(f"{type(message).__name__} takes {len(data)} of {MAX_MESSAGE_BYTES} bytes")
    return data


def decode_message(data: bytes) -> tuple[int, Message]:
    """Request id and message of ``data``.

    Raises:
        MalformedMessage: the bytes are no message of this protocol.
    """
    value = cbor.decode(data)
    if not isinstance(value, list) or len(value) != 3:
        raise MalformedMessage("no array of op, request id and body")
    op, request_id, body = value
    if isinstance(op, bool) or not isinstance(op, int) or op not in MESSAGES:
        raise MalformedMessage(f"unknown op {op!r}")
    if isinstance(request_id, bool) or not isinstance(request_id, int) or request_id > 0xFFFF:
        raise MalformedMessage("request id out of range")
    return request_id, MESSAGES[op].from_wire(body)
