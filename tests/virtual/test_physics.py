"""The closed forms against the one-second ticker, conservation, split invariance, blind reading."""

import random
import time
from dataclasses import replace

import pytest

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS, Accumulator, ScheduleError
from drivers.virtual.battery import BatteryModel, percent_left
from drivers.virtual.physics import NL, TRUE_NL, Kind, PhysicsError
from drivers.virtual.profiles import load_profile
from tests.golden.tick_oracle import TickPump

BASE = 7


def _small_battery(rng):
    lead = rng.randrange(1, 200) * 1000
    life = rng.randrange(50, 900) * 1000
    return BatteryModel(
        capacity=BASE * (life + lead), base_pw=BASE, flat_to_nl_day=0, slope_pw_per_ul_day=0, lead_ms=lead
    )


def _history(rng):
    """Events at whole seconds: (at ms, name, argument)."""
    at = 0
    events = []
    for _ in range(rng.randrange(0, 6)):
        at += rng.randrange(0, 200) * 1000
        name = rng.choice(("set_rate", "set_gain", "set_alarm", "refill"))
        value = {
            "set_rate": rng.choice((0, 1, 7, 86_400, 864_001, rng.randrange(2_000_000))),
            "set_gain": rng.choice((0, 25_000, -30_000, -1_000_000, rng.randrange(-200_000, 200_000))),
            "set_alarm": rng.randrange(0, 2_000),
            "refill": rng.randrange(0, 4_000),
        }[name]
        events.append((at, name, value))
    return events, at + rng.randrange(0, 300) * 1000


def _apply(state, name, value):
    if name == "refill":
        state, _ = physics.needle(state, withdraw_nl=None, inject_nl=value)
        return physics.set_model(state, value)
    return getattr(physics, name)(state, value)


def _play(state, events, end, extra=()):
    seen = []
    for at, name, value in [*events, (end, None, None)]:
        for stop in sorted(e for e in extra if state.now_ms <= e <= at):
            physics.read(state, stop)
            state, more = physics.run_to(state, stop)
            seen += more
        state, more = physics.run_to(state, at)
        seen += more
        _conserved(state)
        if name is not None:
            state = _apply(state, name, value)
    return state, seen


def _conserved(state):
    r = physics.read(state)
    assert state.filled == r.reservoir_true + r.delivered_true + state.withdrawn


def _case(seed):
    rng = random.Random(seed)
    battery = _small_battery(rng)
    fill, alarm = rng.randrange(0, 4_000), rng.randrange(0, 2_000)
    rate, gain = rng.randrange(0, 2_000_000), rng.choice((0, 25_000, -145_000))
    state = physics.initial(battery, at_ms=0, fill_nl=fill, alarm_nl=alarm, rate_nl_day=rate, gain_ppm=gain)
    ticker = TickPump(fill, alarm, rate, gain, BASE, battery.eri_threshold, battery.lead_ms)
    return rng, state, ticker


def _agree(seed):
    rng, state, ticker = _case(seed)
    events, end = _history(rng)
    state, seen = _play(state, events, end)
    for at, name, value in events:
        ticker.run_to(at)
        getattr(ticker, name)(value)
    ticker.run_to(end)
    r = physics.read(state)
    assert (r.model_u, r.reservoir_true, r.delivered_true, r.programmed_u, r.energy) == (
        ticker.model,
        ticker.true,
        ticker.delivered,
        ticker.programmed,
        ticker.energy,
    )
    assert (state.low, state.empty, state.ended) == (ticker.low, ticker.empty, ticker.ended)
    assert sorted((c.kind.value, -(-c.at_ms // 1000) * 1000) for c in seen) == sorted(ticker.seen)


def _split(seed):
    rng, state, _ = _case(seed)
    events, end = _history(rng)
    plain = _play(state, events, end)
    stops = [rng.randrange(0, end + 1) for _ in range(8)]
    assert _play(state, events, end, stops) == plain


def test_closed_form_equals_the_one_second_ticker():
    for seed in range(400):
        _agree(seed)


def test_split_runs_equal_one_run_in_state_and_log():
    for seed in range(1_000):
        _split(seed)


@pytest.mark.full
def test_ten_thousand_histories():
    for seed in range(10_000):
        _agree(seed)
        _split(seed)


def test_each_kind_of_crossing_occurs_in_the_random_histories():
    kinds = set()
    for seed in range(200):
        rng, state, _ = _case(seed)
        kinds |= {c.kind for c in _play(state, *_history(rng))[1]}
    assert kinds == set(Kind)


def _pump(gain=0, fill=20_000_000, dose=300_000, conc=500_000, alarm=2_000_000):
    return physics.initial(
        load_profile("child-20").battery,
        at_ms=0,
        fill_nl=fill,
        alarm_nl=alarm,
        rate_nl_day=physics.rate_for_dose(dose, conc),
        gain_ppm=gain,
    )


def test_ordinary_refill_example_fast_pump():
    """20 mL at 0.6 mL/day, 2.5 % fast, 25 days: model 5 mL, true 20 - 15.375 = 4.625 mL."""
    state, seen = physics.run_to(_pump(gain=25_000), 25 * DAY_MS)
    r = physics.read(state)
    assert (r.model_nl, r.true_nl, seen) == (5_000_000, 4_625_000, ())


def test_low_alarm_sounds_at_day_30_of_the_model_even_in_a_fast_pump():
    state, seen = physics.run_to(_pump(gain=145_000), 30 * DAY_MS)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.LOW, 30 * DAY_MS)]
    assert physics.read(state).true_nl == 0  # empty since day 29.11: no sensor tells


def test_low_one_millisecond_either_side():
    state, seen = physics.run_to(_pump(), 30 * DAY_MS - 1)
    assert seen == ()
    assert not state.low
    state, seen = physics.run_to(state, 30 * DAY_MS)
    assert [c.kind for c in seen] == [Kind.LOW]
    assert physics.run_to(state, 31 * DAY_MS)[1] == ()


def test_empty_crossing_is_rounded_up_to_the_first_whole_ms():
    state = _pump(fill=1, alarm=0, dose=350, conc=500_000)
    assert physics.read(state).rate_nl_day == 700
    at = -(-NL // 700)
    _, seen = physics.run_to(state, at)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.LOW, at), (Kind.EMPTY, at)]


