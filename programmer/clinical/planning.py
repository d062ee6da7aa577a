"""Dose planning: label steps, start dose, titration, taper.

Source: baclofen injection label digests and Boster 2016 (label step maxima by population).
"""

from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused

LABEL_STEP_PERCENT = {
    "titration": {"adult_spinal": 30, "adult_cerebral": 15, "child_4_11": 15, "child_12_17": 15},
    "maintenance": {"adult_spinal": 40, "adult_cerebral": 20, "child_4_11": 20, "child_12_17": 20},
}
LABEL_DECREASE_PERCENT = 20
LONG_EFFECT_HOURS = 8
MOST_STEPS = 10_000
"""More steps than any plan has; the exact value would grow without bound."""


@dataclass(frozen=True, slots=True)
class TitrationStep:
    """An increase in percent against the label maximum."""

    change_percent: Fraction
    label_max_percent: Fraction
    exceeds_label_step: bool


def titration_step(old_mcg_per_day: Fraction, new_mcg_per_day: Fraction, population: str, phase: str) -> TitrationStep:
    """An increase against the label's largest step; equal to it is not above it."""
    if new_mcg_per_day < old_mcg_per_day:
        raise CalculationRefused("NOT_AN_INCREASE")
    change = (new_mcg_per_day - old_mcg_per_day) / old_mcg_per_day * 100
    largest = Fraction(LABEL_STEP_PERCENT[phase][population])
    return TitrationStep(change, largest, change > largest)


def initial_dose(screening_mcg: Fraction, effect_hours: Fraction) -> Fraction:
    """Start dose in mcg/day: twice the effective screening dose; once if the effect lasted over 8 h."""
    return screening_mcg if effect_hours > LONG_EFFECT_HOURS else 2 * screening_mcg


@dataclass(frozen=True, slots=True)
class Decrease:
    """A decrease in percent (zero or negative)."""

    change_percent: Fraction
    exceeds_label_step: bool


def maintenance_decrease(old_mcg_per_day: Fraction, new_mcg_per_day: Fraction) -> Decrease:
    """A decrease against the label's 20 %."""
    if new_mcg_per_day > old_mcg_per_day:
        raise CalculationRefused("NOT_A_DECREASE")
    change = (new_mcg_per_day - old_mcg_per_day) / old_mcg_per_day * 100
    return Decrease(change, -change > LABEL_DECREASE_PERCENT)


@dataclass(frozen=True, slots=True)
class Compounded:
    """Dose and cumulative percent after repeated steps."""

    final_mcg_per_day: Fraction
    cumulative_percent: Fraction


def compounded_titration(start_mcg_per_day: Fraction, percent: Fraction, steps: int) -> Compounded:
    """Repeated increase by the same percentage; more than 10,000 steps are outside the domain."""
    if steps > MOST_STEPS:
        raise CalculationRefused("OUT_OF_DOMAIN", field="steps")
    factor: Fraction = (1 + percent / 100) ** steps
    return Compounded(start_mcg_per_day * factor, (factor - 1) * 100)


@dataclass(frozen=True, slots=True)
class Taper:
    """Steps of a taper and the dose it ends at."""

    steps: int
    final_mcg_per_day: Fraction


def taper(start_mcg_per_day: Fraction, percent: Fraction, stop_below_mcg_per_day: Fraction) -> Taper:
    """Repeated decrease until strictly below the stop value; over 10,000 steps is outside the domain."""
    factor = 1 - percent / 100
    above, below = 1, 1
    for steps in range(MOST_STEPS + 1):
        # start * factor^steps < stop, with the powers kept apart so that each turn is one product
        left = above * start_mcg_per_day.numerator * stop_below_mcg_per_day.denominator
        if left < below * stop_below_mcg_per_day.numerator * start_mcg_per_day.denominator:
            return Taper(steps, start_mcg_per_day * Fraction(above, below))
        above *= factor.numerator
        below *= factor.denominator
    raise CalculationRefused("OUT_OF_DOMAIN", field="percent")
