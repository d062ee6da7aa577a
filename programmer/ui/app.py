"""The application: themes, frame, size. It holds no clinical rule; services are attached from outside."""

from pathlib import Path
from typing import ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType

from programmer.ui.messages import LeaveAsked
from programmer.ui.present.views import FrameView
from programmer.ui.screens.base import FrameScreen
from programmer.ui.styles.themes import THEMES

STYLES: Final = Path(__file__).with_name("styles")


class ProgrammerApp(App[int]):
    """Frame and screens. ctrl+q and ctrl+c ask to close the visit; nothing quits by itself."""

    CSS_PATH: ClassVar = [STYLES / "base.tcss", STYLES / "screens.tcss"]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "clinical programmer"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("ctrl+c", "leave", show=False, priority=True),
    ]

    def __init__(self, *, theme: str = "clinic-light", reduced_motion: bool = False) -> None:
        super().__init__()
        self.frame = FrameView()
        self.reduced_motion = reduced_motion
        for each in THEMES:
            self.register_theme(each)
        self.theme = theme

    def set_frame(self, frame: FrameView) -> None:
        """Show another header, alarm bar or footer on the screen in front."""
        self.frame = frame
        for screen in self.screen_stack:
            if isinstance(screen, FrameScreen) and screen.is_mounted:
                screen.show_frame(frame)

    def action_leave(self) -> None:
        """ctrl+q, ctrl+c."""
        self.post_message(LeaveAsked())
