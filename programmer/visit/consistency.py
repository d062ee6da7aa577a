"""Whether a pump's report agrees with itself, and whether the pump delivers what it is programmed to deliver."""

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from protocol.messages import Alarm, Mode, Status
from protocol.order import program_digest

ROUNDING_NL: Final = 1_000
"""So much the pump's counters may differ by rounding; a hundredth of what a syringe shows."""


def _steady(status: Status) -> str | None:
    if status.mode is not Mode.SIMPLE:
        return None
    if not status.concentration_ng_per_ml:
        return "The pump reports a dose without a concentration."
    flow = Fraction(status.dose_ng_per_day * 1_000_000, status.concentration_ng_per_ml)
    return None if abs(flow - status.flow_nl_per_day) <= 1 else "The flow does not fit the dose and the concentration."


def _says(wrong: bool, text: str) -> str | None:
    return text if wrong else None


_CHECKS: Final[tuple[Callable[[Status], str | None], ...]] = (
    _steady,
    lambda s: _says(s.program_digest8 != program_digest(s.program)[:8], "The program does not fit its own check sum."),
    lambda s: _says(s.reservoir_nl > s.capacity_nl, "The reservoir is reported fuller than it can be."),
    lambda s: _says(
        abs(s.reservoir_nl - max(0, s.filled_nl - s.delivered_nl)) > ROUNDING_NL,
        "The reservoir figure is not what was filled less what was delivered.",
    ),
    lambda s: _says(s.filled_at_s > s.pump_time_s, "The last fill lies in the future of the pump's clock."),
    lambda s: _says(s.since_s > s.pump_time_s, "The program's start lies in the future of the pump's clock."),
)


def contradictions(status: Status) -> list[str]:
    """What in a report contradicts itself; each a sentence."""
    return [found for check in _CHECKS if (found := check(status)) is not None]


HALTING: Final = Alarm.EMPTY | Alarm.STALL | Alarm.MEMORY | Alarm.STOPPED | Alarm.SAFE_STATE


def delivers(status: Status) -> bool:
    """Whether the pump gives its programmed dose, by its own report."""
    return status.mode is Mode.SIMPLE and not status.gap_s and not status.alarms & HALTING


def alarm_reached(status: Status) -> bool:
    """Whether the computed volume is at the alarm volume or below, so that the alarm date is no longer ahead."""
    return status.reservoir_nl <= status.alarm_nl
