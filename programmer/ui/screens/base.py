"""The frame that every screen stands in: header, alarm bar, body, footer; keys; size; dead time."""

from collections.abc import Iterable
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from programmer.ui.messages import Acted, GlobalKey, LockAsked
from programmer.ui.present.views import ActionView, FrameView
from programmer.ui.strings import en
from programmer.ui.widgets.action_button import ActionButton, pressed_at
from programmer.ui.widgets.alarm_bar import AlarmBar
from programmer.ui.widgets.footer import Footer
from programmer.ui.widgets.header import Header
from programmer.ui.widgets.hold_button import HoldButton
from programmer.ui.widgets.safe_text import Lines, SafeText

DEAF_MS: Final = 300
LEAST: Final = (80, 24)
ROOMY: Final = (98, 27)
TALL: Final = 32


class ActionRow(Horizontal):
    """A row of buttons that keeps its buttons while only their availability changes."""

    def __init__(self, actions: Iterable[ActionView] = (), *, id: str | None = None) -> None:
        super().__init__(id=id, classes="actions")
        self.views = tuple(actions)

    def compose(self) -> ComposeResult:
        """One button for each action."""
        yield from (self.button(view) for view in self.views)

    def on_mount(self) -> None:
        """Take no room without actions."""
        self.set_class(not self.views, "empty")

    def button(self, view: ActionView) -> ActionButton:
        """The button of one action."""
        name = f"act-{view.id}"
        return HoldButton(view, id=name) if view.hold else ActionButton(view, id=name)

    async def show(self, actions: Iterable[ActionView]) -> None:
        """Show other actions."""
        views = tuple(actions)
        if [(v.id, v.hold) for v in views] == [(v.id, v.hold) for v in self.views]:
            for view in views:
                self.query_one(f"#act-{view.id}", ActionButton).show(view)
        else:
            await self.remove_children()
            await self.mount_all(self.button(view) for view in views)
        self.views = views
        self.set_class(not views, "empty")


class FrameScreen(Screen[None]):
    """Base of all screens. A screen fills ``body`` and implements ``show`` for its view.

    ``deaf_until_ms``: presses before it are ignored, so that one Enter never falls through two screens; the
    buttons are dim meanwhile. ``safe_focus`` is the selector of what has the focus at first.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(f"f{n}", f"frame_key('f{n}')", show=False) for n in (1, 2, 3, 4, 7, 8)),
        Binding("f9", "lock", show=False),
        Binding("escape", "back", show=False),
        Binding("tab", "app.focus_next", show=False),
        Binding("shift+tab", "app.focus_previous", show=False),
    ]
    letters: ClassVar[dict[str, str]] = {}
    """Letters that act, only on screens without an entry field: letter to action id."""
    safe_focus: ClassVar[str] = ""
    back_action: ClassVar[str] = "back"

    deaf_until_ms = 0

    def compose(self) -> ComposeResult:
        """Frame around the body, and the page that stands in for it in a small window."""
        with Vertical(id="frame"):
            yield Header(id="header")
            yield AlarmBar(id="alarm-bar")
            with Vertical(id="body"):
                yield from self.body()
            yield SafeText("", id="say")
            yield Footer(id="footer")
        with Vertical(id="too-small-page"):
            yield AlarmBar(id="small-alarm")
            yield Lines(id="too-small-lines")

    def body(self) -> ComposeResult:
        """The widgets between alarm bar and footer."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Take the frame of the application; be deaf for a moment."""
        self.show_frame(getattr(self.app, "frame", FrameView()))
        self.fit(self.app.size.width, self.app.size.height)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Come to the front: deaf at first, the focus on the safe control."""
        self.show_frame(getattr(self.app, "frame", FrameView()))
        self.fit(self.app.size.width, self.app.size.height)
        self.deafen(pressed_at(event))
        if self.safe_focus:
            for widget in self.query(self.safe_focus):
                widget.focus()
                break

    def deafen(self, now_ms: int) -> None:
        """Ignore presses for 300 ms, visibly."""
        self.deaf_until_ms = now_ms + DEAF_MS
        self.add_class("deaf")
        self.set_timer(DEAF_MS / 1000, lambda: self.remove_class("deaf"))

    def on_resize(self, event: events.Resize) -> None:
        """Fit the new size."""
        self.fit(event.size.width, event.size.height)

    def fit(self, width: int, height: int) -> None:
        """Choose the layout by size; below 80 x 24 show no page at all."""
        small = width < LEAST[0] or height < LEAST[1]
        self.set_class(small, "too-small")
        self.set_class(width < ROOMY[0] or height < ROOMY[1], "compact")
        self.set_class(width >= ROOMY[0] and height >= TALL, "tall")
        if small:
            title, *rest = (line.format(width=width, height=height) for line in en.TOO_SMALL)
            self.query_one("#too-small-lines", Lines).update("\n".join((title, *rest)))
        for lines in self.query(Lines).exclude("#too-small-lines"):
            lines.redraw()

    def show_frame(self, frame: FrameView) -> None:
        """Show header, alarm bar and keys."""
        self.query_one(Header).show(frame.header)
        for bar in self.query(AlarmBar):
            bar.show(frame.alarm)
        self.set_class(bool(frame.alarm.priority), "alarmed")
        self.query_one(Footer).show(frame.keys)

    def say(self, text: str) -> None:
        """Say something in the line above the footer; blank takes it away."""
        line = self.query_one("#say", SafeText)
        line.say(text)
        line.set_class(bool(text), "speaking")
        self.set_class(bool(text), "speaking")

    def on_action_button_refused(self, event: ActionButton.Refused) -> None:
        """A button that is not available says why."""
        event.stop()
        self.say(event.why)

    def on_action_button_pressed(self, event: ActionButton.Pressed) -> None:
        """Pass the action on."""
        event.stop()
        self.say("")
        self.pressed(event.button.view.id, int(event.time * 1000))

    def pressed(self, action: str, at_ms: int) -> None:
        """A button was pressed at ``at_ms``."""
        self.act(action)

    def act(self, action: str) -> None:
        """What a button does: post its id. Screens with fields do more."""
        self.post_message(Acted(action))

    def action_frame_key(self, key: str) -> None:
        """A function key of the frame."""
        self.post_message(GlobalKey(key))

    def action_lock(self) -> None:
        """F9."""
        self.post_message(LockAsked())

    def action_back(self) -> None:
        """Esc does what the BACK button does, where there is one."""
        self.press_action(self.back_action)

    def press_action(self, action: str) -> None:
        """Do what the button of that id does, if it is shown; say why if it is not available."""
        for button in self.query(ActionButton):
            if button.view.id == action and button.view.enabled:
                self.act(action)
            elif button.view.id == action:
                self.say(button.view.why or en.NOT_AVAILABLE)

    def on_key(self, event: events.Key) -> None:
        """Letters of screens without an entry field."""
        action = self.letters.get((event.character or "").lower())
        if action is not None and pressed_at(event) >= self.deaf_until_ms:
            event.stop()
            self.press_action(action)
