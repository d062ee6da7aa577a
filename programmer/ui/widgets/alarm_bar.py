"""The alarm bar: one row when quiet, else three rows, never covered by a dialog."""

from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.timer import Timer

from programmer.ui.present.views import AlarmBarView, Priority
from programmer.ui.widgets.safe_text import SafeText

FLASH_S = {Priority.HIGH: 0.25, Priority.MEDIUM: 1.0}
"""Half a period: HIGH 2 Hz, MEDIUM 0.5 Hz, half of it on. LOW is steady."""


class AlarmBar(Horizontal):
    """The worst alarm by place, sign, word and colour. Only the sign flashes, never the text or a digit."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.flashing: Timer | None = None
        self.priority = Priority.NONE

    def compose(self) -> ComposeResult:
        """Sign, then text, what to do, counts."""
        yield SafeText("", id="alarm-sign")
        with Container(id="alarm-words"):
            yield SafeText("", id="alarm-text")
            yield SafeText("", id="alarm-action")
            yield SafeText("", id="alarm-counts")

    def show(self, view: AlarmBarView) -> None:
        """Show the worst alarm."""
        for priority in Priority:
            if priority:
                self.set_class(view.priority is priority, f"prio-{priority.value.lower()}")
        self.set_class(view.priority is not Priority.NONE, "active")
        sign = f"{view.priority.stars}  {view.priority.value}" if view.priority else ""
        self.query_one("#alarm-sign", SafeText).say(sign)
        self.query_one("#alarm-text", SafeText).say(view.text)
        self.query_one("#alarm-action", SafeText).say(view.action)
        counts = f"HIGH {view.high}  MEDIUM {view.medium}  LOW {view.low}  {view.sound}".rstrip()
        self.query_one("#alarm-counts", SafeText).say(counts)
        if view.priority is not self.priority:
            self.priority = view.priority
            self.flash()

    def flash(self) -> None:
        """Flash the sign at the rate of the priority; steady with reduced motion."""
        if self.flashing is not None:
            self.flashing.stop()
            self.flashing = None
        sign = self.query_one("#alarm-sign", SafeText)
        sign.remove_class("flash-off")
        if self.priority in FLASH_S and not getattr(self.app, "reduced_motion", False):
            self.flashing = self.set_interval(FLASH_S[self.priority], lambda: sign.toggle_class("flash-off"))
