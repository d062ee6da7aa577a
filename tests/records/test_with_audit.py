"""The store under the real audit log: whatever the log takes, the store keeps and can show."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from programmer.audit.entries import TYPES, check_entry
from programmer.audit.log import AuditLog, Draft, Head, LogDamaged, LogStore, Stamp
from programmer.audit.note import VKey
from programmer.audit.note import key_id as note_key_id
from programmer.records.store import Store
from tests.records.example import KEY, MEASURED, OTHER, PATIENT, READ, REFILLED, TAG, head, note

ORIGIN = "clinic.example/sim/pumplog/T-0042/1"
ED25519 = 1


class Key:
    """A file-less signer."""

    def __init__(self, name: str, role: str, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.name, self.role = name, role
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = note_key_id(name, ED25519, self.public)
        self.vkey = str(VKey(name, ED25519, self.public))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


DEVICE = Key(ORIGIN, "device", 1)
DOCTOR = Key("clinic.example/sim/staff/dr-0007", "prescriber", 2)
PUMP = {"tag": TAG, "epoch": 6, "chain": "82" * 32}


def log_on(store: LogStore) -> AuditLog:
    ticks = iter(range(1, 10_000))

    def stamp() -> Stamp:
        return Stamp("2026-12-18T09:00:00.000000Z", "3f" * 16, next(ticks) * 1000 + 10**9)

    return AuditLog(store, origin=ORIGIN, realm="simulated", device=DEVICE, stamp=stamp, policy="1", software="0.1.0")


def test_the_log_goes_on_after_the_store_was_closed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store.create(path, KEY) as store:
        log = log_on(store)
        log.create([], [], 0, "new")
        log.append(
            Draft("session.opened", {"factors": ["secret"]}, DOCTOR),
            Draft("pump.read", READ, DEVICE, patient=PATIENT, pump=PUMP),
            Draft("refill.measured", MEASURED, DOCTOR, patient=PATIENT, pump=PUMP),
            Draft("refill.recorded", REFILLED, DOCTOR, patient=PATIENT, pump=PUMP),
        )
        root, checkpoint = log.root(), log.checkpoint()
    with Store.open(path, KEY) as store:
        log = log_on(store)
        assert (log.size, log.root(), log.checkpoint()) == (5, root, checkpoint)
        (refill,) = store.refills(PATIENT)
        assert (refill.injected_nl, refill.measured_idx) == (20_000_000, 3)
        assert [v.actor for v in store.open_visits()] == [DOCTOR.name]
        assert store.check_derived().agrees


def test_a_swapped_entry_is_found_by_the_log(tmp_path: Path) -> None:
    """Pages authenticate, but a thief of the key can edit rows: the tree finds it."""
    path = tmp_path / "store.db"
    with Store.create(path, KEY) as store:
        log_on(store).create([], [], 0, "new")
        store._db.execute("UPDATE entry SET note = CAST(replace(CAST(note AS TEXT), 'new', 'old') AS BLOB)")
    with Store.open(path, KEY) as store, pytest.raises(LogDamaged):
        log_on(store)


MADE: dict[str, Callable[[random.Random], Any]] = {
    "text": lambda r: r.choice(["", "t1", "t2", "Ä\u2028", "body.lot"]),
    "int": lambda r: r.randint(-(2**53) + 1, 2**53 - 1),
    "nat": lambda r: r.choice([0, 1, 2, 3, 2**53 - 1]),
    "bool": lambda r: r.random() < 0.5,
    "map": lambda r: {"lost": 0},
    "list": lambda r: [{"code": 1}, "x"],
    "texts": lambda r: ["a"],
    "sealed": lambda r: {"alg": "a", "ct": "b", "kid": "c", "nonce": "d"},
    "utc": lambda r: "2026-12-18T09:00:00.000000Z",
    "day": lambda r: "2027-01-10",
    "h8": lambda r: "ab" * 4,
    "h16": lambda r: "ab" * 8,
    "h32": lambda r: "ab" * 16,
    "h64": lambda r: "ab" * 32,
    "any": lambda r: r.choice([None, True, 5, "x", [1], {"k": [None]}]),
}
CHOSEN: dict[tuple[str, str], tuple[str, ...]] = {
    ("change.intent", "kind"): ("dose", "stop", "clock"),
    ("change.outcome", "verdict"): ("applied", "not_applied", "in_doubt"),
    ("change.reconciled", "verdict"): ("applied", "not_applied", "in_doubt"),
    ("care.recorded", "about"): ("wean",),
    ("record.corrected", "field"): ("body.lot", "body.injected_nl", "body.withdrawn_nl", "utc"),
}


def body_of(type_: str, rng: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for name, kind in TYPES[type_].fields.items():
        null = kind.endswith("?") and rng.random() < 0.5
        body[name] = None if null else MADE[kind.rstrip("?")](rng)
        if (type_, name) in CHOSEN:
            body[name] = rng.choice(CHOSEN[type_, name])
    return body


def test_every_entry_that_fits_the_schema_is_kept(tmp_path: Path) -> None:
    """No projection may refuse what the log accepts: an outcome that cannot be saved would be lost."""
    rng = random.Random(3)
    types = sorted(TYPES) * 8
    rng.shuffle(types)
    with Store.create(tmp_path / "store.db", KEY) as store:
        for first in range(0, len(types), 20):
            notes = []
            for idx, type_ in enumerate(types[first : first + 20], start=first):
                raw = note(idx, type_, body_of(type_, rng), patient=rng.choice([None, PATIENT, OTHER]))
                check_entry(_parsed(raw))
                notes.append(raw)
            store.append(notes, head(first + len(notes)))
        assert store.check_derived().agrees
        assert {type_ for (type_,) in store._db.execute("SELECT type FROM entry")} == set(TYPES)
        for patient in (PATIENT, OTHER):
            store.dose_history(patient)
            store.refills(patient)
            store.readings(patient, 100)
            store.alarms(patient)


def _parsed(raw: bytes) -> Any:
    return json.loads(raw.partition(b"\n")[0])


def test_a_torn_write_ahead_log_gives_an_earlier_whole_state_or_damage(tmp_path: Path) -> None:
    """Cut or garbled anywhere, the write-ahead log yields a state that once was, never a mixture."""
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    heads: dict[int, Head] = {}
    with Store.create(path, KEY) as store:
        for size in range(1, 9):
            store.append([note(size - 1, "note.added", {"text": "x" * 500})], head(size))
            heads[size] = head(size)
        main, wal = path.read_bytes(), path.with_name("store.db-wal").read_bytes()
    rng = random.Random(5)
    seen: set[int] = set()
    for _ in range(80):
        cut = rng.randrange(len(wal) + 1)
        tail = rng.choice([b"", bytes(len(wal) - cut), rng.randbytes(min(512, len(wal) - cut))])
        copy.write_bytes(main)
        copy.with_name("copy.db-wal").write_bytes(wal[:cut] + tail)
        copy.with_name("copy.db-shm").unlink(missing_ok=True)
        with Store.open(copy, KEY) as store:
            stored = store.head()
            size = stored.size if stored is not None else 0
            assert stored == heads.get(size)
            assert sum(1 for _ in store.notes(0, 100)) == size
            assert store.check_derived().agrees
            seen.add(size)
    assert len(seen) > 4
