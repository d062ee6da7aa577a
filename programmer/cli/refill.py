"""``programmer refill``: record a refill that was done. Reconciles the residual, signs, sends, verifies."""

import argparse
from datetime import date
from typing import TYPE_CHECKING

from programmer.cli import talk
from programmer.cli.parsers import add_person, add_port, command

if TYPE_CHECKING:
    from fractions import Fraction

    from programmer.clinical.plan import RefillPlan
    from programmer.visit.planning import RefillJudgement
    from protocol.messages import ReadBackReport, Status


class OtherConcentration(Exception):
    """The vial has another strength than the pump runs with."""

    exit_code = 1


class CauseNeeded(Exception):
    """The discrepancy is beyond tolerance and no cause was given."""

    exit_code = 1


class VialExpired(Exception):
    """The vial is past its date."""

    exit_code = 1


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "refill",
        '--port /dev/ttyACM0 --withdrawn "4.6 mL" --injected "20 mL" \\\n'
        '      --conc "500 mcg/mL" --lot A123 --expires 2027-06-30 --user n-ito',
        '... --cause "air in the syringe" --secret-fd 3 --confirm 3<FILE',
    )
    add_port(parser)
    parser.add_argument("--withdrawn", required=True, metavar='"N mL"', help="what the syringe drew from the pump")
    parser.add_argument("--injected", required=True, metavar='"N mL"', help="what was injected")
    parser.add_argument("--lot", required=True, metavar="L", help="lot of the vial")
    parser.add_argument("--expires", required=True, type=_day, metavar="YYYY-MM-DD", help="expiry date of the vial")
    parser.add_argument("--conc", required=True, metavar='"N mcg/mL"', help="strength of the vial, as in the pump")
    add_person(parser)
    parser.add_argument("--cause", default="", metavar="TEXT", help="cause of a discrepancy beyond tolerance")
    parser.add_argument(
        "--confirm", action="store_true", help="the volumes were compared aloud: sign and send without asking"
    )
    return parser


def _day(text: str) -> date:
    from programmer.clinical.service import parse_date

    day = parse_date(text)
    if day is None:
        raise argparse.ArgumentTypeError(f"'{text[:20]}' is no date; write it as 2027-06-30")
    return day


def _lot(text: str) -> str:
    if not (0 < len(text) <= 40 and text.isascii() and text.isprintable() and text.strip() == text):
        raise talk.Usage("--lot takes up to 40 letters, digits and signs, as printed on the vial.")
    return text


def run(arguments: list[str]) -> int:
    """Reconcile, stage, confirm, sign, send, verify; the exit code."""
    options = _parser().parse_args(arguments)
    from programmer.cli import desk, reading, signing
    from programmer.cli.quantity import quantity, strength_field, volume_field
    from programmer.clinical import display
    from programmer.clinical.profiles import PACKAGED, profile
    from programmer.visit import planning
    from programmer.visit.history import mcg, pump_day

    lot = _lot(options.lot)
    largest = max(profile(name).reservoir_ml for name in PACKAGED)
    withdrawn = quantity("--withdrawn", options.withdrawn, volume_field(largest, zero_allowed=True))
    injected_field = volume_field(largest, zero_allowed=False)
    injected = quantity("--injected", options.injected, injected_field)
    strength = quantity("--conc", options.conc, strength_field())
    if not options.confirm and not talk.at_terminal():
        raise talk.Usage(
            "There is no terminal to key the volume again. Compare the volumes and add --confirm. Nothing was sent."
        )
    with desk.tablet(options, "refill") as tablet:
        signer = signing.author(tablet, options, "refill")
        with desk.visit(tablet, options.port) as shell:
            status = signing.read_first(tablet, shell)
            chart = signing.open_chart(tablet, shell, signer)
            if strength != mcg(status.concentration_ng_per_ml):
                raise OtherConcentration(
                    f"The vial has {display.mcg_per_ml(strength)}, the pump runs with "
                    f"{display.mcg_per_ml(mcg(status.concentration_ng_per_ml))}. A change of concentration needs its "
                    "own way with a bridge, on the tablet's screens. Nothing was sent."
                )
            if options.expires < pump_day(status.pump_time_s):
                raise VialExpired(
                    f"The vial expired on {display.day(options.expires)}. Use another vial; nothing was sent."
                )
            model = tablet.profile_of(status)
            judgement = planning.judge_refill(status, withdrawn, model, tablet.library)
            try:
                proposal, facts, plan = planning.propose_refill(
                    judgement,
                    status,
                    injected,
                    model,
                    tablet.library,
                    lot=lot,
                    expires=options.expires.isoformat(),
                    cause=options.cause,
                )
            except planning.CauseMissing as missing:
                raise CauseNeeded(f"{missing} On the command line: --cause TEXT. Nothing was sent.") from None
            before = reading.plan_or_none(status, model, tablet.library)
            shell.propose(proposal)
            shell.injected()

            def review(report: "ReadBackReport") -> None:
                rows = _review(judgement, report, status, injected, before, plan)
                for line in [*signing.head(chart, shell, status), *rows]:
                    talk.data(line)
                if options.confirm:
                    return
                keyed = talk.ask("Key the injected volume again, then Enter (mL): ").removesuffix(" mL")
                if quantity("The volume", f"{keyed} mL", injected_field) != injected:
                    raise signing.NotConfirmed

            try:
                return signing.send(shell, signer, review, facts)
            finally:
                if shell.visit.word is None or shell.visit.word.value == desk.NOT_APPLIED:
                    talk.talk(
                        "Drug is in the pump that its memory does not know of. Record this refill before the patient "
                        "leaves: the pump's reservoir figure and alarm are wrong until then."
                    )


