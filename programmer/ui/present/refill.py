"""Views of the refill wizard: vial, lot, withdrawn, compare, injected, write. No dose field is reachable from here."""

from fractions import Fraction

from programmer.clinical import display
from programmer.clinical.entry import EntryProfile
from programmer.clinical.plan import RefillPlan
from programmer.ui.model import Model
from programmer.ui.present.views import ActionView, DiffRow, EntryView, Line, RefillView, TileView, Tone
from programmer.ui.present.wrap import wrapped
from programmer.ui.screens.refill import step_title
from programmer.visit.history import mcg, ml
from programmer.visit.planning import RefillJudgement, plan_of
from protocol.messages import ReadBackReport

NOTHING_SENT = "nothing sent"
CAUSES = ("stall or MRI", "leak suspected", "wrong entry earlier", "syringe or aspiration", "not known")
CHECKS = (
    TileView("aspiration", "Aspirated: the needle is in the port"),
    TileView("reaspiration", "Aspirated again after 5 mL"),
)


def vial(model: Model) -> RefillView:
    """The strength on the vial, picked; there is no default."""
    now = mcg(model.known.concentration_ng_per_ml)
    tiles = tuple(
        TileView(f"c{n}", f"Baclofen {display.mcg_per_ml(strength)}")
        for n, strength in enumerate(model.tablet.library.strengths_mcg_per_ml)
        if strength >= 500
    )
    return RefillView(
        1,
        NOTHING_SENT,
        (Line("Read the strength on the vial, and pick it."), Line(f"In the pump now: {display.mcg_per_ml(now)}")),
        (ActionView("back", "BACK  Esc"),),
        tiles,
    )


def strengths(model: Model) -> list[Fraction]:
    """The strengths in the order of the tiles."""
    return [strength for strength in model.tablet.library.strengths_mcg_per_ml if strength >= 500]


def _volume(least: str, most: Fraction) -> EntryProfile:
    return EntryProfile.of(
        "mL", int_digits=2, decimals=1, hard_min=least, soft_min=least, soft_max=most, hard_max="99.9",
        base_per_unit=1_000_000, zero_allowed=True,
    )  # fmt: skip


def withdrawn(model: Model) -> EntryView:
    """What the syringe holds; never refused."""
    now = model.known
    expected = display.ml_syringe(ml(now.filled_nl - now.delivered_nl))
    return EntryView(
        step_title(2, NOTHING_SENT),
        (
            Line("Withdraw all, and key what the syringe holds."),
            Line(f"Expected {expected}; pump's own {display.ml_syringe(ml(now.reservoir_nl))}"),
        ),
        _volume("0", Fraction(999, 10)),
        display.mcg_per_day(mcg(now.dose_ng_per_day)),
        "COMPARE",
    )


def compare(judgement: RefillJudgement, cause: str) -> RefillView:
    """Expected against withdrawn, the class, what to do; a cause where one is needed."""
    found = judgement.reconciliation
    ratio = "not computable" if found.ratio is None else display.number(found.ratio, 3)
    tone = Tone.BAD if found.needs_cause else Tone.OK
    days = display.number(judgement.days, 1)
    lines = [
        Line(
            f"Expected      {display.ml_syringe(judgement.expected)}; pump's own figure "
            f"{display.ml_syringe(judgement.pump_figure)}"
        ),
        Line(
            f"              {display.ml_syringe(judgement.filled)} filled {display.day(judgement.filled_on)}, "
            f"{days} days ago",
            Tone.FAINT,
        ),
        Line(f"Withdrawn     {display.ml_syringe(found.withdrawn_ml)}"),
        Line(f"Discrepancy   {display.signed(found.discrepancy_ml, display.SYRINGE)}   ratio {ratio}", Tone.STRONG),
        *wrapped(f"{found.klass.replace('_', ' ').upper()}   {found.advice}", tone),
        Line("A normal residual does not exclude a leak or a blocked catheter.", Tone.FAINT, roomy=True),
    ]
    tiles: tuple[TileView, ...] = ()
    if found.needs_cause:
        lines.append(
            Line(f"Cause: {cause}" if cause else "Pick a cause; a prescriber closes it within 24 h.", Tone.STRONG)
        )
        tiles = tuple(TileView(f"k{n}", text) for n, text in enumerate(CAUSES))
    blocked = found.needs_cause and not cause
    actions = (
        ActionView("back", "BACK  Esc"),
        ActionView("go", "ACCEPT, GO ON", not blocked, "Pick a cause first."),
    )
    return RefillView(3, NOTHING_SENT, tuple(lines), actions, tiles)


def injected(model: Model) -> EntryView:
    """What was injected, with the two needle checks."""
    most = model.profile.reservoir_ml
    return EntryView(
        step_title(4, NOTHING_SENT),
        (
            Line("Inject slowly, and key what went in."),
            Line(f"The reservoir holds {display.ml_syringe(most)}."),
        ),
        _volume("0.1", most),
        display.mcg_per_day(mcg(model.known.dose_ng_per_day)),
        "CHECK WITH PUMP",
        checks=CHECKS,
    )


def write(model: Model, report: ReadBackReport, plan: RefillPlan) -> RefillView:
    """The pump's read-back of the refill beside what it holds now, with the new dates."""
    now = model.known
    flow = ml(now.flow_nl_per_day)
    old = plan_of(now, flow, model.profile, model.tablet.library)
    by = display.day(plan.refill_by) if plan.refill_by else str(plan.not_computable)
    rows = (
        DiffRow(
            "Reservoir",
            display.ml_syringe(ml(now.reservoir_nl)),
            display.ml_syringe(ml(report.reservoir_nl)),
            "as the pump reads it",
        ),
        DiffRow("Alarm sounds on", display.day(old.alarm_nominal), display.day(plan.alarm_nominal), ""),
        DiffRow("May be low, silently", display.day(old.low_guarded), display.day(plan.low_guarded), "NO alarm then"),
        DiffRow(
            "Daily dose",
            display.mcg_per_day(mcg(now.dose_ng_per_day)),
            display.mcg_per_day(mcg(report.program.dose_ng_per_day)),
            "same",
            changed=False,
        ),
    )
    lines = [Line(f"REFILL BY {by}", Tone.STRONG), Line(plan.low_sentence, Tone.NOTE)]
    if plan.alarm_is_low:
        recommended = display.ml_syringe(plan.recommended_alarm_ml)
        lines.append(
            Line(
                f"Alarm volume {display.ml_syringe(ml(now.alarm_nl))}; recommended {recommended}. Tell the prescriber.",
                roomy=True,
            )
        )
    return RefillView(
        5,
        "not in force",
        tuple(lines),
        (ActionView("back", "BACK, DROP"), ActionView("sign", f"SIGN {display.ml_syringe(ml(report.reservoir_nl))}")),
        (),
        rows,
    )


def rekey(volume: Fraction) -> EntryProfile:
    """The field in which the injected volume is keyed again."""
    return _volume("0.1", volume)
