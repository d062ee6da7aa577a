"""Appending: what fails leaves the log as it was, and what the verifier refuses is never written."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from programmer.audit.canon import NonCanonical
from programmer.audit.entries import TYPES, RoleError, SchemaError
from programmer.audit.export import export_log
from programmer.audit.log import (
    AuditLog,
    ClockWentBack,
    Draft,
    EntryTooLong,
    Head,
    LogDamaged,
    LogExists,
    LogNotCreated,
    MemoryLogStore,
    Stamp,
)
from programmer.audit.merkle import (
    ProofInvalid,
    ProofMalformed,
    Tree,
    frontier_append,
    frontier_root,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from programmer.audit.verify import verify_files
from programmer.identity.device import SeedSigner

ORIGIN = "clinic.example/sim/pumplog/T-0001/1"
DEVICE = SeedSigner(ORIGIN, "device", b"\x07" * 32)
ROOT = SeedSigner("clinic.example/sim/root/1", "root", b"\x08" * 32)
NURSE = SeedSigner("clinic.example/sim/staff/rn-0031", "refill-nurse", b"\x09" * 32)
BOOT = "3f9c1a7e5b2d48608a9be1c4d7f20536"


def clock(start: int = 0, step: int = 1_000_000) -> Callable[[], Stamp]:
    """A clock that moves on by a second at each reading."""

    def ticks() -> Iterator[Stamp]:
        at = start
        while True:
            at += step
            seconds = at // 1_000_000
            utc = f"2026-12-18T09:{seconds // 60:02d}:{seconds % 60:02d}.{at % 1_000_000:06d}Z"
            yield Stamp(utc, BOOT, at)

    source = ticks()
    return lambda: next(source)


def opened(store: Any, stamp: Callable[[], Stamp] | None = None) -> AuditLog:
    return AuditLog(
        store, origin=ORIGIN, realm="simulated", device=DEVICE, stamp=stamp or clock(), policy="1", software="0.1.0"
    )


def created(stamp: Callable[[], Stamp] | None = None, store: MemoryLogStore | None = None) -> AuditLog:
    log = opened(store or MemoryLogStore(), stamp)
    log.create([ROOT.vkey], [], 0, "new")
    return log


def lost(state: str = "HOLD") -> Draft:
    return Draft("link.lost", {"state": state}, DEVICE)


def test_several_drafts_are_one_transaction() -> None:
    store = MemoryLogStore()
    log = created(store=store)
    done = log.append(lost(), lost(), lost())
    assert [item.idx for item in done] == [1, 2, 3]
    assert [size for size, _ in store.checkpoints()] == [1, 4]
    entries = list(log.entries())
    assert [entry.content["prev"] for entry in entries[1:]] == [entry.leaf.hex() for entry in entries[:-1]]
    assert [item.code for item in verify_files(export_log(log))] == ["UNWITNESSED"]


class Failing(MemoryLogStore):
    """Fails when told to."""

    broken = False

    def append(self, notes: Sequence[bytes], head: Head) -> None:
        if self.broken:
            raise OSError("disk full")
        super().append(notes, head)


def test_a_failing_store_leaves_the_log_as_it_was() -> None:
    store = Failing()
    log = created(store=store)
    before = (log.size, log.root())
    store.broken = True
    with pytest.raises(OSError):
        log.append(lost())
    assert (log.size, log.root()) == before
    store.broken = False
    assert log.append(lost())[0].idx == 1
    assert [item.code for item in verify_files(export_log(log))] == ["UNWITNESSED"]


@pytest.mark.parametrize(
    "draft, error",
    [
        (Draft("no.such", {}, DEVICE), SchemaError),
        (Draft("link.lost", {"state": "HOLD", "more": 1}, DEVICE), SchemaError),
        (Draft("link.lost", {"state": 1}, DEVICE), SchemaError),
        (Draft("link.lost", {"state": "e\u0301"}, DEVICE), NonCanonical),
        (Draft("link.lost", {"state": "x"}, DEVICE, patient="Mrs A"), SchemaError),
        (Draft("log.finding", {"code": "c", "locus": "l", "evidence": 1.5}, DEVICE), NonCanonical),
        (Draft("session.opened", {"factors": []}, DEVICE), RoleError),
        (Draft("policy.changed", {"from": None, "to": "2", "digest": None}, NURSE), RoleError),
        (Draft("link.lost", {"state": "x"}, NURSE, NURSE), RoleError),
        (lost("x" * 17_000), EntryTooLong),
    ],
)
def test_what_no_verifier_takes_is_not_written(draft: Draft, error: type[Exception]) -> None:
    log = created()
    with pytest.raises(error):
        log.append(lost(), draft)
    assert log.size == 1


def test_genesis_comes_first_and_once() -> None:
    log = opened(MemoryLogStore())
    with pytest.raises(LogNotCreated):
        log.append(lost())
    with pytest.raises(LogExists):
        created().create([], [], 0, "new")


def test_equal_readings_of_the_clock_are_told_apart_and_a_clock_that_runs_back_is_refused() -> None:
    log = created(lambda: Stamp("2026-12-18T09:00:00.000000Z", BOOT, 5))
    log.append(lost(), lost())
    assert [entry.content["boot_us"] for entry in log.entries()] == [5, 6, 7]
    readings = iter([5_000_000, 1])
    log = created(lambda: Stamp("2026-12-18T09:00:00.000000Z", BOOT, next(readings)))
    with pytest.raises(ClockWentBack):
        log.append(lost())


def test_a_store_that_lost_or_changed_an_entry_does_not_open() -> None:
    store = MemoryLogStore()
    log = created(store=store)
    log.append(lost(), lost())
    head = store.head()
    assert head is not None
    for notes in (list(store.notes(0, 2)), [*store.notes(0, 2), b"x"], list(store.notes(0, 3))[::-1]):
        other = MemoryLogStore()
        other._notes, other._heads = notes, [head]
        with pytest.raises(LogDamaged):
            opened(other)


def test_known_hashes_of_a_transparency_log() -> None:
    # Published test data of certificate transparency logs (RFC 6962): eight leaves and their root.
    rows = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    leaves = [leaf_hash(bytes.fromhex(row)) for row in rows]
    assert leaves[0].hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert Tree(leaves).root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


@pytest.mark.parametrize("size2", range(1, 19))
def test_every_proof_of_small_trees_verifies_and_no_other(size2: int) -> None:
    tree = Tree([leaf_hash(b"%d" % n) for n in range(size2)])
    for index in range(size2):
        proof = tree.inclusion(index)
        verify_inclusion(index, size2, tree.leaf(index), proof, tree.root())
        with pytest.raises(ProofInvalid):
            verify_inclusion(index, size2, leaf_hash(b"x"), proof, tree.root())
        with pytest.raises(ProofMalformed):
            verify_inclusion(index, size2, tree.leaf(index), [*proof, bytes(32)], tree.root())
    for size1 in range(1, size2):
        path = tree.consistency(size1, size2)
        verify_consistency(size1, size2, tree.root(size1), tree.root(size2), path)
        with pytest.raises(ProofInvalid):
            verify_consistency(size1, size2, bytes(32), tree.root(size2), path)
        with pytest.raises(ProofMalformed):
            verify_consistency(size1, size2, tree.root(size1), tree.root(size2), [*path, bytes(32)])


def test_roots_of_every_size_agree_with_the_frontier() -> None:
    leaves = [leaf_hash(b"%d" % n) for n in range(70)]
    tree, frontier = Tree(leaves), ()  # type: tuple[Tree, tuple[bytes, ...]]
    for size in range(71):
        assert tree.root(size) == frontier_root(frontier)
        assert tree.frontier(size) == frontier
        if size < 70:
            frontier = frontier_append(frontier, size, leaves[size])


DEVICE_ALONE = (
    "log.genesis log.closed log.verified log.finding witness.received witness.given store.backup store.migrated "
    "software.changed clock.step user.enrolled session.locked auth.failed auth.locked pump.read pump.anchor "
    "pump.events pump.alarm link.lost change.outcome change.refused emergency.used"
)
PERSON_ONLY = (
    "export.made patient.erased policy.changed library.loaded user.key_replaced user.revoked secret.changed "
    "session.opened session.closed record.viewed pump.linked pump.unlinked pump.paired alarm.acknowledged "
    "alarm.selftest entry.trace change.intent change.dropped change.reconciled refill.measured "
    "refill.recorded discrepancy.decided assessment.recorded plan.recorded care.recorded note.added report.signed "
    "record.reviewed record.corrected emergency.reviewed"
)


def test_the_table_of_entry_types_is_the_closed_list() -> None:
    device = {name for name, row in TYPES.items() if row.device}
    assert device == set(DEVICE_ALONE.split())
    assert set(TYPES) - device == set(PERSON_ONLY.split())


def test_a_log_of_more_than_one_tile_is_clean_and_each_altered_tile_is_named() -> None:
    log = created()
    log.append(*(lost(str(n)) for n in range(299)))
    files = export_log(log)
    assert set(files) == {
        "checkpoint", "keys.json", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/000",
        "tile/entries/001.p/44",
    }  # fmt: skip
    assert [item.code for item in verify_files(files)] == ["UNWITNESSED"]
    for path, code, locus in (
        ("tile/0/001.p/44", "LEAF_MISMATCH", "idx:256"),
        ("tile/0/000", "LEAF_MISMATCH", "idx:0"),
        ("tile/1/000.p/1", "TILE_MISMATCH", "tile:1/0"),
        ("tile/entries/001.p/44", "TILE_MALFORMED", "tile:entries/1"),
    ):
        data = files[path]
        first = verify_files({**files, path: bytes([data[0] ^ 1]) + data[1:]})[0]
        assert (first.code, first.locus) == (code, locus)
