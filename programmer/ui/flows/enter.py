"""From the locked screen to a read pump: unlock, connect, identity, and what is unfinished before all of it."""

from typing import TYPE_CHECKING

from drivers.discovery import list_ports
from programmer.audit.log import Draft
from programmer.ui.flows.base import Flow
from programmer.ui.messages import UnlockAsked
from programmer.ui.model import Model
from programmer.ui.present import change, home
from programmer.ui.present.views import ActionView, Tone
from programmer.ui.present.wrap import said
from programmer.ui.screens.pages import PageScreen, PickScreen
from programmer.ui.screens.unlock import UnlockScreen
from programmer.visit import logbook
from programmer.visit.machine import Phase, Visit, Word
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import Tablet
from programmer.visit.unfinished import NotWritten, Unfinished, not_written, unfinished
from protocol.events import EndReason
from protocol.wand import Coupling

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp

CONNECTED, LOST = "CONNECTED", "NO LINK"


def waiting(model: Model) -> list[Unfinished]:
    """Changes of any pump whose end is not known; not the one that is just being made."""
    if model.shell is not None:
        return model.shell.unfinished
    return unfinished(model.tablet.journal.records())


def unwritten(tablet: Tablet) -> list[NotWritten]:
    """Pumps into which drug was injected and whose memory does not hold it yet."""
    return not_written(tablet.journal.records())


class UnlockFlow(Flow):
    """Who are you. ``behind`` is the flow that goes on afterwards, when the screen was only locked."""

    def __init__(self, app: "ClinicApp", behind: Flow | None = None) -> None:
        super().__init__(app)
        self.behind = behind
        self.screen: UnlockScreen | None = None

    async def begin(self) -> None:
        """Show the users; nobody is preselected."""
        self.screen = UnlockScreen(home.unlock(self.model, waiting(self.model), unwritten(self.model.tablet)))
        await self.app.show(self.screen, curtain=self.behind is not None)

    async def unlock_asked(self, message: UnlockAsked) -> None:
        """Open the key; a wrong secret is counted and said."""
        assert self.screen is not None
        identity, log = self.model.tablet.identity, self.model.tablet.log
        try:
            user = await self.app.bridge.call(lambda: identity.unlock(message.user, message.secret))
        except Exception as error:
            if not self.app.expected(error):
                raise
            failed = logbook.auth_failed(identity.device, message.user, identity.attempts(message.user).wrong)
            await self.app.bridge.call(lambda: log.append(failed))
            self.screen.show_word(said(error))
            return
        self.model.user = user
        await self.app.bridge.call(lambda: log.append(Draft("session.opened", {"factors": ["secret"]}, user)))
        await self._open_chart()
        if self.behind is not None:
            await self.app.lift_curtain(self.behind)
        elif waiting(self.model):
            await self.app.start_flow(DoubtFlow(self.app))
        else:
            await self.app.start_flow(ConnectFlow(self.app))

    async def _open_chart(self) -> None:
        """A visit that goes on under another person needs the chart opened with their key."""
        chart, user, shell = self.model.chart, self.model.signer, self.model.shell
        if chart is not None and shell is not None:
            ref = chart.ref
            opened = await self.app.bridge.call(lambda: self.model.tablet.chart(ref, user))
            self.model.chart = opened
            shell.unlock_patient(opened.ref, opened.key, opened.kid)


class ConnectFlow(Flow):
    """Pick a port, read the pump, compare the patient. ``then`` is what follows; home when there is nothing."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.screen: PickScreen | None = None
        self.virtual: list[str] = []
        self.real: list[tuple[str, str]] = []

    async def begin(self) -> None:
        """Show the ports."""
        await self._show("")

    async def _scan(self) -> None:
        self.virtual = list(self.model.ports) if self.model.tablet.simulated else []
        found = await self.app.bridge.call(list_ports)
        self.real = [] if self.model.tablet.simulated else [(port.url, port.label) for port in found]

    async def _show(self, problem: str, busy: str = "") -> None:
        await self._scan()
        view = home.connect(self.virtual, self.real, problem, busy)
        if self.screen is None:
            self.screen = PickScreen(view)
            await self.app.show(self.screen)
        else:
            await self.screen.show(view)

    async def acted(self, action: str) -> None:
        """RESCAN, BACK, and the answer to the identity question."""
        if action == "rescan":
            await self._show("")
        elif action == "back":
            await self.app.lock_out()
        elif action == "same":
            self.model.identified = True
            await self.app.go_home()
        elif action == "other":
            await self.app.close_visit()
            await self._show("Not the same patient: nothing was done. Take the chart of the patient in the room.")

    async def picked(self, tile: str) -> None:
        """Connect over the picked port and read."""
        number = int(tile[1:])
        self.model.port = self.virtual[number] if tile[0] == "v" else self.real[number][0]
        self.model.tablet.choose_port()
        if self.screen is not None:
            self.screen.say("Reading the pump ...")
        try:
            await self.read()
        except Exception as error:
            if not self.app.expected(error):
                raise
            self.model.link = LOST
            self.screen = None
            await self.app.close_visit()
            await self._show(said(error))
            return
        self.screen = PickScreen(home.identity(self.model))
        await self.app.show(self.screen)

    async def read(self) -> None:
        """Open a visit over the chosen port and interrogate the pump."""
        await open_visit(self)
        await self.app.bridge.call(self.model.shell.read if self.model.shell else lambda: None)
        self.model.link = CONNECTED
        await open_chart(self)


async def open_visit(flow: Flow) -> VisitShell:
    """A visit over the port of the model; an earlier one gives its port back first."""
    model, app = flow.model, flow.app
    old = model.shell
    if old is not None:
        await app.bridge.call(old.hang_up)

    def notice(event: Coupling | EndReason) -> None:
        app.call_from_thread(app.link_notice, event)

    model.shell = await app.bridge.call(lambda: model.tablet.visit(model.port, notice=notice, probe=app.passed))
    return model.shell


async def open_chart(flow: Flow) -> None:
    """The chart of the patient whose pump answered, and the wand's clock."""
    model = flow.model
    shell = model.shell
    assert shell is not None
    assert shell.opened is not None
    assert shell.subject is not None
    ref, user = shell.subject.patient, model.signer
    chart = await flow.app.bridge.call(lambda: model.tablet.chart(ref, user))
    model.chart = chart
    model.tablet.follow(shell.opened.wand.simulated_time_s)
    shell.unlock_patient(chart.ref, chart.key, chart.kid)


