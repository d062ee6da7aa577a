"""The byte-port seam: all that the rest of the program knows about a line.

One thread owns a port: it alone calls ``read``, ``write`` and ``close``. Other threads may call ``wake`` and
``abort`` only. ``MemoryPort`` is the port without an operating system under it.
"""

import threading
import time
from typing import Protocol

from drivers.errors import PortLost


class Port(Protocol):
    """An open line that carries bytes both ways. Every fault is a ``drivers.errors.PortLost``."""

    @property
    def url(self) -> str:
        """How a person names this port."""

    def read(self, timeout_s: float) -> bytes:
        """Bytes as soon as there are any; nothing after ``timeout_s`` seconds, or after ``wake``."""

    def write(self, data: bytes) -> None:
        """Hand all of ``data`` to the line."""

    def wake(self) -> None:
        """Let a ``read`` that is waiting, or the next one, return at once. From any thread."""

    def abort(self) -> None:
        """Stop waiting for good: ``read`` returns nothing, ``write`` fails. From any thread."""

    def close(self) -> None:
        """Give the port back; harmless a second time."""


class MemoryPort:
    """One end of a line in memory; ``memory_pair`` makes both ends. Time is real, bytes arrive at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._arrived = bytearray()
        self._changed = threading.Condition()
        self._woken = self._aborted = self._hung_up = False
        self._peer: MemoryPort | None = None

    @property
    def url(self) -> str:
        """How a person names this port."""
        return self._url

    def connect(self, peer: "MemoryPort") -> None:
        """Send to ``peer`` from now on."""
        self._peer = peer

    def read(self, timeout_s: float) -> bytes:
        """See ``Port.read``."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (self._arrived or self._woken or self._aborted or self._hung_up):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            self._woken = False
            if self._aborted:
                return b""
            if self._hung_up and not self._arrived:
                raise PortLost(self._url, "the other end closed")
            data = bytes(self._arrived)
            self._arrived.clear()
            return data

    def write(self, data: bytes) -> None:
        """See ``Port.write``."""
        if self._aborted or self._hung_up or self._peer is None:
            raise PortLost(self._url, "the port is closed")
        self._peer.deliver(data)

    def deliver(self, data: bytes) -> None:
        """Bytes from the other end."""
        with self._changed:
            self._arrived += data
            self._changed.notify_all()

    def hang_up(self) -> None:
        """The other end is gone: what has arrived can still be read, then the port is lost."""
        self._set("_hung_up")

    def wake(self) -> None:
        """See ``Port.wake``."""
        self._set("_woken")

    def abort(self) -> None:
        """See ``Port.abort``."""
        self._set("_aborted")

    def close(self) -> None:
        """See ``Port.close``; the other end is hung up."""
        self.abort()
        if self._peer is not None:
            self._peer.hang_up()

    def _set(self, flag: str) -> None:
        with self._changed:
            setattr(self, flag, True)
            self._changed.notify_all()


def memory_pair(name: str = "memory") -> tuple[MemoryPort, MemoryPort]:
    """Both ends of a line in memory."""
    near, far = MemoryPort(f"{name}:near"), MemoryPort(f"{name}:far")
    near.connect(far)
    far.connect(near)
    return near, far
