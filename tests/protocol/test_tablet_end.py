"""The tablet's end: what it refuses to hear, and what it does when the answer does not fit."""

import pytest

from protocol import messages as m
from protocol import session, wand
from protocol.connection import Phase, TabletConnection
from protocol.errors import LinkBusy, NotConnected
from protocol.events import CouplingRead, EndReason, Received, SessionEnded, VersionRefused, WandFound
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import FIRST_DATA_SEQ, HELLO_SEQ, Address, Kind, LinkTiming, address_type
from protocol.session import Pairing, TabletKeys
from tests.protocol.test_connection import PUMP_SECRET, TABLET_SECRET, Bench, public, stream

IDENTITY = wand.Identity(model="W", serial="1", firmware=1, virtual=True)
COUPLING = wand.Coupling(strength=4, battery_percent=90)


def tablet() -> TabletConnection:
    pairing = Pairing("VP-1", public(PUMP_SECRET), b"\x33" * 32)
    return TabletConnection(TabletKeys("T-1", TABLET_SECRET), {"VP-1": pairing}, LinkTiming(None), stream("tablet"))


def from_wand(kind: int, seq: int, payload: bytes) -> bytes:
    return encode_frame(Frame(address_type(Address.WAND, kind), seq, payload))


def from_pump(kind: int, seq: int, payload: bytes) -> bytes:
    return encode_frame(Frame(address_type(Address.PUMP, kind), seq, payload))


def greeting(end: TabletConnection) -> None:
    end.connect(0)
    end.data_to_send()
    identity = from_wand(Kind.HELLO_REPLY, HELLO_SEQ, wand.encode_wand(IDENTITY))
    assert end.receive_data(identity, 0) == [WandFound(IDENTITY)]
    assert end.phase is Phase.GREETING


@pytest.mark.parametrize(
    "message", [COUPLING, wand.GetCoupling(), wand.Identify(nonce=bytes(8))], ids=lambda x: type(x).__name__
)
def test_a_wand_that_does_not_say_its_name_ends_the_attempt(message: wand.WandMessage) -> None:
    end = tablet()
    end.connect(0)
    reply = from_wand(Kind.HELLO_REPLY, HELLO_SEQ, wand.encode_wand(message))
    assert end.receive_data(reply, 0) == [SessionEnded(EndReason.MALFORMED)]
    assert end.phase is Phase.CLOSED


def test_a_wand_that_says_nothing_of_this_protocol_ends_the_attempt() -> None:
    end = tablet()
    end.connect(0)
    assert end.receive_data(from_wand(Kind.HELLO_REPLY, HELLO_SEQ, b"\xff"), 0) == [SessionEnded(EndReason.MALFORMED)]


def test_a_wand_that_gives_its_name_again_ends_the_session() -> None:
    bench = Bench()
    bench.open()
    bench.tablet.handle_timeout(1_000)
    bench.tablet.data_to_send()
    again = from_wand(Kind.DATA_REPLY, FIRST_DATA_SEQ, wand.encode_wand(IDENTITY))
    assert bench.tablet.receive_data(again, 1_000) == [SessionEnded(EndReason.MALFORMED)]


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_named_and_nothing_more_is_sent(version: int) -> None:
    end = tablet()
    greeting(end)
    end.data_to_send()
    hello = m.HelloPump(version=version, capabilities=0, nonce=bytes(8), tags=bytes(64))
    assert end.receive_data(from_pump(Kind.HELLO_REPLY, HELLO_SEQ, hello.encode()), 0) == [VersionRefused(hello)]
    assert (end.phase, end.data_to_send(), end.next_timeout()) == (Phase.CLOSED, b"", None)


def test_a_greeting_of_rubbish_ends_the_attempt() -> None:
    end = tablet()
    greeting(end)
    assert end.receive_data(from_pump(Kind.HELLO_REPLY, HELLO_SEQ, b"\x80"), 0) == [SessionEnded(EndReason.MALFORMED)]


def test_noise_is_counted_and_has_no_effect() -> None:
    end = tablet()
    greeting(end)
    assert end.receive_data(b"\x00noise\x00", 0) == []
    assert end.discarded == 1


def test_one_request_at_a_time() -> None:
    bench = Bench()
    bench.open()
    bench.tablet.request(m.GetStatus(), 0)
    with pytest.raises(LinkBusy):
        bench.tablet.request(m.GetStatus(), 0)


