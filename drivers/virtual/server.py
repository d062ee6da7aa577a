"""The virtual pump as a process: one selectors loop over the wand's line and the control channel.

The wand's line is a pseudo terminal or a TCP port that takes one programmer at a time. The control channel is
a port of its own, JSON lines, and is never on the wand's line. Time, disk and sockets live here only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path

from drivers.virtual import state as state_file
from drivers.virtual.control import ControlError, obey
from drivers.virtual.firmware import Firmware
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.profiles import Profile
from drivers.virtual.provision import Provision
from drivers.virtual.pump import PumpState

LISTEN_HINT = "use pty or tcp:HOST:PORT"
SAVE_EVERY_MS = 2_000
IDLE_MS = 500


class ListenError(ValueError):
    """The address cannot be used: choose another port, or pty."""


def monotonic_ms() -> int:
    """The host's monotonic clock."""
    return time.monotonic_ns() // 1_000_000


def wall_ms() -> int:
    """The host's wall clock, for manufacture and catching up only."""
    return time.time_ns() // 1_000_000


def entropy_source(seed: int | None, label: str) -> Callable[[int], bytes]:
    """Random bytes of the system, or a stream that a seed and a label decide (simulation only)."""
    if seed is None:
        return os.urandom
    counter = 0

    def draw(size: int) -> bytes:
        nonlocal counter
        counter += 1
        return hashlib.shake_256(f"{seed}/{label}/{counter}".encode()).digest(size)

    return draw


def tcp_address(text: str) -> tuple[str, int]:
    """Host and port of `tcp:HOST:PORT`. Raises ListenError."""
    kind, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not host or not port.isdecimal() or int(port) > 65_535:
        raise ListenError(f"{text!r} is no address; {LISTEN_HINT}")
    return host, int(port)


def open_listener(text: str) -> socket.socket:
    """A listening socket for `tcp:HOST:PORT`. Raises ListenError, for instance when the port is in use."""
    host, port = tcp_address(text)
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise ListenError(f"cannot listen on {text}: {reason}; choose another port") from error
    listener.setblocking(False)
    return listener


def url(listener: socket.socket) -> str:
    """The address as a serial URL."""
    host, port = listener.getsockname()[:2]
    return f"socket://{host}:{port}"


