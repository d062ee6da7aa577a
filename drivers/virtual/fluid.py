"""Where the fluid is: chamber, tubing, catheter, and the ledgers of all that entered or left. It knows no time.

The chamber is well mixed. Its dead volume cannot be drawn by a needle or by the pump, but mixes with each fill.
Everything that ever entered is found again, to the unit, in `accounted`: chamber, line, tip, leak, needle, pocket.
Source: conservation of volume and of drug; units and the rounding of drug as in `line`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from drivers.virtual.line import (
    NOTHING,
    Amount,
    Batch,
    Queue,
    Share,
    Slice,
    amount_of,
    counted,
    joined,
    push,
    taken,
    through,
    total,
    volume_of,
    whole,
)


class FluidError(ValueError):
    """A volume that cannot be moved: none is negative, and no more leaves than is there."""


class Outlet(Enum):
    """Where the line ends: at the catheter's tip, nowhere (closed), or in a leak between tubing and catheter."""

    OPEN = "open"
    CLOSED = "closed"
    LEAKING = "leaking"


class Fluid(NamedTuple):
    """Contents and ledgers. `drawn` counts what has left the present `chamber` batch since it was mixed;
    `mixed` numbers the batches. `tip` is what left the catheter, by concentration."""

    chamber: Batch
    dead: int
    drawn: int
    tubing: Queue
    catheter: Queue
    filled: Amount
    mixed: int
    tip: tuple[Share, ...] = ()
    leaked: Amount = NOTHING
    withdrawn: Amount = NOTHING
    pocket: Amount = NOTHING

    @property
    def left(self) -> int:
        """True volume that needle and pump can still draw."""
        return self.chamber.volume - self.dead - self.drawn

    @property
    def in_chamber(self) -> Amount:
        """All that is in the chamber, dead volume included."""
        return Slice(self.chamber, self.drawn, self.chamber.volume).amount

    @property
    def in_line(self) -> Amount:
        """What is in tubing and catheter."""
        return amount_of(self.tubing).plus(amount_of(self.catheter))

    @property
    def delivered(self) -> Amount:
        """What left the tip."""
        return total(self.tip)

    @property
    def tip_conc_ng_ml(self) -> int:
        """Concentration of the fluid that leaves the tip next, whole ng/mL, floored."""
        queue = self.catheter or self.tubing
        return queue[0].batch.conc_ng_ml if queue else self.chamber.conc_ng_ml

    @property
    def accounted(self) -> Amount:
        """The sum of all places; it equals `filled`, always."""
        amounts = (self.in_chamber, self.in_line, self.delivered, self.leaked, self.withdrawn, self.pocket)
        return Amount(sum(a.volume for a in amounts), sum(a.mass for a in amounts))


def filled(*, volume: int, dead: int, conc_ng_ml: int, tubing: int = 0, catheter: int = 0) -> Fluid:
    """A pump and line all filled with one fluid: `volume` that can be drawn, and the dead volume, in true units."""
    if min(volume, dead, conc_ng_ml, tubing, catheter) < 0:
        raise FluidError("volumes and concentration of a fill must not be negative")
    size = volume + dead
    everything = size + tubing + catheter
    return Fluid(
        chamber=Batch(2, size, size * conc_ng_ml),
        dead=dead,
        drawn=0,
        tubing=whole(1, tubing, conc_ng_ml),
        catheter=whole(0, catheter, conc_ng_ml),
        filled=Amount(everything, everything * conc_ng_ml),
        mixed=2,
    )


