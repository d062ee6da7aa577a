"""A flow answers the messages of the screens that it shows; the application hands them to the flow in front."""

from typing import TYPE_CHECKING

from programmer.ui.messages import DraftChanged, NumberKeyed, SendAsked, UnlockAsked
from programmer.ui.model import Model

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp


class Flow:
    """Base of all flows. A message that a flow does not know does nothing."""

    keeps_unlocked = False
    """Whether the idle lock waits for this flow: only while an order is being sent."""

    def __init__(self, app: "ClinicApp") -> None:
        self.app = app

    @property
    def model(self) -> Model:
        """The state of the interface."""
        return self.app.model

    async def begin(self) -> None:
        """Show the first screen."""
        raise NotImplementedError

    async def acted(self, action: str) -> None:
        """A button was pressed."""

    async def picked(self, tile: str) -> None:
        """A tile was pressed."""

    async def draft_changed(self, message: DraftChanged) -> None:
        """The text of a number field changed."""

    async def number_keyed(self, message: NumberKeyed) -> None:
        """A number was confirmed."""

    async def entry_left(self, discarded: bool) -> None:
        """A number field was left without a value."""

    async def send_asked(self, message: SendAsked) -> None:
        """Secret and value for signing."""

    async def unlock_asked(self, message: UnlockAsked) -> None:
        """User and secret for unlocking."""

    async def resume(self) -> None:
        """Come back from a page that stood before this flow."""
        await self.begin()

    async def tick(self) -> None:
        """Once a second."""
