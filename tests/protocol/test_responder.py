"""The pump's end: what opens a session, what ends it, and what a hostile line cannot do."""

import hashlib
from collections.abc import Callable
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol import messages as m
from protocol.events import EndReason, Event, Received, SessionEnded, TabletArrived
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import HANDSHAKE_SEQ, HELLO_SEQ, Address, Kind, address_type
from protocol.noise import HandshakeState
from protocol.responder import PumpConnection
from protocol.session import (
    Channel,
    Direction,
    PairedTablet,
    Pairing,
    PumpKeys,
    TabletKeys,
    greeting_tag,
    tablet_handshake,
)

PUMP = b"\x22" * 32
SECRET = {"T-1": b"\x11" * 32, "T-2": b"\x12" * 32, "T-9": b"\x19" * 32}
PSK = {"T-1": b"\x31" * 32, "T-2": b"\x32" * 32, "T-9": b"\x39" * 32}
HALF_HOUR = 30 * 60 * 1000


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def stream(name: str) -> Callable[[int], bytes]:
    numbers = count()
    return lambda size: hashlib.sha256(f"{name} {next(numbers)}".encode()).digest()[:size]


def pump() -> PumpConnection:
    paired = {name: PairedTablet(name, public(SECRET[name]), PSK[name]) for name in ("T-1", "T-2")}
    return PumpConnection(PumpKeys("VP-1", PUMP), paired, stream("pump"))


def frame(kind: int, seq: int, payload: bytes) -> bytes:
    return encode_frame(Frame(address_type(Address.PUMP, kind), seq, payload))


def frames(data: bytes) -> list[Frame]:
    found = FrameDecoder().feed(data)
    assert all(isinstance(item, Frame) for item in found)
    return found  # type: ignore[return-value]


def hello(nonce: bytes = b"n" * 8, versions: tuple[int, int] = (1, 1)) -> bytes:
    return m.HelloTablet(
        min_version=versions[0], max_version=versions[1], capabilities=0, link_kind=1, nonce=nonce, kind=0
    ).encode()


class Tablet:
    """Just enough of a tablet: it makes the frames, the test decides what happens to them."""

    def __init__(self, end: PumpConnection, name: str = "T-1", nonce: bytes = b"n" * 8) -> None:
        self.end, self.name, self.hello = end, name, hello(nonce)
        self.handshake: HandshakeState | None = None
        self.sent: list[bytes] = []
        self.number = 0

    def give(self, data: bytes, now: int = 0) -> list[Event]:
        self.sent.append(data)
        return self.end.receive_data(data, now)

    def greet(self, now: int = 0) -> None:
        assert self.give(frame(Kind.HELLO, HELLO_SEQ, self.hello), now) == []
        (reply,) = frames(self.end.data_to_send())
        answer = m.HelloPump.decode(reply.payload)
        nonce = m.HelloTablet.decode(self.hello).nonce
        tag = greeting_tag(PSK[self.name], Direction.TO_PUMP, nonce, answer.nonce)
        self.handshake = tablet_handshake(
            TabletKeys(self.name, SECRET[self.name]),
            Pairing("VP-1", public(PUMP), PSK[self.name]),
            hashlib.sha256(self.hello).digest(),
            self.hello,
            reply.payload,
        )
        self.first = tag + self.handshake.write_message(b"")

    def shake(self, now: int = 0) -> bool:
        assert self.handshake is not None
        assert self.give(frame(Kind.HANDSHAKE, HANDSHAKE_SEQ, self.first), now) == []
        replies = frames(self.end.data_to_send())
        if not replies:
            return False
        self.handshake.read_message(replies[0].payload)
        sending, receiving = self.handshake.split()
        self.sending, self.receiving = Channel(sending, Direction.TO_PUMP), Channel(receiving, Direction.FROM_PUMP)
        return True

    def data(self, message: m.Message) -> bytes:
        self.number += 1
        return self.sealed(m.encode_message(self.number, message))

    def sealed(self, plain: bytes) -> bytes:
        seq = self.sending.seq
        return frame(Kind.DATA, seq, self.sending.seal(address_type(Address.PUMP, Kind.DATA), plain))

    def ask(self, message: m.Message, reply: m.Message, now: int = 0) -> list[Event]:
        events = self.give(self.data(message), now)
        return events + self.end.reply(reply)

    def hear(self) -> tuple[int, m.Message]:
        (found,) = frames(self.end.data_to_send())
        return m.decode_message(self.receiving.open(address_type(Address.PUMP, Kind.DATA_REPLY), found.payload))


