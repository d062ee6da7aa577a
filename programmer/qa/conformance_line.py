"""The line of a conformance run: raw frames out and in, pacing, and a secure session made step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from drivers.port import Port
from programmer.qa.conformance import EchoHeard, Failed, NothingAnswers, NotRun
from protocol import cbor
from protocol import messages as m
from protocol import wand as w
from protocol.errors import NoiseError, ProtocolError
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import HANDSHAKE_SEQ, HELLO_SEQ, Address, Kind, LinkTiming, address_type
from protocol.noise import HandshakeState
from protocol.responder import Bucket
from protocol.session import (
    CAPABILITIES,
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

HELLOS_AT_ONCE, HELLO_EACH_MS = 28, 260
"""Pace of greetings: below what a pump may leave unanswered (32 at once, one more each 250 ms)."""
WAND_DATA, WAND_HELLO = address_type(Address.WAND, Kind.DATA), address_type(Address.WAND, Kind.HELLO)
PUMP_DATA, PUMP_HELLO = address_type(Address.PUMP, Kind.DATA), address_type(Address.PUMP, Kind.HELLO)
PUMP_HANDSHAKE = address_type(Address.PUMP, Kind.HANDSHAKE)


@dataclass(frozen=True, slots=True)
class Material:
    """What is needed to be let in: a paired tablet's keys and pairings, and perhaps an implant card. ``receipt_keys``
    maps a pump's serial number to the key that verifies its receipts."""

    keys: TabletKeys | None = None
    pairings: tuple[Pairing, ...] = ()
    receipt_keys: Mapping[str, bytes] = field(default_factory=dict)
    card: ImplantCard | None = None


class Line:
    """Frames over a port. ``quiet_ms`` is how long silence is listened to before it counts as silence."""

    def __init__(self, port: Port, clock_ms: Callable[[], int], timing: LinkTiming, quiet_ms: int) -> None:
        self.port, self.clock_ms, self.timing, self.quiet_ms = port, clock_ms, timing, quiet_ms
        self._decoder = FrameDecoder()
        self.noise = 0
        self.took_ms = 0

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.port.write(data)

    def frames(self, within_ms: int, most: int | None = None) -> list[Frame]:
        """Frames that arrive in time; not more than ``most`` are waited for. ``noise`` counts all bytes."""
        end, found = self.clock_ms() + within_ms, list[Frame]()
        while most is None or len(found) < most:
            left = end - self.clock_ms()
            if left <= 0:
                break
            data = self.port.read(left / 1000)
            self.noise += len(data)
            found += [item for item in self._decoder.feed(data) if isinstance(item, Frame)]
        return found

    def ask_bytes(self, data: bytes) -> Frame | None:
        """Send bytes; the first frame that answers within the protocol's own timeout."""
        begun = self.clock_ms()
        self.send(data)
        found = self.frames(self.timing.timeout_ms(len(data)), 1)
        self.took_ms = self.clock_ms() - begun
        return found[0] if found else None

    def ask(self, frame: Frame) -> Frame | None:
        """As ``ask_bytes``, for a whole frame."""
        return self.ask_bytes(encode_frame(frame, idle_line=True))

    def silent(self, data: bytes) -> bool:
        """Whether nothing answers these bytes."""
        self.send(data)
        return not self.frames(self.quiet_ms)

    def forget(self) -> None:
        """Drop half a frame that was received."""
        self._decoder.reset()

    def pause(self, ms: int) -> list[Frame]:
        """Let time pass; what arrived meanwhile."""
        return self.frames(ms)


@dataclass(slots=True)
class Greeted:
    """Both greetings, and whose tag was found."""

    kind: SessionKind
    nonce: bytes
    hello: bytes
    answer: bytes
    pump: m.HelloPump
    peer: Pairing | ImplantCard
    psk: bytes

    @property
    def tag(self) -> bytes:
        """The tablet's tag for HANDSHAKE."""
        return greeting_tag(self.psk, Direction.TO_PUMP, self.nonce, self.pump.nonce)


