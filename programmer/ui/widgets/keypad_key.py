"""One key of the keypad. It acts on press, so that N taps are N digits."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from programmer.ui.widgets.action_button import pressed_at


class KeypadKey(Widget, can_focus=False):
    """A key that posts at every press, with the time of the press. It never repeats and never drops one."""

    class Pressed(Message):
        """The key was pressed at ``at_ms``."""

        def __init__(self, name: str, at_ms: int) -> None:
            self.name, self.at_ms = name, at_ms
            super().__init__()

    def __init__(self, name: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.key_name = name

    def render(self) -> Content:
        """The face of the key."""
        return Content(self.key_name)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press: keep the focus where it is and post."""
        event.stop()
        event.prevent_default()
        self.post_message(self.Pressed(self.key_name, pressed_at(event)))
