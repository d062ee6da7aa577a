"""Sign and send: the secret, then SEND by a 1.5 s hold or by keying the value again."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from programmer.clinical.entry import EntryResult
from programmer.ui.messages import Acted, SendAsked
from programmer.ui.present.views import ActionView, SignView
from programmer.ui.screens.base import ActionRow
from programmer.ui.screens.keyed import KeyedScreen
from programmer.ui.widgets.keypad import Keypad
from programmer.ui.widgets.number_entry import NumberEntry
from programmer.ui.widgets.safe_text import Lines, SafeText
from programmer.ui.widgets.secret_pad import SecretPad


class SignScreen(KeyedScreen):
    """What is signed, secret, value again, SEND. Enter in the secret goes to the value, never sends."""

    safe_focus = "#secret"

    def __init__(self, view: SignView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Text, fields and buttons left, keypad right."""
        yield SafeText(self.view.title, id="title")
        with Horizontal(id="entry-page"):
            with Vertical(id="entry-left"):
                yield Lines(self.view.lines, id="above")
                yield SafeText("Your secret", classes="caption")
                yield SecretPad(id="secret")
                if self.view.rekey is not None:
                    yield SafeText("Key the value again and Enter, or hold SEND", classes="caption")
                    yield NumberEntry(self.view.rekey, id="number")
                yield Lines(id="word")
                yield Vertical(id="spring")
                yield ActionRow(
                    (
                        ActionView("back", "BACK"),
                        ActionView("clear", "CLEAR"),
                        ActionView("send", self.view.send_label, hold=True),
                    ),
                    id="entry-actions",
                )
            yield Keypad(id="keypad")

    def on_mount(self) -> None:
        """Show the message of the view."""
        self.show_word(self.view.message.text if self.view.message else "")

    async def show(self, view: SignView) -> None:
        """Show another message or text; the fields stay."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#above", Lines).show(view.lines)
        self.show_word(view.message.text if view.message else "")
        if view.message:
            self.query_one("#secret").focus()  # a secret keyed again must not land in the open number field

    def on_secret_pad_entered(self, event: SecretPad.Entered) -> None:
        """On to the value; nothing is sent."""
        event.stop()
        if self.view.rekey is not None:
            self.query_one("#number").focus()

    def on_number_entry_changed(self, event: NumberEntry.Changed) -> None:
        """Say why the field is locked or refused."""
        event.stop()
        word = event.field.word
        self.show_word(word)

    def on_number_entry_committed(self, event: NumberEntry.Committed) -> None:
        """The value was keyed again: ask to send."""
        event.stop()
        self.send(event.result)

    def on_number_entry_soft_asked(self, event: NumberEntry.SoftAsked) -> None:
        """The reason was given before; the value alone matters here."""
        event.stop()
        self.send(event.result)

    def on_number_entry_left(self, event: NumberEntry.Left) -> None:
        """Esc in the value goes back."""
        event.stop()
        self.post_message(Acted("back"))

    def act(self, action: str) -> None:
        """SEND after the hold, or another action."""
        if action == "send":
            self.send(None)
        else:
            self.post_message(Acted(action))

    def send(self, rekeyed: EntryResult | None) -> None:
        """Post secret and value, or say that the secret is missing."""
        pad = self.query_one(SecretPad)
        if pad.blank:
            self.show_word("Key your secret first: nothing was sent.")
            pad.focus()
        else:
            self.post_message(SendAsked(pad.take(), rekeyed))
        if self.view.rekey is not None:
            self.query_one("#number", NumberEntry).begin(self.view.rekey)
