"""``programmer recover``: settle what is unfinished by reading the pump, and say the word on each change."""

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, add_person, add_port, command


def run(arguments: list[str]) -> int:
    """List, read, say; the exit code."""
    parser = command(
        "recover",
        "--port /dev/ttyACM0",
        "--port socket://127.0.0.1:7000 --json",
        '... --settle applied --reason "program compared" --user dr-rivera',
    )
    add_port(parser)
    add_json(parser)
    parser.add_argument(
        "--settle",
        choices=("applied", "not_applied"),
        help="sign what became of a change that the pump no longer remembers; only after comparing its program",
    )
    parser.add_argument("--reason", metavar="TEXT", help="why that is so; goes into the log with the signature")
    add_person(parser, required=False)
    options = parser.parse_args(arguments)
    if options.settle and not (options.user and (options.reason or "").strip()):
        raise talk.Usage("--settle takes --user U and --reason TEXT: a prescriber signs what holds, and why.")
    from programmer.cli import desk, reading, signing
    from programmer.clinical.display import mcg_per_day
    from programmer.visit.history import mcg

    with desk.tablet(options, "recover") as tablet:
        signer = signing.author(tablet, options, "sign-program") if options.settle else None
        before = desk.open_changes(tablet)
        for change in desk.verdicts(tablet, before):
            begun = change.item
            talk.talk(f"Unfinished: {begun.kind} of pump {begun.serial}, begun {begun.started_utc} by {begun.author}.")
        with desk.visit(tablet, options.port) as shell:
            status = shell.read()
            changes, waiting = desk.verdicts(tablet, before), shell.not_written
            if signer is not None:
                signing.open_chart(tablet, shell, signer)
                shell.reconcile(signer, options.settle, options.reason)
                changes = [desk.settled(change, shell.serial, options.settle) for change in changes]
            serial, not_saved = shell.serial, bool(shell.not_saved)
    if options.json:
        rows = [reading.change_data(change) for change in changes]
        talk.document(
            "programmer/recover/1",
            {
                "serial": serial,
                "dose_ng_per_day": status.dose_ng_per_day,
                "changes": rows,
                "not_written": [{"serial": item.serial, "since_utc": item.since_utc} for item in waiting],
            },
        )
    else:
        for change in changes:
            talk.data(reading.change_line(change))
        for item in waiting:
            talk.data(reading.not_written_line(item))
        if not (changes or waiting):
            talk.data("Nothing is unfinished.")
        talk.data(f"Pump {serial} gives {mcg_per_day(mcg(status.dose_ng_per_day))} by its own report.")
    if all(change.settled for change in changes):
        return Exit.NOT_STORED if not_saved else Exit.DONE
    others = sorted({change.item.serial for change in changes if not change.settled} - {serial})
    if others:
        talk.talk(f"Read pump {', '.join(others)} too: its change has no known end.")
    else:
        talk.talk(
            f"The pump cannot tell the outcome. It gives {mcg_per_day(mcg(status.dose_ng_per_day))}. Compare that with "
            "the change; a prescriber then signs what holds, by --settle."
        )
    return Exit.UNKNOWN_OUTCOME
