"""Flow near the end of the reservoir, against a loop of single ms; the pump's age."""

import random

import pytest

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.battery import BatteryModel
from drivers.virtual.physics import NL, PPM, TRUE_NL, Kind, PhysicsError
from drivers.virtual.physics_file import PhysicsFile
from drivers.virtual.profiles import load_profile

BATTERY = BatteryModel(10**30, 1, 0, 0, 0)


def one_ms_after_the_other(left, rate, gain, table, ms):
    """(what is left, when each row began), in plain words."""
    passed, began = 0, []
    for now in range(ms + 1):
        while passed < len(table) and left <= table[passed][0] * TRUE_NL:
            passed += 1
            began.append(now)
        if now < ms:
            share = table[passed - 1][1] if passed else PPM
            left = max(0, left - rate * ((PPM + gain) * share // PPM))
    return left, began


def test_flow_falls_near_the_end_as_ms_by_ms():
    rows = 0
    for seed in range(60):
        rng = random.Random(seed)
        fill, rate, gain = rng.randrange(1, 60), rng.randrange(NL // 40), rng.choice((0, 25_000, -145_000))
        volumes = sorted(rng.sample(range(40), rng.randrange(1, 4)), reverse=True)
        table = tuple((volume, rng.choice((900_000, 600_000, 333_333, 0))) for volume in volumes)
        state = physics.initial(BATTERY, at_ms=0, fill_nl=fill, alarm_nl=0, rate_nl_day=rate, gain_ppm=gain)
        state = physics.set_near_empty(state, table)
        end = rng.randrange(3_000)
        after, seen = physics.run_to(state, end)
        began = [c.at_ms for c in seen if c.kind is Kind.NEAR_EMPTY]
        assert (physics.read(after).fluid.left, began) == one_ms_after_the_other(fill * TRUE_NL, rate, gain, table, end)
        cuts = sorted(rng.randrange(end + 1) for _ in range(4))
        again = state
        for cut in cuts:
            again = physics.run_to(again, cut)[0]
        assert physics.run_to(again, end)[0] == after
        assert PhysicsFile.model_validate_json(PhysicsFile.of(after).model_dump_json()).build(BATTERY) == after
        rows += len(began)
    assert rows > 40


def test_a_fill_brings_the_flow_back():
    profile = load_profile("adult-20")
    state = physics.initial(profile.battery, at_ms=0, fill_nl=600_000, alarm_nl=0, rate_nl_day=100_000)
    state, seen = physics.run_to(physics.set_near_empty(state, profile.near_empty), 2 * DAY_MS)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.NEAR_EMPTY, DAY_MS)]
    assert (state.factor, physics.read(state).true_nl) == (900_000, 410_000)
    state, _ = physics.needle(state, withdraw_nl=0, inject_nl=1_000_000, conc_ng_ml=1)
    assert (state.factor, state.thin) == (1_000_000, 0)


@pytest.mark.parametrize("table", [((1, 5), (1, 4)), ((1, 5), (2, 4)), ((-1, 5),), ((1, -5),)])
def test_tables_that_are_refused(table):
    state = physics.initial(BATTERY, at_ms=0, fill_nl=1, alarm_nl=0, rate_nl_day=1)
    with pytest.raises(PhysicsError):
        physics.set_near_empty(state, table)


def test_a_pump_stops_for_its_age():
    ends = 5 + load_profile("adult-20").service_age_ms
    state = physics.initial(BATTERY, at_ms=5, fill_nl=1_000_000, alarm_nl=0, rate_nl_day=10)
    state = physics.set_age(state, ends)
    assert physics.when(state, Kind.AGE) == ends
    state, seen = physics.run_to(state, 8 * 366 * DAY_MS)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.AGE, ends)]
    assert (state.ended, physics.read(state).rate_nl_day) == (True, 0)


def test_a_battery_at_its_end_comes_before_the_age_at_one_instant():
    profile = load_profile("adult-20")
    state = physics.initial(profile.battery, at_ms=5, fill_nl=1_000_000, alarm_nl=0, rate_nl_day=10)
    state, seen = physics.run_to(physics.set_age(state, 5 + profile.service_age_ms), 8 * 366 * DAY_MS)
    assert [c.kind for c in seen] == [Kind.ERI, Kind.EOS]
