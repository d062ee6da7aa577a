"""Faults planted in the physics: each is one wrong step, and a named check that has to notice it.

The checks are those of the other files here; unharmed, they pass.
"""

import pytest

from drivers.virtual import bolus, drift, line, physics, schedule, signed_file, window
from drivers.virtual import fluid as fluids
from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.line import Amount, Slice, joined, taken, volume_of
from drivers.virtual.physics import NL, Kind
from tests.virtual import test_bolus_drift as bolus_drift
from tests.virtual import test_physics as lives
from tests.virtual import test_profiles as data
from tests.virtual import test_schedule as patterns
from tests.virtual import test_window as windows

SEEDS = range(60)


def ticker():
    for seed in SEEDS:
        lives.agrees(seed)


def split():
    for seed in SEEDS:
        lives.splits(seed)


def settling():
    for seed in SEEDS:
        lives.settles(seed)


# -- plants ------------------------------------------------------------------------------------------------------------


def attribute(owner, name, wrong):
    """Another value in the place of one, made from the right one."""
    return lambda patch: patch.setattr(owner, name, wrong(getattr(owner, name)))


def after(rule, harm):
    return lambda *args, **more: harm(rule(*args, **more))


def whole_nanolitres(state):
    return state._replace(model=state.model // NL * NL)


def reversed_push(queue, fluid):
    content = joined(fluid, queue)
    keep, out = taken(content, volume_of(queue))
    return keep, out


def steps_one_ms_late(right):
    return lambda steps, day: tuple((at + 1 if at else 0, dose) for at, dose in right(steps, day))


def midnight_belongs_to_the_day_before(right):
    def pattern(steps):
        law = right(steps)
        starts = tuple(start + 1 if start and start % DAY_MS == 0 else start for start in law.starts)
        return Accumulator.of(law.period_ms, tuple(zip(starts, law.rates, strict=True)))

    return pattern


def new_strength_in_the_line(right):
    def inject(fluid, volume, conc_ng_ml, *, pocket=0):
        after = right(fluid, volume, conc_ng_ml, pocket=pocket)
        return after._replace(tubing=tuple(Slice(after.chamber, s.start, s.end) for s in after.tubing))

    return inject


def dead_volume_stays_apart(right):
    def inject(fluid, volume, conc_ng_ml, *, pocket=0):
        after = right(fluid, volume, conc_ng_ml, pocket=pocket)
        return after._replace(chamber=after.chamber._replace(mass=after.chamber.volume * conc_ng_ml))

    return inject


def stall_unnoticed(right):
    return lambda state: right(state._replace(stalled=False))


def stalled_model(right):
    return lambda state, stalled: physics.set_rate(right(state, stalled), 0) if stalled else right(state, stalled)


def gain_twice(right):
    def needle(state, **hands):
        after, out = right(state, **hands)
        return after._replace(factor=after.factor * after.factor // physics.PPM), out

    return needle


def bolus_never_ends(right):
    return lambda state, c: state._replace(bolus=None, now_ms=c.at_ms) if c.kind is Kind.BOLUS_END else right(state, c)


def bolus_in_place_of_the_basal(right):
    return lambda self, rate: Accumulator.constant(rate)


def reading_rebases(right):
    return lambda state, at_ms: (physics.settled(right(state, at_ms)[0]), right(state, at_ms)[1])


def crossing_one_ms_late(right):
    return lambda *args: None if (at := right(*args)) is None else at + 1


def drug_by_label(right):
    return property(lambda self: Amount(self.volume, self.volume * self.batch.conc_ng_ml))


def back_window(right):
    return lambda plan, *, span_ms, now_ms: window.Peak(window.given(plan, now_ms - span_ms, now_ms), now_ms)


def no_whole_period(right):
    def breaks(plan, start, end):
        return right(plan, start, end - plan.laws[-1][1].period_ms - 1)

    return breaks


def fraction_dropped(right):
    return lambda self, ppm, true_ms: drift.PumpClock(true_ms, self.at(true_ms) * drift.PPM, ppm)


def forgetful(right):
    return lambda rule, starts, at: right(rule, tuple(start for start in starts if start > at - DAY_MS), at)


PLANTS = {
    "a remainder is lost at each event": (attribute(physics, "_rebase", lambda r: after(r, whole_nanolitres)), ticker),
    "the drug of a slice by its label": (attribute(Slice, "amount", drug_by_label), split),
    "reading rebases": (
        attribute(physics, "run_to", reading_rebases),
        lives.test_a_run_without_a_crossing_only_moves_now,
    ),
    "a step begins one ms late": (attribute(schedule, "_day", steps_one_ms_late), ticker),
    "the first ms of a day belongs to the day before": (
        attribute(schedule, "pattern", midnight_belongs_to_the_day_before),
        ticker,
    ),
    "the week begins on Sunday": (attribute(physics, "MONDAY_MS", lambda right: right + DAY_MS), ticker),
    "a bolus over Sunday midnight is cut": (
        attribute(schedule, "_on_top", lambda r: lambda pulses, at: sum(x for a, b, x in pulses if a <= at < b)),
        patterns.test_patterns_and_boluses_minute_by_minute,
    ),
    "the line is a stack": (attribute(line, "push", lambda right: reversed_push), ticker),
    "the line takes the new strength": (attribute(fluids, "inject", new_strength_in_the_line), split),
    "the dead volume does not mix": (attribute(fluids, "inject", dead_volume_stays_apart), split),
    "a stall does not stop fluid": (attribute(physics, "_under", stall_unnoticed), ticker),
    "a stall stops the model": (attribute(physics, "set_stalled", stalled_model), ticker),
    "gain counts twice after a refill": (attribute(physics, "needle", gain_twice), ticker),
    "a bolus never ends": (attribute(physics, "_cross", bolus_never_ends), ticker),
    "a bolus replaces the basal flow": (attribute(Accumulator, "raised", bolus_in_place_of_the_basal), ticker),
    "a crossing one ms late": (
        attribute(Accumulator, "reach", crossing_one_ms_late),
        lives.test_low_one_millisecond_either_side,
    ),
    "a window that looks back": (
        attribute(window, "peak", back_window),
        windows.test_every_window_of_a_small_world,
    ),
    "a window that stops before the pattern has repeated": (
        attribute(window, "_breaks", no_whole_period),
        windows.test_every_window_of_a_small_world,
    ),
    "the clock drops its fraction when it is trimmed": (
        attribute(drift.PumpClock, "running", fraction_dropped),
        bolus_drift.test_the_clock_loses_no_fraction_however_often_it_is_trimmed,
    ),
    "the lock-out is forgotten after a day": (
        attribute(bolus, "press", forgetful),
        bolus_drift.test_most_presses_equals_a_greedy_patient,
    ),
    "a signature is not looked at": (
        attribute(signed_file, "maker_check", lambda right: lambda raw, signature: True),
        data.test_a_flipped_byte_is_refused,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_noticed(name, monkeypatch):
    plant, check = PLANTS[name]
    plant(monkeypatch)
    for module in (windows, bolus_drift):  # names that the checks imported for themselves
        for word, home in (("peak", window), ("press", bolus)):
            if hasattr(module, word):
                monkeypatch.setattr(module, word, getattr(home, word))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check()


@pytest.mark.parametrize("check", [ticker, split, settling])
def test_unharmed_the_checks_pass(check):
    check()
