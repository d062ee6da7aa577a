"""The journal: what was acknowledged is there after any fault, and nothing is read that was not written."""

from __future__ import annotations

import contextlib
import doctest
import errno
import itertools
import os
import random
import signal
import stat
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import programmer.visit.journal as module
from programmer.visit.journal import (
    MAX_RECORD_BYTES,
    Journal,
    JournalDamaged,
    JournalDiskFull,
    JournalError,
    JournalFaulted,
    JournalLocked,
    JournalReadOnly,
    RecordRefused,
    encode,
    read_journal,
)
from programmer.visit.storage import DiskStorage
from tests.visit.disk import CRASH, SHORT, SHORT_FULL, Crash, Disk

PATH = Path("state/journal")
Record = dict[str, object]


def rec(n: int) -> Record:
    return {"type": "intent", "txid": f"t{n}", "n": n}


def test_examples_in_docstrings() -> None:
    assert doctest.testmod(module).failed == 0


def test_the_line_of_a_record() -> None:
    text = b'{"n":1,"note":"\\u00e9\\n","type":"x"}'
    crc = zlib.crc32(b"%d " % len(text) + text)
    assert encode({"type": "x", "n": 1, "note": "é\n"}) == b"1 %d %08x " % (len(text), crc) + text + b"\n"


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"type": 1},
        {"type": "x", "rate": 1.0},
        {"type": "x", "deep": [{"rate": float("nan")}]},
        {"type": "x", 5: "key"},
        {"type": "x", "raw": b"bytes"},
        {"type": "x", "long": "y" * MAX_RECORD_BYTES},
    ],
)
def test_a_record_that_cannot_be_a_line_is_refused(record: Record) -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        with pytest.raises(RecordRefused):
            journal.append(record)
        journal.append(rec(1))
        assert journal.records() == (rec(1),)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=5))
def test_what_is_appended_is_read_back(bodies: list[Record]) -> None:
    records = [{**body, "type": "x"} for body in bodies]
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        for record in records:
            journal.append(record)
        assert list(journal.records()) == records
    with Journal.open(PATH, disk) as journal:
        assert list(journal.records()) == records
        assert journal.torn is None


@pytest.mark.parametrize("cut", range(1, len(encode(rec(2)))))
def test_a_tail_torn_at_any_byte_is_reported_and_kept_aside(cut: int) -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        journal.append(rec(1))
    torn = encode(rec(2))[:cut]
    disk.names[PATH].cache += torn
    assert read_journal(PATH, disk)[0] == (rec(1),)
    with Journal.open(PATH, disk) as journal:
        assert journal.records() == (rec(1),)
        assert journal.torn is not None
        assert (journal.torn.offset, journal.torn.data) == (len(encode(rec(1))), torn)
        journal.append(rec(3))
    assert disk.read(PATH.with_name("journal.torn")) == torn + b"\n"
    with Journal.open(PATH, disk) as journal:
        assert journal.records() == (rec(1), rec(3))
        assert journal.torn is None


def test_each_flipped_bit_is_a_torn_end_or_damage_never_another_record() -> None:
    records = [rec(n) for n in range(3)]
    whole = b"".join(encode(record) for record in records)
    last = len(whole) - len(encode(records[2]))
    for place, bit in itertools.product(range(len(whole)), range(8)):
        disk = Disk()
        disk.open(PATH).close()
        copy = bytearray(whole)
        copy[place] ^= 1 << bit
        disk.names[PATH].cache = copy
        if place < last:
            with pytest.raises(JournalDamaged) as caught:
                Journal.open(PATH, disk)
            assert caught.value.exit_code == 4
            assert list(caught.value.readable) == records[: len(caught.value.readable)]
        else:
            with Journal.open(PATH, disk) as journal:
                assert list(journal.records()) == records[:2]
                assert journal.torn is not None


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [
        (errno.ENOSPC, JournalDiskFull, 7),
        (errno.EDQUOT, JournalDiskFull, 7),
        (errno.EROFS, JournalReadOnly, 7),
        (errno.EACCES, JournalReadOnly, 7),
        (errno.EIO, JournalFaulted, 7),
    ],
)
def test_a_failed_write_is_named_and_leaves_nothing(number: int, error: type[JournalError], code: int) -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        journal.append(rec(1))
        disk.faults = {disk.operations + 1: number}
        with pytest.raises(error) as caught:
            journal.append(rec(2))
        assert caught.value.exit_code == code
        assert disk.read(PATH) == encode(rec(1))
        journal.append(rec(3))
        assert journal.records() == (rec(1), rec(3))


def test_a_short_write_is_continued() -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        disk.faults = {disk.operations + 1: SHORT, disk.operations + 2: SHORT}
        journal.append(rec(1))
    assert disk.read(PATH) == encode(rec(1))


def test_no_room_half_way_leaves_nothing_and_the_journal_stays_readable() -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        journal.append(rec(1))
        disk.faults = {disk.operations + 1: SHORT_FULL}
        for n in (2, 3):
            with pytest.raises(JournalDiskFull):
                journal.append(rec(n))
        assert journal.records() == (rec(1),)
    assert read_journal(PATH, disk) == ((rec(1),), None)
    with Journal.open(PATH, disk) as journal:
        assert journal.records() == (rec(1),)


def test_after_a_failed_fsync_nothing_is_believed_until_it_is_opened_again() -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        disk.faults = {disk.operations + 2: errno.EIO}
        for n in (1, 2):
            with pytest.raises(JournalFaulted):
                journal.append(rec(n))
        with pytest.raises(JournalFaulted):
            journal.compact()
        assert journal.records() == ()
    with Journal.open(PATH, disk) as journal:
        journal.append(rec(3))


