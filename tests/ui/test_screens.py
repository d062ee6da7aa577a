"""Every screen at every size: nothing clipped, the frame present, small windows refused, contrast proven."""

import asyncio
import re
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from textual.color import Color
from textual.widget import Widget

from programmer.ui.app import ProgrammerApp
from programmer.ui.screens.base import FrameScreen
from programmer.ui.styles.themes import PAIRS, THEMES
from programmer.ui.widgets.action_button import ActionButton
from programmer.ui.widgets.keypad_key import KeypadKey
from programmer.ui.widgets.safe_text import Lines, visible
from tests.ui.fixtures import ALARMED, FRAME, all_screens
from tests.ui.grid import grid

LOCAL = (((80, 24), "alarm"), ((98, 27), "quiet"))
FULL = (((80, 24), "quiet"), ((98, 27), "alarm"), ((128, 40), "quiet"), ((128, 40), "alarm"))
GRIDS = (*LOCAL, *(pytest.param(*case, marks=pytest.mark.full) for case in FULL))
FRAMES = {"quiet": FRAME, "alarm": ALARMED}
BAD_WRITING = re.compile(
    r"µg|\bug\b|\bU\b|\bcc\b|\bqd\b"  # units that must not be written
    r"|(?<![0-9.])[0-9]+\.[0-9]*0\b(?!\.)"  # trailing zero, but for versions and addresses
    r"|(?<![0-9.])\.[0-9]"  # naked point
)
SKIPPED_FIELDS = (
    "id",
    "why",
    "running",
    "table",
    "same_rows",
    "unit",
    "ticks",
    "chart",
    "bar",
    "code",
    "empty",
)


def texts(view: Any, compact: bool) -> list[str]:
    """Every text that the view wants shown, from its dataclass fields."""
    if isinstance(view, str):
        return [view] if view.strip() else []
    if isinstance(view, tuple):
        return [text for item in view for text in texts(item, compact)]
    if not is_dataclass(view) or type(view).__name__ == "EntryProfile":
        return []
    if compact and getattr(view, "roomy", False):
        return []
    values = [getattr(view, f.name) for f in fields(view) if f.name not in (*SKIPPED_FIELDS, "tone")]
    return [text for value in values for text in texts(value, compact)]


def clipped(screen: FrameScreen, rows: list[str], compact: bool) -> list[str]:
    """The texts of the screen's view that are not to be read whole in one row."""
    return [t for t in texts(screen.view, compact) if not any(t.strip() in row for row in rows)]


async def walk(
    size: tuple[int, int],
    check: Any,
    only: tuple[str, ...] = (),
    frames: tuple[str, ...] = ("quiet", "alarm"),
) -> int:
    app, count = ProgrammerApp(reduced_motion=True), 0
    faults: list[str] = []
    async with app.run_test(size=size) as pilot:
        for frame_name in frames:
            app.set_frame(FRAMES[frame_name])
            for name, screen in all_screens().items():
                if only and name not in only:
                    continue
                await app.push_screen(screen)
                await pilot.pause()
                where = f"{name} {frame_name} {size}"
                try:
                    check(app, screen, where)
                except AssertionError as fault:
                    faults.append(f"{where}: {fault.args[0] if fault.args else fault}")
                app.pop_screen()
                count += 1
    assert faults == []
    return count


