"""The closed forms against the one-second ticker, conservation, split invariance, blind reading."""

import pytest

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS, WEEK_MS, Accumulator
from drivers.virtual.battery import percent_left
from drivers.virtual.bolus import Bolus, Cause
from drivers.virtual.fluid import Outlet
from drivers.virtual.physics import NL, TRUE_NL, Kind, PhysicsError
from drivers.virtual.physics_file import PhysicsFile
from drivers.virtual.profiles import load_profile
from drivers.virtual.schedule import EVERY_DAY, Stage, Step, flex
from tests.virtual.histories import Life, summary

# -- random histories --------------------------------------------------------------------------------------------------


def agrees(seed):
    """State and event times of one history equal the ticker's."""
    life = Life(seed)
    state, seen = life.closed()
    pump = life.ticked()
    assert summary(state) == pump.state()
    assert sorted((c.kind.value, -(-c.at_ms // 1000) * 1000) for c in seen) == sorted(pump.seen)


def splits(seed):
    """A run cut anywhere is the same run, in state and log, and nothing is lost on the way."""
    plain = Life(seed).closed(judge=conserved)
    life = Life(seed)
    stops = [life.rng.randrange(life.start, life.end + 1) for _ in range(8)]
    assert life.closed(stops, between=looked_at) == plain


def settles(seed):
    """Even to start counting afresh anywhere changes no value and no crossing."""
    plain, seen = Life(seed).closed()
    life = Life(seed)
    stops = [life.rng.randrange(life.start, life.end + 1) for _ in range(8)]
    state, again = life.closed(stops, between=physics.settled)
    assert (summary(state), again) == (summary(plain), seen)
    assert physics.settled(state) == physics.settled(plain)


def conserved(state):
    """What entered is found again, to the unit, in volume and in drug."""
    now = physics.read(state).fluid
    assert now.accounted == now.filled


def looked_at(state):
    """Reading is blind: it changes nothing."""
    before = PhysicsFile.of(state)
    physics.read(state)
    physics.next_crossing(state)
    physics.when(state, Kind.EMPTY)
    assert PhysicsFile.of(state) == before
    return state


def test_closed_form_equals_the_one_second_ticker():
    for seed in range(200):
        agrees(seed)


def test_split_runs_equal_one_run_in_state_and_log():
    for seed in range(500):
        splits(seed)


def test_counting_afresh_changes_nothing():
    for seed in range(300):
        settles(seed)


@pytest.mark.full
def test_five_hundred_more_histories():
    for seed in range(200, 700):
        agrees(seed)
    for seed in range(500, 10_500):
        splits(seed)


@pytest.mark.nightly
def test_ten_thousand_histories():
    for seed in range(700, 10_700):
        agrees(seed)
        settles(seed)


def test_each_kind_of_crossing_and_place_occurs_in_the_random_histories():
    kinds, places, shares = set(), set(), 0
    for seed in range(200):
        state, seen = Life(seed).closed()
        kinds |= {c.kind for c in seen}
        f = physics.read(state).fluid
        amounts = {"leaked": f.leaked, "pocket": f.pocket, "withdrawn": f.withdrawn, "tip": f.delivered}
        places |= {name for name, amount in amounts.items() if amount.volume}
        shares = max(shares, len(f.tip))
    assert kinds == set(Kind) - {Kind.NEAR_EMPTY, Kind.AGE}  # these have a file of their own
    assert places == {"leaked", "pocket", "withdrawn", "tip"}
    assert shares >= 3


def test_a_state_file_gives_the_same_pump():
    for seed in range(100):
        life = Life(seed)
        state, _ = life.closed()
        text = PhysicsFile.of(state).model_dump_json()
        assert PhysicsFile.model_validate_json(text).build(state.battery) == state


def test_a_state_file_whose_fluid_does_not_add_up_is_refused():
    part = PhysicsFile.of(Life(1).closed()[0])
    wrong = part.fluid.model_copy(update={"withdrawn": (1, 0)})
    with pytest.raises(ValueError, match="does not add up"):
        part.model_copy(update={"fluid": wrong}).build(Life(1).state.battery)


# -- single facts ------------------------------------------------------------------------------------------------------


def _pump(gain=0, fill=20_000_000, dose=300_000, conc=500_000, alarm=2_000_000, **line):
    return physics.initial(
        load_profile("child-20").battery, at_ms=0, fill_nl=fill, alarm_nl=alarm, gain_ppm=gain,
        rate_nl_day=physics.rate_for_dose(dose, conc), conc_ng_ml=conc, **line,
    )  # fmt: skip


def test_ordinary_refill_example_fast_pump():
    """20 mL at 0.6 mL/day, 2.5 % fast, 25 days: model 5 mL, true 20 - 15.375 = 4.625 mL."""
    state, seen = physics.run_to(_pump(gain=25_000), 25 * DAY_MS)
    r = physics.read(state)
    assert (r.model_nl, r.true_nl, seen) == (5_000_000, 4_625_000, ())


def test_low_alarm_sounds_at_day_30_of_the_model_even_in_a_fast_pump():
    state, seen = physics.run_to(_pump(gain=145_000), 30 * DAY_MS)
    assert [(c.kind, c.at_ms // DAY_MS) for c in seen] == [(Kind.DRY, 29), (Kind.LOW, 30)]
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
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.LOW, at), (Kind.EMPTY, at), (Kind.DRY, at)]


def test_time_to_empty_is_the_simulated_crossing():
    """20 mL, 6 h a day at 1.2 mL/day and the rest at 0.4: 0.6 mL/day, and 0.2 mL are left after 33 days at 06:00..."""
    law = flex((Step(EVERY_DAY, 0, 200_000), Step(EVERY_DAY, 360, 600_000), Step(EVERY_DAY, 720, 200_000)), 500_000)
    state = physics.set_flow(_pump(), law)
    # a day gives 0.3 + 0.3 = 0.6 mL; 33 days leave 0.2 mL: 0.1 by 06:00, then 2 h at 0.05 mL/h
    assert physics.when(state, Kind.EMPTY) == 33 * DAY_MS + 8 * 3_600_000
    for kind in Kind:
        at = physics.when(state, kind)
        seen = physics.run_to(state, 3_000 * DAY_MS)[1]
        assert at == next((c.at_ms for c in seen if c.kind is kind), None)


def test_a_run_without_a_crossing_only_moves_now():
    state = _pump(tubing_nl=140_000)
    assert physics.run_to(state, DAY_MS) == (state._replace(now_ms=DAY_MS), ())


def test_stopped_never_crosses():
    state = physics.set_rate(_pump(), 0)
    state, seen = physics.run_to(state, 1_000 * DAY_MS)
    assert (seen, physics.read(state).model_nl) == ((), 20_000_000)


def test_a_new_strength_reaches_the_tip_when_the_old_line_has_left():
    """0.316 mL of line at 0.2 mL/day take 37.92 h; the dose omitted by no bridge is P (C old - C new) = 474 mcg."""
    state = _pump(dose=400_000, conc=2_000_000, tubing_nl=140_000, catheter_nl=176_000)
    state, _ = physics.needle(state, withdraw_nl=None, inject_nl=20_000_000, conc_ng_ml=500_000)
    at = 37 * 3_600_000 + 92 * 36_000
    assert physics.read(state, at - 1).fluid.tip_conc_ng_ml == 2_000_000
    assert physics.read(state, at).fluid.tip_conc_ng_ml == 500_000
    given = physics.read(state, at).fluid.delivered.mass
    assert given == 316_000 * TRUE_NL * 2_000_000
    assert given - 316_000 * TRUE_NL * 500_000 == 474_000 * TRUE_NL * 1_000_000


def test_dead_volume_mixes_with_the_fill():
    """1.4 mL at 500 and 18.6 mL at 2000 mcg/mL make 1895 mcg/mL."""
    state = _pump(dead_nl=1_400_000)
    state, _ = physics.needle(state, withdraw_nl=None, inject_nl=18_600_000, conc_ng_ml=2_000_000)
    assert state.fluid.chamber.conc_ng_ml == 1_895_000


def test_a_bolus_lies_on_top_of_the_basal_flow_and_ends_by_itself():
    state = physics.give(_pump(), Bolus(Cause.SINGLE, 600_000, 14_400_000))
    assert physics.read(state).rate_nl_day == 600_000 + 14_400_000
    with pytest.raises(PhysicsError):
        physics.give(state, Bolus(Cause.SINGLE, 600_001, 1))
    state, seen = physics.run_to(state, DAY_MS)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.BOLUS_END, 600_000)]
    assert physics.read(state).programmed_u == 700_000 * NL  # 0.6 mL basal and 0.1 mL
    assert physics.read(state).rate_nl_day == 600_000


def test_a_bolus_can_be_broken_off():
    state = physics.give(_pump(), Bolus(Cause.PATIENT, 600_000, 14_400_000))
    state = physics.end_bolus(physics.run_to(state, 300_000)[0])
    assert physics.run_to(state, DAY_MS)[1] == ()
    assert physics.read(state, DAY_MS).programmed_u == 650_000 * NL


def test_stall_is_seen_by_the_true_ledger_alone():
    state = physics.set_stalled(_pump(), True)
    r = physics.read(state, DAY_MS)
    assert (r.model_nl, r.true_nl) == (19_400_000, 20_000_000)
    assert physics.when(state, Kind.DRY) is None
    assert physics.read(physics.set_stalled(state, False), DAY_MS).true_nl == 19_400_000


def test_a_leak_between_tubing_and_catheter_leaves_the_catheter_alone():
    state = physics.set_outlet(_pump(tubing_nl=100, catheter_nl=100), Outlet.LEAKING)
    f = physics.read(state, DAY_MS).fluid
    assert (f.leaked.volume, f.delivered.volume) == (600_000 * TRUE_NL, 0)
    assert physics.read(physics.set_outlet(state, Outlet.CLOSED), DAY_MS).true_nl == 20_000_000


def test_conditions_multiply_and_are_floored_once():
    state = physics.set_temperature(_pump(gain=25_000), 3_333)
    assert state.factor == 1_028_416  # 1.025 x 1.003333 = 1.028416325
    assert physics.read(state, DAY_MS).reservoir_true == 20_000_000 * TRUE_NL - 600_000 * NL * 1_028_416


def test_a_clock_that_is_set_moves_the_pattern_and_nothing_else():
    law = flex((Step(EVERY_DAY, 0, 100_000), Step(EVERY_DAY, 60, 500_000)), 500_000)
    state, _ = physics.run_to(physics.set_flow(_pump(), law), 30 * 60_000)
    moved = physics.set_phase(state, 3_600_000)
    assert (physics.read(state).rate_nl_day, physics.read(moved).rate_nl_day) == (200_000, 1_000_000)
    assert physics.read(moved).model_u == physics.read(state).model_u
    lost = physics.clock_lost(state)
    assert lost.flow.rates == ((200_000 + 23 * 1_000_000) // 24,)


def test_stages_follow_one_another():
    stages = (Stage(100, Accumulator.constant(7)), Stage(200, Accumulator.constant(9)))
    state, seen = physics.run_to(physics.set_flow(_pump(), Accumulator.constant(5), stages), 150)
    assert [(c.kind, c.at_ms) for c in seen] == [(Kind.STAGE_END, 100)]
    assert physics.read(state).programmed_u == 5 * 100 + 7 * 50
    for wrong in ((stages[1], stages[0]), (Stage(150, Accumulator.constant(1)),)):
        with pytest.raises(PhysicsError):
            physics.set_flow(state, Accumulator.constant(5), wrong)


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
    with pytest.raises(PhysicsError):
        physics.give(state, Bolus(Cause.SINGLE, 85 * month, 1))


def test_needle_takes_no_more_than_there_is():
    state = _pump()
    with pytest.raises(PhysicsError):
        physics.needle(state, withdraw_nl=20_000_001, inject_nl=0, conc_ng_ml=0)
    after, out = physics.needle(state, withdraw_nl=4_000_000, inject_nl=1, conc_ng_ml=0)
    assert (out, after.fluid.left) == (4_000_000 * TRUE_NL, 16_000_001 * TRUE_NL)
    assert after.model == state.model


@pytest.mark.parametrize(
    "act",
    [
        lambda s: physics.run_to(s, -1),
        lambda s: physics.read(s, -1),
        lambda s: physics.set_gain(s, -1_000_001),
        lambda s: physics.set_temperature(s, -1_000_001),
        lambda s: physics.set_alarm(s, -1),
        lambda s: physics.set_model(s, -1),
        lambda s: physics.give(s, Bolus(Cause.SINGLE, 0, 1)),
        lambda s: physics.needle(s, withdraw_nl=0, inject_nl=1, conc_ng_ml=1, pocket_nl=2),
        lambda s: physics.initial(s.battery, at_ms=0, fill_nl=-1, alarm_nl=0, rate_nl_day=0),
    ],
)
def test_impossible_events_are_refused(act):
    with pytest.raises(PhysicsError):
        act(_pump())


def test_dose_is_quantised_downwards():
    assert physics.rate_for_dose(100_000, 3_000_000) == 33_333
    assert physics.dose_for_rate(33_333, 3_000_000) == 99_999


def test_motor_steps_count_whole_steps():
    state, _ = physics.run_to(_pump(), DAY_MS)
    assert physics.motor_steps(state, 500 * NL) == 1_200


def _work(monkeypatch, years):
    """How often the accumulators are asked while so many idle years of a weekly pattern pass."""
    asked = 0
    real = Accumulator.cum

    def counting(self, t):
        nonlocal asked
        asked += 1
        return real(self, t)

    with monkeypatch.context() as patch:
        patch.setattr(Accumulator, "cum", counting)
        law = flex((Step(0x1F, 0, 1_000), Step(0x60, 0, 500), Step(0x1F, 600, 2_000)), 500_000)
        state = physics.set_flow(_pump(fill=10**9, alarm=0), law)
        state = state._replace(eri_at_ms=10**18)
        state, seen = physics.run_to(state, years * 52 * WEEK_MS)
        physics.read(state)
    assert seen == ()
    return asked


def test_idle_years_are_jumped_and_not_walked(monkeypatch):
    assert _work(monkeypatch, 1) == _work(monkeypatch, 1_000)
