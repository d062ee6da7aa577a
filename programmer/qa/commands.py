"""``programmer qa run``, ``qa replay`` and ``qa schema``: scenarios over the whole stack, played again, described."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from programmer.cli import talk
from programmer.cli.exits import Exit
from programmer.cli.parsers import command

if TYPE_CHECKING:
    from programmer.qa.run import Result
    from programmer.qa.scenario import Scenario

VIA = ("simulation", "tcp", "pty")
ARTEFACTS = Path("artefacts")


def run(arguments: list[str]) -> int:
    """Run scenarios; 0 when all hold, 1 when one does not, 2 when a file is no scenario."""
    options = _options(arguments)
    from programmer.qa import junit
    from programmer.qa.run import run_all
    from programmer.qa.transcript import write

    scenarios = _scenarios(options)
    results = run_all(scenarios, seed=options.seed, via=options.via, artefacts=options.artefacts, told=_tell)
    failed = sum(not item.passed for item in results)
    talk.data(f"{len(results)} scenarios, {failed} failed, {len(_fired(results))} kinds of fault fired.")
    if options.junit is not None:
        junit.write(options.junit, results)
    if options.record is not None:
        (made,), (result,) = scenarios, results
        profile = made.file.pump.profile
        write(options.record, made.text, made.source, result.seed, made.vary, profile, list(result.lines))
    return Exit.REFUSED if failed else Exit.DONE


def replay(arguments: list[str]) -> int:
    """Play a transcript again; 0 when every line comes back, 1 with the first that does not, 2 for no transcript."""
    parser = command("qa replay", "visit.jsonl")
    parser.add_argument("transcript", type=Path, metavar="TRANSCRIPT", help="a file that 'qa run --record' wrote")
    options = parser.parse_args(arguments)
    from programmer.qa.run import replay as play
    from programmer.qa.transcript import read

    recorded = read(options.transcript)
    difference = play(recorded)
    if difference is not None:
        talk.data(f"{options.transcript}: {difference}")
        return Exit.REFUSED
    talk.data(f"{options.transcript}: all {len(recorded.lines)} lines come back.")
    return Exit.DONE


def schema(arguments: list[str]) -> int:
    """Print the JSON Schema of scenario files, for editors."""
    command("qa schema", "> scenario.schema.json").parse_args(arguments)
    from programmer.qa.scenario import ScenarioFile

    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **ScenarioFile.model_json_schema()}
    talk.data(json.dumps(body, indent=1, ensure_ascii=True))
    return Exit.DONE


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = command("qa run", "tests/scenarios --junit out.xml", "visit.toml --seed 7 --record visit.jsonl")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="scenario files, or folders of them")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the verdicts as JUnit XML")
    parser.add_argument("--seed", type=int, metavar="N", help="use this seed in place of the files' own")
    parser.add_argument("--record", type=Path, metavar="FILE", help="write the transcript of the one scenario")
    parser.add_argument(
        "--via", choices=VIA, default=VIA[0], help="how tablet and pump are joined (default: %(default)s)"
    )
    parser.add_argument(
        "--vary", action="append", default=[], metavar="NAME=VALUE", help="only this choice of what the file varies"
    )
    parser.add_argument(
        "--artefacts",
        type=Path,
        default=ARTEFACTS,
        metavar="DIR",
        help="where failures are kept (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if options.seed is not None and options.seed < 0:
        raise talk.Usage("A seed is a whole number from 0 on.")
    if options.record is not None and options.via != "simulation":
        raise talk.Usage("Only a simulated run can be recorded: over a real line times do not come back.")
    return options


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    """The scenarios of all paths, sorted by path. Raises ``ScenarioInvalid``, ``Usage``."""
    from programmer.qa.scenario import parse, variants

    files: list[Path] = []
    for path in options.paths:
        files += sorted(path.rglob("*.toml")) if path.is_dir() else [path]
    found = [scenario for path in files for scenario in variants(path)]
    if options.vary:
        chosen = tuple((name, value) for name, _, value in (text.partition("=") for text in options.vary))
        named = {name for scenario in found for name, _ in scenario.vary}
        if len(files) != 1 or {name for name, _ in chosen} != named:
            raise talk.Usage(
                f"--vary takes one file and every name that it varies: {', '.join(sorted(named)) or 'none'}."
            )
        found = [parse(found[0].text, found[0].source, chosen)]
    if not found:
        raise talk.Usage("There is no scenario file (.toml) in what was named.")
    if options.record is not None and (len(found) != 1 or found[0].every_byte):
        raise talk.Usage("A transcript is of one run: name one scenario, and one choice of what it varies with --vary.")
    return found


def _tell(result: Result) -> None:
    count = f"  ({result.cases} cases)" if result.cases > 1 else ""
    talk.data(f"{'passed' if result.passed else 'FAILED'}  {result.title}{count}")
    if not result.passed:
        talk.data(f"        {result.failure}")
        if result.artefacts is not None:
            talk.data(f"        artefacts: {result.artefacts}")


def _fired(results: list[Result]) -> set[str]:
    return {fault for item in results for fault in item.fired}
