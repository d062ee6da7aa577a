"""Masked entry of a secret: shows how many characters came, drops them on use."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from programmer.ui.strings import en


class SecretPad(Widget, can_focus=True):
    """A secret of digits or a passphrase. ``take`` hands it over once and forgets it."""

    class Entered(Message):
        """Enter was pressed with at least one character."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._secret = ""

    def render(self) -> Content:
        """One mark a character, never the characters."""
        return Content.styled(en.SECRET_BLANK, "$faint") if not self._secret else Content("•" * len(self._secret))

    @property
    def blank(self) -> bool:
        """Nothing was keyed."""
        return not self._secret

    def take(self) -> str:
        """The secret, once."""
        secret, self._secret = self._secret, ""
        self.refresh()
        return secret

    def press(self, name: str, at_ms: int) -> None:
        """A key of the keypad."""
        if name == en.ERASE:
            self._secret = self._secret[:-1]
        elif name == en.CLEAR:
            self._secret = ""
        else:
            self._secret += name
        self.refresh()

    def on_key(self, event: events.Key) -> None:
        """Printable keys are the secret; Backspace takes one back; Enter hands over."""
        if event.key == "enter":
            event.stop()
            if self._secret:
                self.post_message(self.Entered())
        elif event.key in ("backspace", "ctrl+h"):
            event.stop()
            self.press(en.ERASE, 0)
        elif event.character and event.is_printable:
            event.stop()
            self.press(event.character, 0)
