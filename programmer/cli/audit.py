"""``programmer audit``: show, verify or export the signed log."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import add_json, command
from programmer.cli.places import add_data_option

if TYPE_CHECKING:
    from programmer.audit.log import Entry

_TOLD = ("verdict", "kind", "by", "reasons", "class", "reason", "serial", "model", "code", "state", "about")


def _parser() -> argparse.ArgumentParser:
    parser = command("audit", "verify EXPORT", "show --last 20", "export /media/stick/log-2026-12-07")
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    verify = acts.add_parser("verify", help="verify an exported log; exit 0 clean, 2 unreadable, 4 findings")
    verify.add_argument("path", type=Path, metavar="PATH", help="export folder or its .tar")
    verify.add_argument("--pin", metavar="HEX", help="leaf hash of entry 0, from paper")
    add_json(verify)
    show = acts.add_parser("show", help="the entries of this tablet's log, oldest first")
    show.add_argument("--last", type=_count, metavar="N", help="only the newest N entries")
    add_json(show)
    add_data_option(show)
    export = acts.add_parser("export", help="write the log into a new folder or .tar, for another person to verify")
    export.add_argument("path", type=Path, metavar="FILE", help="a folder, or a NAME.tar, that does not exist yet")
    add_data_option(export)
    return parser


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 10**9):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of entries; use a whole number from 1 on")
    return int(text)


def run(arguments: list[str]) -> int:
    """Obey; the exit code."""
    options = _parser().parse_args(arguments)
    return {"verify": _verify, "show": _show, "export": _export}[options.act](options)


def _verify(options: argparse.Namespace) -> int:
    from programmer.audit import verify

    if not options.json:
        pin = ["--pin", options.pin] if options.pin else []
        return verify.main([str(options.path), *pin])
    found = verify.verify_files(verify.read_files(options.path), options.pin)
    rows = [{"code": item.code, "detail": item.detail, "locus": item.locus} for item in found]
    talk.document("programmer/audit-verify/1", {"findings": rows})
    return Exit.DONE if all(item.notice for item in found) else Exit.INTEGRITY


def _show(options: argparse.Namespace) -> int:
    from programmer.cli import desk

    with desk.tablet(options, "audit show") as tablet:
        first = max(0, tablet.log.size - options.last) if options.last else 0
        entries = list(tablet.log.entries(first))
        if options.json:
            rows = [_data(entry) for entry in entries]
            talk.document("programmer/audit-show/1", {"size": tablet.log.size, "entries": rows})
            return Exit.DONE
        for entry in entries:
            talk.data(_line(entry))
    return Exit.DONE


def _data(entry: "Entry") -> dict[str, Any]:
    return {"idx": entry.idx, "leaf": entry.leaf.hex(), **{k: v for k, v in entry.content.items() if k != "idx"}}


def _line(entry: "Entry") -> str:
    actor = entry.content["actor"]
    told = [f"{name}={_short(entry.body[name])}" for name in _TOLD if entry.body.get(name)]
    program = entry.body.get("program")
    if isinstance(program, dict) and "dose_ng_per_day" in program:
        told.insert(0, _dose(program["dose_ng_per_day"]))
    return f"{entry.idx:>6}  {entry.content['utc'][:19]}Z  {entry.type:<18}{actor['id']}  {'  '.join(told)}".rstrip()


def _dose(ng_per_day: int) -> str:
    from fractions import Fraction

    from programmer.clinical.display import mcg_per_day

    return mcg_per_day(Fraction(ng_per_day, 1_000))


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "(sealed)"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return "".join(char if char.isprintable() else "?" for char in text)[:60]


def _export(options: argparse.Namespace) -> int:
    from programmer.audit.export import ExportExists, export_log, write_export, write_tar
    from programmer.cli import desk

    with desk.tablet(options, "audit export") as tablet:
        if options.path.exists():
            raise ExportExists(f"{options.path} exists already and is not overwritten: give a new name.")
        write = write_tar if options.path.suffix == ".tar" else write_export
        write(options.path, export_log(tablet.log))
        talk.data(f"{tablet.log.size} entries are in {options.path}.")
        talk.talk(f"Verify them with 'programmer audit verify {options.path}'.")
    return Exit.DONE
