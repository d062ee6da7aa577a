"""Old and new side by side, as the pump reads them."""

from collections.abc import Iterable
from typing import Final

from textual.content import Content
from textual.widget import Widget

from programmer.ui.present.views import DiffRow
from programmer.ui.widgets.safe_text import visible

HEAD: Final = DiffRow("Parameter", "Now in pump", "New, read back", "Change", changed=False)


def columns(rows: Iterable[DiffRow], width: int) -> tuple[int, int, int, int]:
    """Widths of the four columns: as wide as their widest text, the rest to the spaces between them."""
    texts = [(r.name, r.old, r.new, r.change) for r in (HEAD, *rows)]
    wide = [max(len(t[n]) for t in texts) for n in range(4)]
    gap = max(1, min((width - 2 - sum(wide)) // 3, 3))
    return (wide[0] + gap, wide[1] + gap, wide[2] + gap, wide[3])


class DoseDiff(Widget):
    """A table without targets. A changed row begins with ``>``."""

    def __init__(self, rows: Iterable[DiffRow] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows = tuple(rows)

    def show(self, rows: Iterable[DiffRow]) -> None:
        """Show other rows."""
        self.rows = tuple(rows)
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """One row each, and the head."""
        return len(self.rows) + 1

    def render(self) -> Content:
        """Head and rows; values bold."""
        a, b, c, _ = columns(self.rows, self.size.width)
        parts: list[tuple[str, str]] = []
        for row in (HEAD, *self.rows):
            head = row is HEAD
            sign = "> " if row.changed else "  "
            value = "$faint" if head else "bold $dose" if row.changed else ""
            parts += [
                (f"{sign}{visible(row.name):<{a}}{visible(row.old):<{b}}", "$faint" if head else ""),
                (f"{visible(row.new):<{c}}{visible(row.change)}\n", value),
            ]
        return Content.assemble(*parts).rstrip("\n")
