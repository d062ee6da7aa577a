"""A large touch target that acts once per click or Enter, and says why it is not available."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from programmer.ui.present.views import ActionView
from programmer.ui.strings import en
from programmer.ui.widgets.safe_text import visible


def pressed_at(event: events.Event) -> int:
    """When the event was made, in whole milliseconds of the monotonic clock."""
    return int(event.time * 1000)


class ActionButton(Widget, can_focus=True):
    """One action. It stays focusable while not available, so that the reason can be read."""

    class Pressed(Message):
        """The action was asked for."""

        def __init__(self, button: "ActionButton") -> None:
            self.button = button
            super().__init__()

    class Refused(Message):
        """A button that is not available was pressed; ``why`` is the reason in words."""

        def __init__(self, why: str) -> None:
            self.why = why
            super().__init__()

    def __init__(self, view: ActionView, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.view = view

    def show(self, view: ActionView) -> None:
        """Show another label or availability for the same target."""
        self.view = view
        self.set_class(not view.enabled, "off")
        self.refresh()

    def on_mount(self) -> None:
        """Take the look of the view."""
        self.show(self.view)

    def render(self) -> Content:
        """The label, and under it the reason where there is room."""
        if self.view.enabled or not self.view.why or self.size.height < 2:
            return Content(visible(self.view.label))
        return Content(f"{visible(self.view.label)}\n({visible(self.view.why)})")

    def press(self, event: events.Event) -> None:
        """Act, unless the screen is still deaf or the action is not available."""
        event.stop()
        deaf = getattr(self.screen, "deaf_until_ms", 0)
        if pressed_at(event) < deaf:
            return
        if not self.view.enabled:
            self.post_message(self.Refused(self.view.why or en.NOT_AVAILABLE))
            return
        self.post_message(self.Pressed(self))

    def on_click(self, event: events.Click) -> None:
        """A click or tap is one press, however soon the next one comes."""
        self.press(event)

    def on_key(self, event: events.Key) -> None:
        """Enter presses; no letter does."""
        if event.key == "enter":
            self.press(event)