class Talk:
    """An open session whose every step can be done wrongly on purpose."""

    def __init__(self, line: Line, handshake: HandshakeState, peer: Pairing | ImplantCard) -> None:
        self.line, self.peer = line, peer
        sending, receiving = handshake.split()
        self.sending, self.receiving = Channel(sending, Direction.TO_PUMP), Channel(receiving, Direction.FROM_PUMP)
        self.number = 0
        self.over = False
        self.refusals = 0

    def sealed(self, message: m.Message) -> Frame:
        """The frame of the next request."""
        self.number = self.number % 0xFFFF + 1
        return self.sealed_bytes(m.encode_message(self.number, message))

    def sealed_bytes(self, plain: bytes) -> Frame:
        """The frame of any plaintext as the next request."""
        seq = self.sending.seq
        return Frame(PUMP_DATA, seq, self.sending.seal(PUMP_DATA, plain))

    def opened(self, frame: Frame | None) -> m.Message:
        """The message of a reply to the newest request. Raises ``Failed`` where it is none."""
        if frame is None:
            raise Failed("no reply")
        try:
            number, message = m.decode_message(self.receiving.open(frame.address_type, frame.payload))
        except ProtocolError as error:
            raise Failed(f"the reply cannot be read: {type(error).__name__}") from error
        if number != self.number:
            raise Failed(f"the reply names request {number}, not {self.number}")
        return message

    def ask(self, message: m.Message) -> m.Message:
        """One request and its answer."""
        answer = self.opened(self.line.ask(self.sealed(message)))
        self.refusals += isinstance(answer, m.Refused)
        return answer

    def lives(self) -> bool:
        """Whether the next request is still answered."""
        answer = self.line.ask(self.sealed(m.KeepAlive()))
        return answer is not None and isinstance(self.opened(answer), m.Alive)

    def status(self) -> m.Status:
        """The pump's status."""
        answer = self.ask(m.GetStatus())
        if not isinstance(answer, m.Status):
            raise Failed(f"GET_STATUS was answered by {type(answer).__name__}")
        return answer


