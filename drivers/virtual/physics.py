"""What fluid and battery do: closed-form, exact, and blind to being looked at.

Two ledgers. The *model* ledger is what a firmware believes (programmed rate x time; real pumps compute their low
alarm, they do not measure it). The *true* ledger, `fluid`, is what fluid does: gain, temperature, stall and a closed
or leaking line touch it alone. The reservoir here is the volume that needle and pump can draw.

Rules
-----
* Every threshold is a crossing, computed, never polled; `Kind` lists them in the order of ties.
* Only events rebase: a new flow, a bolus and its end, a refill, a condition, a clock that is set, EOS. Reading never
  rebases and never writes; `run_to(T)` equals `run_to(t1), ..., run_to(T)` in state and in crossings. Even a rebase
  where nothing happens (`settled`) changes no value, because every sum is exact.
* Flow ends at the *true* zero; EMPTY sounds at the model's zero.
* Weekday patterns follow the pump's wall clock, `now_ms` + `phase_ms`; everything else runs on elapsed time.

Units: time ms of the pump's oscillator; rate nL/day; model volume u = nL/86,400,000 (`NL`);
true volume u/1,000,000 (`TRUE_NL`), so that a flow factor in ppm is exact. All integers.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import Any

from drivers.virtual import fluid as fluids
from drivers.virtual.accumulator import Accumulator
from drivers.virtual.battery import BatteryModel
from drivers.virtual.bolus import Bolus
from drivers.virtual.drift import PPM
from drivers.virtual.fluid import Fluid, FluidError, Outlet
from drivers.virtual.physics_state import (
    ALARMS,
    NL,
    TRUE_NL,
    Crossing,
    Kind,
    Physics,
    PhysicsError,
    Reading,
)
from drivers.virtual.schedule import MONDAY_MS, Stage, dose_for_rate, rate_for_dose

__all__ = [
    "ALARMS", "NL", "PPM", "TRUE_NL", "Crossing", "Kind", "Physics", "PhysicsError", "Reading",
    "dose_for_rate", "rate_for_dose",
]  # fmt: skip


def initial(
    battery: BatteryModel,
    *,
    at_ms: int,
    fill_nl: int,
    alarm_nl: int,
    rate_nl_day: int,
    gain_ppm: int = 0,
    conc_ng_ml: int = 0,
    dead_nl: int = 0,
    tubing_nl: int = 0,
    catheter_nl: int = 0,
) -> Physics:
    """A pump and line freshly filled with one strength, delivering `rate_nl_day`. Raises PhysicsError."""
    if min(fill_nl, alarm_nl, rate_nl_day, conc_ng_ml, dead_nl, tubing_nl, catheter_nl) < 0 or gain_ppm < -PPM:
        raise PhysicsError("fill, alarm volume and rate must not be negative, nor gain below -1,000,000 ppm")
    flow = Accumulator.constant(rate_nl_day)
    return Physics(
        battery=battery,
        now_ms=at_ms,
        origin_ms=at_ms,
        flow=flow,
        power=_power(battery, flow),
        basal=flow,
        model=fill_nl * NL,
        alarm=alarm_nl * NL,
        fluid=fluids.filled(
            volume=fill_nl * TRUE_NL,
            dead=dead_nl * TRUE_NL,
            conc_ng_ml=conc_ng_ml,
            tubing=tubing_nl * TRUE_NL,
            catheter=catheter_nl * TRUE_NL,
        ),
        gain_ppm=gain_ppm,
        factor=PPM + gain_ppm,
    )


def restored(
    battery: BatteryModel, *, basal: Accumulator, stages: tuple[Stage, ...], bolus: Bolus | None, **parts: Any
) -> Physics:
    """A state from its parts, as a state file holds them; flow, power and factor are built from their causes."""
    bare = Physics(battery=battery, flow=basal, power=basal, basal=basal, **parts)
    return _with_flow(_under(bare), basal, stages, bolus)


@lru_cache(maxsize=64)
def _power(battery: BatteryModel, flow: Accumulator) -> Accumulator:
    return flow.mapped(tuple(battery.power_pw(rate) for rate in flow.rates))


def read(state: Physics, at_ms: int | None = None) -> Reading:
    """The values at `at_ms` (default: now). Pure; raises PhysicsError for an instant before the origin."""
    at = state.now_ms if at_ms is None else at_ms
    if at < state.origin_ms:
        raise PhysicsError("this instant lies before the last event: the past is in the event log")
    shift = state.phase_ms + MONDAY_MS
    start, end = state.origin_ms + shift, at + shift
    cum = state.flow.between(start, end)
    out = min(state.fluid.left, cum * state.factor)
    return Reading(
        at_ms=at,
        model_u=max(0, state.model - cum),
        fluid=fluids.pumped(state.fluid, out, state.outlet) if out else state.fluid,
        programmed_u=state.programmed + cum,
        energy=state.energy + state.power.between(start, end),
        rate_nl_day=state.flow.rate_at(end),
    )


def next_crossing(state: Physics) -> Crossing | None:
    """The earliest threshold not yet crossed, or None if nothing will ever happen by itself."""
    shift = state.phase_ms + MONDAY_MS
    start, flow = state.origin_ms + shift, state.flow
    base = flow.cum(start)
    found: list[tuple[int, int, Kind]] = []  # instant, place in the order of ties, kind

    def reached(kind: Kind, tie: int, amount: int) -> None:
        at = start if amount <= 0 else flow.reach(base + amount)
        if at is not None:
            found.append((at - shift, tie, kind))

    if not state.low:
        reached(Kind.LOW, 0, state.model - state.alarm)
    elif not state.empty:  # the model is never empty before it is low
        reached(Kind.EMPTY, 1, state.model)
    left = state.fluid.left
    if state.thin < len(state.near_empty):
        above = left - state.near_empty[state.thin][0]
        if above <= 0 or state.factor:
            reached(Kind.NEAR_EMPTY, 2, -(-above // state.factor) if above > 0 else 0)
    if not state.dry and (left == 0 or state.factor):
        reached(Kind.DRY, 3, -(-left // state.factor) if left else 0)
    if state.bolus is not None:
        found.append((state.bolus.ends_ms, 4, Kind.BOLUS_END))
    if state.stages:
        found.append((state.stages[0].at_ms, 5, Kind.STAGE_END))
    if state.eri_at_ms is None:
        at = state.power.first_reach(state.battery.eri_threshold - state.energy, start)
        if at is not None:
            found.append((at - shift, 6, Kind.ERI))
    elif not state.ended:
        found.append((state.eri_at_ms + state.battery.lead_ms, 7, Kind.EOS))
    if state.age_ends_ms is not None and not state.ended:
        found.append((state.age_ends_ms, 8, Kind.AGE))
    if not found:
        return None
    at_ms, _, kind = min(found)
    return Crossing(kind, at_ms)


def run_to(state: Physics, at_ms: int) -> tuple[Physics, tuple[Crossing, ...]]:
    """Jump from crossing to crossing up to and including `at_ms`."""
    if at_ms < state.now_ms:
        raise PhysicsError("the pump clock does not run backwards")
    seen: list[Crossing] = []
    while (crossing := next_crossing(state)) is not None and crossing.at_ms <= at_ms:
        state = _cross(state, crossing)
        seen.append(crossing)
    return state if state.now_ms == at_ms else state._replace(now_ms=at_ms), tuple(seen)


def when(state: Physics, kind: Kind) -> int | None:
    """When `kind` will be crossed if nobody touches the pump; None if never, or if it has been."""
    while (crossing := next_crossing(state)) is not None:
        if crossing.kind is kind:
            return crossing.at_ms
        state = _cross(state, crossing)
    return None


def _cross(state: Physics, crossing: Crossing) -> Physics:
    at = crossing.at_ms
    match crossing.kind:
        case Kind.LOW:
            return state._replace(now_ms=at, low=True)
        case Kind.EMPTY:
            return state._replace(now_ms=at, empty=True)
        case Kind.NEAR_EMPTY:
            return _under(_rebase(state, at, thin=state.thin + 1))
        case Kind.DRY:
            return state._replace(now_ms=at, dry=True)
        case Kind.BOLUS_END:
            return _with_flow(_rebase(state, at), state.basal, state.stages)
        case Kind.STAGE_END:
            return _with_flow(_rebase(state, at), state.stages[0].flow, state.stages[1:], state.bolus)
        case Kind.ERI:
            return state._replace(now_ms=at, eri_at_ms=at)
        case Kind.EOS | Kind.AGE:
            return _with_flow(_rebase(state, at, ended=True), Accumulator.constant(0))


def _rebase(state: Physics, at_ms: int, **changes: Any) -> Physics:
    """Settle both ledgers and the battery at `at_ms`, start counting from there, and change what is to change."""
    if at_ms == state.origin_ms:
        return state._replace(now_ms=at_ms, **changes) if changes or state.now_ms != at_ms else state
    return _from(state, read(state, at_ms), **changes)


def _from(state: Physics, r: Reading, **changes: Any) -> Physics:
    values = {"model": r.model_u, "fluid": r.fluid, "energy": r.energy, "programmed": r.programmed_u, **changes}
    return state._replace(now_ms=r.at_ms, origin_ms=r.at_ms, **values)


def settled(state: Physics) -> Physics:
    """The same pump, counting from now on: no value changes."""
    return _rebase(state, state.now_ms)


def _with_flow(
    state: Physics, basal: Accumulator, stages: tuple[Stage, ...] = (), bolus: Bolus | None = None
) -> Physics:
    flow = basal if bolus is None else basal.raised(bolus.rate_nl_day)
    return state._replace(basal=basal, stages=stages, bolus=bolus, flow=flow, power=_power(state.battery, flow))


def _relatch(state: Physics) -> Physics:
    """Drop LOW, EMPTY and DRY where they no longer hold; a crossing still to come will set them again."""
    low, empty = state.low and state.model <= state.alarm, state.empty and state.model <= 0
    left = state.fluid.left
    dry, thin = state.dry and left == 0, min(state.thin, sum(left <= volume for volume, _ in state.near_empty))
    if (low, empty, dry, thin) == (state.low, state.empty, state.dry, state.thin):
        return state
    return _under(state._replace(low=low, empty=empty, dry=dry, thin=thin))


def set_flow(state: Physics, flow: Accumulator, stages: tuple[Stage, ...] = ()) -> Physics:
    """A new program from now on, with the later stages of a bridge; a bolus that runs ends with the old one.
    A pump past its end of service delivers nothing whatever is programmed."""
    if any(a.at_ms >= b.at_ms for a, b in pairwise(stages)):
        raise PhysicsError("the stages of a program must follow one another")
    if stages and stages[0].at_ms <= state.now_ms:
        raise PhysicsError("the stages of a program must lie ahead")
    state = _rebase(state, state.now_ms)
    return _with_flow(state, Accumulator.constant(0)) if state.ended else _with_flow(state, flow, stages)


def set_rate(state: Physics, rate_nl_day: int) -> Physics:
    """Simple continuous, minimum rate or stopped (0), from now on."""
    return set_flow(state, Accumulator.constant(rate_nl_day))


def give(state: Physics, bolus: Bolus) -> Physics:
    """A single, patient or priming bolus from now on, on top of the basal flow. Raises PhysicsError while another
    one runs, after the end of service, or for a bolus that ends before it begins."""
    if state.bolus is not None or state.ended or bolus.ends_ms <= state.now_ms:
        raise PhysicsError("no bolus can begin now: wait for the end of the one that runs, or replace the pump")
    return _with_flow(_rebase(state, state.now_ms), state.basal, state.stages, bolus)


def end_bolus(state: Physics) -> Physics:
    """Break off the bolus, if one runs; the basal flow goes on."""
    return _with_flow(_rebase(state, state.now_ms), state.basal, state.stages)


def set_phase(state: Physics, phase_ms: int) -> Physics:
    """The pump's wall clock is set: `phase_ms` ahead of its elapsed time. Weekday patterns follow it at once."""
    return _rebase(state, state.now_ms, phase_ms=phase_ms)


