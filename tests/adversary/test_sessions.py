"""What a session binds, when it ends, and that its end is known on both sides."""

from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import Phase, find, settings

from drivers.virtual.breakglass import RIGHTS
from drivers.virtual.pump import Asked, Session
from programmer.visit.line import LineLost
from protocol import cbor
from protocol import messages as m
from protocol.connection import REQUEST_NUMBERS
from protocol.event_codes import EventCode
from protocol.events import EndReason, Received, SessionEnded, SessionOpened
from protocol.framing import Frame, encode_frame
from protocol.link import HELLO_SEQ, Address, Kind, address_type
from protocol.noise import CipherState
from protocol.session import SessionKind
from tests.adversary.bus import body_of, record
from tests.adversary.ends import Ends
from tests.adversary.world import TO_PUMP, World, copied, facts, fresh_host
from tests.bench import Bench
from tests.protocol.make import any_of
from tests.virtual.clinic import Visit, key, make_host

KINDS = list(SessionKind)
LOCAL_STEP = 11
DATA, DATA_REPLY = address_type(Address.PUMP, Kind.DATA), address_type(Address.PUMP, Kind.DATA_REPLY)


def alive(message: m.Message) -> m.Message:
    return m.Closed(requests=2) if isinstance(message, m.Close) else m.Alive()


def opened(kind: SessionKind = SessionKind.ROUTINE) -> Ends:
    ends = Ends(alive, kind)
    assert ends.open()
    ends.ask(m.KeepAlive())
    assert ends.pump.in_session
    return ends


@pytest.mark.parametrize("kind", KINDS)
def test_both_ends_open_each_kind_of_session(kind: SessionKind) -> None:
    opened(kind)


