"""A complete follow-up played over the wire without a screen: what ``programmer demo --headless`` shows.

Every step states what must come out and fails where it does not. The pump is a process of its own, reached through
its wand like any other; only time, the fast pump and the cut wire come through the control channel.
"""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from programmer.audit.export import export_log, write_export
from programmer.audit.findings import NOTICES
from programmer.audit.verify import read_files, verify_files
from programmer.clinical import display
from programmer.qa import demo_clinic
from programmer.qa.pump_process import PumpProcess
from programmer.visit.consistency import alarm_reached
from programmer.visit.history import context, doses, mcg, ml
from programmer.visit.machine import NotNow, Phase, Word
from programmer.visit.planning import (
    DoseJudgement,
    ReasonMissing,
    Stopped,
    judge_dose,
    judge_refill,
    plan_of,
    propose_dose,
    propose_refill,
    sentence,
)
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import Tablet
from protocol.messages import Alarm, Discrepancy, Status

DAY = 86_400
FAST_PPM = 25_000
CUT_AFTER_BYTES = 20


class WrongOutcome(Exception):
    """A step did not come out as it should."""

    exit_code = 1


def demand(condition: bool, what: str) -> None:
    """Fail the demo with a sentence unless ``condition`` holds."""
    if not condition:
        raise WrongOutcome(f"The demo failed: {what}.")


