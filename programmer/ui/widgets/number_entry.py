"""The number field on the screen: a view over the pure reducer, nothing of its own.

It starts blank, shows exactly what was keyed, marks what cannot belong, and names the reason of a lock. There
is no caret, history, completion, paste, wheel or undo.
"""

from typing import Final

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from programmer.clinical.entry import (
    Backspace,
    Caret,
    Clear,
    ConfirmSoft,
    Enter,
    EntryEvent,
    EntryProfile,
    EntryResult,
    EntryState,
    Esc,
    Key,
    Mark,
    Paste,
    Phase,
    Reopen,
    judge,
    reason_sentence,
    result_of,
    step,
)
from programmer.clinical.entry_grammar import lock_reason_of
from programmer.ui.strings import en
from programmer.ui.widgets.action_button import pressed_at
from programmer.ui.widgets.safe_text import visible

_LEFT_ALONE: Final = frozenset({"tab", "shift+tab"} | {f"f{n}" for n in range(1, 13)})
_NAMED: Final = {
    "enter": Enter, "backspace": Backspace, "ctrl+h": Backspace, "escape": Esc,
    "left": Caret, "right": Caret, "up": Caret, "down": Caret, "home": Caret, "end": Caret,
    "pageup": Caret, "pagedown": Caret, "delete": Caret,
}  # fmt: skip
_MARKERS: Final = {Mark.PASTE: en.PASTE_MARK, Mark.CARET: en.CARET_MARK}


def event_of(event: events.Key) -> EntryEvent | None:
    """The entry event of a key of the terminal; None for Tab and the keys of the frame."""
    at = pressed_at(event)
    if event.key in _LEFT_ALONE:
        return None
    if event.key in _NAMED:
        return _NAMED[event.key](at)
    return Key(at, event.character) if event.character else Caret(at)


class NumberEntry(Widget, can_focus=True):
    """One number field. ``state`` is the reducer's; ``keys`` are the raw events with their times."""

    class Changed(Message):
        """The field changed; ``text`` is shown, ``result`` is its answer were it confirmed now."""

        def __init__(self, field: "NumberEntry", text: str, result: EntryResult) -> None:
            self.field, self.text, self.result = field, text, result
            super().__init__()

    class Committed(Message):
        """A value was accepted."""

        def __init__(self, field: "NumberEntry", result: EntryResult) -> None:
            self.field, self.result = field, result
            super().__init__()

    class SoftAsked(Message):
        """The value lies between a soft and a hard limit; a reason is asked."""

        def __init__(self, field: "NumberEntry", result: EntryResult, sentence: str) -> None:
            self.field, self.result, self.sentence = field, result, sentence
            super().__init__()

    class Left(Message):
        """The entry was left, or discarded after idling."""

        def __init__(self, field: "NumberEntry", discarded: bool) -> None:
            self.field, self.discarded = field, discarded
            super().__init__()

    def __init__(self, profile: EntryProfile, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.state = EntryState(profile)
        self.keys: list[EntryEvent] = []
        self.soft_reason = ""

    def begin(self, profile: EntryProfile) -> None:
        """A new blank entry."""
        self.state, self.keys, self.soft_reason = EntryState(profile), [], ""
        self.set_class(False, "locked")
        self.refresh()

    def reopen(self, at_ms: int) -> None:
        """Go on with the same text after it was accepted or asked about, without a value committed."""
        self.soft_reason = ""
        self.feed(Reopen(at_ms))

    def feed(self, event: EntryEvent) -> None:
        """Let one event happen to the field, and tell what came of it."""
        before = self.state
        self.keys.append(event)
        self.state = after = step(before, event)
        if after.lock is not None and before.lock is None:
            self.app.bell()
        self.set_class(after.lock is not None, "locked")
        self.refresh()
        self.post_message(self.Changed(self, after.text, judge(after.profile, after.text)))
        if after.phase is before.phase:
            return
        result = result_of(after)
        if after.phase is Phase.ACCEPTED:
            self.post_message(self.Committed(self, result))
        elif after.phase is Phase.ASKING and result.reason is not None:
            self.post_message(self.SoftAsked(self, result, reason_sentence(result.reason, after.profile)))
        elif after.phase in (Phase.CANCELLED, Phase.CLEARED):
            self.post_message(self.Left(self, after.phase is Phase.CLEARED))

    def press(self, name: str, at_ms: int) -> None:
        """A key of the keypad."""
        named = {en.ERASE: Backspace(at_ms), en.CLEAR: Clear(at_ms)}
        self.feed(named.get(name) or Key(at_ms, name))

    def confirm_soft(self, at_ms: int) -> None:
        """The soft-limit question was answered with a reason."""
        self.feed(ConfirmSoft(at_ms))

    def on_key(self, event: events.Key) -> None:
        """Every key is part of the number or locks the field; only the frame's keys pass by."""
        if self.screen.has_class("too-small"):
            return
        entry_event = event_of(event)
        if entry_event is not None:
            event.stop()
            event.prevent_default()
            self.feed(entry_event)

    def on_paste(self, event: events.Paste) -> None:
        """A paste never becomes a number."""
        event.stop()
        event.prevent_default()
        self.feed(Paste(pressed_at(event), event.text))

    def wheel(self, event: events.MouseScrollUp | events.MouseScrollDown) -> None:
        """The wheel changes nothing and says so."""
        event.stop()
        event.prevent_default()
        self.feed(Caret(pressed_at(event)))

    on_mouse_scroll_up = wheel
    on_mouse_scroll_down = wheel

    @property
    def word(self) -> str:
        """Why the field is locked, was refused or warns, in one sentence; blank where all is well."""
        state = self.state
        if state.lock is not None:
            return en.LOCKED_PREFIX + reason_sentence(state.lock, state.profile)
        if state.alert:
            return en.IDLE_ALERT
        if state.refused is not None:
            return reason_sentence(state.refused, state.profile)
        return ""

    def render(self) -> Content:
        """What was keyed, marked where it cannot belong, and the unit."""
        unit = f" {self.state.profile.unit}"
        if not self.state.elements:
            return Content.assemble((en.BLANK_FIELD, "$faint"), "   ", (unit.strip(), "$faint"))
        parts: list[tuple[str, str]] = []
        text = ""
        for element in self.state.elements:
            text += element.char
            unfit = element.mark is not Mark.PLAIN or lock_reason_of(self.state.profile, text) is not None
            shown = _MARKERS.get(element.mark) or visible(element.char).replace(" ", "␣")
            parts.append((shown, "bold reverse" if unfit else "bold"))
        return Content.assemble(*parts, (unit, "bold"))
