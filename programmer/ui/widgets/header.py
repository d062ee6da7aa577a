"""The three rows above every screen."""

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from programmer.ui.messages import LockAsked
from programmer.ui.present.views import HeaderView
from programmer.ui.strings import en
from programmer.ui.widgets.safe_text import SafeText, safe_content, visible


class LockButton(Static):
    """LOCK in the header: locks at a touch, as F9 does."""

    def on_click(self, event: events.Click) -> None:
        """Lock."""
        event.stop()
        self.post_message(LockAsked())


class Header(Horizontal):
    """Connection and coupling, pump and patient, user and clock, LOCK."""

    def compose(self) -> ComposeResult:
        """Three columns of three rows, and the lock."""
        for column, rows in (("link", 3), ("pump", 3), ("user", 3)):
            with Vertical(id=f"head-{column}", classes="head-column"):
                for row in range(rows):
                    yield SafeText("", id=f"head-{column}-{row}", classes="head-row")
        yield LockButton(f" {en.LOCK}\n  {en.LOCK_KEY}", id="head-lock", markup=False)

    def show(self, view: HeaderView) -> None:
        """Show what the visit says now."""
        for where, text in (
            ("link-0", view.connection), ("link-1", view.coupling), ("link-2", view.reading),
            ("pump-1", view.patient or en.NO_PATIENT), ("pump-2", view.record),
            ("user-0", view.user or en.NO_USER), ("user-1", view.role), ("user-2", view.clock),
        ):  # fmt: skip
            self.query_one(f"#head-{where}", SafeText).update(safe_content(text))
        self.query_one("#head-pump-0", SafeText).update(realm(view))


def realm(view: HeaderView) -> Content:
    """The pump with its realm: word, shape and colour differ between simulated and real."""
    if view.simulated is None:
        return Content(visible(view.pump))
    word, style = (en.SIMULATED, "bold $sim-ink on $sim") if view.simulated else (en.REAL, "bold $real-ink on $real")
    return Content.assemble(f"{visible(view.pump)}  ", (word, style))
