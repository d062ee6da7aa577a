"""The number field as a reducer: key sequences, the lock, dialogs, idling, and its invariants."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.clinical.entry import (
    AlarmSeen,
    Backspace,
    BadEvents,
    BaseChanged,
    Caret,
    Clear,
    ConfirmSoft,
    Enter,
    EntryEvent,
    EntryState,
    Esc,
    HighAlarm,
    Idle,
    Key,
    Mark,
    Outcome,
    Paste,
    Phase,
    Reason,
    Reopen,
    judge,
    profile_named,
    result_of,
    run_keys,
    step,
)
from programmer.clinical.entry_grammar import fixture_profiles, lock_reason_of
from tests.vectors import vectors

OWN = json.loads((Path(__file__).parent / "data" / "number_entry_cases.json").read_text(encoding="utf-8"))


def check_sequence(case: dict[str, Any]) -> None:
    result = run_keys(case["profile"], case["events"])
    expected = (case["outcome"], case.get("reason"), case.get("value"), case.get("base_value"))
    assert (result.outcome, result.reason, result.value, result.base_value) == expected


@pytest.mark.parametrize("case", OWN["key_sequence_cases"], ids=lambda c: c["id"])
def test_every_sequence_case(case: dict[str, Any]) -> None:
    check_sequence(case)


def test_every_shared_sequence_case() -> None:
    for case in vectors("number_entry/number_entry_cases.json")["key_sequence_cases"]:
        check_sequence(case)


def at(key: str, ms: int) -> dict[str, object]:
    return {"key": key, "at_ms": ms}


WRITTEN: list[tuple[str, list[object], tuple[str, str | None, str | None]]] = [
    ("same key at 59 ms", [at("1", 0), at("1", 59)], ("LOCKED", "E_BOUNCE", None)),
    ("same key at 60 ms", [at("1", 0), at("1", 60), "ENTER"], ("CONFIRM", "W_BELOW_SOFT_MIN", "11")),
    ("other key at 4 ms", [at("1", 0), at("2", 4)], ("LOCKED", "E_BOUNCE", None)),
    ("other key at 5 ms", [at("5", 0), at("2", 5), "ENTER"], ("ACCEPT", None, "52")),
    ("bounce survives erasing", [at("1", 0), at("BACKSPACE", 20), at("1", 40)], ("LOCKED", "E_BOUNCE", None)),
    ("bounce and comma: bounce first", [at("1", 0), at(",", 3)], ("LOCKED", "E_BOUNCE", None)),
    ("comma then bounce: comma caused it", ["1", at(",", 0), at(",", 10)], ("LOCKED", "E_GROUPING", None)),
    ("held key", [{"key": "1", "hold_ms": 500}], ("LOCKED", "E_BOUNCE", None)),
    ("held for one arrival", ["5", {"key": "1", "hold_ms": 32}, "ENTER"], ("ACCEPT", None, "51")),
    ("scanner", [{"paste_burst": ["1", "0", "0"], "ms": 2}, "ENTER"], ("LOCKED", "E_BOUNCE", None)),
    ("slow scanner, doubled", [{"paste_burst": ["1", "0", "0"], "ms": 30}], ("LOCKED", "E_BOUNCE", None)),
    ("slow scanner", [{"paste_burst": ["1", "0", "5"], "ms": 30}, "ENTER"], ("ACCEPT", None, "105")),
    ("paste erased", [{"paste": "9"}, "BACKSPACE", "9", "0", "ENTER"], ("ACCEPT", None, "90")),
    ("empty paste", [{"paste": ""}], ("LOCKED", "E_PASTE", None)),
    ("paste then caret", [{"paste": "9"}, "LEFT"], ("LOCKED", "E_PASTE", None)),
    ("delete is a caret key", ["1", "0", "0", "DELETE"], ("LOCKED", "E_CURSOR", None)),
    ("lock first erased", ["1", ",", ".", "BACKSPACE"], ("LOCKED", "E_GROUPING", None)),
    ("clear leaves the lock", ["1", ",", "CLEAR", "5", "0", "ENTER"], ("ACCEPT", None, "50")),
    ("enter in the lock", ["1", "O", "ENTER", "ENTER"], ("LOCKED", "E_LETTER", None)),
    ("leaving from the lock", ["1", "O", "ESC"], ("CANCELLED", None, None)),
    ("enter blank", ["ENTER"], ("REJECT", "E_EMPTY", None)),
    ("refused, then gone on with", ["5", "0", ".", "ENTER", "5", "ENTER"], ("ACCEPT", None, "50.5")),
    ("refused for range", ["2", "0", "0", "1", "ENTER"], ("REJECT", "E_ABOVE_HARD_MAX", None)),
    ("zero", ["0", "ENTER"], ("REJECT", "E_ZERO", None)),
    ("0.0 cannot go on", ["0", ".", "0"], ("LOCKED", "E_TRAILING_ZERO", None)),
    ("soft limit asked", ["9", "5", "0", "ENTER"], ("CONFIRM", "W_ABOVE_SOFT_MAX", "950")),
    ("enter twice asked", ["9", "5", "0", "ENTER", "ENTER"], ("CONFIRM", "W_ABOVE_SOFT_MAX", "950")),
    ("late enter cancels", ["5", "0", "ENTER", at("ENTER", 0), at("ENTER", 100)], ("CANCELLED", None, None)),
    ("keys in the dialog do nothing", ["5", "0", "ENTER", "7", "7", "BACKSPACE"], ("ACCEPT", None, "50")),
    ("alarm before stale base", ["5", {"telemetry": "PUMP_STATE_CHANGED"}, {"alarm": "HIGH"}, "ENTER"],
     ("REJECT", "E_ALARM_PENDING", None)),
    ("stale before text", [{"telemetry": "PUMP_STATE_CHANGED"}, "ENTER"], ("REJECT", "E_STALE_BASE", None)),
    ("locked before alarm", ["x", {"alarm": "HIGH"}, "ENTER"], ("LOCKED", "E_LETTER", None)),
    ("299 s idle", ["1", {"idle_s": 299}], ("EDITING", None, None)),
    ("300 s idle", ["1", {"idle_s": 300}], ("ALERT_IDLE", None, None)),
    ("599 s idle", ["1", {"idle_s": 599}], ("ALERT_IDLE", None, None)),
    ("600 s idle", ["1", {"idle_s": 600}], ("CLEARED", "E_TIMEOUT", None)),
    ("idle adds up", ["1", {"idle_s": 300}, {"idle_s": 300}], ("CLEARED", "E_TIMEOUT", None)),
    ("locked and idle", ["x", {"idle_s": 300}], ("ALERT_IDLE", None, None)),
    ("question and idle", ["9", "5", "0", "ENTER", {"idle_s": 600}], ("CLEARED", "E_TIMEOUT", None)),
]  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), [w[1:] for w in WRITTEN], ids=[w[0] for w in WRITTEN])
def test_written_sequences(events: list[object], expected: tuple[str, str | None, str | None]) -> None:
    result = run_keys("DAILY_DOSE", events)
    assert (result.outcome, result.reason, result.value) == expected


def test_zero_point_zero_goes_on_where_three_decimals_are_allowed() -> None:
    assert run_keys("FINE_RATE", ["0", ".", "0", "5", "ENTER"]).base_value == 50_000
    assert run_keys("FINE_RATE", ["0", ".", "0", "0", "0"]).reason is Reason.E_TRAILING_ZERO


@pytest.mark.parametrize(
    "events",
    [
        ["TAB"],
        [""],
        [5],
        [None],
        [{}],
        [{"key": "1"}],
        [{"key": "1", "at_ms": -1}],
        [{"key": "1", "at_ms": True}],
        [{"key": "1", "at_ms": 1.5}],
        [{"key": 1, "at_ms": 1}],
        [{"key": "1", "at_ms": 10}, {"key": "1", "at_ms": 5}],
        [{"key": "1", "hold_ms": 10**9}],
        [{"paste": 5}],
        [{"paste_burst": [], "ms": 1}],
        [{"paste_burst": "12", "ms": 1}],
        [{"idle_s": "1"}],
        [{"telemetry": "OTHER"}],
        [{"alarm": "LOW"}],
        [{"alarm": "HIGH", "extra": 1}],
        {"not": "a list"},
    ],
)
def test_malformed_events_are_refused(events: Any) -> None:
    with pytest.raises(BadEvents):
        run_keys("DAILY_DOSE", events)


def test_an_event_of_no_known_kind_is_refused() -> None:
    with pytest.raises(BadEvents):
        step(EntryState(profile_named("BOLUS")), EntryEvent())


def played(*events: EntryEvent) -> EntryState:
    state = EntryState(profile_named("DAILY_DOSE"))
    for event in events:
        state = step(state, event)
    return state


NINE_FIFTY = (Key(0, "9"), Key(200, "5"), Key(400, "0"), Enter(600))


def test_a_soft_limit_is_confirmed_only_after_the_dead_time() -> None:
    assert played(*NINE_FIFTY, ConfirmSoft(899)).phase is Phase.ASKING
    accepted = played(*NINE_FIFTY, ConfirmSoft(900))
    assert accepted.phase is Phase.ACCEPTED
    assert accepted.committed is not None
    assert accepted.committed.base_value == 950_000


@pytest.mark.parametrize(
    ("news", "reason"), [(HighAlarm(700), Reason.E_ALARM_PENDING), (BaseChanged(700), Reason.E_STALE_BASE)]
)
def test_news_under_the_soft_question_stop_the_confirmation(news: EntryEvent, reason: Reason) -> None:
    state = played(*NINE_FIFTY, news, ConfirmSoft(2000))
    assert result_of(state).reason is reason
    assert state.committed is None


def test_a_seen_alarm_frees_enter_again() -> None:
    state = played(Key(0, "5"), Key(200, "0"), HighAlarm(300), Enter(400), AlarmSeen(500), Enter(600))
    assert result_of(state).value == "50"


def test_a_confirmation_without_a_question_does_nothing() -> None:
    assert played(Key(0, "5"), ConfirmSoft(900)).phase is Phase.EDITING


def test_marked_characters_stay_visible() -> None:
    state = played(Key(0, "1"), Key(20, "1"), Paste(400, "9"), Caret(600))
    assert [e.mark for e in state.elements] == [Mark.PLAIN, Mark.BOUNCED, Mark.PASTE, Mark.CARET]
    assert state.text == "11"


CHARACTERS = st.sampled_from("00112345678999....,,eE-+x ½\x1b")
GAPS = st.sampled_from([0, 4, 5, 59, 60, 200, 200, 200, 200, 300])
EVENTS = st.one_of(
    CHARACTERS.map(lambda c: Key(0, c)),
    CHARACTERS.map(lambda c: Key(0, c)),
    CHARACTERS.map(lambda c: Key(0, c)),
    st.sampled_from(
        [Backspace(), Backspace(), Clear(), Enter(), Enter(), Esc(), Caret(), Paste(0, "9"), Idle(0, 299),
         Idle(0, 1), BaseChanged(), HighAlarm(), AlarmSeen(), ConfirmSoft()]
    ),
)  # fmt: skip


def check_invariants(before: EntryState, event: EntryEvent, after: EntryState) -> None:
    """HF-01, HF-02, HF-04 at one instant."""
    if after.committed is not None:
        assert after.phase is Phase.ACCEPTED
        answer = judge(after.profile, after.text)
        assert (answer.value, answer.base_value) == (after.committed.value, after.committed.base_value)
        assert after.committed.value == after.text
    if before.phase is Phase.EDITING and isinstance(event, Key):
        assert after.text == before.text + event.char
    if after.phase is Phase.EDITING:
        marked = any(e.mark is not Mark.PLAIN for e in after.elements)
        assert (after.lock is None) == (not marked and lock_reason_of(after.profile, after.text) is None)
        if before.lock is not None and after.lock is None:
            assert isinstance(event, Backspace | Clear)
        if before.lock is not None and after.lock is not None:
            assert after.lock is before.lock
    result = result_of(after)
    assert (result.value is None) == (result.outcome not in (Outcome.ACCEPT, Outcome.ACCEPT_ONCE, Outcome.CONFIRM))


def run_invariants(name: str, events: list[tuple[EntryEvent, int]]) -> None:
    state, now = EntryState(fixture_profiles()[name]), 0
    for event, gap in events:
        now += gap
        timed = type(event)(now, *[getattr(event, f) for f in event.__dataclass_fields__ if f != "at_ms"])
        after = step(state, timed)
        check_invariants(state, timed, after)
        state = after


KEYINGS = st.lists(st.tuples(EVENTS, GAPS), min_size=30, max_size=120)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(fixture_profiles())), KEYINGS)
def test_the_committed_value_is_always_that_of_the_text_shown(name: str, events: list[tuple[EntryEvent, int]]) -> None:
    run_invariants(name, events)


@pytest.mark.full
@settings(max_examples=15_000, deadline=None)
@given(st.sampled_from(sorted(fixture_profiles())), KEYINGS)
def test_the_committed_value_over_a_million_events(name: str, events: list[tuple[EntryEvent, int]]) -> None:
    run_invariants(name, events)


def test_a_withdrawn_acceptance_goes_on_with_the_same_text_and_no_value() -> None:
    accepted = played(Key(0, "5"), Key(200, "0"), Enter(400))
    again = step(accepted, Reopen(900))
    assert (again.phase, again.text, again.committed) == (Phase.EDITING, "50", None)
    assert result_of(step(again, Enter(1200))).value == "50"
