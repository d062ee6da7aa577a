"""The journal of a visit: what must be known after a power cut, in a plain file that depends on nothing.

One line for each record::

    1 LENGTH CRC32 {"type":"...", ...}

with the byte length of the JSON in decimal and the CRC-32 (as in ISO-HDLC, the one of zlib) over
`LENGTH SP JSON` in 8 hex digits. `append` returns only when the record is durable. The file holds
references, digests and numbers, never a name: it is not encrypted.

At opening, bytes after the last whole record are a write that a crash cut off: nobody was told that it
was saved. They are reported in `torn`, kept in `NAME.torn`, and never read as a record. A bad record with
a good one behind it is no torn tail but damage, and the journal does not open.
"""

from __future__ import annotations

import errno
import json
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from programmer.visit.storage import Storage, StorageFile

__all__ = [
    "MAX_RECORD_BYTES",
    "Journal",
    "JournalDamaged",
    "JournalDiskFull",
    "JournalError",
    "JournalFaulted",
    "JournalLocked",
    "JournalReadOnly",
    "RecordRefused",
    "Torn",
    "encode",
    "read_journal",
]

MAX_RECORD_BYTES = 65_536
"""A record's JSON has at most this many bytes."""

_LINE = re.compile(rb"1 ([1-9][0-9]{0,4}) ([0-9a-f]{8}) ")


class JournalError(Exception):
    """A fault of the journal. `exit_code` is what the command line returns: 7 not stored, 4 integrity."""

    exit_code: ClassVar[int] = 7

    @property
    def sentence(self) -> str:
        """The message for a person."""
        return str(self)


class JournalDiskFull(JournalError):
    """No room for the record; it is not in the journal."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The disk is full: the step was not saved in {name}, and nothing may be sent to the pump. "
            "Free some space, then repeat the step."
        )


class JournalReadOnly(JournalError):
    """The medium or the folder takes no writing; the record is not in the journal."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} cannot be written: the step was not saved, and nothing may be sent to the pump. "
            "Check the medium and the rights of the folder."
        )


class JournalFaulted(JournalError):
    """The disk reported an error; whether the record reached it is unknown until the next opening."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The disk reported an error while writing {name}: the step is not known to be saved, and "
            "nothing may be sent to the pump. Close the programmer, open it again, and read the pump first."
        )


class JournalLocked(JournalError):
    """Another program has the journal open."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is in use by another program: close that program, then start again.")


class JournalDamaged(JournalError):
    """A record that had been saved is no longer readable. `readable` are the records before it."""

    exit_code = 4

    def __init__(self, name: str, offset: int, readable: tuple[dict[str, object], ...]) -> None:
        self.offset = offset
        self.readable = readable
        super().__init__(
            f"{name} is damaged at byte {offset}: a saved step cannot be read. Do not program; "
            "read the pump, compare it with the audit log, and keep the damaged file."
        )


class RecordRefused(JournalError):
    """The record cannot be a line of the journal: no type, a float, or too long. An internal fault."""

    exit_code = 70

    def __init__(self, why: str) -> None:
        super().__init__(f"The step cannot be saved ({why}): nothing was written. Report this fault.")


@dataclass(frozen=True, slots=True)
class Torn:
    """The rest of a write that a crash cut off: where it began in the file, and its bytes."""

    offset: int
    data: bytes


def encode(record: Mapping[str, object]) -> bytes:
    """The line of a record. Raises `RecordRefused`.

    >>> encode({"type": "intent", "txid": "t1"})
    b'1 29 e803682b {"txid":"t1","type":"intent"}\\n'
    """
    if not isinstance(record.get("type"), str):
        raise RecordRefused("it has no type")
    _refuse_floats(record)
    try:
        text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError):
        raise RecordRefused("it is not JSON") from None
    data = text.encode("ascii")
    if len(data) > MAX_RECORD_BYTES:
        raise RecordRefused(f"it has more than {MAX_RECORD_BYTES} bytes")
    return b"1 %d %08x %b\n" % (len(data), _crc(data), data)


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise RecordRefused("it holds a number that is not whole")
    if isinstance(value, Mapping):
        if any(not isinstance(key, str) for key in value):
            raise RecordRefused("a key is not a text")
        for part in value.values():
            _refuse_floats(part)
    elif isinstance(value, list | tuple):
        for part in value:
            _refuse_floats(part)


def _crc(data: bytes) -> int:
    return zlib.crc32(b"%d %b" % (len(data), data))


def _record_at(data: bytes, at: int) -> tuple[dict[str, object], int] | None:
    """The record that begins at a place and the place after it, or None if there is no whole one."""
    line = _LINE.match(data, at)
    if line is None:
        return None
    start, length = line.end(), int(line[1])
    text = data[start : start + length]
    if len(text) < length or data[start + length : start + length + 1] != b"\n":
        return None
    if int(line[2], 16) != _crc(text):
        return None
    record = json.loads(text)
    return (record, start + length + 1) if isinstance(record, dict) else None


def _scan(data: bytes) -> tuple[list[dict[str, object]], int]:
    """Whole records from the beginning, and where they end."""
    records: list[dict[str, object]] = []
    at = 0
    while (found := _record_at(data, at)) is not None:
        record, at = found
        records.append(record)
    return records, at


def _good_record_after(data: bytes, at: int) -> bool:
    return any(_record_at(data, place.start()) is not None for place in _LINE.finditer(data, at + 1))


