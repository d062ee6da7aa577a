"""What a person does on a tablet, step by step, through the same visit as the screens use.

A refusal is no fault of the runner: it is noted with its code, and the next expectation must name it.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from drivers.errors import PortError
from programmer.clinical.alarms import ALARMS
from programmer.qa.quantities import exact
from programmer.qa.scenario import PEOPLE, Act, Decision, EmergencyUse, Refill, Stage
from programmer.qa.world import NAME_OF, Clinic
from programmer.qa.world_pump import WorldPump
from programmer.qa.world_tablet import WorldTablet
from programmer.visit.consistency import contradictions
from programmer.visit.desk import (
    NoCredential,
    NotAllowed,
    NotSaved,
    NotVouched,
    NotYours,
    ProposalGone,
    PumpRefused,
    ReadBackDiffers,
    SecondPersonNeeded,
    StaleReading,
)
from programmer.visit.emergency import WITHDRAWAL, ActRefused, EmergencyVisit, OddAnswer, Operator
from programmer.visit.history import context, doses, mcg, ml
from programmer.visit.line import LineFault
from programmer.visit.logbook import alarm_names
from programmer.visit.machine import NotNow, lock
from programmer.visit.planning import (
    AboveCapacity,
    CauseMissing,
    NotExact,
    NothingToChange,
    ReasonMissing,
    Stopped,
    judge_dose,
    judge_refill,
    plan_of,
    propose_dose,
    propose_refill,
    sentence,
)
from protocol.errors import ProtocolError
from protocol.messages import Alarm, EmergencyAct, Status

SYRINGE_NL = 100_000
"""A syringe is read to 0.1 mL."""

REFUSALS: tuple[type[Exception], ...] = (
    Stopped, ReasonMissing, NothingToChange, NotExact, CauseMissing, AboveCapacity, NotNow, NotAllowed, NotSaved,
    NotVouched, NotYours, ProposalGone, PumpRefused, ReadBackDiffers, SecondPersonNeeded, StaleReading, NoCredential,
    ActRefused, OddAnswer, LineFault, PortError, ProtocolError,
)  # fmt: skip


class ActImpossible(Exception):
    """The scenario asks for something that cannot be done at this point; correct the scenario."""

    exit_code = 1


def code_of(error: Exception) -> tuple[str, ...]:
    """The codes of a refusal: of the findings, of the pump, of the visit's phase, or the name of its kind."""
    match error:
        case Stopped():
            return tuple(item.code for item in error.findings if item.severity == "hard")
        case ReasonMissing():
            return tuple(item.code for item in error.findings)
        case PumpRefused():
            return error.reasons
        case ActRefused():
            return tuple(item.name for item in error.reasons)
        case NotVouched():
            return (error.verdict.value,)
        case NotNow():
            return (error.phase.name,)
        case _:
            return (re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).upper(),)


def side_of(error: Exception) -> str:
    """Who refused: the pump, the line, or the tablet."""
    if isinstance(error, PumpRefused | ActRefused):
        return "pump"
    return "line" if isinstance(error, LineFault | PortError | ProtocolError) else "tablet"


