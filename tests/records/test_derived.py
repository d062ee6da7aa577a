"""Derived tables: what the entries say, and equal content whenever they are made again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from programmer.records.rows import RebuildReport
from programmer.records.schema import DERIVED_TABLES
from programmer.records.store import Store
from tests.records.example import (
    ACTOR,
    KEY,
    MEASURED,
    OTHER,
    PATIENT,
    READ,
    REFILLED,
    TAG,
    VISIT,
    head,
    intent,
    note,
    outcome,
    visit_notes,
)
from tests.vectors import vectors

Step = tuple[str, dict[str, object]]


def run(store: Store, steps: list[Step], patient: str | None = PATIENT) -> None:
    stored = store.head()
    at = stored.size if stored is not None else 0
    for type_, body in steps:
        store.append([note(at, type_, body, patient=patient)], head(at + 1))
        at += 1


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "store.db", KEY) as opened:
        yield opened


@pytest.fixture
def visit(store: Store) -> Store:
    for idx, item in enumerate(visit_notes()):
        store.append([item], head(idx + 1))
    return store


def test_one_visit_in_rows(visit: Store) -> None:
    (patient,) = visit.patients()
    assert (patient.ref, patient.sealed, patient.first_idx, patient.last_idx) == (PATIENT, None, 2, 12)
    (pump,) = visit.pumps(PATIENT)
    assert (pump.tag, pump.model, pump.linked_idx, pump.unlinked_idx) == (TAG, "child-20", 2, None)
    (reading,) = visit.readings(PATIENT, 10)
    assert (reading.reservoir_nl, reading.battery_mv, reading.eri) == (4_995_000, 2980, False)
    assert (reading.epoch, reading.pump_time_ms, reading.rtt_us) == (6, 2_160_000_000, 18_200)
    (alarm,) = visit.alarms(PATIENT)
    assert (alarm.code, alarm.priority, alarm.acknowledged_idx) == ("7", "medium", 5)
    (measured,) = visit.measurements(PATIENT)
    assert (measured.class_, measured.withdrawn_nl, measured.expected_nl) == ("within", 4_600_000, 4_995_000)
    (decision,) = visit.discrepancies(PATIENT)
    assert (decision.about_idx, decision.cause, decision.decision) == (8, "residual", "accept")
    (plan,) = visit.plans(PATIENT)
    assert json.loads(plan.rows) == [{"due": "2027-01-10"}]
    assert visit.open_visits() == ()
    assert visit.open_intents() == ()
    program = visit.last_program(PATIENT)
    assert program is not None
    assert (program.txid, program.kind, program.total_24h_ng, program.actor) == ("t1", "dose", 98_000, ACTOR)
    assert json.loads(program.program) == {"mode": "simple", "total_24h_ng": 98_000}


def test_a_refill_shows_the_corrected_value_and_the_old_one(visit: Store) -> None:
    refill = visit.last_refill(PATIENT)
    assert refill is not None
    assert (refill.injected_nl, refill.concentration_ng_per_ml, refill.in_pump) == (
        20_000_000,
        500_000,
        False,
    )
    assert (refill.refill_by, refill.alarm_guarded, refill.alarm_nominal) == (
        "2027-01-10",
        "2027-01-13",
        "2027-01-17",
    )
    assert (refill.lot, refill.measured_idx) == ("B7713", 8)
    (correction,) = refill.corrections
    assert (correction.old, correction.new, correction.reason) == ('"B7731"', '"B7713"', "keying")
    assert visit.refills(PATIENT) == (refill,)


@pytest.mark.parametrize(
    ("correction", "lot", "injected"),
    [
        ({"idx": 0, "field": "body.lot", "old": "B7731", "new": "C1"}, "C1", 20_000_000),
        ({"idx": 0, "field": "body.injected_nl", "old": 20_000_000, "new": 19_000_000}, "B7731", 19_000_000),
        # Of another type, unknown field, unknown entry: kept as a correction, the row does not change.
        ({"idx": 0, "field": "body.injected_nl", "old": 20_000_000, "new": "19 mL"}, "B7731", 20_000_000),
        ({"idx": 0, "field": "body.injected_nl", "old": 20_000_000, "new": True}, "B7731", 20_000_000),
        ({"idx": 0, "field": "body.idx", "old": 0, "new": 9}, "B7731", 20_000_000),
        ({"idx": 9, "field": "body.lot", "old": "B7731", "new": "C1"}, "B7731", 20_000_000),
    ],
)
def test_corrections(store: Store, correction: dict[str, object], lot: str, injected: int) -> None:
    run(
        store,
        [("refill.recorded", REFILLED), ("record.corrected", {**correction, "reason": "r", "leaf": ""})],
    )
    (refill,) = store.refills(PATIENT)
    assert (refill.lot, refill.injected_nl) == (lot, injected)
    assert len(store.corrections(int(str(correction["idx"])))) == 1
    assert store.check_derived().agrees


RECONCILED: Step = (
    "change.reconciled",
    {"txid": "t1", "verdict": "applied", "epoch": 7, "evidence": None, "reason": None},
)


@pytest.mark.parametrize(
    ("after", "state", "still_open", "applied"),
    [
        ([], "open", True, False),
        ([("change.outcome", outcome("t1", "applied"))], "applied", False, True),
        ([("change.outcome", outcome("t1", "not_applied"))], "not_applied", False, False),
        ([("change.outcome", outcome("t1", "in_doubt"))], "in_doubt", True, False),
        ([("change.outcome", outcome("t1", "in_doubt")), RECONCILED], "applied", False, True),
        ([("change.outcome", outcome("t1", "perhaps"))], "perhaps", True, False),
        ([("change.outcome", outcome("t2", "applied"))], "open", True, False),
        # The first certain outcome stands.
        (
            [("change.outcome", outcome("t1", "not_applied")), ("change.outcome", outcome("t1", "applied"))],
            "not_applied",
            False,
            False,
        ),
        ([("change.dropped", {"txid": "t1", "state": "review", "reason": None})], "open", True, False),
    ],
)
def test_an_intent_is_open_until_the_outcome_is_certain(
    store: Store, after: list[Step], state: str, still_open: bool, applied: bool
) -> None:
    run(store, [("change.intent", intent("t1", 98_000)), *after])
    (row,) = store.intents(PATIENT)
    assert row.state == state
    assert [i.txid for i in store.open_intents()] == (["t1"] if still_open else [])
    assert [p.txid for p in store.dose_history(PATIENT)] == (["t1"] if applied else [])


def test_dose_history_is_newest_first_and_the_last_program_has_one(store: Store) -> None:
    for txid, total in (("t1", 90_000), ("t2", 98_000)):
        run(store, [("change.intent", intent(txid, total)), ("change.outcome", outcome(txid, "applied"))])
    clock = {**intent("t3", 0), "kind": "clock", "program": None, "total_24h_ng": None}
    run(store, [("change.intent", clock), ("change.outcome", outcome("t3", "applied"))])
    assert [(p.kind, p.total_24h_ng) for p in store.dose_history(PATIENT)] == [
        ("clock", None),
        ("dose", 98_000),
        ("dose", 90_000),
    ]
    program = store.last_program(PATIENT)
    assert program is not None
    assert program.txid == "t2"
    assert store.last_program(OTHER) is None


def test_each_refill_takes_its_own_measurement(store: Store) -> None:
    run(store, [("refill.measured", MEASURED), ("refill.recorded", REFILLED), ("refill.recorded", REFILLED)])
    run(store, [("refill.measured", MEASURED)], patient=OTHER)
    run(store, [("refill.measured", MEASURED), ("refill.recorded", REFILLED)])
    assert [r.measured_idx for r in store.refills(PATIENT)] == [4, None, 0]
    assert store.last_refill(OTHER) is None


def test_open_sessions(store: Store) -> None:
    def say(idx: int, type_: str, actor: str, role: str) -> None:
        body: dict[str, object] = {"factors": []} if type_ == "session.opened" else {"cause": "timeout"}
        store.append([note(idx, type_, body, actor=actor, role=role)], head(idx + 1))

    say(0, "session.opened", "a", "prescriber")
    say(1, "session.opened", "b", "qa")
    assert [v.actor for v in store.open_visits()] == ["a", "b"]
    say(2, "session.closed", "a", "prescriber")
    say(3, "session.locked", "device", "device")
    assert [(v.actor, v.locked_idx) for v in store.open_visits()] == [("b", 3)]
    say(4, "session.closed", "device", "device")
    assert store.open_visits() == ()


def test_readings_are_limited_and_newest_first(store: Store) -> None:
    run(store, [("pump.read", {**READ, "reservoir_nl": n}) for n in range(5)])
    assert [r.reservoir_nl for r in store.readings(PATIENT, 3)] == [4, 3, 2]
    assert store.readings(PATIENT, -1) == ()


def test_unlinking_keeps_the_pump_in_the_list(store: Store) -> None:
    link: Step = ("pump.linked", {"model": "m", "receipt_key": "k", "salt": None})
    run(store, [link, ("pump.unlinked", {"reason": "explanted"})])
    assert [p.unlinked_idx for p in store.pumps()] == [1]
    run(store, [link])
    assert [(p.linked_idx, p.unlinked_idx) for p in store.pumps()] == [(2, None)]


def test_made_again_they_are_equal(visit: Store) -> None:
    """Honest histories in a random order of steps; every table made again compares equal."""
    rng = random.Random(7)
    at = len(VISIT)
    for _ in range(200):
        type_, body, patient = VISIT[rng.randrange(1, len(VISIT))]
        body = {**body, "txid": f"t{rng.randrange(20)}"} if "txid" in body else body
        where = rng.choice([patient, OTHER]) if patient else None
        visit.append([note(at, type_, body, patient=where)], head(at + 1))
        at += 1
    assert visit.check_derived() == RebuildReport(at, (), ())
    assert visit.rebuild() == RebuildReport(at, (), ())


EDITS = {
    "patient_log": "UPDATE patient_log SET last_utc = 'x'",
    "pump": "UPDATE pump SET model = 'x'",
    "reading": "UPDATE reading SET reservoir_nl = reservoir_nl + 1",
    "intent": "UPDATE intent SET state = 'open'",
    "program": "DELETE FROM program",
    "measurement": "UPDATE measurement SET withdrawn_nl = NULL",
    "refill": "UPDATE refill SET injected_nl = injected_nl - 1",
    "alarm": "UPDATE alarm SET acknowledged_idx = NULL",
    "plan": "UPDATE plan SET rows = '[]'",
    "visit": "UPDATE visit SET closed_idx = NULL",
    "discrepancy": "DROP TABLE discrepancy",
    "correction": "DELETE FROM correction",
}


def test_every_table_has_an_edit() -> None:
    assert set(EDITS) == set(DERIVED_TABLES)


@pytest.mark.parametrize("table", DERIVED_TABLES)
def test_an_edited_row_is_named_and_made_right(visit: Store, table: str) -> None:
    visit._db.execute(EDITS[table])
    assert visit.check_derived().differing == (table,)
    assert visit.check_derived().differing == (table,)  # looking changes nothing
    assert visit.rebuild().differing == (table,)
    assert visit.rebuild().agrees


def test_an_edited_copy_of_a_note_is_named(visit: Store) -> None:
    visit._db.execute("UPDATE entry SET patient = ? WHERE idx = 3", (OTHER,))
    assert visit.check_derived().copies == (3,)
    assert visit.rebuild().copies == (3,)
    assert visit.rebuild().agrees


def test_the_published_example_log(store: Store) -> None:
    """The shared example log: ten entries, one correction of a lot number."""
    log = vectors("audit/example_log.json")
    notes = [entry["note"].encode() for entry in log["entries"]]
    store.append(notes, head(len(notes)))
    (refill,) = store.refills(PATIENT)
    assert (refill.lot, refill.measured_idx, refill.injected_nl) == ("B7713", 6, 20_000_000)
    assert store.open_visits() == ()
    assert list(store.notes(0, 100)) == notes
    assert store.rebuild().agrees
