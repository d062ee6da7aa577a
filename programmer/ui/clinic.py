"""The application with its services: routes what screens post to the flow in front, keeps time, lock and faults."""

import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from rich.text import Text
from textual.events import Event, Key, MouseDown

from programmer.audit.log import Draft, LogError
from programmer.clinical.files import DataFileError
from programmer.clinical.refusals import CalculationRefused
from programmer.identity.keyfile import KeyFileError
from programmer.ui.app import ProgrammerApp
from programmer.ui.bridge import Bridge
from programmer.ui.flows.base import Flow
from programmer.ui.flows.enter import LOST, ConnectFlow, DoubtFlow, LeaveFlow, UnlockFlow, waiting
from programmer.ui.flows.home import AlarmsFlow, CardFlow, HelpFlow, HomeFlow
from programmer.ui.flows.send import SendFlow
from programmer.ui.messages import (
    Acted,
    DraftChanged,
    EntryLeft,
    GlobalKey,
    LeaveAsked,
    LockAsked,
    NumberKeyed,
    Picked,
    SendAsked,
    UnlockAsked,
)
from programmer.ui.model import Model
from programmer.ui.present import change
from programmer.ui.present.frame import frame
from programmer.ui.present.views import ActionView, PageView, Tone
from programmer.ui.present.wrap import said
from programmer.ui.screens.base import FrameScreen
from programmer.ui.screens.pages import PageScreen
from programmer.visit.crash import report
from programmer.visit.logbook import Subject, change_dropped
from programmer.visit.machine import Leaving, NotNow, Phase, lock
from programmer.visit.tablet import monotonic_ms
from protocol.events import EndReason
from protocol.wand import Coupling

CURTAIN_MS = 180_000
DISCARD_MS = 600_000
ORDERLY_END_S = 5


class NoticeFlow(Flow):
    """A page with something to say; its buttons lead on by name."""

    def __init__(self, app: "ClinicApp", page: PageView, ways: dict[str, Flow | None]) -> None:
        super().__init__(app)
        self.page, self.ways = page, ways

    async def begin(self) -> None:
        """Show it."""
        await self.app.show(PageScreen(self.page))

    async def acted(self, action: str) -> None:
        """Go where the button leads; home by default."""
        way = self.ways.get(action)
        if way is None:
            await self.app.go_home()
        else:
            await self.app.start_flow(way)