def clock_lost(state: Physics) -> Physics:
    """The time of day is unknown: every timed pattern runs at its mean rate, floored."""
    stages = tuple(Stage(stage.at_ms, Accumulator.constant(stage.flow.mean)) for stage in state.stages)
    return _with_flow(_rebase(state, state.now_ms), Accumulator.constant(state.basal.mean), stages, bolus=state.bolus)


def _under(state: Physics) -> Physics:
    """The factor of the conditions: they multiply and are floored to whole ppm once."""
    moves = not state.stalled and state.outlet is not Outlet.CLOSED
    thin = state.near_empty[state.thin - 1][1] if state.thin else PPM
    product = (PPM + state.gain_ppm) * (PPM + state.temperature_ppm) * thin
    return state._replace(factor=product // PPM**2 if moves else 0)


def set_gain(state: Physics, gain_ppm: int) -> Physics:
    """True flow differs from programmed flow by `gain_ppm` (-1,000,000 to ...) from now on."""
    if gain_ppm < -PPM:
        raise PhysicsError("a gain below -1,000,000 ppm would be flow into the reservoir")
    return _under(_rebase(state, state.now_ms, gain_ppm=gain_ppm))


def set_temperature(state: Physics, temperature_ppm: int) -> Physics:
    """Temperature changes true flow by so many ppm (see `drift.temperature_ppm`) from now on."""
    if temperature_ppm < -PPM:
        raise PhysicsError("a change below -1,000,000 ppm would be flow into the reservoir")
    return _under(_rebase(state, state.now_ms, temperature_ppm=temperature_ppm))


def set_stalled(state: Physics, stalled: bool) -> Physics:
    """The motor stands still, or runs again; the model does not know."""
    return _under(_rebase(state, state.now_ms, stalled=stalled))


def set_outlet(state: Physics, outlet: Outlet) -> Physics:
    """The catheter is open or closed, or the line leaks between tubing and catheter."""
    return _under(_rebase(state, state.now_ms, outlet=outlet))


def set_near_empty(state: Physics, table: tuple[tuple[int, int], ...]) -> Physics:
    """True flow falls near the end: rows of (volume nL, ppm of the flow from there down), volumes falling. () for
    none. Raises PhysicsError for rows that rise or a factor that is negative."""
    if any(a[0] <= b[0] for a, b in pairwise(table)) or any(volume < 0 or ppm < 0 for volume, ppm in table):
        raise PhysicsError("the rows of flow near the end must fall in volume, and nothing flows backwards")
    rows = tuple((volume * TRUE_NL, ppm) for volume, ppm in table)
    return _under(_rebase(state, state.now_ms, near_empty=rows, thin=0))


def set_age(state: Physics, ends_ms: int | None) -> Physics:
    """The pump stops for its age at `ends_ms` (pump time); None for never."""
    return state._replace(age_ends_ms=ends_ms)


def set_alarm(state: Physics, alarm_nl: int) -> Physics:
    """A new alarm volume; if the model is already at or below it, LOW is due at once."""
    if alarm_nl < 0:
        raise PhysicsError("an alarm volume must not be negative")
    return _relatch(_rebase(state, state.now_ms, alarm=alarm_nl * NL))


def set_model(state: Physics, volume_nl: int) -> Physics:
    """The firmware is told the reservoir volume (a refill order); fluid does not move."""
    if volume_nl < 0:
        raise PhysicsError("a reservoir volume must not be negative")
    return _relatch(_rebase(state, state.now_ms, model=volume_nl * NL))


def needle(
    state: Physics, *, withdraw_nl: int | None, inject_nl: int, conc_ng_ml: int, pocket_nl: int = 0
) -> tuple[Physics, int]:
    """Hands at the port: take out `withdraw_nl` (None = all), then inject a strength, `pocket_nl` of it beside the
    port. Returns what came out, in true units. Raises PhysicsError if more is to be taken than is there."""
    now = read(state)
    out = now.fluid.left if withdraw_nl is None else withdraw_nl * TRUE_NL
    try:
        rest = fluids.withdraw(now.fluid, out)
        moved = fluids.inject(rest, inject_nl * TRUE_NL, conc_ng_ml, pocket=pocket_nl * TRUE_NL)
    except FluidError as error:
        raise PhysicsError(str(error)) from error
    return _relatch(_from(state, now, fluid=moved)), out


def set_line(state: Physics, fluid: Fluid) -> Physics:
    """Hands at the line: `fluid` is `read(state).fluid` after `fluid.aspirate` or `fluid.declare`."""
    return _rebase(state, state.now_ms, fluid=fluid)


def motor_steps(state: Physics, step_u: int, at_ms: int | None = None) -> int:
    """Whole motor steps since the pump was made; `step_u` is the volume of one step in u."""
    return read(state, at_ms).programmed_u // step_u
