"""The pump's end of the wire: framing, link, session and messages composed, without any input or output.

A host feeds received bytes and the time, answers each ``Received`` with ``reply``, and takes bytes to send. Nothing of
a new session counts before its first authentic message; until then an earlier one is only held, not replaced.
"""

from collections.abc import Callable, Mapping

from protocol.errors import NoiseError, ProtocolError
from protocol.events import EndReason, Event, Received, SessionEnded, TabletArrived
from protocol.framing import Discarded, Frame, FrameDecoder
from protocol.link import Address, Kind, Repeat, Request, Secondary, address_type, split_address_type
from protocol.messages import Closed, HelloPump, HelloTablet, Message, Realm, decode_message, encode_message
from protocol.noise import HandshakeState
from protocol.session import CAPABILITIES, VERSION, Channel, Direction, PairedTablet, PumpKeys, pump_handshake

SILENCE_MS = 5_000
SESSION_MS = 30 * 60_000


class PumpConnection:
    """The Secondary: answers one request at a time."""

    def __init__(
        self,
        keys: PumpKeys,
        realm: Realm,
        tablets: Mapping[str, PairedTablet],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._realm = realm
        self._tablets = tablets
        self._entropy = entropy
        self._decoder = FrameDecoder()
        self._link = Secondary(Address.PUMP)
        self._out: list[bytes] = []
        self._open: Request | None = None
        self._number = 0
        self._hello: tuple[PairedTablet, bytes, bytes] | None = None
        self._pending: tuple[PairedTablet, HandshakeState] | None = None
        self._sending: Channel | None = None
        self._receiving: Channel | None = None
        self._arrived = False
        self._last_ms = 0
        self._ends_ms = 0

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
        taken = self._link.receive(frame)
        if isinstance(taken, Repeat):
            if self._arrived and split_address_type(frame.address_type)[1] == Kind.DATA:
                self._last_ms = now_ms
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
                return []
            case Kind.HANDSHAKE:
                self._on_handshake(request)
                return []
            case _:
                return self._on_message(request, now_ms)

    def _on_hello(self, request: Request) -> None:
        self._hello = self._pending = self._open = None
        try:
            hello = HelloTablet.decode(request.payload)
        except ProtocolError:
            return
        answer = HelloPump(
            version=VERSION,
            capabilities=CAPABILITIES,
            nonce=self._entropy(8),
            serial=self._keys.serial,
            realm=self._realm,
        ).encode()
        tablet = self._tablets.get(hello.tablet_id)
        if tablet is not None and hello.min_version <= VERSION <= hello.max_version:
            self._hello = (tablet, request.payload, answer)
        self._out.append(self._link.reply(Kind.HELLO_REPLY, request.seq, answer))

    def _on_handshake(self, request: Request) -> None:
        if self._hello is None:
            return
        tablet, hello_tablet, hello_pump = self._hello
        handshake = pump_handshake(self._keys, tablet, self._entropy(32), hello_tablet, hello_pump)
        try:
            handshake.read_message(request.payload)
        except NoiseError:
            return
        self._pending = (tablet, handshake)
        self._out.append(self._link.reply(Kind.HANDSHAKE_REPLY, request.seq, handshake.write_message(b"")))

    def _on_message(self, request: Request, now_ms: int) -> list[Event]:
        events: list[Event] = []
        kind = address_type(Address.PUMP, Kind.DATA)
        if self._pending is not None:
            tablet, handshake = self._pending
            self._pending = None
            receiving, sending = handshake.split()
            fresh = Channel(receiving, Direction.TO_PUMP)
            plain = fresh.open(kind, request.payload)
            if self._arrived:
                events.append(SessionEnded(EndReason.REPLACED))
            self._receiving, self._sending = fresh, Channel(sending, Direction.FROM_PUMP)
            self._arrived = True
            self._ends_ms = now_ms + SESSION_MS
            events.append(TabletArrived(tablet.tablet_id, handshake.handshake_hash))
        elif self._receiving is not None:
            plain = self._receiving.open(kind, request.payload)
        else:
            return []
        self._number, message = decode_message(plain)
        self._last_ms = now_ms
        self._open = request
        return [*events, Received(self._number, message)]

    def reply(self, message: Message) -> list[Event]:
        """Answer the request that is open; a ``Closed`` ends the session.

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
        if self._sending.exhausted:
            return self._end(EndReason.TIME_LIMIT)
        return []

    def _end(self, reason: EndReason) -> list[Event]:
        was_open = self._arrived
        self._arrived = False
        self._open = self._pending = self._sending = self._receiving = None
        return [SessionEnded(reason)] if was_open else []
