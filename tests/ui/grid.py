"""What a screen shows, as lines of text."""

from textual.app import App


def grid(app: App[int]) -> list[str]:
    """The rows of the screen as rendered."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()
    return [strip.text[:width] for strip in strips[:height]]
