"""The log: drafts become signed entries, and entry, frontier and checkpoint become durable in one transaction.

The store, the keys and the clock are ports. Whatever fails before the store has answered leaves the log as it
was. Source: RFC 6962 tree, C2SP signed notes and checkpoints.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from programmer.audit import canon
from programmer.audit.entries import VERSION, check_entry, check_role
from programmer.audit.merkle import Tree, frontier_append, frontier_root, leaf_hash
from programmer.audit.note import MAX_NOTE, Checkpoint, NoteMalformed, parse_checkpoint, parse_note, sign_note
from programmer.audit.sealed import Seal, seal_all


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands: number of entries, frontier (largest subtree first), device-signed checkpoint note."""

    size: int
    frontier: tuple[bytes, ...]
    checkpoint: bytes


class LogStore(Protocol):
    """Where entries are kept."""

    def head(self) -> Head | None:
        """The durable head, or None for an empty store."""
        ...

    def append(self, notes: Sequence[bytes], head: Head) -> None:
        """Make notes and head durable in ONE transaction; the first note has index head.size - len(notes)."""
        ...

    def notes(self, first: int, last: int) -> Iterator[bytes]:
        """The notes with first <= index < last, in order."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """The kept checkpoints as (size, note), sizes rising."""
        ...


class Signer(Protocol):
    """A key that signs: name, key id (8 hex digits), verifier key, role."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def vkey(self) -> str: ...
    @property
    def role(self) -> str: ...
    def sign(self, data: bytes) -> bytes:
        """The 64-byte Ed25519 signature over ``data``."""
        ...


@dataclass(frozen=True, slots=True)
class Stamp:
    """The time of an entry: UTC text with six digits and Z, boot id (32 hex digits), microseconds since boot."""

    utc: str
    boot: str
    boot_us: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has an index. A body value may be a Seal, which ``append`` seals."""

    type: str
    body: dict[str, Any]
    actor: Signer
    second: Signer | None = None
    patient: str | None = None
    pump: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Appended:
    """Index and leaf hash of a durable entry."""

    idx: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored entry: index, exact bytes, leaf hash, parsed text (read only)."""

    idx: int
    note: bytes
    leaf: bytes
    content: Mapping[str, Any]

    @property
    def type(self) -> str:
        """The entry type."""
        return str(self.content["type"])

    @property
    def body(self) -> Mapping[str, Any]:
        """The body."""
        body: Mapping[str, Any] = self.content["body"]
        return body


class LogError(Exception):
    """Base of this module's errors."""


class LogNotCreated(LogError):
    """The log has no genesis yet: set up the tablet first."""


class LogExists(LogError):
    """The store already holds a log: open it, or set up in an empty folder."""


class LogDamaged(LogError):
    """Stored entries and checkpoint disagree: run the verifier, then restore a backup as a new log epoch."""


class ClockWentBack(LogError):
    """The clock of this boot ran backwards: restart the tablet, then declare the step of the clock."""


class EntryTooLong(LogError):
    """An entry would have more than 16,384 bytes: shorten its text, or split it."""


