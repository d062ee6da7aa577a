"""Tolerance of flow and strength, and the grain of stroke pumps."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from programmer.clinical.refusals import CalculationRefused


@dataclass(frozen=True, slots=True)
class DoseBand:
    """Least and greatest dose that the labelled tolerances allow."""

    low_mcg_per_day: Fraction
    high_mcg_per_day: Fraction


def dose_band(
    dose_mcg_per_day: Fraction,
    flow_accuracy_fraction: Fraction,
    conc_tolerance_fraction: Fraction | None = None,
) -> DoseBand:
    """Both tolerances in the same direction."""
    a, t = flow_accuracy_fraction, conc_tolerance_fraction or Fraction(0)
    return DoseBand(dose_mcg_per_day * (1 - a) * (1 - t), dose_mcg_per_day * (1 + a) * (1 + t))


@dataclass(frozen=True, slots=True)
class QuantisedDose:
    """Whole strokes in every delivery and the dose they give."""

    strokes_per_delivery: int
    achieved_mcg_per_day: Fraction
    error_percent: Fraction


def quantised_dose(
    dose_mcg_per_day: Fraction, conc_mcg_per_ml: Fraction, stroke_ul: Fraction, deliveries_per_day: int
) -> QuantisedDose:
    """Nearest whole number of strokes, an exact half down; zero strokes are refused."""
    wanted = dose_mcg_per_day / conc_mcg_per_ml * 1000 / deliveries_per_day / stroke_ul
    strokes = ceil(wanted - Fraction(1, 2))
    if strokes == 0:
        raise CalculationRefused("BELOW_ONE_STROKE")
    achieved = strokes * stroke_ul / 1000 * deliveries_per_day * conc_mcg_per_ml
    return QuantisedDose(strokes, achieved, (achieved / dose_mcg_per_day - 1) * 100)
