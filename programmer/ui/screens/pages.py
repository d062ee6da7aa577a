"""Screens without a field: connect and other picks, status, review, transfer, alarms, audit, plain pages."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from programmer.ui.messages import GlobalKey, Picked
from programmer.ui.present.views import (
    ActionView,
    AlarmsView,
    AuditView,
    CardView,
    Line,
    PageView,
    PickView,
    ReviewView,
    StatusView,
    Tone,
    TransferView,
)
from programmer.ui.screens.base import ActionRow, FrameScreen
from programmer.ui.widgets.charts.step_chart import StepChart
from programmer.ui.widgets.dose_diff import DoseDiff
from programmer.ui.widgets.safe_text import Lines, SafeText
from programmer.ui.widgets.touch_list import Tile, TouchList


class PickScreen(FrameScreen):
    """Lines, items to pick from, actions."""

    letters: ClassVar[dict[str, str]] = {"r": "rescan"}

    def __init__(self, view: PickView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Title, lines, tiles, buttons."""
        yield SafeText(self.view.title, id="title")
        yield Lines(self.view.lines, id="above")
        yield TouchList(self.view.tiles, id="tiles")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions, id="page-actions")

    async def show(self, view: PickView) -> None:
        """Show another list."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#above", Lines).show(view.lines)
        await self.query_one("#tiles", TouchList).show(view.tiles)
        await self.query_one("#page-actions", ActionRow).show(view.actions)

    def on_tile_pressed(self, event: Tile.Pressed) -> None:
        """Pass the pick on."""
        self.post_message(Picked(event.tile.view.id))


class Card(Vertical):
    """A boxed group of lines under a title."""

    def __init__(self, view: CardView, *, id: str) -> None:
        super().__init__(id=id, classes="card")
        self.border_title = view.title
        self.view = view

    def compose(self) -> ComposeResult:
        """The lines."""
        yield Lines(self.view.lines)

    def show(self, view: CardView) -> None:
        """Show other lines."""
        self.border_title = view.title
        self.query_one(Lines).show(view.lines)


class StatusScreen(FrameScreen):
    """Home of a visit: three cards, facts with their age, eight buttons."""

    letters: ClassVar[dict[str, str]] = {
        "r": "read", "d": "dose", "w": "refill", "g": "trends", "p": "report",
    }  # fmt: skip

    def __init__(self, view: StatusView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Cards, lines, two rows of buttons."""
        with Horizontal(id="cards"):
            for number, card in enumerate(self.view.cards):
                yield Card(card, id=f"card-{number}")
        yield Lines(self.view.lines, id="above")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions[:4], id="actions-0")
        yield ActionRow(self.view.actions[4:], id="actions-1")

    async def show(self, view: StatusView) -> None:
        """Show another reading."""
        self.view = view
        for number, card in enumerate(view.cards):
            self.query_one(f"#card-{number}", Card).show(card)
        self.query_one("#above", Lines).show(view.lines)
        await self.query_one("#actions-0", ActionRow).show(view.actions[:4])
        await self.query_one("#actions-1", ActionRow).show(view.actions[4:])


