"""A flow answers the messages of the screens that it shows; the application hands them to the flow in front."""

from typing import TYPE_CHECKING

from programmer.ui.messages import DraftChanged, NumberKeyed, SendAsked, UnlockAsked
from programmer.ui.model import Model
from programmer.visit.tablet import monotonic_ms

REREAD_MS = 20_000

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp


class Flow:
    """Base of all flows. A message that a flow does not know does nothing."""

    keeps_unlocked = False
    """Whether the idle lock waits for this flow: only while an order is being sent."""

    def __init__(self, app: "ClinicApp") -> None:
        self.app = app
        self._rereading = False

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

    async def keep_fresh(self) -> None:
        """Read the pump again while a proposal waits for its signature, every 20 s."""
        shell, reading = self.model.shell, self.model.visit.reading
        if shell is None or reading is None or self._rereading or monotonic_ms() - reading.at_ms <= REREAD_MS:
            return
        self._rereading = True
        try:
            await self.app.bridge.call(shell.refresh)
        except Exception as error:
            if not self.app.expected(error):
                raise
            await self.app.trouble(error)
        finally:
            self._rereading = False
