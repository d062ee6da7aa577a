"""Single boluses and the patient's own boluses."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from programmer.clinical.refusals import CalculationRefused


@dataclass(frozen=True, slots=True)
class Bolus:
    """A bolus; rate and ``allowed`` only if a duration was given."""

    volume_ml: Fraction
    min_minutes: Fraction
    rate_ml_per_h: Fraction | None = None
    allowed: bool | None = None


def bolus(
    dose_mcg: Fraction, conc_mcg_per_ml: Fraction, max_ml_per_h: Fraction, minutes: Fraction | None = None
) -> Bolus:
    """Volume, shortest time, and the rate over ``minutes``; faster than the limit is refused."""
    volume = dose_mcg / conc_mcg_per_ml
    shortest = volume / max_ml_per_h * 60
    if minutes is None:
        return Bolus(volume, shortest)
    rate = volume / minutes * 60
    if rate > max_ml_per_h:
        raise CalculationRefused("RATE_ABOVE_MAXIMUM", volume_ml=volume, min_minutes=shortest, rate_ml_per_h=rate)
    return Bolus(volume, shortest, rate, True)


@dataclass(frozen=True, slots=True)
class PatientBolusMax:
    """The most a patient can take in any 24 hours."""

    activations: int
    max_mcg_per_day: Fraction


def patient_bolus_daily_max(
    basal_mcg_per_day: Fraction, bolus_mcg: Fraction, max_per_day: int, lockout_h: Fraction | None = None
) -> PatientBolusMax:
    """Presses a lockout apart: ceil, because presses at 0, 5, 10, 15 and 20 h all fit into a day."""
    fitting = max_per_day if lockout_h is None else min(max_per_day, ceil(24 / lockout_h))
    return PatientBolusMax(fitting, basal_mcg_per_day + fitting * bolus_mcg)
