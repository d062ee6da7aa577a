"""The tablet's end of the wire: framing, link, session and messages composed, without any input or output.

A host feeds received bytes and the time, and takes bytes to send, events and the next moment at which it must call
again. One request is outstanding at a time. While idle the connection asks for a sign of life and for the coupling in
turn; a request that meets such a poll waits for its answer, and is given up together with it.
"""

from collections.abc import Callable, Mapping
from enum import Enum

from protocol import wand
from protocol.errors import LinkBusy, NoiseError, NotConnected, ProtocolError, TagFailure
from protocol.events import (
    BeaconHeard,
    CouplingRead,
    EndReason,
    Event,
    PumpNotPaired,
    Received,
    SessionEnded,
    SessionOpened,
    VersionRefused,
    WandFound,
)
from protocol.framing import Discarded, FrameDecoder
from protocol.link import (
    BEACON_SEQ,
    FIRST_DATA_SEQ,
    HANDSHAKE_END_SEQ,
    HANDSHAKE_SEQ,
    HELLO_SEQ,
    Address,
    Delivered,
    Kind,
    LinkLost,
    LinkTiming,
    Primary,
    address_type,
    next_data_seq,
)
from protocol.messages import (
    Alive,
    Beacon,
    Closed,
    Committed,
    HelloPump,
    HelloTablet,
    KeepAlive,
    Message,
    Refusal,
    Refused,
    decode_message,
    encode_message,
)
from protocol.noise import HandshakeState
from protocol.session import (
    CAPABILITIES,
    SESSION_MS,
    VERSION,
    Channel,
    Direction,
    ImplantCard,
    LinkKind,
    Pairing,
    SessionKind,
    TabletKeys,
    card_handshake,
    greeting_tag,
    is_greeted,
    tablet_handshake,
)

POLL_MS = 1_000
REQUEST_NUMBERS = 23
"""Requests are numbered from 1 to this and again from 1: one is outstanding, and CBOR takes one byte for each."""


class Phase(Enum):
    """How far the connection has come."""

    CLOSED = "closed"
    IDENTIFYING = "identifying the wand"
    GREETING = "greeting the pump"
    LISTENING = "asking what implant this is"
    HANDSHAKE = "opening the session"
    OPEN = "open"


