"""A fake disk behind the journal's storage port: a cache apart from what is durable, faults, and crashes.

`faults` maps the number of an operation (from 1) to what happens there: an errno, `SHORT` (a write takes
only a part, the rest must follow), `SHORT_FULL` (a part, then no room), or `CRASH`.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SHORT = -1
SHORT_FULL = -2
CRASH = -3


class Crash(BaseException):
    """The power went away."""


@dataclass
class Inode:
    cache: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    locked: bool = False


@dataclass
class Disk:
    """The storage port. One folder; rename and new names are durable after `fsync_folder`."""

    faults: Mapping[int, int] = field(default_factory=dict)
    names: dict[Path, Inode] = field(default_factory=dict)
    durable_names: dict[Path, Inode] = field(default_factory=dict)
    operations: int = 0
    full: bool = False

    def fault(self, writes: bool = True) -> int | None:
        """Count an operation; raise its fault, or return the kind of short write."""
        self.operations += 1
        kind = self.faults.get(self.operations)
        if kind == CRASH:
            raise Crash
        if kind is not None and kind > 0:
            raise OSError(kind, os.strerror(kind))
        if self.full and writes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return kind

    def exists(self, path: Path) -> bool:
        return path in self.names

    def open(self, path: Path) -> File:
        self.fault(writes=path not in self.names)
        inode = self.names.setdefault(path, Inode())
        if inode.locked:
            raise BlockingIOError(errno.EAGAIN, "locked")
        inode.locked = True
        return File(self, inode)

    def read(self, path: Path) -> bytes:
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "absent")
        return bytes(self.names[path].cache)

    def rename(self, old: Path, new: Path) -> None:
        self.fault()
        self.names[new] = self.names.pop(old)

    def remove(self, path: Path) -> None:
        self.fault()
        del self.names[path]

    def fsync_folder(self, folder: Path) -> None:
        self.fault(writes=False)
        self.durable_names = dict(self.names)

    def after_power_cut(self, rng: random.Random) -> Disk:
        """What a restart finds: durable data, and of the rest each part kept, lost, or torn."""
        names = rng.choice([self.names, self.durable_names])
        found: dict[Path, Inode] = {}
        for path, inode in names.items():
            kept = _survivor(inode, rng)
            found[path] = Inode(bytearray(kept), bytearray(kept))
        return Disk(names=found, durable_names=dict(found))


def _survivor(inode: Inode, rng: random.Random) -> bytes:
    old, new = bytes(inode.durable), bytes(inode.cache)
    if not new.startswith(old):
        return rng.choice([old, new])
    tail = new[len(old) :]
    cut = rng.randint(0, len(tail))
    return old + rng.choice([b"", tail, tail[:cut], tail[:cut] + bytes(len(tail) - cut), bytes(len(tail))])


@dataclass
class File:
    disk: Disk
    inode: Inode

    def read(self) -> bytes:
        self.disk.fault(writes=False)
        return bytes(self.inode.cache)

    def append(self, data: bytes) -> int:
        kind = self.disk.fault()
        part = len(data) if kind is None else len(data) // 2
        self.inode.cache += data[:part]
        self.disk.full = self.disk.full or kind == SHORT_FULL
        return part

    def truncate(self, size: int) -> None:
        self.disk.fault(writes=False)
        del self.inode.cache[size:]

    def fsync(self) -> None:
        self.disk.fault(writes=False)
        self.inode.durable = bytearray(self.inode.cache)

    def close(self) -> None:
        self.inode.locked = False
