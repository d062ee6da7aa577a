"""The hand-over: a directory in the form of C2SP tlog-tiles, with the keys beside it.

Files: ``checkpoint``, ``tile/L/N[.p/W]`` (256 hashes of 32 bytes), ``tile/entries/N[.p/W]`` (16-bit length and
note), ``keys.json`` (a convenience: a verifier learns the keys from the log).
"""

import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from programmer.audit import canon
from programmer.audit.log import AuditLog
from programmer.audit.merkle import ProofMalformed, Tree, leaf_hash, verify_inclusion
from programmer.audit.note import NoteMalformed, b64, parse_checkpoint, parse_note, unb64

WIDTH = 256
_NAME = re.compile(r"tile/(entries|0|[1-9]\d?)/((?:x\d{3}/){0,6}\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)


class ExportExists(Exception):
    """The target folder is not empty: choose a new folder."""


def number_path(number: int) -> str:
    """The tile number in groups of three digits, all but the last with an x: 1234067 is x001/x234/067."""
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.append(f"x{number % 1000:03d}")
    return "/".join(reversed(groups))


def tile_path(level: str, number: int, width: int) -> str:
    """The name of a tile; ``level`` is a number or ``entries``; ``width`` below 256 makes it partial."""
    return f"tile/{level}/{number_path(number)}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> tuple[str, int, int] | None:
    """Level, number and width of a tile name; None when it is none."""
    found = _NAME.fullmatch(path)
    if found is None:
        return None
    level, groups, width = found.groups()
    number = int("".join(part.lstrip("x") for part in groups.split("/")))
    size = WIDTH if width is None else int(width)
    return (level, number, size) if tile_path(level, number, size) == path else None


def bundle(notes: Sequence[bytes]) -> bytes:
    """The content of a tile of entries."""
    return b"".join(len(note).to_bytes(2, "big") + note for note in notes)


def tiles(count: int) -> Iterable[tuple[int, int]]:
    """(number, width) of the tiles that hold ``count`` items."""
    for number in range((count + WIDTH - 1) // WIDTH):
        yield number, min(WIDTH, count - number * WIDTH)


def keys_file(entries: Iterable[Mapping[str, Any]]) -> bytes:
    """``keys.json`` from the parsed entries: device, roots, users in order of enrolment, witnesses."""
    found: dict[str, Any] = {"device": "", "roots": [], "users": [], "witnesses": []}
    for entry in entries:
        body = entry["body"]
        if entry["type"] == "log.genesis":
            found.update(device=body["device"], roots=body["roots"], witnesses=body["witnesses"])
        elif entry["type"] in ("user.enrolled", "user.key_replaced"):
            found["users"].append(json.loads(body["grant"].split("\n", 1)[0])["vkey"])
    return canon.encode(found) + b"\n"


def export_files(notes: Sequence[bytes], checkpoint: bytes, keys: bytes) -> dict[str, bytes]:
    """All files of the export, by path, for these notes and this checkpoint of them."""
    tree = Tree([leaf_hash(note) for note in notes])
    files = {"checkpoint": checkpoint, "keys.json": keys}
    for number, width in tiles(len(notes)):
        first = number * WIDTH
        files[tile_path("entries", number, width)] = bundle(notes[first : first + width])
    level = 0
    while len(notes) >> (8 * level):
        row = tree.level(8 * level)
        for number, width in tiles(len(row)):
            first = number * WIDTH
            files[tile_path(str(level), number, width)] = b"".join(row[first : first + width])
        level += 1
    return files


def export_log(log: AuditLog, checkpoint: bytes | None = None) -> dict[str, bytes]:
    """The export of a whole log; ``checkpoint`` (for example a cosigned one of the same size) replaces the newest."""
    entries = list(log.entries())
    return export_files(
        [entry.note for entry in entries],
        log.checkpoint() if checkpoint is None else checkpoint,
        keys_file(entry.content for entry in entries),
    )


def write_export(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a new or empty folder. Raises ExportExists."""
    if folder.exists() and any(folder.iterdir()):
        raise ExportExists(f"the folder {folder} is not empty: choose a new folder")
    for path, data in files.items():
        target = folder.joinpath(*path.split("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    """Write the files into a new ``.tar``; the same log gives the same bytes. Raises ExportExists."""
    if path.exists():
        raise ExportExists(f"{path} exists already and is not overwritten: choose a new name")
    with tarfile.open(path, "x:", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A ``.tlog-proof``: index, audit path and the checkpoint note that it leads to."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


def proof_file(tree: Tree, index: int, checkpoint: bytes) -> bytes:
    """The proof that entry ``index`` is in the tree of this checkpoint note."""
    size = parse_checkpoint(parse_note(checkpoint).text).size
    rows = ["c2sp.org/tlog-proof@v1", f"index {index}", *map(b64, tree.inclusion(index, size)), "", ""]
    return "\n".join(rows).encode("ascii") + checkpoint


def parse_proof(data: bytes) -> ProofFile:
    """Read a ``.tlog-proof``. Raises ProofMalformed."""
    head, gap, checkpoint = data.partition(b"\n\n")
    try:
        rows = head.decode("ascii").split("\n")
        index = rows[1].removeprefix("index ")
        if rows[0] != "c2sp.org/tlog-proof@v1" or not gap or f"index {int(index)}" != rows[1] or int(index) < 0:
            raise ProofMalformed("the proof has not the form c2sp.org/tlog-proof@v1")
        path = tuple(unb64(row) for row in rows[2:])
        parse_checkpoint(parse_note(checkpoint).text)
    except (ValueError, IndexError, NoteMalformed) as error:
        raise ProofMalformed(f"the proof is not readable: {error}") from None
    return ProofFile(int(index), path, checkpoint)


def check_proof(proof: ProofFile, note: bytes) -> None:
    """Returns when the proof shows the note at its index. Raises ProofMalformed or ProofInvalid.

    Who signed the checkpoint is a separate question.
    """
    kept = parse_checkpoint(parse_note(proof.checkpoint).text)
    verify_inclusion(proof.index, kept.size, leaf_hash(note), proof.path, kept.root)
