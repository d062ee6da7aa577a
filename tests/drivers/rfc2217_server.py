"""A small terminal server (RFC 2217) on the loopback, with whatever answers behind it.

The telnet side is pyserial's own ``PortManager``, the serial side an object that keeps the settings it was given.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from serial import PARITY_NONE, STOPBITS_ONE
from serial.rfc2217 import PortManager


class Settings:
    """The serial port of the terminal server: what the client has set."""

    def __init__(self) -> None:
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9_600, 8, PARITY_NONE, STOPBITS_ONE
        self.xonxoff = self.rtscts = self.dtr = self.rts = self.break_condition = False
        self.cts = self.dsr = self.ri = self.cd = True
        self.purges = 0

    def reset_input_buffer(self) -> None:
        self.purges += 1

    def reset_output_buffer(self) -> None:
        self.purges += 1


class TerminalServer:
    """Serves one client after the other until it is left. ``answer`` gets bytes and gives bytes."""

    def __init__(self, answer: Callable[[bytes], bytes], *, speed: int | None = None) -> None:
        """``speed``: what the device behind speaks; at another one each side hears the bytes inverted."""
        self.answer, self.speed = answer, speed
        self.settings = Settings()
        self.clients = 0
        self.deaf = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._client: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._going = True

    @property
    def url(self) -> str:
        return f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> "TerminalServer":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._going = False
        self.hang_up()
        with contextlib.suppress(OSError):
            socket.create_connection(self._server.getsockname(), timeout=1).close()
        self._thread.join(2)
        self._server.close()
        assert not self._thread.is_alive()

    def hang_up(self) -> None:
        """The terminal server goes away in the middle of whatever it does."""
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def write(self, data: bytes) -> None:
        """For ``PortManager``."""
        assert self._client is not None
        self._client.sendall(data)

    def _run(self) -> None:
        while self._going:
            self._client, _ = self._server.accept()
            with self._client, contextlib.suppress(OSError):
                if self._going:
                    self.clients += 1
                    self._serve(self._client)

    def _serve(self, client: socket.socket) -> None:
        manager = PortManager(self.settings, self)
        while self._going and (data := client.recv(4_096)):
            while self.deaf.is_set() and self._going:
                self.deaf.wait(0.01)
                threading.Event().wait(0.005)
            heard = self._at_speed(b"".join(manager.filter(data)))
            answer = self._at_speed(self.answer(heard)) if heard else b""
            if answer:
                client.sendall(b"".join(manager.escape(answer)))

    def _at_speed(self, data: bytes) -> bytes:
        right = self.speed is None or self.settings.baudrate == self.speed
        return data if right else bytes(value ^ 0xFF for value in data)
