"""A prescriber decides on an open discrepancy: a cause, checked with the pump, signed like every order."""

from typing import TYPE_CHECKING

from programmer.clinical import display
from programmer.ui.flows.base import Flow
from programmer.ui.flows.send import SendFlow, Signing
from programmer.ui.present import change, dose
from programmer.ui.present.views import ActionView
from programmer.ui.screens.pages import PageScreen
from programmer.visit.history import mcg
from programmer.visit.planning import propose_closing
from programmer.visit.tablet import monotonic_ms

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

DECISIONS = ("measured wrongly, repeated", "stall or MRI, accounted for", "pump inside its band, watched")


class DiscrepancyFlow(Flow):
    """Choose, check, sign."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.decision = ""

    async def begin(self) -> None:
        """The decisions, each a button; none is preset."""
        lines = (
            "A refill's volumes do not agree. Until you decide, the pump refuses every increase.",
            "Look at the log and at the trend first. A normal residual does not exclude a leak.",
        )
        actions = [ActionView(f"d{n}", text.upper()) for n, text in enumerate(DECISIONS)]
        page = change.notice("DISCREPANCY   what is your decision?", lines, (*actions, ActionView("back", "BACK  Esc")))
        await self.app.show(PageScreen(page))

    async def acted(self, action: str) -> None:
        """A decision, or back."""
        if action == "back":
            await self.app.go_home()
        elif action.startswith("d"):
            self.decision = DECISIONS[int(action[1:])]
            await self._check()

    async def _check(self) -> None:
        shell, user = self.model.shell, self.model.signer
        assert shell is not None
        if shell.visit.stale(monotonic_ms()):
            await self.app.bridge.call(shell.read)
        proposal = propose_closing(self.model.known, self.model.tablet.library, self.decision)
        await self.app.bridge.call(lambda: shell.propose(proposal))
        await self.app.bridge.call(lambda: shell.check(user))
        now = self.model.known
        running = display.mcg_per_day(mcg(now.dose_ng_per_day))
        signing = Signing(
            ("discrepancy closed", self.decision, f"the dose stays {running}"),
            "SEND",
            dose.profile(self.model),
            now.dose_ng_per_day,
            ("The discrepancy is closed: increases are possible again.", f"The dose stays {running}."),
        )
        await self.app.start_flow(SendFlow(self.app, signing, self))

    async def resume(self) -> None:
        """Back from signing: the proposal is dropped, the decision asked again."""
        shell = self.model.shell
        assert shell is not None
        await self.app.bridge.call(shell.withdraw)
        self.decision = ""
        await self.begin()
