"""The dose path: key, check with the pump, compare the read-back, sign."""

from fractions import Fraction
from typing import TYPE_CHECKING

from programmer.clinical import display
from programmer.clinical.entry import EntryProfile, Outcome
from programmer.ui.flows.base import Flow
from programmer.ui.flows.send import SendFlow, Signing
from programmer.ui.messages import DraftChanged, NumberKeyed
from programmer.ui.present import dose
from programmer.ui.present.views import LiveView, ReviewView
from programmer.ui.screens.keyed import EntryScreen, SoftQuestion
from programmer.ui.screens.pages import ReviewScreen
from programmer.visit.history import mcg
from programmer.visit.machine import Phase
from programmer.visit.planning import DoseJudgement, NothingToChange, ReasonMissing, Stopped, propose_dose
from programmer.visit.tablet import monotonic_ms

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

NG_PER_MCG = 1_000


class DoseFlow(Flow):
    """One number, checked with the pump."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.field: EntryProfile | None = None
        self.screen: EntryScreen | None = None
        self.judgement: DoseJudgement | None = None

    async def begin(self) -> None:
        """A blank field beside the running value, on a fresh reading."""
        self.field = dose.profile(self.model)
        self.screen = EntryScreen(dose.entry(self.model, self.field))
        await self.app.show(self.screen)

    async def draft_changed(self, message: DraftChanged) -> None:
        """Make the live lines for what is keyed."""
        if self.screen is None or self.field is None:
            return
        value = message.result.base_value
        if message.result.outcome in (Outcome.ACCEPT, Outcome.CONFIRM) and value is not None:
            judgement = dose.judge(self.model, Fraction(value, NG_PER_MCG))
            self.screen.show_live(dose.live(judgement, self.field))
        else:
            self.screen.show_live(LiveView((), dose.bar(self.field, None)))

    async def number_keyed(self, message: NumberKeyed) -> None:
        """Judge, ask for a reason where one is due, then stage and read back."""
        assert self.screen is not None
        value = message.result.base_value
        assert value is not None
        self.judgement = dose.judge(self.model, Fraction(value, NG_PER_MCG))
        if self.judgement.soft and not message.reason and not self.judgement.hard:
            worst = self.judgement.soft[0]
            shown = display.mcg_per_day(self.judgement.new_mcg_per_day)
            self.app.push_screen(SoftQuestion(shown, worst.sentence), self._reason_given)
            return
        await self._check(message.reason)

    def _reason_given(self, reason: str | None) -> None:
        if reason is None:
            if self.screen is not None:
                self.screen.number.reopen(0)
            return
        self.app.run_flow(self._check(reason))

    async def _check(self, reason: str) -> None:
        judgement, screen, shell, user = self.judgement, self.screen, self.model.shell, self.model.signer
        assert judgement is not None
        assert screen is not None
        assert shell is not None
        reasons = {finding.code: reason for finding in judgement.soft} if reason else {}
        try:
            proposal = propose_dose(judgement, self.model.known, self.model.tablet.library, reasons)
            screen.say("Checking with the pump ... nothing is put in force.")
            if shell.visit.stale(monotonic_ms()):
                await self.app.bridge.call(shell.read)
            await self.app.bridge.call(lambda: shell.propose(proposal))
            await self.app.bridge.call(lambda: shell.check(user))
        except (Stopped, ReasonMissing, NothingToChange) as stopped:
            screen.number.reopen(0)
            screen.say(str(stopped).split(". ")[0] + ".")
            return
        except Exception as error:
            if not self.app.expected(error):
                raise
            await self.app.trouble(error)
            return
        await self.app.start_flow(ReviewFlow(self.app, judgement))

    async def entry_left(self, discarded: bool) -> None:
        """Back to the status page; the running dose is said there again."""
        await self.app.go_home()


class ReviewFlow(Flow):
    """Old beside the pump's read-back, until signed, dropped or expired."""

    def __init__(self, app: "ClinicApp", judgement: DoseJudgement) -> None:
        super().__init__(app)
        self.judgement = judgement
        self.screen: ReviewScreen | None = None
        staged = self.model.visit.transaction.staged if self.model.visit.transaction else None
        self.ends_ms = monotonic_ms() + (staged.expires_in_s if staged else 0) * 1_000

    @property
    def seconds_left(self) -> int:
        """Until the pump drops the proposal by itself."""
        return max(0, (self.ends_ms - monotonic_ms()) // 1_000)

    def _view(self) -> ReviewView:
        tx = self.model.visit.transaction
        assert tx is not None
        assert tx.read_back is not None
        late = "" if self.seconds_left else "The proposal has expired: go BACK and check again."
        return dose.review(self.model, tx.read_back, self.seconds_left, late)

    async def begin(self) -> None:
        """Show the read-back."""
        self.screen = ReviewScreen(self._view())
        await self.app.show(self.screen)

    async def tick(self) -> None:
        """Count down, and keep the reading fresh every 20 s."""
        if self.screen is None or self.model.visit.phase is not Phase.REVIEW:
            return
        await self.screen.show(self._view())
        await self.keep_fresh()

    async def acted(self, action: str) -> None:
        """SIGN, or BACK, which drops the proposal in the pump."""
        shell = self.model.shell
        assert shell is not None
        if action == "back":
            try:
                await self.app.bridge.call(shell.withdraw)
            except Exception as error:
                if not self.app.expected(error):
                    raise
                await self.app.trouble(error)
                return
            await self.app.go_home()
        elif action == "sign":
            await self.app.start_flow(SendFlow(self.app, self._signing(), self))

    def _signing(self) -> Signing:
        tx = self.model.visit.transaction
        assert tx is not None
        assert tx.read_back is not None
        new_ng = tx.read_back.program.dose_ng_per_day
        new, old = display.mcg_per_day(mcg(new_ng)), display.mcg_per_day(mcg(self.model.known.dose_ng_per_day))
        plan = self.judgement.plan_new
        return Signing(
            (f"{new} in place of {old}", "evenly, day and night"),
            f"SEND {display.number(mcg(new_ng), 1)}",
            dose.profile(self.model),
            new_ng,
            (
                f"The pump gives {new}.",
                f"The alarm sounds on {display.day(plan.alarm_nominal)}. {plan.low_sentence}",
                f"Refill by {display.day(plan.refill_by) if plan.refill_by else plan.not_computable}.",
            ),
        )
