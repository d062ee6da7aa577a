"""Laws of the arithmetic that hold for any numbers."""

import io
import json
from datetime import date
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.cli import calc
from programmer.clinical import bolus, bridge, conversions, flex, gap, line, planning, refill, reservoir
from programmer.clinical.calculator import calculate
from programmer.clinical.decimals import decimal_text, parse_decimal, terminates

LAW = settings(max_examples=60, deadline=None)
exact = st.integers(1, 10**7).map(lambda n: Fraction(n, 1000))
volume = st.integers(0, 40_000).map(lambda n: Fraction(n, 1000))
flow = st.integers(48, 24_000).map(lambda n: Fraction(n, 1000))
band = st.integers(0, 999).map(lambda n: Fraction(n, 1000))
strength = st.sampled_from([Fraction(n) for n in (50, 500, 1000, 2000)])
slices = st.lists(
    st.builds(
        bridge.LineSlice,
        st.integers(1, 500).map(lambda n: Fraction(n, 1000)),
        st.one_of(st.just(Fraction(0)), strength),
    ),
    min_size=1,
    max_size=5,
)
FILL = date(2026, 11, 23)


@LAW
@given(exact, exact)
def test_dose_to_flow_and_back_is_exact(dose: Fraction, conc: Fraction) -> None:
    assert conversions.dose_mcg_per_day(conversions.flow_ml_per_day(dose, conc), conc) == dose


@LAW
@given(volume, volume, volume, volume, flow, band, band, st.integers(0, 30), st.integers(1, 400))
def test_raising_alarm_reserve_band_or_flow_never_moves_a_date_later(
    reservoir_ml: Fraction,
    alarm: Fraction,
    more: Fraction,
    reserve: Fraction,
    rate: Fraction,
    a: Fraction,
    b: Fraction,
    lead: int,
    stable: int,
) -> None:
    low, high = sorted((a, b))

    def dates(alarm_ml: Fraction, reserve_ml: Fraction, q: Fraction, accuracy: Fraction) -> list[date]:
        found = reservoir.refill_by(FILL, reservoir_ml, alarm_ml, reserve_ml, q, accuracy, 0, stable)
        assert found.refill_by <= found.alarm_nominal
        assert found.refill_by <= found.low_guarded
        return [found.alarm_nominal, found.low_guarded, found.empty_guarded, found.refill_by]

    first = dates(alarm, reserve, rate, low)
    for other in (
        dates(alarm + more, reserve, rate, low),
        dates(alarm, reserve + more, rate, low),
        dates(alarm, reserve, rate + more, low),
        dates(alarm, reserve, rate, high),
    ):
        assert all(later <= earlier for later, earlier in zip(other, first, strict=True))


@LAW
@given(exact, flow, band)
def test_at_the_least_alarm_volume_alarm_and_fast_empty_coincide(
    reservoir_ml: Fraction, rate: Fraction, a: Fraction
) -> None:
    alarm = reservoir.min_alarm_volume_for_accuracy(reservoir_ml, a)
    days = reservoir.true_empty_vs_alarm(reservoir_ml, alarm, rate, a)
    assert days.alarm_day_exact == days.true_empty_day_exact
    assert not days.empty_before_alarm


@LAW
@given(exact, strength, strength, exact, exact)
def test_bridges(path: Fraction, old: Fraction, new: Fraction, dose: Fraction, other: Fraction) -> None:
    there = bridge.omitted_bridge(path, old, new, dose).signed_error_mcg
    assert there == path * (old - new)
    assert there == bridge.omitted_bridge(path, old, new, other).signed_error_mcg
    assert there == -bridge.omitted_bridge(path, new, old, dose).signed_error_mcg
    made = bridge.bridge_bolus(path, old, new, dose)
    assert made.bridge_required is (old != new)
    if made.bridge_flow_ml_per_day is not None and made.duration_days is not None:
        assert made.bridge_flow_ml_per_day * old == dose
        assert made.bridge_flow_ml_per_day * made.duration_days == path
    right = bridge.bridge_with_wrong_path(path, path, old, new, dose)
    assert (right.tail, right.excess_mcg) == ("none", 0)


@LAW
@given(slices, exact, st.integers(1, 2000).map(lambda n: Fraction(n, 1000)))
def test_pushing_the_whole_line_gives_its_content(
    line_slices: list[bridge.LineSlice], behind: Fraction, more: Fraction
) -> None:
    path = sum((piece.volume_ml for piece in line_slices), Fraction(0))
    content = bridge.line_at_flow(line_slices, Fraction(1)).content_mcg
    assert bridge.line_push(line_slices, path, behind) == content
    assert bridge.line_push(line_slices, path + more, behind) == content + more * behind


@LAW
@given(exact, st.lists(st.tuples(exact, exact), min_size=1, max_size=6), st.data())
def test_a_gap_does_not_change_when_a_piece_is_split(
    last: Fraction, pieces: list[tuple[Fraction, Fraction]], data: st.DataObject
) -> None:
    history = [gap.HistoryPiece(hours % 100 + 1, dose) for hours, dose in pieces]
    at = data.draw(st.integers(0, len(history) - 1))
    part = data.draw(st.integers(1, 9))
    piece = history[at]
    one = gap.HistoryPiece(piece.hours * part / 10, piece.mcg_per_day)
    two = gap.HistoryPiece(piece.hours - one.hours, piece.mcg_per_day)
    split = [*history[:at], one, two, *history[at + 1 :]]
    assert gap.therapy_gap(last, history) == gap.therapy_gap(last, split)


