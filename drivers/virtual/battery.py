"""The battery of the virtual pump: energy drawn as a straight line over the flow, thresholds as crossings.

Source: an own shape, to be confirmed by the clinic. 84 months of life up to 0.25 mL/day and 60 months at
1.5 mL/day; the elective replacement indicator (ERI) about 90 days before the end of service (EOS).
Units: power in pW, energy in pW x ms, flow in nL/day. All integers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatteryModel:
    """Constants of one battery: `capacity` pW x ms, `lead_ms` from ERI to EOS on the pump clock."""

    capacity: int
    base_pw: int
    flat_to_nl_day: int
    slope_pw_per_ul_day: int
    lead_ms: int

    @property
    def eri_threshold(self) -> int:
        """Energy drawn at which ERI is raised: what the base power needs over the lead is left over."""
        return self.capacity - self.base_pw * self.lead_ms

    def power_pw(self, rate_nl_day: int) -> int:
        """Power at a flow, floored once to whole pW."""
        above = max(0, rate_nl_day - self.flat_to_nl_day)
        return self.base_pw + self.slope_pw_per_ul_day * above // 1000


def percent_left(model: BatteryModel, used: int) -> int:
    """Whole percent of the energy that is left, floored, 0 to 100."""
    return max(0, model.capacity - used) * 100 // model.capacity
