"""Conformance of an adapter or a pump: cases, their outcomes, and the report.

A case is a sentence that the specification makes, and a function that tries it on the line. It passes, fails with what
was seen, or is not run and says why. Nothing here changes therapy: what is staged is the pump's own running program,
and it is always aborted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from programmer.qa.conformance_line import Bench

SCHEMA = "programmer/conformance/1"
ADAPTER, PUMP = "adapter", "pump"
ROLES = (ADAPTER, PUMP)


class Failed(Exception):
    """The device does not do what the specification says; the sentence tells what was seen."""

    exit_code = 1


class NotRun(Exception):
    """The case cannot be tried here; the sentence tells why."""

    exit_code = 1


class NothingAnswers(Exception):
    """No adapter answers on this port."""

    exit_code = 3

    def __init__(self) -> None:
        super().__init__(
            "Nothing on this port answers as a wand adapter. Check cable, power and port, and that the line runs at "
            "115,200 baud, 8N1; then run it again."
        )


class EchoHeard(Exception):
    """The line gives back what is sent to it."""

    exit_code = 3

    def __init__(self) -> None:
        super().__init__(
            "This line gives back what is sent to it. Switch off the echo of the adapter, or add ?echo=cancel to the "
            "address of the port; then run it again."
        )


class Outcome(Enum):
    """How a case ended."""

    PASS = "pass"
    FAIL = "fail"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence of the specification. ``slow``: it takes longer than a few seconds."""

    id: str
    role: str
    section: str
    says: str
    run: Callable[[Bench], None]
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case; ``detail`` is empty for a pass."""

    case: Case
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All results, in the order in which they were tried."""

    role: str
    device: str
    results: tuple[Result, ...]

    def count(self, outcome: Outcome) -> int:
        """How many cases ended so."""
        return sum(result.outcome is outcome for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether nothing failed and something was tried."""
        return not self.count(Outcome.FAIL) and bool(self.count(Outcome.PASS))

    def failures(self) -> set[str]:
        """Ids of the cases that failed."""
        return {result.case.id for result in self.results if result.outcome is Outcome.FAIL}

    def lines(self) -> list[str]:
        """The report for a person."""
        rows = [f"CONFORMANCE  role {self.role}  {self.device}", ""]
        for result in self.results:
            rows.append(
                f"{result.outcome.value:<8} SPEC {result.case.section:<4} {result.case.id:<28} {result.case.says}"
            )
            if result.detail:
                rows.append(f"{'':<14}{result.detail}")
        counts = ", ".join(f"{self.count(outcome)} {outcome.value}" for outcome in Outcome)
        return [*rows, "", f"{'CONFORMS' if self.passed else 'DOES NOT CONFORM'}: {counts}"]

    def as_json(self) -> str:
        """The report for a machine."""
        rows = [
            {
                "id": result.case.id,
                "section": result.case.section,
                "says": result.case.says,
                "outcome": result.outcome.value,
                "detail": result.detail,
            }
            for result in self.results
        ]
        counts = {outcome.value: self.count(outcome) for outcome in Outcome}
        body = {
            "schema": SCHEMA,
            "role": self.role,
            "device": self.device,
            "conforms": self.passed,
            "counts": counts,
            "cases": rows,
        }
        return json.dumps(body, indent=1, ensure_ascii=True) + "\n"


@dataclass(slots=True)
class Suite:
    """Cases in the order in which they are declared."""

    role: str
    cases: list[Case] = field(default_factory=list)

    def case(
        self, name: str, section: str, says: str, *, slow: bool = False
    ) -> Callable[[Callable[[Bench], None]], Callable[[Bench], None]]:
        """Declare a function as a case."""

        def keep(run: Callable[[Bench], None]) -> Callable[[Bench], None]:
            self.cases.append(Case(name, self.role, section, says, run, slow))
            return run

        return keep


def require(holds: bool, seen: str) -> None:
    """Raise ``Failed`` with what was seen unless ``holds``."""
    if not holds:
        raise Failed(seen)


def run(bench: Bench, role: str, cases: Sequence[Case], told: Callable[[Result], None] = lambda _: None) -> Report:
    """Try every case of ``cases``.

    Raises:
        NothingAnswers, EchoHeard: there is no adapter on this line, or one that echoes.
        PortError: the port was lost.
    """
    device = bench.begin()
    results = []
    for case in cases:
        result = _tried(bench, case)
        told(result)
        results.append(result)
    bench.close()
    return Report(role, device, tuple(results))


def _tried(bench: Bench, case: Case) -> Result:
    if case.slow and not bench.slow:
        return Result(case, Outcome.NOT_RUN, "takes its time: give --slow")
    try:
        bench.settle()
        case.run(bench)
        result = Result(case, Outcome.PASS)
    except NotRun as why:
        result = Result(case, Outcome.NOT_RUN, str(why))
    except Failed as fault:
        result = Result(case, Outcome.FAIL, str(fault))
    finally:
        bench.clear_away()
    if result.outcome is Outcome.FAIL:
        bench.hang_up()
    return result


def chosen(cases: Iterable[Case], only: str) -> list[Case]:
    """The cases whose id begins with ``only``."""
    return [case for case in cases if case.id.startswith(only)]
