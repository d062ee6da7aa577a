"""The footer: the label of the product and the live keys."""

from textual.app import ComposeResult
from textual.containers import Horizontal

from programmer.ui.strings import en
from programmer.ui.widgets.safe_text import SafeText


class Footer(Horizontal):
    """Information only."""

    def compose(self) -> ComposeResult:
        """Label and keys."""
        yield SafeText(en.LABEL, id="foot-label")
        yield SafeText("", id="foot-keys")

    def show(self, keys: str) -> None:
        """Show the live keys."""
        self.query_one("#foot-keys", SafeText).say(keys)
