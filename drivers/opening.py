"""A port that is being opened, in a thread of its own, so that who waits for it can give up at once.

A listener that does not answer keeps an opener waiting for seconds, and the system offers no way to call that off.
Here the waiting is called off instead: the thread goes on alone, and closes the port if it should still open.
"""

import threading
from collections.abc import Callable
from typing import Final

from drivers.errors import OpeningCancelled, PortNotFound
from drivers.port import Port

OPEN_WITHIN_S: Final = 8.0
"""Longest wait for a port to open: the 5 s of a TCP connection and the first answers of a terminal server."""


class Opening:
    """One port on its way. ``open_`` raises ``PortError`` and is called once, in another thread, from now on."""

    def __init__(self, url: str, open_: Callable[[str], Port]) -> None:
        self._url, self._open = url, open_
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._given_up = False
        self._port: Port | None = None
        self._error: Exception | None = None
        threading.Thread(target=self._run, name=f"opening {url}", daemon=True).start()

    def wait(self, within_s: float = OPEN_WITHIN_S) -> Port:
        """The open port, which is the caller's from then on.

        Raises ``PortError``: of the opener, ``OpeningCancelled`` after ``cancel``, ``PortNotFound`` after
        ``within_s`` seconds.
        """
        try:
            self._ended.wait(within_s)
        except BaseException:  # Ctrl-C while waiting: the port is not wanted any more
            self.cancel()
            raise
        with self._lock:
            if self._given_up:
                raise OpeningCancelled(self._url)
            self._given_up = True  # from here on nobody waits for it
            if self._error is not None:
                raise self._error
            if self._port is None:
                raise PortNotFound(self._url, f"no answer in {within_s:g} s")
            return self._port

    def cancel(self) -> None:
        """Give up; ``wait`` returns at once. From any thread, harmless when it is open already."""
        with self._lock:
            unclaimed = None if self._given_up else self._port
            self._given_up = True
        self._ended.set()
        if unclaimed is not None:
            unclaimed.close()

    def _run(self) -> None:
        port: Port | None = None
        error: Exception | None = None
        try:
            port = self._open(self._url)
        except Exception as failed:  # handed to who waits
            error = failed
        with self._lock:
            late = self._given_up
            if not late:
                self._port, self._error = port, error
        self._ended.set()
        if late and port is not None:
            port.close()
