"""A step curve on an honest axis: from zero, ticks named where they stand, gaps left as gaps."""

from textual.content import Content
from textual.widget import Widget

from programmer.ui.present.views import StepChartView, StepPoint
from programmer.ui.widgets.safe_text import visible

LADDER = (10, 20, 25, 40, 50)
BLOCKS = " ▁▂▃▄▅▆▇█"
_MARGIN = 7


def tick_step(top: int, count: int) -> int:
    """The smallest step on the ladder 1, 2, 2.5, 4, 5 that reaches ``top`` in ``count`` ticks."""
    power = 1
    while True:
        for rung in LADDER:
            step = rung * power // 10
            if step * 10 == rung * power and step > 0 and step * count >= top:
                return step
        power *= 10


def thousandths(value: int) -> str:
    """Decimal text of an integer in thousandths, without trailing zeros."""
    whole, rest = divmod(value, 1000)
    tail = f".{rest:03d}".rstrip("0").rstrip(".")
    return f"{whole:,}{tail}"


def value_at(points: tuple[StepPoint, ...], minute: int) -> int | None:
    """The value in force at ``minute``; None before the first point."""
    found = None
    for point in points:
        if point.at <= minute:
            found = point.value
    return found


def draw(view: StepChartView, width: int, height: int) -> list[str]:
    """The chart in ``width`` x ``height`` cells: title, plot rows, axis, labels.

    Every tick stands on the boundary between two rows; the top of the axis is the highest tick.
    """
    plot_h, plot_w = height - 3, width - _MARGIN
    if plot_h < 2 or plot_w < 12:
        return [view.title]
    top = max([p.value for p in (*view.old, *view.new)], default=0)
    per_tick = 2 if plot_h >= 4 else 1
    ticks = plot_h // per_tick
    step = tick_step(max(top, 1), ticks)
    scale = step * ticks
    rows_used = ticks * per_tick
    span = view.end_min - view.start_min
    minutes = [view.start_min + span * (2 * n + 1) // (2 * plot_w) for n in range(plot_w)]
    lines = [view.title]
    for row in range(rows_used):
        below = rows_used - row - 1
        label = thousandths(step * (below + 1) // per_tick) if (below + 1) % per_tick == 0 else ""
        lines.append(f"{label:>{_MARGIN - 2}} |" + "".join(_cell(view, m, below, rows_used, scale) for m in minutes))
    lines.append(f"{'0':>{_MARGIN - 2}} +" + _axis(view, plot_w))
    labels = [" "] * width
    for minute, text in view.ticks:
        at = _MARGIN + (minute - view.start_min) * plot_w // span
        at = min(max(at - len(text) // 2, 0), width - len(text))
        labels[at : at + len(text)] = text
    lines.append("".join(labels).rstrip())
    return lines


def _axis(view: StepChartView, plot_w: int) -> str:
    marks = {(m - view.start_min) * plot_w // (view.end_min - view.start_min) for m, _ in view.ticks}
    return "".join("+" if n in marks or (n + 1 == plot_w and plot_w in marks) else "-" for n in range(plot_w))


def _cell(view: StepChartView, minute: int, below: int, rows: int, scale: int) -> str:
    new = minute >= 0
    value = value_at(view.new if new else view.old, minute)
    if value is None:
        return " "
    eighths = min(max(value * rows * 8 // scale - below * 8, 0), 8)
    if new and eighths == 8:
        return "▓"
    return BLOCKS[eighths]


class StepChart(Widget):
    """A step chart, or its table twin when ``as_table``."""

    def __init__(self, view: StepChartView | None = None, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.view = view
        self.as_table = False

    def show(self, view: StepChartView | None) -> None:
        """Show another curve."""
        self.view = view
        self.refresh()

    def toggle(self) -> None:
        """Change between curve and table."""
        self.as_table = not self.as_table
        self.refresh()

    def render(self) -> Content:
        """Draw at the size there is."""
        if self.view is None:
            return Content("")
        if self.as_table:
            rows = [self.view.title, *(f"{when:<16}{what}" for when, what in self.view.table)]
            return Content("\n".join(visible(row) for row in rows))
        return Content("\n".join(visible(line) for line in draw(self.view, self.size.width, self.size.height)))
