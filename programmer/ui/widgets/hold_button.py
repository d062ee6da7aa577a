"""A button that acts only after an unbroken press of 1.5 s, and says so when the press was broken."""

from typing import Final

from textual import events
from textual.content import Content
from textual.timer import Timer

from programmer.ui.present.views import ActionView
from programmer.ui.strings import en
from programmer.ui.widgets.action_button import ActionButton, pressed_at
from programmer.ui.widgets.safe_text import visible

HOLD_MS: Final = 1500
_TICKS: Final = 15


class HoldButton(ActionButton):
    """Hold to act: release, slide-off, a second press or loss of focus cancels in words.

    Enter does nothing here: a terminal reports no release of a key. Who cannot hold keys the value again.
    """

    def __init__(self, view: ActionView, *, id: str | None = None) -> None:
        super().__init__(view, id=id, classes="hold")
        self.filled = 0
        self.started_ms: int | None = None
        self.ticking: Timer | None = None

    def render(self) -> Content:
        """The label over a bar that fills while held."""
        width = max(self.size.width - 2, 1)
        done = width * self.filled // _TICKS
        bar = "█" * done + "░" * (width - done)
        under = bar if self.started_ms is not None else f"({en.HOLD_HINT})"
        if not self.view.enabled:
            under = f"({visible(self.view.why)})" if self.view.why else ""
        if self.size.height < 2:
            return Content(bar if self.started_ms is not None else visible(self.view.label))
        return Content(f"{visible(self.view.label)}\n{under}")

    def on_click(self, event: events.Click) -> None:
        """A click alone is no hold."""
        event.stop()
        event.prevent_default()

    def on_key(self, event: events.Key) -> None:
        """No key holds."""
        event.prevent_default()
        if event.key == "enter":
            event.stop()
            self.post_message(self.Refused(en.HOLD_CANCELLED))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Begin to hold, or cancel at a second press."""
        event.stop()
        if self.started_ms is not None:
            self.cancel()
        elif not self.view.enabled:
            self.post_message(self.Refused(self.view.why or en.NOT_AVAILABLE))
        elif pressed_at(event) >= getattr(self.screen, "deaf_until_ms", 0):
            self.started_ms, self.filled = pressed_at(event), 0
            self.capture_mouse()
            self.ticking = self.set_interval(HOLD_MS / _TICKS / 1000, self.tick)
            self.refresh()

    def tick(self) -> None:
        """One tenth of a second held.

        A busy tablet leaves ticks out: the bar then takes longer to fill, and never acts early.
        """
        self.filled += 1
        self.refresh()
        if self.filled >= _TICKS:
            self.stop_holding()
            self.post_message(self.Pressed(self))

    def stop_holding(self) -> None:
        """Forget the press."""
        self.started_ms, self.filled = None, 0
        if self.ticking is not None:
            self.ticking.stop()
            self.ticking = None
        self.release_mouse()
        self.refresh()

    def cancel(self) -> None:
        """End an unfinished press in words."""
        if self.started_ms is not None:
            self.stop_holding()
            self.post_message(self.Refused(en.HOLD_CANCELLED))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Released too early."""
        event.stop()
        self.cancel()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Slid off."""
        if self.started_ms is not None and not self.region.contains(event.screen_x, event.screen_y):
            self.cancel()

    def on_blur(self) -> None:
        """The focus went elsewhere."""
        self.cancel()
