"""The SQLite connection of the store: cipher, pragmas, errors as sentences, and the writer's lock.

Pages are encrypted with ChaCha20 and authenticated with Poly1305 (SQLite3 Multiple Ciphers, cipher
`chacha20`); a page that was altered is refused when it is read, so no wrong row is ever returned.
The key is 32 random bytes and is used as it is, without a password derivation.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from programmer.records.errors import (
    DiskFull,
    StoreDamaged,
    StoreError,
    StoreFaulted,
    StoreLocked,
    StoreMissing,
    StoreReadOnly,
)

__all__ = ["KEY_BYTES", "QUICK_CHECK_PAGES", "SETTINGS", "WriterLock", "connect", "fetch", "sync_folder", "translated"]

KEY_BYTES = 32
"""Length of the store key."""

QUICK_CHECK_PAGES = 2048
"""Files up to this many pages (8 MiB) are checked whole at opening; above it, the roots and the end."""

BUSY_MS = 2000

# SQLite reports a full disk as FullError; the rest of this table is what a disk or a person can cause.
_TRANSLATION: tuple[tuple[type[apsw.Error], Callable[[str], StoreError]], ...] = (
    (apsw.FullError, DiskFull),
    (apsw.NotADBError, StoreDamaged),
    (apsw.CorruptError, StoreDamaged),
    (apsw.FormatError, StoreDamaged),
    (apsw.ReadOnlyError, StoreReadOnly),
    (apsw.PermissionsError, StoreReadOnly),
    (apsw.CantOpenError, StoreReadOnly),
    (apsw.BusyError, StoreLocked),
    (apsw.LockedError, StoreLocked),
    (apsw.IOError, StoreFaulted),
)

SETTINGS: tuple[tuple[str, str], ...] = (
    ("foreign_keys", "ON"),
    ("trusted_schema", "OFF"),
    ("cell_size_check", "ON"),
    ("temp_store", "MEMORY"),
    ("mmap_size", "0"),
    ("secure_delete", "ON"),
    ("synchronous", "FULL"),
)


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Turn an SQLite error inside the block into the store's error with its sentence."""
    try:
        yield
    except apsw.Error as fault:
        for kind, error in _TRANSLATION:
            if isinstance(fault, kind):
                raise error(name) from None
        raise


def connect(path: Path, key: bytes, *, read_only: bool) -> apsw.Connection:
    """Open the encrypted file, with every pragma set and the first page read.

    Raises `StoreMissing`, `StoreDamaged` (wrong key or altered page), `StoreReadOnly`, `StoreLocked`;
    `ValueError` if the key has not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"the store key has {KEY_BYTES} bytes")
    if not path.exists():
        raise StoreMissing(path.name)
    with translated(path.name):
        if not read_only:
            return _prepared(apsw.Connection(str(path), apsw.SQLITE_OPEN_READWRITE), key, writer=True)
        try:
            return _prepared(apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY), key, writer=False)
        except (apsw.CantOpenError, apsw.ReadOnlyError):
            # A read-only medium cannot hold the shared-memory file of the write-ahead log. Without a log
            # left behind the file is whole by itself and nobody can be writing it.
            if _size(path.with_name(path.name + "-wal")):
                raise
            uri = f"{path.absolute().as_uri()}?immutable=1"
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            return _prepared(apsw.Connection(uri, flags), key, writer=False)


def fetch(db: apsw.Connection, sql: str, values: Sequence[Any] = ()) -> tuple[tuple[Any, ...], ...]:
    """All rows of a question. The cells have the types of the STRICT columns asked for."""
    return tuple(db.execute(sql, tuple(values)).fetchall())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _prepared(connection: apsw.Connection, key: bytes, *, writer: bool) -> apsw.Connection:
    try:
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("cipher", "chacha20")
        connection.execute(f"PRAGMA key = 'raw:{key.hex()}'")
        for name, value in SETTINGS:
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if writer:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        else:
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class WriterLock:
    """The place of the one writer: an advisory lock on `store.db.lock`, which names its owner.

    The kernel gives it back when the process ends in any way, so no stale lock survives a crash.
    """

    __slots__ = ("_fd", "_name")

    def __init__(self, path: Path, owner: str) -> None:
        """Take the lock. Raises `StoreLocked` with the owner's name and process, or `StoreReadOnly`."""
        self._name = path.name
        self._fd = -1
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            raise StoreReadOnly(path.name.removesuffix(".lock")) from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            text = os.read(fd, 200).decode("utf-8", "replace").strip()
            os.close(fd)
            pid, _, name = text.partition(" ")
            raise StoreLocked(
                path.name.removesuffix(".lock"), name, int(pid) if pid.isascii() and pid.isdigit() else None
            ) from None
        self._fd = fd
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()} {owner}\n".encode()[:200], 0)
        except OSError:
            # A full disk must not keep a person from reading: the lock holds without its owner's name.
            pass

    def release(self) -> None:
        """Give the place back. A second call has no effect."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
