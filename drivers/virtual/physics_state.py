"""The state of the virtual pump's physics: its two ledgers, its laws, its latched thresholds. `physics` moves it.

Named tuples, because a run of years makes hundreds of them and a dataclass costs four times as much to change.

Units: time ms of the pump's oscillator; rate nL/day; model volume u = nL/86,400,000 (`NL`);
true volume u/1,000,000 (`TRUE_NL`); energy pW x ms. All integers.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.battery import BatteryModel
from drivers.virtual.bolus import Bolus
from drivers.virtual.drift import PPM
from drivers.virtual.fluid import Fluid, Outlet
from drivers.virtual.schedule import Stage

NL = DAY_MS
TRUE_NL = NL * PPM


class PhysicsError(ValueError):
    """An event that physics does not allow: time running backwards, or a negative volume."""


class Kind(Enum):
    """A threshold that was crossed, in the order of ties: LOW and EMPTY of the model; the true reservoir so low that
    flow falls, and DRY; ends of a bolus and of a stage of the program; battery, and the pump's service age."""

    LOW = "LOW_RESERVOIR"
    EMPTY = "EMPTY"
    NEAR_EMPTY = "NEAR_EMPTY"
    DRY = "DRY"
    BOLUS_END = "BOLUS_END"
    STAGE_END = "STAGE_END"
    ERI = "ERI"
    EOS = "EOS"
    AGE = "EOS_AGE"


ALARMS = frozenset({Kind.LOW, Kind.EMPTY, Kind.ERI, Kind.EOS})
"""The crossings that a firmware can know of and sounds an alarm for."""


class Crossing(NamedTuple):
    """One threshold and the first whole ms at which it held."""

    kind: Kind
    at_ms: int


class Physics(NamedTuple):
    """State between events: values at `origin_ms` and the laws that carry them on.

    `now_ms` is how far crossings have been handled. `flow` is what runs: `basal` with the bolus on top; `stages` are
    the later laws of the basal flow (a bridge). `factor` is the true flow for a million programmed, from the
    conditions. `near_empty` rows are (true volume, ppm of the flow below it), falling; `thin` counts those passed.
    `programmed` is a model volume since the pump was made. `eri_at_ms` is None until ERI; `age_ends_ms` is when the
    pump stops for its age, None for never; `ended` means that one of the two ends was reached.
    """

    battery: BatteryModel
    now_ms: int
    origin_ms: int
    flow: Accumulator
    power: Accumulator
    basal: Accumulator
    model: int
    alarm: int
    fluid: Fluid
    energy: int = 0
    programmed: int = 0
    stages: tuple[Stage, ...] = ()
    bolus: Bolus | None = None
    phase_ms: int = 0
    gain_ppm: int = 0
    temperature_ppm: int = 0
    stalled: bool = False
    outlet: Outlet = Outlet.OPEN
    near_empty: tuple[tuple[int, int], ...] = ()
    thin: int = 0
    factor: int = PPM
    low: bool = False
    empty: bool = False
    dry: bool = False
    eri_at_ms: int | None = None
    age_ends_ms: int | None = None
    ended: bool = False


class Reading(NamedTuple):
    """Everything at one instant. Volumes in u (`*_u`) or u/1,000,000 (`*_true`); energy in pW x ms."""

    at_ms: int
    model_u: int
    fluid: Fluid
    programmed_u: int
    energy: int
    rate_nl_day: int

    @property
    def reservoir_true(self) -> int:
        """True volume that can still be drawn."""
        return self.fluid.left

    @property
    def delivered_true(self) -> int:
        """True volume that left the tip."""
        return self.fluid.delivered.volume

    @property
    def model_nl(self) -> int:
        """Computed reservoir, whole nL, floored."""
        return self.model_u // NL

    @property
    def true_nl(self) -> int:
        """True reservoir, whole nL, floored."""
        return self.fluid.left // TRUE_NL
