"""Serial devices, pseudo-terminals and TCP behind the port seam, through pyserial.

Facts that shape this file (pyserial 3.5): ``exclusive`` is an advisory lock and stops only other openers
that ask for it, so a real device is claimed from the system as well; ``socket://`` has no ``cancel_read``
and hides the number of the system error in ``__context__``; ``rfc2217://`` takes no write timeout, gives one
byte for each read that may not wait, and has a reader thread of its own; both sleep 0.3 s when closed, which
is longer than a port may take; closing a real line waits for unsent output unless it is flushed; low-latency
mode fails on a pseudo-terminal. Whatever pyserial raises from an open port is link loss: ``OSError``
(``SerialException`` is one), ``termios.error`` (which is none), ``TypeError`` of a port that was closed.
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

from drivers.address import DEFAULT_BAUD, PortAddress, parse_address
from drivers.echo import EchoFilter, Heard
from drivers.errors import PortBusy, PortDenied, PortError, PortLost, PortNotFound

__all__ = ["DEFAULT_BAUD", "OPENING", "WRITE_TIMEOUT_S", "SerialPort", "open_port"]

WRITE_TIMEOUT_S: Final = 0.2
"""Longest wait for the line to take a frame; below the 250 ms within which a port must close."""
_SHORT_READ_S: Final = 0.01
_READER_END_S: Final = 0.05
_CHUNK: Final = 4096

OPENING: Final = threading.Lock()
"""Held while a device is opened or ports are listed: listing may disturb a device that is being opened."""

_ERRORS: Final[dict[int, type[PortError]]] = {
    errno.EBUSY: PortBusy,
    errno.EAGAIN: PortBusy,
    errno.EWOULDBLOCK: PortBusy,
    errno.EACCES: PortDenied,
    errno.EPERM: PortDenied,
}


def open_port(url: str) -> "SerialPort":
    """Open ``url``, with the options that ``drivers.address`` knows.

    May take several seconds where a listener does not answer; ``drivers.opening`` lets a person give up meanwhile.
    Raises ``BadAddress``, ``PortNotFound``, ``PortBusy`` or ``PortDenied``.
    """
    address = parse_address(url)
    # Only a device can be disturbed by listing, and a listener far away may keep us waiting.
    with OPENING if address.is_device else contextlib.nullcontext():
        try:
            line = _opened(address)
        except Exception as error:  # pyserial raises TypeError, termios.error and others besides OSError
            raise _opening_error(url, error) from error
    selectable = os.name == "posix" if address.is_device else address.scheme == "socket"
    return SerialPort(url, line, selectable=selectable, cancel_echo=address.cancel_echo, claim=_claimable(address))


def _opened(address: PortAddress) -> Any:
    url = address.url + ("?ign_set_control" if address.ignore_control else "")
    line = serial.serial_for_url(url, do_not_open=True, baudrate=address.baud, timeout=0)
    if address.scheme != "rfc2217":
        line.write_timeout = WRITE_TIMEOUT_S
    if address.is_device:
        line.exclusive = True
    line.open()
    tcp = _tcp(line)
    if tcp is not None:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "rfc2217":
            tcp.settimeout(WRITE_TIMEOUT_S)  # it writes with sendall; its reader takes a timeout for a pause
    if address.is_device:
        with contextlib.suppress(OSError, ValueError, AttributeError, NotImplementedError):
            line.set_low_latency_mode(True)
    return line


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


def _tcp(line: Any) -> socket.socket | None:
    found = getattr(line, "_socket", None)
    return found if isinstance(found, socket.socket) else None


def _claimable(address: PortAddress) -> bool:
    """A pseudo-terminal keeps the claim of a tablet that was killed, for the pump holds it open: not claimed."""
    return address.is_device and not address.is_pseudo_terminal


def claim(fd: int, wanted: bool) -> None:
    """Ask the system to refuse other openers of this device, or to admit them again; harmless where it cannot."""
    with contextlib.suppress(ImportError, AttributeError, OSError, ValueError):
        import fcntl
        import termios

        fcntl.ioctl(fd, termios.TIOCEXCL if wanted else termios.TIOCNXCL)


class SerialPort:
    """An open pyserial line. Made by ``open_port``; see ``drivers.port.Port`` for who may call what."""

    def __init__(
        self, url: str, line: Any, *, selectable: bool, cancel_echo: bool = False, claim: bool = False
    ) -> None:
        self._url = url
        self._line = line
        self._aborted = False
        self._woken = threading.Event()
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self._echo = EchoFilter(cancel=cancel_echo)
        self._closing = threading.Lock()
        self._closed = False
        self._fd: int | None = None
        if selectable:
            with contextlib.suppress(OSError, AttributeError):
                self._fd = line.fileno()
        self._claimed = claim and self._fd is not None
        self._claim(True)

    @property
    def url(self) -> str:
        """How a person names this port."""
        return self._url

    @property
    def heard(self) -> Heard:
        """What came over the line so far."""
        return self._echo.heard

    def read(self, timeout_s: float) -> bytes:
        """See ``Port.read``."""
        if self._aborted:
            return b""
        try:
            data = self._read_polling(timeout_s) if self._fd is None else self._read_selecting(self._fd, timeout_s)
        except Exception as error:
            if self._aborted:
                return b""
            raise PortLost(self._url, str(error)) from error
        return self._echo.received(data)

    def write(self, data: bytes) -> None:
        """See ``Port.write``; ``PortLost`` also where the line takes nothing for 200 ms."""
        if self._aborted:
            raise PortLost(self._url, "the port is closed")
        self._echo.sent(data)
        try:
            written = self._line.write(data)
        except Exception as error:
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
        with self._closing:  # a file number that was closed may by now be another file's
            if self._closed:
                return
            tcp = _tcp(self._line)
            with contextlib.suppress(Exception):
                if tcp is None:
                    self._line.cancel_write()
                else:
                    tcp.shutdown(socket.SHUT_RDWR)  # ends a write that waits; what was taken is still sent

    def close(self) -> None:
        """See ``Port.close``. Unsent output is dropped: nothing that was not acknowledged counts as done."""
        self._aborted = True
        with self._closing:
            if self._closed:
                return
            self._closed = True
            tcp = _tcp(self._line)
            if tcp is None:
                self._claim(False)
                # Any error: termios.error of a device that is gone is no OSError, and closing must not fail.
                for step in ("reset_output_buffer", "close"):
                    with contextlib.suppress(Exception):
                        getattr(self._line, step)()
            else:
                self._close_tcp(tcp)
            self._ear.close()
            self._mouth.close()

    def _close_tcp(self, tcp: socket.socket) -> None:
        """Without pyserial, which would sleep for 0.3 s."""
        self._line.is_open = False
        with contextlib.suppress(OSError):
            tcp.shutdown(socket.SHUT_RDWR)
        reader = getattr(self._line, "_thread", None)
        if isinstance(reader, threading.Thread):
            reader.join(_READER_END_S)
        tcp.close()

    def _claim(self, wanted: bool) -> None:
        if self._claimed and self._fd is not None:
            claim(self._fd, wanted)

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
            data = self._read_waiting()
            left = deadline - time.monotonic()
            if data or left <= 0 or self._woken.wait(min(left, _SHORT_READ_S)):
                self._woken.clear()
                return data

    def _read_waiting(self) -> bytes:
        """All that has arrived; what came before a fault is given first, the fault at the next read."""
        found = bytearray()
        while len(found) < _CHUNK:
            try:
                piece = self._line.read(_CHUNK)
            except Exception:
                if not found:
                    raise
                break
            if not piece:
                break
            found += piece
        return bytes(found)
