"""The pump refuses by its own numbers: each limit one unit below, at and above."""

import random

import pytest

from drivers.virtual import limits
from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.limits import HOUR_MS, HardRow, Past, Setting, judge, load_rows
from drivers.virtual.profiles import ProfileError, load_profile, parse_profile, profile_names

PROFILE = load_profile("child-20")
ROW = load_rows()["child_4_11"]
NOW = 30 * DAY_MS


def _judge(old, new, conc=500_000, alarm=(2_000_000, 2_000_000), history=None, row=ROW, **more):
    history = (Past(0, old),) if history is None else history
    return [
        r.code
        for r in judge(
            Setting(old, conc, alarm[0]),
            Setting(new, conc, alarm[1]),
            history=history,
            now_ms=NOW,
            row=row,
            profile=PROFILE,
            **more,
        )
    ]


@pytest.mark.parametrize(
    "old, new, codes",
    [
        (100_000, 100_000, []),
        (100_000, 115_000, []),
        (100_000, 140_000, []),
        (100_000, 140_001, ["CHANGE_ABOVE_HARD", "CHANGE_24H"]),
        (100_000, 50_000, []),
        (100_000, 49_999, ["DECREASE_ABOVE_HARD"]),
        (1_190_000, 1_200_000, []),
        (1_190_000, 1_200_001, ["DOSE_ABOVE_HARD", "WINDOW_ABOVE_HARD"]),
        (1_500_000, 1_400_000, []),  # above the row, and lower than before: patients arrive with them
        (1_500_000, 1_500_000, []),
        (30_000, 24_000, []),
        (30_000, 23_999, ["FLOW_BELOW_MINIMUM"]),
    ],
)
def test_dose_limits(old, new, codes):
    assert _judge(old, new) == codes


def test_flow_maximum():
    row = ROW.model_copy(update={"dose_high_ng_day": 10**9, "window_24h_ng": 10**9, "window_1h_ng": 10**9})
    assert _judge(1_190_000, 1_200_000, conc=50_000, row=row) == []
    assert _judge(1_190_000, 1_200_050, conc=50_000, row=row) == ["FLOW_ABOVE_MAXIMUM"]


def test_change_over_a_day_is_judged_against_the_dose_then():
    history = (Past(0, 100_000), Past(NOW - HOUR_MS, 125_000))
    assert _judge(125_000, 140_000, history=history) == []
    assert _judge(125_000, 140_001, history=history) == ["CHANGE_24H"]


def test_change_over_seven_days():
    history = (Past(0, 100_000), Past(NOW - 5 * DAY_MS, 130_000), Past(NOW - 2 * DAY_MS, 160_000))
    assert _judge(160_000, 200_000, history=history) == []
    assert _judge(160_000, 200_001, history=history) == ["CHANGE_7D"]


def test_open_discrepancy_blocks_increases_only():
    assert _judge(100_000, 100_001, discrepancy_open=True) == ["DISCREPANCY_OPEN"]
    assert _judge(100_000, 99_999, discrepancy_open=True) == []
    assert _judge(100_000, 100_000, discrepancy_open=True) == []


@pytest.mark.parametrize(
    "old, new, codes",
    [
        (2_000_000, 1_000_000, []),
        (2_000_000, 999_999, ["ALARM_VOLUME_LOW"]),
        (500_000, 600_000, []),
        (2_000_000, 20_000_000, []),
        (2_000_000, 20_000_001, ["ALARM_VOLUME_HIGH"]),
    ],
)
def test_alarm_volume(old, new, codes):
    assert _judge(100_000, 100_000, alarm=(old, new)) == codes


def test_concentration_needs_a_bridge():
    found = judge(
        Setting(100_000, 500_000, 0), Setting(100_000, 2_000_000, 0), history=(), now_ms=0, row=ROW, profile=PROFILE
    )
    assert [r.code for r in found] == ["BRIDGE_UNDECIDED"]


def test_volume_above_capacity():
    assert limits.judge_volume(20_000_000, PROFILE) == ()
    assert [r.code for r in limits.judge_volume(20_000_001, PROFILE)] == ["VOLUME_ABOVE_CAPACITY"]


def test_window_peak_against_every_window_of_a_small_world():
    """All windows, minute by minute, in plain sums."""
    for seed in range(150):
        rng = random.Random(seed)
        now, span, new = rng.randrange(5, 30), rng.randrange(1, 12), rng.randrange(0, 9)
        times = sorted(rng.sample(range(now), rng.randrange(0, 4)))
        history = tuple(Past(t, rng.randrange(0, 9)) for t in times)
        rate = [limits.dose_at(history, t, 4) if t < now else new for t in range(-span, now + 2 * span)]
        naive = max(sum(rate[end : end + span]) for end in range(now, now + span + 1))
        assert limits.window_peak(history, new, now, span, 4) == naive


def test_window_counts_what_was_delivered_before():
    row = HardRow(**{**ROW.model_dump(), "window_24h_ng": 100_000})
    history = (Past(0, 120_000), Past(NOW - HOUR_MS, 90_000))
    assert _judge(90_000, 95_000, history=history, row=row) == ["WINDOW_ABOVE_HARD"]


def test_profiles_are_strict_data():
    assert profile_names() == ("adult-20", "adult-40", "child-20")
    assert load_profile("adult-40").capacity_nl == 40_000_000
    assert set(load_rows()) >= {load_profile(n).limit_row for n in profile_names()}
    with pytest.raises(ProfileError, match="choose one of adult-20"):
        load_profile("no-such")
    for raw in (b"\xff", b"schema = 1", b"=", b"schema = 2\nname='a'"):
        with pytest.raises(ProfileError):
            parse_profile(raw)
