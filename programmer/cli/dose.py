"""``programmer dose``: change the daily dose. The pump's own read-back is shown, keyed again, signed and sent."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

from programmer.cli import talk
from programmer.cli.parsers import add_person, add_port, add_second, command

if TYPE_CHECKING:
    from fractions import Fraction

    from programmer.clinical.entry import EntryProfile
    from programmer.clinical.limits import Finding
    from programmer.visit.planning import DoseJudgement
    from programmer.visit.tablet import OpenChart
    from protocol.messages import ReadBackReport, Status


class ReasonNeeded(Exception):
    """A soft limit is exceeded and no reason was given."""

    exit_code = 1


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "dose",
        '--port /dev/ttyACM0 --dose "115 mcg/day" --user dr-rivera',
        '... --reason INCREASE_TOO_SOON="spasms at night"',
        '... --secret-fd 3 --confirm "115 mcg/day" 3<FILE',
        "... --second dr-lee",
    )
    add_port(parser)
    parser.add_argument("--dose", required=True, metavar='"N mcg/day"', help="the new dose in 24 hours")
    add_person(parser)
    parser.add_argument(
        "--reason", action="append", default=[], metavar="CODE=TEXT", help="reason for exceeding a soft limit"
    )
    parser.add_argument(
        "--confirm", metavar='"N mcg/day"', help="the 24-hour dose once more, for use without a terminal"
    )
    add_second(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask again before sending, once the dose is keyed")
    return parser


def _reasons(given: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in given:
        code, sign, text = item.partition("=")
        if not (sign and code and text.strip()) or code in found:
            raise talk.Usage(
                "--reason takes CODE=TEXT, each code once, as in --reason INCREASE_TOO_SOON='spasms at night'."
            )
        found[code] = text.strip()
    return found


def run(arguments: list[str]) -> int:
    """Judge, stage, confirm, sign, send, verify; the exit code."""
    options = _parser().parse_args(arguments)
    from programmer.cli import desk, signing
    from programmer.cli.quantity import dose_field, quantity
    from programmer.visit import history, planning
    from programmer.visit.consistency import delivers

    reasons = _reasons(options.reason)
    with desk.tablet(options, "dose") as tablet:
        field = dose_field(tablet.library)
        dose = quantity("--dose", options.dose, field)
        confirmed = None if options.confirm is None else quantity("--confirm", options.confirm, field)
        if confirmed is None and not talk.at_terminal():
            raise talk.Usage(
                'There is no terminal to key the dose again. Give it once more by --confirm "N mcg/day". '
                "Nothing was sent."
            )
        reckoned = (
            None if options.second_confirm is None else quantity("--second-confirm", options.second_confirm, field)
        )
        if options.second is not None and reckoned is None and not talk.at_terminal():
            raise talk.Usage(
                "There is no terminal for the second person to key the dose. Give it by --second-confirm. "
                "Nothing was sent."
            )
        signer = signing.author(tablet, options, "sign-program", ("soft-override",) if reasons else ())
        approver = signing.second(tablet, options, "sign-program")
        with desk.visit(tablet, options.port) as shell:
            status = signing.read_first(tablet, shell)
            if not delivers(status):
                raise signing.NotDelivering(status)
            chart = signing.open_chart(tablet, shell, signer)
            context = history.context(
                status,
                history.doses(tablet.store.dose_history(chart.ref), status),
                chart.chart.population,
                chart.chart.phase,
                tablet.profile_of(status),
                tablet.library,
            )
            judgement = planning.judge_dose(context, status, dose)
            try:
                proposal = planning.propose_dose(judgement, status, tablet.library, reasons)
            except planning.ReasonMissing as missing:
                codes = " ".join(f"--reason {item.code}=TEXT" for item in missing.findings)
                raise ReasonNeeded(f"{missing} On the command line: {codes}. Nothing was sent.") from None
            unasked = sorted(set(reasons) - {item.code for item in judgement.soft})
            if unasked:
                raise talk.Usage(
                    f"No limit asks for the reason {', '.join(unasked)}. Leave it out, or check its code. "
                    "Nothing was sent."
                )
            shell.propose(proposal)

            def review(report: "ReadBackReport") -> None:
                for line in [*signing.head(chart, shell, status), *_review(judgement, report, status, reasons)]:
                    talk.data(line)
                _confirm(confirmed, report, field, "Key the dose in 24 hours again, then Enter")
                if approver is not None:
                    for line in _second_reading(approver.name, chart, shell.serial, report):
                        talk.data(line)
                    _confirm(
                        reckoned, report, field, "SECOND PERSON: reckon the dose in 24 hours and key it, then Enter"
                    )
                if talk.at_terminal() and not options.yes and talk.ask("Sign and send? Write yes: ") != "yes":
                    raise signing.NotConfirmed

            return signing.send(shell, signer, review, approver=approver)


def _review(
    judgement: "DoseJudgement", report: "ReadBackReport", status: "Status", reasons: Mapping[str, str]
) -> list[str]:
    """Running program and read-back side by side, findings, dates, the sentence."""
    from fractions import Fraction

    from programmer.clinical import display
    from programmer.visit.history import mcg, ml
    from programmer.visit.planning import FG_PER_MCG, sentence

    before, after = judgement.plan_now, judgement.plan_new
    total = Fraction(report.total_24h_fg, FG_PER_MCG)
    program = report.program
    change = judgement.change_percent
    rows = [
        ("", "RUNNING NOW", "READ BACK BY THE PUMP"),
        ("dose", display.mcg_per_day(mcg(status.dose_ng_per_day)), display.mcg_per_day(mcg(program.dose_ng_per_day))),
        ("24-hour total", display.mcg(judgement.now_mcg_per_day), display.mcg(total)),
        (
            "change",
            "",
            f"{display.signed(total - judgement.now_mcg_per_day, display.AMOUNT)}, "
            f"{display.signed(change, display.PERCENT)}, {display.factor(judgement.factor)}",
        ),
        ("flow", display.ml_per_day(ml(status.flow_nl_per_day)), display.ml_per_day(ml(report.flow_nl_per_day))),
        (
            "concentration",
            display.mcg_per_ml(mcg(status.concentration_ng_per_ml)),
            display.mcg_per_ml(mcg(program.concentration_ng_per_ml)),
        ),
        ("alarm volume", display.ml_syringe(ml(status.alarm_nl)), display.ml_syringe(ml(program.alarm_nl))),
        ("alarm date", display.day(before.alarm_nominal), display.day(after.alarm_nominal)),
        ("guarded date", display.day(before.low_guarded), display.day(after.low_guarded)),
        ("refill by", display.day(before.refill_by), display.day(after.refill_by)),
    ]
    lines = [f"{name:<15}{old:<22}{new}".rstrip() for name, old, new in rows]
    lines += [_finding(item, reasons) for item in judgement.findings]
    return [*lines, after.low_sentence, sentence(report, status)]


def _finding(item: "Finding", reasons: Mapping[str, str]) -> str:
    reason = f" Reason: {reasons[item.code]}." if item.code in reasons else ""
    return f"{item.severity.upper()} {item.code}: {item.sentence}{reason}"


def _reckoned(options: argparse.Namespace, field: "EntryProfile") -> "Fraction | None":
    """The dose of ``--second-confirm``. Raises ``Usage`` where the second person has no way to key it."""
    from programmer.cli.quantity import quantity

    if options.second_confirm is not None:
        return quantity("--second-confirm", options.second_confirm, field)
    if options.second is not None and not talk.at_terminal():
        raise talk.Usage(
            "There is no terminal for the second person to key the dose. Give it by --second-confirm. Nothing was sent."
        )
    return None


def _second_reading(name: str, chart: "OpenChart", serial: str, report: "ReadBackReport") -> list[str]:
    """The same order for another pair of eyes: from what is signed, in other units, and without the dose."""
    from programmer.clinical import display
    from programmer.visit.history import mcg, ml

    strength = display.mcg_per_ml(mcg(report.program.concentration_ng_per_ml))
    return [
        "",
        f"SECOND PERSON  {name.rsplit('/', 1)[-1]}: the pump has read back",
        f"  {display.ml_per_day(ml(report.flow_nl_per_day))} of {strength}",
        f"  pump {serial}, {chart.chart.name}, born {chart.chart.born}, record {chart.chart.record}",
    ]


def _confirm(keyed: "Fraction | None", report: "ReadBackReport", field: "EntryProfile", question: str) -> None:
    """Returns when the 24-hour dose was keyed as the pump read it back. Raises ``NotConfirmed``."""
    from fractions import Fraction

    from programmer.cli.quantity import quantity
    from programmer.cli.signing import NotConfirmed
    from programmer.visit.planning import FG_PER_MCG

    if keyed is None:
        text = talk.ask(f"{question} ({field.unit}): ")
        keyed = quantity("The dose", f"{text.removesuffix(f' {field.unit}')} {field.unit}", field)
    if keyed != Fraction(report.total_24h_fg, FG_PER_MCG):
        raise NotConfirmed