def pumped(fluid: Fluid, volume: int, outlet: Outlet = Outlet.OPEN) -> Fluid:
    """The motor moved `volume` (true units) out of the chamber; no more than `left`."""
    if not 0 <= volume <= fluid.left:
        raise FluidError("the motor draws no more than the chamber holds")
    if volume == 0:
        return fluid
    if outlet is Outlet.CLOSED:
        raise FluidError("nothing moves in a closed line")
    drawn, fresh = fluid.drawn + volume, Slice(fluid.chamber, fluid.drawn, fluid.drawn + volume)
    if outlet is Outlet.LEAKING:
        tubing, out = push(fluid.tubing, (fresh,))
        return fluid._replace(drawn=drawn, tubing=tubing, leaked=fluid.leaked.plus(amount_of(out)))
    tubing, catheter, out = through(fluid.tubing, fluid.catheter, fresh)
    return fluid._replace(drawn=drawn, tubing=tubing, catheter=catheter, tip=counted(fluid.tip, out))


def withdraw(fluid: Fluid, volume: int) -> Fluid:
    """A needle takes `volume` out of the chamber; no more than `left`."""
    if not 0 <= volume <= fluid.left:
        raise FluidError("no more can be withdrawn than is in the reservoir, and no volume is negative")
    out = Slice(fluid.chamber, fluid.drawn, fluid.drawn + volume).amount
    return fluid._replace(drawn=fluid.drawn + volume, withdrawn=fluid.withdrawn.plus(out))


def inject(fluid: Fluid, volume: int, conc_ng_ml: int, *, pocket: int = 0) -> Fluid:
    """A syringe holds `volume` of a strength; `pocket` of it goes beside the port, the rest mixes in the chamber."""
    if not 0 <= pocket <= volume or conc_ng_ml < 0:
        raise FluidError("no volume or strength is negative, and no more goes beside the port than was injected")
    into, beside = volume - pocket, Amount(pocket, pocket * conc_ng_ml)
    entered, missed = fluid.filled.plus(Amount(volume, volume * conc_ng_ml)), fluid.pocket.plus(beside)
    if into == 0:
        return fluid._replace(filled=entered, pocket=missed)
    there, number = fluid.in_chamber, fluid.mixed + 1
    mixture = Batch(number, there.volume + into, there.mass + into * conc_ng_ml)
    return fluid._replace(chamber=mixture, drawn=0, mixed=number, filled=entered, pocket=missed)


def aspirate(fluid: Fluid, volume: int, conc_ng_ml: int = 0) -> Fluid:
    """Hands at the catheter port: `volume` leaves the catheter at its pump end, the rest moves back, and another
    fluid (0: spinal fluid) follows in at the tip. No more than the catheter holds; what comes after is not ours."""
    size = volume_of(fluid.catheter)
    if not 0 <= volume <= size or conc_ng_ml < 0:
        raise FluidError("no more can be aspirated than the catheter holds, and no strength is negative")
    rest, out = taken(fluid.catheter, size - volume)
    number = fluid.mixed + 1
    return fluid._replace(
        catheter=joined(whole(number, volume, conc_ng_ml), rest),
        withdrawn=fluid.withdrawn.plus(amount_of(out)),
        filled=fluid.filled.plus(Amount(volume, volume * conc_ng_ml)),
        mixed=number,
    )


def declare(fluid: Fluid, *, tubing: tuple[tuple[int, int], ...], catheter: tuple[tuple[int, int], ...]) -> Fluid:
    """A line as hands made it, (volume, ng/mL) tip first: trimmed, replaced, filled. What was in it is withdrawn."""
    if any(volume < 0 or conc < 0 for volume, conc in (*tubing, *catheter)):
        raise FluidError("no volume or strength of a line is negative")
    number, queues = fluid.mixed, []
    entered = fluid.filled
    for parts in (tubing, catheter):
        queue: Queue = ()
        for volume, conc in parts:
            number += 1
            piece = whole(number, volume, conc)
            queue, entered = joined(queue, piece), entered.plus(amount_of(piece))
        queues.append(queue)
    return fluid._replace(
        tubing=queues[0],
        catheter=queues[1],
        filled=entered,
        withdrawn=fluid.withdrawn.plus(fluid.in_line),
        mixed=number,
    )
