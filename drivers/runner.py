"""One I/O thread for each port: it alone touches the port and the core.

The thread reads, feeds the core, writes what the core has to send, keeps its timers, and posts events to one
listener. Other threads hand in work with ``call``; it runs in the I/O thread, at once. When the port is
lost, or ``stop`` is called, the thread closes its own port and ends.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from drivers.errors import PortError, PortLost
from drivers.port import Port

MAX_WAIT_MS: Final = 50
"""Longest time the thread waits for bytes without looking around."""
STOP_WITHIN_S: Final = 0.25


class Core(Protocol):
    """A sans-IO core: bytes and times in, bytes and events out. All times are ms of ``clock_ms``."""

    def receive_data(self, data: bytes, now: int) -> Sequence[object]:
        """Take bytes from the line."""

    def data_to_send(self) -> bytes:
        """Bytes for the line, each returned once."""

    def next_timeout(self) -> int | None:
        """When ``handle_timeout`` is due."""

    def handle_timeout(self, now: int) -> Sequence[object]:
        """The time has come."""


CoreT = TypeVar("CoreT", bound=Core)


@dataclass(frozen=True, slots=True)
class PortLostEvent:
    """The port is gone and closed. ``reason`` is for a person; ``unserved`` calls were never run."""

    reason: str
    unserved: int = 0


@dataclass(frozen=True, slots=True)
class CallFailed:
    """Work handed in with ``call`` raised ``error``; the port goes on."""

    error: Exception


@dataclass(frozen=True, slots=True)
class RunnerFailed:
    """The core itself raised ``error``: a fault of the program. The port is closed."""

    error: Exception


def monotonic_ms() -> int:
    """Milliseconds of a clock that never steps back."""
    return time.monotonic_ns() // 1_000_000


class PortRunner(Generic[CoreT]):
    """Runs ``core`` over ``port``. ``on_event`` is called in the I/O thread and must return soon."""

    def __init__(
        self,
        port: Port,
        core: CoreT,
        clock_ms: Callable[[], int] = monotonic_ms,
        on_event: Callable[[object], None] = lambda event: None,
    ) -> None:
        self._port = port
        self._core = core
        self._clock_ms = clock_ms
        self._on_event = on_event
        self._calls: deque[Callable[[CoreT, int], Sequence[object]]] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"port {port.url}", daemon=True)

    def start(self) -> None:
        """Start the I/O thread."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the port is still served."""
        return self._thread.is_alive() and not self._ended

    def call(self, work: Callable[[CoreT, int], Sequence[object]]) -> None:
        """Run ``work(core, now)`` in the I/O thread, at once, and post the events that it returns.

        Raises ``PortLost`` where the port is no longer served.
        """
        with self._lock:
            if self._ended or self._stopping.is_set():
                raise PortLost(self._port.url, "the port is closed")
            self._calls.append(work)
        self._port.wake()

    def stop(self, within_s: float = STOP_WITHIN_S) -> bool:
        """Let the thread close its port and end; whether it did ``within_s`` seconds. No event is posted."""
        self._stopping.set()
        self._port.abort()
        if self._thread is threading.current_thread():
            return False
        if self._thread.ident is None:
            self._port.close()
            return True
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        ending: object = None
        try:
            while not self._stopping.is_set():
                self._turn()
        except (PortError, OSError) as error:
            ending = PortLostEvent(str(error))
        except Exception as error:
            ending = RunnerFailed(error)
        finally:
            self._port.close()
            with self._lock:
                self._ended = True
                unserved = len(self._calls)
                self._calls.clear()
        if isinstance(ending, PortLostEvent):
            ending = PortLostEvent(ending.reason, unserved)
        if ending is not None and not self._stopping.is_set():
            self._on_event(ending)

    def _turn(self) -> None:
        self._serve_calls()
        due = self._core.next_timeout()
        wait_ms = MAX_WAIT_MS if due is None else max(0, min(MAX_WAIT_MS, due - self._clock_ms()))
        data = self._port.read(wait_ms / 1000)
        if data:
            self._post(self._core.receive_data(data, self._clock_ms()))
        due = self._core.next_timeout()
        now = self._clock_ms()
        if due is not None and now >= due:
            self._post(self._core.handle_timeout(now))

    def _serve_calls(self) -> None:
        self._flush()
        while True:
            with self._lock:
                if not self._calls or self._stopping.is_set():
                    return
                work = self._calls.popleft()
            try:
                events = work(self._core, self._clock_ms())
            except Exception as error:
                events = [CallFailed(error)]
            self._post(events)

    def _post(self, events: Sequence[object]) -> None:
        self._flush()
        for event in events:
            self._on_event(event)

    def _flush(self) -> None:
        out = self._core.data_to_send()
        if out:
            self._port.write(out)
