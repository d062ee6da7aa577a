"""Screens with a number field or a secret: the keypad writes into the field that has the focus."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from programmer.clinical.entry import Enter, Esc
from programmer.ui.messages import DraftChanged, EntryLeft, NumberKeyed
from programmer.ui.present.views import ActionView, EntryView, Line, LiveView, Tone
from programmer.ui.screens.base import ActionRow, FrameScreen
from programmer.ui.strings import en
from programmer.ui.widgets.action_button import ActionButton, pressed_at
from programmer.ui.widgets.keypad import Keypad
from programmer.ui.widgets.keypad_key import KeypadKey
from programmer.ui.widgets.limit_bar import LimitBar
from programmer.ui.widgets.number_entry import NumberEntry
from programmer.ui.widgets.safe_text import Lines, SafeText
from programmer.ui.widgets.secret_pad import SecretPad
from programmer.ui.widgets.touch_list import Tile, TouchList

SOFT_REASONS = ("clinical need", "titration plan", "tolerated before")


class KeyedScreen(FrameScreen):
    """A screen on which digits are typed. No letter is a command here."""

    def field(self) -> NumberEntry | SecretPad | None:
        """Where the keypad writes: the focused field, else the first one."""
        if isinstance(self.focused, NumberEntry | SecretPad):
            return self.focused
        fields = [w for w in self.query("NumberEntry, SecretPad") if isinstance(w, NumberEntry | SecretPad)]
        return fields[0] if fields else None

    def show_word(self, word: str) -> None:
        """Say why a field is locked or refused, in place of the live lines; blank takes it away."""
        line = self.query_one("#word", Lines)
        line.show([Line(word, Tone.BAD)])
        line.set_class(bool(word), "speaking")
        self.set_class(bool(word), "worded")

    def on_keypad_key_pressed(self, event: KeypadKey.Pressed) -> None:
        """Write the key into the field."""
        event.stop()
        field = self.field()
        if field is not None:
            if self.focused is not field:
                field.focus()
            field.press(event.name, event.at_ms)

    def pressed(self, action: str, at_ms: int) -> None:
        """CLEAR belongs to the field; everything else is an action."""
        field = self.field()
        if action != "clear":
            self.act(action)
        elif field is not None:
            field.focus()
            field.press(en.CLEAR, at_ms)


class SoftQuestion(ModalScreen[str | None]):
    """Why a value outside the usual range is wanted. The focus is on CANCEL; deaf for 300 ms."""

    BINDINGS: ClassVar = [("escape", "cancel", "Cancel")]
    deaf_until_ms = 0

    def __init__(self, value: str, sentence: str, reasons: tuple[str, ...] = SOFT_REASONS) -> None:
        super().__init__()
        self.value, self.sentence, self.reasons = value, sentence, reasons

    def compose(self) -> ComposeResult:
        """The sentence, the reasons, CANCEL."""
        with Vertical(id="soft-box"):
            yield Lines(
                (Line(f"{self.value} needs a reason", Tone.STRONG), Line(self.sentence, Tone.NOTE)),
                id="soft-lines",
            )
            yield ActionRow([ActionView(f"reason-{n}", r.upper()) for n, r in enumerate(self.reasons)])
            yield ActionRow([ActionView("cancel", "CANCEL, CHANGE THE NUMBER")])

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Deaf at first, on the safe button."""
        self.deaf_until_ms = pressed_at(event) + 300
        self.query_one("#act-cancel").focus()

    def action_cancel(self) -> None:
        """Esc cancels."""
        self.dismiss(None)

    def on_action_button_pressed(self, event: ActionButton.Pressed) -> None:
        """A reason confirms, CANCEL does not."""
        event.stop()
        name = event.button.view.id
        self.dismiss(None if name == "cancel" else self.reasons[int(name.removeprefix("reason-"))])


