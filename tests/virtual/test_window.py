"""The dose window that looks forward, against a search of every window in plain sums."""

import random

import pytest

from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.bolus import ButtonRule, Press, press
from drivers.virtual.schedule import EVERY_DAY, MONDAY_MS, Step, pattern
from drivers.virtual.window import Plan, WindowError, given, peak, peak_with_button

HOUR = 3_600_000


def small_plan(rng):
    """A plan whose periods are some ms long, so that every window can be tried."""
    laws, at = [], rng.randrange(-10, 10)
    for _ in range(rng.randrange(1, 4)):
        period = rng.choice((1, 3, 6, 9))
        starts = sorted({0, *(rng.randrange(period) for _ in range(2))})
        laws.append((at, Accumulator.of(period, tuple((s, rng.choice((0, 1, 5, 9))) for s in starts))))
        at += rng.randrange(1, 15)
    boluses = tuple((b, b + rng.randrange(1, 9), rng.randrange(20)) for b in rng.sample(range(-10, 40), 2))
    return Plan(tuple(laws), boluses[: rng.randrange(3)], phase_ms=rng.randrange(9) - MONDAY_MS % 9)


def rate_at(plan, t):
    law = plan.laws[0][1]
    for begins, later in plan.laws:
        law = later if begins <= t else law
    shift = plan.phase_ms + MONDAY_MS
    on_top = sum(rate for start, end, rate in plan.boluses if start <= t < end)
    return law.rates[max(i for i, s in enumerate(law.starts) if s <= (t + shift) % law.period_ms)] + on_top


def test_every_window_of_a_small_world():
    for seed in range(300):
        rng = random.Random(seed)
        plan, span, now = small_plan(rng), rng.randrange(1, 20), rng.randrange(-5, 25)
        rates = {t: rate_at(plan, t) for t in range(now - span, now + 150)}
        sums = {end: sum(rates[t] for t in range(end - span, end)) for end in range(now, now + 120)}
        found = peak(plan, span_ms=span, now_ms=now)
        assert found.amount == max(sums.values())
        assert found.amount == sums[found.ends_ms]
        assert found.ends_ms == min(end for end, value in sums.items() if value == found.amount)
        assert given(plan, now, now + 50) == sum(rates[t] for t in range(now, now + 50))


def test_an_increase_after_a_pause_is_seen_before_it_happens():
    """1200 a day until 02:00, a pause, then 1200 a day again: the worst 24 h lie ahead, and hold 1200."""
    full, none = Accumulator.constant(1_200_000), Accumulator.constant(0)
    plan = Plan(((0, full), (50 * HOUR, none), (60 * HOUR, full)))
    assert peak(plan, span_ms=DAY_MS, now_ms=60 * HOUR).amount == 1_200_000 * DAY_MS
    assert given(plan, 36 * HOUR, 60 * HOUR) == 1_200_000 * 14 * HOUR


def test_the_hour_of_a_flex_step_and_a_bolus_in_it():
    """75 mcg/h from 06 to 08 and a bolus of 25 mcg in the half hour before 08:00: 100 mcg in that hour."""
    law = pattern((Step(EVERY_DAY, 0, 0), Step(EVERY_DAY, 360, 75_000 * 24), Step(EVERY_DAY, 480, 0)))
    plan = Plan(((0, law),), ((2 * DAY_MS + 7 * HOUR + HOUR // 2, 2 * DAY_MS + 8 * HOUR, 50_000 * 24),))
    found = peak(plan, span_ms=HOUR, now_ms=2 * DAY_MS)
    assert (found.amount, found.ends_ms) == (100_000 * DAY_MS, 2 * DAY_MS + 8 * HOUR)
    assert peak(plan, span_ms=HOUR, now_ms=3 * DAY_MS).amount == 75_000 * DAY_MS


def test_no_patient_gets_more_than_the_bound_of_the_button():
    """Random presses, each given over its time; no window holds more than the bound says."""
    for seed in range(40):
        rng = random.Random(seed)
        unit = HOUR
        rule = ButtonRule(1, rng.randrange(1, 4) * unit, rng.randrange(4, 9) * unit, rng.randrange(1, 6))
        span = rng.choice((HOUR, 7 * HOUR, DAY_MS))
        starts, boluses = (), []
        for at in range(0, 5 * DAY_MS, unit):
            if rng.random() < 0.8:
                starts, verdict = press(rule, starts, at)
                if verdict is Press.GIVEN:
                    boluses.append((at, at + rule.duration_ms, 24 * 6_000))
        dose = 6_000 * rule.duration_ms // HOUR
        basal = Plan(((0, Accumulator.constant(100)),))
        bound = peak_with_button(basal, rule, dose, span_ms=span, now_ms=0)
        assert peak(Plan(basal.laws, tuple(boluses)), span_ms=span, now_ms=0).amount <= bound


@pytest.mark.parametrize(
    "make",
    [
        lambda: Plan(()),
        lambda: Plan(((1, Accumulator.constant(1)), (1, Accumulator.constant(1)))),
        lambda: Plan(((1, Accumulator.constant(1)),), ((5, 5, 1),)),
        lambda: peak(Plan(((1, Accumulator.constant(1)),)), span_ms=0, now_ms=0),
    ],
)
def test_plans_that_are_none(make):
    with pytest.raises(WindowError):
        make()
