"""Bad lines, from the tablet's side: half open, dripping, at the wrong speed. Each ends after a few tries."""

import socket
import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.address import BAUDS
from drivers.pipe import Delay, Direction, Pipe
from drivers.runner import monotonic_ms
from drivers.serial_port import open_port
from programmer.visit.line import LineLost, NoPump, PortLine
from protocol.connection import TabletConnection
from protocol.events import EndReason, SessionOpened
from protocol.framing import Frame, FrameDecoder
from protocol.link import LinkTiming
from protocol.messages import GetStatus, Status
from protocol.session import Pairing, TabletKeys
from tests.bench import (
    PSK,
    PUMP_PRIVATE,
    SERIAL,
    TABLET_ID,
    TABLET_PRIVATE,
    BenchLine,
    Clock,
    PumpEnd,
    public_x25519,
    stream,
)
from tests.drivers.waveform import misheard

WATCHDOG_S = 2.0
KEYS = TabletKeys(TABLET_ID, TABLET_PRIVATE)
PAIRED = {SERIAL: Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)}
QUICK = LinkTiming(None, device_ms=0, host_slack_ms=30, granularity_ms=1)
LIMIT_MS = 4 * LinkTiming(None).timeout_ms(258)


class Swallows:
    """A TCP listener whose end takes everything; it answers as told, until it is told to be silent."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer, self.silent = answer, False
        self.swallowed = bytearray()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client, _ = self._server.accept()
        with client:
            while data := client.recv(4_096):
                if self.silent:
                    self.swallowed += data
                else:
                    client.sendall(self.answer(data))

    def close(self) -> None:
        self._thread.join(WATCHDOG_S)
        self._server.close()


def frames(data: bytes) -> list[Frame]:
    return [item for item in FrameDecoder().feed(data) if isinstance(item, Frame)]


def test_a_half_open_line_is_tried_four_times_with_the_same_bytes() -> None:
    """Writes go and nothing comes, as behind a router that forgot us: never busy for ever."""
    pump = PumpEnd(Clock())
    far = Swallows(lambda data: pump.host.feed(data, pump.clock.ms))
    notices: list[object] = []
    line = PortLine(open_port(far.url), KEYS, PAIRED, QUICK, monotonic_ms, stream("t"), notices.append)
    line.connect()
    far.silent = True
    with pytest.raises(LineLost, match="read the pump again"):
        line.exchange(GetStatus())
    tries = frames(bytes(far.swallowed))
    assert len(tries) == 4
    assert len(set(tries)) == 1
    assert notices.count(EndReason.LINK_LOST) == 1
    with pytest.raises(NoPump):
        line.connect()
    assert len(frames(bytes(far.swallowed))) == 8
    far.silent = False
    line.connect()  # the line came back: no restart of anything
    assert isinstance(line.exchange(GetStatus()), Status)
    line.close()
    far.close()


def test_a_line_that_drips_is_given_up_after_the_same_time_as_a_silent_one() -> None:
    """One byte a second both ways: each byte that arrives must not lengthen the waiting."""
    pump = PumpEnd(Clock())
    line = BenchLine(pump, Pipe(baud=10), stream("t"))
    begin = pump.clock.ms
    with pytest.raises(NoPump):
        line.connect()
    assert pump.clock.ms - begin <= LIMIT_MS


def test_an_answer_that_drips_is_given_up() -> None:
    pump, pipe = PumpEnd(Clock()), Pipe()
    line = BenchLine(pump, pipe, stream("t"))
    line.connect()
    pipe.arm(*(Delay(Direction.FROM_PUMP, number, 1, 1_000 * number) for number in range(800)))
    begin = pump.clock.ms
    with pytest.raises(LineLost):
        line.exchange(GetStatus())
    assert 0 < pump.clock.ms - begin <= LIMIT_MS
    pipe.heal()
    line.connect()  # what still drips in from before has no effect
    assert isinstance(line.exchange(GetStatus()), Status)


@given(st.binary(max_size=40), st.sampled_from(BAUDS))
@settings(max_examples=60, deadline=None)
def test_the_waveform_at_the_right_speed_is_the_data(data: bytes, baud: int) -> None:
    assert misheard(data, baud, baud) == data


def test_the_waveform_at_double_speed_by_hand() -> None:
    """0x00 is nine low bits, eighteen at double speed: two bytes of nothing, each with a stop bit that is low."""
    assert misheard(b"\x00", 9_600, 19_200)[:1] == b"\x00"
    assert misheard(b"\x55", 19_200, 9_600) != b"\x55"


WRONG = [(spoken, heard) for spoken in BAUDS for heard in BAUDS if spoken != heard]


def test_at_no_wrong_speed_does_anything_happen_in_the_pump() -> None:
    """110 pairs of speeds, both directions misheard: no session, no change, no fault, and four tries each."""
    assert len(WRONG) == 110
    for tablet_baud, pump_baud in WRONG:
        pump = PumpEnd(Clock(), days=0)
        before = pump.state.participant, pump.running()
        tablet = TabletConnection(KEYS, PAIRED, LinkTiming(None), stream("t"))
        tablet.connect(pump.clock.ms)
        sends, events = 0, []
        for _ in range(20):
            out = tablet.data_to_send()
            if out:
                sends += 1
                answer = pump.host.feed(misheard(out, tablet_baud, pump_baud), pump.clock.ms)
                events += tablet.receive_data(misheard(answer, pump_baud, tablet_baud), pump.clock.ms)
            due = tablet.next_timeout()
            if due is None:
                break
            pump.clock.ms = due
            events += tablet.handle_timeout(due)
        assert (sends, [type(event).__name__ for event in events]) == (4, ["SessionEnded"])
        assert (pump.state.participant, pump.running()) == before


@pytest.mark.parametrize(("spoken", "heard"), WRONG[::7])
def test_a_pump_that_hears_us_but_is_misheard_opens_no_session(spoken: int, heard: int) -> None:
    pump = PumpEnd(Clock(), days=0)
    tablet = TabletConnection(KEYS, PAIRED, LinkTiming(None), stream("t"))
    tablet.connect(pump.clock.ms)
    answer = pump.host.feed(tablet.data_to_send(), pump.clock.ms)
    assert answer
    events = tablet.receive_data(misheard(answer, spoken, heard), pump.clock.ms)
    assert not any(isinstance(event, SessionOpened) for event in events)