@pytest.mark.parametrize(("size", "frame"), GRIDS)
def test_nothing_is_clipped_and_targets_are_large_and_reached_by_tab(size: tuple[int, int], frame: str) -> None:
    compact = size < (98, 27)

    def check(app: ProgrammerApp, screen: FrameScreen, where: str) -> None:
        rows = grid(app)
        assert clipped(screen, rows, compact) == [], where
        assert "not a cleared medical device; for simulation, training and research" in rows[-1], where
        assert "[[ SIMULATED ]]" in rows[0], where
        assert "LOCK" in rows[0], where
        for header in ("S. SAMPLE  born 2016-05-02", "000-TEST, identity checked", "read 12:03:52, 38 s ago"):
            assert any(header in row for row in rows[:3]), where
        for row in rows:
            assert not BAD_WRITING.search(row), row
        by_tab = set(screen.query("ActionButton, HoldButton, Tile, NumberEntry, SecretPad"))
        assert by_tab <= set(screen.focus_chain), where
        for widget in screen.query("ActionButton, HoldButton, KeypadKey, Tile"):
            check_target(widget, app.size, where)

    assert asyncio.run(walk(size, check, frames=(frame,))) == len(all_screens())


def check_target(widget: Widget, size: Any, where: str) -> None:
    """Wholly on the screen, at least 3 rows x 8 columns, and 3 x 8 clear of nothing else."""
    region = widget.region
    assert region.height >= 3, f"{where} {widget}"
    assert region.width >= 8, f"{where} {widget}"
    assert region.right <= size.width, f"{where} {widget}"
    assert region.bottom <= size.height - 1, f"{where} {widget}"
    if size.width >= 98 and isinstance(widget, KeypadKey):
        assert (region.width, region.height) == (12, 4), where


def test_a_seeded_clip_is_found() -> None:
    async def run() -> None:
        app = ProgrammerApp()
        async with app.run_test(size=(80, 24)) as pilot:
            screen = all_screens()["compare"]
            await app.push_screen(screen)
            screen.query_one("#above", Lines).styles.width = 20
            await pilot.pause()
            assert len(clipped(screen, grid(app), True)) >= 4

    asyncio.run(run())


@pytest.mark.parametrize("size", [(60, 20), (40, 15), (79, 24), (80, 23)])
def test_a_small_window_shows_no_page(size: tuple[int, int]) -> None:
    def check(app: ProgrammerApp, screen: FrameScreen, where: str) -> None:
        shown = "\n".join(grid(app))
        assert "WINDOW TOO SMALL" in shown, where
        assert "mcg/day" not in shown, where
        assert ("HIGH" in shown) == (app.frame is ALARMED) or "HIGH 0" in shown, where

    asyncio.run(walk(size, check, ("dose", "in_doubt")))


def luminance(colour: Color) -> float:
    channels = [c / 255 for c in colour.rgb]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(Color.parse(one)), luminance(Color.parse(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda p: f"{p[0]}-on-{p[1]}")
def test_contrast(theme: Any, pair: tuple[str, str, str]) -> None:
    ink, paper, least = pair
    assert contrast(theme.variables[ink], theme.variables[paper]) >= float(least)


def test_hidden_characters_are_written_out() -> None:
    assert visible("a\u202eb\u200bc\x1b") == "a‹U+202E›b‹U+200B›c‹U+001B›"
    assert visible("Rivera [LOCK] [/] [@click=app.quit]x[/]") == "Rivera [LOCK] [/] [@click=app.quit]x[/]"


def test_markup_in_data_is_shown_not_obeyed() -> None:
    async def run() -> None:
        app = ProgrammerApp()
        async with app.run_test(size=(98, 27)) as pilot:
            screen = all_screens()["done"]
            await app.push_screen(screen)
            screen.say("[@click=app.quit]x[/] Rivera [LOCK] [/]")
            await pilot.pause()
            assert any("[@click=app.quit]x[/] Rivera [LOCK] [/]" in row for row in grid(app))

    asyncio.run(run())


def test_disabled_buttons_say_why() -> None:
    async def run() -> None:
        app = ProgrammerApp()
        async with app.run_test(size=(80, 24)) as pilot:
            screen = all_screens()["review"]
            await app.push_screen(screen)
            await pilot.pause(0.35)
            assert not screen.query_one("#act-second", ActionButton).view.enabled
            await pilot.click("#act-second")
            await pilot.pause()
            assert any("not needed" in row for row in grid(app)[-3:])

    asyncio.run(run())
