"""The physics of a virtual pump as a part of its state file: strict, whole, and nothing computed twice.

What runs (flow with a bolus on top, power, the factor of the conditions) is built again from its causes, so that a
file cannot hold two statements that differ. Units as in `physics_state`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from drivers.virtual import physics
from drivers.virtual.accumulator import Accumulator
from drivers.virtual.battery import BatteryModel
from drivers.virtual.bolus import Bolus, Cause
from drivers.virtual.fluid import Fluid, Outlet
from drivers.virtual.line import Amount, Batch, Queue, Share, Slice
from drivers.virtual.physics_state import Physics
from drivers.virtual.schedule import Stage

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
_Triple = tuple[int, int, int]
_Pair = tuple[int, int]
_Slice = tuple[_Triple, int, int]
_PLAIN = (
    "now_ms", "origin_ms", "model", "alarm", "energy", "programmed", "phase_ms", "gain_ppm", "temperature_ppm",
    "stalled", "low", "empty", "dry", "eri_at_ms", "age_ends_ms", "ended", "thin",
)  # fmt: skip


class _Flow(BaseModel):
    model_config = _STRICT
    period_ms: int
    segments: list[_Pair]

    @classmethod
    def of(cls, flow: Accumulator) -> _Flow:
        return cls(period_ms=flow.period_ms, segments=list(zip(flow.starts, flow.rates, strict=True)))

    def build(self) -> Accumulator:
        return Accumulator.of(self.period_ms, tuple(self.segments))


class _Fluid(BaseModel):
    model_config = _STRICT
    chamber: _Triple
    dead: int
    drawn: int
    tubing: list[_Slice]
    catheter: list[_Slice]
    filled: _Pair
    mixed: int
    tip: list[_Triple]
    leaked: _Pair
    withdrawn: _Pair
    pocket: _Pair

    @classmethod
    def of(cls, fluid: Fluid) -> _Fluid:
        return cls(
            chamber=_batch(fluid.chamber),
            dead=fluid.dead,
            drawn=fluid.drawn,
            tubing=[(_batch(s.batch), s.start, s.end) for s in fluid.tubing],
            catheter=[(_batch(s.batch), s.start, s.end) for s in fluid.catheter],
            filled=_amount(fluid.filled),
            mixed=fluid.mixed,
            tip=[(share.conc_ng_ml, share.volume, share.mass) for share in fluid.tip],
            leaked=_amount(fluid.leaked),
            withdrawn=_amount(fluid.withdrawn),
            pocket=_amount(fluid.pocket),
        )

    def build(self) -> Fluid:
        fluid = Fluid(
            chamber=Batch(*self.chamber),
            dead=self.dead,
            drawn=self.drawn,
            tubing=_queue(self.tubing),
            catheter=_queue(self.catheter),
            filled=Amount(*self.filled),
            mixed=self.mixed,
            tip=tuple(Share(*share) for share in self.tip),
            leaked=Amount(*self.leaked),
            withdrawn=Amount(*self.withdrawn),
            pocket=Amount(*self.pocket),
        )
        if fluid.accounted != fluid.filled or fluid.left < 0:
            raise ValueError("the fluid in the file does not add up")
        return fluid


def _batch(batch: Batch) -> _Triple:
    return (batch.number, batch.volume, batch.mass)


def _amount(amount: Amount) -> _Pair:
    return (amount.volume, amount.mass)


def _queue(slices: list[_Slice]) -> Queue:
    return tuple(Slice(Batch(*batch), start, end) for batch, start, end in slices)


class PhysicsFile(BaseModel):
    """Everything of `Physics` that is not built from something else."""

    model_config = _STRICT
    now_ms: int
    origin_ms: int
    basal: _Flow
    stages: list[tuple[int, _Flow]]
    bolus: tuple[str, int, int] | None
    outlet: str
    fluid: _Fluid
    model: int
    alarm: int
    energy: int
    programmed: int
    phase_ms: int
    gain_ppm: int
    temperature_ppm: int
    stalled: bool
    low: bool
    empty: bool
    dry: bool
    eri_at_ms: int | None
    age_ends_ms: int | None
    ended: bool
    thin: int
    near_empty: list[_Pair]

    @classmethod
    def of(cls, state: Physics) -> PhysicsFile:
        """The part of the file for a state."""
        bolus, plain = state.bolus, {name: getattr(state, name) for name in _PLAIN}
        return cls(
            basal=_Flow.of(state.basal),
            stages=[(stage.at_ms, _Flow.of(stage.flow)) for stage in state.stages],
            bolus=None if bolus is None else (bolus.cause.value, bolus.ends_ms, bolus.rate_nl_day),
            outlet=state.outlet.value,
            fluid=_Fluid.of(state.fluid),
            near_empty=list(state.near_empty),
            **plain,
        )

    def build(self, battery: BatteryModel) -> Physics:
        """The state again. Raises ValueError for parts that do not fit together."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        bolus = None if self.bolus is None else Bolus(Cause(self.bolus[0]), *self.bolus[1:])
        return physics.restored(
            battery,
            basal=self.basal.build(),
            stages=tuple(Stage(at, flow.build()) for at, flow in self.stages),
            bolus=bolus,
            outlet=Outlet(self.outlet),
            fluid=self.fluid.build(),
            near_empty=tuple(self.near_empty),
            **plain,
        )