class Line:
    """The wand's line. `feed` gets received bytes and gives the answer; `closed` hears of a lost peer."""

    def __init__(
        self, listen: str, selector: selectors.BaseSelector, feed: Callable[[bytes], bytes], closed: Callable[[], None]
    ) -> None:
        self._selector = selector
        self._feed = feed
        self._closed = closed
        self._client: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._master = self._slave = -1
        if listen == "pty":
            self._open_pty()
        else:
            self._listener = open_listener(listen)
            selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def name(self) -> str:
        """What a programmer opens: a device path or a socket URL."""
        return url(self._listener) if self._listener is not None else os.ttyname(self._slave)

    def _open_pty(self) -> None:
        try:
            import pty
            import tty
        except ImportError as error:
            raise ListenError("this system has no pseudo terminals; use tcp:HOST:PORT") from error
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._selector.register(self._master, selectors.EVENT_READ, self._read_pty)

    def _read_pty(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.write(self._feed(os.read(self._master, 4096)))

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        if self._client is not None:
            self._read_tcp()  # the one before may be gone without our having heard of it yet
        if self._client is not None:
            client.close()  # one programmer at a time owns the line
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._selector.register(client, selectors.EVENT_READ, self._read_tcp)

    def _read_tcp(self) -> None:
        assert self._client is not None
        try:
            data = self._client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.write(self._feed(data))
        else:
            self._drop()
            self._closed()

    def write(self, data: bytes) -> None:
        """Put bytes on the line; what nobody takes is lost, as on a real line."""
        if not data:
            return
        with contextlib.suppress(OSError):
            if self._client is not None:
                self._client.sendall(data)
            elif self._listener is None:
                os.write(self._master, data)

    def _drop(self) -> None:
        if self._client is not None:
            self._selector.unregister(self._client)
            self._client.close()
            self._client = None

    def unplug(self) -> None:
        """The adapter goes and comes back: the port closes; a pseudo terminal gets a new name."""
        self._drop()
        if self._listener is None:
            self._selector.unregister(self._master)
            old = (self._master, self._slave)
            self._open_pty()
            for descriptor in old:
                os.close(descriptor)
        self._closed()


class Server:
    """One virtual pump on its line, with its state file and its control channel."""

    def __init__(
        self,
        *,
        listen: str,
        control: str | None,
        provision: Provision,
        profile: Profile,
        seed: int | None,
        path: Path | None,
        catch_up: bool,
    ) -> None:
        self._provision, self._profile, self._seed, self._path = provision, profile, seed, path
        self._selector = selectors.DefaultSelector()
        pump = Firmware(provision.identity())
        state, clock = self._begin(pump, catch_up)
        self.host = VirtualPumpHost(
            pump,
            state,
            private=bytes.fromhex(provision.static_private),
            tablets=provision.paired(),
            entropy=entropy_source(seed, f"run {state.counters.resets}"),
            now_ms=monotonic_ms(),
            clock_ms=clock,
            persist=self._save,
            card_secret=None if provision.card_secret is None else bytes.fromhex(provision.card_secret),
            call_number=provision.call_number,
        )
        self.line = Line(listen, self._selector, self._feed, self.host.line_closed)
        self._control = None if control is None else open_listener(control)
        if self._control is not None:
            self._selector.register(self._control, selectors.EVENT_READ, self._accept_control)
        self._buffers: dict[socket.socket, bytes] = {}
        self._save(state)
        self._saved_ms = monotonic_ms()

    def _begin(self, pump: Firmware, catch_up: bool) -> tuple[PumpState, int]:
        found = None if self._path is None else state_file.load(self._path)
        if found is None:
            start = self._provision.start_s
            clock = wall_ms() if start is None else start * 1000
            program = self._provision.first_program()
            return pump.manufacture(clock_ms=clock, program=program, fill_nl=self._provision.fill_nl), clock
        state_file.check(found, profile=self._profile, seed=self._seed, serial=self._provision.serial)
        try:
            state = found.state(self._profile)
        except ValueError as error:
            raise state_file.StateError(f"the state file {self._path} is damaged; start with a new file") from error
        clock = found.clock_ms + (max(0, wall_ms() - found.wall_ms) if catch_up else 0)
        staged = None if found.staged is None else bytes.fromhex(found.staged)
        return pump.boot(state, clock, staged), clock

    def _save(self, state: PumpState) -> None:
        if self._path is not None:
            file = state_file.capture(
                state,
                provision=self._provision,
                profile=self._profile,
                seed=self._seed,
                clock_ms=state.physics.now_ms,
                wall_ms=wall_ms(),
            )
            state_file.save(self._path, file)

    def ready(self) -> dict[str, str | None]:
        """What is printed once everything listens."""
        control = None if self._control is None else url(self._control)
        return {"wand": self.line.name, "control": control, "serial": self._provision.serial}

    def _feed(self, data: bytes) -> bytes:
        answer = self.host.feed(data, monotonic_ms())
        if self.host.unplugged:
            self.line.write(answer)
            self.line.unplug()
            return b""
        return answer

    def _accept_control(self) -> None:
        assert self._control is not None
        client, _ = self._control.accept()
        client.setblocking(False)
        self._buffers[client] = b""
        self._selector.register(client, selectors.EVENT_READ, lambda: self._read_control(client))

    def _read_control(self, client: socket.socket) -> None:
        try:
            data = client.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, rest = (self._buffers[client] + data).split(b"\n")
        if not data or len(rest) > 65_536:
            self._selector.unregister(client)
            del self._buffers[client]
            client.close()
            return
        self._buffers[client] = rest
        for line in lines:
            answer = json.dumps(self._control_line(line)).encode() + b"\n"
            with contextlib.suppress(OSError):
                client.sendall(answer)

    def _control_line(self, line: bytes) -> dict[str, object]:
        try:
            answer = obey(self.host, line, monotonic_ms())
        except ControlError as error:
            return {"ok": False, "error": str(error)}
        if self.host.unplugged:
            self.line.unplug()
        self._save(self.host.state)
        return {"ok": True, "wand": self.line.name, **answer}

    def turn(self, longest_ms: int = IDLE_MS) -> None:
        """One round of the loop: wait for the line or the next due time, at most `longest_ms`; handle it."""
        now = monotonic_ms()
        due = self.host.next_timeout()
        wait = longest_ms if due is None else min(longest_ms, max(0, due - now))
        for key, _ in self._selector.select(wait / 1000):
            if self._selector.get_map().get(key.fd) is key:  # not closed by one handled before it
                key.data()
        now = monotonic_ms()
        self.line.write(self.host.tick(now))
        if now - self._saved_ms >= SAVE_EVERY_MS:
            self._save(self.host.state)
            self._saved_ms = now

    def run(self) -> None:
        """Serve until interrupted; the state is saved at the end."""
        try:
            while True:
                self.turn()
        finally:
            self._save(self.host.state)
            self._selector.close()