def _review(
    judgement: "RefillJudgement",
    report: "ReadBackReport",
    status: "Status",
    injected: "Fraction",
    before: "RefillPlan | None",
    plan: "RefillPlan",
) -> list[str]:
    """Reconciliation, what the pump read back, dates before and after."""
    from programmer.clinical import display
    from programmer.clinical.plan import reaction_sentence
    from programmer.visit.history import ml
    from protocol.messages import Discrepancy

    found = judgement.reconciliation
    old, new = (display.ml_syringe(ml(volume)) for volume in (status.reservoir_nl, report.reservoir_nl))
    alarm, guarded = (
        (display.day(before.alarm_nominal), display.day(before.low_guarded)) if before else ("reached", "reached")
    )
    rows = [
        ("expected", display.ml_syringe(judgement.expected)),
        ("withdrawn", display.ml_syringe(found.withdrawn_ml)),
        ("discrepancy", display.signed(found.discrepancy_ml, display.SYRINGE)),
        ("class", found.klass.replace("_", " ")),
        ("ratio", f"{display.number(found.ratio, 2)} of what was programmed" if found.ratio is not None
         else f"not computable: {found.not_computable}"),
        ("advice", found.advice),
        ("injected", display.ml_syringe(injected)),
        ("in the pump", f"{old} now, {new} read back by the pump"),
        ("program", f"unchanged, {display.mcg(_total(report))} in 24 hours"),
        ("alarm date", f"{alarm} before, {display.day(plan.alarm_nominal)} after"),
        ("guarded date", f"{guarded} before, {display.day(plan.low_guarded)} after"),
        ("refill by", display.day(plan.refill_by) if plan.refill_by else str(plan.not_computable)),
    ]  # fmt: skip
    lines = [f"{name:<15}{text}" for name, text in rows]
    if judgement.figures_differ:
        lines.append(
            f"The pump's own figure is {display.ml_syringe(judgement.pump_figure)}, another one than expected here."
        )
    if status.gap_s:
        lines.append(
            f"The pump gave nothing for {display.duration(status.gap_s)}. After this refill it gives the programmed "
            "dose again: the therapy-gap rule decides whether that dose is still right. Ask a prescriber now."
        )
    if report.discrepancy is Discrepancy.OPEN:
        lines.append("The discrepancy is OPEN: the pump refuses every increase until a prescriber closes it.")
    return [*lines, plan.low_sentence, reaction_sentence(plan)]


def _total(report: "ReadBackReport") -> "Fraction":
    """What the pump will give in 24 hours by its read-back, in mcg."""
    from fractions import Fraction

    from programmer.visit.planning import FG_PER_MCG

    return Fraction(report.total_24h_fg, FG_PER_MCG)
