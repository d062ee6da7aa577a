"""Dates from now on for a pump that is partly empty: nominal by its own volume, guarded by the worst since the fill.

A pump that is fast by the labelled accuracy has given more than it counted since the fill. The guarded days therefore
start from the filled volume less (1 + accuracy) times what was counted as delivered, and go on at the fast flow; for
an unchanged flow this is the day counted from the fill.
"""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

from programmer.clinical.plan import DEFAULT_LEAD_DAYS, RefillPlan, refill_plan
from programmer.clinical.profiles import PumpProfile


def forecast(
    profile: PumpProfile,
    today: date,
    volume_ml: Fraction,
    delivered_ml: Fraction,
    filled_on: date,
    alarm_ml: Fraction,
    flow_ml_per_day: Fraction,
    in_pump_days: int,
    lead_days: int = DEFAULT_LEAD_DAYS,
) -> RefillPlan:
    """The plan for ``volume_ml`` in the pump today, of which ``delivered_ml`` more were there at the fill.

    Raises :class:`CalculationRefused` (OUT_OF_DOMAIN) if a date lies after 2199.
    """
    left = max(1, in_pump_days - (today - filled_on).days)
    nominal = refill_plan(profile, today, volume_ml, alarm_ml, flow_ml_per_day, left, lead_days)
    worst = max(Fraction(0), volume_ml - delivered_ml * profile.accuracy_fraction)
    guarded = refill_plan(profile, today, worst, alarm_ml, flow_ml_per_day, left, lead_days)
    stable_until = filled_on + timedelta(days=in_pump_days)
    lead = nominal.alarm_nominal - timedelta(days=lead_days)
    candidates = [(lead, "alarm_lead"), (guarded.low_guarded, "reserve"), (stable_until, "drug_stability")]
    by, limited_by = min(candidates, key=lambda item: item[0])
    late = by < today
    return replace(
        nominal,
        alarm_guarded=guarded.alarm_guarded,
        low_guarded=guarded.low_guarded,
        empty_guarded=guarded.empty_guarded,
        stable_until=stable_until,
        refill_by=None if late else by,
        limited_by=None if late else limited_by,
        not_computable="The refill is due now: book it for today or tomorrow." if late else None,
        plan_is_safe=not late and by < guarded.empty_guarded,
    )
