"""Ports: real pseudo-terminals and TCP sockets, and each way in which they fail."""

import os
import pty
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import serial

from drivers.errors import PortBusy, PortDenied, PortError, PortLost, PortNotFound
from drivers.port import MemoryPort, Port, memory_pair
from drivers.serial_port import SerialPort, open_port


class Far:
    """The other end of a line under test."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.socket: socket.socket | None = None
        self.memory: MemoryPort | None = None
        self.fd = -1
        if kind == "pty":
            self.fd, follower = pty.openpty()
            self.port: Port = open_port(os.ttyname(follower))
            os.close(follower)
        elif kind == "tcp":
            with socket.create_server(("127.0.0.1", 0)) as server:
                self.port = open_port(f"socket://127.0.0.1:{server.getsockname()[1]}")
                self.socket, _ = server.accept()
        else:
            self.port, self.memory = memory_pair()

    def write(self, data: bytes) -> None:
        if self.socket:
            self.socket.sendall(data)
        elif self.memory:
            self.memory.write(data)
        else:
            os.write(self.fd, data)

    def read(self) -> bytes:
        if self.socket:
            return self.socket.recv(1000)
        return self.memory.read(1) if self.memory else os.read(self.fd, 1000)

    def hang_up(self) -> None:
        if self.socket:
            self.socket.close()
        elif self.memory:
            self.memory.close()
        elif self.fd >= 0:
            fd, self.fd = self.fd, -1
            os.close(fd)


@pytest.fixture(params=["pty", "tcp", "memory"])
def far(request: pytest.FixtureRequest) -> Iterator[Far]:
    end = Far(request.param)
    yield end
    end.port.close()
    end.hang_up()


def writes_until_lost(port: Port, size: int) -> int:
    """How many writes of ``size`` bytes the line takes before it is lost; 2,000 if it never is."""
    for number in range(2_000):
        try:
            port.write(bytes(size))
        except PortLost:
            return number
        time.sleep(0.0002)
    return 2_000


def seconds(begin: float) -> float:
    return time.monotonic() - begin


def test_every_byte_value_passes_both_ways(far: Far) -> None:
    everything = bytes(range(256))
    far.port.write(everything)
    assert far.read() == everything
    far.write(everything)
    got = b""
    while len(got) < 256:
        piece = far.port.read(1)
        assert piece
        got += piece
    assert got == everything


def test_read_returns_nothing_after_its_timeout(far: Far) -> None:
    begin = time.monotonic()
    assert far.port.read(0.03) == b""
    assert 0.02 < seconds(begin) < 0.5
    assert far.port.read(0) == b""


def test_a_waiting_read_is_woken_at_once(far: Far) -> None:
    threading.Timer(0.02, far.port.wake).start()
    begin = time.monotonic()
    assert far.port.read(5) == b""
    assert seconds(begin) < 1


def test_a_wake_before_the_read_is_not_lost(far: Far) -> None:
    far.port.wake()
    begin = time.monotonic()
    assert far.port.read(5) == b""
    assert seconds(begin) < 1


def test_a_hang_up_is_noticed_at_once(far: Far) -> None:
    threading.Timer(0.02, far.hang_up).start()
    begin = time.monotonic()
    with pytest.raises(PortLost, match="Plug the wand in again"):
        far.port.read(5)
    assert seconds(begin) < 1


def test_writing_after_the_other_end_is_gone_is_a_lost_port(far: Far) -> None:
    far.hang_up()
    assert writes_until_lost(far.port, 100) < 50


def test_after_abort_nothing_waits(far: Far) -> None:
    far.port.abort()
    begin = time.monotonic()
    assert far.port.read(5) == b""
    with pytest.raises(PortLost):
        far.port.write(b"x")
    far.port.close()
    far.port.close()
    assert seconds(begin) < 0.25


@pytest.mark.parametrize("kind", ["pty", "tcp"])
def test_a_line_that_takes_nothing_is_lost_in_time(kind: str) -> None:
    end = Far(kind)
    begin = time.monotonic()
    assert writes_until_lost(end.port, 65_536) < 2_000
    assert seconds(begin) < 2
    begin = time.monotonic()
    end.port.close()
    assert seconds(begin) < 0.25
    end.hang_up()


def test_a_second_opener_is_told_that_the_port_is_busy() -> None:
    leader, follower = pty.openpty()
    name = os.ttyname(follower)
    first = open_port(name)
    with pytest.raises(PortBusy, match="Close the other program"):
        open_port(name)
    first.close()
    open_port(name).close()
    for fd in (leader, follower):
        os.close(fd)


@pytest.mark.parametrize(
    "url",
    ["/dev/no-such-port", "socket://127.0.0.1:1", "socket://127.0.0.1", "socket://", "nothing://here", ""],
)
def test_what_is_not_there_is_not_found(url: str) -> None:
    with pytest.raises(PortNotFound, match="Plug in the wand"):
        open_port(url)


def test_a_device_without_permission_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: serial.Serial) -> None:
        raise serial.SerialException(13, "could not open port: [Errno 13] Permission denied")

    monkeypatch.setattr(serial.Serial, "open", refuse)
    with pytest.raises(PortDenied, match="dialout"):
        open_port("/dev/ttyS99")


def test_a_file_that_is_no_terminal_is_a_port_error(tmp_path: object) -> None:
    path = f"{tmp_path}/file"
    with open(path, "w", encoding="ascii"):
        pass
    with pytest.raises(PortError):
        open_port(path)


class Polled:
    """A line without a file number, as ``rfc2217://`` or a Windows device."""

    def __init__(self) -> None:
        self.waiting = b""

    def read(self, size: int) -> bytes:
        data, self.waiting = self.waiting, b""
        return data

    def write(self, data: bytes) -> int:
        return len(data) - 1

    def close(self) -> None:
        self.waiting = b""


def test_a_line_that_cannot_be_selected_is_polled() -> None:
    line = Polled()
    port = SerialPort("rfc2217://test", line, selectable=False)
    line.waiting = b"ready"
    assert port.read(1) == b"ready"
    assert port.read(0.02) == b""
    threading.Timer(0.02, port.wake).start()
    begin = time.monotonic()
    assert port.read(5) == b""
    assert seconds(begin) < 1
    with pytest.raises(PortLost, match="took 3 of 4"):
        port.write(b"four")
    port.close()


def test_every_error_names_the_port_and_says_what_to_do() -> None:
    kinds: list[type[PortError]] = [PortError, *PortError.__subclasses__()]
    for kind in kinds:
        text = str(kind("/dev/ttyX", "reason"))
        assert "/dev/ttyX (reason). " in text
        assert text.endswith(".")
        assert kind.advice in str(kind("x"))
