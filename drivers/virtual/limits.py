"""The pump's own hard limits: its own code and its own data, sharing nothing with the programmer.

A proposed program is judged against hardware (flow range, capacity) and against the hard row this pump was
provisioned with for its patient. Only *changed* values are judged; an upper limit never refuses an unchanged
or lower value, because patients arrive with them. Limits are inclusive. Nothing is clamped.

The dose window looks forward: at every future instant of the plan the trailing 24 h and 1 h are within the
limit, with what was delivered before still counted; unknown history counts as the oldest known dose. (A
window that only looks back lets an increase after a pause exceed it later.)
Sources: baclofen label (steps), safety rules for patient-controlled pumps (window).
Units: dose ng/day, concentration ng/mL, volume nL, flow nL/day, time ms. Integers throughout.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from drivers.virtual import window
from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.physics import rate_for_dose
from drivers.virtual.profiles import Profile

HOUR_MS = 3_600_000
WEEK_MS = 7 * DAY_MS


class HardRow(BaseModel):
    """One row of hard limits for one patient, inclusive. Percentages are of the dose compared with."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    dose_high_ng_day: int = Field(gt=0)
    step_up_percent: int = Field(ge=0)
    step_down_percent: int = Field(ge=0, le=100)
    change_24h_percent: int = Field(ge=0)
    change_7d_percent: int = Field(ge=0)
    window_24h_ng: int = Field(gt=0)
    window_1h_ng: int = Field(gt=0)
    alarm_low_nl: int = Field(ge=0)


class _Rows(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    version: int
    row: dict[str, HardRow]


def load_rows() -> dict[str, HardRow]:
    """The rows that stand beside this file, by population."""
    text = files("drivers.virtual").joinpath("limits.toml").read_text(encoding="utf-8")
    return _Rows.model_validate(tomllib.loads(text)).row


@dataclass(frozen=True, slots=True)
class Setting:
    """What a simple program decides: dose, concentration, alarm volume."""

    dose_ng_day: int
    conc_ng_ml: int
    alarm_nl: int


@dataclass(frozen=True, slots=True)
class Past:
    """A dose in force from `at_ms` (pump clock) on; a history is ordered by time."""

    at_ms: int
    dose_ng_day: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A hard limit that a program breaks: `value` and `limit` in the unit the code implies."""

    code: str
    value: int
    limit: int


def judge(
    running: Setting,
    proposed: Setting,
    *,
    history: tuple[Past, ...],
    now_ms: int,
    row: HardRow,
    profile: Profile,
    discrepancy_open: bool = False,
) -> tuple[Refusal, ...]:
    """Every hard limit that `proposed` breaks; empty means the pump accepts it.

    `running` is the last signed therapeutic setting. `history` holds the therapeutic doses of at least the
    last seven days where they are known.
    """
    found: list[Refusal] = []
    if proposed.conc_ng_ml != running.conc_ng_ml:
        found.append(Refusal("BRIDGE_UNDECIDED", proposed.conc_ng_ml, running.conc_ng_ml))
    if proposed.dose_ng_day != running.dose_ng_day:
        found += _dose(running, proposed, history, now_ms, row, discrepancy_open)
        found += _flow(running, proposed, profile)
    if proposed.alarm_nl != running.alarm_nl:
        found += _alarm(running, proposed, row, profile)
    return tuple(found)


def _dose(
    running: Setting,
    proposed: Setting,
    history: tuple[Past, ...],
    now_ms: int,
    row: HardRow,
    discrepancy_open: bool,
) -> list[Refusal]:
    new, old = proposed.dose_ng_day, running.dose_ng_day
    found: list[Refusal] = []
    if new < old:
        if new * 100 < old * (100 - row.step_down_percent):
            found.append(Refusal("DECREASE_ABOVE_HARD", new, old * (100 - row.step_down_percent) // 100))
        return found
    if discrepancy_open:
        found.append(Refusal("DISCREPANCY_OPEN", new, old))
    if new > row.dose_high_ng_day:
        found.append(Refusal("DOSE_ABOVE_HARD", new, row.dose_high_ng_day))
    bases = (
        ("CHANGE_ABOVE_HARD", old, row.step_up_percent),
        ("CHANGE_24H", dose_at(history, now_ms - DAY_MS, old), row.change_24h_percent),
        ("CHANGE_7D", dose_at(history, now_ms - WEEK_MS, old), row.change_7d_percent),
    )
    for code, base, percent in bases:
        if new * 100 > base * (100 + percent):
            found.append(Refusal(code, new, base * (100 + percent) // 100))
    for span, limit in ((DAY_MS, row.window_24h_ng), (HOUR_MS, row.window_1h_ng)):
        peak = window_peak(history, new, now_ms, span, old)
        if peak > limit * DAY_MS:
            found.append(Refusal("WINDOW_ABOVE_HARD", -(-peak // DAY_MS), limit))
    return found


def _flow(running: Setting, proposed: Setting, profile: Profile) -> list[Refusal]:
    if proposed.conc_ng_ml <= 0:
        return []
    flow = rate_for_dose(proposed.dose_ng_day, proposed.conc_ng_ml)
    if flow < profile.flow_min_nl_day:
        return [Refusal("FLOW_BELOW_MINIMUM", flow, profile.flow_min_nl_day)]
    if flow > profile.flow_max_nl_day and proposed.dose_ng_day > running.dose_ng_day:
        return [Refusal("FLOW_ABOVE_MAXIMUM", flow, profile.flow_max_nl_day)]
    return []


def _alarm(running: Setting, proposed: Setting, row: HardRow, profile: Profile) -> list[Refusal]:
    if proposed.alarm_nl < row.alarm_low_nl and proposed.alarm_nl < running.alarm_nl:
        return [Refusal("ALARM_VOLUME_LOW", proposed.alarm_nl, row.alarm_low_nl)]
    if proposed.alarm_nl > profile.capacity_nl and proposed.alarm_nl > running.alarm_nl:
        return [Refusal("ALARM_VOLUME_HIGH", proposed.alarm_nl, profile.capacity_nl)]
    return []


def judge_volume(volume_nl: int, profile: Profile) -> tuple[Refusal, ...]:
    """A refill's reservoir volume against the capacity: a *plan* above it is refused."""
    if volume_nl > profile.capacity_nl:
        return (Refusal("VOLUME_ABOVE_CAPACITY", volume_nl, profile.capacity_nl),)
    return ()


def dose_at(history: tuple[Past, ...], at_ms: int, otherwise: int) -> int:
    """The dose in force at an instant; before the first known entry the oldest known dose."""
    dose = history[0].dose_ng_day if history else otherwise
    for past in history:
        if past.at_ms <= at_ms:
            dose = past.dose_ng_day
    return dose


def window_peak(history: tuple[Past, ...], new_dose: int, now_ms: int, span_ms: int, otherwise: int) -> int:
    """Largest amount (ng/day x ms) in any trailing window of `span_ms` ending at or after `now_ms`, if
    `new_dose` runs from now on for ever."""
    past = [(p.at_ms, Accumulator.constant(p.dose_ng_day)) for p in history if p.at_ms < now_ms]
    known = past or [(now_ms - 1, Accumulator.constant(dose_at(history, now_ms - 1, otherwise)))]
    plan = window.Plan((*known, (now_ms, Accumulator.constant(new_dose))))
    return window.peak(plan, span_ms=span_ms, now_ms=now_ms).amount
