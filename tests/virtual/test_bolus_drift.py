"""Boluses by their worked examples, the button against a greedy patient, the clock against plain sums."""

import random
from fractions import Fraction

import pytest

from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.bolus import BolusError, ButtonRule, Cause, Press, achieved_u, most_presses, press, priming, single
from drivers.virtual.drift import ClockError, PumpClock, temperature_ppm

HOUR_MS = 3_600_000


def test_fifty_micrograms_in_ten_minutes():
    """50 mcg of 500 mcg/mL are 0.1 mL; in 10 min that is 0.6 mL/h."""
    bolus = single(Cause.SINGLE, volume_nl=100_000, duration_ms=600_000, at_ms=7)
    assert (bolus.rate_nl_day, bolus.ends_ms) == (600_000 * 24, 600_007)
    assert achieved_u(bolus, 7) == 100_000 * DAY_MS


def test_priming_a_whole_line_takes_18_96_minutes():
    bolus = priming(volume_nl=316_000, rate_nl_day=24_000_000, at_ms=0)
    assert (bolus.cause, bolus.ends_ms) == (Cause.PRIMING, 1_137_600)


def test_a_bolus_never_gives_more_than_was_asked_for():
    rng = random.Random(1)
    for _ in range(500):
        volume, lasts, rate = rng.randrange(1, 10**7), rng.randrange(1, 10**8), rng.randrange(1, 10**9)
        for bolus, allowed in (
            (single(Cause.SINGLE, volume_nl=volume, duration_ms=lasts, at_ms=0), lasts),
            (priming(volume_nl=volume, rate_nl_day=rate, at_ms=0), rate) if volume * DAY_MS >= rate else (None, 0),
        ):
            if bolus is not None:
                assert volume * DAY_MS - allowed < achieved_u(bolus, 0) <= volume * DAY_MS


@pytest.mark.parametrize(
    "make",
    [
        lambda: single(Cause.SINGLE, volume_nl=1, duration_ms=0, at_ms=0),
        lambda: single(Cause.SINGLE, volume_nl=0, duration_ms=5, at_ms=0),
        lambda: single(Cause.SINGLE, volume_nl=1, duration_ms=DAY_MS + 1, at_ms=0),
        lambda: priming(volume_nl=0, rate_nl_day=1, at_ms=0),
        lambda: priming(volume_nl=1, rate_nl_day=0, at_ms=0),
        lambda: ButtonRule(1, 10, 9, 1),
        lambda: ButtonRule(1, 10, 10, 0),
    ],
)
def test_boluses_that_are_refused(make):
    with pytest.raises(BolusError):
        make()


@pytest.mark.parametrize("lockout_h, most, day", [(4, 12, 6), (5, 12, 5), (5, 3, 3), (24, 9, 1), (1, 24, 24)])
def test_presses_that_fit_a_day(lockout_h, most, day):
    assert most_presses(ButtonRule(1, 1, lockout_h * HOUR_MS, most), DAY_MS) == day


def greedy(rule, span_ms, every_ms):
    """A patient who presses all the time, from the first instant of the span on."""
    starts, given = (), 0
    for at in range(0, span_ms, every_ms):
        starts, verdict = press(rule, starts, at)
        given += verdict is Press.GIVEN
    return given


def test_most_presses_equals_a_greedy_patient():
    rng = random.Random(2)
    for _ in range(60):
        unit = 1_800_000
        rule = ButtonRule(1, 1, rng.randrange(1, 60) * unit, rng.randrange(1, 14))
        span = rng.randrange(1, 200) * unit
        assert most_presses(rule, span) == greedy(rule, span, unit)


def test_the_button_word_for_word():
    rule = ButtonRule(1, 1, 4 * HOUR_MS, 2)
    starts, given = press(rule, (), 0)
    assert given is Press.GIVEN
    assert press(rule, starts, 4 * HOUR_MS - 1) == (starts, Press.LOCKED_OUT)
    starts, given = press(rule, starts, 4 * HOUR_MS)
    assert given is Press.GIVEN
    assert press(rule, starts, DAY_MS - 1)[1] is Press.DAILY_MAXIMUM
    assert press(rule, starts, DAY_MS) == ((4 * HOUR_MS, DAY_MS), Press.GIVEN)


def test_a_lock_out_longer_than_a_day_is_kept():
    rule = ButtonRule(1, 1, 2 * DAY_MS, 5)
    starts, _ = press(rule, (), 0)
    again, verdict = press(rule, starts, 2 * DAY_MS - 1)
    assert (again, verdict) == (starts, Press.LOCKED_OUT)
    assert press(rule, again, 2 * DAY_MS)[1] is Press.GIVEN


# -- the clock ---------------------------------------------------------------------------------------------------------


def test_the_clock_loses_no_fraction_however_often_it_is_trimmed():
    for seed in range(200):
        rng = random.Random(seed)
        clock, exact, at = PumpClock.started(1_000, 5_000, 17), Fraction(5_000), 1_000
        ppm = 17
        for _ in range(30):
            more = rng.randrange(0, 50_000)
            exact += Fraction(more * (1_000_000 + ppm), 1_000_000)
            at += more
            if rng.random() < 0.2:
                back = rng.randrange(-9_999, 9_999)
                clock, exact = clock.moved(back), exact + back
            ppm = rng.choice((ppm, 0, 20, -50, 999_999, -1_000_000))
            clock = clock.running(ppm, at)
            assert clock.at(at) == exact.__floor__()


def test_the_first_true_ms_at_which_the_clock_shows_a_time():
    for seed in range(200):
        rng = random.Random(seed)
        clock = PumpClock.started(rng.randrange(100), rng.randrange(100), rng.randrange(-900_000, 900_000))
        wanted = rng.randrange(300)
        at = clock.reaches(wanted)
        assert clock.at(at) >= wanted
        assert at == clock.origin_ms or clock.at(at - 1) < wanted
    assert PumpClock.started(0, 0, -1_000_000).reaches(1) is None


def test_twenty_ppm_are_52_seconds_in_30_days():
    assert PumpClock.started(0, 0, 20).at(30 * DAY_MS) - 30 * DAY_MS == 51_840


def test_impossible_clocks():
    with pytest.raises(ClockError):
        PumpClock.started(0, 0, -1_000_001)
    with pytest.raises(ClockError):
        PumpClock.started(5, 0).at(4)
    with pytest.raises(ClockError):
        PumpClock.started(0, 0).running(-1_000_001, 0)


def test_temperature():
    assert temperature_ppm(1_500, 1_000) == 1_500
    assert temperature_ppm(-1, 1_000) == -1
    assert temperature_ppm(-1, 1) == -1  # floored: never more flow than the law gives
