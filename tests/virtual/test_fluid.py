"""Fluid and the laws under it: plug flow by its shortest ways, hands at the line, the accumulator and its inverse."""

import random

import pytest

from drivers.virtual import fluid as fluids
from drivers.virtual.accumulator import DAY_MS, Accumulator, ScheduleError
from drivers.virtual.fluid import FluidError, Outlet, filled
from drivers.virtual.line import Batch, LineError, Slice, joined, push, taken, through


def test_through_both_tubes_is_pushing_twice():
    """The two short ways against the plain one, over small queues of every shape."""
    ways = set()
    for seed in range(3_000):
        rng = random.Random(seed)
        chamber = Batch(3, 100, rng.randrange(1_000))
        start = rng.randrange(40)
        near = joined((), tuple(Slice(Batch(rng.choice((1, 3)), 100, 7), 0, rng.randrange(9)) for _ in range(2)))
        far = joined((), tuple(Slice(Batch(rng.choice((1, 2)), 100, 9), 0, rng.randrange(9)) for _ in range(2)))
        if rng.random() < 0.3:  # filled from the chamber alone
            a, b = rng.randrange(start + 1), rng.randrange(start + 1)
            a, b = min(a, b), max(a, b)
            near, far = joined((), (Slice(chamber, b, start),)), joined((), (Slice(chamber, a, b),))
        fresh = Slice(chamber, start, start + rng.randrange(1, 40))
        tubing, out = push(near, (fresh,))
        catheter, out = push(far, out)
        assert through(near, far, fresh) == (tubing, catheter, out)
        ways.add((len(near), len(far), len(out)))
    assert len(ways) > 15


def test_hands_at_the_line():
    drawn = fluids.aspirate(filled(volume=9, dead=1, conc_ng_ml=7, tubing=2, catheter=3), 3)
    assert drawn.accounted == drawn.filled == (18, 105)
    assert (drawn.withdrawn, drawn.tip_conc_ng_ml) == ((3, 21), 0)
    declared = fluids.declare(drawn, tubing=((5, 1),), catheter=((2, 0), (4, 9)))
    assert declared.accounted == declared.filled
    assert (declared.in_line.volume, declared.in_line.mass) == (11, 41)


def test_aspiration_draws_at_the_pump_end_and_spinal_fluid_follows_at_the_tip():
    line = fluids.declare(filled(volume=9, dead=0, conc_ng_ml=7), tubing=(), catheter=((2, 5), (4, 9)))
    after = fluids.aspirate(line, 5)
    assert [(piece.volume, piece.batch.conc_ng_ml) for piece in after.catheter] == [(5, 0), (1, 5)]
    assert after.withdrawn.mass == 5 + 4 * 9


def test_no_more_is_taken_than_there_is():
    with pytest.raises(LineError):
        taken((Slice(Batch(0, 5, 5), 0, 5),), 6)


@pytest.mark.parametrize(
    "act",
    [
        lambda f: fluids.filled(volume=-1, dead=0, conc_ng_ml=0),
        lambda f: fluids.pumped(f, f.left + 1),
        lambda f: fluids.pumped(f, 1, Outlet.CLOSED),
        lambda f: fluids.withdraw(f, -1),
        lambda f: fluids.inject(f, 1, -1),
        lambda f: fluids.aspirate(f, 1),
        lambda f: fluids.declare(f, tubing=((-1, 0),), catheter=()),
    ],
)
def test_impossible_moves_of_fluid_are_refused(act):
    with pytest.raises(FluidError):
        act(filled(volume=9, dead=1, conc_ng_ml=7))


def test_accumulator_against_a_plain_sum_and_its_inverse():
    for seed in range(100):
        rng = random.Random(seed)
        period = rng.randrange(2, 60)
        starts = sorted({0, *(rng.randrange(period) for _ in range(4))})
        acc = Accumulator.of(period, tuple((s, rng.choice((0, 0, 1, 5))) for s in starts))
        total, sums = 0, [0]
        for t in range(3 * period):
            total += acc.rates[max(i for i, s in enumerate(acc.starts) if s <= t % period)]
            sums.append(total)
        assert [acc.cum(t) for t in range(3 * period + 1)] == sums
        for start in (0, rng.randrange(period), period + 1):
            for amount in range(-1, total - sums[start] + 1):
                first = next((t for t in range(start, len(sums)) if sums[t] - sums[start] >= amount), None)
                assert acc.first_reach(amount, start) == first
    assert Accumulator.constant(0).first_reach(1) is None


@pytest.mark.parametrize("segments", [(), ((1, 1),), ((0, 1), (0, 2)), ((0, -1),), ((0, 1), (DAY_MS, 2))])
def test_segments_that_make_no_schedule(segments):
    with pytest.raises(ScheduleError):
        Accumulator.of(DAY_MS, segments)
