"""The events of a number entry field, and the JSON form in which the conformance cases write them.

Times are integer milliseconds of one monotonic clock. Without a time of its own an event comes 200 ms after
the one before it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from programmer.clinical.entry_grammar import EntryError

DEFAULT_GAP_MS: Final = 200
REPEAT_MS: Final = 33
LONGEST_HOLD_MS: Final = 600_000


class BadEvents(EntryError):
    """A list of entry events is not written as it must be; the sentence names the event."""


@dataclass(frozen=True, slots=True)
class EntryEvent:
    """Anything that happens to the field, at ``at_ms``."""

    at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Key(EntryEvent):
    """One character was keyed, whatever it is."""

    char: str = ""


@dataclass(frozen=True, slots=True)
class Backspace(EntryEvent):
    """Take back the last element shown."""


@dataclass(frozen=True, slots=True)
class Clear(EntryEvent):
    """Take back everything."""


@dataclass(frozen=True, slots=True)
class Enter(EntryEvent):
    """Confirm the entry."""


@dataclass(frozen=True, slots=True)
class Esc(EntryEvent):
    """Leave the entry."""


@dataclass(frozen=True, slots=True)
class Caret(EntryEvent):
    """A caret key, the wheel or an undo: nothing that moves or rewrites works here."""


@dataclass(frozen=True, slots=True)
class Paste(EntryEvent):
    """A bracketed paste. Its text never becomes part of the number."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class Idle(EntryEvent):
    """``seconds`` went by without any act of the user."""

    seconds: int = 0


@dataclass(frozen=True, slots=True)
class BaseChanged(EntryEvent):
    """The pump's program is no longer the one that this entry started from."""


@dataclass(frozen=True, slots=True)
class HighAlarm(EntryEvent):
    """A new high-priority alarm has taken the focus."""


@dataclass(frozen=True, slots=True)
class AlarmSeen(EntryEvent):
    """The user has looked at the high-priority alarm."""


@dataclass(frozen=True, slots=True)
class ConfirmSoft(EntryEvent):
    """The soft-limit question was answered with a reason."""


@dataclass(frozen=True, slots=True)
class Reopen(EntryEvent):
    """Go on with the same text: the accepted value or the question was withdrawn, nothing staged."""


_NAMED: Final[dict[str, Callable[[int], EntryEvent]]] = {
    "ENTER": Enter,
    "BACKSPACE": Backspace,
    "CLEAR": Clear,
    "ESC": Esc,
    **dict.fromkeys(("LEFT", "RIGHT", "UP", "DOWN", "HOME", "END", "PAGEUP", "PAGEDOWN", "DELETE"), Caret),
}


def key_event(name: object, at_ms: int) -> EntryEvent:
    """The event of one key: a named key or any single character. Raises ``BadEvents``."""
    if isinstance(name, str):
        if name in _NAMED:
            return _NAMED[name](at_ms)
        if len(name) == 1:
            return Key(at_ms, name)
    raise BadEvents(f"{name!r} is no key: give one character or one of {', '.join(_NAMED)}.")


def _count(value: object, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise BadEvents(f"{what} must be a whole number from 0, not {value!r}.")


class _Player:
    """Turns JSON events into timed ones; keeps the clock and the base of a run of ``at_ms`` events."""

    def __init__(self) -> None:
        self.now = -DEFAULT_GAP_MS
        self.run_at: int | None = None
        self.run_start = 0
        self.out: list[EntryEvent] = []

    def play(self, event: object) -> None:
        if isinstance(event, str):
            self._broken()
            self.out.append(key_event(event, self.now))
            return
        if isinstance(event, dict):
            shape = frozenset(event)
            if shape in _SHAPES:
                _SHAPES[shape](self, event)
                return
        raise BadEvents(f"{event!r} is no entry event: see the list of event forms.")

    def _broken(self) -> None:
        self.run_at = None
        self.now += DEFAULT_GAP_MS

    def timed(self, event: dict[str, object]) -> None:
        at = _count(event["at_ms"], "at_ms")
        if self.run_at is None:
            self.now += DEFAULT_GAP_MS
            self.run_start = self.now - at
        elif at < self.run_at:
            raise BadEvents("at_ms runs backwards inside one run: sort the events by time.")
        self.run_at = at
        self.now = self.run_start + at
        self.out.append(key_event(event["key"], self.now))

    def held(self, event: dict[str, object]) -> None:
        self._broken()
        hold = _count(event["hold_ms"], "hold_ms")
        if hold > LONGEST_HOLD_MS:
            raise BadEvents(f"hold_ms may be {LONGEST_HOLD_MS} at most.")
        start = self.now
        for offset in range(0, hold + 1, REPEAT_MS):
            self.out.append(key_event(event["key"], start + offset))
        self.now = start + hold

    def burst(self, event: dict[str, object]) -> None:
        keys, gap = event["paste_burst"], _count(event["ms"], "ms")
        if not isinstance(keys, list) or not keys:
            raise BadEvents("paste_burst must be a list of keys.")
        self._broken()
        start = self.now
        for index, name in enumerate(keys):
            self.now = start + index * gap
            self.out.append(key_event(name, self.now))

    def paste(self, event: dict[str, object]) -> None:
        text = event["paste"]
        if not isinstance(text, str):
            raise BadEvents("paste must be a text.")
        self._broken()
        self.out.append(Paste(self.now, text))

    def idle(self, event: dict[str, object]) -> None:
        seconds = _count(event["idle_s"], "idle_s")
        self.run_at = None
        self.now += seconds * 1000
        self.out.append(Idle(self.now, seconds))

    def told(self, event: dict[str, object]) -> None:
        self._broken()
        ((kind, word),) = event.items()
        if (kind, word) == ("telemetry", "PUMP_STATE_CHANGED"):
            self.out.append(BaseChanged(self.now))
        elif (kind, word) == ("alarm", "HIGH"):
            self.out.append(HighAlarm(self.now))
        else:
            raise BadEvents(f"{kind} {word!r} is no entry event: PUMP_STATE_CHANGED and HIGH are.")


_SHAPES: Final = {
    frozenset({"key", "at_ms"}): _Player.timed,
    frozenset({"key", "hold_ms"}): _Player.held,
    frozenset({"paste_burst", "ms"}): _Player.burst,
    frozenset({"paste"}): _Player.paste,
    frozenset({"idle_s"}): _Player.idle,
    frozenset({"telemetry"}): _Player.told,
    frozenset({"alarm"}): _Player.told,
}


def events_from_json(events: list[object]) -> list[EntryEvent]:
    """Timed events from their JSON form. Raises ``BadEvents``."""
    if not isinstance(events, list):
        raise BadEvents("Entry events come as a list.")
    player = _Player()
    for event in events:
        player.play(event)
    return player.out
