"""``programmer recover``: settle what is unfinished by reading the pump, and say the word on each change."""

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, add_port, command


def run(arguments: list[str]) -> int:
    """List, read, say; the exit code."""
    parser = command("recover", "--port /dev/ttyACM0", "--port socket://127.0.0.1:7000 --json")
    add_port(parser)
    add_json(parser)
    options = parser.parse_args(arguments)
    from programmer.cli import desk, reading
    from programmer.clinical.display import mcg_per_day
    from programmer.visit.history import mcg

    with desk.tablet(options, "recover") as tablet:
        before = desk.open_changes(tablet)
        for change in desk.verdicts(tablet, before):
            begun = change.item
            talk.talk(f"Unfinished: {begun.kind} of pump {begun.serial}, begun {begun.started_utc} by {begun.author}.")
        with desk.visit(tablet, options.port) as shell:
            status = shell.read()
            serial, not_saved = shell.serial, bool(shell.not_saved)
            changes, waiting = desk.verdicts(tablet, before), shell.not_written
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
        talk.talk("The pump cannot tell the outcome. Compare its program on the tablet's screens and sign what holds.")
    return Exit.UNKNOWN_OUTCOME
