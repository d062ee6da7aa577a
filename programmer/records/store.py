"""The store: one encrypted SQLite file, one writer, and the audit log's place to write.

Theory of operation. `Store` keeps the exact bytes of the audit entries and, in the same transaction, the
tree's head, the signed checkpoint and the derived rows: after any interruption all four agree.
`append` returns only when the transaction is durable (write-ahead log, synchronous=FULL).
A failed append leaves nothing behind. After an input/output error what reached the disk is unknown,
so the store refuses to write until it is opened again; reading goes on.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import apsw

from programmer.audit.log import Head
from programmer.records.derived import digests, project, replay
from programmer.records.engine import QUICK_CHECK_PAGES, WriterLock, connect, fetch, sync_folder, translated
from programmer.records.entry import parse_entry
from programmer.records.errors import (
    DiskFull,
    EntryOutOfOrder,
    StoreDamaged,
    StoreExists,
    StoreReadOnly,
    StoreTooNew,
)
from programmer.records.identities import Identities
from programmer.records.peers import Peers
from programmer.records.queries import Queries
from programmer.records.rows import RebuildReport
from programmer.records.schema import MIGRATIONS, VERSION

__all__ = ["HASH_BYTES", "KEPT_EVERY", "Store"]

HASH_BYTES = 32
"""Length of a tree hash (SHA-256)."""

KEPT_EVERY = 256
"""A checkpoint is kept for good at least once in this many entries."""

_TAIL = 64
_PAGE = 256


class Store(Identities, Peers, Queries):
    """An open store. Use `create` or `open`; close it, or use it as a context manager."""

    @classmethod
    def create(cls, path: Path, key: bytes, *, owner: str = "programmer") -> Self:
        """Make a new store (mode 0600) and open it for writing.

        `key` is 32 random bytes. Raises `StoreExists`, `StoreLocked`, `StoreReadOnly`, `DiskFull`.
        """
        lock = WriterLock(_beside(path, ".lock"), owner)
        try:
            # A write-ahead log left without its file belongs to a store that somebody may still repair.
            if path.exists() or _beside(path, "-wal").exists():
                raise StoreExists(path.name)
            # Made aside and renamed when whole: an interruption leaves no half-made store under the name.
            draft = _empty_file(path)
            connection = connect(draft, key, read_only=False)
            try:
                cls(path, connection, lock)._migrate(0)
            finally:
                connection.close()
            draft.rename(path)
            sync_folder(path.parent)
            return cls._opened(path, connect(path, key, read_only=False), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: Path, key: bytes, *, read_only: bool = False, owner: str = "programmer") -> Self:
        """Open an existing store; any number of readers beside one writer.

        The file is checked in bounded time: whole up to `QUICK_CHECK_PAGES` pages, above that its head and
        its last entries. Every page is authenticated again when it is read.
        Raises `StoreMissing`, `StoreDamaged`, `StoreLocked`, `StoreReadOnly`, `StoreTooNew`.
        """
        if read_only:
            return cls._opened(path, connect(path, key, read_only=True), None)
        lock = WriterLock(_beside(path, ".lock"), owner)
        try:
            return cls._opened(path, connect(path, key, read_only=False), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _opened(cls, path: Path, connection: apsw.Connection, lock: WriterLock | None) -> Self:
        store = cls(path, connection, lock)
        try:
            with translated(store._name):
                store._migrate(1)
                store._check()
        except BaseException:
            connection.close()
            raise
        return store

    def _migrate(self, oldest: int) -> None:
        found = int(fetch(self._db, "PRAGMA user_version")[0][0])
        if found > VERSION:
            raise StoreTooNew(self._name, found, VERSION)
        if found < oldest:
            # A file cut to less than a page looks like a new database: it is not made new silently.
            raise StoreDamaged(self._name, "it holds no tables")
        if found == VERSION:
            return
        if self._lock is None:
            raise StoreReadOnly(self._name)
        with translated(self._name), self._transaction():
            for script in MIGRATIONS[found:]:
                self._db.execute(script)
            replay(self._db, self._numbered())
            self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _check(self) -> None:
        pages = int(fetch(self._db, "PRAGMA page_count")[0][0])
        if pages <= QUICK_CHECK_PAGES:
            found = fetch(self._db, "PRAGMA quick_check(1)")
            if found != (("ok",),):
                raise StoreDamaged(self._name, "the check of its pages failed")
        head = self.head()
        first, last = fetch(self._db, "SELECT (SELECT min(idx) FROM entry), (SELECT max(idx) FROM entry)")[0]
        size = head.size if head is not None else 0
        if (first, last) != ((0, size - 1) if size else (None, None)):
            raise StoreDamaged(self._name, "its entries and its head disagree")
        for idx, note in self._numbered(max(size - _TAIL, 0)):
            if parse_entry(note, idx).idx != idx:
                raise StoreDamaged(self._name, f"entry {idx} stands in the wrong place")

    # The port of the audit log

    def head(self) -> Head | None:
        """Size, frontier and checkpoint of the tree, or None before the first entry."""
        with translated(self._name):
            rows = fetch(self._db, "SELECT size, frontier, checkpoint FROM head")
        if not rows:
            return None
        size, frontier, checkpoint = rows[0]
        hashes = tuple(frontier[at : at + HASH_BYTES] for at in range(0, len(frontier), HASH_BYTES))
        return Head(size, hashes, checkpoint)

    def append(self, notes: Sequence[bytes], head: Head) -> None:
        """Write entries, head, checkpoint and derived rows in one durable transaction.

        `head.size` counts all entries including `notes`. Raises `EntryOutOfOrder`, `EntryUnreadable`,
        `DiskFull`, `StoreReadOnly`, `StoreFaulted`; after each of them nothing of the call is in the store,
        except that after `StoreFaulted` it is unknown until the store was opened again.
        """
        with self._writing():
            stored = self.head()
            size = stored.size if stored is not None else 0
            if head.size != size + len(notes):
                raise EntryOutOfOrder(size + len(notes), head.size)
            closes = False
            for idx, note in enumerate(notes, start=size):
                entry = parse_entry(note, idx)
                if entry.idx != idx:
                    raise EntryOutOfOrder(idx, entry.idx)
                self._db.execute(
                    "INSERT INTO entry VALUES (?,?,?,?,?)", (idx, note, entry.type, entry.patient, entry.utc)
                )
                project(self._db, entry)
                closes = closes or entry.type == "session.closed"
            self._db.execute(
                "INSERT INTO head VALUES (1,?,?,?) ON CONFLICT(id) DO UPDATE SET size = excluded.size,"
                " frontier = excluded.frontier, checkpoint = excluded.checkpoint",
                (head.size, b"".join(head.frontier), head.checkpoint),
            )
            # Kept: the newest, each that closes a session, each that was cosigned, one in KEPT_EVERY.
            self._db.execute("DELETE FROM ckpt WHERE kept = 0 AND size NOT IN (SELECT size FROM cosig)")
            kept = closes or head.size // KEPT_EVERY > size // KEPT_EVERY
            self._db.execute(
                "INSERT INTO ckpt VALUES (?,?,?) ON CONFLICT(size) DO UPDATE SET note = excluded.note",
                (head.size, head.checkpoint, int(kept)),
            )

    def notes(self, first: int, last: int) -> Iterator[bytes]:
        """The exact bytes of the entries `first` <= idx < `last`, in order."""
        for _, note in self._numbered(first, last):
            yield note

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """The kept checkpoints as (size, note), smallest first."""
        with translated(self._name):
            rows = fetch(self._db, "SELECT size, note FROM ckpt ORDER BY size")
        yield from rows

    # Derived tables

    def rebuild(self) -> RebuildReport:
        """Drop the derived tables, make them again from the entries, and say which had not agreed."""
        with self._writing():
            return self._replayed()

    def check_derived(self) -> RebuildReport:
        """As `rebuild`, but nothing is changed: what an altered derived row looks like to the log."""
        with self._writing(commit=False):
            return self._replayed()

    def _replayed(self) -> RebuildReport:
        before = digests(self._db)
        copies: list[int] = []
        for idx, note in self._numbered():
            entry = parse_entry(note, idx)
            row = fetch(self._db, "SELECT type, patient, utc FROM entry WHERE idx = ?", (idx,))
            if row != ((entry.type, entry.patient, entry.utc),):
                copies.append(idx)
                self._db.execute(
                    "UPDATE entry SET type = ?, patient = ?, utc = ? WHERE idx = ?",
                    (entry.type, entry.patient, entry.utc, idx),
                )
        count = replay(self._db, self._numbered())
        after = digests(self._db)
        return RebuildReport(count, tuple(table for table in after if before.get(table) != after[table]), tuple(copies))

    # Backup

    def backup(self, path: Path, key: bytes) -> str:
        """Copy the store, encrypted with the same `key`, to a new file; the SHA-256 of that file in hex.

        The copy is one whole state, is opened and checked once, and takes its name only then.
        It counts as a backup after the audit log in it was verified. Raises as `create` and `open` do.
        """
        if path.exists():
            raise StoreExists(path.name)
        draft = _empty_file(path)
        copy = connect(draft, key, read_only=False)
        try:
            with translated(path.name), copy.backup("main", self._db, "main") as copying:
                while not copying.done:
                    copying.step(_PAGE)
        finally:
            copy.close()
        with translated(path.name):
            type(self)._opened(draft, connect(draft, key, read_only=False), None).close()
        digest = hashlib.sha256(draft.read_bytes()).hexdigest()
        draft.rename(path)
        sync_folder(path.parent)
        return digest


def _empty_file(path: Path) -> Path:
    """An empty file (0600) beside the one it will become, in place of what an interruption left there."""
    draft = _beside(path, ".new")
    for left in (draft, _beside(draft, "-wal"), _beside(draft, "-shm")):
        left.unlink(missing_ok=True)
    try:
        os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as fault:
        raise (DiskFull if fault.errno == errno.ENOSPC else StoreReadOnly)(path.name) from None
    return draft


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
