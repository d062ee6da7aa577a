"""Conversions between dose, strength, flow and volume; exact."""

from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused

HOURS_PER_DAY = 24
MCG_PER_MG = 1000


def flow_ml_per_day(dose_mcg_per_day: Fraction, conc_mcg_per_ml: Fraction) -> Fraction:
    """Flow in mL/day that gives a dose (mcg/day) at a strength (mcg/mL, above 0)."""
    return dose_mcg_per_day / conc_mcg_per_ml


def dose_mcg_per_day(flow_ml_per_day: Fraction, conc_mcg_per_ml: Fraction) -> Fraction:
    """Dose in mcg/day that a flow (mL/day) gives at a strength (mcg/mL)."""
    return flow_ml_per_day * conc_mcg_per_ml


def mcg_per_hour(dose_mcg_per_day: Fraction) -> Fraction:
    """Dose in mcg/h of a daily dose."""
    return dose_mcg_per_day / HOURS_PER_DAY


def conc_from_label(mass_mg: Fraction, volume_ml: Fraction) -> Fraction:
    """Strength in mcg/mL of a vial with ``mass_mg`` in ``volume_ml`` (above 0)."""
    return mass_mg * MCG_PER_MG / volume_ml


@dataclass(frozen=True, slots=True)
class Dilution:
    """Volumes in mL that make up the final volume."""

    stock_ml: Fraction
    diluent_ml: Fraction


def dilution(stock_mcg_per_ml: Fraction, target_mcg_per_ml: Fraction, final_ml: Fraction) -> Dilution:
    """Stock and diluent for ``final_ml`` at the target strength; refuses a target above the stock."""
    if target_mcg_per_ml > stock_mcg_per_ml:
        raise CalculationRefused("TARGET_ABOVE_STOCK")
    stock_ml = final_ml * target_mcg_per_ml / stock_mcg_per_ml
    return Dilution(stock_ml, final_ml - stock_ml)


def bolus_volume_ml(dose_mcg: Fraction, conc_mcg_per_ml: Fraction) -> Fraction:
    """Volume in mL that holds a dose (mcg) at a strength (mcg/mL, above 0)."""
    return dose_mcg / conc_mcg_per_ml