def opened(end: PumpConnection, name: str = "T-1", nonce: bytes = b"n" * 8, now: int = 0) -> Tablet:
    tablet = Tablet(end, name, nonce)
    tablet.greet(now)
    assert tablet.shake(now)
    events = tablet.ask(m.KeepAlive(), m.Alive(), now)
    assert tablet.hear() == (1, m.Alive())
    assert tablet.handshake is not None
    assert events[-2:] == [TabletArrived(name, tablet.handshake.handshake_hash), Received(1, m.KeepAlive())]
    return tablet


def test_nothing_counts_before_the_first_authentic_message() -> None:
    end = pump()
    tablet = Tablet(end)
    tablet.greet()
    tablet.shake()
    assert not end.in_session
    assert end.next_timeout() is None
    assert end.handle_timeout(10**9) == []
    tablet.ask(m.KeepAlive(), m.Alive())
    assert end.in_session


@pytest.mark.parametrize("silent_ms", [4_999, 5_000])
def test_five_seconds_of_silence_end_a_session(silent_ms: int) -> None:
    end = pump()
    opened(end, now=1_000)
    assert end.next_timeout() == 6_000
    ended = end.handle_timeout(1_000 + silent_ms)
    assert ended == ([SessionEnded(EndReason.SILENCE)] if silent_ms == 5_000 else [])
    assert end.in_session is not bool(ended)


@pytest.mark.parametrize("silent_ms", [4_999, 5_000])
def test_a_message_after_the_silence_finds_no_session_even_if_nobody_looked_at_the_clock(silent_ms: int) -> None:
    end = pump()
    tablet = opened(end)
    events = tablet.give(tablet.data(m.Query(txid=bytes(16), base_epoch=1)), silent_ms)
    expected = (
        SessionEnded(EndReason.SILENCE) if silent_ms == 5_000 else Received(2, m.Query(txid=bytes(16), base_epoch=1))
    )
    assert events == [expected]


def test_a_session_lasts_thirty_minutes_however_lively() -> None:
    end = pump()
    tablet = opened(end)
    for now in range(4_000, HALF_HOUR, 4_000):
        assert tablet.ask(m.KeepAlive(), m.Alive(), now) == [Received(tablet.number, m.KeepAlive())]
        end.data_to_send()
    assert end.next_timeout() == HALF_HOUR
    assert end.handle_timeout(HALF_HOUR - 1) == []
    assert end.handle_timeout(HALF_HOUR) == [SessionEnded(EndReason.TIME_LIMIT)]
    assert tablet.give(tablet.data(m.KeepAlive()), HALF_HOUR) == []


def test_a_repeated_request_is_answered_from_the_cache_and_counts_as_a_sign_of_life() -> None:
    end = pump()
    tablet = opened(end)
    tablet.ask(m.GetEvents(cursor=0), m.Events(first=0, next=0, lost=0, items=()))
    answered = end.data_to_send()
    for now in (3_000, 6_000):
        assert end.receive_data(tablet.sent[-1], now) == []
        assert end.data_to_send() == answered
    assert end.next_timeout() == 11_000


def test_more_repeats_than_a_live_tablet_makes_keep_no_session_open() -> None:
    end = pump()
    tablet = opened(end)
    last = tablet.sent[-1]
    ended: dict[int, list[Event]] = {now: end.receive_data(last, now) for now in range(1_000, 30_000, 1_000)}
    assert {now: events for now, events in ended.items() if events} == {8_000: [SessionEnded(EndReason.SILENCE)]}
    end.data_to_send()
    tablet = opened(end, nonce=b"again!!!", now=40_000)
    tablet.ask(m.KeepAlive(), m.Alive(), 40_000)
    end.data_to_send()
    for now in (41_000, 42_000, 43_000, 44_000):
        end.receive_data(tablet.sent[-1], now)
    assert end.next_timeout() == 48_000, "three repeats count, and a new message begins the count anew"
    tablet.ask(m.KeepAlive(), m.Alive(), 44_500)
    end.data_to_send()
    end.receive_data(tablet.sent[-1], 45_000)
    assert end.next_timeout() == 50_000