class Actors:
    """The people of a scenario, with a tablet each time."""

    def __init__(self, clinic: Clinic, pump: WorldPump) -> None:
        self._clinic, self._pump = clinic, pump
        self.keyed: list[int] = []

    def do(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        """One act; its refusal is noted in the tablet's view.

        Raises:
            ActImpossible: the step does not fit; the scenario is wrong.
        """
        assert actor in PEOPLE
        (name,) = act.names
        view = tablet.view
        view.begin()
        try:
            _DO[name](self, actor, act, tablet)
        except REFUSALS as error:
            view.refuse(code_of(error), side_of(error), str(error))
        visit = tablet.visit
        if visit is not None and visit.visit.word is not None:
            view.word = visit.visit.word
        if visit is not None:
            view.says.append(lock(visit.visit).way_on)

    def _read(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        status = tablet.shell().read()
        self._seen(tablet, status)

    def _seen(self, tablet: WorldTablet, status: Status) -> None:
        view = tablet.view
        view.status = status
        view.plan = plan_of(status, ml(status.flow_nl_per_day), tablet.profile_of(status), tablet.library)
        view.says += [view.plan.low_sentence, *contradictions(status)]
        for name in alarm_names(int(status.alarms)):
            view.says += [name, *((ALARMS[name].text, ALARMS[name].now) if name in ALARMS else ())]

    def _status(self, tablet: WorldTablet) -> Status:
        if tablet.view.status is None:
            raise ActImpossible("nobody has read the pump with this tablet yet: put a 'read' step before this one")
        return tablet.view.status

    def _stage(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        stage, status, view = act.stage, self._status(tablet), tablet.view
        assert isinstance(stage, Stage)
        keyed = exact("dose", stage.dose)
        row = context(
            status,
            doses(tablet.store.dose_history(tablet.patient), status),
            tablet.population,
            self._clinic.file.programmer.phase,
            tablet.profile_of(status),
            tablet.library,
        )
        judgement = judge_dose(row, status, mcg(keyed))
        view.findings = tuple(item.code for item in judgement.findings)
        view.says += [item.sentence for item in judgement.findings]
        view.plan = judgement.plan_new
        proposal = propose_dose(judgement, status, tablet.library, stage.reasons)
        tablet.facts = None
        view.keyed_ng = keyed
        self.keyed.append(keyed)
        shell = tablet.shell()
        shell.propose(proposal)
        self._check(actor, tablet, persons=2)

    def _check(self, actor: str, tablet: WorldTablet, persons: int) -> None:
        shell, view = tablet.shell(), tablet.view
        view.read_back = None
        shell.check(self._clinic.people[NAME_OF[actor]], persons=persons)
        tx = shell.visit.transaction
        assert tx is not None
        view.read_back = tx.read_back
        if tx.read_back is not None:
            view.says.append(sentence(tx.read_back, self._status(tablet)))

    def _refill(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        refill, status, view = act.refill, self._status(tablet), tablet.view
        assert isinstance(refill, Refill)
        injected = exact("volume", refill.injected)
        if refill.withdrawn == "syringe":
            true_nl = int(self._pump.control("status")["true_reservoir_nl"])
            withdrawn = true_nl // SYRINGE_NL * SYRINGE_NL
        else:
            withdrawn = exact("volume", refill.withdrawn)
        profile = tablet.profile_of(status)
        judgement = judge_refill(status, ml(withdrawn), profile, tablet.library)
        view.reconciliation = judgement.reconciliation
        view.says.append(judgement.reconciliation.advice)
        proposal, facts, plan = propose_refill(
            judgement,
            status,
            Fraction(injected, 1_000_000),
            profile,
            tablet.library,
            lot=refill.lot,
            expires=refill.expires,
            cause=refill.cause,
        )
        self._pump.control("needle", withdraw_nl=None, inject_nl=injected)
        tablet.facts, view.plan, view.keyed_ng = facts, plan, None
        shell = tablet.shell()
        shell.propose(proposal)
        shell.injected()
        self._check(actor, tablet, persons=2)

    def _confirm(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        people = self._clinic.people
        author = people[str(act.sign)]
        second = None if act.approve is None else people[act.approve]
        shell = tablet.shell()
        shell.sign_and_send(author, tablet.facts, second)
        tablet.view.says.append(str(shell.visit.word.value if shell.visit.word else ""))

    def _drop(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        if tablet.shell().visit.proposal is not None:
            tablet.shell().withdraw()

    def _silence(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        alarm = Alarm.__members__.get(str(act.silence))
        if alarm is None:
            raise ActImpossible(f"there is no alarm {act.silence}; known are {', '.join(Alarm.__members__)}")
        seconds = tablet.shell().silence(alarm)
        tablet.view.says.append(f"The pump's sound pauses for {seconds} s.")

    def _leave(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        reason = act.leave if isinstance(act.leave, str) else ""
        tablet.shell().leave(self._clinic.people[NAME_OF[actor]], reason)
        tablet.put_away()

    def _reconcile(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        decision = act.reconcile
        assert isinstance(decision, Decision)
        tablet.shell().reconcile(self._clinic.people[NAME_OF[actor]], decision.verdict, decision.reason)

    def _emergency(self, actor: str, act: Act, tablet: WorldTablet) -> None:
        use = act.emergency
        assert isinstance(use, EmergencyUse)
        tablet.put_away()
        line = tablet.line(paired=False)
        try:
            visit = EmergencyVisit(line, self._clinic.card, tablet.log, tablet.device)
            visit.open()
            if use.act == "read":
                self._seen(tablet, visit.read()[0])
            else:
                done = visit.act(EmergencyAct[use.act.upper()], Operator(use.name, use.reason, use.phone))
                tablet.view.says += [f"DONE {use.act}", f"{done.left} more times", *_warning(use.act)]
            visit.close()
        finally:
            line.close()


def _warning(act: str) -> list[str]:
    return [] if act == "resume" else [WITHDRAWAL]


_DO: dict[str, Callable[[Actors, str, Act, WorldTablet], None]] = {
    "read": Actors._read,
    "stage": Actors._stage,
    "refill": Actors._refill,
    "confirm": Actors._confirm,
    "drop": Actors._drop,
    "silence": Actors._silence,
    "leave": Actors._leave,
    "reconcile": Actors._reconcile,
    "emergency": Actors._emergency,
}
"""Name of an act to how it is done."""
