"""Wire faults at every byte, over the memory pipe: the pump's memory is the old or the new program, and a
query after reconnecting tells which."""

import random

import pytest

from drivers.virtual import faults
from drivers.virtual.control import ControlError, obey
from drivers.virtual.faults import FaultError, arm
from drivers.virtual.physics import PhysicsError
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import Address, Kind, address_type
from protocol.messages import Committed, NotApplied, Query, ReadBack
from protocol.wand import Coupling, GetCoupling, Identify, decode_wand, encode_wand
from tests.virtual.clinic import PHYSICIAN, LinkDied, Visit, make_host, program, tx_named

TX = tx_named("fault tx")


def _prepared():
    host = make_host()
    visit = Visit(host.feed).connect()
    status = visit.status()
    stage = visit.stage_message(TX, status, program())
    staged, report = visit.ask(stage), visit.ask(ReadBack(txid=TX))
    visit.present(PHYSICIAN)
    return host, visit, visit.commit(stage, staged, report, status, PHYSICIAN)


def _size(way):
    _, visit, commit = _prepared()
    visit.sent = visit.got = 0
    visit.ask(commit)
    return visit.sent if way == "tx" else visit.got


CUTS = [("tx", "COMMIT", 100_000, NotApplied), ("rx", "COMMITTED", 115_000, Committed)]


def _cut(way, message, dose, verdict, byte):
    fault = "F-L01" if way == "tx" else "F-L02"
    host, visit, commit = _prepared()
    host.fault = arm(fault, f"{way}:{message}", byte)
    with pytest.raises(LinkDied):
        visit.ask(commit)
    assert host.fired == [fault]
    assert host.firmware.running(host.state).dose_ng_per_day == dose
    visit.connect()
    assert isinstance(visit.ask(Query(txid=TX, base_epoch=0)), verdict)
    assert visit.status().dose_ng_per_day == dose