def test_a_second_opener_is_refused() -> None:
    disk = Disk()
    with Journal.open(PATH, disk), pytest.raises(JournalLocked):
        Journal.open(PATH, disk)


def test_compact_keeps_what_it_is_told() -> None:
    disk = Disk()
    with Journal.open(PATH, disk) as journal:
        for n in range(5):
            journal.append(rec(n))
        journal.compact([rec(3)])
        journal.append(rec(9))
        assert journal.records() == (rec(3), rec(9))
    assert disk.read(PATH) == encode(rec(3)) + encode(rec(9))
    assert list(disk.durable_names) == [PATH]


class Model:
    """What a restart may find: for each possible past, the records that must be there, in order."""

    def __init__(self) -> None:
        self.pasts: list[list[Record]] = [[]]
        self.attempted: list[Record] = []

    def holds(self, found: list[Record]) -> bool:
        unknown = [record for record in found if record not in self.attempted]
        return not unknown and any([record for record in found if record in past] == past for past in self.pasts)


def visit(disk: Disk, model: Model) -> None:
    """A visit that goes on after each error, as a person would who tries again."""
    journal = Journal.open(PATH, disk)

    def append(record: Record) -> None:
        model.attempted.append(record)
        try:
            journal.append(record)
        except JournalError:
            return
        for past in model.pasts:
            past.append(record)

    def compact(keep: list[Record]) -> None:
        before = model.pasts
        model.pasts = [*before, list(keep)]
        try:
            journal.compact(keep)
        except JournalFaulted:
            return
        except JournalError:
            model.pasts = before
            return
        model.pasts = [list(keep)]

    for n in range(3):
        append(rec(n))
    compact([record for record in model.pasts[0] if record["n"] == 2])
    for n in range(3, 5):
        append(rec(n))
    compact([])
    append(rec(5))
    journal.close()


def clean_operations() -> int:
    disk = Disk()
    visit(disk, Model())
    return disk.operations


FAULTS = {
    "ENOSPC": errno.ENOSPC,
    "EIO": errno.EIO,
    "EROFS": errno.EROFS,
    "EDQUOT": errno.EDQUOT,
    "short": SHORT,
    "short, then full": SHORT_FULL,
    "crash": CRASH,
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_kth_operation_fails(name: str) -> None:
    """For every k, then a power cut with what was not synchronised kept, lost or torn."""
    total = clean_operations()
    assert total > 20
    for k in range(1, total + 1):
        for seed in range(12):
            disk, model = Disk(faults={k: FAULTS[name]}), Model()
            with contextlib.suppress(Crash, JournalError):
                visit(disk, model)
            later = disk.after_power_cut(random.Random(f"{name}/{k}/{seed}"))
            with Journal.open(PATH, later) as journal:
                assert model.holds(list(journal.records())), (name, k, seed)
                journal.append(rec(99))
            with Journal.open(PATH, later) as journal:
                assert journal.records()[-1] == rec(99)
                assert journal.torn is None


def test_the_harness_sees_a_journal_that_does_not_synchronise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fsync the same power cuts lose acknowledged records: the check above can fail."""
    monkeypatch.setattr("tests.visit.disk.File.fsync", lambda self: None)
    lost = 0
    for seed in range(40):
        disk, model = Disk(), Model()
        visit(disk, model)
        later = disk.after_power_cut(random.Random(seed))
        with Journal.open(PATH, later) as journal:
            lost += not model.holds(list(journal.records()))
    assert lost > 0


def test_on_a_real_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    storage = DiskStorage()
    with Journal.open(path, storage) as journal:
        journal.append(rec(1))
        with pytest.raises(JournalLocked):
            Journal.open(path, storage)
        journal.compact([rec(1)])
        journal.append(rec(2))
        with pytest.raises(JournalLocked):
            Journal.open(path, storage)
    assert [p.name for p in tmp_path.iterdir()] == ["journal"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_journal(path, storage) == ((rec(1), rec(2)), None)
    with Journal.open(path, storage) as journal:
        assert journal.records() == (rec(1), rec(2))
    with pytest.raises(JournalReadOnly):
        Journal.open(tmp_path / "absent" / "journal", storage)
    with pytest.raises(JournalReadOnly):
        read_journal(tmp_path / "absent", storage)


def _write_until_killed(path: Path, pipe: int) -> None:
    """In the child: append, compact now and then, and acknowledge only after `append` returned."""
    journal = Journal.open(path, DiskStorage())
    records = journal.records()
    n = int(str(records[-1]["n"])) + 1 if records else 1
    while True:
        journal.append(rec(n))
        os.write(pipe, n.to_bytes(4, "big"))
        if n % 40 == 0:
            journal.compact([rec(n)])
        n += 1


@pytest.mark.parametrize(
    "cycles",
    [
        40,
        pytest.param(1_000, marks=pytest.mark.full),
        pytest.param(10_000, marks=pytest.mark.nightly),
    ],
)
def test_kill_9_loses_no_acknowledged_record(tmp_path: Path, cycles: int) -> None:
    path = tmp_path / "journal"
    rng = random.Random(cycles)
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
        time.sleep(rng.uniform(0.001, 0.02))
        os.kill(child, signal.SIGKILL)
        with os.fdopen(reader, "rb") as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if len(said) >= 4:
            last = len(said) // 4 * 4
            acknowledged = int.from_bytes(said[last - 4 : last], "big")
        with Journal.open(path, DiskStorage()) as journal:
            numbers = [int(str(record["n"])) for record in journal.records()]
        assert acknowledged == 0 or numbers[-1] >= acknowledged
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        acknowledged = max(acknowledged, numbers[-1] if numbers else 0)
    assert acknowledged > 0
