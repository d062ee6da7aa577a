"""The ``programmer`` command: finds the command family, imports only that, and turns every end into an exit code."""

import sys
from importlib import import_module

from programmer.cli.exits import Exit

NOTICE = "not a cleared medical device; for simulation, training and research"

COMMANDS: dict[str, tuple[str, str]] = {
    "ui": ("programmer.cli.ui", "open the tablet's screens (the same as no command)"),
    "demo": ("programmer.cli.demo", "a simulated clinic with a virtual pump; --headless plays a whole follow-up"),
    "virtual-pump": ("programmer.cli.virtual_pump", "start a virtual pump behind a virtual wand"),
    "ports": ("programmer.cli.ports", "list the serial ports of this tablet"),
    "status": ("programmer.cli.status", "read a pump"),
    "dose": ("programmer.cli.dose", "change the daily dose: check with the pump, sign, commit"),
    "refill": ("programmer.cli.refill", "record a refill: reconcile, sign, commit"),
    "emergency": ("programmer.cli.emergency", "with the implant card: read, lower, stop, resume"),
    "recover": ("programmer.cli.recover", "settle an unfinished visit by reading the pump"),
    "audit": ("programmer.cli.audit", "show, verify or export the signed log"),
    "qa": ("programmer.cli.qa", "conformance of an adapter or a pump"),
    "calc": ("programmer.cli.calc", "exact dosing arithmetic, JSON in and out"),
}
"""Command to module and one line of help; a module has ``run(arguments) -> int``."""


def usage() -> str:
    """The text of ``programmer --help``."""
    rows = "\n".join(f"  {name:<14}{text}" for name, (_, text) in COMMANDS.items())
    return (
        f"usage: programmer [COMMAND] [OPTIONS]\n\nClinical programmer for intrathecal baclofen pumps:\n{NOTICE}.\n\n"
        f"{rows}\n\n'programmer COMMAND --help' explains a command.\n"
        "Exit codes: 0 done, 1 refused by a clinical rule, 2 usage, 3 no link, 4 integrity, 5 not allowed,\n"
        "6 outcome unknown: read the pump, 7 not stored, 70 internal fault, 130 interrupted.\n"
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in ("-h", "--help", "help"):
        print(usage(), end="")
        return Exit.DONE
    if words and words[0] == "--version":
        from importlib.metadata import version

        print(f"programmer {version('itb-programmer')} ({NOTICE})")
        return Exit.DONE
    name, rest = (words[0], words[1:]) if words and not words[0].startswith("-") else ("ui", words)
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        print(f"programmer: there is no command '{name}'.{hint} See 'programmer --help'.", file=sys.stderr)
        return Exit.USAGE
    return _run(name, rest)


def _run(name: str, rest: list[str]) -> int:
    try:
        return int(import_module(COMMANDS[name][0]).run(rest))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else Exit.USAGE
    except KeyboardInterrupt:
        print("programmer: interrupted. If an order was being sent, read the pump now.", file=sys.stderr)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        return Exit.DONE
    except Exception as error:
        from programmer.cli import faults

        code = faults.exit_of(error)
        if code is None:
            from programmer.visit.crash import report

            print(f"programmer: internal fault; the report is in {report(error)}", file=sys.stderr)
            return Exit.FAULT
        print(f"programmer: {faults.sentence(error)}", file=sys.stderr)
        return int(code)


if __name__ == "__main__":
    sys.exit(main())
