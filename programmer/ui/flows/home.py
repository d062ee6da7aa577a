"""The home page of a visit, alarms, log, emergency card and help."""

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from programmer.audit.export import export_log
from programmer.audit.log import Draft
from programmer.audit.verify import verify_files
from programmer.ui.flows.base import Flow
from programmer.ui.flows.discrepancy import DiscrepancyFlow
from programmer.ui.flows.dose import DoseFlow
from programmer.ui.flows.enter import LOST, open_chart
from programmer.ui.flows.refill import RefillFlow
from programmer.ui.present import change, home
from programmer.ui.present.views import Line, Tone
from programmer.ui.present.wrap import said
from programmer.ui.screens.pages import AlarmsScreen, AuditScreen, PageScreen, StatusScreen
from programmer.visit.tablet import monotonic_ms
from protocol.messages import Alarm

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

AUDIT_ROWS = 12


class HomeFlow(Flow):
    """Status, and the way to everything else."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.screen: StatusScreen | None = None

    async def begin(self) -> None:
        """Show the last reading."""
        self.screen = StatusScreen(home.status(self.model))
        await self.app.show(self.screen)

    async def acted(self, action: str) -> None:
        """The eight buttons."""
        if action == "read":
            await self.read_again()
        elif action == "dose":
            await self.app.start_flow(DoseFlow(self.app))
        elif action == "refill":
            await self.app.start_flow(RefillFlow(self.app))
        elif action == "alarms":
            await self.app.start_flow(AlarmsFlow(self.app))
        elif action == "audit":
            await self.app.start_flow(AuditFlow(self.app))
        elif action == "emergency":
            await self.app.start_flow(CardFlow(self.app))
        elif action == "lock":
            await self.app.lock_curtain()
        elif action == "close":
            await self.app.ask_to_leave()

    async def read_again(self) -> None:
        """Interrogate the pump again; a lost link is said, and nothing old is shown as new."""
        assert self.screen is not None
        self.screen.say("Reading the pump ...")
        try:
            await reread(self)
        except Exception as error:
            if not self.app.expected(error):
                raise
            self.model.link = LOST
            self.screen.say(said(error))
            return
        await self.screen.show(home.status(self.model))
        self.screen.say("")


async def reread(flow: Flow) -> None:
    """A new reading of the same pump, over a new session or a new port where the last one ended."""
    shell = flow.model.shell
    assert shell is not None
    await flow.app.bridge.call(shell.read)
    await open_chart(flow)
    flow.model.link = "CONNECTED"


class AlarmsFlow(Flow):
    """Active alarms: acknowledge, pause the pump's sound."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.screen: AlarmsScreen | None = None

    async def begin(self) -> None:
        """Show the list."""
        self.screen = AlarmsScreen(home.alarms(self.model))
        await self.app.show(self.screen)

    async def acted(self, action: str) -> None:
        """ACKNOWLEDGE, PAUSE SOUND, BACK."""
        assert self.screen is not None
        if action == "back":
            await self.app.leave_page(self)
        elif action == "acknowledge":
            await self._acknowledge()
        elif action == "silence":
            await self._silence()
        elif action == "decide":
            await self.app.start_flow(DiscrepancyFlow(self.app))

    async def _acknowledge(self) -> None:
        log, user = self.model.tablet.log, self.model.signer
        patient = self.model.chart.ref if self.model.chart else None
        codes = self.model.alarm_codes()
        drafts = [Draft("alarm.acknowledged", {"code": code}, user, patient=patient) for code in codes]
        if drafts:
            await self.app.bridge.call(lambda: log.append(*drafts))
        if self.screen is not None:
            self.screen.say(f"Acknowledged by {user.user.name}. Every condition stays until it is gone.")

    async def _silence(self) -> None:
        shell, status = self.model.shell, self.model.known
        assert shell is not None
        assert self.screen is not None
        seconds = 0
        for alarm in Alarm:
            if status.alarms & alarm:
                seconds = await self.app.bridge.call(partial(shell.silence, int(alarm)))
        self.model.paused_until_ms = monotonic_ms() + seconds * 1_000
        await self.app.bridge.call(shell.read)
        await self.screen.show(home.alarms(self.model))
        self.screen.say(f"The pump's sound pauses {seconds} s and comes back by itself.")


class AuditFlow(Flow):
    """The newest entries of the log, and the verifier."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.screen: AuditScreen | None = None

    async def begin(self) -> None:
        """Show the newest entries."""
        await self._show(None)

    async def _show(self, word: Line | None) -> None:
        log = self.model.tablet.log

        def newest() -> tuple[list[object], int, bytes]:
            return list(islice(log.entries(max(0, log.size - AUDIT_ROWS)), AUDIT_ROWS)), log.size, log.root()

        entries, size, root = await self.app.bridge.call(newest)
        view = home.audit(entries, size, root, word)  # type: ignore[arg-type]  # entries of the log
        if self.screen is None:
            self.screen = AuditScreen(view)
            await self.app.show(self.screen)
        else:
            await self.screen.show(view)

    async def acted(self, action: str) -> None:
        """VERIFY, BACK."""
        if action == "back":
            await self.app.go_home()
        elif action == "verify":
            log = self.model.tablet.log
            found = await self.app.bridge.call(lambda: verify_files(export_log(log)))
            bad = [item for item in found if not item.notice]
            if bad:
                await self._show(Line(f"!!  {bad[0].code} at {bad[0].locus}: do not program", Tone.BAD))
            else:
                await self._show(Line("OK  every signature and hash holds; no witness has seen the end yet", Tone.OK))


CARD = (
    "TOO LITTLE  itch without rash, returning spasms, fever, fast pulse, confusion, seizures.",
    "TOO MUCH    drowsy, too loose, weakness moving up from the legs, slow breathing, coma.",
    "",
    "Airway first. Interrogate the pump: low, empty, stopped, stalled, other dose? MRI today?",
    "Too little: call the prescriber; restore by the therapy-gap rule; intensive care.",
    "Too much: stop or minimum rate by a prescriber; empty the reservoir, record the volume.",
    "Emergency number if there is trouble breathing or no waking.",
    "",
    "Follow the local protocol.",
)


class CardFlow(Flow):
    """The emergency card; it needs no link."""

    async def begin(self) -> None:
        """Show it."""
        lines = (*CARD, f"CALL  {self.model.tablet.clinic.on_call}")
        await self.app.show(PageScreen(change.notice("EMERGENCY CARD", lines, tone=Tone.BAD)))

    async def acted(self, action: str) -> None:
        """Back to where one was."""
        await self.app.leave_page(self)


HELP = (
    "Tab and Enter, or touch, reach everything. Esc goes back. F9 locks.",
    "F4 alarms   F7 emergency card   F8 table and curve   ctrl+q close the visit",
    "",
    "Number fields take digits and one point. What does not belong locks the field until ERASE or CLEAR.",
    "Nothing is rounded, cut or repaired. CHECK WITH PUMP stages and reads back; it changes no delivery.",
    "Only SEND changes the pump: with your secret, and by holding it or keying the value again.",
    "IN DOUBT means: the order was sent and no answer came. Read the pump; nothing else settles it.",
)


class HelpFlow(Flow):
    """Help in words."""

    async def begin(self) -> None:
        """Show it."""
        await self.app.show(PageScreen(change.notice("HELP", HELP)))

    async def acted(self, action: str) -> None:
        """Back to where one was."""
        await self.app.leave_page(self)
