"""Fuzz for a time and print what was run: ``python -m tests.fuzz --seconds 60``. Status 1 on a find."""

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.search import Find, Search, fault, for_seconds
from tests.fuzz.targets import TARGETS


def report(searches: list[Search], seconds: float) -> None:
    """Executions, executions a second and distinct outcomes, for each target and in all."""
    print(f"{'target':<12}{'executions':>12}{'a second':>10}{'outcomes':>10}{'slowest ms':>12}")
    for search in searches:
        tally = search.tally
        rate = tally.executions / tally.seconds if tally.seconds else 0
        print(
            f"{search.target.name:<12}{tally.executions:>12}{rate:>10.0f}{len(tally.outcomes):>10}"
            f"{tally.slowest_ms:>12.1f}"
        )
    runs = sum(search.tally.executions for search in searches)
    kinds = sum(len(search.tally.outcomes) for search in searches)
    print(f"{'in all':<12}{runs:>12}{runs / seconds:>10.0f}{kinds:>10}   in {seconds:.1f} s")


def keep(finds: list[Find], folder: Path | None) -> None:
    """Print each find, and save it as ``TARGET-NUMBER.hex`` where a folder is given."""
    for number, find in enumerate(finds):
        print(f"FIND {find.target}: {find.why}\n{find.data.hex()}")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{find.target}-{number}.hex"
            path.write_text(f"{find.data.hex()}\n", encoding="ascii")
            print(f"saved as {path}; again: python -m tests.fuzz --target {find.target} --again {path}")


def main(arguments: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="of the generator (default: another each time)")
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be given again")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where finds are saved")
    parser.add_argument("--again", type=Path, metavar="FILE", help="run one saved input on the one target given")
    given = parser.parse_args(arguments)
    names = given.target or list(TARGETS)
    if given.again is not None:
        if len(names) != 1:
            parser.error("--again needs exactly one --target")
        data = bytes.fromhex(given.again.read_text(encoding="ascii"))
        why = fault(TARGETS[names[0]], data)
        print(why or f"holds: {TARGETS[names[0]].run(data)}")
        return 1 if why else 0
    seed = time.time_ns() if given.seed is None else given.seed
    searches = [Search(TARGETS[name], seed) for name in names]
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    finds = for_seconds(searches, given.seconds)
    report(searches, time.monotonic() - began)
    keep(finds, given.keep)
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
