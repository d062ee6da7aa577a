"""The store: one transaction for all, nothing half written, no wrong row from a damaged file."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from programmer.records.errors import (
    DiskFull,
    EntryOutOfOrder,
    EntryUnreadable,
    StoreDamaged,
    StoreError,
    StoreExists,
    StoreFaulted,
    StoreLocked,
    StoreMissing,
    StoreReadOnly,
    StoreTooNew,
)
from programmer.records.schema import VERSION
from programmer.records.store import Store
from tests.records.example import KEY, PATIENT, VISIT, head, note, visit_notes

READ_ALL = 1 << 40
NOBODY = 65534


def filled(path: Path, visits: int = 1) -> list[bytes]:
    notes: list[bytes] = []
    with Store.create(path, KEY) as store:
        for _ in range(visits):
            for item in visit_notes(len(notes)):
                notes.append(item)
                store.append([item], head(len(notes)))
    return notes


def test_what_was_appended_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    notes = filled(path)
    with Store.open(path, KEY) as store:
        assert list(store.notes(0, READ_ALL)) == notes
        assert list(store.notes(3, 5)) == notes[3:5]
        assert store.head() == head(len(notes))


def test_a_new_store_has_no_head_and_no_entries(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        assert store.head() is None
        assert list(store.notes(0, READ_ALL)) == []
        assert list(store.checkpoints()) == []


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        store.append([note(0, "log.genesis", {})], head(1))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert modes.pop("store.db-shm") == 0o600
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db.lock"], 0o600)


def test_the_pragmas_hold(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        found = {
            name: store._db.pragma(name)
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "trusted_schema",
                "cell_size_check",
                "temp_store",
                "mmap_size",
                "user_version",
            )
        }
        loose = store._db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite%'"
        ).fetchall()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "temp_store": 2,
        "mmap_size": 0,
        "user_version": VERSION,
    }
    assert loose == []


@pytest.mark.parametrize(
    ("bad", "size", "error"),
    [
        (note(7, "note.added", {}), 2, EntryOutOfOrder),  # another index
        (note(1, "note.added", {}), 3, EntryOutOfOrder),  # a head that counts too many
        (b"no json\n\n", 2, EntryUnreadable),
        (note(1, "pump.read", {"reservoir_nl": 1}), 2, EntryUnreadable),
        (note(1, "refill.measured", {"class": "c", "method": "m", "withdrawn_nl": 1.5}), 2, EntryUnreadable),
    ],
)
def test_a_refused_append_leaves_nothing(tmp_path: Path, bad: bytes, size: int, error: type[StoreError]) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        store.append([note(0, "log.genesis", {})], head(1))
        with pytest.raises(error):
            store.append([bad], head(size))
        assert store.head() == head(1)
        assert len(list(store.notes(0, READ_ALL))) == 1
        assert store.check_derived().agrees
        store.append([note(1, "note.added", {})], head(2))


def test_several_entries_go_in_together_or_not_at_all(tmp_path: Path) -> None:
    with Store.create(tmp_path / "store.db", KEY) as store:
        with pytest.raises(EntryUnreadable):
            store.append([*visit_notes()[:6], b"broken"], head(7))
        assert store.head() is None
        assert list(store.notes(0, READ_ALL)) == []
        assert store.patients() == ()


def test_kept_checkpoints(tmp_path: Path) -> None:
    """The newest, each session close (size 14), each cosigned (size 20), one in 256."""
    with Store.create(tmp_path / "store.db", KEY) as store:
        for idx, item in enumerate(visit_notes()):
            store.append([item], head(idx + 1))
        for idx in range(len(VISIT), 300):
            store.append([note(idx, "record.viewed", {})], head(idx + 1))
            if idx + 1 == 20:
                store.add_cosignature(20, "w", b"line")
        assert [size for size, _ in store.checkpoints()] == [14, 20, 256, 300]
        assert store.cosignatures(20) == (("w", b"line"),)


def test_a_wrong_key_is_damage_not_rows(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path)
    with pytest.raises(StoreDamaged) as caught:
        Store.open(path, bytes(32))
    assert caught.value.exit_code == 4
    assert "estore the backup" in caught.value.sentence
    with pytest.raises(ValueError):
        Store.open(path, b"short")


def test_a_flipped_bit_is_damage_never_a_wrong_row(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path, visits=3)
    whole = path.read_bytes()
    rng = random.Random(1)
    places = [*range(32), *(rng.randrange(len(whole)) for _ in range(60))]
    for place in places:
        copy = bytearray(whole)
        copy[place] ^= 1 << rng.randrange(8)
        path.write_bytes(copy)
        with pytest.raises(StoreDamaged):
            Store.open(path, KEY).close()


def test_a_cut_or_empty_file_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path)
    whole = path.read_bytes()
    for size in (0, 1, 100, 4096, 4097, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(StoreDamaged):
            Store.open(path, KEY).close()


def test_damage_beyond_the_first_check_is_found_when_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a file too large to be checked whole at opening, a page is refused when it is read."""
    path = tmp_path / "store.db"
    notes = filled(path, visits=12)
    monkeypatch.setattr("programmer.records.store.QUICK_CHECK_PAGES", 0)
    whole = path.read_bytes()
    refused = 0
    for page in range(1, len(whole) // 4096):
        copy = bytearray(whole)
        copy[page * 4096 + 1000] ^= 1
        path.write_bytes(copy)
        try:
            with Store.open(path, KEY) as store:
                assert list(store.notes(0, READ_ALL)) == notes
        except StoreDamaged:
            refused += 1
    assert refused > len(b"".join(notes)) // 4096 // 2


def test_a_head_that_disagrees_with_the_entries_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    filled(path)
    with Store.open(path, KEY) as store:
        store._db.execute("UPDATE head SET size = size - 1")
    with pytest.raises(StoreDamaged, match="disagree"):
        Store.open(path, KEY)


def test_missing_existing_and_newer(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with pytest.raises(StoreMissing):
        Store.open(path, KEY)
    filled(path)
    with pytest.raises(StoreExists):
        Store.create(path, KEY)
    with Store.open(path, KEY) as store:
        store._db.pragma("user_version", VERSION + 1)
    with pytest.raises(StoreTooNew):
        Store.open(path, KEY)


def test_a_second_writer_is_told_who_holds_the_place(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.create(path, KEY, owner="bedside"):
        with pytest.raises(StoreLocked) as caught:
            Store.open(path, KEY)
        assert (caught.value.owner, caught.value.pid) == ("bedside", os.getpid())
        assert caught.value.exit_code == 7
    Store.open(path, KEY).close()


def test_a_second_process_is_refused_as_writer_and_let_in_as_reader(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    script = (
        "import sys; from pathlib import Path; from programmer.records.store import Store\n"
        "from programmer.records.errors import StoreLocked\n"
        "path, key = Path(sys.argv[1]), bytes(range(32))\n"
        "print(Store.open(path, key, read_only=True).head().size)\n"
        "try: Store.open(path, key)\n"
        "except StoreLocked as fault: print(fault.owner)\n"
    )
    with Store.create(path, KEY, owner="bedside") as store:
        store.append([note(0, "log.genesis", {})], head(1))
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
        )
    assert done.stdout.split() == ["1", "bedside"]


def test_a_reader_cannot_write_and_sees_later_entries(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    notes = filled(path)
    with Store.open(path, KEY) as writer, Store.open(path, KEY, read_only=True) as reader:
        more = note(len(notes), "record.viewed", {})
        writer.append([more], head(len(notes) + 1))
        assert list(reader.notes(0, READ_ALL)) == [*notes, more]
        with pytest.raises(StoreReadOnly):
            reader.append([note(len(notes) + 1, "record.viewed", {})], head(len(notes) + 2))
        with pytest.raises(apsw.ReadOnlyError):
            reader._db.execute("DELETE FROM entry")


def test_a_full_disk_leaves_the_store_as_it_was_and_readable(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.create(path, KEY) as store:
        pages = int(store._db.execute("PRAGMA page_count").fetchall()[0][0])  # type: ignore[arg-type]
        store._db.execute(f"PRAGMA max_page_count = {pages + 12}")
        size = 0

        def fill() -> None:
            nonlocal size
            while size < 10_000:
                store.append([note(size, "note.added", {"text": "x" * 2000})], head(size + 1))
                size += 1

        with pytest.raises(DiskFull) as caught:
            fill()
        assert caught.value.exit_code == 7
        assert 0 < size < 100
        assert store.head() == head(size)
        assert len(list(store.notes(0, READ_ALL))) == size
        assert [s for s, _ in store.checkpoints()] == [size]
        with pytest.raises(DiskFull):
            store.append([note(size, "note.added", {"text": "x" * 2000})], head(size + 1))
        store._db.execute("PRAGMA max_page_count = 1000000")
        store.append([note(size, "note.added", {"text": "x" * 2000})], head(size + 1))
    with Store.open(path, KEY) as store:
        assert store.head() == head(size + 1)
        assert store.check_derived().agrees


def test_after_an_io_error_nothing_more_is_written_until_it_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    with Store.create(path, KEY) as store:
        store.append([note(0, "log.genesis", {})], head(1))

        def fails(*_: object) -> None:
            raise apsw.IOError("disk I/O error")

        with monkeypatch.context() as patch:
            patch.setattr("programmer.records.store.project", fails)
            with pytest.raises(StoreFaulted) as caught:
                store.append([note(1, "note.added", {})], head(2))
        assert caught.value.exit_code == 7
        with pytest.raises(StoreFaulted):
            store.append([note(1, "note.added", {})], head(2))
        assert store.head() == head(1)
    with Store.open(path, KEY) as store:
        store.append([note(1, "note.added", {})], head(2))


def _in_child(work: Callable[[], None]) -> int:
    """Run in a child that is not the superuser; its exit status, 0 for success."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setuid(NOBODY)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_read_only_folder_is_read_and_refuses_a_writer() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "store.db"
        notes = filled(path)
        (folder / "store.db.lock").unlink()
        if os.geteuid() == 0:
            os.chown(path, NOBODY, -1)
            os.chown(folder, NOBODY, -1)
        path.chmod(0o400)
        folder.chmod(0o500)

        def work() -> None:
            with pytest.raises(StoreReadOnly):
                Store.open(path, KEY)
            with Store.open(path, KEY, read_only=True) as store:
                assert list(store.notes(0, READ_ALL)) == notes

        try:
            assert _in_child(work) == 0
        finally:
            folder.chmod(0o700)


def _write_until_killed(path: Path, pipe: int) -> None:
    """In the child: append, and acknowledge each entry only after `append` returned."""
    store = Store.open(path, KEY)
    stored = store.head()
    size = stored.size if stored is not None else 0
    while True:
        store.append([note(size, "session.opened", {"factors": []}, patient=PATIENT)], head(size + 1))
        size += 1
        os.write(pipe, size.to_bytes(4, "big"))


def _kill_cycles(path: Path, cycles: int) -> None:
    rng = random.Random(cycles)
    Store.create(path, KEY).close()
    acknowledged = 0
    for _ in range(cycles):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(reader)
                _write_until_killed(path, writer)
            finally:
                os._exit(1)
        os.close(writer)
        time.sleep(rng.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if len(said) >= 4:
            last = len(said) // 4 * 4
            acknowledged = int.from_bytes(said[last - 4 : last], "big")
        with Store.open(path, KEY) as store:
            stored = store.head()
            size = stored.size if stored is not None else 0
            assert size >= acknowledged
            assert stored == (head(size) if size else None)
            assert [s for s, _ in store.checkpoints()][-1:] == ([size] if size else [])
            assert sum(1 for _ in store.notes(0, READ_ALL)) == size
    with Store.open(path, KEY) as store:
        assert store.check_derived().agrees
    assert acknowledged > 0


@pytest.mark.parametrize(
    "cycles",
    [30, pytest.param(1_000, marks=pytest.mark.full), pytest.param(10_000, marks=pytest.mark.nightly)],
)
def test_kill_9_loses_no_acknowledged_entry(tmp_path: Path, cycles: int) -> None:
    _kill_cycles(tmp_path / "store.db", cycles)