@pytest.mark.parametrize("polls", [1, 2], ids=["the wand is asked", "the pump is asked"])
def test_a_request_that_meets_a_poll_waits_for_it(polls: int) -> None:
    bench = Bench()
    bench.open()
    for number in range(polls):
        bench.turn()
        bench.now = 1_000 * (number + 1)
        bench.events += bench.tablet.handle_timeout(bench.now)
    waiting = bench.tablet.request(m.GetEvents(cursor=0), bench.now)
    with pytest.raises(LinkBusy):
        bench.tablet.request(m.GetEvents(cursor=1), bench.now)
    bench.turn()
    assert bench.events[-1] == Received(waiting, m.Alive())
    assert [event.message for event in bench.pump_events if isinstance(event, Received)][-1] == m.GetEvents(cursor=0)
    assert CouplingRead(COUPLING) in bench.events


def test_the_port_is_gone() -> None:
    bench = Bench()
    bench.open()
    bench.tablet.request(m.GetStatus(), 0)
    bench.tablet.disconnect()
    assert (bench.tablet.data_to_send(), bench.tablet.next_timeout()) == (b"", None)
    with pytest.raises(NotConnected):
        bench.tablet.request(m.GetStatus(), 0)


def test_an_answer_to_another_request_ends_the_session() -> None:
    bench = Bench()
    bench.open()
    bench.tablet.request(m.GetStatus(), 0)
    bench.pump._number = 0
    reply = bench.pump.reply

    def misnumbered(message: m.Message) -> list[object]:
        bench.pump._number += 1
        return list(reply(message))

    bench.pump.reply = misnumbered  # type: ignore[method-assign,assignment]
    bench.turn()
    assert bench.events[-1] == SessionEnded(EndReason.MALFORMED)


def test_a_request_as_an_answer_ends_the_session() -> None:
    bench = Bench(answer=lambda _: m.GetStatus())
    bench.open()
    bench.tablet.request(m.GetStatus(), 0)
    bench.turn()
    assert bench.events[-1] == SessionEnded(EndReason.MALFORMED)


def test_a_poll_has_one_answer_only() -> None:
    bench = Bench(answer=lambda _: m.Aborted(txid=bytes(16)))
    bench.open()
    bench.wait(2_000)
    assert bench.events[-1] == SessionEnded(EndReason.MALFORMED)
    assert not any(isinstance(event, Received) for event in bench.events), "the host never heard of the poll"


def test_an_echo_of_the_tablets_own_bytes_is_no_answer() -> None:
    bench = Bench()
    bench.open()
    bench.tablet.request(m.GetStatus(), 0)
    echo = bench.tablet.data_to_send()
    assert bench.tablet.receive_data(echo, 0) == []
    assert bench.tablet.phase is Phase.OPEN


@pytest.mark.parametrize("size", [0, 15])
def test_an_answer_too_short_for_a_tag_ends_the_session(size: int) -> None:
    bench = Bench()
    bench.open()
    bench.from_pump = lambda data: from_pump(Kind.DATA_REPLY, FIRST_DATA_SEQ, bytes(size)) if data else data
    bench.tablet.request(m.GetStatus(), 0)
    bench.turn()
    assert bench.events[-1] == SessionEnded(EndReason.TAMPERED)


def test_the_tablet_ends_a_session_whose_frames_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "FRAME_LIMIT", 300)
    bench = Bench()
    bench.open()
    for _ in range(300):
        bench.events.clear()
        bench.pump_events.clear()
        bench.tablet.request(m.KeepAlive(), 0)
        bench.turn()
    (received, ended) = bench.events
    assert isinstance(received, Received)
    assert ended == SessionEnded(EndReason.TIME_LIMIT)


def test_every_frame_of_a_session_is_sealed() -> None:
    """After the handshake no text of a message is on the line: two like requests have nothing in common."""
    bench = Bench()
    bench.open()
    payloads = []
    for _ in range(2):
        bench.tablet.request(m.GetStatus(), 0)
        data = bench.tablet.data_to_send()
        (frame,) = FrameDecoder().feed(data)
        assert isinstance(frame, Frame)
        payloads.append(frame.payload)
        bench.tablet.receive_data(bench.pump_takes(frame), 0)
    assert all(len(item) == len(m.encode_message(1, m.GetStatus())) + 16 for item in payloads)
    assert payloads[0] != payloads[1]