class AuditLog:
    """The one writer of one log. Not thread-safe: one writer holds it under the store's process lock."""

    def __init__(
        self,
        store: LogStore,
        *,
        origin: str,
        realm: str,
        device: Signer,
        stamp: Callable[[], Stamp],
        policy: str,
        software: str,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        """Opens what the store holds. Raises LogDamaged when entries and checkpoint disagree."""
        self._store, self._device, self._stamp, self._random = store, device, stamp, random
        self._origin, self._realm, self._policy, self._software = origin, realm, policy, software
        self._tree = Tree()
        self._prev: dict[str, str] = {}
        self._last: Stamp | None = None
        head = store.head()
        if head is not None:
            self._load(head)

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._origin

    @property
    def size(self) -> int:
        """Number of durable entries."""
        return len(self._tree)

    def root(self) -> bytes:
        """The root of all entries."""
        return self._tree.root()

    def root_at(self, size: int) -> bytes:
        """The root of the first ``size`` entries; the head of an order is its first 16 bytes."""
        return self._tree.root(size)

    def tree(self) -> Tree:
        """The tree, for proofs and tiles (read only)."""
        return self._tree

    def checkpoint(self) -> bytes:
        """The newest device-signed checkpoint note. Raises LogNotCreated."""
        head = self._store.head()
        if head is None:
            raise LogNotCreated("the log has no genesis yet: set up the tablet first")
        return head.checkpoint

    def entries(self, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """The entries with first <= idx < last (default: to the end)."""
        last = self.size if last is None else last
        for idx, raw in enumerate(self._store.notes(first, last), first):
            yield Entry(idx, raw, self._tree.leaf(idx), canon.decode(parse_note(raw).text[:-1]))

    def create(
        self,
        roots: Sequence[str],
        witnesses: Sequence[str],
        quorum: int,
        reason: str,
        *,
        parent: Mapping[str, Any] | None = None,
        gap: Sequence[int] | None = None,
    ) -> Appended:
        """Write the genesis: clinic roots and witnesses as vkeys, how many witnesses are due. Raises LogExists."""
        if self.size:
            raise LogExists("the store already holds a log: open it, or set up in an empty folder")
        body: dict[str, Any] = {
            "device": self._device.vkey, "gap": None if gap is None else list(gap),
            "parent": None if parent is None else dict(parent), "quorum": quorum, "reason": reason,
            "roots": list(roots), "schema": 1, "witnesses": list(witnesses),
        }  # fmt: skip
        return self._write((Draft("log.genesis", body, self._device),))[0]

    def append(self, *drafts: Draft) -> tuple[Appended, ...]:
        """Sign and store the drafts in one transaction; returns when they are durable.

        Raises SchemaError, RoleError or NonCanonical for a draft that no verifier would take, EntryTooLong,
        ClockWentBack, or what the store raises; then nothing was written.
        """
        if not self.size:
            raise LogNotCreated("the log has no genesis yet: set up the tablet first")
        return self._write(drafts)

    def _write(self, drafts: Sequence[Draft]) -> tuple[Appended, ...]:
        notes: list[bytes] = []
        done: list[Appended] = []
        prev, last = dict(self._prev), self._last
        tree_frontier, size = self._tree.frontier(), self.size
        for draft in drafts:
            last = self._now(last)
            raw = self._note(draft, size + len(done), prev.get(draft.actor.name), last)
            leaf = leaf_hash(raw)
            prev[draft.actor.name] = leaf.hex()
            notes.append(raw)
            done.append(Appended(size + len(done), leaf))
        if not notes:
            return ()
        frontier = _grow(tree_frontier, size, done)
        head = Head(size + len(done), frontier, self._checkpoint_note(size + len(done), frontier))
        self._store.append(notes, head)
        for item in done:
            self._tree.append(item.leaf)
        self._prev, self._last = prev, last
        return tuple(done)

    def _note(self, draft: Draft, idx: int, prev: str | None, stamp: Stamp) -> bytes:
        signers = (draft.actor,) if draft.second is None else (draft.actor, draft.second)
        entry = {
            "actor": _person(draft.actor), "body": seal_all(draft.body, self._origin, idx, self._random),
            "boot": stamp.boot, "boot_us": stamp.boot_us, "idx": idx, "origin": self._origin,
            "patient": draft.patient, "policy": self._policy, "prev": prev, "pump": draft.pump,
            "realm": self._realm, "second": None if draft.second is None else _person(draft.second),
            "software": self._software, "type": draft.type, "utc": stamp.utc, "v": VERSION,
        }  # fmt: skip
        check_entry(entry)
        check_role(entry)
        raw = sign_note(canon.encode(entry) + b"\n", ((s.name, s.key_id, s.sign) for s in signers))
        if len(raw) > MAX_NOTE:
            raise EntryTooLong(f"the entry {draft.type} has {len(raw)} bytes: shorten its text, or split it")
        return raw

    def _now(self, last: Stamp | None) -> Stamp:
        """The next stamp: within one boot the microseconds rise strictly, so equal readings are counted on by one."""
        stamp = self._stamp()
        if last is None or stamp.boot != last.boot or stamp.boot_us > last.boot_us:
            return stamp
        if stamp.boot_us < last.boot_us - 1000:
            raise ClockWentBack("the clock of this boot ran backwards: restart the tablet")
        return Stamp(stamp.utc, stamp.boot, last.boot_us + 1)

    def _checkpoint_note(self, size: int, frontier: tuple[bytes, ...]) -> bytes:
        text = Checkpoint(self._origin, size, frontier_root(frontier)).text()
        return sign_note(text, ((self._device.name, self._device.key_id, self._device.sign),))

    def _load(self, head: Head) -> None:
        try:
            for idx, raw in enumerate(self._store.notes(0, head.size)):
                entry = canon.decode(parse_note(raw).text[:-1])
                if entry["idx"] != idx or entry["origin"] != self._origin:
                    raise LogDamaged(f"entry {idx} is not the one of this log: run the verifier")
                leaf = leaf_hash(raw)
                self._tree.append(leaf)
                self._prev[entry["actor"]["id"]] = leaf.hex()
                self._last = Stamp(entry["utc"], entry["boot"], entry["boot_us"])
            kept = parse_checkpoint(parse_note(head.checkpoint).text)
        except (ValueError, KeyError, TypeError) as error:
            raise LogDamaged(f"a stored entry is not readable ({error}): run the verifier") from error
        if kept != Checkpoint(self._origin, head.size, self._tree.root()) or len(self._tree) != head.size:
            raise LogDamaged("stored entries and checkpoint disagree: run the verifier")


def _person(signer: Signer) -> dict[str, str]:
    return {"id": signer.name, "key": signer.key_id, "role": signer.role}


def _grow(frontier: tuple[bytes, ...], size: int, done: Sequence[Appended]) -> tuple[bytes, ...]:
    for item in done:
        frontier = frontier_append(frontier, size, item.leaf)
        size += 1
    return frontier


class MemoryLogStore:
    """A LogStore in memory; keeps every checkpoint."""

    def __init__(self) -> None:
        self._notes: list[bytes] = []
        self._heads: list[Head] = []

    def head(self) -> Head | None:
        """The newest head, or None."""
        return self._heads[-1] if self._heads else None

    def append(self, notes: Sequence[bytes], head: Head) -> None:
        """Keep notes and head."""
        if head.size != len(self._notes) + len(notes):
            raise LogDamaged("the head does not fit the entries: somebody else wrote to this log")
        self._notes.extend(notes)
        self._heads.append(head)

    def notes(self, first: int, last: int) -> Iterator[bytes]:
        """The notes of the half-open range."""
        return iter(self._notes[first:last])

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """All checkpoints."""
        return iter([(head.size, head.checkpoint) for head in self._heads])


__all__ = [
    "Appended", "AuditLog", "ClockWentBack", "Draft", "Entry", "EntryTooLong", "Head", "LogDamaged", "LogError",
    "LogExists", "LogNotCreated", "LogStore", "MemoryLogStore", "NoteMalformed", "Seal", "Signer", "Stamp",
]  # fmt: skip