class FollowUp:
    """The play: one tablet, one pump, two people."""

    def __init__(self, tablet: Tablet, pump: PumpProcess, say: Callable[[str], None]) -> None:
        self.tablet, self.pump, self.say = tablet, pump, say
        people = [tablet.identity.unlock(user.id, user.secret) for user in demo_clinic.USERS]
        self.doctor, self.nurse = people
        self.chart = tablet.charts(self.doctor)[0]
        self.step = 0

    def play(self) -> None:
        """All steps in their order."""
        self._title("Read the pump")
        shell = self._visit()
        status = self._read(shell)
        demand(status.dose_ng_per_day == 100_000, "the pump does not run 100 mcg/day")
        self._questioned(shell, status)
        self._applied(shell, status, Fraction(115))
        shell.leave()
        self._days(7)
        self._in_doubt()
        self._days(21)
        self._refilled()
        self._low_reservoir()
        self._verified()

    def _title(self, text: str) -> None:
        self.step += 1
        self.say(f"\n{self.step}. {text}")

    def _visit(self) -> VisitShell:
        shell = self.tablet.visit(self.pump.wand)
        shell.unlock_patient(self.chart.ref, self.chart.key, self.chart.kid)
        return shell

    def _days(self, days: int) -> None:
        self.pump.control.send("advance", days=days)
        self.say(f"\n   ... {days} days pass ...")

    def _read(self, shell: VisitShell) -> Status:
        status = shell.read()
        flow = ml(status.flow_nl_per_day)
        profile = self.tablet.profile_of(status)
        plan = plan_of(status, flow, profile, self.tablet.library)
        self.say(
            f"   {display.mcg_per_day(mcg(status.dose_ng_per_day))} at {display.ml_per_day(flow)}; "
            f"reservoir {display.ml_syringe(ml(status.reservoir_nl))}, computed; "
            f"alarms: {', '.join(str(item.name) for item in Alarm if status.alarms & item) or 'none'}"
        )
        if alarm_reached(status):
            self.say("   The computed volume is at or below the alarm volume: the alarm sounds now.")
        else:
            self.say(f"   Alarm sounds on {display.day(plan.alarm_nominal)}. {plan.low_sentence}")
        return status

    def _judge(self, status: Status, dose: Fraction) -> DoseJudgement:
        history = doses(self.tablet.store.dose_history(self.chart.ref), status)
        chart = self.chart.chart
        judged = context(
            status, history, chart.population, chart.phase, self.tablet.profile_of(status), self.tablet.library
        )
        return judge_dose(judged, status, dose)

    def _questioned(self, shell: VisitShell, status: Status) -> None:
        self._title(f"{self.doctor.user.name} keys 120 mcg/day, then 1,150 mcg/day")
        judgement = self._judge(status, Fraction(120))
        try:
            propose_dose(judgement, status, self.tablet.library, {})
        except ReasonMissing as question:
            demand("STEP_ABOVE_BAND" in {item.code for item in question.findings}, "120 mcg/day is not questioned")
            self.say(f"   QUESTIONED  {judgement.soft[0].sentence}")
        else:
            demand(False, "120 mcg/day is not questioned")
        judgement = self._judge(status, Fraction(1150))
        try:
            propose_dose(judgement, status, self.tablet.library, {})
        except Stopped:
            self.say(f"   REFUSED     {judgement.hard[0].sentence}")
        else:
            demand(False, "1,150 mcg/day is not refused")
        demand(shell.visit.transaction is None, "a questioned dose reached the pump")
        self.say("   Nothing was sent to the pump.")

    def _applied(self, shell: VisitShell, status: Status, dose: Fraction) -> None:
        self._title(f"{self.doctor.user.name} changes to {display.mcg_per_day(dose)}")
        shell.propose(propose_dose(self._judge(status, dose), status, self.tablet.library, {}))
        shell.check(self.doctor)
        report = shell.visit.transaction.read_back if shell.visit.transaction else None
        assert report is not None
        self.say(
            f"   The pump reads back {display.mcg_per_day(mcg(report.program.dose_ng_per_day))} and still runs "
            f"{display.mcg_per_day(mcg(status.dose_ng_per_day))}."
        )
        self.say(f"   {sentence(report, status)}")
        shell.sign_and_send(self.doctor)
        demand(shell.visit.word is Word.APPLIED, "the order was not applied")
        self.say(f"   {Word.APPLIED.value}  signed by {self.doctor.user.name}, receipt of the pump verified.")
        after = self._read(shell)
        demand(shell.visit.phase is Phase.VERIFIED, "the change is not verified")
        demand(mcg(after.dose_ng_per_day) == dose, "the pump runs another dose")

    def _in_doubt(self) -> None:
        self._title("The wire is cut while the pump answers the order for 125 mcg/day")
        shell = self._visit()
        status = self._read(shell)
        shell.propose(propose_dose(self._judge(status, Fraction(125)), status, self.tablet.library, {}))
        shell.check(self.doctor)
        self.pump.control.send("fault", id="F-L02", when="rx:COMMITTED", byte=CUT_AFTER_BYTES)
        shell.sign_and_send(self.doctor)
        demand(shell.visit.word is Word.IN_DOUBT, "a lost answer was not called in doubt")
        self.say(
            f"   {Word.IN_DOUBT.value}  The order was sent; the answer did not arrive. The pump gives EITHER "
            "115 mcg/day OR 125 mcg/day."
        )
        try:
            shell.leave()
        except NotNow as locked:
            self.say(f"   LOCKED    {locked}")
        else:
            demand(False, "a visit in doubt could be closed")
        self.pump.control.send("clear")
        after = self._read(shell)
        demand(
            shell.visit.word is Word.APPLIED and after.dose_ng_per_day == 125_000, "reading did not settle the doubt"
        )
        self.say(f"   {Word.APPLIED.value}  Reading the pump settled it: 125 mcg/day has been given all the time.")
        shell.leave()

    def _refilled(self) -> None:
        self._title(f"{self.nurse.user.name} refills with 20 mL")
        shell = self._visit()
        status = self._read(shell)
        profile, library = self.tablet.profile_of(status), self.tablet.library
        truth = self.pump.control.send("status")
        withdrawn = Fraction(int(truth["true_reservoir_nl"]) // 100_000, 10)
        self.pump.control.send("needle", withdraw_nl=None, inject_nl=20_000_000)
        judgement = judge_refill(status, withdrawn, profile, library)
        found = judgement.reconciliation
        self.say(
            f"   Expected {display.ml_syringe(judgement.expected)}, withdrawn {display.ml_syringe(withdrawn)}: "
            f"ratio {display.number(found.ratio or Fraction(0), 3)}, {found.klass.upper()}. {found.advice}"
        )
        demand(found.klass == "within", "the refill is not within the limits")
        proposal, facts, plan = propose_refill(
            judgement, status, Fraction(20), profile, library, lot="DEMO-1", expires="2027-12-31"
        )
        shell.propose(proposal)
        shell.injected()
        shell.check(self.nurse)
        shell.sign_and_send(self.nurse, facts)
        demand(shell.visit.word is Word.APPLIED, "the refill was not written")
        after = self._read(shell)
        demand(shell.visit.phase is Phase.VERIFIED, "the refill is not verified")
        demand(after.program == status.program, "the refill changed the program")
        demand(after.discrepancy is Discrepancy.NONE, "a discrepancy was recorded")
        by = display.day(plan.refill_by) if plan.refill_by else plan.not_computable
        self.say(f"   {Word.APPLIED.value}  Refill by {by}. The program is unchanged.")
        shell.leave()

    def _low_reservoir(self) -> None:
        self._title("Nobody comes for the refill: the low-reservoir alarm")
        self._days(73)
        shell = self._visit()
        status = self._read(shell)
        demand(bool(status.alarms & Alarm.LOW_RESERVOIR), "the low-reservoir alarm does not sound")
        seconds = shell.silence(Alarm.LOW_RESERVOIR)
        self.say(f"   ** MEDIUM  LOW_RESERVOIR  Refill today or tomorrow. The pump's sound pauses {seconds} s.")
        again = shell.read()
        demand(bool(again.alarms & Alarm.LOW_RESERVOIR), "silencing cleared the alarm's condition")
        shell.leave()

    def _verified(self) -> None:
        self._title("The signed log is exported and verified")
        with TemporaryDirectory() as folder:
            place = Path(folder) / "log"
            write_export(place, export_log(self.tablet.log))
            findings = [item for item in verify_files(read_files(place)) if item.code not in NOTICES]
        demand(not findings, f"the log has findings: {findings[:1]}")
        self.say(
            f"   {self.tablet.log.size} entries, every signature and hash holds. Nothing is missing inside; that "
            "nothing is\n   missing at the end only a witness can show."
        )


def play(data: Path, state: Path, say: Callable[[str], None]) -> None:
    """Make a demo clinic in ``data``, start its pump and play; raises ``WrongOutcome`` or the fault itself."""
    demo_clinic.create(data, state)
    pump = PumpProcess.start(demo_clinic.provision_path(data), demo_clinic.state_path(data))
    with pump, Tablet.open(data, state) as tablet:
        pump.control.send("advance", days=demo_clinic.DAYS_SINCE_FILL)
        pump.control.send("fault", id="F-M05", gain_ppm=FAST_PPM)
        say(f"Pump {pump.serial} at {pump.wand}, a process of its own. The virtual pump runs 2.5 % fast.")
        FollowUp(tablet, pump, say).play()