class DoubtFlow(Flow):
    """Something is unfinished: it stands first, and only reading the pump leads on."""

    def __init__(self, app: "ClinicApp") -> None:
        super().__init__(app)
        self.screen: PageScreen | None = None

    async def begin(self) -> None:
        """Show what is open."""
        await self._show("")

    async def _show(self, problem: str) -> None:
        items = waiting(self.model)
        self.screen = PageScreen(change.doubt(items, problem, self.model.user is not None))
        await self.app.show(self.screen)

    async def acted(self, action: str) -> None:
        """READ THE PUMP, LEAVE SIGNED, and going on afterwards."""
        if action == "read":
            await self._read()
        elif action == "leave":
            await self.app.start_flow(LeaveFlow(self.app, self))
        elif action == "home":
            await self.app.start_flow(IdentityFlow(self.app))

    async def _read(self) -> None:
        before = waiting(self.model)
        if not self.model.port:
            if not self.model.ports:
                await self.app.start_flow(ConnectFlow(self.app))
                return
            self.model.port = self.model.ports[0]
        if self.screen is not None:
            self.screen.say("Reading the pump ...")
        try:
            if self.model.shell is None:
                await open_visit(self)
            assert self.model.shell is not None
            await self.app.bridge.call(self.model.shell.read)
            self.model.link = CONNECTED
            await open_chart(self)
        except Exception as error:
            if not self.app.expected(error):
                raise
            self.model.link = LOST
            await self._show(said(error))
            return
        if self.model.visit.phase is Phase.UNRESOLVED:
            from programmer.ui.flows.settle import SettleFlow

            await self.app.start_flow(SettleFlow(self.app))
            return
        word = self.model.visit.word
        if word is None and before:  # the start finished it from the journal, perhaps of another pump
            word = Visit(transaction=before[-1].transaction).word
        open_still = {item.transaction.txid for item in waiting(self.model)}
        if any(item.transaction.txid in open_still for item in before):
            await self._show("This pump was read, and the change is still open: it belongs to another pump.")
            return
        page = change.settled(word or Word.NOT_APPLIED, self._told(word))
        self.screen = PageScreen(page)
        await self.app.show(self.screen)

    def _told(self, word: Word | None) -> list[str]:
        dose = home.running_dose(self.model)
        if word is Word.APPLIED:
            return [f"The order was carried out. The pump runs {dose}.", "It stands in the signed log as applied."]
        return [
            f"The order was not carried out and never will be. The pump runs {dose}.",
            "It stands in the signed log as not applied.",
        ]


class IdentityFlow(Flow):
    """Compare the patient with the chart before anything is written."""

    async def begin(self) -> None:
        """Ask."""
        await self.app.show(PickScreen(home.identity(self.model)))

    async def acted(self, action: str) -> None:
        """The answer."""
        if action == "same":
            self.model.identified = True
            await self.app.go_home()
        elif action == "other":
            await self.app.close_visit()
            await self.app.start_flow(ConnectFlow(self.app))


REASONS = ("a colleague will read the pump", "pump replaced or patient moved", "link cannot be made now")


class LeaveFlow(Flow):
    """Leaving what the lock holds: a reason, signed; it stays first at every start."""

    def __init__(self, app: "ClinicApp", behind: Flow) -> None:
        super().__init__(app)
        self.behind = behind

    async def begin(self) -> None:
        """Ask for the reason."""
        actions = [ActionView(f"r{n}", text.upper()) for n, text in enumerate(REASONS)]
        page = change.notice(
            "LEAVE UNFINISHED: why?",
            ["The reason is signed with your key. The change stays open and is shown first at the next start."],
            (*actions, ActionView("back", "BACK  Esc")),
            Tone.NOTE,
        )
        await self.app.show(PageScreen(page))

    async def acted(self, action: str) -> None:
        """Sign the reason, or go back."""
        if action == "back":
            await self.app.start_flow(self.behind)
            return
        reason = REASONS[int(action[1:])]
        await self.app.leave_signed(reason)
