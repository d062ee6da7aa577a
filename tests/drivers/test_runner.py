"""The I/O thread: it serves calls at once, keeps time, and gives the port back whatever happens."""

import os
import pty
import queue
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from drivers.errors import PortLost
from drivers.port import MemoryPort, memory_pair
from drivers.runner import CallFailed, PortLostEvent, PortRunner, RunnerFailed, monotonic_ms
from drivers.serial_port import open_port
from protocol.framing import Frame, FrameDecoder
from protocol.link import (
    Address,
    Delivered,
    Kind,
    LinkTiming,
    Primary,
    Repeat,
    Request,
    Retried,
    Secondary,
    address_type,
)


class Echo:
    """A core that reports what it receives and has one timer."""

    def __init__(self) -> None:
        self.out = b""
        self.due: int | None = None
        self.threads: set[str] = set()

    def receive_data(self, data: bytes, now: int) -> Sequence[object]:
        self.threads.add(threading.current_thread().name)
        if data == b"break":
            raise ZeroDivisionError("planted")
        return [("received", data)]

    def data_to_send(self) -> bytes:
        out, self.out = self.out, b""
        return out

    def next_timeout(self) -> int | None:
        return self.due

    def handle_timeout(self, now: int) -> Sequence[object]:
        assert self.due is not None
        late, self.due = now - self.due, None
        return [("timeout", late)]


def saying(text: bytes) -> Callable[[Echo, int], Sequence[object]]:
    """Work that sends ``text``."""

    def work(core: Echo, now: int) -> Sequence[object]:
        core.out += text
        return [("said", text)]

    return work


class Rig:
    def __init__(self) -> None:
        self.near, self.far = memory_pair()
        self.events: queue.Queue[object] = queue.Queue()
        self.core = Echo()
        self.runner = PortRunner(self.near, self.core, on_event=self.events.put)
        self.runner.start()

    def next(self) -> object:
        return self.events.get(timeout=2)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    assert made.runner.stop(2)


def test_bytes_in_become_events_and_calls_become_bytes(rig: Rig) -> None:
    rig.far.write(b"hello")
    assert rig.next() == ("received", b"hello")
    rig.runner.call(saying(b"out"))
    assert rig.next() == ("said", b"out")
    assert rig.far.read(1) == b"out"
    assert rig.core.threads == {"port memory:near"}


def test_a_call_does_not_wait_for_the_read(rig: Rig) -> None:
    delays = []
    for _ in range(20):
        begin = time.monotonic()
        rig.runner.call(lambda core, now: ["ran"])
        assert rig.next() == "ran"
        delays.append(time.monotonic() - begin)
    assert sorted(delays)[10] < 0.02


def test_a_timer_is_kept(rig: Rig) -> None:
    def arm(core: Echo, now: int) -> Sequence[object]:
        core.due = now + 20
        return []

    begin = time.monotonic()
    rig.runner.call(arm)
    assert rig.next() in [("timeout", late) for late in range(1000)]
    assert 0.015 < time.monotonic() - begin < 1


def test_a_timer_is_kept_on_a_busy_line(rig: Rig) -> None:
    def arm(core: Echo, now: int) -> Sequence[object]:
        core.due = now
        return ["armed"]

    rig.far.write(b"x")
    rig.runner.call(arm)
    seen = {str(rig.next()) for _ in range(3)}
    assert "armed" in seen
    assert any("timeout" in text for text in seen)