def test_a_repeat_of_a_request_that_is_being_worked_on_says_nothing() -> None:
    end = pump()
    tablet = opened(end)
    tablet.give(tablet.data(m.GetStatus()))
    assert end.receive_data(tablet.sent[-1], 0) == []
    assert end.data_to_send() == b""


def test_repeats_of_a_greeting_keep_no_session_alive() -> None:
    end = pump()
    opened(end)
    greeting = frame(Kind.HELLO, HELLO_SEQ, hello())
    ended: list[Event] = []
    for now in range(0, 6_000, 500):
        ended += end.receive_data(greeting, now)
    assert ended == [SessionEnded(EndReason.SILENCE)]


def kept(end: PumpConnection) -> dict[str, object]:
    """All that a pump holds of sessions; bytes to send and the link's last frame apart."""
    names = ("_open", "_sending", "_receiving", "_pending", "_arrived", "_last_ms", "_ends_ms", "_number")
    return {name: getattr(end, name) for name in names}


def test_a_flood_of_greetings_leaves_nothing() -> None:
    end = pump()
    before = kept(end)
    answers = 0
    for number in range(300):
        assert end.receive_data(frame(Kind.HELLO, HELLO_SEQ, hello(number.to_bytes(8, "big"))), number) == []
        answers += len(frames(end.data_to_send()))
    assert answers == 33, "32 at once and one more each quarter of a second"
    assert kept(end) == before
    assert end.curve_work == 0
    opened(end, now=1_000)


def test_a_replayed_handshake_opens_and_stores_nothing() -> None:
    end = pump()
    victim = opened(end)
    end.handle_timeout(10_000)
    before = kept(end)
    recorded = list(victim.sent)
    for number in range(100):
        if number:  # the greeting itself is a repeat until another one came between
            end.receive_data(frame(Kind.HELLO, HELLO_SEQ, hello(number.to_bytes(8, "big"))), 20_000)
        for data in recorded:
            assert end.receive_data(data, 20_000) == []
    assert kept(end) == before
    assert not end.in_session


def test_a_tablet_that_is_not_paired_gets_a_greeting_and_no_more() -> None:
    end = pump()
    tablet = Tablet(end, "T-9")
    tablet.greet()
    assert not tablet.shake()
    assert not end.in_session


def test_a_tablet_under_another_name_opens_nothing() -> None:
    end = pump()
    thief = Tablet(end, "T-9")
    thief.greet()
    assert thief.handshake is not None
    nonce = m.HelloTablet.decode(thief.hello).nonce
    replies = end._hello.nonces[1] if end._hello is not None else b""
    thief.first = greeting_tag(PSK["T-1"], Direction.TO_PUMP, nonce, replies) + thief.first[8:]
    assert not thief.shake(), "T-1's tag over T-9's keys"
    assert end.curve_work == 1


@pytest.mark.parametrize("versions", [(0, 0), (2, 9)])
def test_no_common_version_opens_nothing(versions: tuple[int, int]) -> None:
    end = pump()
    tablet = Tablet(end)
    tablet.hello = hello(versions=versions)
    tablet.greet()
    assert not tablet.shake()


def test_a_handshake_without_a_greeting_is_nothing() -> None:
    end = pump()
    assert end.receive_data(frame(Kind.HANDSHAKE, HANDSHAKE_SEQ, bytes(48)), 0) == []
    assert end.receive_data(frame(Kind.DATA, 0, bytes(48)), 0) == []
    assert end.data_to_send() == b""


@pytest.mark.parametrize("payload", [b"", bytes(10), bytes(48), b"\xff" * 48, bytes(200)], ids=len)
def test_a_handshake_of_rubbish_gets_no_answer(payload: bytes) -> None:
    end = pump()
    Tablet(end).greet()
    assert end.receive_data(frame(Kind.HANDSHAKE, HANDSHAKE_SEQ, payload), 0) == []
    assert end.data_to_send() == b""
    opened(end, nonce=b"fresh123")


def test_a_greeting_of_rubbish_gets_no_answer_and_ends_nothing() -> None:
    end = pump()
    opened(end)
    assert end.receive_data(frame(Kind.HELLO, HELLO_SEQ, b"\xff"), 0) == []
    assert end.data_to_send() == b""
    assert end.in_session


