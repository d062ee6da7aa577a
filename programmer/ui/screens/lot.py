"""Lot and expiry of the vial, by scanner or keyboard, or not read at all. No number that reaches a pump."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from programmer.ui.present.views import ActionView, Line, Tone
from programmer.ui.screens.base import ActionRow, FrameScreen
from programmer.ui.screens.refill import step_title
from programmer.ui.widgets.safe_text import Lines, SafeText


class LotScreen(FrameScreen):
    """Two short texts; both may stay blank."""

    safe_focus = "#lot"

    def body(self) -> ComposeResult:
        """Title, fields, buttons."""
        yield SafeText(step_title(1, "nothing sent"), id="title")
        yield Lines((Line("Scan or type the lot and the expiry date (YYYY-MM-DD)."),), id="above")
        yield SafeText("Lot", classes="caption")
        yield Input(id="lot", max_length=20, select_on_focus=False)
        yield SafeText("Expiry", classes="caption")
        yield Input(id="expires", max_length=10, select_on_focus=False)
        yield Lines(id="word")
        yield Vertical(id="spring")
        yield ActionRow(
            (
                ActionView("back", "BACK  Esc"),
                ActionView("unread", "LOT NOT READ"),
                ActionView("go", "GO ON"),
            ),
            id="page-actions",
        )

    @property
    def texts(self) -> tuple[str, str]:
        """Lot and expiry as typed."""
        lot, expires = (self.query_one(f"#{name}", Input).value.strip() for name in ("lot", "expires"))
        return lot, expires

    def show_word(self, word: str) -> None:
        """Say what is wrong with the texts."""
        line = self.query_one("#word", Lines)
        line.show([Line(word, Tone.BAD)])
        line.set_class(bool(word), "speaking")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field, and from the last one on."""
        if event.input.id == "lot":
            self.query_one("#expires", Input).focus()
        else:
            self.act("go")
