"""The echo of a half-duplex line: an adapter that hears itself returns each byte before the answer comes.

Nothing is ever lost here that was not our own: bytes are held back only while they repeat what was written, and come
out again as soon as one differs. The link drops its own frames in any case, for a request is no reply; cancelling
spares it the work, and the counts say what the line is like.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

OWED_LIMIT: Final = 64
"""Writes whose echo may still come; a line that never echoes must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came over the line so far, in bytes: all of it, and how much of it was echo of whole writes."""

    received: int = 0
    echoed: int = 0

    @property
    def foreign(self) -> int:
        """Bytes that somebody else sent."""
        return self.received - self.echoed

    def since(self, before: "Heard") -> "Heard":
        """What came after ``before``."""
        return Heard(self.received - before.received, self.echoed - before.echoed)


@runtime_checkable
class Listener(Protocol):
    """A port that can say what it has heard."""

    @property
    def heard(self) -> Heard:
        """What came over the line so far."""


class EchoFilter:
    """Knows what was written and finds it again in what is read. ``cancel``: takes it out as well."""

    def __init__(self, *, cancel: bool = False) -> None:
        self._cancel = cancel
        self._owed: deque[bytes] = deque(maxlen=OWED_LIMIT)
        self._held = bytearray()
        self.heard = Heard()

    def sent(self, data: bytes) -> None:
        """``data`` was written in one piece."""
        if data:
            self._owed.append(data)

    def received(self, data: bytes) -> bytes:
        """What of ``data`` goes on to the reader."""
        out, echoed = bytearray(), 0
        for place, value in enumerate(data):
            if not self._owed:
                out += data[place:]
                break
            self._held.append(value)
            if not self._owed[0].startswith(self._held):
                out += self._held
                self._held.clear()
                self._owed.clear()
            elif len(self._held) == len(self._owed[0]):
                echoed += len(self._held)
                self._held.clear()
                self._owed.popleft()
        self.heard = Heard(self.heard.received + len(data), self.heard.echoed + echoed)
        return bytes(out) if self._cancel else data