def test_a_new_session_replaces_the_old_one_with_its_first_message_only() -> None:
    end = pump()
    opened(end)
    second = Tablet(end, "T-2", b"second!!")
    second.greet()
    assert second.shake()
    assert end.in_session
    events = second.give(second.data(m.KeepAlive()))
    assert second.handshake is not None
    assert events == [
        SessionEnded(EndReason.REPLACED),
        TabletArrived("T-2", second.handshake.handshake_hash),
        Received(1, m.KeepAlive()),
    ]


def test_a_first_message_that_is_not_authentic_opens_nothing() -> None:
    end = pump()
    tablet = Tablet(end)
    tablet.greet()
    tablet.shake()
    assert end.receive_data(frame(Kind.DATA, 0, bytes(40)), 0) == []
    assert not end.in_session


@pytest.mark.parametrize("size", [0, 1, 15, 16, 40, 248])
def test_a_frame_that_was_not_sealed_ends_the_session(size: int) -> None:
    end = pump()
    tablet = opened(end)
    seq = tablet.sending.seq
    assert end.receive_data(frame(Kind.DATA, seq, bytes(size)), 0) == [SessionEnded(EndReason.TAMPERED)]
    assert not end.in_session
    assert end.reply(m.Alive()) == []
    assert end.data_to_send() == b""


def test_a_sealed_message_of_no_known_form_ends_the_session() -> None:
    end = pump()
    tablet = opened(end)
    assert tablet.give(tablet.sealed(b"\x00")) == [SessionEnded(EndReason.MALFORMED)]


@pytest.mark.parametrize("seq", [0, 2, 3, 255])
def test_only_the_same_or_the_next_number_has_an_effect(seq: int) -> None:
    end = pump()
    opened(end)
    assert end.receive_data(frame(Kind.DATA, seq, bytes(40)), 0) == []
    assert end.in_session


@pytest.mark.parametrize("seq_of_next", [True, False], ids=["a frame that fails", "a greeting"])
def test_what_follows_a_request_in_the_same_bytes_cannot_upset_the_answer(seq_of_next: bool) -> None:
    end = pump()
    tablet = opened(end)
    request = tablet.data(m.GetStatus())
    behind = (
        frame(Kind.DATA, tablet.sending.seq, bytes(40)) if seq_of_next
        else frame(Kind.HELLO, HELLO_SEQ, hello(b"behind!!"))
    )  # fmt: skip
    events = end.receive_data(request + behind, 0)
    assert events[0] == Received(2, m.GetStatus())
    end.data_to_send()
    assert end.reply(m.Alive()) == []
    assert end.data_to_send() == b"", "nobody is there to hear it"
    opened(end, nonce=b"again!!!")


def test_noise_between_frames_is_skipped() -> None:
    end = pump()
    tablet = opened(end)
    assert tablet.give(b"\x00\x07noise\x00" + tablet.data(m.GetStatus())) == [Received(2, m.GetStatus())]


def test_a_close_is_answered_and_ends_the_session() -> None:
    end = pump()
    tablet = opened(end)
    events = tablet.ask(m.Close(requests=2), m.Closed(requests=2))
    assert events == [Received(2, m.Close(requests=2)), SessionEnded(EndReason.CLOSED)]
    assert tablet.hear() == (2, m.Closed(requests=2))
    end.receive_data(tablet.sent[-1], 0)
    assert len(frames(end.data_to_send())) == 1, "a lost answer to the close is repeated"
    assert end.next_timeout() is None


def test_a_session_ends_when_its_frames_are_used_up() -> None:
    end = pump()
    tablet = opened(end)
    for _ in range(16_382):
        tablet.ask(m.KeepAlive(), m.Alive())
    assert end.in_session
    assert tablet.ask(m.KeepAlive(), m.Alive())[-1] == SessionEnded(EndReason.TIME_LIMIT)


def test_a_first_message_that_cannot_be_read_still_tells_who_came() -> None:
    end = pump()
    tablet = Tablet(end)
    tablet.greet()
    assert tablet.shake()
    events = tablet.give(tablet.sealed(b"\xff"))
    assert [type(event) for event in events] == [TabletArrived, SessionEnded]
    assert events[-1] == SessionEnded(EndReason.MALFORMED)
    assert not end.in_session
