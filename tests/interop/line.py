"""Section 2: the port and the link of a tablet, one request at a time."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import serial

from tests.interop import frames
from tests.interop.frames import Frame

ATTEMPTS = 4
DEVICE_MS, HOST_MS, ROUND_MS, LONGEST_WIRE = 50, 250, 50, 258


class LinkLost(Exception):
    """Four attempts without a reply."""


class Port(Protocol):
    """A byte stream to a wand."""

    def write(self, data: bytes) -> None:
        """Send all."""

    def read(self, seconds: float) -> bytes:
        """What comes within this time, as soon as something comes."""

    def close(self) -> None:
        """Let go of it."""


class TcpPort:
    """``socket://HOST:PORT``."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("socket://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 5)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, seconds: float) -> bytes:
        self._socket.settimeout(max(seconds, 0.001))
        try:
            return self._socket.recv(4_096)
        except TimeoutError:
            return b""

    def close(self) -> None:
        self._socket.close()


class SerialPort:
    """A serial device or a pseudo terminal."""

    def __init__(self, path: str) -> None:
        self._serial = serial.Serial(path, 57_600, exclusive=True)

    def write(self, data: bytes) -> None:
        self._serial.write(data)

    def read(self, seconds: float) -> bytes:
        self._serial.timeout = max(seconds, 0.001)
        data: bytes = self._serial.read(1)
        return data + self._serial.read(self._serial.in_waiting) if data else data

    def close(self) -> None:
        self._serial.close()


def open_port(where: str) -> Port:
    """The port at this address."""
    return TcpPort(where) if where.startswith("socket://") else SerialPort(where)


def timeout_ms(request_bytes: int, baud: int | None) -> int:
    """How long one attempt waits; a line without a speed takes no time of its own."""
    wire = 0 if baud is None else -(-(request_bytes + LONGEST_WIRE) * 10_000 // baud)
    return -(-(wire + DEVICE_MS + HOST_MS) // ROUND_MS) * ROUND_MS


class Link:
    """Requests and replies."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._reader = frames.Reader()
        self._brief: dict[int, int] = {}
        self.sent = b""

    @contextmanager
    def brief(self, kind: int, ms: int = 40) -> Iterator[None]:
        """Wait only so long for replies to frames of this kind, where silence is what must come."""
        self._brief[kind] = ms
        try:
            yield
        finally:
            del self._brief[kind]

    def request(self, frame: Frame) -> bytes:
        """Send a request until its reply comes; the reply's payload. Raises ``LinkLost``."""
        self.sent = b"\0" + frames.write(frame)
        return self.again(frame)

    def again(self, frame: Frame, wire: bytes | None = None) -> bytes:
        """Send what was sent last, or these bytes, and await the reply to ``frame``."""
        wire = self.sent if wire is None else wire
        wait_ms = self._brief.get(frame.kind) or timeout_ms(len(wire), None)
        if frame.kind in frames.SEQ:
            self._drain()
        for _ in range(ATTEMPTS):
            self._port.write(wire)
            until = time.monotonic() + wait_ms / 1_000
            while (left := until - time.monotonic()) > 0:
                for reply in self._reader.feed(self._port.read(left)):
                    if (reply.address, reply.kind, reply.seq) == (frame.address, frame.kind + 1, frame.seq):
                        return reply.payload
        raise LinkLost(f"no reply to {frame.kind}")

    def _drain(self) -> None:
        """What an earlier request left on the line is nobody's reply."""
        while self._port.read(0):
            pass
        self._reader = frames.Reader()


def fresh(size: int) -> bytes:
    """Random bytes."""
    return os.urandom(size)
