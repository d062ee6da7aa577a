"""Views of the dose path: entry with its live lines, review of the read-back."""

from fractions import Fraction

from programmer.clinical import display
from programmer.clinical.entry import EntryProfile
from programmer.clinical.limits import HARD, DoseContext
from programmer.ui.model import Model
from programmer.ui.present.views import (
    ActionView,
    DiffRow,
    EntryView,
    LimitBarView,
    Line,
    LiveView,
    ReviewView,
    StepChartView,
    StepPoint,
    Tone,
)
from programmer.ui.present.wrap import NARROW, wrapped
from programmer.visit.history import context, doses, mcg, ml
from programmer.visit.planning import FG_PER_MCG, DoseJudgement, judge_dose, plan_of, sentence
from protocol.messages import Mode, ReadBackReport

TENTH = Fraction(1, 10)


def judged_by(model: Model) -> DoseContext:
    """What a dose is judged against now."""
    assert model.chart is not None
    status = model.known
    history = doses(model.tablet.store.dose_history(model.chart.ref), status)
    chart = model.chart.chart
    return context(status, history, chart.population, chart.phase, model.profile, model.tablet.library)


def judge(model: Model, dose_mcg_per_day: Fraction) -> DoseJudgement:
    """Findings, differences and dates of a keyed dose."""
    return judge_dose(judged_by(model), model.known, dose_mcg_per_day)


def _tenths_down(value: Fraction) -> Fraction:
    return value // TENTH * TENTH


