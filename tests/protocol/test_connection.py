"""Both ends of the wire talk through their bytes alone."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol import wand
from protocol.connection import Phase, TabletConnection
from protocol.errors import NotConnected
from protocol.events import EndReason, Event, PumpNotPaired, Received, SessionEnded, SessionOpened, TabletArrived
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import Address, Kind, LinkTiming, Request, Secondary, split_address_type
from protocol.messages import Alive, Close, Closed, GetEvents, KeepAlive, Message, Realm, Refusal, Refused
from protocol.responder import SILENCE_MS, PumpConnection
from protocol.session import PairedTablet, Pairing, PumpKeys, TabletKeys

TABLET_SECRET, PUMP_SECRET, PSK = b"\x11" * 32, b"\x22" * 32, b"\x33" * 32


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def stream(name: str) -> Callable[[int], bytes]:
    state = [0]

    def draw(size: int) -> bytes:
        state[0] += 1
        return hashlib.sha256(f"{name} {state[0]}".encode()).digest()[:size]

    return draw


@dataclass
class Bench:
    """Tablet and pump joined by lists of bytes; the wand in between only relays."""

    psk: bytes = PSK
    serial: str = "VP-1"
    now: int = 0
    events: list[Event] = field(default_factory=list)
    pump_events: list[Event] = field(default_factory=list)
    answer: Callable[[Message], Message] = lambda _: Alive()
    to_pump: Callable[[bytes], bytes] = lambda data: data
    from_pump: Callable[[bytes], bytes] = lambda data: data

    def __post_init__(self) -> None:
        self.tablet = TabletConnection(
            TabletKeys("T-1", TABLET_SECRET),
            {self.serial: Pairing(self.serial, public(PUMP_SECRET), self.psk)},
            LinkTiming(None),
            stream("tablet"),
        )
        self.pump = PumpConnection(
            PumpKeys("VP-1", PUMP_SECRET),
            {"T-1": PairedTablet("T-1", public(TABLET_SECRET), PSK)},
            stream("pump"),
        )
        self.wand = Secondary(Address.WAND, handshake=False)
        self.relay = FrameDecoder()

    def pump_takes(self, frame: Frame) -> bytes:
        self.pump_events += (events := self.pump.receive_data(self.to_pump(encode_frame(frame)), self.now))
        for event in events:
            if isinstance(event, Received):
                self.pump_events += self.pump.reply(self.answer(event.message))
        return self.from_pump(self.pump.data_to_send())

    def turn(self) -> None:
        """Carry bytes until both sides are silent."""
        while data := self.tablet.data_to_send():
            for frame in self.relay.feed(data):
                assert isinstance(frame, Frame)
                if split_address_type(frame.address_type)[0] == Address.PUMP:
                    reply = self.pump_takes(frame)
                else:
                    taken = self.wand.receive(frame)
                    assert isinstance(taken, Request)
                    message: wand.WandMessage = wand.Coupling(strength=4, battery_percent=90)
                    if taken.kind == Kind.HELLO:
                        message = wand.Identity(model="W", serial="1", firmware=1, virtual=True)
                    reply = self.wand.reply(taken.kind + 1, taken.seq, wand.encode_wand(message))
                self.events += self.tablet.receive_data(reply, self.now)

    def open(self) -> None:
        self.tablet.connect(self.now)
        self.turn()

    def wait(self, until: int) -> None:
        while (due := self.tablet.next_timeout()) is not None and due <= until:
            self.now = due
            self.events += self.tablet.handle_timeout(due)
            self.turn()
        self.now = until


def test_a_session_opens_and_both_sides_share_its_hash() -> None:
    bench = Bench()
    bench.open()
    opened = [event for event in bench.events if isinstance(event, SessionOpened)]
    assert opened[0].pump.realm is Realm.SIMULATED
    assert not bench.pump.in_session, "nothing counts before the first authentic message"
    number = bench.tablet.request(KeepAlive(), 0)
    bench.turn()
    assert bench.events[-1] == Received(number, Alive())
    assert bench.pump_events[0] == TabletArrived("T-1", opened[0].handshake_hash)


def test_an_unpaired_pump_stays_unknown_and_nothing_more_is_sent() -> None:
    bench = Bench(psk=b"\x44" * 32)
    bench.open()
    assert bench.events[-1] == PumpNotPaired()
    assert bench.tablet.phase is Phase.CLOSED
    with pytest.raises(NotConnected):
        bench.tablet.request(KeepAlive(), 0)


def test_a_wrong_serial_opens_no_session() -> None:
    bench = Bench(serial="VP-2")
    bench.open()
    bench.wait(10_000)
    assert bench.events[-1] == SessionEnded(EndReason.LINK_LOST)
    assert bench.pump_events == []


def test_an_idle_session_stays_alive_and_a_silent_one_ends() -> None:
    bench = Bench()
    bench.open()
    bench.wait(20_000)
    assert bench.tablet.phase is Phase.OPEN
    assert bench.pump.handle_timeout(bench.now) == []
    assert bench.pump.handle_timeout(bench.now + SILENCE_MS) == [SessionEnded(EndReason.SILENCE)]


def test_close_is_authenticated_and_ends_both_sides() -> None:
    bench = Bench(answer=lambda message: Closed(requests=1) if isinstance(message, Close) else Alive())
    bench.open()
    bench.tablet.request(Close(requests=1), 0)
    bench.turn()
    assert bench.events[-1] == SessionEnded(EndReason.CLOSED)
    assert bench.pump_events[-1] == SessionEnded(EndReason.CLOSED)


def test_a_lost_reply_is_repeated_from_the_cache_and_nothing_is_executed_twice() -> None:
    asked: list[Message] = []

    def answer(message: Message) -> Message:
        asked.append(message)
        return Refused(op=message.OP, txid=b"", reasons=(Refusal.UNSUPPORTED,))

    bench = Bench(answer=answer)
    bench.open()
    lose = [True, True, False]
    bench.from_pump = lambda data: b"" if data and lose.pop(0) else data
    bench.tablet.request(GetEvents(cursor=3), 0)
    bench.turn()
    bench.wait(990)
    assert asked == [GetEvents(cursor=3)]
    assert isinstance(bench.events[-1], Received)
    assert bench.tablet.retries == 2


@pytest.mark.parametrize("bit", range(8))
def test_a_changed_frame_with_a_good_checksum_ends_the_session(bit: int) -> None:
    bench = Bench()
    bench.open()

    def tamper(data: bytes) -> bytes:
        (frame,) = FrameDecoder().feed(data)
        assert isinstance(frame, Frame)
        body = bytes([frame.payload[0] ^ 1 << bit]) + frame.payload[1:]
        return encode_frame(Frame(frame.address_type, frame.seq, body))

    bench.from_pump = tamper
    bench.tablet.request(KeepAlive(), 0)
    bench.turn()
    assert bench.events[-1] == SessionEnded(EndReason.TAMPERED)


def test_a_session_passes_its_rekeys() -> None:
    bench = Bench()
    bench.open()
    for _ in range(600):
        bench.tablet.request(KeepAlive(), bench.now)
        bench.turn()
    assert sum(isinstance(event, Received) for event in bench.events) == 600
