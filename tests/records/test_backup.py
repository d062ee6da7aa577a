"""Backups and migrations: the copy is a whole state, and the bytes of an entry never change."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest

from programmer.records import schema
from programmer.records import store as module
from programmer.records.errors import StoreDamaged, StoreExists
from programmer.records.store import Store
from tests.records.example import KEY, PATIENT, head, note, visit_notes


def test_a_backup_is_the_whole_store_encrypted(tmp_path: Path) -> None:
    copy = tmp_path / "backup.db"
    notes = visit_notes()
    with Store.create(tmp_path / "store.db", KEY) as store:
        store.append(notes, head(len(notes)))
        store.add_patient(PATIENT, b"MRN-PLANTED", "kid", b"wrapped")
        digest = store.backup(copy, KEY)
        assert digest == hashlib.sha256(copy.read_bytes()).hexdigest()
        store.append([note(len(notes), "record.viewed", {})], head(len(notes) + 1))
        with pytest.raises(StoreExists):
            store.backup(copy, KEY)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert b"MRN-PLANTED" not in copy.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup.db", "store.db", "store.db.lock"]
    with Store.open(copy, KEY) as restored:
        assert list(restored.notes(0, 100)) == notes
        assert restored.head() == head(len(notes))
        assert [p.sealed for p in restored.patients()] == [b"MRN-PLANTED"]
        assert restored.check_derived().agrees
    with pytest.raises(StoreDamaged):
        Store.open(copy, bytes(32))


def test_an_interrupted_creation_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"store.db.new{ending}").write_bytes(b"left by a crash")
    with Store.create(path, KEY) as store:
        assert store.head() is None


def test_a_log_without_its_store_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "store.db-wal").write_bytes(b"entries of a store whose file went away")
    with pytest.raises(StoreExists):
        Store.create(tmp_path / "store.db", KEY)


def test_a_migration_keeps_the_bytes_of_the_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A next version adds a column; entries and head stay, derived tables are made again."""
    path = tmp_path / "store.db"
    notes = visit_notes()
    with Store.create(path, KEY) as store:
        store.append(notes, head(len(notes)))
        store._db.execute("DELETE FROM refill")
    with monkeypatch.context() as patch:
        steps = (*schema.MIGRATIONS, "ALTER TABLE meta ADD COLUMN note TEXT;")
        patch.setattr(module, "MIGRATIONS", steps)
        patch.setattr(module, "VERSION", len(steps))
        with Store.open(path, KEY) as store:
            assert store._db.pragma("user_version") == schema.VERSION + 1
            assert list(store.notes(0, 100)) == notes
            assert store.head() == head(len(notes))
            assert len(store.refills(PATIENT)) == 1


def test_a_failed_migration_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    with Store.create(path, KEY) as store:
        store.append([note(0, "log.genesis", {})], head(1))
    with monkeypatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE extra(a) ; NOT SQL;"))
        patch.setattr(module, "VERSION", schema.VERSION + 1)
        with pytest.raises(Exception, match="syntax error"):
            Store.open(path, KEY)
    with Store.open(path, KEY) as store:
        assert store.head() == head(1)
        assert store._db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'extra'").fetchall() == [(0,)]