def read_journal(path: Path, storage: Storage) -> tuple[tuple[dict[str, object], ...], Torn | None]:
    """Records and torn tail of a journal that cannot be opened for writing: a full disk, a read-only medium.

    Raises `JournalDamaged`, `JournalReadOnly` (not readable or absent), `JournalFaulted`.
    """
    try:
        data = storage.read(path)
    except OSError as fault:
        raise _named(fault, path.name) from fault
    records, end = _scan(data)
    if end < len(data) and _good_record_after(data, end):
        raise JournalDamaged(path.name, end, tuple(records))
    return tuple(records), Torn(end, data[end:]) if end < len(data) else None


class Journal:
    """An open journal. Use `open`; close it, or use it as a context manager."""

    def __init__(
        self, path: Path, storage: Storage, file: StorageFile, records: list[dict[str, object]], size: int
    ) -> None:
        """Not for callers: `open` reads the file first."""
        self._path = path
        self._storage = storage
        self._file = file
        self._records = records
        self._size = size
        self._faulted = False
        self.torn: Torn | None = None
        """What a crash left behind the last whole record, or None. Show it: a step may be missing."""

    @classmethod
    def open(cls, path: Path, storage: Storage) -> Self:
        """Open the journal, or make an empty one whose name is durable.

        Raises `JournalDamaged`, `JournalLocked`, `JournalReadOnly`, `JournalDiskFull`, `JournalFaulted`.
        """
        file: StorageFile | None = None
        try:
            new = not storage.exists(path)
            file = storage.open(path)
            if new:
                storage.fsync_folder(path.parent)
            data = file.read()
            records, end = _scan(data)
            if end < len(data) and _good_record_after(data, end):
                raise JournalDamaged(path.name, end, tuple(records))
            journal = cls(path, storage, file, records, end)
            if end < len(data):
                journal.torn = Torn(end, data[end:])
                journal._set_aside(journal.torn)
            # Records of a process that was killed between write and fsync may be in the cache only.
            file.fsync()
        except OSError as fault:
            _close(file)
            raise _named(fault, path.name) from fault
        except JournalError:
            _close(file)
            raise
        return journal

    def _set_aside(self, torn: Torn) -> None:
        """Keep the torn bytes in `NAME.torn`, durable, before they are cut off the journal."""
        aside = self._path.with_name(self._path.name + ".torn")
        kept = self._storage.open(aside)
        try:
            _write(kept, torn.data + b"\n")
            kept.fsync()
        finally:
            kept.close()
        self._storage.fsync_folder(self._path.parent)
        self._file.truncate(torn.offset)

    def records(self) -> tuple[dict[str, object], ...]:
        """Every saved record, oldest first."""
        return tuple(dict(record) for record in self._records)

    def append(self, record: Mapping[str, object]) -> None:
        """Save a record; when this returns it is durable.

        If it raises, the record is not saved and nothing that depends on it may be done. After an error from
        which the file could not be brought back, every further call raises `JournalFaulted`.
        """
        line = encode(record)
        if self._faulted:
            raise JournalFaulted(self._path.name)
        try:
            _write(self._file, line)
        except OSError as fault:
            self._cut_back()
            raise _named(fault, self._path.name) from fault
        try:
            self._file.fsync()
        except OSError as fault:
            # A second fsync would report success for pages that the first one dropped: it proves nothing.
            self._faulted = True
            raise JournalFaulted(self._path.name) from fault
        self._size += len(line)
        self._records.append(json.loads(json.dumps(record)))

    def _cut_back(self) -> None:
        try:
            self._file.truncate(self._size)
            self._file.fsync()
        except OSError:
            self._faulted = True

    def compact(self, keep: Iterable[Mapping[str, object]] = ()) -> None:
        """At the end of a visit: go on with a new file that holds only `keep`.

        The new file is whole and durable before it takes the name; after any interruption the name stands
        for the old file or for the new one. If it raises, the old file is still the journal.
        """
        if self._faulted:
            raise JournalFaulted(self._path.name)
        kept = [dict(record) for record in keep]
        data = b"".join(encode(record) for record in kept)
        draft = self._path.with_name(self._path.name + ".new")
        file: StorageFile | None = None
        try:
            file = self._storage.open(draft)
            file.truncate(0)
            _write(file, data)
            file.fsync()
            self._storage.rename(draft, self._path)
        except OSError as fault:
            _close(file)
            raise _named(fault, self._path.name) from fault
        _close(self._file)
        self._file, self._records, self._size = file, json.loads(json.dumps(kept)), len(data)
        try:
            self._storage.fsync_folder(self._path.parent)
        except OSError as fault:
            # Which of the two files a power cut would bring back is not known.
            self._faulted = True
            raise JournalFaulted(self._path.name) from fault

    def close(self) -> None:
        """Close the file. Everything that was acknowledged is durable already."""
        _close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write(file: StorageFile, data: bytes) -> None:
    """Write everything; a short write goes on with the rest."""
    while data:
        taken = file.append(data)
        if taken <= 0:
            raise OSError(errno.EIO, "nothing was written")
        data = data[taken:]


def _close(file: StorageFile | None) -> None:
    if file is not None:
        try:
            file.close()
        except OSError:
            # Nothing unsaved hangs on it: what counts was synchronised before.
            return


_BY_ERRNO: Mapping[int, type[JournalDiskFull] | type[JournalReadOnly] | type[JournalLocked]] = {
    errno.ENOSPC: JournalDiskFull,
    errno.EDQUOT: JournalDiskFull,
    errno.EFBIG: JournalDiskFull,
    errno.EROFS: JournalReadOnly,
    errno.EACCES: JournalReadOnly,
    errno.EPERM: JournalReadOnly,
    errno.ENOENT: JournalReadOnly,
    errno.EAGAIN: JournalLocked,
}


def _named(fault: OSError, name: str) -> JournalError:
    return _BY_ERRNO.get(fault.errno or 0, JournalFaulted)(name)
