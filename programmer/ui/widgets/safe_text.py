"""Text from data, shown as it is: no markup, no control or direction characters."""

import unicodedata
from collections.abc import Iterable
from typing import Final

from textual.content import Content
from textual.widgets import Static

from programmer.ui.present.views import Line

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    """``text`` with every control, direction, zero-width or unassigned character written as ‹U+202E›."""
    return "".join(f"‹U+{ord(c):04X}›" if unicodedata.category(c) in _HIDDEN else c for c in text)


def safe_content(text: str) -> Content:
    """``text`` as content in which nothing is markup."""
    return Content(visible(text))


class SafeText(Static):
    """One line or several lines of data. Markup in it is shown, never obeyed."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(safe_content(text), id=id, classes=classes, markup=False)

    def say(self, text: str) -> None:
        """Show another text."""
        self.update(safe_content(text))


class Lines(Static):
    """Lines with their tones, one row each: never wrapped, so the screen must be made to fit them."""

    def __init__(self, lines: Iterable[Line] = (), *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self.lines: tuple[Line, ...] = tuple(lines)

    def show(self, lines: Iterable[Line]) -> None:
        """Show other lines."""
        self.lines = tuple(lines)
        self.redraw()

    def on_mount(self) -> None:
        """Draw once the theme is known."""
        self.redraw()

    def redraw(self) -> None:
        """Draw again, leaving out the roomy lines where the window is small."""
        compact = self.is_attached and self.screen.has_class("compact")
        kept = [line for line in self.lines if not (line.roomy and compact)]
        parts = [Content.styled(visible(line.text), _STYLES[line.tone.value]) for line in kept]
        self.update(Content("\n").join(parts))


_STYLES: Final = {
    "plain": "", "strong": "bold", "dose": "bold $dose", "ok": "$ok", "note": "bold $note",
    "bad": "bold $bad", "faint": "$faint",
}  # fmt: skip
