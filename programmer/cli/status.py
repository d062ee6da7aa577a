"""``programmer status``: read a pump. Needs no user; settles an unfinished change by asking the pump about it."""

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, add_port, command


def run(arguments: list[str]) -> int:
    """Read and show; the exit code."""
    parser = command("status", "--port /dev/ttyACM0", "--port socket://127.0.0.1:7000 --json")
    add_port(parser)
    add_json(parser)
    options = parser.parse_args(arguments)
    from programmer.cli import desk, reading
    from programmer.visit.consistency import contradictions
    from programmer.visit.line import LineFault
    from programmer.visit.tablet import UnknownProfile

    with desk.tablet(options, "status") as tablet:
        before = desk.open_changes(tablet)
        with desk.visit(tablet, options.port) as shell:
            try:
                status = shell.read()
            except LineFault:
                for change in desk.verdicts(tablet, before):
                    talk.talk(f"UNFINISHED CHANGE  {reading.change_line(change)}")
                for item in shell.not_written:
                    talk.talk(reading.not_written_line(item))
                raise
            try:
                profile = tablet.profile_of(status)
            except UnknownProfile as error:
                profile = None
                talk.talk(str(error))
            try:
                events = shell.read_events(max(status.events_first, status.events_next - reading.EVENTS))
            except LineFault:
                events = None
            assert shell.visit.reading is not None
            changes = desk.verdicts(tablet, before)
            view = reading.PumpView(
                shell.serial,
                status,
                profile,
                reading.plan_or_none(status, profile, tablet.library),
                events,
                changes,
                shell.not_written,
                (shell.desk.clock_ms() - shell.visit.reading.at_ms) // 1_000,
            )
            not_saved = bool(shell.not_saved)
        if options.json:
            talk.document("programmer/status/1", reading.as_data(view))
        else:
            for line in reading.lines(view):
                talk.data(line)
    if not all(change.settled for change in changes):
        return Exit.UNKNOWN_OUTCOME
    if contradictions(status):
        return Exit.INTEGRITY
    return Exit.NOT_STORED if not_saved else Exit.DONE
