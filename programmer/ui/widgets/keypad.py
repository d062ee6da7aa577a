"""The keypad in telephone order, with ERASE in the last row; CLEAR lies apart, beside the field."""

from collections.abc import Iterator
from typing import Final

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from programmer.ui.strings import en
from programmer.ui.widgets.keypad_key import KeypadKey

ROWS: Final = (("1", "2", "3"), ("4", "5", "6"), ("7", "8", "9"), (".", "0", en.ERASE))
NAMES: Final = {".": "point", en.ERASE: "erase"}


class Keypad(Vertical):
    """Twelve keys; the screen hands their presses to the field that has the focus."""

    def compose(self) -> ComposeResult:
        """Four rows of three keys."""
        for row in ROWS:
            with Horizontal(classes="keypad-row"):
                yield from self.keys(row)

    def keys(self, row: tuple[str, ...]) -> Iterator[KeypadKey]:
        """The keys of one row."""
        for name in row:
            yield KeypadKey(name, id=f"key-{NAMES.get(name, name)}")
