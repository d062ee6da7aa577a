"""A number entry field as a pure reducer: ``step(state, event) -> state``.

Every character keyed is appended and shown. A character that cannot belong stays, and locks the field until
BACKSPACE or CLEAR has made what is left fit again; so do a key that comes too fast, a paste and a caret key.
The committed value is always the value of the text shown. Nothing is prefilled, repaired or rounded.

The same reducer serves the field on the screen, the command line's ``entry_keys`` and the tests. Times are
integer milliseconds of any monotonic clock; the reducer has no clock of its own.
"""

from dataclasses import dataclass, replace
from enum import Enum
from functools import singledispatch
from typing import Final

from programmer.clinical.entry_events import (
    AlarmSeen,
    Backspace,
    BadEvents,
    BaseChanged,
    Caret,
    Clear,
    ConfirmSoft,
    Enter,
    EntryEvent,
    Esc,
    HighAlarm,
    Idle,
    Key,
    Paste,
    Reopen,
    events_from_json,
)
from programmer.clinical.entry_grammar import (
    REASON_TEXT,
    BadProfile,
    EntryError,
    EntryProfile,
    EntryResult,
    Outcome,
    Reason,
    UnknownProfile,
    judge,
    lock_reason_of,
    profile_named,
    reason_sentence,
)

__all__ = [
    "REASON_TEXT",
    "AlarmSeen",
    "Backspace",
    "BadEvents",
    "BadProfile",
    "BaseChanged",
    "Caret",
    "Clear",
    "ConfirmSoft",
    "Element",
    "Enter",
    "EntryError",
    "EntryEvent",
    "EntryProfile",
    "EntryResult",
    "EntryState",
    "Esc",
    "HighAlarm",
    "Idle",
    "Key",
    "Mark",
    "Outcome",
    "Paste",
    "Phase",
    "Reason",
    "Reopen",
    "UnknownProfile",
    "judge",
    "parse_entry",
    "profile_named",
    "reason_sentence",
    "result_of",
    "run_keys",
    "step",
]

SAME_KEY_MS: Final = 60
ANY_KEY_MS: Final = 5
DEAF_MS: Final = 300
IDLE_ALERT_S: Final = 300
IDLE_DISCARD_S: Final = 600


class Mark(Enum):
    """How an element of the field is shown: as keyed, marked as too fast, or as a marker in place of text."""

    PLAIN = "plain"
    BOUNCED = "bounced"
    PASTE = "paste"
    CARET = "caret"


class Phase(Enum):
    """Where the entry stands."""

    EDITING = "editing"
    ASKING = "asking"
    ACCEPTED = "accepted"
    CANCELLED = "cancelled"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Element:
    """One thing shown in the field: a keyed character, or a marker whose ``char`` is empty."""

    char: str
    mark: Mark = Mark.PLAIN


@dataclass(frozen=True, slots=True)
class EntryState:
    """A field and all that is needed to go on with it. A new state is blank, never prefilled.

    ``lock`` is the reason of the lock or None; ``refused`` the reason of the last refused ENTER, until the
    next change; ``committed`` the value once ENTER was accepted. Keys before ``deaf_until_ms``
    are ignored.
    """

    profile: EntryProfile
    elements: tuple[Element, ...] = ()
    lock: Reason | None = None
    phase: Phase = Phase.EDITING
    refused: Reason | None = None
    asked: EntryResult | None = None
    committed: EntryResult | None = None
    enter_again: bool = False
    stale_base: bool = False
    alarm_pending: bool = False
    idle_s: int = 0
    last_char: str | None = None
    last_char_ms: int = 0
    deaf_until_ms: int = 0

    @property
    def text(self) -> str:
        """Exactly what was keyed and not taken back; markers are no text."""
        return "".join(element.char for element in self.elements)

    @property
    def alert(self) -> bool:
        """The idle alert is showing."""
        return self.phase in (Phase.EDITING, Phase.ASKING) and self.idle_s >= IDLE_ALERT_S

    @property
    def fit(self) -> bool:
        """Nothing locks the field."""
        return self.lock is None


def _relocked(state: EntryState, elements: tuple[Element, ...], event_reason: Reason | None) -> EntryState:
    """``state`` with new elements; the reason that caused a lock stays until nothing is unfit any more."""
    text_reason = lock_reason_of(state.profile, "".join(e.char for e in elements))
    marked = any(e.mark is not Mark.PLAIN for e in elements)
    if not marked and text_reason is None:
        lock = None
    else:
        lock = state.lock or event_reason or text_reason
    return replace(state, elements=elements, lock=lock, refused=None)


def _active(state: EntryState) -> EntryState:
    return replace(state, idle_s=0)


@singledispatch
def _apply(event: object, state: EntryState) -> EntryState:
    raise BadEvents(f"The field knows no event {type(event).__name__}.")


@_apply.register
def _(event: Key, state: EntryState) -> EntryState:
    gap = None if state.last_char is None else event.at_ms - state.last_char_ms
    bounced = gap is not None and (gap < ANY_KEY_MS or (event.char == state.last_char and gap < SAME_KEY_MS))
    element = Element(event.char, Mark.BOUNCED if bounced else Mark.PLAIN)
    keyed = replace(state, last_char=event.char, last_char_ms=event.at_ms)
    return _relocked(keyed, (*state.elements, element), Reason.E_BOUNCE if bounced else None)


