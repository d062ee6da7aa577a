"""The pump's end of the wire: framing, link, session and messages composed, without any input or output.

A host feeds received bytes and the time, answers each ``Received`` with ``reply``, and takes bytes to send. Nothing of
a new session counts before its first authentic message; until then an earlier one is only held, not replaced.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from protocol.errors import NoiseError, ProtocolError
from protocol.events import EndReason, Event, Received, SessionEnded, TabletArrived
from protocol.framing import Discarded, Frame, FrameDecoder
from protocol.link import ATTEMPTS, Address, Kind, Repeat, Request, Secondary, address_type, split_address_type
from protocol.messages import (
    Beacon,
    Closed,
    Committed,
    HelloPump,
    HelloTablet,
    Message,
    Refusal,
    Refused,
    decode_message,
    encode_message,
)
from protocol.noise import HandshakeState
from protocol.session import (
    CAPABILITIES,
    GREETING_TAG,
    SESSION_MS,
    VERSION,
    Channel,
    Direction,
    PairedTablet,
    PumpKeys,
    SessionKind,
    card_psk,
    carded_handshake,
    greeting_tag,
    pump_handshake,
    pump_tags,
)

SILENCE_MS = 5_000


class Bucket:
    """So many at once, and one more each ``refill_ms``: what a flood may cost the pump."""

    __slots__ = ("_at_ms", "_left", "_most", "_refill_ms")

    def __init__(self, most: int, refill_ms: int) -> None:
        self._most = self._left = most
        self._refill_ms = refill_ms
        self._at_ms: int | None = None

    def allows(self, now_ms: int) -> bool:
        """Whether one more may be done now."""
        if self._at_ms is None:
            self._at_ms = now_ms
        gained = (now_ms - self._at_ms) // self._refill_ms
        if gained > 0:
            self._left = min(self._most, self._left + gained)
            self._at_ms += gained * self._refill_ms
        return self._left > 0

    def take(self, now_ms: int) -> bool:
        """Whether one more may be done now; it counts as done."""
        if not self.allows(now_ms):
            return False
        self._left -= 1
        return True


@dataclass(frozen=True, slots=True)
class _Greeted:
    """Both greetings, until the handshake that may follow them."""

    kind: SessionKind
    nonces: tuple[bytes, bytes]
    hello_tablet: bytes
    hello_pump: bytes


@dataclass(frozen=True, slots=True)
class _Pending:
    """A handshake that no authentic message has followed yet."""

    kind: SessionKind
    tablet_id: str
    handshake: HandshakeState


class PumpConnection:
    """The Secondary: answers one request at a time.

    The host sets ``beacon`` while the contact is long enough for an answer without authentication, and
    ``pairing_open`` while somebody present may pair a tablet.
    """

    def __init__(
        self,
        keys: PumpKeys,
        tablets: Mapping[str, PairedTablet],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._tablets = tablets
        self._entropy = entropy
        self._decoder = FrameDecoder()
        self._link = Secondary(Address.PUMP)
        self._out: list[bytes] = []
        self._open: Request | None = None
        self._number = 0
        self._hello: _Greeted | None = None
        self._pending: _Pending | None = None
        self._sending: Channel | None = None
        self._receiving: Channel | None = None
        self._arrived = False
        self._last_ms = 0
        self._repeats = 0
        self._ends_ms = 0
        self._greetings = Bucket(most=32, refill_ms=250)
        self._forgeries = Bucket(most=16, refill_ms=1_000)
        self.curve_work = 0
        self.beacon: Beacon | None = None
        self.pairing_open = False

    @property
    def in_session(self) -> bool:
        """Whether a session is open and has proved itself."""
        return self._arrived

    def data_to_send(self) -> bytes:
        """Bytes for the line, each once."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def next_timeout(self) -> int | None:
        """When ``handle_timeout`` is due."""
        return min(self._last_ms + SILENCE_MS, self._ends_ms) if self._arrived else None

    def handle_timeout(self, now_ms: int) -> list[Event]:
        """End a session whose line is silent or whose time is over."""
        due = self.next_timeout()
        if due is None or now_ms < due:
            return []
        return self._end(EndReason.TIME_LIMIT if now_ms >= self._ends_ms else EndReason.SILENCE)

    def receive_data(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes from the line; the requests they hold."""
        events = self.handle_timeout(now_ms)
        for item in self._decoder.feed(data):
            if not isinstance(item, Discarded):
                events += self._on_frame(item, now_ms)
        return events

    def _on_frame(self, frame: Frame, now_ms: int) -> list[Event]:
        address, kind = split_address_type(frame.address_type)
        afresh = address == Address.PUMP and kind in (Kind.HELLO, Kind.BEACON) and not self._link.repeats(frame)
        if afresh and not self._greetings.take(now_ms):
            return []
        taken = self._link.receive(frame)
        if isinstance(taken, Repeat):
            if self._arrived and kind == Kind.DATA and self._repeats < ATTEMPTS - 1:
                self._last_ms = now_ms  # a live tablet says the same no more often; a bus that does keeps nothing open
                self._repeats += 1
            if taken.reply is not None:
                self._out.append(taken.reply)
            return []
        if not isinstance(taken, Request):
            return []
        try:
            return self._on_request(taken, now_ms)
        except NoiseError:
            return self._end(EndReason.TAMPERED)
        except ProtocolError:
            return self._end(EndReason.MALFORMED)

    def _on_request(self, request: Request, now_ms: int) -> list[Event]:
        match request.kind:
            case Kind.HELLO:
                self._on_hello(request)
            case Kind.HANDSHAKE:
                self._on_handshake(request, now_ms)
            case Kind.HANDSHAKE_END:
                self._on_handshake_end(request)
            case Kind.BEACON:
                self._on_beacon(request)
            case _:
                return self._on_message(request, now_ms)
        return []

    def _on_beacon(self, request: Request) -> None:
        self._hello = self._pending = self._open = None
        if self.beacon is not None:
            self._out.append(self._link.reply(Kind.BEACON_REPLY, request.seq, self.beacon.encode()))

    def _on_hello(self, request: Request) -> None:
        self._hello = self._pending = self._open = None
        try:
            hello = HelloTablet.decode(request.payload)
        except ProtocolError:
            return
        nonce = self._entropy(8)
        psks = [psk for _, psk in self._known(hello.kind)]
        answer = HelloPump(
            version=VERSION,
            capabilities=CAPABILITIES,
            nonce=nonce,
            tags=pump_tags(psks, hello.nonce, nonce, self._entropy),
        ).encode()
        if hello.min_version <= VERSION <= hello.max_version and psks:
            self._hello = _Greeted(SessionKind(hello.kind), (hello.nonce, nonce), request.payload, answer)
        self._out.append(self._link.reply(Kind.HELLO_REPLY, request.seq, answer))

    def _known(self, kind: int) -> list[tuple[PairedTablet | None, bytes]]:
        """Who may open this kind of session, each with the key; nobody for a kind that is unknown."""
        if kind == SessionKind.ROUTINE:
            return [(tablet, tablet.psk) for tablet in self._tablets.values()]
        secret = self._keys.card_secret
        closed = kind == SessionKind.PAIRING and not self.pairing_open
        if secret is None or closed or kind not in (SessionKind.BREAK_GLASS, SessionKind.PAIRING):
            return []
        return [(None, card_psk(secret, SessionKind(kind)))]

    def _on_handshake(self, request: Request, now_ms: int) -> None:
        greeted, self._hello = self._hello, None
        if greeted is None:
            return
        tag, message = request.payload[:GREETING_TAG], request.payload[GREETING_TAG:]
        wanted = [
            (tablet, psk)
            for tablet, psk in self._known(greeted.kind)
            if hmac.compare_digest(tag, greeting_tag(psk, Direction.TO_PUMP, *greeted.nonces))
        ]
        if not wanted or not self._forgeries.allows(now_ms):
            return
        tablet, psk = wanted[0]
        handshake = self._handshake(greeted, tablet, psk)
        self.curve_work += 1
        try:
            handshake.read_message(message)
        except NoiseError:
            self._forgeries.take(now_ms)
            return
        self._pending = _Pending(greeted.kind, "" if tablet is None else tablet.tablet_id, handshake)
        self._out.append(self._link.reply(Kind.HANDSHAKE_REPLY, request.seq, handshake.write_message(b"")))

    def _handshake(self, greeted: _Greeted, tablet: PairedTablet | None, psk: bytes) -> HandshakeState:
        hellos = greeted.hello_tablet, greeted.hello_pump
        if tablet is not None:
            return pump_handshake(self._keys, tablet, self._entropy(32), *hellos)
        return carded_handshake(greeted.kind, self._keys, psk, self._entropy(32), *hellos)

    def _on_handshake_end(self, request: Request) -> None:
        pending = self._pending
        if pending is None or pending.handshake.complete:
            return
        try:
            pending.handshake.read_message(request.payload)
        except NoiseError:
            self._pending = None
            return
        self._out.append(self._link.reply(Kind.HANDSHAKE_END_REPLY, request.seq, b""))

    def _on_message(self, request: Request, now_ms: int) -> list[Event]:
        events: list[Event] = []
        kind = address_type(Address.PUMP, Kind.DATA)
        pending, self._pending = self._pending, None
        if pending is not None:
            handshake = pending.handshake
            if not handshake.complete:
                return []
            receiving, sending = handshake.split()
            fresh = Channel(receiving, Direction.TO_PUMP)
            plain = fresh.open(kind, request.payload)
            if self._arrived:
                events.append(SessionEnded(EndReason.REPLACED))
            self._receiving, self._sending = fresh, Channel(sending, Direction.FROM_PUMP)
            self._arrived = True
            self._ends_ms = now_ms + SESSION_MS
            public = (handshake.remote_static or b"") if pending.kind is SessionKind.PAIRING else b""
            events.append(TabletArrived(pending.tablet_id, handshake.handshake_hash, pending.kind, public))
        elif self._receiving is not None:
            plain = self._receiving.open(kind, request.payload)
        else:
            return []
        try:
            self._number, message = decode_message(plain)
        except ProtocolError:
            return [*events, *self._end(EndReason.MALFORMED)]
        self._last_ms = now_ms
        self._repeats = 0
        self._open = request
        return [*events, Received(self._number, message)]

    def reply(self, message: Message) -> list[Event]:
        """Answer the request that is open; a ``Closed``, or a refusal that says so, ends the session.

        Where the bytes that followed the request have ended it, the answer is dropped: there is nobody to hear it.
        """
        if self._open is None or self._sending is None:
            return []
        sealed = self._sending.seal(address_type(Address.PUMP, Kind.DATA_REPLY), encode_message(self._number, message))
        self._out.append(self._link.reply(Kind.DATA_REPLY, self._open.seq, sealed))
        self._open = None
        if isinstance(message, Closed):
            self._arrived = False
            self._sending = self._receiving = None
            return [SessionEnded(EndReason.CLOSED)]
        if isinstance(message, Refused) and Refusal.SESSION_OVER in message.reasons:
            return self._end(EndReason.REFUSED)
        if isinstance(message, Committed):
            self._rekey()
        if self._sending.exhausted:
            return self._end(EndReason.TIME_LIMIT)
        return []

    def _rekey(self) -> None:
        """Both directions get a new key once the answer to a commit is sealed."""
        for channel in (self._sending, self._receiving):
            if channel is not None:
                channel.rekey()

    def _end(self, reason: EndReason) -> list[Event]:
        was_open = self._arrived
        self._arrived = False
        self._open = self._pending = self._sending = self._receiving = None
        return [SessionEnded(reason)] if was_open else []
