"""Long sentences broken into lines by us, since a line on the screen never wraps by itself."""

import textwrap

from programmer.ui.present.views import Line, Tone

WIDE = 78
NARROW = 43
"""Columns of a whole page, and beside the keypad, in the smallest window."""


def wrapped(text: str, tone: Tone = Tone.PLAIN, width: int = WIDE) -> list[Line]:
    """The lines of a sentence; a number and its unit stay together."""
    if not text:
        return [Line("")]
    return [Line(part, tone) for part in textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)]


def said(error: Exception) -> str:
    """An error's sentence as a screen says it."""
    text = str(error)
    return text[:1].upper() + text[1:]
