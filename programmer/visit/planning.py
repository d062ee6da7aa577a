"""From what a person keyed to a complete proposal: findings, dates, differences, one sentence to repeat.

Nothing here talks to a pump. A proposal exists only when no hard limit is broken and every soft one has its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from programmer.clinical import display
from programmer.clinical.forecast import forecast
from programmer.clinical.library import DrugLibrary
from programmer.clinical.limits import HARD, SOFT, DoseContext, Finding, check_simple_dose
from programmer.clinical.plan import Reconciliation, RefillPlan, reconcile, refill_plan
from programmer.clinical.profiles import PumpProfile
from programmer.visit.history import mcg, ml, pump_day
from programmer.visit.logbook import RefillFacts
from programmer.visit.proposal import Annex, DoseProposal, RefillProposal
from protocol.messages import Discrepancy, Mode, ReadBackReport, Status

FG_PER_MCG = 10**9
NL_PER_ML = 1_000_000
NG_PER_MCG = 1_000


class Stopped(Exception):
    """A hard limit is broken: there is no way past it, only another number."""

    exit_code = 1

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(" ".join(item.sentence for item in findings if item.severity == HARD))
        self.findings = findings


class ReasonMissing(Exception):
    """A soft limit is exceeded and has no reason yet."""

    exit_code = 1

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            " ".join(item.sentence for item in findings) + " Enter another dose, or give the reason before signing."
        )
        self.findings = findings


class NothingToChange(Exception):
    """The keyed dose is the one that runs."""

    exit_code = 1

    def __init__(self, dose_mcg_per_day: Fraction) -> None:
        super().__init__(f"The pump gives {display.mcg_per_day(dose_mcg_per_day)} already: there is nothing to change.")


class NotExact(Exception):
    """The pump cannot hold this number exactly."""

    exit_code = 1

    def __init__(self, quantity: str) -> None:
        super().__init__(f"The pump cannot hold this {quantity} exactly. Use fewer decimals; nothing is rounded.")


@dataclass(frozen=True, slots=True)
class DoseJudgement:
    """All that is shown beside a keyed dose. Doses in mcg/day, flow in mL/day."""

    now_mcg_per_day: Fraction
    new_mcg_per_day: Fraction
    flow_now: Fraction
    flow_new: Fraction
    findings: tuple[Finding, ...]
    plan_now: RefillPlan
    plan_new: RefillPlan

    @property
    def change_percent(self) -> Fraction | None:
        """Change against the running dose in percent; unknown where nothing runs."""
        if not self.now_mcg_per_day:
            return None
        return (self.new_mcg_per_day / self.now_mcg_per_day - 1) * 100

    @property
    def factor(self) -> Fraction | None:
        """New dose over running dose."""
        return self.new_mcg_per_day / self.now_mcg_per_day if self.now_mcg_per_day else None

    @property
    def soft(self) -> tuple[Finding, ...]:
        """Findings that need a reason."""
        return tuple(item for item in self.findings if item.severity == SOFT)

    @property
    def hard(self) -> tuple[Finding, ...]:
        """Findings that allow no way on."""
        return tuple(item for item in self.findings if item.severity == HARD)


def plan_of(status: Status, flow: Fraction, profile: PumpProfile, library: DrugLibrary) -> RefillPlan:
    """Dates of the running fill at ``flow`` mL/day, from the pump's own report."""
    return forecast(
        profile,
        pump_day(status.pump_time_s),
        ml(status.reservoir_nl),
        ml(status.delivered_nl),
        pump_day(status.filled_at_s),
        ml(status.alarm_nl),
        flow,
        library.in_pump_days,
    )


def judge_dose(context: DoseContext, status: Status, dose_mcg_per_day: Fraction) -> DoseJudgement:
    """Findings and dates of a new simple-continuous dose; changes nothing."""
    concentration = mcg(status.concentration_ng_per_ml)
    flow_now, flow_new = ml(status.flow_nl_per_day), dose_mcg_per_day / concentration
    return DoseJudgement(
        mcg(status.dose_ng_per_day) if status.mode is Mode.SIMPLE else Fraction(0),
        dose_mcg_per_day,
        flow_now,
        flow_new,
        tuple(check_simple_dose(context, dose_mcg_per_day)),
        plan_of(status, flow_now, context.profile, context.library),
        plan_of(status, flow_new, context.profile, context.library),
    )


def propose_dose(
    judgement: DoseJudgement, status: Status, library: DrugLibrary, reasons: Mapping[str, str]
) -> DoseProposal:
    """The proposal of a judged dose.

    Raises:
        Stopped: a hard limit is broken.
        NothingToChange: it is the running dose.
        ReasonMissing: a soft limit has no reason in ``reasons`` (finding code to reason).
        NotExact: the dose is no whole number of nanograms a day.
    """
    if judgement.new_mcg_per_day == judgement.now_mcg_per_day:
        raise NothingToChange(judgement.new_mcg_per_day)
    if judgement.hard:
        raise Stopped(judgement.findings)
    missing = tuple(item for item in judgement.soft if not reasons.get(item.code, "").strip())
    if missing:
        raise ReasonMissing(missing)
    dose_ng = judgement.new_mcg_per_day * NG_PER_MCG
    if dose_ng.denominator != 1:
        raise NotExact("dose")
    program = status.program.model_copy(update={"mode": Mode.SIMPLE, "dose_ng_per_day": int(dose_ng)})
    annex = Annex(
        library=f"{library.name} {library.version} {library.digest}",
        findings=tuple(item.code for item in judgement.findings),
        reasons=tuple((item.code, reasons[item.code].strip()) for item in judgement.soft),
    )
    return DoseProposal(program, annex)


