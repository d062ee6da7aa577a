"""Plug flow: fluid moves through tubing and catheter in slices that neither mix nor stretch.

A *batch* is one well-mixed chamberful with its drug. Fluid that leaves it is named by position: the slice
from `start` to `end` is what left between the `start`-th and the `end`-th unit of volume. What left up to
`v` holds floor(mass x v / volume) of drug, so the drug of adjoining slices adds up exactly however a run is
cut, and nothing is lost to rounding. Source: incompressible flow in a narrow tube without dispersion.

Units: volume in true units (nL/86,400,000/1,000,000); drug in true units x ng/mL. All integers.
"""

from __future__ import annotations

from typing import NamedTuple


class LineError(ValueError):
    """More fluid is asked for than is there: ask for no more than the queue holds."""


class Amount(NamedTuple):
    """A volume and the drug in it."""

    volume: int
    mass: int

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.volume + other.volume, self.mass + other.mass)


NOTHING = Amount(0, 0)


class Batch(NamedTuple):
    """A mixed chamberful: `volume` with `mass` of drug. `number` tells batches apart that are alike."""

    number: int
    volume: int
    mass: int

    def mass_to(self, position: int) -> int:
        """Drug in the first `position` units of volume, floored."""
        return self.mass * position // self.volume if self.volume else 0

    @property
    def conc_ng_ml(self) -> int:
        """Concentration in whole ng/mL, floored: a label, never a factor of a sum."""
        return self.mass // self.volume if self.volume else 0


class Slice(NamedTuple):
    """Fluid of one batch between two positions, `start` nearer to the tip."""

    batch: Batch
    start: int
    end: int

    @property
    def volume(self) -> int:
        """Its volume."""
        return self.end - self.start

    @property
    def amount(self) -> Amount:
        """Its volume and drug."""
        _, volume, mass = self.batch
        drug = mass * self.end // volume - mass * self.start // volume if mass else 0
        return Amount(self.end - self.start, drug)


Queue = tuple[Slice, ...]
"""Slices in the order in which they leave: the one at the tip first."""


def whole(number: int, volume: int, conc_ng_ml: int) -> Queue:
    """A queue of one fluid; empty if there is no volume."""
    return (Slice(Batch(number, volume, volume * conc_ng_ml), 0, volume),) if volume else ()


def joined(queue: Queue, more: Queue) -> Queue:
    """`more` behind `queue`; neighbours of one batch become one slice, so that equal contents are equal."""
    out = list(queue)
    for piece in more:
        if out and out[-1].batch == piece.batch and out[-1].end == piece.start:
            out[-1] = Slice(piece.batch, out[-1].start, piece.end)
        elif piece.end > piece.start:
            out.append(piece)
    return tuple(out)


def taken(queue: Queue, volume: int) -> tuple[Queue, Queue]:
    """(the first `volume`, the rest). Raises LineError if the queue holds less."""
    for i, piece in enumerate(queue):
        size = piece.end - piece.start
        if volume < size:
            cut = piece.start + volume
            head = (Slice(piece.batch, piece.start, cut),) if volume else ()
            return (*queue[:i], *head), (Slice(piece.batch, cut, piece.end), *queue[i + 1 :])
        volume -= size
    if volume:
        raise LineError("more is taken than the queue holds; take no more than its volume")
    return queue, ()


def push(queue: Queue, fluid: Queue) -> tuple[Queue, Queue]:
    """(content, what came out) of a tube into which `fluid` was pushed: as much leaves as enters."""
    if not queue:
        return queue, fluid
    out, content = taken(joined(queue, fluid), volume_of(fluid))
    return content, out


def through(near: Queue, far: Queue, fresh: Slice) -> tuple[Queue, Queue, Queue]:
    """(tubing, catheter, what left the tip) when `fresh` is pushed through both, one behind the other.

    The two commonest cases need no queue: a line that holds nothing but the fluid just before `fresh`, and so much
    of it that all of the line is washed out. The tests hold them against `push` twice.
    """
    batch, start, end = fresh
    if len(near) == 1 and len(far) == 1:
        (a, a_start, a_end), (b, b_start, b_end) = near[0], far[0]
        tubing, catheter = a_end - a_start, b_end - b_start
        one, two = end - tubing, end - tubing - catheter
        if a_end == start and b_end == a_start and a == batch and b == batch:
            return (Slice(batch, one, end),), (Slice(batch, two, one),), (Slice(batch, b_start, two),)
        if two > start:
            return (
                (Slice(batch, one, end),),
                (Slice(batch, two, one),),
                joined((*far, *near), (Slice(batch, start, two),)),
            )
    near, out = push(near, (fresh,))
    far, out = push(far, out)
    return near, far, out


def volume_of(queue: Queue) -> int:
    """Volume of a queue."""
    return sum(piece.end - piece.start for piece in queue)


def amount_of(queue: Queue) -> Amount:
    """Volume and drug of a queue."""
    total = NOTHING
    for piece in queue:
        total = total.plus(piece.amount)
    return total


class Share(NamedTuple):
    """What was delivered at one concentration (whole ng/mL, floored)."""

    conc_ng_ml: int
    volume: int
    mass: int


def counted(shares: tuple[Share, ...], out: Queue) -> tuple[Share, ...]:
    """The table of what was delivered by concentration, with `out` added; rows in order of first delivery."""
    if len(out) == 1 and shares and shares[-1].conc_ng_ml == out[0].batch.conc_ng_ml:
        last, (volume, mass) = shares[-1], out[0].amount
        return (*shares[:-1], Share(last.conc_ng_ml, last.volume + volume, last.mass + mass))
    table = {share.conc_ng_ml: share for share in shares}
    for piece in out:
        label, (volume, mass) = piece.batch.conc_ng_ml, piece.amount
        old = table.get(label)
        table[label] = Share(label, volume, mass) if old is None else Share(label, old.volume + volume, old.mass + mass)
    return tuple(table.values())


def total(shares: tuple[Share, ...]) -> Amount:
    """Volume and drug of a table."""
    return Amount(sum(share.volume for share in shares), sum(share.mass for share in shares))
