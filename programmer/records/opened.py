"""An open database file: transactions that are whole or nothing, and what happens after an error of the disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import apsw

from programmer.records.engine import WriterLock, fetch, translated
from programmer.records.errors import StoreFaulted, StoreReadOnly

__all__ = ["Opened"]

_PAGE = 256


class Opened:
    """Connection, lock and transactions. Without a lock it only reads."""

    def __init__(self, path: Path, connection: apsw.Connection, lock: WriterLock | None) -> None:
        """Not for callers: `Store.create` and `Store.open` check the file first."""
        self._path = path
        self._name = path.name
        self._db = connection
        self._lock = lock
        self._faulted = False

    def _numbered(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, bytes]]:
        # In pages, so that a reader who stops half way leaves no open statement on the connection.
        at = first
        while last is None or at < last:
            upto = at + _PAGE if last is None else min(at + _PAGE, last)
            with translated(self._name):
                rows = fetch(
                    self._db,
                    "SELECT idx, note FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx",
                    (at, upto),
                )
            yield from rows
            if not rows:
                return
            at = upto

    @contextmanager
    def _writing(self, *, commit: bool = True) -> Iterator[None]:
        if self._lock is None:
            raise StoreReadOnly(self._name)
        if self._faulted:
            raise StoreFaulted(self._name)
        try:
            with translated(self._name), self._transaction(commit=commit):
                yield
        except StoreFaulted:
            self._faulted = True
            raise

    @contextmanager
    def _transaction(self, *, commit: bool = True) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT" if commit else "ROLLBACK")
        except BaseException:
            # SQLite rolls back by itself on some errors; only an open transaction can be rolled back.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> tuple[tuple[Any, ...], ...]:
        with translated(self._name):
            return fetch(self._db, sql, values)

    def close(self) -> None:
        """Fold the write-ahead log into the file, close it, give the lock back. Harmless when repeated."""
        try:
            self._db.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