def test_a_call_that_fails_does_not_stop_the_port(rig: Rig) -> None:
    rig.runner.call(lambda core, now: [1 // 0])
    event = rig.next()
    assert isinstance(event, CallFailed)
    assert isinstance(event.error, ZeroDivisionError)
    rig.far.write(b"still here")
    assert rig.next() == ("received", b"still here")


def test_a_core_that_fails_closes_the_port(rig: Rig) -> None:
    rig.far.write(b"break")
    assert isinstance(rig.next(), RunnerFailed)
    with pytest.raises(PortLost):
        rig.far.read(1)
    with pytest.raises(PortLost):
        rig.runner.call(lambda core, now: [])
    assert not rig.runner.running


def test_unplugging_is_one_event_within_100_ms_and_ends_the_thread(rig: Rig) -> None:
    begin = time.monotonic()
    rig.far.close()
    event = rig.next()
    assert time.monotonic() - begin < 0.5
    assert isinstance(event, PortLostEvent)
    assert "Plug the wand in again" in event.reason
    assert event.unserved == 0
    with pytest.raises(PortLost):
        rig.runner.call(lambda core, now: [])
    assert rig.runner.stop()
    assert rig.events.empty()


def test_calls_that_were_never_run_are_counted(rig: Rig) -> None:
    entered, go = threading.Event(), threading.Event()

    def hold(core: Echo, now: int) -> Sequence[object]:
        entered.set()
        go.wait(2)
        core.out = b"fails, for the other end is gone"
        return []

    rig.runner.call(hold)
    assert entered.wait(2)
    rig.runner.call(lambda core, now: ["never"])
    rig.far.close()
    go.set()
    event = rig.next()
    assert isinstance(event, PortLostEvent)
    assert event.unserved == 1


def test_stop_is_quiet_quick_and_closes_the_port(rig: Rig) -> None:
    begin = time.monotonic()
    assert rig.runner.stop()
    assert time.monotonic() - begin < 0.25
    assert rig.events.empty()
    with pytest.raises(PortLost):
        rig.far.read(1)
    assert rig.runner.stop()


def test_a_runner_that_never_started_closes_its_port() -> None:
    near, far = memory_pair()
    assert PortRunner(near, Echo()).stop()
    with pytest.raises(PortLost):
        far.read(1)


def test_the_listener_may_stop_the_runner_from_its_own_thread() -> None:
    near, far = memory_pair()
    stopped = threading.Event()

    def listener(event: object) -> None:
        assert not runner.stop()
        stopped.set()

    runner = PortRunner(near, Echo(), on_event=listener)
    runner.start()
    far.write(b"x")
    assert stopped.wait(2)
    assert runner.stop(2)


class Stuck(MemoryPort):
    """A port whose line fails in an unforeseen way."""

    def read(self, timeout_s: float) -> bytes:
        raise OSError(5, "Input/output error")


def test_any_system_error_is_link_loss() -> None:
    events: queue.Queue[object] = queue.Queue()
    runner = PortRunner(Stuck("stuck"), Echo(), on_event=events.put)
    runner.start()
    event = events.get(timeout=2)
    assert isinstance(event, PortLostEvent)
    assert "Input/output error" in event.reason
    runner.stop()


def test_over_a_pseudo_terminal_unplugged_under_load() -> None:
    leader, follower = pty.openpty()
    events: queue.Queue[object] = queue.Queue()
    core = Echo()
    runner = PortRunner(open_port(os.ttyname(follower)), core, on_event=events.put)
    os.close(follower)
    runner.start()
    os.write(leader, b"ping")
    assert events.get(timeout=2) == ("received", b"ping")
    begin = time.monotonic()
    runner.call(saying(b"pong"))
    assert events.get(timeout=2) == ("said", b"pong")
    assert os.read(leader, 10) == b"pong"
    assert time.monotonic() - begin < 0.5
    os.close(leader)
    assert isinstance(events.get(timeout=2), PortLostEvent)
    assert runner.stop()


def test_the_clock_counts_milliseconds() -> None:
    begin = monotonic_ms()
    time.sleep(0.01)
    assert 9 <= monotonic_ms() - begin < 1000


class LinkCore:
    """The data link as a core: frames in, replies out as events."""

    def __init__(self) -> None:
        self.decoder = FrameDecoder()
        self.primary = Primary(Address.WAND, LinkTiming(None, host_slack_ms=0, device_ms=100))

    @staticmethod
    def request_of(seq: int, core: "LinkCore", now: int) -> Sequence[object]:
        core.primary.send(Kind.DATA, seq, b"%d" % seq, now)
        return []

    def receive_data(self, data: bytes, now: int) -> Sequence[object]:
        frames = [item for item in self.decoder.feed(data) if isinstance(item, Frame)]
        return [self.primary.receive(frame, now) for frame in frames]

    def data_to_send(self) -> bytes:
        return self.primary.data_to_send()

    def next_timeout(self) -> int | None:
        return self.primary.next_timeout()

    def handle_timeout(self, now: int) -> Sequence[object]:
        return [self.primary.handle_timeout(now)]


class RealLine:
    """The far end of a pseudo-terminal or a TCP connection, with a Secondary that loses its second reply."""

    def __init__(self, kind: str) -> None:
        self.executed: list[int] = []
        self.server: socket.socket | None = None
        self.line: socket.socket | None = None
        if kind == "tcp":
            self.server = socket.create_server(("127.0.0.1", 0))
            self.url = f"socket://127.0.0.1:{self.server.getsockname()[1]}"
        else:
            self.fd, self.follower = pty.openpty()
            tty.setraw(self.follower)
            self.url = os.ttyname(self.follower)

    def serve(self) -> None:
        if self.server:
            self.line, _ = self.server.accept()
        secondary, decoder = Secondary(Address.WAND, handshake=False), FrameDecoder()
        secondary.receive(Frame(address_type(Address.WAND, Kind.HELLO), 0xFE, b"nonce"))
        while len(self.executed) < 3:
            for frame in decoder.feed(self.line.recv(999) if self.line else os.read(self.fd, 999)):
                assert isinstance(frame, Frame)
                result = secondary.receive(frame)
                if isinstance(result, Request):
                    self.executed.append(int(result.payload))
                    reply = secondary.reply(Kind.DATA_REPLY, result.seq, b"re " + result.payload)
                    if result.seq != 1:
                        self.send(reply)
                elif isinstance(result, Repeat) and result.reply:
                    self.send(result.reply)

    def send(self, data: bytes) -> None:
        if self.line:
            self.line.sendall(data)
        else:
            os.write(self.fd, data)

    def close(self) -> None:
        for end in (self.line, self.server):
            if end:
                end.close()
        if not self.server:
            os.close(self.follower)
            os.close(self.fd)


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_the_link_runs_over_a_real_line(kind: str) -> None:
    """A Primary in the runner and a Secondary behind a real line: three exchanges, the second with a lost reply."""
    far, near = RealLine(kind), queue.Queue[object]()
    answering = threading.Thread(target=far.serve, daemon=True)
    answering.start()
    core = LinkCore()
    runner = PortRunner(open_port(far.url), core, on_event=near.put)
    runner.start()
    for seq, retries in ((0, 0), (1, 1), (2, 0)):
        runner.call(partial(LinkCore.request_of, seq))
        for _ in range(retries):
            assert near.get(timeout=2) == Retried(2)
        assert near.get(timeout=2) == Delivered(Kind.DATA_REPLY, seq, b"re %d" % seq)
    assert far.executed == [0, 1, 2]
    far.close()
    assert isinstance(near.get(timeout=2), PortLostEvent)
    assert runner.stop(2)
    answering.join(2)
