"""The power goes at any operation: no acknowledged entry is lost, and the head is never ahead of the entries."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from programmer.records.engine import SETTINGS, WriterLock
from programmer.records.errors import StoreError
from programmer.records.store import Store
from tests.records.example import head, note
from tests.records.power import Recording, image

ENTRIES = 40


def record(folder: Path, synchronous: str) -> Recording:
    path = folder / "store.db"
    recording = Recording(f"recording-{synchronous}", path)
    lock = WriterLock(folder / "lock", "test")
    db = apsw.Connection(str(path), vfs=recording.name)
    # A Python file system has no shared memory; with exclusive locking the log's index lies in the heap.
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    for name, value in SETTINGS:
        db.execute(f"PRAGMA {name} = {value}")
    db.execute("PRAGMA journal_mode = WAL")
    store = Store(path, db, lock)
    store._migrate(0)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("PRAGMA wal_autocheckpoint = 8")
    recording.acknowledge(0)
    for size in range(1, ENTRIES + 1):
        store.append([note(size - 1, "note.added", {"text": "x" * 300}, patient="p")], head(size))
        recording.acknowledge(size)
    lock.release()
    # The connection is kept: closing it would fold the log into the file, which a power cut does not do.
    recording.kept_open = db
    return recording


def bad_cuts(folder: Path, recording: Recording, cuts: int, seed: int) -> list[str]:
    """Cuts after which an acknowledged entry is missing, or the store is not whole."""
    rng = random.Random(seed)
    first = next(place for place, step in enumerate(recording.steps) if step.kind == "ack")
    bad: list[str] = []
    copy = folder / "copy.db"
    for _ in range(cuts):
        cut = rng.randrange(first, len(recording.steps) + 1)
        files, acknowledged = image(recording.steps, cut, rng)
        for ending in ("", "-wal", "-shm"):
            copy.with_name(copy.name + ending).unlink(missing_ok=True)
        for ending, content in files.items():
            copy.with_name(copy.name + ending).write_bytes(content)
        store = Store(copy, apsw.Connection(str(copy)), None)
        try:
            store._check()
            found = store.head()
            size = found.size if found is not None else 0
            notes = list(store.notes(0, ENTRIES))
            if size < acknowledged or len(notes) != size or found != (head(size) if size else None):
                bad.append(f"cut {cut}: {size} of {acknowledged}")
        except (StoreError, apsw.Error) as fault:
            bad.append(f"cut {cut}: {type(fault).__name__}")
        finally:
            store._db.close()
    return bad


@pytest.mark.parametrize(
    "cuts",
    [
        300,
        pytest.param(10_000, marks=pytest.mark.full),
        pytest.param(100_000, marks=pytest.mark.nightly),
    ],
)
def test_a_power_cut_loses_no_acknowledged_entry(tmp_path: Path, cuts: int) -> None:
    recording = record(tmp_path, "FULL")
    kinds = {(step.kind, step.ending) for step in recording.steps}
    assert {("write", ""), ("sync", ""), ("write", "-wal"), ("sync", "-wal")} <= kinds
    assert bad_cuts(tmp_path, recording, cuts, seed=cuts) == []


def test_the_harness_shows_that_normal_is_not_enough(tmp_path: Path) -> None:
    """With synchronous=NORMAL a commit is not synchronised: the same cuts lose acknowledged entries."""
    recording = record(tmp_path, "NORMAL")
    assert len(bad_cuts(tmp_path, recording, 60, seed=1)) > 10
