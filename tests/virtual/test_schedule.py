"""Flex patterns, scheduled boluses and bridges: against the calendar, minute by minute, and by worked examples."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS, WEEK_MS, Accumulator, ScheduleError
from drivers.virtual.physics import NL, TRUE_NL
from drivers.virtual.profiles import load_profile
from drivers.virtual.schedule import (
    EVERY_DAY,
    MINUTE_MS,
    MONDAY_MS,
    ScheduledBolus,
    Step,
    bridge,
    flex,
    pattern,
    weekday,
    with_boluses,
)
from tests.golden.tick_oracle import Flex

WEEKEND, WORKDAYS = 0x60, 0x1F
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_weekdays_are_those_of_the_calendar():
    for days in range(0, 30_000, 97):
        at = EPOCH + timedelta(days=days)
        assert weekday(days * DAY_MS) == weekday(days * DAY_MS + DAY_MS - 1) == at.weekday()


def test_the_published_day_of_270():
    """10 mcg/h, and 20 from 06 to 09: 270 mcg a day."""
    steps = (Step(EVERY_DAY, 0, 240_000), Step(EVERY_DAY, 360, 480_000), Step(EVERY_DAY, 540, 240_000))
    assert pattern(steps).prefix[-1] == 270_000 * DAY_MS
    assert flex(steps, 500_000).prefix[-1] == 540_000 * DAY_MS


@pytest.mark.parametrize(
    "at, rate",
    [
        ("2026-11-20 23:59:59.999", 100),  # Friday
        ("2026-11-21 00:00:00.000", 300),  # Saturday
        ("2026-11-21 09:59:59.999", 300),
        ("2026-11-21 10:00:00.000", 400),
        ("2026-11-22 23:59:59.999", 400),  # Sunday
        ("2026-11-23 00:00:00.000", 100),  # Monday
    ],
)
def test_a_weekend_pattern_at_its_edges(at, rate):
    steps = (Step(WEEKEND, 600, 400), Step(WORKDAYS, 0, 100), Step(WEEKEND, 0, 300))
    moment = datetime.strptime(at, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    clock_ms = (moment - EPOCH) // timedelta(milliseconds=1)
    assert pattern(steps).rate_at(clock_ms + MONDAY_MS) == rate


def test_patterns_and_boluses_minute_by_minute():
    for seed in range(25):
        rng = random.Random(seed)
        masks = rng.choice(((EVERY_DAY,), (WORKDAYS, WEEKEND), (0x55, 0x2A)))
        steps = [(m, at, rng.randrange(10**6)) for m in masks for at in sorted({0, *rng.sample(range(1440), 4)})]
        boluses = [(rng.randrange(1, 128), 1380, rng.randrange(10**6), 60 * rng.randrange(1, 180)), (0x7F, 600, 5, 60)]
        words = Flex(steps, 400_000, boluses)
        law = with_boluses(
            flex(tuple(Step(*step) for step in steps), 400_000),
            tuple(ScheduledBolus(m, at, rate, s * 1000) for m, at, rate, s in boluses),
        )
        for minute in range(0, 7 * 1440, 7):
            clock = 20_000 * DAY_MS + minute * MINUTE_MS
            assert law.rate_at(clock + MONDAY_MS) == words.at(clock)


def test_splitting_a_step_or_a_day_pattern_changes_no_total():
    whole = (Step(EVERY_DAY, 0, 7_001), Step(EVERY_DAY, 300, 9_999))
    split = (*whole, Step(EVERY_DAY, 301, 9_999))
    by_day = tuple(Step(mask, s.minute, s.dose_ng_day) for s in whole for mask in (WORKDAYS, WEEKEND))
    for other in (split, by_day, tuple(reversed(split))):
        law = pattern(other)
        assert WEEK_MS // law.period_ms * law.prefix[-1] == 7 * pattern(whole).prefix[-1]


ZERO = Step(EVERY_DAY, 0, 1)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (Step(EVERY_DAY, 1, 1),),
        (Step(WORKDAYS, 0, 1),),
        (ZERO, Step(0x40, 0, 2)),
        (ZERO, Step(EVERY_DAY, 1440, 1)),
        (ZERO, Step(EVERY_DAY, -1, 1)),
        (ZERO, Step(0, 5, 1)),
        (ZERO, Step(0x80, 5, 1)),
        (ZERO, Step(EVERY_DAY, 5, -1)),
        tuple(Step(EVERY_DAY, minute, 1) for minute in range(14)),
    ],
)
def test_patterns_that_are_refused(steps):
    with pytest.raises(ScheduleError):
        pattern(steps)


def test_thirteen_steps_are_taken():
    assert len(pattern(tuple(Step(EVERY_DAY, minute, 1) for minute in range(13))).starts) == 13


@pytest.mark.parametrize(
    "boluses",
    [
        (ScheduledBolus(0, 0, 1, 1),),
        (ScheduledBolus(1, 1440, 1, 1),),
        (ScheduledBolus(1, 0, 1, 0),),
        (ScheduledBolus(1, 0, 1, DAY_MS + 1),),
        (ScheduledBolus(1, 0, -1, 1),),
        (ScheduledBolus(1, 0, 1, 60_001), ScheduledBolus(1, 1, 1, 1)),
        (ScheduledBolus(0x40, 1439, 1, 120_000), ScheduledBolus(0x01, 0, 1, 1)),  # Sunday into Monday
    ],
)
def test_scheduled_boluses_that_are_refused(boluses):
    with pytest.raises(ScheduleError):
        with_boluses(Accumulator.constant(1), boluses)


def test_a_bolus_may_begin_when_another_ends():
    law = with_boluses(Accumulator.constant(1), (ScheduledBolus(1, 0, 2, 60_000), ScheduledBolus(1, 1, 2, 60_000)))
    assert law.prefix[-1] == WEEK_MS + 2 * 120_000
    assert with_boluses(law, ()) is law


# -- the bridge --------------------------------------------------------------------------------------------------------


def bridged(parts, dose, new, tubing=140_000, catheter=176_000):
    """A pump whose line holds `parts`, refilled with the strength `new` and put under its bridge."""
    state = physics.initial(
        load_profile("adult-20").battery, at_ms=0, fill_nl=20_000_000, alarm_nl=0, rate_nl_day=0,
        conc_ng_ml=new, tubing_nl=tubing, catheter_nl=catheter,
    )  # fmt: skip
    if parts:
        line = physics.fluids.declare(
            state.fluid, tubing=(), catheter=tuple((volume * TRUE_NL, conc) for volume, conc in parts)
        )
        state = physics.set_line(state, line)
    then = Accumulator.constant(physics.rate_for_dose(dose, new))
    flow, stages = bridge(parts, dose_ng_day=dose, at_ms=0, then=then)
    return physics.set_flow(state, flow, stages), stages


def test_the_published_bridge():
    """500 to 2000 mcg/mL at 400 mcg/day over 0.316 mL: 0.8 mL/day for 9.48 h, then 0.2 mL/day."""
    state, stages = bridged(((316_000, 500_000),), 400_000, 2_000_000)
    assert state.flow.rates == (800_000,)
    assert [(s.at_ms, s.flow.rates) for s in stages] == [(9 * 3_600_000 + 48 * 36_000, (200_000,))]


def test_the_published_bridge_of_two_parts():
    """0.1 at 500 and 0.216 at 1000 mcg/mL at 400 mcg/day: 15.96 h, then 2000."""
    _, stages = bridged(((100_000, 500_000), (216_000, 1_000_000)), 400_000, 2_000_000)
    assert [s.flow.rates for s in stages] == [(400_000,), (200_000,)]
    assert stages[-1].at_ms == 15 * 3_600_000 + 96 * 36_000


def test_with_a_right_bridge_the_tip_dose_never_leaves_the_prescription():
    """Hour by hour, what left the tip is the prescribed dose, to less than what 1 ms of flow carries."""
    for parts, new in ((((316_000, 500_000),), 2_000_000), (((100_000, 2_000_000), (216_000, 1_000_000)), 500_000)):
        state, stages = bridged(parts, 400_000, new)
        slack = (len(stages) + 1) * 1_000_000 * 2_000_000 * physics.PPM
        for hour in range(72):
            at, _ = physics.run_to(state, hour * 3_600_000)
            mass = physics.read(at).fluid.delivered.mass
            assert abs(mass - 400_000 * hour * NL // 24 * 1_000_000 * physics.PPM) <= slack


def test_a_bridge_between_equal_strengths_is_no_bridge():
    then = Accumulator.constant(800_000)
    flow, stages = bridge(((316_000, 500_000),), dose_ng_day=400_000, at_ms=5, then=then)
    assert flow == then
    assert all(stage.flow == then for stage in stages)
    assert bridge((), dose_ng_day=1, at_ms=0, then=then) == (then, ())


@pytest.mark.parametrize("parts, dose", [(((1, 0),), 1), (((-1, 1),), 1), (((1, 1),), 0), (((1, 10**9),), 1)])
def test_bridges_that_are_refused(parts, dose):
    with pytest.raises(ScheduleError):
        bridge(parts, dose_ng_day=dose, at_ms=0, then=Accumulator.constant(1))
