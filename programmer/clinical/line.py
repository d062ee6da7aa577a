"""Line volumes: catheter, priming, time to the tip, content."""

from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused


def catheter_volume_ml(length_cm: Fraction, ml_per_cm: Fraction, removed_cm: Fraction | None = None) -> Fraction:
    """Volume in mL of the catheter that is left after trimming."""
    removed = removed_cm or Fraction(0)
    if removed > length_cm:
        raise CalculationRefused("REMOVED_EXCEEDS_LENGTH")
    return (length_cm - removed) * ml_per_cm


@dataclass(frozen=True, slots=True)
class PrimingBolus:
    """A priming bolus; its displayed dose fills the line, the patient does not receive it."""

    volume_ml: Fraction
    displayed_dose_mcg: Fraction
    duration_min: Fraction


def priming_bolus(
    tubing_ml: Fraction, catheter_ml: Fraction, conc_mcg_per_ml: Fraction, rate_ml_per_h: Fraction
) -> PrimingBolus:
    """Volume of tubing and catheter, the dose it is displayed as, and its duration."""
    volume = tubing_ml + catheter_ml
    return PrimingBolus(volume, volume * conc_mcg_per_ml, volume / rate_ml_per_h * 60)


@dataclass(frozen=True, slots=True)
class PrimingError:
    """Excess of a wrong line constant; negative means under-primed."""

    excess_ml: Fraction
    excess_mcg: Fraction


def priming_constant_error(used_ml: Fraction, true_ml: Fraction, conc_mcg_per_ml: Fraction) -> PrimingError:
    """What priming with ``used_ml`` instead of ``true_ml`` puts into the patient."""
    excess = used_ml - true_ml
    return PrimingError(excess, excess * conc_mcg_per_ml)


def time_to_tip_hours(path_ml: Fraction, flow_ml_per_day: Fraction) -> Fraction:
    """Hours until what leaves the reservoir now leaves the tip."""
    return path_ml / flow_ml_per_day * 24


def line_content_mcg(catheter_ml: Fraction, conc_mcg_per_ml: Fraction) -> Fraction:
    """Drug in mcg that a line volume holds."""
    return catheter_ml * conc_mcg_per_ml
