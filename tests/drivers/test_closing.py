"""Closing within 250 ms whatever is pending: a read, a write, an open, on a pseudo-terminal, TCP and rfc2217.

The bound itself is not measured here, for a busy machine would fail it by chance: what is asserted is that each wait
ends because of the closing, long before its own time is over, and that the waits are bounded below 250 ms.
"""

import os
import pty
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from drivers.errors import PortLost
from drivers.runner import MAX_WAIT_MS, STOP_WITHIN_S, PortLostEvent, PortRunner
from drivers.serial_port import WRITE_TIMEOUT_S, SerialPort, open_port
from tests.drivers.rfc2217_server import TerminalServer
from tests.drivers.test_runner import Echo, saying

pytestmark = [
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial 3.5 itself
    pytest.mark.usefixtures("hasty"),
]
WATCHDOG_S = 2.0
LONG_S = 30.0
FLOOD = bytes(16_000_000)
"""More than any buffer between two processes holds."""


def test_the_waits_are_shorter_than_the_bound() -> None:
    assert WRITE_TIMEOUT_S < STOP_WITHIN_S == 0.25
    assert MAX_WAIT_MS / 1_000 < STOP_WITHIN_S


@pytest.fixture(params=["pty", "tcp", "rfc2217"])
def deaf(request: pytest.FixtureRequest, hasty: None) -> Iterator[SerialPort]:
    """A port whose other end neither reads nor writes."""
    if request.param == "pty":
        leader, follower = pty.openpty()
        port = open_port(os.ttyname(follower))
        yield port
        port.close()
        os.close(leader)
        os.close(follower)
    elif request.param == "tcp":
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
            yield port
            port.close()
    else:
        with TerminalServer(lambda data: b"") as server:
            port = open_port(server.url)
            server.deaf.set()
            yield port
            port.close()
            server.deaf.clear()


def ends(thread: threading.Thread) -> bool:
    thread.join(WATCHDOG_S)
    return not thread.is_alive()


def test_a_read_that_waits(deaf: SerialPort) -> None:
    got: list[bytes] = []
    reading = threading.Thread(target=lambda: got.append(deaf.read(LONG_S)))
    reading.start()
    time.sleep(0.02)
    deaf.abort()
    assert ends(reading)
    assert got == [b""]


def test_a_write_that_waits(deaf: SerialPort, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the line would have waited longer than it may: the closing ends it, not the timeout."""
    deaf._line._write_timeout = LONG_S
    tcp = getattr(deaf._line, "_socket", None)
    if tcp is not None and tcp.gettimeout() != 0:
        tcp.settimeout(LONG_S)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            deaf.write(FLOOD)
        except PortLost as error:
            failed.append(error)

    writing = threading.Thread(target=write)
    writing.start()
    time.sleep(0.05)
    assert writing.is_alive()
    deaf.abort()
    assert ends(writing)
    assert len(failed) == 1


def test_the_runner_stops_while_it_waits_for_bytes(deaf: SerialPort) -> None:
    runner = PortRunner(deaf, Echo())
    runner.start()
    time.sleep(0.02)
    assert runner.stop(WATCHDOG_S)
    with pytest.raises(PortLost):
        deaf.write(b"x")


def test_the_runner_stops_while_it_waits_to_write(deaf: SerialPort) -> None:
    events: list[object] = []
    runner = PortRunner(deaf, Echo(), on_event=events.append)
    runner.start()
    runner.call(saying(FLOOD))
    assert runner.stop(WATCHDOG_S)
    assert [event for event in events if not isinstance(event, PortLostEvent)] == []


def test_a_line_that_takes_nothing_is_told_as_a_lost_port(deaf: SerialPort) -> None:
    lost = threading.Event()
    runner = PortRunner(deaf, Echo(), on_event=lambda event: lost.set())
    runner.start()
    runner.call(saying(FLOOD))
    assert lost.wait(WATCHDOG_S)
    assert runner.stop(WATCHDOG_S)
    assert not runner.running


def test_closing_from_many_threads_closes_once(deaf: SerialPort, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file number is used after it was given back, for by then it may be another file's."""
    used: list[str] = []
    cancel = getattr(deaf._line, "cancel_write", lambda: None)
    monkeypatch.setattr(deaf._line, "cancel_write", lambda: (used.append("cancel"), cancel()), raising=False)
    threads = [threading.Thread(target=step) for step in (deaf.close, deaf.abort, deaf.close, deaf.wake, deaf.abort)]
    for thread in threads:
        thread.start()
    assert all(ends(thread) for thread in threads)
    after = len(used)
    deaf.abort()
    deaf.wake()
    assert len(used) == after
    assert deaf.read(LONG_S) == b""
