"""Concentration change as plug flow: the bridge, what happens without it, mixing, line slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from programmer.clinical.refusals import CalculationRefused

ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class LineSlice:
    """A slice of the line at one strength; 0 mcg/mL is saline, spinal fluid or factory fluid."""

    volume_ml: Fraction
    conc_mcg_per_ml: Fraction


@dataclass(frozen=True, slots=True)
class Bridge:
    """A bridge; for equal strengths only ``bridge_required`` is set."""

    bridge_required: bool
    bridge_volume_ml: Fraction | None = None
    bridge_dose_mcg: Fraction | None = None
    bridge_flow_ml_per_day: Fraction | None = None
    duration_days: Fraction | None = None
    duration_hours: Fraction | None = None
    after_flow_ml_per_day: Fraction | None = None


def bridge_bolus(
    path_ml: Fraction,
    old_conc_mcg_per_ml: Fraction,
    new_conc_mcg_per_ml: Fraction,
    bridge_dose_mcg_per_day: Fraction,
    min_flow_ml_per_day: Fraction | None = None,
    max_flow_ml_per_day: Fraction | None = None,
) -> Bridge:
    """The flow that keeps the dose while old drug leaves the line, then the flow after it."""
    if old_conc_mcg_per_ml == new_conc_mcg_per_ml:
        return Bridge(False)
    during = bridge_dose_mcg_per_day / old_conc_mcg_per_ml
    after = bridge_dose_mcg_per_day / new_conc_mcg_per_ml
    flows = (during, after)
    if min_flow_ml_per_day is not None and min(flows) < min_flow_ml_per_day:
        raise CalculationRefused("FLOW_BELOW_MINIMUM", bridge_flow_ml_per_day=during, after_flow_ml_per_day=after)
    if max_flow_ml_per_day is not None and max(flows) > max_flow_ml_per_day:
        raise CalculationRefused("FLOW_ABOVE_MAXIMUM", bridge_flow_ml_per_day=during, after_flow_ml_per_day=after)
    days = path_ml * old_conc_mcg_per_ml / bridge_dose_mcg_per_day
    return Bridge(True, path_ml, path_ml * old_conc_mcg_per_ml, during, days, days * 24, after)


@dataclass(frozen=True, slots=True)
class OmittedBridge:
    """What reaches the patient when the bridge is left out."""

    transient_dose_mcg_per_day: Fraction
    transient_hours: Fraction
    ratio_to_prescribed: Fraction
    signed_error_mcg: Fraction


def omitted_bridge(
    path_ml: Fraction,
    old_conc_mcg_per_ml: Fraction,
    new_conc_mcg_per_ml: Fraction,
    dose_mcg_per_day: Fraction,
) -> OmittedBridge:
    """Old drug leaves the line at the flow meant for the new strength."""
    flow = dose_mcg_per_day / new_conc_mcg_per_ml
    return OmittedBridge(
        flow * old_conc_mcg_per_ml,
        path_ml / flow * 24,
        old_conc_mcg_per_ml / new_conc_mcg_per_ml,
        path_ml * (old_conc_mcg_per_ml - new_conc_mcg_per_ml),
    )


@dataclass(frozen=True, slots=True)
class WrongPath:
    """The tail of a bridge that was computed with a wrong line volume."""

    duration_hours: Fraction
    tail: str
    tail_hours: Fraction
    delivered_in_tail_mcg: Fraction
    prescribed_in_tail_mcg: Fraction
    excess_mcg: Fraction


def bridge_with_wrong_path(
    path_true_ml: Fraction,
    path_used_ml: Fraction,
    old_conc_mcg_per_ml: Fraction,
    new_conc_mcg_per_ml: Fraction,
    bridge_dose_mcg_per_day: Fraction,
) -> WrongPath:
    """Too long a bridge ends with new drug at the bridge flow, too short a one with old drug at the new."""
    dose = bridge_dose_mcg_per_day
    hours = path_used_ml * old_conc_mcg_per_ml / dose * 24
    wrong = abs(path_used_ml - path_true_ml)
    if wrong == 0:
        return WrongPath(hours, "none", ZERO, ZERO, ZERO, ZERO)
    if path_used_ml > path_true_ml:
        tail, days = "new_drug_at_bridge_flow", wrong * old_conc_mcg_per_ml / dose
        delivered = wrong * new_conc_mcg_per_ml
    else:
        tail, days = "old_drug_at_new_flow", wrong * new_conc_mcg_per_ml / dose
        delivered = wrong * old_conc_mcg_per_ml
    prescribed = dose * days
    return WrongPath(hours, tail, days * 24, delivered, prescribed, delivered - prescribed)


@dataclass(frozen=True, slots=True)
class MultiSegmentBridge:
    """A bridge over a line that holds several strengths, tip first."""

    flow_ml_per_day_by_segment: tuple[Fraction, ...]
    hours_by_segment: tuple[Fraction, ...]
    duration_hours: Fraction
    after_flow_ml_per_day: Fraction


def bridge_multi_segment(
    segments_tip_first: Sequence[LineSlice],
    new_conc_mcg_per_ml: Fraction,
    bridge_dose_mcg_per_day: Fraction,
) -> MultiSegmentBridge:
    """One flow for each slice, so that the dose at the tip never changes."""
    dose = bridge_dose_mcg_per_day
    flows = tuple(dose / piece.conc_mcg_per_ml for piece in segments_tip_first)
    hours = tuple(piece.volume_ml * piece.conc_mcg_per_ml / dose * 24 for piece in segments_tip_first)
    return MultiSegmentBridge(flows, hours, sum(hours, ZERO), dose / new_conc_mcg_per_ml)


@dataclass(frozen=True, slots=True)
class Mixture:
    """Strength of a mixture and how far it is off the label of the new drug."""

    mixed_mcg_per_ml: Fraction
    error_percent_vs_label: Fraction


def _mixed(volume_a: Fraction, conc_a: Fraction, volume_b: Fraction, conc_b: Fraction) -> Fraction:
    return (volume_a * conc_a + volume_b * conc_b) / (volume_a + volume_b)


def mixed_concentration(
    residual_ml: Fraction, old_conc_mcg_per_ml: Fraction, added_ml: Fraction, new_conc_mcg_per_ml: Fraction
) -> Mixture:
    """Strength after filling onto what could not be withdrawn."""
    mixed = _mixed(residual_ml, old_conc_mcg_per_ml, added_ml, new_conc_mcg_per_ml)
    return Mixture(mixed, (mixed / new_conc_mcg_per_ml - 1) * 100)


@dataclass(frozen=True, slots=True)
class RinsedMixture:
    """Strength after one rinse and the fill; ``label_allowed`` if within the tolerance."""

    rinsed_mcg_per_ml: Fraction
    mixed_mcg_per_ml: Fraction
    error_percent_vs_label: Fraction
    label_allowed: bool


def rinse_and_fill(
    residual_ml: Fraction,
    old_conc_mcg_per_ml: Fraction,
    rinse_ml: Fraction,
    added_ml: Fraction,
    new_conc_mcg_per_ml: Fraction,
    tolerance_fraction: Fraction,
) -> RinsedMixture:
    """One rinse with the new drug, withdrawn down to the same residual, then the fill."""
    rinsed = _mixed(residual_ml, old_conc_mcg_per_ml, rinse_ml, new_conc_mcg_per_ml)
    mixture = mixed_concentration(residual_ml, rinsed, added_ml, new_conc_mcg_per_ml)
    error = mixture.error_percent_vs_label
    return RinsedMixture(rinsed, mixture.mixed_mcg_per_ml, error, abs(error) <= tolerance_fraction * 100)


@dataclass(frozen=True, slots=True)
class LineAtFlow:
    """What leaves the tip, slice by slice, at one flow."""

    hours_by_segment: tuple[Fraction, ...]
    mcg_per_day_by_segment: tuple[Fraction, ...]
    no_drug_hours: Fraction
    content_mcg: Fraction


def line_at_flow(segments_tip_first: Sequence[LineSlice], flow_ml_per_day: Fraction) -> LineAtFlow:
    """Hours and dose of each slice; hours of nothing; the line's content."""
    hours = tuple(piece.volume_ml / flow_ml_per_day * 24 for piece in segments_tip_first)
    return LineAtFlow(
        hours,
        tuple(flow_ml_per_day * piece.conc_mcg_per_ml for piece in segments_tip_first),
        sum((h for h, p in zip(hours, segments_tip_first, strict=True) if p.conc_mcg_per_ml == 0), ZERO),
        sum((piece.volume_ml * piece.conc_mcg_per_ml for piece in segments_tip_first), ZERO),
    )


def line_push(segments_tip_first: Sequence[LineSlice], moved_ml: Fraction, behind_mcg_per_ml: Fraction) -> Fraction:
    """Drug in mcg that leaves the tip when ``moved_ml`` are moved through a connected line."""
    left, dose = moved_ml, ZERO
    for piece in segments_tip_first:
        pushed = min(left, piece.volume_ml)
        dose += pushed * piece.conc_mcg_per_ml
        left -= pushed
    return dose + left * behind_mcg_per_ml