class ClinicApp(ProgrammerApp):
    """The tablet."""

    def __init__(self, model: Model, *, theme: str = "clinic-light", reduced_motion: bool = False) -> None:
        super().__init__(theme=theme, reduced_motion=reduced_motion)
        self.model = model
        self.bridge = Bridge()
        self.flow: Flow | None = None
        self.curtain: UnlockFlow | None = None
        self.overlay: Flow | None = None
        self.touched_ms = monotonic_ms()
        self.left_by = ""
        self._busy = False

    async def on_mount(self) -> None:
        """Begin locked."""
        await self.start_flow(UnlockFlow(self))
        self.set_interval(1.0, self._second)

    # -- showing ----------------------------------------------------------------------------------------------------

    async def show(self, screen: FrameScreen, *, curtain: bool = False) -> None:
        """Put a screen in front; all but a curtain take the place of the one before."""
        self.frame = frame(self.model)
        over = curtain or (self.overlay is not None and self.curtain is None)
        while len(self.screen_stack) > 2:
            await self.pop_screen()
        if len(self.screen_stack) == 1 or over:
            await self.push_screen(screen)
        else:
            await self.switch_screen(screen)

    def say(self, text: str) -> None:
        """A sentence above the footer of the screen in front."""
        if isinstance(self.screen, FrameScreen):
            self.screen.say(text)

    async def start_flow(self, flow: Flow) -> None:
        """Let another flow take over."""
        self.overlay = None
        self.flow = flow
        await flow.begin()

    async def go_home(self) -> None:
        """The status page; what is unfinished stands before it."""
        if self.model.user is None:
            await self.lock_out()
        elif self.model.visit.reading is None:
            await self.start_flow(ConnectFlow(self))
        elif waiting(self.model):
            await self.start_doubt()
        else:
            await self.start_flow(HomeFlow(self))

    async def start_doubt(self) -> None:
        """The page on which only reading the pump leads on."""
        await self.start_flow(DoubtFlow(self))

    async def trouble(self, error: Exception) -> None:
        """Say what an expected fault means, and lead to the only safe page."""
        if waiting(self.model):
            self.model.link = LOST
            flow = DoubtFlow(self)
            await self.start_flow(flow)
            self.say(said(error))
        else:
            actions = (ActionView("back", "GO ON"),)
            await self.start_flow(NoticeFlow(self, change.notice("NOT DONE", [said(error)], actions, Tone.NOTE), {}))

    # -- routing ----------------------------------------------------------------------------------------------------

    @property
    def front(self) -> Flow | None:
        """The flow that answers now."""
        return self.curtain or self.overlay or self.flow

    def run_flow(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a flow's answer beside the event loop; one at a time, a second one meanwhile is told to wait."""
        if self._busy:
            work.close()
            self.say("Wait: the last step is still being done.")
            return
        self._busy = True
        self.run_worker(self._guarded(work), exit_on_error=False, exclusive=False)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            await self._failed(error)
        finally:
            self._busy = False
            self.set_frame(frame(self.model))

    async def _failed(self, error: Exception) -> None:
        """A fault of the world is said; a fault of the program leaves a report without values."""
        if self.expected(error):
            await self.trouble(error)
            return
        page = change.notice(
            "INTERNAL FAULT",
            [f"The report is in {report(error)}.", "If an order was being sent, read the pump now."],
            (ActionView("back", "GO ON"),),
            Tone.BAD,
        )
        await self.start_flow(NoticeFlow(self, page, {}))

    def _fatal_error(self) -> None:
        """Textual's last resort shows every local variable; ours shows where the report without values lies."""
        error = sys.exc_info()[1]
        if error is not None:
            self._exit_renderables.append(Text(f"Internal fault; the report is in {report(error)}."))
        self._close_messages_no_wait()

    @staticmethod
    def expected(error: Exception) -> bool:
        """Whether an exception is a fault of the world with a sentence, not of the program."""
        if isinstance(error, NotNow | LogError | KeyFileError | DataFileError | CalculationRefused):
            return True
        return getattr(error, "exit_code", None) is not None

    def on_acted(self, message: Acted) -> None:
        """A button."""
        if self.front is not None:
            self.run_flow(self.front.acted(message.action))

    def on_picked(self, message: Picked) -> None:
        """A tile."""
        if self.front is not None:
            self.run_flow(self.front.picked(message.tile))

    async def on_draft_changed(self, message: DraftChanged) -> None:
        """Live lines; pure and quick, so at once."""
        if self.front is not None:
            await self.front.draft_changed(message)

    def on_number_keyed(self, message: NumberKeyed) -> None:
        """A number was confirmed."""
        if self.front is not None:
            self.run_flow(self.front.number_keyed(message))

    def on_entry_left(self, message: EntryLeft) -> None:
        """A number field was left."""
        if self.front is not None:
            self.run_flow(self.front.entry_left(message.discarded))

    def on_send_asked(self, message: SendAsked) -> None:
        """Sign and send."""
        if self.front is not None:
            self.run_flow(self.front.send_asked(message))

    def on_unlock_asked(self, message: UnlockAsked) -> None:
        """Unlock."""
        if self.front is not None:
            self.run_flow(self.front.unlock_asked(message))

    def on_lock_asked(self, _: LockAsked) -> None:
        """F9."""
        if self.model.user is not None and self.curtain is None and not self._sending:
            self.run_flow(self.lock_curtain())

    def on_leave_asked(self, _: LeaveAsked) -> None:
        """ctrl+q, ctrl+c."""
        self.run_flow(self.ask_to_leave())

    def on_global_key(self, message: GlobalKey) -> None:
        """Function keys that no screen keeps for itself; none while a change is under way."""
        ways = {"f1": HelpFlow, "f4": AlarmsFlow, "f7": CardFlow}
        flow = ways.get(message.key)
        if flow is None or self.curtain is not None or self.overlay is not None or self._sending:
            return
        if flow is AlarmsFlow and self.model.status is None:
            self.say("No pump was read yet: its alarms are not known.")
            return
        self.run_flow(self._lay_over(flow(self)))

    async def _lay_over(self, flow: Flow) -> None:
        """A page over the step that is under way, which goes on unchanged below it."""
        self.overlay = flow
        await flow.begin()

    async def leave_page(self, flow: Flow) -> None:
        """Back from a page to the step below it, or home."""
        if flow is self.overlay:
            self.overlay = None
            await self.pop_screen()
        else:
            await self.go_home()

    # -- lock and leave -----------------------------------------------------------------------------------------------

    @property
    def _sending(self) -> bool:
        return isinstance(self.flow, SendFlow) and self.flow.keeps_unlocked

    async def lock_curtain(self) -> None:
        """Hide everything until somebody unlocks; the visit goes on behind it."""
        if self.flow is None:
            return
        tablet = self.model.tablet
        await self.bridge.call(
            lambda: tablet.log.append(Draft("session.locked", {"cause": "screen locked"}, tablet.identity.device))
        )
        self.overlay = None
        self.left_by = self.model.signer.user.id
        self.model.user = None
        self.curtain = UnlockFlow(self, self.flow)
        await self.curtain.begin()

    async def lift_curtain(self, behind: Flow) -> None:
        """Somebody unlocked: the visit is in front again."""
        self.curtain = None
        await self.pop_screen()
        if self.model.signer.user.id != self.left_by:
            await self._hand_over()
        elif monotonic_ms() - self.touched_ms >= DISCARD_MS:
            await self._hand_over()
            self.say("Ten minutes passed: the entry was discarded.")
        elif isinstance(behind, HomeFlow):
            await behind.begin()

    async def _hand_over(self) -> None:
        """What another person was entering is not theirs: a staged proposal is dropped, an entry discarded."""
        shell = self.model.shell
        if shell is not None and shell.visit.phase is Phase.REVIEW:
            await self.bridge.call(shell.withdraw)
        await self.go_home()

    async def lock_out(self) -> None:
        """Back to the first page; only possible where the visit's lock is open."""
        await self.close_visit()
        if self.model.user is not None:
            log, user = self.model.tablet.log, self.model.user
            await self.bridge.call(lambda: log.append(Draft("session.closed", {"cause": "visit closed"}, user)))
        self.model.user = None
        await self.start_flow(UnlockFlow(self))

    async def ask_to_leave(self) -> None:
        """Close the visit as far as its lock allows; from the first page this ends the program."""
        row = lock(self.model.visit)
        if self._sending:
            self.say("Wait: the order is being sent. It ends by itself.")
        elif self.curtain is not None:
            self.say("A visit is open behind this lock: unlock first.")
        elif row.leaving in (Leaving.REFUSED, Leaving.DROP_FIRST):
            self.say(row.way_on)
        elif self.model.user is None:
            await self.end()
        elif row.leaving is Leaving.SIGNED or waiting(self.model):
            await self.start_flow(LeaveFlow(self, self.flow or DoubtFlow(self)))
        elif isinstance(self.flow, ConnectFlow):
            await self.end()
        else:
            await self.lock_out()

    async def leave_signed(self, reason: str) -> None:
        """Leave what is unfinished, with a reason signed by the person here."""
        shell, user, tablet = self.model.shell, self.model.signer, self.model.tablet
        if shell is not None and lock(shell.visit).leaving is Leaving.SIGNED:
            await self.bridge.call(lambda: shell.leave(user, reason))
        else:
            items = waiting(self.model)

            def sign() -> None:
                charts = {item.patient: tablet.chart(item.patient, user) for item in items}
                subjects = {ref: Subject(ref, "", chart.key, chart.kid) for ref, chart in charts.items()}
                tablet.log.append(
                    *(
                        change_dropped(user, subjects[item.patient], item.transaction.txid.hex(), "left open", reason)
                        for item in items
                    )
                )

            await self.bridge.call(sign)
            if shell is not None:
                await self.bridge.call(shell.hang_up)
        self.model.shell = None
        await self._forget()
        self.model.user = None
        await self.start_flow(UnlockFlow(self))

    async def close_visit(self) -> None:
        """End the visit with the pump. Raises ``NotNow`` where the lock holds."""
        shell = self.model.shell
        if shell is not None:
            await self.bridge.call(shell.leave)
        self.model.shell = None
        await self._forget()

    async def _forget(self) -> None:
        self.model.chart = None
        self.model.identified = False
        self.model.coupling = None
        self.model.link = "NOT CONNECTED"
        self.model.port = ""

    async def end(self) -> None:
        """Give everything back and end."""
        self.model.tablet.give_up()
        shell = self.model.shell
        if shell is not None:
            await self.bridge.call(shell.hang_up)
        self.bridge.close()
        self.exit(0)

    # -- time and line ------------------------------------------------------------------------------------------------

    async def on_event(self, event: Event) -> None:
        """Notice that somebody is there."""
        if isinstance(event, Key | MouseDown) and self.curtain is None:
            self.touched_ms = monotonic_ms()
        await super().on_event(event)

    async def _second(self) -> None:
        """Ages, countdowns, idle lock."""
        self.set_frame(frame(self.model))
        idle = monotonic_ms() - self.touched_ms
        if self.model.user is not None and self.curtain is None and idle >= CURTAIN_MS and not self._sending:
            self.run_flow(self.lock_curtain())
        elif self.flow is not None and self.curtain is None and not self._busy:
            try:
                await self.flow.tick()
            except Exception as error:
                await self._failed(error)

    def link_notice(self, event: Coupling | EndReason) -> None:
        """The wand's coupling, or the end of a session, from the I/O thread by way of the event loop."""
        if isinstance(event, Coupling):
            self.model.coupling = event.strength
        else:
            self.model.coupling = None
            self.model.link = LOST if event is not EndReason.CLOSED else "NOT CONNECTED"

    def passed(self, point: str) -> None:
        """The visit passed a point, in its own thread."""
        flow = self.flow
        if isinstance(flow, SendFlow):
            at = datetime.now(UTC).strftime("%H:%M:%S")
            self.call_from_thread(flow.note, point, at)  # type: ignore[arg-type]  # awaited by Textual