def _tenths_up(value: Fraction) -> Fraction:
    return -(-value // TENTH) * TENTH


def profile(model: Model) -> EntryProfile:
    """The field's own range today: steps against the running dose, inside the library's limits."""
    judged = judged_by(model)
    library, who = judged.library, judged.population
    high, up, down = (library.limit(name, who) for name in ("dose_high", f"step_up_{judged.phase}", "step_down"))
    low = library.limit("dose_low", who)
    floor = judged.profile.min_flow_ml_per_day * judged.conc_mcg_per_ml
    base = judged.base_mcg_per_day
    hard_max, soft_max = high.hard_high or Fraction(9999), high.soft_high or Fraction(9999)
    hard_min, soft_min = floor * (low.hard_low or 1), floor * (low.soft_low or 1)
    if base:
        for bound, most in ((up.soft_high, soft_max), (up.hard_high, hard_max)):
            if bound is not None and bound is up.soft_high:
                soft_max = min(most, base * (1 + bound / 100))
            elif bound is not None:
                hard_max = min(most, base * (1 + bound / 100))
        if down.soft_high is not None:
            soft_min = max(soft_min, base * (1 - down.soft_high / 100))
        if down.hard_high is not None:
            hard_min = max(hard_min, base * (1 - down.hard_high / 100))
        soft_max, hard_max = max(soft_max, base), max(hard_max, base)
    hard_min, hard_max = _tenths_up(hard_min), _tenths_down(hard_max)
    soft_min = min(max(_tenths_up(soft_min), hard_min), hard_max)
    soft_max = max(min(_tenths_down(soft_max), hard_max), soft_min)
    return EntryProfile.of(
        "mcg/day",
        int_digits=4,
        decimals=1,
        hard_min=hard_min,
        soft_min=soft_min,
        soft_max=soft_max,
        hard_max=hard_max,
        base_per_unit=1_000,
    )


def entry(model: Model, field: EntryProfile) -> EntryView:
    """Running value beside a blank field."""
    now = model.known
    running = display.mcg_per_day(mcg(now.dose_ng_per_day))
    library = model.tablet.library
    above = (
        Line(f"Now in pump   {running}   {display.ml_per_day(ml(now.flow_nl_per_day))}", Tone.DOSE),
        Line(f"{display.number(field.soft_min, 1)} to {display.number(field.soft_max, 1)} without question,"),
        Line(f"{display.number(field.hard_min, 1)} to {display.number(field.hard_max, 1)} at most today"),
        Line(f"library {library.name} {library.version}", roomy=True),
    )
    return EntryView(
        "NEW DAILY DOSE, SIMPLE CONTINUOUS",
        above,
        field,
        running,
        "CHECK WITH PUMP",
        live=(Line("Key the new dose in micrograms a day."),),
        bar=bar(field, None),
        confirm_enabled=now.mode is Mode.SIMPLE,
        confirm_why="The pump does not run its program: restart it by the therapy-gap rule first.",
    )


def bar(field: EntryProfile, dose: Fraction | None) -> LimitBarView:
    """Where a dose lies between the hard limits of today."""
    low, high = field.hard_min, field.hard_max
    span = high - low or Fraction(1)

    def place(value: Fraction) -> int:
        return int((min(max(value, low), high) - low) * 1000 / span)

    return LimitBarView(
        display.number(low, 1),
        display.number(high, 1),
        place(field.soft_min),
        place(field.soft_max),
        None if dose is None else place(dose),
        "" if dose is None else display.number(dose, 1),
    )


def live(judgement: DoseJudgement, field: EntryProfile) -> LiveView:
    """Words, flow, change, findings, dates beside a keyed dose."""
    dose = judgement.new_mcg_per_day
    lines = [
        Line(display.dose_in_words(dose)),
        Line(f"{display.ml_per_day(judgement.flow_new)}   {display.mcg_per_h(dose / 24)}", Tone.STRONG),
        Line(_change(judgement), Tone.STRONG),
    ]
    for finding in judgement.findings[:2]:
        hard = finding.severity == HARD
        lines += wrapped(f"{'!!' if hard else '!'} {finding.sentence}", Tone.BAD if hard else Tone.NOTE, NARROW)
    if not judgement.findings:
        lines.append(Line("OK  inside the library's limits", Tone.OK))
    if not judgement.hard:
        new, old = judgement.plan_new, judgement.plan_now
        lines.append(Line(f"Alarm on   {display.day(new.alarm_nominal)} ({display.day(old.alarm_nominal)})"))
        lines.append(Line(f"May be low {display.day(new.low_guarded)}, NO alarm then"))
    return LiveView(tuple(lines), bar(field, dose))


def _change(judgement: DoseJudgement) -> str:
    percent, factor = judgement.change_percent, judgement.factor
    if percent is None or factor is None:
        return "nothing runs now"
    difference = judgement.new_mcg_per_day - judgement.now_mcg_per_day
    return (
        f"{display.signed(difference, display.DOSE)}   {display.signed(percent, display.PERCENT)}   "
        f"{display.factor(factor)}"
    )


def _days(old: int, new: int) -> str:
    difference = new - old
    if difference == 0:
        return "same day"
    return f"{abs(difference)} days {'later' if difference > 0 else 'earlier'}"


def review(model: Model, report: ReadBackReport, seconds_left: int, author_may: str = "") -> ReviewView:
    """Old beside the pump's own read-back; every new value is what the pump decoded."""
    now = model.known
    flow_old, flow_new = ml(now.flow_nl_per_day), ml(report.flow_nl_per_day)
    library = model.tablet.library
    old, new = (plan_of(now, flow, model.profile, library) for flow in (flow_old, flow_new))
    dose_old, dose_new = mcg(now.dose_ng_per_day), mcg(report.program.dose_ng_per_day)
    percent = (dose_new / dose_old - 1) * 100 if dose_old else None
    change = f"{display.signed(dose_new - dose_old, display.DOSE)}, {display.signed(percent, display.PERCENT)}"
    rows = (
        DiffRow("Daily dose", display.mcg_per_day(dose_old), display.mcg_per_day(dose_new), change),
        DiffRow(
            "Flow",
            display.ml_per_day(flow_old),
            display.ml_per_day(flow_new),
            display.signed(flow_new - flow_old, display.FLOW),
        ),
        DiffRow(
            "Alarm sounds on",
            display.day(old.alarm_nominal),
            display.day(new.alarm_nominal),
            _days(old.alarm_nominal.toordinal(), new.alarm_nominal.toordinal()),
        ),
        DiffRow(
            "May be low, silently",
            display.day(old.low_guarded),
            display.day(new.low_guarded),
            _days(old.low_guarded.toordinal(), new.low_guarded.toordinal()),
        ),
    )
    same = (
        DiffRow(
            "Concentration",
            display.mcg_per_ml(mcg(now.concentration_ng_per_ml)),
            display.mcg_per_ml(mcg(report.program.concentration_ng_per_ml)),
            "same",
            changed=False,
        ),
        DiffRow(
            "Alarm volume",
            display.ml_syringe(ml(now.alarm_nl)),
            display.ml_syringe(ml(report.program.alarm_nl)),
            "same",
            changed=False,
        ),
        DiffRow("Mode", "simple continuous", "simple continuous", "same", changed=False),
    )
    total = display.mcg(Fraction(report.total_24h_fg, FG_PER_MCG))
    findings = [
        Line("OK  pump's answer equals what was keyed", Tone.OK),
        Line(f"OK  pump's 24 h total: {total}", Tone.OK),
        Line(f"OK  right pump, read {model.age_s} s ago", Tone.OK),
    ]
    proposal = model.visit.proposal
    reasons = dict(proposal.annex.reasons) if proposal else {}
    findings += [Line(f"!   {code}: {text}", Tone.NOTE) for code, text in reasons.items()]
    if new.low_guarded != old.low_guarded:
        findings.append(Line("!   refill date moves: book, tell the family", Tone.NOTE))
    return ReviewView(
        f"REVIEW   NOT IN FORCE. The pump still runs {display.mcg_per_day(dose_old)}.   {seconds_left} s",
        rows,
        tuple(line.text for line in wrapped(sentence(report, now))),
        tuple(findings),
        (
            ActionView("back", "BACK, DROP PROPOSAL"),
            ActionView("sign", f"SIGN {display.mcg_per_day(dose_new)}", not author_may, author_may),
        ),
        curve(dose_old, dose_new),
        same,
    )


def curve(old: Fraction, new: Fraction) -> StepChartView:
    """Drug leaving the catheter tip in mcg/h, given until now and new from now on."""
    per_hour = {name: int(dose * 1000 / 24) for name, dose in (("old", old), ("new", new))}
    return StepChartView(
        "mcg/h leaving the pump",
        "mcg/h",
        -720,
        1440,
        (StepPoint(-720, per_hour["old"]),),
        (StepPoint(0, per_hour["new"]),),
        ((-720, "-12 h"), (0, "now"), (720, "+12 h"), (1440, "+24 h")),
        (("until now", display.mcg_per_h(old / 24)), ("from now on", display.mcg_per_h(new / 24))),
    )