@_apply.register
def _(event: Paste, state: EntryState) -> EntryState:
    return _relocked(state, (*state.elements, Element("", Mark.PASTE)), Reason.E_PASTE)


@_apply.register
def _(event: Caret, state: EntryState) -> EntryState:
    return _relocked(state, (*state.elements, Element("", Mark.CARET)), Reason.E_CURSOR)


@_apply.register
def _(event: Backspace, state: EntryState) -> EntryState:
    return _relocked(state, state.elements[:-1], None)


@_apply.register
def _(event: Clear, state: EntryState) -> EntryState:
    return replace(state, elements=(), lock=None, refused=None)


@_apply.register
def _(event: Esc, state: EntryState) -> EntryState:
    return replace(state, phase=Phase.CANCELLED)


@_apply.register
def _(event: Enter, state: EntryState) -> EntryState:
    if state.lock is not None:
        return state
    if state.alarm_pending:
        return replace(state, refused=Reason.E_ALARM_PENDING)
    if state.stale_base:
        return replace(state, refused=Reason.E_STALE_BASE)
    result = judge(state.profile, state.text)
    deaf = event.at_ms + DEAF_MS
    if result.outcome is Outcome.ACCEPT:
        return replace(state, phase=Phase.ACCEPTED, committed=result, refused=None, deaf_until_ms=deaf)
    if result.outcome is Outcome.CONFIRM:
        return replace(state, phase=Phase.ASKING, asked=result, refused=None, deaf_until_ms=deaf)
    return replace(state, refused=result.reason)


@_apply.register
def _(event: ConfirmSoft, state: EntryState) -> EntryState:
    return state


def _answer_dialog(state: EntryState, event: EntryEvent) -> EntryState:
    """The dialog after ENTER: deaf at first, the focus on *Cancel*, so that ENTER can only cancel."""
    if event.at_ms < state.deaf_until_ms:
        return replace(state, enter_again=state.enter_again or isinstance(event, Enter))
    if isinstance(event, Enter | Esc):
        return replace(state, phase=Phase.CANCELLED, committed=None, asked=None)
    if isinstance(event, ConfirmSoft) and state.phase is Phase.ASKING:
        if state.alarm_pending or state.stale_base:
            refused = Reason.E_ALARM_PENDING if state.alarm_pending else Reason.E_STALE_BASE
            return replace(state, phase=Phase.EDITING, asked=None, refused=refused)
        return replace(state, phase=Phase.ACCEPTED, committed=state.asked, asked=None)
    return state


def step(state: EntryState, event: EntryEvent) -> EntryState:
    """The field after ``event``. Total: every event in every state has exactly one answer."""
    if isinstance(event, BaseChanged):
        return replace(state, stale_base=True)
    if isinstance(event, HighAlarm):
        return replace(state, alarm_pending=True)
    if isinstance(event, AlarmSeen):
        return replace(state, alarm_pending=False, refused=None)
    if state.phase in (Phase.CANCELLED, Phase.CLEARED):
        return state
    if isinstance(event, Reopen):
        return replace(state, phase=Phase.EDITING, committed=None, asked=None, enter_again=False, idle_s=0)
    if isinstance(event, Idle):
        idle = state.idle_s + event.seconds
        if idle >= IDLE_DISCARD_S and state.phase is not Phase.ACCEPTED:
            return replace(state, phase=Phase.CLEARED, elements=(), lock=None, refused=None, asked=None, idle_s=idle)
        return replace(state, idle_s=idle)
    if state.phase in (Phase.ASKING, Phase.ACCEPTED):
        return _answer_dialog(_active(state), event)
    return _apply(event, _active(state))


def result_of(state: EntryState) -> EntryResult:
    """The outcome that stands after the last event. An accepted entry carries its value, no reason."""
    if state.phase is Phase.CLEARED:
        return EntryResult(Outcome.CLEARED, Reason.E_TIMEOUT)
    if state.phase is Phase.CANCELLED:
        return EntryResult(Outcome.CANCELLED)
    if state.phase is Phase.ACCEPTED and state.committed is not None:
        outcome = Outcome.ACCEPT_ONCE if state.enter_again else Outcome.ACCEPT
        return replace(state.committed, outcome=outcome, reason=None)
    if state.alert:
        return EntryResult(Outcome.ALERT_IDLE)
    if state.asked is not None:
        return state.asked
    if state.lock is not None:
        return EntryResult(Outcome.LOCKED, state.lock)
    if state.refused is not None:
        return EntryResult(Outcome.REJECT, state.refused)
    return EntryResult(Outcome.EDITING)


def parse_entry(profile_name: str, text: str) -> EntryResult:
    """The answer to ``text`` under the named fixture profile. Raises ``UnknownProfile``."""
    return judge(profile_named(profile_name), text)


def run_keys(profile_name: str, events: list[object]) -> EntryResult:
    """Play events as the conformance cases write them; the outcome after the last one.

    Raises ``UnknownProfile`` and ``BadEvents``.
    """
    state = EntryState(profile_named(profile_name))
    for event in events_from_json(events):
        state = step(state, event)
    return result_of(state)