def test_stopped_never_crosses():
    state = physics.set_rate(_pump(), 0)
    state, seen = physics.run_to(state, 1_000 * DAY_MS)
    assert (seen, physics.read(state).model_nl) == ((), 20_000_000)


def test_reading_changes_nothing():
    state, _ = physics.run_to(_pump(), 3 * DAY_MS)
    before = replace(state)
    for _ in range(1_000):
        physics.read(state)
        physics.next_crossing(state)
    assert state == before


def test_raising_the_alarm_volume_above_the_model_is_low_at_once_and_lowering_clears_it():
    state, _ = physics.run_to(_pump(), 20 * DAY_MS)
    state, seen = physics.run_to(physics.set_alarm(state, 9_000_000), 20 * DAY_MS)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.LOW, 20 * DAY_MS)]
    assert not physics.set_alarm(state, 2_000_000).low


def test_battery_curve_and_end_of_service():
    battery = load_profile("adult-20").battery
    month = 2_629_800_000
    assert battery.capacity == battery.power_pw(250_000) * 84 * month
    assert battery.capacity == battery.power_pw(1_500_000) * 60 * month
    assert percent_left(battery, 0) == 100
    assert percent_left(battery, battery.capacity + 1) == 0
    state = physics.set_alarm(_pump(dose=50_000, alarm=0), 0)
    state, seen = physics.run_to(state, 84 * month)
    assert [(c.kind, c.at_ms) for c in seen[-2:]] == [(Kind.ERI, 84 * month - 90 * DAY_MS), (Kind.EOS, 84 * month)]
    assert physics.read(state).rate_nl_day == 0
    assert physics.read(physics.set_rate(state, 5)).rate_nl_day == 0


def test_needle_takes_no_more_than_there_is():
    state = _pump()
    with pytest.raises(PhysicsError):
        physics.needle(state, withdraw_nl=20_000_001, inject_nl=0)
    after, out = physics.needle(state, withdraw_nl=4_000_000, inject_nl=1)
    assert (out, after.true) == (4_000_000 * TRUE_NL, 16_000_001 * TRUE_NL)
    assert after.model == state.model


@pytest.mark.parametrize(
    "act",
    [
        lambda s: physics.run_to(s, -1),
        lambda s: physics.read(s, -1),
        lambda s: physics.set_gain(s, -1_000_001),
        lambda s: physics.set_alarm(s, -1),
        lambda s: physics.set_model(s, -1),
        lambda s: physics.initial(s.battery, at_ms=0, fill_nl=-1, alarm_nl=0, rate_nl_day=0),
    ],
)
def test_impossible_events_are_refused(act):
    with pytest.raises(PhysicsError):
        act(_pump())


def test_accumulator_against_a_plain_sum_and_its_inverse():
    for seed in range(200):
        rng = random.Random(seed)
        period = rng.randrange(2, 60)
        starts = sorted({0, *(rng.randrange(period) for _ in range(4))})
        acc = Accumulator.of(period, tuple((s, rng.choice((0, 0, 1, 5))) for s in starts))
        total, sums = 0, [0]
        for t in range(3 * period):
            total += acc.rates[max(i for i, s in enumerate(acc.starts) if s <= t % period)]
            sums.append(total)
        assert [acc.cum(t) for t in range(3 * period + 1)] == sums
        for amount in range(-1, total + 1):
            first = next((t for t, s in enumerate(sums) if s >= amount), None)
            assert acc.first_reach(amount) == first
    assert Accumulator.constant(0).first_reach(1) is None


@pytest.mark.parametrize("segments", [(), ((1, 1),), ((0, 1), (0, 2)), ((0, -1),), ((0, 1), (DAY_MS, 2))])
def test_segments_that_make_no_schedule(segments):
    with pytest.raises(ScheduleError):
        Accumulator.of(DAY_MS, segments)


def test_rate_at_an_instant_of_a_day_pattern():
    state = physics.set_flow(_pump(), Accumulator.of(DAY_MS, ((0, 10), (1_000, 20))))
    assert [physics.read(state, t).rate_nl_day for t in (0, 999, 1_000, DAY_MS)] == [10, 10, 20, 10]


def test_dose_is_quantised_downwards():
    assert physics.rate_for_dose(100_000, 3_000_000) == 33_333
    assert physics.dose_for_rate(33_333, 3_000_000) == 99_999


def test_motor_steps_count_whole_steps():
    state, _ = physics.run_to(_pump(), DAY_MS)
    assert physics.motor_steps(state, 500 * NL) == 1_200


def test_seven_idle_years_are_read_without_walking_them():
    started = time.perf_counter()
    for _ in range(100):
        state, _ = physics.run_to(_pump(), 7 * 365 * DAY_MS)
        physics.read(state)
    assert time.perf_counter() - started < 2