@LAW
@given(exact, exact, exact)
def test_no_resume_after_48_hours(hours: Fraction, last: Fraction, start: Fraction) -> None:
    rule = gap.restart_rule(48 + hours, last, start)
    assert (rule.action, rule.persons, rule.monitored_bed) == ("new_dose", 2, True)
    assert rule.low_mcg_per_day <= rule.high_mcg_per_day == last


@LAW
@given(st.integers(0, 30), st.integers(1, 4000).map(lambda n: Fraction(n, 100)))
def test_activations_equal_a_greedy_simulation(most: int, lockout: Fraction) -> None:
    pressed, at = 0, Fraction(0)
    while at < 24 and pressed < most:
        pressed += 1
        at += lockout
    assert bolus.patient_bolus_daily_max(Fraction(0), Fraction(1), most, lockout).activations == pressed


@LAW
@given(exact, st.integers(0, 50).map(Fraction), st.integers(0, 12), st.integers(0, 12))
def test_compounding_n_then_m_steps(start: Fraction, percent: Fraction, n: int, m: int) -> None:
    once = planning.compounded_titration(start, percent, n + m).final_mcg_per_day
    first = planning.compounded_titration(start, percent, n).final_mcg_per_day
    assert once == planning.compounded_titration(first, percent, m).final_mcg_per_day


@LAW
@given(st.sets(st.integers(1, 1439), max_size=8), st.data())
def test_a_flex_total_is_unchanged_by_splitting_a_step_and_by_units(cuts: set[int], data: st.DataObject) -> None:
    starts = [0, *sorted(cuts)]
    rates = [data.draw(exact) for _ in starts]
    steps = [flex.FlexStep(start, rate) for start, rate in zip(starts, rates, strict=True)]
    whole = flex.flex_total(steps)
    again = data.draw(st.integers(1, 1439).filter(lambda minute: minute not in cuts))
    rate = next(r for s, r in reversed(list(zip(starts, rates, strict=True))) if s <= again)
    split = sorted([*steps, flex.FlexStep(again, rate)], key=lambda step: step.start)
    assert flex.flex_total(split).total_mcg_per_day == whole.total_mcg_per_day
    by_dose = [flex.FlexStep(s, None, d) for s, d in zip(starts, whole.dose_mcg_by_step, strict=True)]
    assert flex.flex_total(by_dose) == whole


@LAW
@given(volume, volume, volume)
def test_the_ratio_is_one_only_without_a_discrepancy(a: Fraction, b: Fraction, c: Fraction) -> None:
    low, middle, fill = sorted((a, b, c))
    if middle == fill:
        return
    for expected, withdrawn in ((low, middle), (middle, low)):
        found = refill.reconcile_refill(fill, expected, withdrawn, Fraction(2), Fraction(29, 200))
        assert (found.ratio == 1) is (found.discrepancy_ml == 0) is (found.direction == "none")
        assert found.programmed_ml + expected == found.actual_ml + withdrawn == fill


@LAW
@given(volume, st.lists(st.tuples(st.integers(0, 20), flow), min_size=1, max_size=5))
def test_mass_is_kept(stall: Fraction, pieces: list[tuple[int, Fraction]]) -> None:
    fill = Fraction(10_000)
    segments = [refill.DeliverySegment(Fraction(days), q, Fraction(days)) for days, q in pieces]
    delivered = sum((s.flow_ml_per_day * s.days * Fraction(23, 24) for s in segments), Fraction(0))
    assert refill.expected_residual(fill, segments, [stall]) + stall + delivered == fill


@LAW
@given(exact, exact, exact, exact)
def test_priming_fills_exactly_the_line(tubing: Fraction, catheter: Fraction, conc: Fraction, rate: Fraction) -> None:
    primed = line.priming_bolus(tubing, catheter, conc, rate)
    assert primed.displayed_dose_mcg == line.line_content_mcg(tubing + catheter, conc)
    assert primed.duration_min * rate / 60 == primed.volume_ml


@LAW
@given(st.integers(0, 10**24 - 1), st.integers(0, 12))
def test_a_decimal_survives_its_text_and_its_spelling(number: int, places: int) -> None:
    value = Fraction(number % 10 ** (12 + places), 10**places)
    text = decimal_text(value)
    assert parse_decimal(text) == value
    assert text == "0" or not text.startswith("00")
    longer = text if text.count(".") else text + ".0"
    assert calculate("mcg_per_hour", {"dose_mcg_per_day": text}) == calculate(
        "mcg_per_hour", {"dose_mcg_per_day": longer}
    )


@LAW
@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_a_terminating_text_is_the_value_and_the_other_is_near(n: int, d: int) -> None:
    value = Fraction(n, d)
    printed = Fraction(decimal_text(value))
    if terminates(value):
        assert printed == value
    else:
        assert 0 < abs(printed - value) < Fraction(1, 2 * 10**12)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["1", "0", "24:00", "00:00", "2026-11-23"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_input_is_answered_without_a_traceback(data: st.DataObject) -> None:
    from programmer.clinical.calculator import FUNCTIONS

    name = data.draw(st.sampled_from(sorted(FUNCTIONS)))
    inputs: dict[str, Any] = {
        field: data.draw(json_values) for field, _, _ in FUNCTIONS[name].inputs if data.draw(st.booleans())
    }
    out = io.StringIO()
    status = calc.run([name], io.StringIO(json.dumps(inputs)), out)
    answer = json.loads(out.getvalue())
    assert status == (1 if "error" in answer else 0)
