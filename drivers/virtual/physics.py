"""What fluid and battery do: closed-form, exact, and blind to being looked at.

Two ledgers. The *model* ledger is what a firmware believes (programmed rate x time; real pumps compute
their low alarm, they do not measure it). The *true* ledger is what fluid does; a flow gain touches it alone.
The reservoir here is the volume that a needle can take out; what stays behind in the chamber is constant.

Rules
-----
* Every threshold is a crossing, computed, never polled: LOW, EMPTY (of the model), ERI, EOS.
* Only events rebase (program, refill, alarm volume, gain, EOS). Reading never rebases and never writes;
  `run_to(T)` equals `run_to(t1), ..., run_to(T)` in state and in crossings.
* Ties at one instant: fluid before battery.
* Flow ends at the *true* zero; EMPTY sounds at the model's zero.

Units: time ms of the pump clock; rate nL/day; model volume u = nL/86,400,000 (`NL`);
true volume u/1,000,000 (`TRUE_NL`), so that a gain in ppm is exact. All integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.battery import BatteryModel

NL = DAY_MS
PPM = 1_000_000
TRUE_NL = NL * PPM


class PhysicsError(ValueError):
    """An event that physics does not allow: time running backwards, or a negative volume."""


class Kind(Enum):
    """A threshold that was crossed."""

    LOW = "LOW_RESERVOIR"
    EMPTY = "EMPTY"
    ERI = "ERI"
    EOS = "EOS"


TIE_ORDER = (Kind.LOW, Kind.EMPTY, Kind.ERI, Kind.EOS)


@dataclass(frozen=True, slots=True)
class Crossing:
    """One threshold and the first whole ms at which it held."""

    kind: Kind
    at_ms: int


@dataclass(frozen=True, slots=True)
class Physics:
    """State between events: values at `origin_ms` and the laws that carry them on.

    `now_ms` is how far crossings have been handled. `filled`, `withdrawn`, `delivered_true` are true
    volumes, `programmed` is a model volume, all counted since the pump was made; each but `filled` and
    `withdrawn` stands as of the origin. `eri_at_ms` is None until ERI; `ended` means EOS was reached.
    """

    battery: BatteryModel
    now_ms: int
    origin_ms: int
    flow: Accumulator
    power: Accumulator
    gain_ppm: int
    model: int
    true: int
    energy: int
    alarm: int
    filled: int
    withdrawn: int = 0
    delivered_true: int = 0
    programmed: int = 0
    low: bool = False
    empty: bool = False
    eri_at_ms: int | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything at one instant. Volumes in u (`*_u`) or u/1,000,000 (`*_true`); energy in pW x ms."""

    at_ms: int
    model_u: int
    reservoir_true: int
    delivered_true: int
    programmed_u: int
    energy: int
    rate_nl_day: int

    @property
    def model_nl(self) -> int:
        """Computed reservoir, whole nL, floored."""
        return self.model_u // NL

    @property
    def true_nl(self) -> int:
        """True reservoir, whole nL, floored."""
        return self.reservoir_true // TRUE_NL


def initial(
    battery: BatteryModel, *, at_ms: int, fill_nl: int, alarm_nl: int, rate_nl_day: int, gain_ppm: int = 0
) -> Physics:
    """A pump freshly filled with `fill_nl`, delivering `rate_nl_day`."""
    if min(fill_nl, alarm_nl, rate_nl_day) < 0 or gain_ppm < -PPM:
        raise PhysicsError("fill, alarm volume and rate must not be negative, nor gain below -1,000,000 ppm")
    flow = Accumulator.constant(rate_nl_day)
    return Physics(
        battery=battery,
        now_ms=at_ms,
        origin_ms=at_ms,
        flow=flow,
        power=_power(battery, flow),
        gain_ppm=gain_ppm,
        model=fill_nl * NL,
        true=fill_nl * TRUE_NL,
        energy=0,
        alarm=alarm_nl * NL,
        filled=fill_nl * TRUE_NL,
    )


def _power(battery: BatteryModel, flow: Accumulator) -> Accumulator:
    return flow.mapped(tuple(battery.power_pw(rate) for rate in flow.rates))


def read(state: Physics, at_ms: int | None = None) -> Reading:
    """The values at `at_ms` (default: now). Pure; raises PhysicsError for an instant before the origin."""
    at = state.now_ms if at_ms is None else at_ms
    if at < state.origin_ms:
        raise PhysicsError("this instant lies before the last event: the past is in the event log")
    cum = state.flow.cum(at - state.origin_ms)
    left = min(state.true, cum * (PPM + state.gain_ppm))
    return Reading(
        at_ms=at,
        model_u=max(0, state.model - cum),
        reservoir_true=state.true - left,
        delivered_true=state.delivered_true + left,
        programmed_u=state.programmed + cum,
        energy=state.energy + state.power.cum(at - state.origin_ms),
        rate_nl_day=state.flow.rates[0] if len(state.flow.rates) == 1 else _rate_at(state, at),
    )


def _rate_at(state: Physics, at_ms: int) -> int:
    rest = (at_ms - state.origin_ms) % state.flow.period_ms
    return max((s, r) for s, r in zip(state.flow.starts, state.flow.rates, strict=True) if s <= rest)[1]


def next_crossing(state: Physics) -> Crossing | None:
    """The earliest threshold not yet crossed, or None if nothing will ever happen by itself."""
    found = [c for c in (_crossing(state, kind) for kind in TIE_ORDER) if c is not None]
    return min(found, key=lambda c: c.at_ms) if found else None


