"""What is known of the doses of the last days, and what a new dose is judged against."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction

from programmer.clinical.library import DrugLibrary
from programmer.clinical.limits import DoseContext
from programmer.clinical.profiles import PumpProfile
from programmer.records.rows import Program as ProgramRow
from protocol.messages import Discrepancy, Mode, Status

HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class DoseAt:
    """A daily dose and the pump's time from which it was given."""

    since_s: int
    ng_per_day: int


def mcg(ng: int) -> Fraction:
    """Micrograms of nanograms."""
    return Fraction(ng, 1_000)


def ml(nl: int) -> Fraction:
    """Millilitres of nanolitres."""
    return Fraction(nl, 1_000_000)


def pump_day(seconds: int) -> date:
    """The calendar day of a pump time."""
    return datetime.fromtimestamp(seconds, UTC).date()


def doses(rows: Sequence[ProgramRow], status: Status) -> list[DoseAt]:
    """The doses that this tablet's log knows, oldest first, ending with the one that runs.

    A log that does not know the running dose says nothing of the days before it.
    """
    known = []
    for row in reversed(rows):
        program = json.loads(row.program)
        if isinstance(program, dict) and row.kind == "dose":
            known.append(DoseAt(int(program["staged_at_s"]), int(program["dose_ng_per_day"])))
    if known and known[-1].ng_per_day == status.dose_ng_per_day and abs(known[-1].since_s - status.since_s) <= HOUR_S:
        return known
    return [DoseAt(status.since_s, status.dose_ng_per_day)]


def dose_before(history: Sequence[DoseAt], moment_s: int) -> int | None:
    """The dose given at ``moment_s`` in ng/day; None where the history does not reach back."""
    given = [item.ng_per_day for item in history if item.since_s <= moment_s]
    return given[-1] if given else None


def context(
    status: Status,
    history: Sequence[DoseAt],
    population: str,
    phase: str,
    profile: PumpProfile,
    library: DrugLibrary,
) -> DoseContext:
    """What a new simple-continuous dose is judged against, from the pump's own report and the log."""
    now = status.pump_time_s
    day_ago, week_ago = (dose_before(history, now - hours * HOUR_S) for hours in (24, 168))
    running = mcg(status.dose_ng_per_day) if status.mode is Mode.SIMPLE else None
    return DoseContext(
        population=population,
        phase=phase,
        running_mcg_per_day=running,
        conc_mcg_per_ml=mcg(status.concentration_ng_per_ml),
        last_therapeutic_mcg_per_day=mcg(status.dose_ng_per_day) if status.dose_ng_per_day else None,
        profile=profile,
        library=library,
        today=pump_day(now),
        hours_since_change=Fraction(now - status.since_s, HOUR_S),
        dose_24h_ago_mcg_per_day=None if day_ago is None else mcg(day_ago),
        dose_7d_ago_mcg_per_day=None if week_ago is None else mcg(week_ago),
        discrepancy_open=status.discrepancy is Discrepancy.OPEN,
    )
