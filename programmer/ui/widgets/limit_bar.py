"""A bar from the lowest to the highest possible value, with the range that needs no question."""

from textual.content import Content
from textual.widget import Widget

from programmer.ui.present.views import LimitBarView
from programmer.ui.widgets.safe_text import visible


def bar_text(view: LimitBarView, width: int) -> str:
    """``low ....====[value]===.... high`` in ``width`` cells; the value keeps its place among the limits."""
    room = width - len(view.low_label) - len(view.high_label) - 2
    if room < 4:
        return f"{view.low_label} to {view.high_label}"
    cells = ["=" if view.soft_from <= 1000 * n // room < view.soft_to else "." for n in range(room)]
    if view.value is not None:
        mark = f"[{view.value_label}]"
        if len(mark) > room:
            mark = "|"
        at = min(max(view.value * room // 1000 - len(mark) // 2, 0), room - len(mark))
        cells[at : at + len(mark)] = mark
    return f"{view.low_label} {''.join(cells)} {view.high_label}"


class LimitBar(Widget):
    """One row. Blank without a view."""

    def __init__(self, view: LimitBarView | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view

    def show(self, view: LimitBarView | None) -> None:
        """Show another value."""
        self.view = view
        self.refresh()

    def render(self) -> Content:
        """Draw the bar at the width there is."""
        return Content("" if self.view is None else visible(bar_text(self.view, self.size.width)))
