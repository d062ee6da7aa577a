"""Tools of a forger: entries altered and signed again with whatever keys he holds."""

from collections.abc import Mapping, Sequence
from typing import Any

from programmer.audit import canon
from programmer.audit.export import export_files, keys_file
from programmer.audit.findings import Finding
from programmer.audit.merkle import Tree, leaf_hash
from programmer.audit.note import Checkpoint, parse_note, sign_note
from programmer.audit.verify import verify_files
from tests.audit.example import TestKey, example, keys, texts

DATA = example()
KEYS = keys(DATA)
DEVICE = KEYS[DATA["origin"]]
NOTES: tuple[bytes, ...] = tuple(row["note"].encode() for row in DATA["entries"])
PIN: str = DATA["entries"][0]["leaf"]


def entries() -> list[dict[str, Any]]:
    """Fresh copies of the example's entries."""
    return texts(DATA)


def signers(entry: Mapping[str, Any], held: Mapping[str, TestKey]) -> list[tuple[str, str, Any]]:
    """The lines that the entry's persons would write."""
    people = [held[p["id"]] for p in (entry["actor"], entry["second"]) if p is not None]
    return [(p.name, p.key_id, p.sign) for p in people]


def sign(entry: Mapping[str, Any], held: Mapping[str, TestKey] = KEYS) -> bytes:
    """The note of an entry, validly signed."""
    return sign_note(canon.encode(dict(entry)) + b"\n", signers(entry, held))


def sign_text(text: bytes, by: TestKey) -> bytes:
    """Any text with one line of a key."""
    return sign_note(text, [(by.name, by.key_id, by.sign)])


def relink(rows: Sequence[dict[str, Any]], held: Mapping[str, TestKey] = KEYS) -> list[bytes]:
    """All entries renumbered, linked and signed again."""
    notes: list[bytes] = []
    prev: dict[str, str] = {}
    for idx, row in enumerate(rows):
        actor = row["actor"]["id"]
        notes.append(sign({**row, "idx": idx, "prev": prev.get(actor)}, held))
        prev[actor] = leaf_hash(notes[-1]).hex()
    return notes


def checkpoint(notes: Sequence[bytes], size: int | None = None, device: TestKey = DEVICE, origin: str = "") -> bytes:
    """A device-signed checkpoint of the first ``size`` notes."""
    size = len(notes) if size is None else size
    root = Tree([leaf_hash(note) for note in notes]).root(size)
    return sign_text(Checkpoint(origin or DATA["origin"], size, root).text(), device)


GENUINE = checkpoint(NOTES)


def export(notes: Sequence[bytes], kept: bytes = GENUINE) -> dict[str, bytes]:
    """An export whose tiles agree with the notes."""
    return export_files(notes, kept, keys_file(entries()))


def verify(notes: Sequence[bytes], kept: bytes = GENUINE, pin: str | None = PIN) -> tuple[Finding, ...]:
    """The findings in such an export."""
    return verify_files(export(notes, kept), pin)


def text_of(note: bytes) -> bytes:
    """The signed text."""
    return parse_note(note).text
