"""The documented functions as a table: input specification, function, output specification.

One walk over the table implements the order of checks, the refusals and the printing rules:
same inputs, same output. No clock, file, network or configuration takes part.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from programmer.clinical import (
    bolus,
    bridge,
    conversions,
    flex,
    gap,
    line,
    planning,
    refill,
    reservoir,
    sentinels,
    service,
    tolerance,
)
from programmer.clinical.decimals import decimal_text, fraction_text, terminates
from programmer.clinical.inputs import (
    DATE,
    DEC,
    DEC_BELOW_1,
    DEC_POSITIVE,
    INT,
    INT_FROM_0,
    INT_FROM_1,
    PERCENT,
    TEXT,
    TIME,
    TIME24,
    InputType,
    Malformed,
    TwiceNamed,
    list_of,
    one_of,
    rows_of,
)
from programmer.clinical.refusals import CalculationRefused

_TYPES: Final[Mapping[str, InputType]] = {
    "dec": DEC,
    "dec>0": DEC_POSITIVE,
    "dec<1": DEC_BELOW_1,
    "pct": PERCENT,
    "int": INT,
    "int>=0": INT_FROM_0,
    "int>=1": INT_FROM_1,
    "date": DATE,
    "time": TIME,
    "text": TEXT,
    "[dec]": list_of(DEC),
    "[int>=0]": list_of(INT_FROM_0),
    "population": one_of("adult_spinal", "adult_cerebral", "child_4_11", "child_12_17"),
    "phase": one_of("titration", "maintenance"),
    "segments": rows_of(refill.DeliverySegment, {"days": DEC, "flow_ml_per_day": DEC, "stall_hours?": DEC}),
    "drug_slices": rows_of(bridge.LineSlice, {"volume_ml": DEC_POSITIVE, "conc_mcg_per_ml": DEC_POSITIVE}),
    "slices": rows_of(bridge.LineSlice, {"volume_ml": DEC_POSITIVE, "conc_mcg_per_ml": DEC}),
    "steps": rows_of(
        flex.FlexStep,
        {"start": TIME, "mcg_per_h?": DEC, "dose_mcg?": DEC},
        lambda steps: (
            all(step.dose_mcg is None and step.mcg_per_h is not None for step in steps)
            or all(step.mcg_per_h is None and step.dose_mcg is not None for step in steps)
        ),
    ),
    "spans": rows_of(flex.FlexSpan, {"start": TIME, "end": TIME24}),
    "history": rows_of(gap.HistoryPiece, {"hours": DEC_POSITIVE, "mcg_per_day": DEC}),
}


@dataclass(frozen=True, slots=True)
class Function:
    """A documented function: inputs in their order, the computation, outputs in their order.

    ``outputs`` maps the printed name to the attribute of the result ("" for the result itself).
    """

    inputs: tuple[tuple[str, InputType, bool], ...]
    compute: Callable[..., Any]
    outputs: tuple[tuple[str, str], ...]


def _function(compute: Callable[..., Any], inputs: str, outputs: str) -> Function:
    """Read one row: ``name:type`` (``?`` after the name: optional); ``name`` or ``name=attribute``."""
    fields = []
    for part in inputs.split():
        name, kind = part.split(":", 1)
        fields.append((name.rstrip("?"), _TYPES[kind], name.endswith("?")))
    names = outputs.split()
    if len(names) == 1 and "=" not in names[0]:
        return Function(tuple(fields), compute, ((names[0], ""),))
    pairs = (name.partition("=") for name in names)
    return Function(tuple(fields), compute, tuple((name, attr or name) for name, _, attr in pairs))


_D, _C = "dose_mcg_per_day", "conc_mcg_per_ml:dec>0"
_OLD_NEW = "old_conc_mcg_per_ml:dec>0 new_conc_mcg_per_ml:dec>0"
_FLOW_RANGE = "min_flow_ml_per_day?:dec max_flow_ml_per_day?:dec>0"
_V_A = "reservoir_ml:dec alarm_ml:dec"
_Q_BAND = "flow_ml_per_day:dec>0 accuracy_fraction:dec<1"
_HORIZON = "days_exact days_display_floor"

FUNCTIONS: Final[Mapping[str, Function]] = {
    "flow_ml_per_day": _function(conversions.flow_ml_per_day, f"{_D}:dec {_C}", "flow_ml_per_day"),
    "dose_mcg_per_day": _function(conversions.dose_mcg_per_day, f"flow_ml_per_day:dec {_C}", "dose_mcg_per_day"),
    "mcg_per_hour": _function(conversions.mcg_per_hour, f"{_D}:dec", "dose_mcg_per_hour"),
    "conc_from_label": _function(conversions.conc_from_label, "mass_mg:dec volume_ml:dec>0", "conc_mcg_per_ml"),
    "dilution": _function(
        conversions.dilution,
        "stock_mcg_per_ml:dec>0 target_mcg_per_ml:dec>0 final_ml:dec>0",
        "stock_ml diluent_ml",
    ),
    "bolus_volume_ml": _function(conversions.bolus_volume_ml, f"dose_mcg:dec {_C}", "volume_ml"),
    "days_to_low_reservoir": _function(reservoir.days_to_low_reservoir, f"{_V_A} {_D}:dec>0 {_C}", _HORIZON),
    "days_to_low_reservoir_worst_case": _function(
        reservoir.days_to_low_reservoir_worst_case, f"{_V_A} {_Q_BAND}", _HORIZON
    ),
    "true_empty_vs_alarm": _function(
        reservoir.true_empty_vs_alarm,
        f"{_V_A} {_Q_BAND}",
        "alarm_day_exact true_empty_day_exact empty_before_alarm",
    ),
    "min_alarm_volume_for_accuracy": _function(
        reservoir.min_alarm_volume_for_accuracy,
        "reservoir_ml:dec accuracy_fraction:dec<1",
        "min_alarm_ml_exact",
    ),
    "refill_lead_check": _function(
        reservoir.refill_lead_check,
        f"{_V_A} {_Q_BAND} lead_days:int>=0",
        "alarm_day_exact planned_refill_day_exact true_empty_day_exact plan_is_safe min_lead_days_exact",
    ),
    "alarm_to_empty_days": _function(reservoir.alarm_to_empty_days, "alarm_ml:dec flow_ml_per_day:dec>0", "days_exact"),
    "refill_dates": _function(
        reservoir.refill_dates,
        "fill_date:date days_display_floor:int>=0 lead_days:[int>=0]",
        "alarm_date refill_by",
    ),
    "refill_horizon_with_stability": _function(
        reservoir.refill_horizon_with_stability,
        f"{_V_A} flow_ml_per_day:dec>0 stability_days:int>=1",
        "volume_days_exact horizon_days limited_by",
    ),
    "refill_date_with_patient_boluses": _function(
        reservoir.refill_date_with_patient_boluses,
        f"reservoir_ml:dec threshold_ml:dec basal_mcg_per_day:dec bolus_mcg:dec max_boluses_per_day:int>=0 {_C}",
        f"flow_ml_per_day {_HORIZON}",
    ),
    "low_guarded": _function(
        reservoir.low_guarded,
        f"fill_date:date reservoir_ml:dec reserve_ml:dec {_Q_BAND}",
        f"{_HORIZON} low_guarded",
    ),
    "refill_by": _function(
        reservoir.refill_by,
        f"fill_date:date {_V_A} reserve_ml:dec {_Q_BAND} lead_days:int>=0 in_pump_days:int>=1",
        "alarm_nominal low_guarded empty_guarded refill_by limited_by",
    ),
    "expected_residual": _function(
        refill.expected_residual, "fill_ml:dec segments:segments boluses_ml?:[dec]", "expected_ml"
    ),
    "reconcile_refill": _function(
        refill.reconcile_refill,
        "fill_ml:dec>0 expected_ml:dec withdrawn_ml:dec abs_limit_ml:dec accuracy_fraction:dec<1",
        "discrepancy_ml programmed_ml actual_ml ratio error_percent direction class=klass",
    ),
    "pocket_fill_check": _function(
        refill.pocket_fill_check,
        "pump_ml:dec>0 injected_ml:dec measured_ml:dec",
        "difference_ml alert",
    ),
    "over_infusion_ratio_that_beats_alarm": _function(
        refill.over_infusion_ratio_that_beats_alarm, "reservoir_ml:dec>0 alarm_ml:dec", "ratio_exact"
    ),
    "catheter_volume_ml": _function(
        line.catheter_volume_ml, "length_cm:dec removed_cm?:dec ml_per_cm:dec>0", "volume_ml"
    ),
    "priming_bolus": _function(
        line.priming_bolus,
        f"tubing_ml:dec catheter_ml:dec {_C} rate_ml_per_h:dec>0",
        "volume_ml displayed_dose_mcg duration_min",
    ),
    "priming_constant_error": _function(
        line.priming_constant_error, f"used_ml:dec true_ml:dec {_C}", "excess_ml excess_mcg"
    ),
    "time_to_tip_hours": _function(line.time_to_tip_hours, "path_ml:dec flow_ml_per_day:dec>0", "hours"),
    "line_content_mcg": _function(line.line_content_mcg, f"catheter_ml:dec {_C}", "dose_mcg"),
    "bridge_bolus": _function(
        bridge.bridge_bolus,
        f"path_ml:dec>0 {_OLD_NEW} bridge_dose_mcg_per_day:dec>0 {_FLOW_RANGE}",
        "bridge_required bridge_volume_ml bridge_dose_mcg bridge_flow_ml_per_day duration_days "
        "duration_hours after_flow_ml_per_day",
    ),
    "omitted_bridge": _function(
        bridge.omitted_bridge,
        f"path_ml:dec {_OLD_NEW} {_D}:dec>0",
        "transient_dose_mcg_per_day transient_hours ratio_to_prescribed signed_error_mcg",
    ),
    "bridge_with_wrong_path": _function(
        bridge.bridge_with_wrong_path,
        f"path_true_ml:dec>0 path_used_ml:dec>0 {_OLD_NEW} bridge_dose_mcg_per_day:dec>0",
        "duration_hours tail tail_hours delivered_in_tail_mcg prescribed_in_tail_mcg excess_mcg",
    ),
    "bridge_multi_segment": _function(
        bridge.bridge_multi_segment,
        "segments_tip_first:drug_slices new_conc_mcg_per_ml:dec>0 bridge_dose_mcg_per_day:dec>0",
        "flow_ml_per_day_by_segment hours_by_segment duration_hours after_flow_ml_per_day",
    ),
    "mixed_concentration": _function(
        bridge.mixed_concentration,
        "residual_ml:dec old_conc_mcg_per_ml:dec>0 added_ml:dec>0 new_conc_mcg_per_ml:dec>0",
        "mixed_mcg_per_ml error_percent_vs_label",
    ),
    "rinse_and_fill": _function(
        bridge.rinse_and_fill,
        "residual_ml:dec>0 old_conc_mcg_per_ml:dec>0 rinse_ml:dec added_ml:dec>0 "
        "new_conc_mcg_per_ml:dec>0 tolerance_fraction:dec<1",
        "rinsed_mcg_per_ml mixed_mcg_per_ml error_percent_vs_label label_allowed",
    ),
    "line_at_flow": _function(
        bridge.line_at_flow,
        "segments_tip_first:slices flow_ml_per_day:dec>0",
        "hours_by_segment mcg_per_day_by_segment no_drug_hours content_mcg",
    ),
    "line_push": _function(
        bridge.line_push,
        "segments_tip_first:slices moved_ml:dec>0 behind_mcg_per_ml:dec",
        "tip_dose_mcg",
    ),
    "flex_total": _function(
        flex.flex_total,
        "steps:steps conc_mcg_per_ml?:dec>0",
        "total_mcg_per_day mcg_per_h_by_step dose_mcg_by_step average_flow_ml_per_day",
    ),
    "flex_entry_ratio": _function(
        flex.flex_entry_ratio,
        "intended_mcg_per_day:dec>0 entered_mcg_per_hour:dec",
        "entered_mcg_per_day ratio",
    ),
    "flex_validate": _function(flex.flex_validate, "steps:spans max_steps:int>=1", "valid n_steps"),
    "flex_step_flow": _function(
        flex.flex_step_flow,
        f"dose_mcg:dec hours:dec>0 {_C} {_FLOW_RANGE}",
        "flow_ml_per_h flow_ml_per_day allowed",
    ),
    "periodic_bolus_total": _function(
        flex.periodic_bolus_total,
        "bolus_mcg:dec deliveries_per_day:int>=0 basal_mcg_per_day:dec",
        "total_mcg_per_day",
    ),
    "periodic_bolus_entry_ratio": _function(
        flex.periodic_bolus_entry_ratio,
        "bolus_mcg:dec>0 intended_interval_h:dec>0 entered_interval_min:dec>0",
        "intended_mcg_per_day entered_mcg_per_day ratio",
    ),
    "flex_after_clock_shift": _function(
        lambda step_start_pump, wall_minus_pump_minutes: _clock(
            flex.flex_after_clock_shift(step_start_pump, wall_minus_pump_minutes)
        ),
        "step_start_pump:time wall_minus_pump_minutes:int",
        "wall_time_of_step day_shift",
    ),
    "bolus": _function(
        bolus.bolus,
        f"dose_mcg:dec {_C} max_ml_per_h:dec>0 minutes?:dec>0",
        "volume_ml min_minutes rate_ml_per_h allowed",
    ),
    "patient_bolus_daily_max": _function(
        bolus.patient_bolus_daily_max,
        "basal_mcg_per_day:dec bolus_mcg:dec max_per_day:int>=0 lockout_h?:dec>0",
        "activations max_mcg_per_day",
    ),
    "titration_step": _function(
        planning.titration_step,
        "old_mcg_per_day:dec>0 new_mcg_per_day:dec>0 population:population phase:phase",
        "change_percent label_max_percent exceeds_label_step",
    ),
    "initial_dose": _function(planning.initial_dose, "screening_mcg:dec>0 effect_hours:dec>0", "initial_mcg_per_day"),
    "maintenance_decrease": _function(
        planning.maintenance_decrease,
        "old_mcg_per_day:dec>0 new_mcg_per_day:dec",
        "change_percent exceeds_label_step",
    ),
    "compounded_titration": _function(
        planning.compounded_titration,
        "start_mcg_per_day:dec>0 percent:dec steps:int>=0",
        "final_mcg_per_day cumulative_percent",
    ),
    "taper": _function(
        planning.taper,
        "start_mcg_per_day:dec>0 percent:pct stop_below_mcg_per_day:dec>0",
        "steps final_mcg_per_day",
    ),
    "wrong_concentration": _function(
        sentinels.wrong_concentration,
        f"{_D}:dec programmed_conc_mcg_per_ml:dec>0 actual_conc_mcg_per_ml:dec>0",
        "actual_mcg_per_day ratio",
    ),
    "decimal_shift": _function(sentinels.decimal_shift, "previous:dec>0 entered:dec>0", "ratio sentinel"),
    "unit_slip": _function(sentinels.unit_slip, "mg_per_day:dec", "mcg_per_day"),
    "digit_transposition": _function(sentinels.digit_transposition, "previous:dec>0 entered:dec>0", "ratio sentinel"),
    "dose_band": _function(
        tolerance.dose_band,
        f"{_D}:dec flow_accuracy_fraction:dec<1 conc_tolerance_fraction?:dec<1",
        "low_mcg_per_day high_mcg_per_day",
    ),
    "quantised_dose": _function(
        tolerance.quantised_dose,
        f"{_D}:dec>0 {_C} stroke_ul:dec>0 deliveries_per_day:int>=1",
        "strokes_per_delivery achieved_mcg_per_day error_percent",
    ),
    "eos_date": _function(service.eos_date, "eri_date:date eri_to_eos_days:int>=1", "eos_date"),
    "replace_by_sanity": _function(
        service.replace_by_sanity,
        "eri_date:date device_replace_by:text eri_to_eos_days:int>=1",
        "consistent replace_by",
    ),
    "max_service_date": _function(service.max_service_date, "implant_date:date cap_years:int>=1", "cap_date"),
    "mri_valve_bolus": _function(gap.mri_valve_bolus, f"max_ul:dec {_C}", "dose_mcg"),
    "mri_missed_dose": _function(gap.mri_missed_dose, f"{_D}:dec hours:[dec]", "missed_mcg"),
    "stopped_too_long": _function(gap.stopped_too_long, "stopped_hours:dec limit_hours:dec>0", "alarm warn"),
    "therapy_gap": _function(
        gap.therapy_gap,
        "last_mcg_per_day:dec>0 history_newest_first:history",
        "gap_h missed_mcg",
    ),
    "restart_rule": _function(
        gap.restart_rule,
        "gap_h:dec last_mcg_per_day:dec>0 start_rule_mcg_per_day:dec>0",
        "action persons monitored_bed low_mcg_per_day high_mcg_per_day",
    ),
}


@dataclass(frozen=True, slots=True)
class _WallTime:
    wall_time_of_step: str
    day_shift: int


def _clock(shift: flex.ClockShift) -> _WallTime:
    hour, minute = divmod(shift.wall_time_of_step, 60)
    return _WallTime(f"{hour:02d}:{minute:02d}", shift.day_shift)


def _is_quantities(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, Fraction) for each in value)


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return decimal_text(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


def _printed(values: Mapping[str, object]) -> dict[str, object]:
    """Outputs by the printing rules; absent (None) outputs are left out."""
    present = {name: value for name, value in values.items() if value is not None}
    out: dict[str, object] = {name: _plain(value) for name, value in present.items()}
    exact: dict[str, object] = {}
    for name, value in present.items():
        if isinstance(value, Fraction) and not terminates(value):
            exact[name] = fraction_text(value)
        elif isinstance(value, tuple) and _is_quantities(value) and not all(map(terminates, value)):
            exact[name] = [fraction_text(each) for each in value]
    return {**out, "exact_fraction": exact} if exact else out


def refusal(code: str, **details: object) -> dict[str, object]:
    """The printed form of a refusal."""
    return {"error": code, **_printed(details)}


def _inputs(function: Function, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs parsed and inside their domains, by the documented order of checks."""
    parsed: dict[str, Any] = {}
    for name, kind, optional in function.inputs:
        if name not in inputs:
            if optional:
                continue
            raise CalculationRefused("BAD_INPUT", field=name)
        try:
            parsed[name] = kind.parse(inputs[name])
        except Malformed:
            raise CalculationRefused("BAD_INPUT", field=name) from None
    undocumented = sorted(set(inputs) - {name for name, _, _ in function.inputs})
    if undocumented:
        raise CalculationRefused("BAD_INPUT", field=undocumented[0])
    for name, kind, _ in function.inputs:
        if name in parsed and not kind.inside(parsed[name]):
            raise CalculationRefused("OUT_OF_DOMAIN", field=name)
    return parsed


def calculate(name: str, inputs: object) -> dict[str, object]:
    """The printed answer of a documented function to JSON inputs; a refusal is an answer too.

    JSON objects in which a name was given twice come as :class:`TwiceNamed`.
    """
    function = FUNCTIONS.get(name)
    if function is None:
        return refusal("UNKNOWN_FUNCTION")
    if not isinstance(inputs, dict):
        return refusal("BAD_INPUT", field="")
    if isinstance(inputs, TwiceNamed):
        return refusal("BAD_INPUT", field=inputs.name)
    try:
        result = function.compute(**_inputs(function, inputs))
    except CalculationRefused as refused:
        return refusal(refused.code, **refused.details)
    return _printed({key: result if attr == "" else getattr(result, attr) for key, attr in function.outputs})