@pytest.mark.parametrize("way, message, dose, verdict", CUTS)
def test_cut_inside_commit_and_inside_its_answer(way, message, dose, verdict):
    size = _size(way)
    for byte in {0, 1, 2, size // 2, size - 2, size - 1}:
        _cut(way, message, dose, verdict, byte)


@pytest.mark.full
@pytest.mark.parametrize("way, message, dose, verdict", CUTS)
def test_cut_at_every_byte_of_commit_and_of_its_answer(way, message, dose, verdict):
    for byte in range(_size(way)):
        _cut(way, message, dose, verdict, byte)


def test_bytes_one_at_a_time_and_noise_between_frames_change_nothing():
    host = make_host()

    def drip(data, now_ms):
        return b"".join(host.feed(bytes([b]), now_ms) for b in data)

    assert Visit(drip).connect().status().epoch == 0
    host.feed(b"\x13noise\xff" * 400, 0)
    host.feed(b"\x00", 0)
    assert Visit(host.feed).connect().order(program()).epoch == 1


def test_random_frames_change_nothing_and_stop_nothing():
    rng = random.Random(5)
    host = make_host()
    before = host.state
    for _ in range(3_000):
        kind = address_type(rng.choice((Address.WAND, Address.PUMP, 7)), rng.choice((0, 2, 4, 1, 9)))
        seq = rng.choice((0xFE, 0xFF, 0, 1, rng.randrange(256)))
        payload = rng.choice((rng.randbytes(rng.randrange(60)), b"\x82\x03\xa0", b"\x82\x02\xa0", b"\x80"))
        host.feed(encode_frame(Frame(kind, seq, payload)), 0)
    assert host.state == before
    assert Visit(host.feed).connect().status().epoch == 0


def test_the_wand_answers_repeats_alike_and_holds_its_tongue_otherwise():
    host = make_host()
    hello = encode_frame(Frame(address_type(Address.WAND, Kind.HELLO), 0xFE, encode_wand(Identify(nonce=bytes(8)))))
    first = host.feed(hello, 0)
    assert first
    assert host.feed(hello, 0) == first
    coupling = Frame(address_type(Address.WAND, Kind.DATA), 0, encode_wand(GetCoupling()))
    wire = host.feed(encode_frame(coupling), 0)
    assert decode_wand(FrameDecoder().feed(wire)[0].payload) == Coupling(strength=5, battery_percent=100)
    answer = Frame(address_type(Address.WAND, Kind.DATA), 1, encode_wand(Coupling(strength=1, battery_percent=1)))
    assert host.feed(encode_frame(answer), 0) == b""


def test_the_clock_runs_forward_only():
    with pytest.raises(PhysicsError):
        make_host().advance(-1, 0)


def test_a_cut_line_is_mended_when_the_port_is_opened_anew():
    host = make_host()
    host.dead = True
    assert host.feed(b"\x01\x02\x00\x05", 0) == b""
    host.line_closed()
    assert Visit(host.feed).connect().status().epoch == 0


def test_a_fault_beyond_the_frame_does_not_fire():
    host, visit, commit = _prepared()
    host.fault = arm("F-L02", "rx:COMMITTED", 10_000)
    assert isinstance(visit.ask(commit), Committed)
    assert host.fired == []


@pytest.mark.parametrize(
    "fault, when, byte",
    [("F-X99", "tx:COMMIT", 0), ("F-L01", "rx:COMMIT", 0), ("F-L02", "rx:NOTHING", 0), ("F-L01", "tx:COMMIT", -1)],
)
def test_faults_that_cannot_be_planted(fault, when, byte):
    with pytest.raises(FaultError):
        arm(fault, when, byte)


def test_names_of_messages_and_the_table_of_faults():
    assert {"STAGE", "READ_BACK", "COMMIT", "COMMITTED", "GET_STATUS", "STATUS"} <= faults.NAMES
    assert set(faults.TABLE.fault) == {"F-L01", "F-L02", "F-L12", "F-M05"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"op":"reboot"}',
        b'{"op":"advance"}',
        b'{"op":"advance","days":1,"seconds":1}',
        b'{"op":"advance","days":-1}',
        b'{"op":"advance","days":1.5}',
        b'{"op":"status","x":1}',
        b'{"op":"fault","id":"F-M05"}',
        b'{"op":"fault","id":"F-L01","when":"tx:NO","byte":1}',
        b'{"op":"needle","withdraw_nl":99000000,"inject_nl":0}',
    ],
)
def test_control_lines_that_are_refused_do_nothing(line):
    host = make_host()
    before = host.state
    with pytest.raises(ControlError):
        obey(host, line, 0)
    assert host.state == before


def test_control_words():
    host = make_host()
    assert obey(host, b'{"op":"status"}', 0)["true_reservoir_nl"] == 20_000_000
    obey(host, b'{"op":"fault","id":"F-M05","gain_ppm":100000}', 0)
    obey(host, b'{"op":"advance","days":10}', 0)
    obey(host, b'{"op":"advance","seconds":1}', 0)
    status = obey(host, b'{"op":"status"}', 0)
    assert (status["reservoir_nl"], status["gain_ppm"], status["fired"]) == (17_999_997, 100_000, ["F-M05"])
    assert obey(host, b'{"op":"fault","id":"F-L01","when":"tx:STAGE","byte":3}', 0) == {}
    assert obey(host, b'{"op":"status"}', 0)["fault"] == "F-L01"
    assert obey(host, b'{"op":"clear"}', 0) == obey(host, b'{"op":"save"}', 0) == {}
    obey(host, b'{"op":"needle","inject_nl":5000000}', 0)
    status = obey(host, b'{"op":"status"}', 0)
    assert (status["fault"], status["gain_ppm"], status["true_reservoir_nl"]) == (None, 0, 5_000_000)
    assert obey(host, b'{"op":"fault","id":"F-L12"}', 0) == {}
    assert host.unplugged


def test_a_clock_that_runs_fast():
    host = make_host()
    before = host.clock_ms(1_000)
    host.drift(20, 1_000)
    assert host.clock_ms(1_000 + 86_400_000) - before == 86_400_000 + 1_728
    host.advance(5, 1_000 + 86_400_000)
    host.drift(0, 2_000 + 86_400_000)
    assert host.clock_ms(3_000 + 86_400_000) - before == 86_402_000 + 1_728 + 5
