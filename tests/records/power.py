"""Power cuts under SQLite: a file system that records what was written and synchronised, and what a cut leaves.

A Python file system stands above the cipher, so its images are plain and are opened without a key.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the file that ends in `ending` ("" or "-wal"), or an acknowledgement of `size`."""

    kind: str
    ending: str = ""
    at: int = 0
    data: bytes = b""


@dataclass
class Recording(apsw.VFS):
    """A file system over the system's own that notes each write, cut, sync and delete of `main` and its log."""

    name: str
    main: Path
    steps: list[Step] = field(default_factory=list)
    kept_open: apsw.Connection | None = None

    def __post_init__(self) -> None:
        super().__init__(self.name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return RecordedFile(self, path, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self.note("delete", filename)
        super().xDelete(filename, syncdir)

    def note(self, kind: str, filename: str | None, at: int = 0, data: bytes = b"") -> None:
        ending = str(filename).removeprefix(str(self.main)) if filename else "?"
        if ending in ("", "-wal"):
            self.steps.append(Step(kind, ending, at, data))

    def acknowledge(self, size: int) -> None:
        self.steps.append(Step("ack", at=size))


class RecordedFile(apsw.VFSFile):
    def __init__(self, recording: Recording, path: str | None, name: Any, flags: list[int]) -> None:
        self._recording, self._path = recording, path
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        self._recording.note("write", self._path, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._recording.note("truncate", self._path, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._recording.note("sync", self._path)
        super().xSync(flags)


def _write(content: bytearray, step: Step) -> None:
    content.extend(bytes(max(0, step.at - len(content))))
    content[step.at : step.at + len(step.data)] = step.data


def _torn(step: Step, rng: random.Random) -> list[Step]:
    """The sectors of a write that reached the disk."""
    parts = [
        Step("write", step.ending, step.at + n, step.data[n : n + SECTOR]) for n in range(0, len(step.data), SECTOR)
    ]
    return [part for part in parts if rng.random() < 0.5]


def image(steps: list[Step], cut: int, rng: random.Random) -> tuple[dict[str, bytes], int]:
    """The files after a power cut before operation `cut`, and the last acknowledged size.

    What was synchronised is kept. Each later write is kept, dropped or torn at 512 bytes, on its own.
    """
    durable: dict[str, bytearray] = {}
    pending: dict[str, list[Step]] = {}
    acknowledged = 0
    for step in steps[:cut]:
        if step.kind == "ack":
            acknowledged = step.at
        elif step.kind == "sync":
            for earlier in pending.pop(step.ending, []):
                _apply(durable, earlier)
        else:
            pending.setdefault(step.ending, []).append(step)
    chance: list[Callable[[Step], list[Step]]] = [
        lambda step: [step],
        lambda step: [],
        lambda step: _torn(step, rng) if step.kind == "write" else [step],
    ]
    for later in pending.values():
        for step in later:
            for part in rng.choice(chance)(step):
                _apply(durable, part)
    return {ending: bytes(content) for ending, content in durable.items()}, acknowledged


def _apply(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.ending, bytearray())
    if step.kind == "write":
        _write(content, step)
    elif step.kind == "truncate":
        del content[step.at :]
    else:
        files.pop(step.ending)
