"""The refill wizard: vial, withdrawn, compare, injected, write. Nothing here leads to a dose field."""

from fractions import Fraction
from typing import TYPE_CHECKING

from programmer.clinical import display
from programmer.clinical.plan import RefillPlan
from programmer.ui.flows.base import Flow
from programmer.ui.flows.lot import LotFlow
from programmer.ui.flows.send import SendFlow, Signing
from programmer.ui.messages import NumberKeyed
from programmer.ui.present import refill
from programmer.ui.screens.keyed import EntryScreen
from programmer.ui.screens.refill import RefillScreen
from programmer.visit.history import mcg, ml
from programmer.visit.logbook import RefillFacts
from programmer.visit.planning import RefillJudgement, judge_refill, propose_refill
from programmer.visit.tablet import monotonic_ms

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

NL_PER_ML = 1_000_000


class RefillFlow(Flow):
    """The wizard's facts live here; a step back keeps them."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.step = "vial"
        self.lot, self.expires, self.cause = "", "", ""
        self.judgement: RefillJudgement | None = None
        self.injected = Fraction(0)
        self.plan: RefillPlan | None = None
        self.facts: RefillFacts | None = None
        self.entry: EntryScreen | None = None

    async def begin(self) -> None:
        """Step 1."""
        await self._vial()

    async def resume(self) -> None:
        """Back from signing: the read-back again."""
        await self._write()

    async def _vial(self) -> None:
        self.step = "vial"
        await self.app.show(RefillScreen(refill.vial(self.model)))

    async def picked(self, tile: str) -> None:
        """A strength, or a cause."""
        if self.step == "vial":
            strength = refill.strengths(self.model)[int(tile[1:])]
            now = mcg(self.model.known.concentration_ng_per_ml)
            if strength != now:
                self.app.say(
                    f"The pump holds {display.mcg_per_ml(now)}. Another strength is a prescriber's change: "
                    "stop here, and call."
                )
                return
            self.step = "lot"
            await self.app.start_flow(LotFlow(self.app, self))
        elif self.step == "compare":
            self.cause = refill.CAUSES[int(tile[1:])]
            await self._compare()

    async def lot_known(self, lot: str, expires: str) -> None:
        """Lot and expiry were read, or could not be."""
        self.lot, self.expires = lot, expires
        self.app.flow = self
        await self._withdrawn()

    async def _withdrawn(self) -> None:
        self.step = "withdrawn"
        self.entry = EntryScreen(refill.withdrawn(self.model))
        await self.app.show(self.entry)

    async def number_keyed(self, message: NumberKeyed) -> None:
        """A volume was keyed."""
        assert message.result.base_value is not None
        volume = Fraction(message.result.base_value, NL_PER_ML)
        if self.step == "withdrawn":
            self.judgement = judge_refill(self.model.known, volume, self.model.profile, self.model.tablet.library)
            self.cause = ""
            await self._compare()
            return
        missing = [tile.title for tile in refill.CHECKS if tile.id not in message.checks]
        if missing and self.entry is not None:
            self.entry.number.reopen(0)
            self.entry.say(f'Tick "{missing[0]}" first, or stop injecting.')
            return
        self.injected = volume
        await self._check()

    async def _compare(self) -> None:
        self.step = "compare"
        assert self.judgement is not None
        await self.app.show(RefillScreen(refill.compare(self.judgement, self.cause)))

    async def _injected(self) -> None:
        self.step = "injected"
        self.entry = EntryScreen(refill.injected(self.model))
        await self.app.show(self.entry)

    async def _check(self) -> None:
        shell, user = self.model.shell, self.model.signer
        assert shell is not None
        assert self.judgement is not None
        assert self.entry is not None
        try:
            proposal, self.facts, self.plan = propose_refill(
                self.judgement,
                self.model.known,
                self.injected,
                self.model.profile,
                self.model.tablet.library,
                lot=self.lot,
                expires=self.expires,
                cause=self.cause,
            )
            self.entry.say("Checking with the pump ... nothing is put in force.")
            if shell.visit.stale(monotonic_ms()):
                await self.app.bridge.call(shell.read)
            await self.app.bridge.call(lambda: shell.propose(proposal))
            if not shell.visit.injected:
                await self.app.bridge.call(shell.injected)
            await self.app.bridge.call(lambda: shell.check(user))
        except Exception as error:
            if not self.app.expected(error):
                raise
            self.entry.number.reopen(0)
            await self.app.trouble(error)
            return
        await self._write()

    async def _write(self) -> None:
        self.step = "write"
        tx = self.model.visit.transaction
        assert tx is not None
        assert tx.read_back is not None
        assert self.plan is not None
        await self.app.show(RefillScreen(refill.write(self.model, tx.read_back, self.plan)))

    async def tick(self) -> None:
        """Keep the reading fresh while the pump holds the proposal."""
        if self.step == "write":
            await self.keep_fresh()

    async def acted(self, action: str) -> None:
        """BACK one step, GO ON, SIGN."""
        if action == "go":
            await self._injected()
        elif action == "sign":
            await self.app.start_flow(SendFlow(self.app, self._signing(), self))
        elif action == "back" and self.step == "write":
            shell = self.model.shell
            assert shell is not None
            await self.app.bridge.call(shell.withdraw)
            await self._injected()
        elif action == "back" and self.step == "compare":
            await self._withdrawn()
        elif action == "back":
            await self.app.go_home()

    async def entry_left(self, discarded: bool) -> None:
        """Esc in a number: one step back."""
        if self.step == "injected":
            await self._compare()
        else:
            await self._vial()

    def _signing(self) -> Signing:
        plan, facts, judgement = self.plan, self.facts, self.judgement
        assert plan is not None
        assert facts is not None
        assert judgement is not None
        volume = display.ml_syringe(self.injected)
        found = judgement.reconciliation
        verdict = found.klass.replace("_", " ")
        by = display.day(plan.refill_by) if plan.refill_by else str(plan.not_computable)
        return Signing(
            (
                f"{volume} now in the pump",
                f"withdrawn {display.ml_syringe(found.withdrawn_ml)}, {found.klass.replace('_', ' ')}",
                f"the dose stays {display.mcg_per_day(mcg(self.model.known.dose_ng_per_day))}",
            ),
            f"SEND {volume}",
            refill.rekey(ml(self.model.known.capacity_nl)),
            int(self.injected * NL_PER_ML),
            (
                f"Discrepancy {display.signed(found.discrepancy_ml, display.SYRINGE)}: {verdict}.",
                f"The alarm sounds on {display.day(plan.alarm_nominal)}. {plan.low_sentence}",
                f"Refill by {by}.",
            ),
            facts,
        )
