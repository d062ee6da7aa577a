"""The line over a port: each way in which a pump cannot be reached has its own sentence; no answer is guessed."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from drivers.port import MemoryPort, memory_pair
from drivers.runner import monotonic_ms
from drivers.virtual.wand import VirtualWand
from programmer.visit import line as line_module
from programmer.visit.line import LineFault, LineLost, NoPump, OtherVersion, PortLine, UnknownPump
from protocol import responder
from protocol.events import CouplingRead, EndReason, SessionEnded
from protocol.framing import Frame, FrameDecoder
from protocol.link import LinkTiming
from protocol.messages import GetStatus, Message, Status
from protocol.session import Pairing, TabletKeys
from protocol.wand import Coupling
from tests.bench import PSK, PUMP_PRIVATE, SERIAL, TABLET_ID, TABLET_PRIVATE, Clock, PumpEnd, public_x25519, stream

PAIRED = {SERIAL: Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)}
QUICK = LinkTiming(None, device_ms=0, host_slack_ms=20, granularity_ms=1, attempts=2)
PATIENT = LinkTiming(None)
Answer = Callable[[bytes], bytes]


def silent(_: bytes) -> bytes:
    return b""


def wand_only() -> Answer:
    wand, decoder = VirtualWand("W-1"), FrameDecoder()

    def answer(data: bytes) -> bytes:
        return b"".join(wand.receive(item, 0) for item in decoder.feed(data) if isinstance(item, Frame))

    return answer


def whole_pump() -> Answer:
    clock = Clock()
    pump = PumpEnd(clock)
    return lambda data: pump.host.feed(data, clock.ms)


@dataclass
class FarEnd:
    """What answers at the other end, in a thread, until the line ends."""

    port: MemoryPort
    answer: Answer
    going: bool = True

    def run(self) -> None:
        try:
            while self.going:
                data = self.port.read(0.5)
                if data:
                    self.port.write(self.answer(data))
        except Exception:
            return  # the line has ended

    def close(self) -> None:
        self.going = False
        self.port.close()


Opener = Callable[..., PortLine]


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Opens lines and closes them again."""
    lines: list[PortLine] = []

    def open_line(answer: Answer, timing: LinkTiming = QUICK, paired: dict[str, Pairing] = PAIRED) -> PortLine:
        near, far = memory_pair()
        end = FarEnd(far, answer)
        threading.Thread(target=end.run, daemon=True).start()
        notices: list[object] = []
        sent: list[Message] = []
        made = PortLine(
            near, TabletKeys(TABLET_ID, TABLET_PRIVATE), paired, timing, monotonic_ms, stream("line"), notices.append,
            sent.append,
        )  # fmt: skip
        made.far, made.notices, made.sent_messages = end, notices, sent  # type: ignore[attr-defined]
        lines.append(made)
        return made

    yield open_line
    for made in lines:
        made.close()
        made.far.close()  # type: ignore[attr-defined]


def test_an_exchange_tells_when_its_request_has_left(opened: Opener) -> None:
    line = opened(whole_pump(), PATIENT)
    assert line.connect().pump.serial == SERIAL
    assert isinstance(line.exchange(GetStatus()), Status)
    assert line.sent_messages == [GetStatus()]  # type: ignore[attr-defined]


def test_nothing_answers(opened: Opener) -> None:
    with pytest.raises(NoPump, match="No wand answers"):
        opened(silent).connect()


def test_a_wand_without_a_pump(opened: Opener) -> None:
    with pytest.raises(NoPump, match="wand answers, but no pump"):
        opened(wand_only()).connect()


def test_a_pump_that_this_tablet_does_not_know(opened: Opener) -> None:
    with pytest.raises(UnknownPump, match="The pump under the wand is not paired with this tablet"):
        opened(whole_pump(), PATIENT, {}).connect()


def test_a_pump_of_another_version(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "VERSION", 9)
    with pytest.raises(OtherVersion, match="another protocol version"):
        opened(whole_pump(), PATIENT).connect()


def test_the_port_goes_while_connecting(opened: Opener) -> None:
    line = opened(silent, PATIENT)
    line.far.close()  # type: ignore[attr-defined]
    with pytest.raises(LineLost, match="port"):
        line.connect()


def test_the_port_goes_between_two_requests(opened: Opener) -> None:
    line = opened(whole_pump(), PATIENT)
    line.connect()
    line.far.close()  # type: ignore[attr-defined]
    with pytest.raises(LineLost):
        line.exchange(GetStatus())
    with pytest.raises(LineLost):
        line.exchange(GetStatus())


def test_the_pump_falls_silent_under_a_request(opened: Opener) -> None:
    pump, quiet = whole_pump(), [False]
    line = opened(lambda data: b"" if quiet[0] else pump(data), LinkTiming(None, host_slack_ms=50, attempts=2))
    line.connect()
    quiet[0] = True
    with pytest.raises(LineLost, match="Hold the wand"):
        line.exchange(GetStatus())


def test_a_session_that_ended_while_nobody_asked_is_told_at_the_next_request(opened: Opener) -> None:
    line = opened(whole_pump(), PATIENT)
    line.connect()
    line._take(SessionEnded(EndReason.SILENCE))
    line._take(CouplingRead(Coupling(strength=2, battery_percent=50)))
    with pytest.raises(LineLost, match=EndReason.SILENCE.value):
        line.exchange(GetStatus())
    assert line.notices[0] is EndReason.SILENCE  # type: ignore[attr-defined]
    assert line.notices[1] == Coupling(strength=2, battery_percent=50)  # type: ignore[attr-defined]


def test_a_request_without_a_session_did_not_leave(opened: Opener) -> None:
    line = opened(silent)
    with pytest.raises(LineLost):
        line.exchange(GetStatus())
    assert line.sent_messages == []  # type: ignore[attr-defined]


def test_a_request_that_is_itself_at_fault_is_no_lost_link(opened: Opener) -> None:
    line = opened(whole_pump(), PATIENT)
    line.connect()

    def refuse(message: Message, now_ms: int) -> int:
        raise ValueError("too long")

    line.connection.request = refuse  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="too long"):
        line.exchange(GetStatus())


def test_a_defect_of_the_connection_leaves_the_answer_open(opened: Opener) -> None:
    line = opened(whole_pump(), PATIENT)
    line.connect()

    def broken(data: bytes, now_ms: int) -> list[object]:
        raise RuntimeError("defect")

    line.connection.receive_data = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(LineLost) as told:
        line.exchange(GetStatus())
    assert isinstance(told.value.__cause__, RuntimeError)


def test_no_event_within_the_limit_is_a_lost_link(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_module, "ANSWER_LIMIT_S", 0.01)
    with pytest.raises(LineLost):
        opened(silent, PATIENT).connect()


def test_a_closed_line_is_lost(opened: Opener) -> None:
    line = opened(silent)
    line.close()
    with pytest.raises(LineFault):
        line.connect()
