"""Serial devices, pseudo-terminals and TCP behind the port seam, through pyserial.

Facts that shape this file (pyserial 3.5): ``exclusive`` is an advisory lock and stops only other openers
that ask for it; ``socket://`` has no ``cancel_read``, sleeps when closed and hides the number of the
system error in ``__context__``; ``rfc2217://`` takes no write timeout; closing a real line waits for
unsent output unless it is flushed; low-latency mode fails on a pseudo-terminal. Every ``OSError``
(``SerialException`` is one) of an open port is link loss.
"""

import contextlib
import errno
import os
import select
import socket
import threading
import time
from typing import Any, Final

import serial

from drivers.errors import PortBusy, PortDenied, PortError, PortLost, PortNotFound

DEFAULT_BAUD: Final = 115_200
WRITE_TIMEOUT_S: Final = 0.2
"""Longest wait for the line to take a frame; below the 250 ms within which a port must close."""
_SHORT_READ_S: Final = 0.01
_CHUNK: Final = 4096

OPENING: Final = threading.Lock()
"""Held while a port is opened or ports are listed: listing may disturb a device that is being opened."""

_ERRORS: Final[dict[int, type[PortError]]] = {
    errno.EBUSY: PortBusy,
    errno.EAGAIN: PortBusy,
    errno.EWOULDBLOCK: PortBusy,
    errno.EACCES: PortDenied,
    errno.EPERM: PortDenied,
}


def open_port(url: str, baud: int = DEFAULT_BAUD) -> "SerialPort":
    """Open ``url``: a device name, a pseudo-terminal's path, ``socket://HOST:PORT`` or
    ``rfc2217://HOST:PORT``.

    ``baud`` is ignored where there is no line. Raises ``PortNotFound``, ``PortBusy`` or ``PortDenied``.
    """
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    with OPENING:
        try:
            line = serial.serial_for_url(url, do_not_open=True, baudrate=baud, timeout=0)
            if scheme != "rfc2217":
                line.write_timeout = WRITE_TIMEOUT_S
            if not scheme:
                line.exclusive = True
            line.open()
        except (OSError, ValueError) as error:
            raise _opening_error(url, error) from error
    if not scheme:
        with contextlib.suppress(OSError, ValueError, AttributeError, NotImplementedError):
            line.set_low_latency_mode(True)
    return SerialPort(url, line, selectable=os.name == "posix" or scheme == "socket")


def _opening_error(url: str, error: Exception) -> PortError:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _ERRORS:
            return _ERRORS[seen.errno](url, os.strerror(seen.errno))
        if isinstance(seen, OSError) and seen.errno is not None:
            return PortNotFound(url, os.strerror(seen.errno))
        seen = seen.__cause__ or seen.__context__
    if "PermissionError" in str(error):
        return PortBusy(url, "access denied")
    return PortNotFound(url, str(error))


class SerialPort:
    """An open pyserial line. Made by ``open_port``; see ``drivers.port.Port`` for who may call what."""

    def __init__(self, url: str, line: Any, *, selectable: bool) -> None:
        self._url = url
        self._line = line
        self._aborted = False
        self._woken = threading.Event()
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self._fd: int | None = None
        if selectable:
            with contextlib.suppress(OSError, AttributeError):
                self._fd = line.fileno()

    @property
    def url(self) -> str:
        """How a person names this port."""
        return self._url

    def read(self, timeout_s: float) -> bytes:
        """See ``Port.read``."""
        if self._aborted:
            return b""
        try:
            return self._read_polling(timeout_s) if self._fd is None else self._read_selecting(self._fd, timeout_s)
        except (OSError, ValueError, TypeError) as error:
            if self._aborted:
                return b""
            raise PortLost(self._url, str(error)) from error

    def write(self, data: bytes) -> None:
        """See ``Port.write``; ``PortLost`` also where the line takes nothing for 200 ms."""
        if self._aborted:
            raise PortLost(self._url, "the port is closed")
        try:
            written = self._line.write(data)
        except (OSError, ValueError, TypeError) as error:
            raise PortLost(self._url, str(error)) from error
        if written is not None and written != len(data):
            raise PortLost(self._url, f"the line took {written} of {len(data)} bytes")

    def wake(self) -> None:
        """See ``Port.wake``."""
        self._woken.set()
        with contextlib.suppress(OSError):
            self._mouth.send(b"\x00")

    def abort(self) -> None:
        """See ``Port.abort``."""
        self._aborted = True
        self.wake()
        with contextlib.suppress(OSError, AttributeError, TypeError):
            self._line.cancel_write()

    def close(self) -> None:
        """See ``Port.close``. Unsent output is dropped: nothing that was not acknowledged counts as done."""
        self._aborted = True
        tcp = getattr(self._line, "_socket", None)
        if isinstance(tcp, socket.socket):
            # pyserial would sleep 0.3 s here, longer than a port may take to close.
            self._line.is_open = False
            tcp.close()
        else:
            # Any error: termios.error of a device that is gone is no OSError, and closing must not fail.
            for step in ("reset_output_buffer", "close"):
                with contextlib.suppress(Exception):
                    getattr(self._line, step)()
        self._ear.close()
        self._mouth.close()

    def _read_selecting(self, fd: int, timeout_s: float) -> bytes:
        ear = self._ear.fileno()
        ready, _, _ = select.select([fd, ear], [], [], max(0.0, timeout_s))
        if ear in ready:
            with contextlib.suppress(BlockingIOError):
                self._ear.recv(_CHUNK)
        return bytes(self._line.read(_CHUNK)) if fd in ready and not self._aborted else b""

    def _read_polling(self, timeout_s: float) -> bytes:
        deadline = time.monotonic() + timeout_s
        while True:
            data = bytes(self._line.read(_CHUNK))
            left = deadline - time.monotonic()
            if data or left <= 0 or self._woken.wait(min(left, _SHORT_READ_S)):
                self._woken.clear()
                return data
