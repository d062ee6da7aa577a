"""The pump no longer remembers a change: a prescriber compares its program with the order and signs what holds."""

from typing import TYPE_CHECKING, Final

from programmer.ui.flows.base import Flow
from programmer.ui.flows.enter import IdentityFlow, LeaveFlow, waiting
from programmer.ui.present import change, home
from programmer.ui.screens.pages import PageScreen
from programmer.visit.desk import NotSaved, NotYours
from programmer.visit.machine import Word

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

VERDICTS: Final = {"applied": Word.APPLIED, "not_applied": Word.NOT_APPLIED}
REASONS: Final = (
    "program compared with the order",
    "order and pump log compared",
    "decided with the prescriber on call",
)


class SettleFlow(Flow):
    """Compare, say which, say why; the signature is the prescriber's who is signed in."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.verdict = ""

    async def begin(self) -> None:
        """The change and the running program, side by side; nothing is preset."""
        await self._show("")

    async def _show(self, problem: str) -> None:
        self.verdict = ""
        page = change.unresolved(
            waiting(self.model), home.running_dose(self.model), self.model.signer.role == "prescriber", problem
        )
        await self.app.show(PageScreen(page))

    async def acted(self, action: str) -> None:
        """Which verdict, then why; or leaving with it open."""
        if action == "leave":
            await self.app.start_flow(LeaveFlow(self.app, self))
        elif action == "back":
            await self._show("")
        elif action in VERDICTS:
            self.verdict = action
            await self.app.show(PageScreen(change.why_settled(VERDICTS[action], REASONS)))
        elif action == "home":
            await self.app.start_flow(IdentityFlow(self.app))
        else:
            await self._sign(REASONS[int(action[1:])])

    async def _sign(self, reason: str) -> None:
        shell, signer, word = self.model.shell, self.model.signer, VERDICTS[self.verdict]
        assert shell is not None
        try:
            await self.app.bridge.call(lambda: shell.reconcile(signer, self.verdict, reason))
        except (NotSaved, NotYours) as error:
            await self._show(str(error))
            return
        told = [
            f"Signed by {signer.user.name}: {reason}.",
            f"The pump runs {home.running_dose(self.model)}. It stands in the signed log as {word.value.lower()}.",
        ]
        await self.app.show(PageScreen(change.settled(word, told, "SIGNED BY HAND")))