class EntryScreen(KeyedScreen):
    """A page with one number field and the keypad: dose, withdrawn volume, injected volume."""

    safe_focus = "#number"

    def __init__(self, view: EntryView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Lines, field, live lines and buttons on the left; the keypad on the right."""
        yield SafeText(self.view.title, id="title")
        with Horizontal(id="entry-page"):
            with Vertical(id="entry-left"):
                yield Lines(self.view.above, id="above")
                with Horizontal(id="field-row"):
                    yield NumberEntry(self.view.profile, id="number")
                    yield ActionButton(ActionView("clear", en.CLEAR), id="act-clear")
                yield Lines(id="word")
                yield Lines(self.view.live, id="live")
                yield LimitBar(self.view.bar, id="limits")
                if self.view.checks:
                    yield TouchList(self.view.checks, many=True, id="checks")
                yield Vertical(id="spring")
                yield ActionRow(self.buttons(self.view), id="entry-actions")
            yield Keypad(id="keypad")

    def buttons(self, view: EntryView) -> tuple[ActionView, ...]:
        """BACK and the confirming button."""
        return (
            ActionView("back", view.back_label),
            ActionView("confirm", view.confirm_label, view.confirm_enabled, view.confirm_why),
        )

    async def show(self, view: EntryView) -> None:
        """Show another view; the keyed text stays."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#above", Lines).show(view.above)
        await self.query_one("#entry-actions", ActionRow).show(self.buttons(view))

    def show_live(self, live: LiveView) -> None:
        """Show what stands beside the keyed text."""
        self.query_one("#live", Lines).show(live.lines)
        self.query_one("#limits", LimitBar).show(live.bar)

    @property
    def number(self) -> NumberEntry:
        """The field."""
        return self.query_one("#number", NumberEntry)

    def on_tile_pressed(self, event: Tile.Pressed) -> None:
        """A check was ticked: what was said about it is over."""
        self.say("")

    def on_number_entry_changed(self, event: NumberEntry.Changed) -> None:
        """Say why the field is locked or refused; let the application make the live lines."""
        event.stop()
        word = event.field.word
        self.show_word(word)
        self.post_message(DraftChanged(event.text, event.result))

    def on_number_entry_committed(self, event: NumberEntry.Committed) -> None:
        """The value goes to the application."""
        event.stop()
        self.commit(event.field, event.field.soft_reason)

    def commit(self, field: NumberEntry, reason: str) -> None:
        """Post the value with its raw keys, the soft-limit reason and the ticked checks."""
        result = field.state.committed
        if result is not None:
            checks = self.query_one("#checks", TouchList).picked if self.view.checks else ()
            self.post_message(NumberKeyed(result, tuple(field.keys), reason, checks))

    def on_number_entry_soft_asked(self, event: NumberEntry.SoftAsked) -> None:
        """Ask for the reason."""
        event.stop()
        shown = f"{event.result.value} {self.view.profile.unit}"
        self.app.push_screen(SoftQuestion(shown, event.sentence), self.soft_answered)

    def soft_answered(self, reason: str | None) -> None:
        """Confirm with the reason, or go on editing the same text."""
        field = self.number
        if reason is None:
            field.reopen(0)
            return
        field.soft_reason = reason
        field.confirm_soft(field.state.deaf_until_ms)

    def on_number_entry_left(self, event: NumberEntry.Left) -> None:
        """The entry was left: say what stays in force."""
        event.stop()
        self.say(en.LEAVE_FIELD.format(running=self.view.running))
        self.post_message(EntryLeft(event.discarded))

    def pressed(self, action: str, at_ms: int) -> None:
        """The confirming button is the field's Enter; BACK is its Esc."""
        if action == "confirm":
            self.number.focus()
            self.number.feed(Enter(at_ms))
        elif action == "back":
            self.number.feed(Esc(at_ms))
        else:
            super().pressed(action, at_ms)

    def action_back(self) -> None:
        """Esc outside the field leaves the entry too."""
        self.number.feed(Esc(0))
