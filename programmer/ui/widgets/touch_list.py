"""Items to pick from, three rows each: no table row is ever a target."""

from collections.abc import Iterable

from textual import events
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from programmer.ui.present.views import TileView
from programmer.ui.widgets.action_button import pressed_at
from programmer.ui.widgets.safe_text import visible


class Tile(Widget, can_focus=True):
    """One item. ``chosen`` shows a mark; nothing is chosen at the start."""

    class Pressed(Message):
        """The item was picked."""

        def __init__(self, tile: "Tile") -> None:
            self.tile = tile
            super().__init__()

    def __init__(self, view: TileView) -> None:
        super().__init__(id=f"tile-{view.id}")
        self.view = view
        self.chosen = False

    def choose(self, chosen: bool) -> None:
        """Mark or unmark."""
        self.chosen = chosen
        self.set_class(chosen, "chosen")
        self.refresh()

    def render(self) -> Content:
        """Mark, title and detail."""
        mark = "[x] " if self.chosen else "[ ] "
        detail = f"\n    {visible(self.view.detail)}" if self.view.detail else ""
        return Content(f"{mark}{visible(self.view.title)}{detail}")

    def press(self, event: events.Event) -> None:
        """Pick, unless the screen is still deaf."""
        event.stop()
        if self.view.enabled and pressed_at(event) >= getattr(self.screen, "deaf_until_ms", 0):
            self.post_message(self.Pressed(self))

    def on_click(self, event: events.Click) -> None:
        """A tap picks."""
        self.press(event)

    def on_key(self, event: events.Key) -> None:
        """Enter picks; up and down move."""
        if event.key == "enter":
            self.press(event)
        elif event.key in ("down", "up"):
            event.stop()
            self.screen.focus_next(Tile) if event.key == "down" else self.screen.focus_previous(Tile)


class TouchList(Container):
    """Tiles in two columns where there is room. ``many`` lets several be chosen."""

    def __init__(self, tiles: Iterable[TileView] = (), *, many: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self.views = tuple(tiles)
        self.many = many
        self.picked: tuple[str, ...] = ()

    def compose(self) -> Iterable[Widget]:
        """The tiles of the view."""
        return [Tile(view) for view in self.views]

    async def show(self, tiles: Iterable[TileView]) -> None:
        """Show other items; the choice is dropped when they differ."""
        views = tuple(tiles)
        if views == self.views:
            return
        self.views, self.picked = views, ()
        await self.remove_children()
        await self.mount_all(Tile(view) for view in views)

    def on_tile_pressed(self, event: Tile.Pressed) -> None:
        """Keep the choice, and let the screen know."""
        name = event.tile.view.id
        if self.many:
            kept = tuple(p for p in self.picked if p != name)
            self.picked = kept if name in self.picked else (*self.picked, name)
        else:
            self.picked = (name,)
        for tile in self.query(Tile):
            tile.choose(tile.view.id in self.picked)