class ReviewScreen(FrameScreen):
    """Old against the pump's read-back, the sentence, the curve, the findings."""

    safe_focus = "#act-back"

    def __init__(self, view: ReviewView) -> None:
        super().__init__()
        self.view = view
        self.all_rows = False

    def body(self) -> ComposeResult:
        """Table, sentence, curve beside findings, buttons."""
        yield SafeText(self.view.title, id="title")
        yield DoseDiff(self.view.rows, id="diff")
        yield Lines([Line(s, Tone.STRONG) for s in self.view.sentence], id="sentence")
        with Horizontal(id="review-middle"):
            yield StepChart(self.view.chart, id="curve")
            yield Lines(self.view.findings, id="findings")
        yield ActionRow(self.view.actions, id="page-actions")

    async def show(self, view: ReviewView) -> None:
        """Show another read-back, or the same one aging."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#diff", DoseDiff).show(view.rows + (view.same_rows if self.all_rows else ()))
        self.query_one("#sentence", Lines).show([Line(s, Tone.STRONG) for s in view.sentence])
        self.query_one("#curve", StepChart).show(view.chart)
        self.query_one("#findings", Lines).show(view.findings)
        await self.query_one("#page-actions", ActionRow).show(view.actions)

    def action_frame_key(self, key: str) -> None:
        """F8: all rows, and the curve as its table; in a small window the curve in place of the findings."""
        if key != "f8":
            self.post_message(GlobalKey(key))
            return
        self.all_rows = not self.all_rows
        self.set_class(self.all_rows, "twin")
        self.query_one("#curve", StepChart).toggle()
        self.query_one("#diff", DoseDiff).show(self.view.rows + (self.view.same_rows if self.all_rows else ()))


class TransferScreen(FrameScreen):
    """Steps with their times; a verdict at the end, and no way out before it."""

    def __init__(self, view: TransferView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Title, steps, verdict, lines, buttons."""
        yield SafeText(self.view.title, id="title")
        yield Lines(self.steps(self.view), id="steps")
        yield Lines(self.verdict(self.view), id="verdict")
        yield Lines(self.view.lines, id="above")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions, id="page-actions")

    def steps(self, view: TransferView) -> list[Line]:
        """One line a step."""
        return [Line(f" {s.at:>8}  {s.text:<44} {s.state}") for s in view.steps]

    def verdict(self, view: TransferView) -> list[Line]:
        """The last word, or nothing yet."""
        return [view.verdict] if view.verdict else []

    async def show(self, view: TransferView) -> None:
        """Show the next step or the end."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#steps", Lines).show(self.steps(view))
        self.query_one("#verdict", Lines).show(self.verdict(view))
        self.query_one("#above", Lines).show(view.lines)
        await self.query_one("#page-actions", ActionRow).show(view.actions)
        for button in self.query("#page-actions ActionButton"):
            button.focus()
            break


class AlarmsScreen(FrameScreen):
    """The list of alarms, highest first."""

    letters: ClassVar[dict[str, str]] = {"k": "acknowledge", "s": "silence", "h": "history"}

    def __init__(self, view: AlarmsView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Title, alarms, buttons."""
        yield SafeText(self.view.title, id="title")
        yield Lines(self.lines(self.view), id="alarms")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions, id="page-actions")

    def lines(self, view: AlarmsView) -> list[Line]:
        """Three lines an alarm: what and value, since when, what to do now."""
        lines = []
        for alarm in view.alarms:
            tone = {"HIGH": Tone.BAD, "MEDIUM": Tone.NOTE}.get(alarm.priority.value, Tone.STRONG)
            head = f"{alarm.priority.stars} {alarm.priority.value:<7} {alarm.code}  {alarm.state}"
            lines += [Line(head, tone), Line(f"    {alarm.text}"), Line(f"    {alarm.since}", Tone.FAINT)]
            lines += [Line(f"    NOW {alarm.now}", Tone.STRONG), Line("", roomy=True)]
        return lines or [Line(view.empty)]

    async def show(self, view: AlarmsView) -> None:
        """Show another list."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#alarms", Lines).show(self.lines(view))
        await self.query_one("#page-actions", ActionRow).show(view.actions)


class AuditScreen(FrameScreen):
    """A page of the log. There is nothing to edit or delete."""

    def __init__(self, view: AuditView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Title, the verifier's word, entries, page buttons."""
        yield SafeText(self.view.title, id="title")
        yield Lines(self.view.head, id="above")
        yield Lines([Line(row) for row in self.view.rows], id="rows")
        yield Vertical(id="spring")
        yield ActionRow(self.view.actions, id="page-actions")

    async def show(self, view: AuditView) -> None:
        """Show another page."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#above", Lines).show(view.head)
        self.query_one("#rows", Lines).show([Line(row) for row in view.rows])
        await self.query_one("#page-actions", ActionRow).show(view.actions)


class PageScreen(FrameScreen):
    """A page of lines and up to four actions in rows of two or three: in doubt, recovery, done, errors."""

    safe_focus = "#actions-0 ActionButton"

    def __init__(self, view: PageView) -> None:
        super().__init__()
        self.view = view

    def rows(self, view: PageView) -> tuple[tuple[ActionView, ...], tuple[ActionView, ...]]:
        """Two rows of buttons where there are more than three."""
        cut = 2 if len(view.actions) > 3 else 3
        return view.actions[:cut], view.actions[cut:]

    def body(self) -> ComposeResult:
        """Title, lines, buttons."""
        first, second = self.rows(self.view)
        yield Lines([self.view.title], id="title")
        yield Lines(self.view.lines, id="above")
        yield Vertical(id="spring")
        yield ActionRow(first, id="actions-0")
        yield ActionRow(second, id="actions-1")

    async def show(self, view: PageView) -> None:
        """Show other lines and actions."""
        self.view = view
        first, second = self.rows(view)
        self.query_one("#title", Lines).show([view.title])
        self.query_one("#above", Lines).show(view.lines)
        await self.query_one("#actions-0", ActionRow).show(first)
        await self.query_one("#actions-1", ActionRow).show(second)
