"""Nothing of a patient stands readable in any file of the store, nor in what its errors say."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from programmer.records.errors import StoreDamaged, StoreError
from programmer.records.store import Store
from tests.records.example import KEY, PATIENT, TAG, head, note, visit_notes


def planted(count: int) -> list[str]:
    rng = random.Random(count)
    return ["MRN" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=12)) for _ in range(count)]


def forms(word: str) -> list[bytes]:
    return [word.encode(), word.encode("utf-16-le"), word.lower().encode(), word.encode().hex().encode()]


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.full)])
def test_planted_identifiers_are_in_no_file(tmp_path: Path, count: int) -> None:
    words = planted(count)
    with Store.create(tmp_path / "store.db", KEY) as store:
        for idx, word in enumerate(words):
            ref = f"{idx:032x}"
            store.add_patient(ref, word.encode(), word, word.encode())
            store.pump_link(word, ref, word, word.encode())
            store.set_meta(word, word.encode())
            store.append([note(idx, "note.added", {"text": word}, patient=word)], head(idx + 1))
        store.rebuild()
        store.check_derived()
        while_open = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    closed = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert {"store.db", "store.db-wal", "store.db-shm"} <= set(while_open)
    assert len(while_open["store.db-wal"]) > 0
    for files in (while_open, closed):
        text = b"\n".join(files.values())
        found = [word for word in words if any(form in text for form in forms(word))]
        assert found == []
        assert KEY not in text
        assert PATIENT.encode() not in text
        assert b"CREATE TABLE" not in text


def test_errors_say_no_identifier(tmp_path: Path) -> None:
    word = planted(1)[0]
    said: list[str] = []
    with Store.create(tmp_path / "store.db", KEY) as store:
        for bad in (
            note(0, "pump.read", {"alarms": word}, patient=word),
            note(5, word, {"text": word}, patient=word),
            word.encode(),
        ):
            with pytest.raises(StoreError) as caught:
                store.append([bad], head(1))
            said.append(f"{caught.value!r} {caught.value}")
    with pytest.raises(StoreDamaged) as damaged:
        Store.open(tmp_path / "store.db", bytes(32))
    said.append(str(damaged.value))
    assert all(word not in sentence and KEY.hex() not in sentence for sentence in said)


def test_patients_keys_and_pump_links(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        store.add_patient(PATIENT, b"sealed", "908e40c8", b"wrapped-1")
        store.add_patient(PATIENT, b"sealed again", "11112222", b"wrapped-2")
        store.pump_link(TAG, PATIENT, "child-20", b"sealed serial")
        (patient,) = store.patients()
        assert (patient.ref, patient.sealed, patient.first_idx) == (PATIENT, b"sealed again", None)
        assert [(k.kid, k.wrapped) for k in store.patient_keys(PATIENT)] == [
            ("11112222", b"wrapped-2"),
            ("908e40c8", b"wrapped-1"),
        ]
        (link,) = store.pump_links()
        assert (link.tag, link.patient, link.sealed) == (TAG, PATIENT, b"sealed serial")


def test_erasing_destroys_keys_and_identity_and_keeps_the_entries(tmp_path: Path) -> None:
    notes = visit_notes()
    with Store.create(tmp_path / "store.db", KEY) as store:
        store.add_patient(PATIENT, b"sealed", "908e40c8", b"wrapped")
        store.pump_link(TAG, PATIENT, "child-20", b"sealed serial")
        store.append(notes, head(len(notes)))
        store.erase_patient(PATIENT)
        assert store.patient_keys(PATIENT) == ()
        assert store.pump_links() == ()
        assert [p.sealed for p in store.patients()] == [None]
        assert list(store.notes(0, 100)) == notes
        assert store.check_derived().agrees
        assert (tmp_path / "store.db-wal").stat().st_size == 0


def test_settings_witnesses_and_other_tablets(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        assert store.meta("realm") is None
        store.set_meta("realm", b"simulated")
        assert store.meta("realm") == b"simulated"
        store.set_store_key("dr", b"w")
        assert store.store_keys() == (("dr", b"w"),)
        store.add_evidence("fork", b"notes")
        assert store.evidence() == (("fork", b"notes"),)
        assert store.add_peer_entries("peer", 0, [b"a", b"b"]) == ()
        assert store.add_peer_entries("peer", 1, [b"B", b"c"]) == (1,)
        assert store.peer_notes("peer") == ((0, b"a"), (1, b"b"), (2, b"c"))
        store.set_peer_head("peer", 3, b"r" * 32, b"note")
        assert store.peer_heads() == (("peer", 3, b"r" * 32, b"note"),)