def _crossing(state: Physics, kind: Kind) -> Crossing | None:
    after: int | None
    if kind is Kind.LOW:
        after = None if state.low else state.flow.first_reach(state.model - state.alarm)
    elif kind is Kind.EMPTY:
        after = None if state.empty else state.flow.first_reach(state.model)
    elif kind is Kind.ERI:
        threshold = state.battery.eri_threshold
        after = None if state.eri_at_ms is not None else state.power.first_reach(threshold - state.energy)
    else:
        if state.eri_at_ms is None or state.ended:
            return None
        return Crossing(kind, state.eri_at_ms + state.battery.lead_ms)
    return None if after is None else Crossing(kind, state.origin_ms + after)


def run_to(state: Physics, at_ms: int) -> tuple[Physics, tuple[Crossing, ...]]:
    """Jump from crossing to crossing up to and including `at_ms`."""
    if at_ms < state.now_ms:
        raise PhysicsError("the pump clock does not run backwards")
    seen: list[Crossing] = []
    while (crossing := next_crossing(state)) is not None and crossing.at_ms <= at_ms:
        state = _cross(state, crossing)
        seen.append(crossing)
    return replace(state, now_ms=at_ms), tuple(seen)


def _cross(state: Physics, crossing: Crossing) -> Physics:
    at = crossing.at_ms
    if crossing.kind is Kind.LOW:
        return replace(state, now_ms=at, low=True)
    if crossing.kind is Kind.EMPTY:
        return replace(state, now_ms=at, empty=True)
    if crossing.kind is Kind.ERI:
        return replace(state, now_ms=at, eri_at_ms=at)
    return _with_flow(replace(_rebase(state, at), ended=True), Accumulator.constant(0))


def _rebase(state: Physics, at_ms: int) -> Physics:
    """Settle both ledgers and the battery at `at_ms` and start counting from there."""
    r = read(state, at_ms)
    return replace(
        state,
        now_ms=at_ms,
        origin_ms=at_ms,
        model=r.model_u,
        true=r.reservoir_true,
        energy=r.energy,
        delivered_true=r.delivered_true,
        programmed=r.programmed_u,
    )


def _with_flow(state: Physics, flow: Accumulator) -> Physics:
    return replace(state, flow=flow, power=_power(state.battery, flow))


def _relatch(state: Physics) -> Physics:
    """Drop LOW and EMPTY where they no longer hold; a crossing still to come will set them again."""
    low, empty = state.low and state.model <= state.alarm, state.empty and state.model <= 0
    return replace(state, low=low, empty=empty)


def set_flow(state: Physics, flow: Accumulator) -> Physics:
    """A new program from now on. A pump past its end of service delivers nothing whatever is programmed."""
    state = _rebase(state, state.now_ms)
    return _with_flow(state, Accumulator.constant(0) if state.ended else flow)


def set_rate(state: Physics, rate_nl_day: int) -> Physics:
    """Simple continuous, minimum rate or stopped (0), from now on."""
    return set_flow(state, Accumulator.constant(rate_nl_day))


def set_gain(state: Physics, gain_ppm: int) -> Physics:
    """True flow differs from programmed flow by `gain_ppm` (-1,000,000 to ...) from now on."""
    if gain_ppm < -PPM:
        raise PhysicsError("a gain below -1,000,000 ppm would be flow into the reservoir")
    return replace(_rebase(state, state.now_ms), gain_ppm=gain_ppm)


def set_alarm(state: Physics, alarm_nl: int) -> Physics:
    """A new alarm volume; if the model is already at or below it, LOW is due at once."""
    if alarm_nl < 0:
        raise PhysicsError("an alarm volume must not be negative")
    return _relatch(replace(_rebase(state, state.now_ms), alarm=alarm_nl * NL))


def set_model(state: Physics, volume_nl: int) -> Physics:
    """The firmware is told the reservoir volume (a refill order); fluid does not move."""
    if volume_nl < 0:
        raise PhysicsError("a reservoir volume must not be negative")
    return _relatch(replace(_rebase(state, state.now_ms), model=volume_nl * NL))


def needle(state: Physics, *, withdraw_nl: int | None, inject_nl: int) -> tuple[Physics, int]:
    """Hands at the port: take out `withdraw_nl` (None = all), then inject. Returns what came out, in
    true units. Raises PhysicsError if more is to be taken than is there."""
    state = _rebase(state, state.now_ms)
    out = state.true if withdraw_nl is None else withdraw_nl * TRUE_NL
    if not 0 <= out <= state.true or inject_nl < 0:
        raise PhysicsError("no more can be withdrawn than is in the reservoir, and no volume is negative")
    into = inject_nl * TRUE_NL
    moved = replace(state, true=state.true - out + into, filled=state.filled + into, withdrawn=state.withdrawn + out)
    return moved, out


def motor_steps(state: Physics, step_u: int, at_ms: int | None = None) -> int:
    """Whole motor steps since the pump was made; `step_u` is the volume of one step in u."""
    return read(state, at_ms).programmed_u // step_u


def rate_for_dose(dose_ng_day: int, conc_ng_ml: int) -> int:
    """Flow in whole nL/day for a daily dose, quantised downwards, never upwards (1 mL = 1,000,000 nL)."""
    return dose_ng_day * 1_000_000 // conc_ng_ml


def dose_for_rate(rate_nl_day: int, conc_ng_ml: int) -> int:
    """Daily dose in whole ng achieved by a flow, floored."""
    return rate_nl_day * conc_ng_ml // 1_000_000
