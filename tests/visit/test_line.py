"""What a visit is told when the line misbehaves: each end of a session is one exception with a sentence."""

from collections.abc import Callable
from typing import Any

import pytest

from drivers.errors import PortLost
from drivers.runner import CallFailed, PortLostEvent, RunnerFailed
from programmer.visit import line as module
from programmer.visit.line import LineFault, LineLost, NoPump, Opened, OtherVersion, PortLine, UnknownPump
from protocol.errors import NotConnected
from protocol.events import (
    CouplingRead,
    EndReason,
    PumpNotPaired,
    Received,
    SessionEnded,
    SessionOpened,
    VersionRefused,
    WandFound,
)
from protocol.link import LinkTiming
from protocol.messages import Alive, GetStatus, HelloPump, KeepAlive
from protocol.session import Pairing, TabletKeys
from protocol.wand import Coupling, Identity

WAND = Identity(model="VIRTUAL", serial="W-1", firmware=1, virtual=True)
PUMP = Pairing("VP-000421", bytes(32), bytes(32))
HELLO = HelloPump(version=9, capabilities=0, nonce=bytes(8), tags=bytes(64))
FOUND, OPENED = WandFound(WAND), SessionOpened(PUMP, bytes(32))
FAULT = ValueError("a fault of the program")


class Scripted:
    """In the place of the I/O thread: each call is answered by the next events of the script."""

    def __init__(self, port: Any, core: Any, clock_ms: Any, listener: Callable[[object], None]) -> None:
        self.core, self.tell = core, listener
        self.script: list[list[object] | Exception] = []
        self.stopped = False

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        self.stopped = True

    def call(self, work: Callable[[Any, int], Any]) -> None:
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for event in [*work(self.core, 0), *answer]:
            self.tell(event)


class SilentCore:
    """A connection that numbers its requests and does nothing else."""

    def connect(self, now_ms: int) -> None:
        """Nothing happens."""

    def request(self, message: object, now_ms: int) -> int:
        return 7


@pytest.fixture
def told() -> list[object]:
    return []


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, told: list[object]) -> PortLine:
    monkeypatch.setattr(module, "PortRunner", Scripted)
    monkeypatch.setattr(module, "TabletConnection", lambda *_: SilentCore())
    monkeypatch.setattr(module, "ANSWER_LIMIT_S", 0.001)
    keys = TabletKeys("T-0042", bytes(32))
    port: Any = None
    return PortLine(port, keys, {}, LinkTiming(None), lambda: 0, lambda size: bytes(size), told.append, told.append)


def play(line: PortLine, *script: list[object] | Exception) -> None:
    runner: Any = line._runner
    runner.script = list(script)


def test_a_session_opens(line: PortLine) -> None:
    play(line, [FOUND, OPENED])
    assert line.connect() == Opened(WAND, PUMP, bytes(32))


@pytest.mark.parametrize(
    "events, fault, words",
    [
        ([SessionEnded(EndReason.LINK_LOST)], NoPump, "No wand answers"),
        ([FOUND, SessionEnded(EndReason.LINK_LOST)], NoPump, "The wand answers, but no pump does"),
        ([FOUND, PumpNotPaired()], UnknownPump, "The pump under the wand is not paired with this tablet"),
        ([FOUND, VersionRefused(HELLO)], OtherVersion, "speaks another protocol version"),
        ([FOUND, SessionEnded(EndReason.TAMPERED)], LineLost, ""),
        ([PortLostEvent("unplugged")], LineLost, ""),
        ([RunnerFailed(FAULT)], LineLost, ""),
        ([CallFailed(NotConnected("no session"))], LineLost, ""),
        ([CallFailed(FAULT)], ValueError, "a fault of the program"),
        ([], LineLost, ""),
        (PortLost("gone"), LineLost, ""),
    ],
)
def test_why_no_session_opens(
    line: PortLine, events: list[object] | Exception, fault: type[Exception], words: str
) -> None:
    play(line, events)
    with pytest.raises(fault) as caught:
        line.connect()
    assert words in str(caught.value)


def test_the_answer_is_that_of_the_request(line: PortLine, told: list[object]) -> None:
    play(line, [Received(6, Alive()), Received(7, Alive())])
    assert line.exchange(KeepAlive()) == Alive()
    assert told == [KeepAlive()]


@pytest.mark.parametrize(
    "event, reason",
    [
        (SessionEnded(EndReason.SILENCE), EndReason.SILENCE),
        (PortLostEvent("unplugged"), EndReason.PORT_LOST),
        (RunnerFailed(FAULT), EndReason.LINK_LOST),
        (CallFailed(NotConnected("no session")), EndReason.LINK_LOST),
    ],
)
@pytest.mark.parametrize("before", [True, False])
def test_a_request_without_an_answer_is_lost_and_never_guessed(
    line: PortLine, event: object, reason: EndReason, before: bool
) -> None:
    if before:
        line._take(event)
        play(line)
    else:
        play(line, [event])
    with pytest.raises(LineLost) as caught:
        line.exchange(GetStatus())
    assert caught.value.reason is reason
    assert isinstance(caught.value, LineFault)


def test_silence_beyond_the_limit_is_a_lost_link(line: PortLine) -> None:
    play(line, [])
    with pytest.raises(LineLost) as caught:
        line.exchange(GetStatus())
    assert caught.value.reason is EndReason.LINK_LOST


def test_coupling_is_told_and_never_taken_for_an_answer(line: PortLine, told: list[object]) -> None:
    coupling = Coupling(strength=4, battery_percent=90)
    play(line, [CouplingRead(coupling), FOUND, OPENED])
    line.connect()
    assert told == [coupling]


def test_what_an_earlier_attempt_left_behind_is_forgotten(line: PortLine) -> None:
    line._take(SessionEnded(EndReason.SILENCE))
    play(line, [FOUND, OPENED])
    assert line.connect().pump == PUMP


def test_close_stops_the_thread(line: PortLine) -> None:
    line.close()
    runner: Any = line._runner
    assert runner.stopped