@dataclass(frozen=True, slots=True)
class RefillJudgement:
    """All that is shown when a residual was withdrawn. Volumes in mL."""

    expected: Fraction
    pump_figure: Fraction
    filled: Fraction
    filled_on: date
    days: Fraction
    reconciliation: Reconciliation

    @property
    def figures_differ(self) -> bool:
        """Whether our own figure and the pump's differ by more than 0.1 mL."""
        return abs(self.expected - self.pump_figure) > Fraction(1, 10)


def judge_refill(status: Status, withdrawn_ml: Fraction, profile: PumpProfile, library: DrugLibrary) -> RefillJudgement:
    """Reconcile a withdrawn residual with what was expected; a measured volume is never refused."""
    filled, delivered = ml(status.filled_nl), ml(status.delivered_nl)
    expected = filled - delivered
    return RefillJudgement(
        expected,
        ml(status.reservoir_nl),
        filled,
        pump_day(status.filled_at_s),
        Fraction(status.pump_time_s - status.filled_at_s, 86_400),
        reconcile(profile, library.reconciliation, filled, expected, withdrawn_ml),
    )


class CauseMissing(Exception):
    """The discrepancy is beyond tolerance and needs a cause."""

    exit_code = 1

    def __init__(self, advice: str) -> None:
        super().__init__(
            f"{advice} Choose a cause; the volume is then written, and a prescriber closes it within 24 h."
        )


class AboveCapacity(Exception):
    """The planned volume does not fit."""

    exit_code = 1

    def __init__(self, capacity_ml: Fraction) -> None:
        super().__init__(
            f"The reservoir holds {display.ml_syringe(capacity_ml)}, and over-filling raises the flow. "
            "Plan a smaller volume."
        )


def propose_refill(
    judgement: RefillJudgement,
    status: Status,
    injected_ml: Fraction,
    profile: PumpProfile,
    library: DrugLibrary,
    *,
    lot: str,
    expires: str,
    cause: str = "",
) -> tuple[RefillProposal, RefillFacts, RefillPlan]:
    """The proposal of a refill, its facts for the log, and its dates.

    Raises:
        CauseMissing, AboveCapacity, NotExact.
    """
    found = judgement.reconciliation
    if found.needs_cause and not cause.strip():
        raise CauseMissing(found.advice)
    if injected_ml > profile.reservoir_ml:
        raise AboveCapacity(profile.reservoir_ml)
    volumes = [value * NL_PER_ML for value in (injected_ml, found.withdrawn_ml)]
    if any(value.denominator != 1 for value in volumes):
        raise NotExact("volume")
    injected_nl, withdrawn_nl = (int(value) for value in volumes)
    plan = refill_plan(
        profile,
        pump_day(status.pump_time_s),
        injected_ml,
        ml(status.alarm_nl),
        ml(status.flow_nl_per_day),
        library.in_pump_days,
    )
    state = Discrepancy.OPEN if found.needs_cause else Discrepancy.NONE
    proposal = RefillProposal(
        injected_nl,
        withdrawn_nl,
        int(judgement.expected * NL_PER_ML),
        injected_nl,
        state,
        Annex(library=f"{library.name} {library.version} {library.digest}", cause=cause.strip()),
    )
    facts = RefillFacts(
        lot,
        expires,
        plan.alarm_nominal.isoformat(),
        plan.alarm_guarded.isoformat(),
        plan.refill_by.isoformat() if plan.refill_by else None,
        found.klass,
    )
    return proposal, facts, plan


def propose_closing(status: Status, library: DrugLibrary, decision: str) -> RefillProposal:
    """A prescriber's decision on an open discrepancy; volume and program stay as they are."""
    return RefillProposal(
        status.reservoir_nl,
        0,
        status.reservoir_nl,
        0,
        Discrepancy.CLOSED,
        Annex(library=f"{library.name} {library.version} {library.digest}", cause=decision),
    )


def sentence(report: ReadBackReport, running: Status) -> str:
    """One plain sentence from the pump's own read-back that a second reader can repeat."""
    total = Fraction(report.total_24h_fg, FG_PER_MCG)
    now = Fraction(running.flow_nl_per_day * running.concentration_ng_per_ml, FG_PER_MCG)
    more = total - now
    amount = display.mcg(abs(more))
    percent = f" ({display.percent(abs(more) / now * 100)} {'more' if more > 0 else 'less'} than now)" if now else ""
    change = f": {amount} {'more' if more > 0 else 'less'} than now{percent}" if more else ", as now"
    return (
        f"From sending on, the pump gives {display.mcg(total)} each 24 hours, evenly day and night{change}. "
        "No other setting changes."
    )
