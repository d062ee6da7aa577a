"""Data link: stop-and-wait with one owner of the line.

Theory of operation. The **Primary** (tablet) sends a request and waits; the **Secondary** (pump or wand
adapter) speaks only when asked, and its reply is the acknowledgement. A retry is the same stored bytes. A
Secondary that sees the same request again sends its cached reply again and executes nothing. After the
last attempt the Primary reports ``LinkLost``: the request may have been executed or not, and only asking
can tell.

Sequence numbers are fixed by what the frame is, so that the number on the wire is the low byte of the
Noise nonce that seals it and a receiver needs no negotiation:

======================  =========  ================================================
frame                   seq        may follow
======================  =========  ================================================
HELLO                   0xFE       anything (it starts afresh)
HANDSHAKE               0xFF       HELLO
HANDSHAKE_END           0xFC       HANDSHAKE (pairing only: its third message)
BEACON                  0xFD       anything (nothing but another HELLO or BEACON may follow)
first DATA              0x00       HANDSHAKE, HANDSHAKE_END (HELLO on a link without handshake)
DATA n+1 (modulo 256)   n+1        DATA n
======================  =========  ================================================

A HELLO that is byte-identical to the last HELLO is a repeat of it and never starts afresh: every HELLO
therefore carries a fresh nonce in its payload. All times are integer milliseconds of one monotonic clock,
handed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from protocol.errors import FieldOutOfRange, LinkBusy, NothingToAnswer
from protocol.framing import MAX_WIRE, Frame, encode_frame

HELLO_SEQ: Final = 0xFE
HANDSHAKE_SEQ: Final = 0xFF
HANDSHAKE_END_SEQ: Final = 0xFC
BEACON_SEQ: Final = 0xFD
FIRST_DATA_SEQ: Final = 0x00
ATTEMPTS: Final = 4
"""How often a Primary says the same before it gives up."""


class Address(IntEnum):
    """Who the frame is for: the high nibble of ``address_type``."""

    WAND = 0x0
    PUMP = 0x1


class Kind(IntEnum):
    """What the frame is: the low nibble of ``address_type``. Requests are even, their reply is one more."""

    DATA = 0
    DATA_REPLY = 1
    HELLO = 2
    HELLO_REPLY = 3
    HANDSHAKE = 4
    HANDSHAKE_REPLY = 5
    HANDSHAKE_END = 6
    HANDSHAKE_END_REPLY = 7
    BEACON = 8
    BEACON_REPLY = 9


REPLY_TO: Final[Mapping[Kind, Kind]] = MappingProxyType(
    {
        Kind.DATA: Kind.DATA_REPLY,
        Kind.HELLO: Kind.HELLO_REPLY,
        Kind.HANDSHAKE: Kind.HANDSHAKE_REPLY,
        Kind.HANDSHAKE_END: Kind.HANDSHAKE_END_REPLY,
        Kind.BEACON: Kind.BEACON_REPLY,
    }
)
"""The kind of the reply to each kind of request."""

_FIXED_SEQ: Final[Mapping[Kind, int]] = MappingProxyType(
    {
        Kind.HELLO: HELLO_SEQ,
        Kind.HANDSHAKE: HANDSHAKE_SEQ,
        Kind.HANDSHAKE_END: HANDSHAKE_END_SEQ,
        Kind.BEACON: BEACON_SEQ,
    }
)
_AFRESH: Final = frozenset({Kind.HELLO, Kind.BEACON})


def address_type(address: int, kind: int) -> int:
    """The first byte of a body. Both are 0..15; raises ``FieldOutOfRange``.

    >>> hex(address_type(Address.PUMP, Kind.HELLO_REPLY))
    '0x13'
    """
    for name, value in (("address", address), ("kind", kind)):
        if not 0 <= value <= 0xF:
            raise FieldOutOfRange(f"{name} {value} does not fit four bits")
    return address << 4 | kind


def split_address_type(value: int) -> tuple[int, int]:
    """(address, kind) of the first byte of a body."""
    return value >> 4, value & 0xF


def next_data_seq(seq: int) -> int:
    """The sequence number of the DATA frame after ``seq``."""
    return (seq + 1) % 0x100


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """How long the Primary waits for a reply, and how often it tries.

    ``baud`` is the symbol rate of an 8N1 line (10 bits a byte), ``None`` where bytes cost no time (TCP,
    memory). ``device_ms`` is the time the device may take, ``host_slack_ms`` what an operating system may
    add, ``granularity_ms`` the step to which the sum is rounded up.
    """

    baud: int | None
    device_ms: int = 50
    host_slack_ms: int = 250
    granularity_ms: int = 50
    attempts: int = ATTEMPTS

    def __post_init__(self) -> None:
        if self.baud is not None and self.baud <= 0:
            raise FieldOutOfRange(f"baud rate {self.baud} is not positive")
        if self.attempts < 1 or self.granularity_ms < 1 or self.device_ms < 0 or self.host_slack_ms < 0:
            raise FieldOutOfRange("attempts and granularity are at least 1, times at least 0 ms")

    def timeout_ms(self, request_size: int) -> int:
        """Milliseconds from writing a request of ``request_size`` wire bytes until its reply is overdue.

        >>> [LinkTiming(baud).timeout_ms(258) for baud in (115_200, 57_600, 9_600)]
        [350, 400, 850]
        """
        bits_ms = 0 if self.baud is None else -(-(request_size + MAX_WIRE) * 10_000 // self.baud)
        exact = bits_ms + self.device_ms + self.host_slack_ms
        return -(-exact // self.granularity_ms) * self.granularity_ms


@dataclass(frozen=True, slots=True)
class Delivered:
    """The reply to the request in flight, which is hereby finished."""

    kind: int
    seq: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ignored:
    """A frame without effect, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retried:
    """The request in flight was sent again; ``attempt`` counts from 1, the first retry is attempt 2."""

    attempt: int


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The last attempt got no reply. Whether the request was executed is unknown."""

    kind: int
    seq: int
    attempts: int


@dataclass(slots=True)
class _InFlight:
    kind: Kind
    seq: int
    wire: bytes
    attempt: int
    deadline_ms: int


def _request_kind(kind: int) -> Kind:
    if kind not in REPLY_TO:
        raise FieldOutOfRange(f"kind {kind} is not a request")
    return Kind(kind)


class Primary:
    """The end that owns the line: one request at a time to one address."""

    def __init__(self, address: int, timing: LinkTiming) -> None:
        self.address = address
        self.timing = timing
        self._in_flight: _InFlight | None = None
        self._out: list[bytes] = []

    @property
    def busy(self) -> bool:
        """Whether a request waits for its reply."""
        return self._in_flight is not None

    def send(self, kind: int, seq: int, payload: bytes, now_ms: int) -> None:
        """Put a request on the line. Raises ``LinkBusy`` while one is outstanding."""
        if self._in_flight is not None:
            raise LinkBusy(f"request {self._in_flight.seq} is not answered yet")
        request = _request_kind(kind)
        if seq != _FIXED_SEQ.get(request, seq):
            raise FieldOutOfRange(f"{request.name} has sequence number {_FIXED_SEQ[request]}, not {seq}")
        wire = encode_frame(Frame(address_type(self.address, request), seq, payload), idle_line=True)
        self._in_flight = _InFlight(request, seq, wire, 1, now_ms + self.timing.timeout_ms(len(wire)))
        self._out.append(wire)

    def receive(self, frame: Frame, now_ms: int) -> Delivered | Ignored:
        """Take a frame from the line; only the reply to the request in flight has an effect."""
        waiting = self._in_flight
        address, kind = split_address_type(frame.address_type)
        if address != self.address:
            return Ignored("for another address")
        if waiting is None:
            return Ignored("no request is waiting")
        if kind != REPLY_TO[waiting.kind]:
            return Ignored("not a reply to this kind of request")
        if frame.seq != waiting.seq:
            return Ignored("a reply to another sequence number")
        self._in_flight = None
        return Delivered(kind, frame.seq, frame.payload)

    def next_timeout(self) -> int | None:
        """The moment (ms, same clock as ``now_ms``) at which ``handle_timeout`` is due; ``None``: never."""
        return None if self._in_flight is None else self._in_flight.deadline_ms

    def handle_timeout(self, now_ms: int) -> Retried | LinkLost | None:
        """Send the stored bytes again, or give up after the last attempt; ``None`` if nothing is due."""
        waiting = self._in_flight
        if waiting is None or now_ms < waiting.deadline_ms:
            return None
        if waiting.attempt >= self.timing.attempts:
            self._in_flight = None
            return LinkLost(waiting.kind, waiting.seq, waiting.attempt)
        waiting.attempt += 1
        waiting.deadline_ms = now_ms + self.timing.timeout_ms(len(waiting.wire))
        self._out.append(waiting.wire)
        return Retried(waiting.attempt)

    def data_to_send(self) -> bytes:
        """Bytes for the line, each returned once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def cancel(self) -> None:
        """Forget the request in flight and unsent bytes, as when the port is lost."""
        self._in_flight = None
        self._out.clear()


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is to be executed, exactly once; answer it with ``Secondary.reply``."""

    kind: int
    seq: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Repeat:
    """The last request again: send ``reply`` (cached wire bytes); ``None`` while it is being worked on."""

    reply: bytes | None


class Secondary:
    """The end that answers. ``handshake=False`` is for the wand adapter, which holds no keys."""

    def __init__(self, address: int, *, handshake: bool = True) -> None:
        self.address = address
        self._after_hello = (Kind.HANDSHAKE, HANDSHAKE_SEQ) if handshake else (Kind.DATA, FIRST_DATA_SEQ)
        self._last: Frame | None = None
        self._hello: Frame | None = None
        self._cached: bytes | None = None

    def receive(self, frame: Frame) -> Request | Repeat | Ignored:
        """Take a frame from the line and say whether it is new, a repeat, or nothing of ours."""
        address, kind = split_address_type(frame.address_type)
        if address != self.address:
            return Ignored("for another address")
        if kind not in REPLY_TO:
            return Ignored("not a request")
        if frame == self._last:
            return Repeat(self._cached)
        if kind in _AFRESH:
            if frame.seq != _FIXED_SEQ[Kind(kind)]:
                return Ignored("a hello with a wrong sequence number")
            if frame == self._hello:
                return Ignored("a stale copy of the last hello")
            self._hello = frame
            return self._accept(frame, kind)
        if self._last is not None and frame.seq == self._last.seq and self._last.address_type == frame.address_type:
            return Ignored("the last sequence number with different bytes")
        if (kind, frame.seq) not in self._expected():
            return Ignored("neither the last sequence number nor the next")
        return self._accept(frame, kind)

    def reply(self, kind: int, seq: int, payload: bytes) -> bytes:
        """The wire bytes of the reply to the open request, kept for repeats. Raises ``NothingToAnswer``.

        ``kind`` is the kind of the reply and ``seq`` the number of the request.
        """
        last = self._last
        if last is None or self._cached is not None:
            raise NothingToAnswer("no request is open")
        if seq != last.seq or kind != REPLY_TO[Kind(last.address_type & 0xF)]:
            raise NothingToAnswer(f"the open request is number {last.seq} of kind {last.address_type & 0xF}")
        self._cached = encode_frame(Frame(address_type(self.address, kind), seq, payload))
        return self._cached

    def reset(self) -> None:
        """Forget everything, as when a session was closed: only a HELLO is accepted next."""
        self._last = self._hello = self._cached = None

    def repeats(self, frame: Frame) -> bool:
        """Whether this is the last request again, byte for byte."""
        return frame == self._last

    def _expected(self) -> tuple[tuple[Kind, int], ...]:
        if self._last is None:
            return ()
        first = (Kind.DATA, FIRST_DATA_SEQ)
        match Kind(self._last.address_type & 0xF):
            case Kind.HELLO:
                return (self._after_hello,)
            case Kind.BEACON:
                return ()
            case Kind.HANDSHAKE:
                return first, (Kind.HANDSHAKE_END, HANDSHAKE_END_SEQ)
            case Kind.HANDSHAKE_END:
                return (first,)
            case _:
                return ((Kind.DATA, next_data_seq(self._last.seq)),)

    def _accept(self, frame: Frame, kind: int) -> Request:
        self._last = frame
        self._cached = None
        return Request(kind, frame.seq, frame.payload)