def hello_bits(kind: SessionKind, step: int) -> int:
    """Flip bits of both greetings, one session each; how many."""
    done = 0
    for which, size in ((Kind.HELLO, 21), (Kind.HELLO_REPLY, 82)):
        for bit in range(0, 8 * size, step):
            met = []

            def change(
                frame: Frame, bit: int = bit, which: int = which, size: int = size, met: list[int] = met
            ) -> Frame:
                if frame.address_type & 0xF != which:
                    return frame
                assert len(frame.payload) == size, "every bit is tried"
                met.append(bit)
                payload = bytearray(frame.payload)
                payload[bit // 8] ^= 1 << bit % 8
                return replace(frame, payload=bytes(payload))

            ends = Ends(alive, kind, change=change)
            ends.begin()
            ends.settle()
            assert met
            assert not any(isinstance(event, SessionOpened) for event in ends.tablet_events), (which, bit)
            assert not ends.pump.in_session
            assert ends.pump_events == []
            done += 1
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_a_bit_of_either_greeting_ends_the_handshake(kind: SessionKind) -> None:
    assert hello_bits(kind, LOCAL_STEP) > 60


@pytest.mark.full
@pytest.mark.grid
@pytest.mark.parametrize("kind", KINDS)
def test_every_bit_of_either_greeting_ends_the_handshake(kind: SessionKind) -> None:
    print(f"\n{kind.name}: {hello_bits(kind, 1)} bits of both greetings, each ends the handshake")


def test_message_one_replayed_a_thousand_times_leaves_the_memory_as_it_was() -> None:
    session = record(World(fresh_host(), "tablet", "given up", 0))
    assert session.end is not None
    host, now = session.end.host, session.end.now
    hello, first = [wire for way, wire in session.frames if way == TO_PUMP][1:3]
    assert [body_of(wire)[:2] for wire in (hello, first)] == [b"\x12\xfe", b"\x14\xff"]
    before, work = facts(host.state), host._connection.curve_work
    for number in range(1_000):
        other = m.HelloTablet(
            min_version=1, max_version=1, capabilities=0, link_kind=1, nonce=number.to_bytes(8, "big"), kind=0
        )
        host.feed(encode_frame(Frame(address_type(Address.PUMP, Kind.HELLO), HELLO_SEQ, other.encode())), now)
        for wire in (first, hello, first):
            host.feed(wire, now + 1)
        now += 1_000
    assert facts(host.state) == before
    assert host._connection.curve_work == work


def test_true_handshakes_without_a_message_after_them_leave_the_memory_as_it_was() -> None:
    host = fresh_host()
    before = facts(host.state)
    for number in range(200):
        world = World(host, f"silent {number}", "recover", number * 2_000)
        while body_of(world.flights[0][2])[:2] != bytes((DATA, 0)):
            world.step()
    assert host._connection.curve_work == 200
    assert facts(host.state) == before


FIELDS = {"version": 0, "direction": 1, "address and kind": 2, "sequence": 3, "length, high": 4, "length, low": 5}


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("field", [None, *FIELDS])
def test_each_field_of_the_associated_data_is_bound_in_the_pump(field: str | None, bit: int) -> None:
    ends = opened()
    plain = m.encode_message(2, m.GetStatus())
    data = bytearray((1, 1, DATA, 1)) + len(plain).to_bytes(2, "big")
    if field is not None:
        data[FIELDS[field]] ^= 1 << bit
    assert ends.tablet._sending is not None
    sealed = ends.tablet._sending._cipher.encrypt_with_ad(bytes(data), plain)
    events = ends.pump.receive_data(encode_frame(Frame(DATA, 1, sealed)), 0)
    assert events == ([Received(2, m.GetStatus())] if field is None else [SessionEnded(EndReason.TAMPERED)])


@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("field", [None, *FIELDS])
def test_each_field_of_the_associated_data_is_bound_in_the_tablet(field: str | None, bit: int) -> None:
    ends = opened()
    ends.tablet.request(m.KeepAlive(), 0)
    plain = m.encode_message(2, m.Alive())
    data = bytearray((1, 2, DATA_REPLY, 1)) + len(plain).to_bytes(2, "big")
    if field is not None:
        data[FIELDS[field]] ^= 1 << bit
    assert ends.pump._sending is not None
    sealed = ends.pump._sending._cipher.encrypt_with_ad(bytes(data), plain)
    events = ends.tablet.receive_data(encode_frame(Frame(DATA_REPLY, 1, sealed)), 0)
    assert events == ([Received(2, m.Alive())] if field is None else [SessionEnded(EndReason.TAMPERED)])


def ciphers(ends: Ends) -> list[CipherState]:
    channels = (ends.tablet._sending, ends.tablet._receiving, ends.pump._receiving, ends.pump._sending)
    return [channel._cipher for channel in channels if channel is not None]


def test_both_directions_take_a_new_key_with_frame_257_and_go_on() -> None:
    ends, changes = opened(), []
    for number in range(2, 515):
        before = [cipher.k for cipher in ciphers(ends)]
        ends.ask(m.KeepAlive())
        after = [cipher.k for cipher in ciphers(ends)]
        if after != before:
            assert not set(after) & set(before), "all four ends"
            changes.append(number)
        assert ends.tablet_events[-1] == Received((number - 1) % REQUEST_NUMBERS + 1, m.Alive())
    assert changes == [257, 513], "frames 0 to 255 have one key"


def test_both_directions_take_a_new_key_after_each_commit() -> None:
    session = record(World(fresh_host(), "tablet", "change", 0))
    last: dict[int, tuple[object, ...]] = {}
    changed = []
    for number, world in enumerate(session.before):
        for side, ends in enumerate((world.tablet, world.host._connection)):
            if ends._sending is not None and ends._receiving is not None:
                now = (ends._sending._cipher.k, ends._receiving._cipher.k)
                if side in last and last[side] != now:
                    changed.append((number, side))
                last[side] = now
    commit = next(n for n, w in enumerate(session.before) if w.committing)
    twice = [(commit + 1, 1), (commit + 2, 0), (commit + 3, 1), (commit + 4, 0)]
    assert changed == twice, "the pump with its answer, the tablet on hearing it; QUERY has the same answer"


def used_up(ends: Ends, first: int) -> None:
    for channel in (ends.tablet._sending, ends.tablet._receiving, ends.pump._receiving, ends.pump._sending):
        assert channel is not None
        channel._count = channel._cipher.n = first
    ends.pump._link._last = Frame(DATA, (first - 1) % 256, b"")


def test_the_session_ends_on_both_sides_with_frame_16384() -> None:
    ends = opened()
    used_up(ends, 16_380)
    for _ in range(3):
        ends.ask(m.KeepAlive())
        assert ends.pump.in_session
    ends.ask(m.KeepAlive())
    assert ends.pump_events[-1] == ends.tablet_events[-1] == SessionEnded(EndReason.TIME_LIMIT)
    assert not ends.pump.in_session


@pytest.mark.full
def test_sixteen_thousand_frames_one_after_the_other() -> None:
    ends = opened()
    for number in range(1, 16_384):
        assert ends.pump.in_session, number
        ends.ask(m.KeepAlive())
    assert ends.pump_events[-1] == ends.tablet_events[-1] == SessionEnded(EndReason.TIME_LIMIT)


def test_cut_at_each_frame_the_end_is_known_on_both_sides_and_told_at_the_next_contact() -> None:
    session = record(World(fresh_host(), "tablet", "change", 0))
    seen = set()
    for before in session.before:
        world = copied(before)
        world.flights.clear()
        while world.tablet.next_timeout() is not None:
            world.step()
            world.flights.clear()
        assert world.opened == world.ended, "the tablet knows"
        world.now += 10_000
        world.host.tick(world.now)
        codes = [entry.code for entry in world.host.state.log.entries]
        arrived, orderly = codes.count(EventCode.SESSION_OPENED), codes.count(EventCode.SESSION_CLOSED)
        interrupted = codes.count(EventCode.SESSION_INTERRUPTED)
        assert arrived == orderly + interrupted, "the pump knows"
        world.run()
        status = world.answers[0]
        assert isinstance(status, m.Status)
        assert status.interrupted == interrupted, "told at the next contact"
        seen.add((arrived, orderly, interrupted))
    assert seen == {(0, 0, 0), (1, 0, 1), (1, 1, 0)}


def test_a_close_that_was_not_sealed_closes_nothing() -> None:
    ends = opened()
    for payload in (m.encode_message(2, m.Close(requests=2)), bytes(40)):
        ends = opened()
        assert ends.pump.receive_data(encode_frame(Frame(DATA, 1, payload)), 0) == [SessionEnded(EndReason.TAMPERED)]


def test_a_close_carries_the_counts_of_both_sides() -> None:
    host = make_host()
    visit = Visit(host.feed).connect()
    visit.status()
    visit.status()
    assert visit.ask(m.Close(requests=3)) == m.Closed(requests=3)
    assert host.state.log.entries[-1].value == 3


def test_the_tablet_keeps_a_lost_session_in_its_log() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    read = bench.pipe.read
    bench.pipe.read = lambda way, now_ms: b""  # type: ignore[method-assign]
    with pytest.raises(LineLost):
        shell.read()
    bench.pipe.read = read  # type: ignore[method-assign]
    lost = [entry.body["state"] for entry in shell.desk.log.entries() if entry.type == "link.lost"]
    assert [state.split(": ")[1] for state in lost] == ["no answer"]
    bench.clock.ms += 10_000
    assert shell.read().interrupted == 1


def test_a_power_failure_in_a_session_counts_as_an_interruption() -> None:
    host = make_host()
    Visit(host.feed).connect().status()
    state = host.firmware.boot(host.state, host.clock_ms(0))
    assert state.counters.interrupted == 1
    assert [entry.code for entry in state.log.entries[-2:]] == [EventCode.SESSION_INTERRUPTED, EventCode.RESET]
    assert host.firmware.boot(state, host.clock_ms(0)).counters.interrupted == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_but_those_of_the_table_does_anything(kind: SessionKind) -> None:
    ends = opened(kind)
    for op in set(range(256)) - set(m.MESSAGES):
        sealed = copied(ends.tablet._sending).seal(DATA, cbor.encode([op, 2, {}]))
        events = copied(ends.pump).receive_data(encode_frame(Frame(DATA, 1, sealed)), 0)
        assert events == [SessionEnded(EndReason.MALFORMED)], op


@cache
def example(message_type: type[m.Message]) -> m.Message:
    quick = settings(max_examples=1, phases=[Phase.generate], database=None)
    return find(any_of(message_type), lambda _: True, settings=quick, random=Random(0))


@pytest.mark.parametrize("kind", KINDS)
def test_each_message_of_the_wire_is_in_the_table_of_rights_or_refused_and_logged(kind: SessionKind) -> None:
    host = make_host()
    firmware, clock = host.firmware, host.clock_ms(0)
    state = replace(host.state, session=Session("T", bytes(32), kind=kind))
    for message_type in m.MESSAGES.values():
        after, out = firmware.step(state, Asked(example(message_type), bytes(32)), 0, clock)
        answers = [item.message for item in out if hasattr(item, "message")]
        assert len(answers) == 1
        if message_type in RIGHTS[kind]:
            assert m.Refusal.NOT_IN_THIS_SESSION not in getattr(answers[0], "reasons", ())
            continue
        reason = m.Refusal.NOT_IN_THIS_SESSION if message_type.REQUEST else m.Refusal.UNSUPPORTED
        assert answers == [m.Refused(op=message_type.OP, txid=b"", reasons=(reason,))]
        last = after.log.entries[-1]
        assert (last.code, last.value) == (EventCode.COMMAND_REFUSED, reason)
        assert (after.image, after.record, after.override) == (state.image, state.record, state.override)


def test_the_fifth_refused_command_closes_the_session_and_says_so() -> None:
    host = make_host()
    visit = Visit(host.feed).connect()
    silence = m.SilenceAlarm(alarm=1)
    for _ in range(4):
        assert visit.ask(silence).reasons == (m.Refusal.NO_SUCH_ALARM,)
        visit.ask(m.KeepAlive())
    assert visit.ask(silence).reasons == (m.Refusal.NO_SUCH_ALARM, m.Refusal.SESSION_OVER)
    assert host.state.session is None
    assert not host._connection.in_session
    assert host.state.log.entries[-1].code is EventCode.SESSION_INTERRUPTED
    assert visit.connect().status().interrupted == 1


def test_a_lost_answer_to_the_fifth_is_repeated_and_the_tablet_knows_the_end() -> None:
    refused = m.Refused(op=3, txid=b"", reasons=(m.Refusal.MALFORMED, m.Refusal.SESSION_OVER))
    lost = []

    def lose_one(frame: Frame) -> Frame | None:
        if frame.address_type == DATA_REPLY and not lost:
            lost.append(frame)
            return None
        return frame

    ends = Ends(lambda _: refused)
    ends.open()
    ends.change = lose_one
    ends.tablet.request(m.GetStatus(), 0)
    ends.settle()
    assert lost
    assert ends.tablet_events[-2:] == [Received(1, refused), SessionEnded(EndReason.REFUSED)]
    assert ends.pump_events[-1] == SessionEnded(EndReason.REFUSED)


def test_asking_whether_a_credential_is_known_is_no_failure() -> None:
    visit = Visit(make_host().feed).connect()
    for _ in range(8):
        answer = visit.ask(m.Present(position=2, credential=key("nobody")))
        assert m.Refusal.SESSION_OVER not in answer.reasons
