"""The refill wizard: vial, withdrawn, compare, injected, write. No dose field is reachable from here."""

from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical

from programmer.ui.messages import Picked
from programmer.ui.present.views import RefillView
from programmer.ui.screens.base import ActionRow, FrameScreen
from programmer.ui.widgets.dose_diff import DoseDiff
from programmer.ui.widgets.safe_text import Lines, SafeText
from programmer.ui.widgets.touch_list import Tile, TouchList

STEPS: Final = ("1 vial", "2 withdrawn", "3 compare", "4 injected", "5 write")


def step_title(step: int, nothing_sent: str = "") -> str:
    """``REFILL   1 vial   [ 2 WITHDRAWN ]  ...``: the step by word, case and brackets."""
    words = [f"[ {s.upper()} ]" if n == step else s for n, s in enumerate(STEPS, 1)]
    return f"REFILL  {'  '.join(words)}  {nothing_sent}".rstrip()


class RefillScreen(FrameScreen):
    """A step without a number field: vial, compare, write."""

    safe_focus = "Tile, #act-go, #act-sign"

    def __init__(self, view: RefillView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Step line, lines, rows, tiles, buttons."""
        yield SafeText(step_title(self.view.step, self.view.nothing_sent), id="title")
        yield Lines(self.view.lines, id="above")
        if self.view.rows:
            yield DoseDiff(self.view.rows, id="diff")
        yield TouchList(self.view.tiles, id="tiles")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions, id="page-actions")

    async def show(self, view: RefillView) -> None:
        """Show the same step again with other facts."""
        self.view = view
        self.query_one("#title", SafeText).say(step_title(view.step, view.nothing_sent))
        self.query_one("#above", Lines).show(view.lines)
        for diff in self.query(DoseDiff):
            diff.show(view.rows)
        await self.query_one("#tiles", TouchList).show(view.tiles)
        await self.query_one("#page-actions", ActionRow).show(view.actions)

    def on_tile_pressed(self, event: Tile.Pressed) -> None:
        """Pass the pick on."""
        self.post_message(Picked(event.tile.view.id))
