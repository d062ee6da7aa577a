"""The small port to a disk that the journal writes through, and the real disk behind it.

A fake one with faults and crashes stands in the tests. Every method may raise `OSError` with its errno.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

__all__ = ["DiskStorage", "Storage", "StorageFile"]

FILE_MODE = 0o600


class StorageFile(Protocol):
    """An open file that grows at its end. Only what `fsync` returned for survives a power cut."""

    def read(self) -> bytes:
        """The whole content."""
        ...

    def append(self, data: bytes) -> int:
        """Write at the end; how many bytes were taken, which may be fewer than given."""
        ...

    def truncate(self, size: int) -> None:
        """Cut to `size` bytes."""
        ...

    def fsync(self) -> None:
        """Return when the content is durable."""
        ...

    def close(self) -> None:
        """Close the file, and give its lock back."""
        ...


class Storage(Protocol):
    """The folder operations of the journal."""

    def exists(self, path: Path) -> bool:
        """True if a file has this name."""
        ...

    def open(self, path: Path) -> StorageFile:
        """Open for reading and appending, mode 0600, made empty if absent.

        Only one opener at a time: `BlockingIOError` while another holds the file.
        """
        ...

    def read(self, path: Path) -> bytes:
        """The content of a file, without its lock and without the right to write."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of one that has it, at once or not at all."""
        ...

    def remove(self, path: Path) -> None:
        """Take a name away."""
        ...

    def fsync_folder(self, folder: Path) -> None:
        """Return when the names in the folder are durable."""
        ...


class _DiskFile:
    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self) -> bytes:
        parts: list[bytes] = []
        at = 0
        while part := os.pread(self._fd, 1 << 20, at):
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def append(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def fsync(self) -> None:
        _flush(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _flush(fd: int) -> None:
    # On Apple's systems fsync leaves the data in the drive's cache; only F_FULLFSYNC empties that.
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is None:
        os.fsync(fd)
    else:
        fcntl.fcntl(fd, full)


class DiskStorage:
    """The real disk. Files are 0600 and locked against a second opener, in this or another process."""

    def exists(self, path: Path) -> bool:
        """True if a file has this name."""
        return path.exists()

    def open(self, path: Path) -> StorageFile:
        """Open, or make, a file and take its lock."""
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Between open and lock the former owner may have put another file in this place.
                if _same_file(fd, path):
                    return _DiskFile(fd)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def read(self, path: Path) -> bytes:
        """The content of a file."""
        return path.read_bytes()

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in place of one that has it."""
        os.replace(old, new)

    def remove(self, path: Path) -> None:
        """Take a name away."""
        path.unlink()

    def fsync_folder(self, folder: Path) -> None:
        """Return when the names in the folder are durable."""
        fd = os.open(folder, os.O_RDONLY)
        try:
            _flush(fd)
        finally:
            os.close(fd)


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