class Bench:
    """Everything that a case may use."""

    def __init__(self, line: Line, material: Material, entropy: Callable[[int], bytes], *, slow: bool = False) -> None:
        self.line, self.material, self.entropy, self.slow = line, material, entropy, slow
        self._hellos = Bucket(HELLOS_AT_ONCE, HELLO_EACH_MS)
        self._talk: Talk | None = None
        self.staged: list[bytes] = []
        self.before: tuple[int, bytes] | None = None

    def begin(self) -> str:
        """Find the adapter; its name. Raises ``NothingAnswers`` or ``EchoHeard``."""
        for _ in range(4):
            answer = self.line.ask(self.identify())
            if answer is not None and answer.address_type == WAND_HELLO:
                raise EchoHeard
            if answer is not None:
                try:
                    told = w.decode_wand(answer.payload)
                except ProtocolError:
                    return "an adapter that does not say its name"
                if isinstance(told, w.Identity):
                    return f"adapter {told.model!r} {told.serial!r} firmware {told.firmware}"
                return "an adapter that does not say its name"
        raise NothingAnswers

    def settle(self) -> None:
        """Take from the line what is left of the case before."""
        self.line.frames(5)
        self.line.forget()

    def hang_up(self) -> None:
        """Use no session any more that a case has left open."""
        if self._talk is not None:
            self._talk.over = True

    def clear_away(self) -> None:
        """Abort what a case has staged, in the session that it has left open."""
        talk, staged = self._talk, self.staged
        self.staged = []
        if talk is None or talk.over:
            return  # what was staged ended with its session
        for txid in staged:
            try:
                talk.ask(m.Abort(txid=txid))
            except Failed:
                talk.over = True
                return

    def close(self) -> None:
        """End in good order the session that is still open."""
        if self._talk is not None and not self._talk.over:
            self.line.ask(self._talk.sealed(m.Close(requests=0)))
            self._talk.over = True

    def identify(self) -> Frame:
        """A fresh IDENTIFY."""
        return Frame(WAND_HELLO, HELLO_SEQ, w.encode_wand(w.Identify(nonce=self.entropy(8))))

    def pace(self) -> None:
        """Wait until one more greeting may be sent; it ends the session that a case may have left open."""
        self._talk = None
        while not self._hellos.take(self.line.clock_ms()):
            self.line.pause(HELLO_EACH_MS // 4)

    def hello(self, kind: int = SessionKind.ROUTINE, *, low: int = VERSION, high: int = VERSION) -> m.HelloTablet:
        """A greeting with a fresh nonce."""
        return m.HelloTablet(
            min_version=low,
            max_version=high,
            capabilities=CAPABILITIES,
            link_kind=LinkKind.WAND,
            nonce=self.entropy(8),
            kind=kind,
        )

    def say_hello(self, payload: bytes) -> Frame | None:
        """Greet the pump with these bytes, in the pump's pace."""
        self.pace()
        return self.line.ask(Frame(PUMP_HELLO, HELLO_SEQ, payload))

    def _peers(self, kind: SessionKind) -> list[tuple[Pairing | ImplantCard, bytes]]:
        if kind is SessionKind.ROUTINE:
            if self.material.keys is None or not self.material.pairings:
                raise NotRun("no pairing at hand: give --data with a clinic whose tablet is paired with this pump")
            return [(pairing, pairing.psk) for pairing in self.material.pairings]
        if self.material.card is None:
            raise NotRun("no implant card at hand: give --card")
        return [(self.material.card, self.material.card.psk(kind))]

    def read_hello(self, answer: Frame | None) -> m.HelloPump:
        """The pump's greeting. Raises ``NotRun`` where there is no pump, ``Failed`` where it is none."""
        if answer is None:
            raise NotRun("no pump answers behind the adapter: hold it over one")
        try:
            return m.HelloPump.decode(answer.payload)
        except ProtocolError as error:
            raise Failed("the greeting of the pump is not canonical, or not complete") from error

    def greet(self, kind: SessionKind = SessionKind.ROUTINE, extra: bytes = b"") -> Greeted:
        """Greet, and find the tag of one of our pairings; ``extra`` is appended as an unknown key."""
        peers, hello = self._peers(kind), self.hello(kind)
        body = hello.to_wire()
        assert isinstance(body, dict)
        payload = cbor.encode({**body, 99: extra} if extra else body)
        answer = self.say_hello(payload)
        pump = self.read_hello(answer)
        assert answer is not None
        for peer, psk in peers:
            if is_greeted(psk, pump.tags, hello.nonce, pump.nonce):
                return Greeted(kind, hello.nonce, payload, answer.payload, pump, peer, psk)
        raise NotRun("the pump under the adapter shows no tag of a key that is at hand: it is not the paired one")

    def handshake(self, greeted: Greeted, hello: bytes | None = None) -> HandshakeState:
        """The tablet's side after a greeting; ``hello`` in place of the one that was sent."""
        sent = greeted.hello if hello is None else hello
        keys = self.material.keys
        if isinstance(greeted.peer, Pairing):
            assert keys is not None
            return tablet_handshake(keys, greeted.peer, self.entropy(32), sent, greeted.answer)
        private = self.entropy(32) if keys is None else keys.private
        return card_handshake(greeted.kind, greeted.peer, private, self.entropy(32), sent, greeted.answer)

    def shake(self, payload: bytes) -> Frame | None:
        """Send a HANDSHAKE with these bytes."""
        return self.line.ask(Frame(PUMP_HANDSHAKE, HANDSHAKE_SEQ, payload))

    def session(self) -> Talk:
        """The routine session that the case before has left open, or a new one where something was refused in it."""
        talk = self._talk
        if talk is not None and not talk.over and not talk.refusals and isinstance(talk.peer, Pairing):
            if talk.lives():
                return talk
            talk.over = True
        return self.open()

    def open(self, kind: SessionKind = SessionKind.ROUTINE, extra: bytes = b"") -> Talk:
        """A session that has proved itself with one KEEP_ALIVE."""
        greeted = self.greet(kind, extra)
        state = self.handshake(greeted)
        answer = self.shake(greeted.tag + state.write_message(b""))
        if answer is None:
            raise Failed("a good HANDSHAKE was not answered")
        try:
            state.read_message(answer.payload)
        except NoiseError as error:
            raise Failed(f"the reply to HANDSHAKE does not open: {type(error).__name__}") from error
        talk = self._talk = Talk(self.line, state, greeted.peer)
        talk.ask(m.KeepAlive())
        return talk
