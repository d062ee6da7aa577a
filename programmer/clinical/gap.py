"""Field exposure, stops and gaps in therapy."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

ZERO = Fraction(0)
GAP_ENDS_AFTER_HOURS = 24
RESUME_ALONE_HOURS = 2
RESUME_HOURS = 48


def mri_valve_bolus(max_ul: Fraction, conc_mcg_per_ml: Fraction) -> Fraction:
    """Drug in mcg that a valve may let through in a magnetic field."""
    return max_ul / 1000 * conc_mcg_per_ml


def mri_missed_dose(dose_mcg_per_day: Fraction, hours: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Missed drug in mcg for each length of a stall."""
    return tuple(dose_mcg_per_day * each / 24 for each in hours)


@dataclass(frozen=True, slots=True)
class StopAlarm:
    """Alarm and warning of a pump that stood too long."""

    alarm: str
    warn: str


def stopped_too_long(stopped_hours: Fraction, limit_hours: Fraction) -> StopAlarm:
    """Both fire if the pump was stopped longer than the limit."""
    return StopAlarm("CRITICAL", "TUBE_SET") if stopped_hours > limit_hours else StopAlarm("NONE", "NONE")


@dataclass(frozen=True, slots=True)
class HistoryPiece:
    """A stretch of ``hours`` at one delivered dose."""

    hours: Fraction
    mcg_per_day: Fraction


@dataclass(frozen=True, slots=True)
class TherapyGap:
    """Hours without therapy and the drug missed in them."""

    gap_h: Fraction
    missed_mcg: Fraction


def therapy_gap(last_mcg_per_day: Fraction, history_newest_first: Sequence[HistoryPiece]) -> TherapyGap:
    """Hours below half of the last therapeutic dose, counted back until 24 h in a row were given."""
    gap, missed, given = ZERO, ZERO, ZERO
    for piece in history_newest_first:
        if 2 * piece.mcg_per_day < last_mcg_per_day:
            gap += piece.hours
            missed += (last_mcg_per_day - piece.mcg_per_day) * piece.hours / 24
            given = ZERO
        else:
            given += piece.hours
            if given >= GAP_ENDS_AFTER_HOURS:
                break
    return TherapyGap(gap, missed)


@dataclass(frozen=True, slots=True)
class RestartRule:
    """How therapy is taken up again after a gap."""

    action: str
    persons: int
    monitored_bed: bool
    low_mcg_per_day: Fraction
    high_mcg_per_day: Fraction


def restart_rule(gap_h: Fraction, last_mcg_per_day: Fraction, start_rule_mcg_per_day: Fraction) -> RestartRule:
    """To 2 h: alone. To 48 h: two persons. Longer: a newly keyed dose, never above the last one."""
    last = last_mcg_per_day
    if gap_h <= RESUME_ALONE_HOURS:
        return RestartRule("resume", 1, False, last, last)
    if gap_h <= RESUME_HOURS:
        return RestartRule("resume_two_persons", 2, False, last, last)
    return RestartRule("new_dose", 2, True, min(start_rule_mcg_per_day, last), last)