class TabletConnection:
    """One connection attempt after the other, with at most one open session."""

    def __init__(
        self,
        keys: TabletKeys,
        pairings: Mapping[str, Pairing],
        timing: LinkTiming,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._pairings = pairings
        self._entropy = entropy
        self._decoder = FrameDecoder()
        self._pump = Primary(Address.PUMP, timing)
        self._wand = Primary(Address.WAND, timing)
        self._reset()
        self.discarded = 0
        self.retries = 0

    def _reset(self) -> None:
        self.phase = Phase.CLOSED
        self._pump.cancel()
        self._wand.cancel()
        self._kind = SessionKind.ROUTINE
        self._card: ImplantCard | None = None
        self._listen = False
        self._hello = self._nonce = b""
        self._peer: Pairing | ImplantCard | None = None
        self._ends_ms = 0
        self._handshake: HandshakeState | None = None
        self._sending: Channel | None = None
        self._receiving: Channel | None = None
        self._request_id = 0
        self._in_flight: tuple[int, bool] | None = None
        self._waiting: tuple[int, Message] | None = None
        self._idle_since = 0
        self._poll_wand = False
        self._wand_seq = FIRST_DATA_SEQ

    def connect(self, now_ms: int) -> None:
        """Begin afresh: name the wand, greet the pump, open the session. Any earlier session is forgotten."""
        self._begin(now_ms)

    def connect_with_card(self, card: ImplantCard, kind: SessionKind, now_ms: int) -> None:
        """As ``connect``, for a break-glass or a pairing session with what stands on the patient's card."""
        self._begin(now_ms, kind, card)

    def listen(self, now_ms: int) -> None:
        """Ask whatever implant is under the wand what it is: ``BeaconHeard`` once the contact is long enough."""
        self._begin(now_ms)
        self._listen = True

    def _begin(self, now_ms: int, kind: SessionKind = SessionKind.ROUTINE, card: ImplantCard | None = None) -> None:
        self._reset()
        self._kind, self._card = kind, card
        self.phase = Phase.IDENTIFYING
        hello = wand.encode_wand(wand.Identify(nonce=self._entropy(8)))
        self._wand.send(Kind.HELLO, HELLO_SEQ, hello, now_ms)

    def request(self, message: Message, now_ms: int) -> int:
        """Send a request in the open session; the number by which its answer is known.

        Raises:
            NotConnected: no session is open; nothing was sent.
            LinkBusy: another request is still waiting; nothing was sent.
        """
        if self.phase is not Phase.OPEN:
            raise NotConnected("no session is open")
        self._request_id = self._request_id % REQUEST_NUMBERS + 1
        number = self._request_id
        if self._pump.busy or self._wand.busy:
            if self._waiting is not None or (self._in_flight is not None and not self._in_flight[1]):
                raise LinkBusy("a request is not answered yet")
            self._waiting = (number, message)
        else:
            self._send(number, message, False, now_ms)
        return number

    def _send(self, number: int, message: Message, poll: bool, now_ms: int) -> None:
        assert self._sending is not None
        plain = encode_message(number, message)
        seq = self._sending.seq
        sealed = self._sending.seal(address_type(Address.PUMP, Kind.DATA), plain)
        self._in_flight = (number, poll)
        self._pump.send(Kind.DATA, seq, sealed, now_ms)

    def disconnect(self) -> None:
        """Forget the session without a word, as when the port is gone."""
        self._reset()

    def data_to_send(self) -> bytes:
        """Bytes for the line, each once."""
        return self._wand.data_to_send() + self._pump.data_to_send()

    def next_timeout(self) -> int | None:
        """When ``handle_timeout`` is due, in the host's milliseconds."""
        due = [time for time in (self._wand.next_timeout(), self._pump.next_timeout()) if time is not None]
        if not due and self.phase is Phase.OPEN:
            due = [min(self._idle_since + POLL_MS, self._ends_ms)]
        return min(due, default=None)

    def handle_timeout(self, now_ms: int) -> list[Event]:
        """Repeat what is overdue, or poll an idle line."""
        for line in (self._wand, self._pump):
            outcome = line.handle_timeout(now_ms)
            if isinstance(outcome, LinkLost):
                return self._end(EndReason.LINK_LOST)
            self.retries += outcome is not None
        idle = not self._wand.busy and not self._pump.busy
        if self.phase is Phase.OPEN and idle and now_ms >= self._ends_ms:
            return self._end(EndReason.TIME_LIMIT)
        if self.phase is Phase.OPEN and idle and now_ms >= self._idle_since + POLL_MS:
            self._poll(now_ms)
        return []

    def _poll(self, now_ms: int) -> None:
        self._poll_wand = not self._poll_wand
        if self._poll_wand:
            self._wand.send(Kind.DATA, self._wand_seq, wand.encode_wand(wand.GetCoupling()), now_ms)
            self._wand_seq = next_data_seq(self._wand_seq)
        else:
            self._request_id = self._request_id % REQUEST_NUMBERS + 1
            self._send(self._request_id, KeepAlive(), True, now_ms)

    def receive_data(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes from the line; what they mean."""
        events: list[Event] = []
        for item in self._decoder.feed(data):
            if isinstance(item, Discarded):
                self.discarded += 1
                continue
            for line, rule in ((self._wand, self._on_wand), (self._pump, self._on_pump)):
                delivered = line.receive(item, now_ms)
                if isinstance(delivered, Delivered):
                    try:
                        events += rule(delivered, now_ms)
                    except NoiseError:
                        events += self._end(EndReason.TAMPERED)
                    except ProtocolError:
                        events += self._end(EndReason.MALFORMED)
        return events

    def _on_wand(self, delivered: Delivered, now_ms: int) -> list[Event]:
        message = wand.decode_wand(delivered.payload)
        expected = wand.Identity if delivered.kind == Kind.HELLO_REPLY else wand.Coupling
        if not isinstance(message, expected):
            return self._end(EndReason.MALFORMED)
        if isinstance(message, wand.Identity):
            self._ask_pump(now_ms)
            return [WandFound(message)]
        self._go_on(now_ms)
        return [CouplingRead(message)] if isinstance(message, wand.Coupling) else []

    def _ask_pump(self, now_ms: int) -> None:
        if self._listen:
            self.phase = Phase.LISTENING
            self._pump.send(Kind.BEACON, BEACON_SEQ, self._entropy(8), now_ms)
            return
        self.phase = Phase.GREETING
        hello = HelloTablet(
            min_version=VERSION,
            max_version=VERSION,
            capabilities=CAPABILITIES,
            link_kind=LinkKind.WAND,
            nonce=self._entropy(8),
            kind=self._kind,
        )
        self._nonce, self._hello = hello.nonce, hello.encode()
        self._pump.send(Kind.HELLO, HELLO_SEQ, self._hello, now_ms)

    def _on_pump(self, delivered: Delivered, now_ms: int) -> list[Event]:
        match delivered.kind:
            case Kind.HELLO_REPLY:
                return self._on_hello(delivered.payload, now_ms)
            case Kind.HANDSHAKE_REPLY:
                return self._on_handshake(delivered.payload, now_ms)
            case Kind.HANDSHAKE_END_REPLY:
                return self._opened(now_ms)
            case Kind.BEACON_REPLY:
                beacon = Beacon.decode(delivered.payload)
                self._reset()
                return [BeaconHeard(beacon)]
            case _:
                return self._on_message(delivered.payload, now_ms)

    def _on_hello(self, payload: bytes, now_ms: int) -> list[Event]:
        hello = HelloPump.decode(payload)
        if hello.version != VERSION:
            self._reset()
            return [VersionRefused(hello)]
        known = [(peer, psk) for peer, psk in self._peers() if is_greeted(psk, hello.tags, self._nonce, hello.nonce)]
        if not known:
            self._reset()
            return [PumpNotPaired()]
        self.phase = Phase.HANDSHAKE
        self._peer, psk = known[0]
        ephemeral = self._entropy(32)
        if isinstance(self._peer, Pairing):
            self._handshake = tablet_handshake(self._keys, self._peer, ephemeral, self._hello, payload)
        else:
            private = self._keys.private
            self._handshake = card_handshake(self._kind, self._peer, private, ephemeral, self._hello, payload)
        tag = greeting_tag(psk, Direction.TO_PUMP, self._nonce, hello.nonce)
        self._pump.send(Kind.HANDSHAKE, HANDSHAKE_SEQ, tag + self._handshake.write_message(b""), now_ms)
        return []

    def _peers(self) -> list[tuple[Pairing | ImplantCard, bytes]]:
        """Whom this kind of session may be with, each with its key."""
        if self._card is not None:
            return [(self._card, self._card.psk(self._kind))]
        return [(pairing, pairing.psk) for pairing in self._pairings.values()]

    def _on_handshake(self, payload: bytes, now_ms: int) -> list[Event]:
        assert self._handshake is not None
        self._handshake.read_message(payload)
        if self._handshake.complete:
            return self._opened(now_ms)
        if isinstance(self._peer, ImplantCard) and self._handshake.remote_static != self._peer.pump_public:
            raise TagFailure("the key shown is not the one on the card")
        self._pump.send(Kind.HANDSHAKE_END, HANDSHAKE_END_SEQ, self._handshake.write_message(b""), now_ms)
        return []

    def _opened(self, now_ms: int) -> list[Event]:
        assert self._handshake is not None
        assert self._peer is not None
        sending, receiving = self._handshake.split()
        self._sending = Channel(sending, Direction.TO_PUMP)
        self._receiving = Channel(receiving, Direction.FROM_PUMP)
        self.phase = Phase.OPEN
        self._idle_since = now_ms
        self._ends_ms = now_ms + SESSION_MS
        return [SessionOpened(self._peer, self._handshake.handshake_hash, self._kind)]

    def _on_message(self, payload: bytes, now_ms: int) -> list[Event]:
        assert self._receiving is not None
        assert self._in_flight is not None
        number, message = decode_message(self._receiving.open(address_type(Address.PUMP, Kind.DATA_REPLY), payload))
        expected, poll = self._in_flight
        self._in_flight = None
        if number != expected or message.REQUEST or (poll and not isinstance(message, Alive)):
            return self._end(EndReason.MALFORMED)
        if isinstance(message, Closed):
            self._reset()
            return [Received(number, message), SessionEnded(EndReason.CLOSED)]
        if isinstance(message, Refused) and Refusal.SESSION_OVER in message.reasons:
            return [Received(number, message), *self._end(EndReason.REFUSED)]
        if isinstance(message, Committed) and self._sending is not None:
            self._sending.rekey()
            self._receiving.rekey()
        if self._receiving.exhausted:
            return [Received(number, message), *self._end(EndReason.TIME_LIMIT)]
        self._go_on(now_ms)
        return [] if poll else [Received(number, message)]

    def _go_on(self, now_ms: int) -> None:
        self._idle_since = now_ms
        if self._waiting is not None and self.phase is Phase.OPEN:
            number, message = self._waiting
            self._waiting = None
            self._send(number, message, False, now_ms)

    def _end(self, reason: EndReason) -> list[Event]:
        self._reset()
        return [SessionEnded(reason)]
