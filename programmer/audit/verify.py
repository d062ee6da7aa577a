"""The verifier: given an export, it says what is wrong, with nothing but this package and one Ed25519 library.

Use: ``python -m programmer.audit.verify PATH [--pin HEX] [--seen NOTE ...] [--json]``. PATH is an export folder
or its .tar. Exit code 0 clean, 2 unreadable, 4 findings.
"""

import argparse
import json
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from programmer.audit import check
from programmer.audit.export import WIDTH, keys_file, parse_tile_path, tile_path, tiles
from programmer.audit.findings import Finding, ordered
from programmer.audit.merkle import HASH_SIZE, Tree
from programmer.audit.registry import Registry

CLEAN, UNREADABLE, FOUND = 0, 2, 4
MAX_FILE = 64 * 1024 * 1024
_BESIDE = ("pump/", "proofs/")


class Unreadable(Exception):
    """The path is no export: name the folder that holds ``checkpoint`` and ``tile``."""


def read_files(path: Path) -> dict[str, bytes]:
    """All files of an export folder or .tar by relative path. Raises Unreadable."""
    try:
        if path.is_dir():
            found = {p.relative_to(path).as_posix(): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}
        else:
            found = _read_tar(path)
    except (OSError, tarfile.TarError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from None
    if not any(name == "checkpoint" or name.startswith("tile/") for name in found):
        raise Unreadable(f"{path} is no export: name the folder that holds checkpoint and tile")
    return found


def _read_tar(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.size <= MAX_FILE else None
            if content is not None:
                found[member.name.removeprefix("./")] = content.read()
    return found


def verify_files(files: Mapping[str, bytes], pin: str | None = None, seen: Sequence[bytes] = ()) -> tuple[Finding, ...]:
    """All findings in an export, the diagnosis first. ``pin``: leaf hash of entry 0, hex; ``seen``: checkpoints
    of this log that are kept elsewhere."""
    notes, found = read_bundles(files)
    found += verify_notes(notes, [files["checkpoint"]] if "checkpoint" in files else [], pin, seen)
    if "checkpoint" not in files:
        found.append(Finding("NOTE_MALFORMED", "file:checkpoint", "the file is missing"))
    places = [check.read_place(n, raw)[0] for n, raw in enumerate(notes)]
    count = max(len(notes), claimed(files))
    found += check_tiles(files, [place.leaf for place in places], count)
    found += _check_keys(files, places)
    found += _strangers(files, count)
    return ordered(found)


def verify_notes(
    notes: Sequence[bytes], checkpoints: Sequence[bytes], pin: str | None = None, seen: Sequence[bytes] = ()
) -> list[Finding]:
    """Findings in entries and checkpoints alone, as a store holds them; unordered."""
    found: list[Finding] = []
    places: list[check.Place] = []
    for number, raw in enumerate(notes):
        place, more = check.read_place(number, raw)
        places.append(place)
        found += more
    known = check.readable(places)
    registry = Registry()
    for number, _, entry in known:
        registry.learn(number, entry)
    found += registry.findings
    tree = Tree([place.leaf for place in places])
    if pin is not None and (not places or places[0].leaf.hex() != pin.lower()):
        found.append(Finding("GENESIS_MISMATCH", "idx:0", f"the pinned genesis is {pin.lower()}"))
    origin = known[0][2]["origin"] if known and known[0][0] == 0 else None
    signed: list[check.Signed] = []
    for raw in checkpoints:
        item, more = check.read_checkpoint(raw, origin, registry.device)
        found += more
        signed += [] if item is None else [item]
    found += check.check_names(places, known, signed[0].checkpoint.origin if signed else None)
    found += check.check_sequence(places, known)
    if registry.device is not None:
        found += check.check_signers(known, registry)
    found += check.check_checkpoints(signed, tree)
    elsewhere: list[check.Signed] = []
    for raw in seen:
        item, more = check.read_checkpoint(raw, origin, registry.device, "file:seen")
        found += more
        elsewhere += [] if item is None else [item]
    found += _check_seen(elsewhere, tree)
    found += check.check_witnesses([*signed, *elsewhere], registry.witnesses, known)
    found += check.check_links(places, known, tree)
    found += check.check_clock(known)
    return found


def _check_seen(seen: Sequence[check.Signed], tree: Tree) -> Iterator[Finding]:
    for item in seen:
        size = item.checkpoint.size
        if size > len(tree):
            yield Finding("ROLLBACK", f"idx:{len(tree)}", f"a checkpoint of {size} entries was seen elsewhere")
        elif tree.root(size) != item.checkpoint.root:
            yield Finding("CHECKPOINT_FORK", f"ckpt:{size}", "a checkpoint seen elsewhere had another root")


def read_bundles(files: Mapping[str, bytes]) -> tuple[list[bytes], list[Finding]]:
    """The notes in the tiles of entries, in order."""
    found: list[Finding] = []
    notes: list[bytes] = []
    named = sorted(
        (parsed[1], -parsed[2], path)
        for path in files
        if (parsed := parse_tile_path(path)) is not None and parsed[0] == "entries"
    )
    expected = 0
    for number, minus, path in named:
        if number != expected:
            detail = f"{tile_path('entries', expected, WIDTH)} is missing" if number > expected else f"{path} is spare"
            found.append(Finding("TILE_MALFORMED", f"tile:entries/{min(number, expected)}", detail))
            if number < expected:
                continue
        expected = number + 1 if -minus == WIDTH else 10**9
        items, rest = _split(files[path])
        notes += items
        if rest or len(items) != -minus:
            detail = f"{path} holds {len(items)} entries" + (", and bytes are left over" if rest else "")
            found.append(Finding("TILE_MALFORMED", f"tile:entries/{number}", detail))
    if not named:
        found.append(Finding("TILE_MALFORMED", "tile:entries/0", "no tile of entries is here"))
    return notes, found


def _split(data: bytes) -> tuple[list[bytes], bool]:
    items: list[bytes] = []
    place = 0
    while place + 2 <= len(data):
        size = int.from_bytes(data[place : place + 2], "big")
        if place + 2 + size > len(data):
            break
        items.append(data[place + 2 : place + 2 + size])
        place += 2 + size
    return items, place != len(data)


def claimed(files: Mapping[str, bytes]) -> int:
    """How many entries the names of the tiles of entries speak of."""
    named = [parsed for path in files if (parsed := parse_tile_path(path)) is not None and parsed[0] == "entries"]
    return sum(width for _, _, width in named)


def check_tiles(files: Mapping[str, bytes], leaves: Sequence[bytes], count: int) -> Iterator[Finding]:
    """Tiles of hashes against the entries and against each other. ``count`` entries are due in all."""
    below: list[bytes | None] = [*leaves, *[None] * (count - len(leaves))]
    level = 0
    while below:
        row: list[bytes] = []
        for number, width in tiles(len(below)):
            path, locus = tile_path(str(level), number, width), f"tile:{level}/{number}"
            data, expected = files.get(path), below[number * WIDTH : number * WIDTH + width]
            if data is None or len(data) != width * HASH_SIZE:
                detail = f"{path} is missing" if data is None else f"{path} has {len(data)} bytes"
                yield Finding("TILE_MALFORMED", locus, detail)
                row += [item for item in expected if item is not None]
                continue
            hashes = [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]
            for place, (here, due) in enumerate(zip(hashes, expected, strict=True)):
                if due is None or here == due:
                    continue
                if level:
                    yield Finding("TILE_MISMATCH", locus, f"hash {place} is not the one of the tile below")
                else:
                    yield Finding("LEAF_MISMATCH", f"idx:{number * WIDTH + place}", f"{path} has another hash")
            row += hashes
        below = list(Tree(row).level(8)) if len(row) == len(below) else []
        level += 1


def _check_keys(files: Mapping[str, bytes], places: Sequence[check.Place]) -> Iterator[Finding]:
    data = files.get("keys.json")
    if data is None:
        yield Finding("PROVENANCE_MISMATCH", "file:keys.json", "the file is missing")
        return
    try:
        due = keys_file(place.entry for place in places if place.entry is not None)
    except (ValueError, KeyError, TypeError, RecursionError):
        due = b""
    if data != due:
        yield Finding("PROVENANCE_MISMATCH", "file:keys.json", "the keys are not those of the log")


def _strangers(files: Mapping[str, bytes], count: int) -> Iterator[Finding]:
    due = {"checkpoint", "keys.json", "policy"}
    due |= {tile_path("entries", *item) for item in tiles(count)}
    level, left = 0, count
    while left:
        due |= {tile_path(str(level), *item) for item in tiles(left)}
        level, left = level + 1, left >> 8
    for path in files:
        if path not in due and not path.startswith(_BESIDE):
            yield Finding("PROVENANCE_MISMATCH", f"file:{path}", "the file does not belong to this export")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="programmer.audit.verify", description="Verify an exported audit log.")
    parser.add_argument("path", type=Path, help="export folder or its .tar")
    parser.add_argument("--pin", metavar="HEX", help="leaf hash of entry 0, from paper")
    parser.add_argument("--seen", metavar="NOTE", type=Path, nargs="*", default=[], help="checkpoints kept elsewhere")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    chosen = parser.parse_args(arguments)
    if chosen.pin is not None and re.fullmatch(r"[0-9a-f]{64}", chosen.pin) is None:
        print("--pin takes the 64 hex digits of the first entry, as on paper", file=sys.stderr)
        return UNREADABLE
    try:
        files = read_files(chosen.path)
        seen = [path.read_bytes() for path in chosen.seen]
    except (Unreadable, OSError) as error:
        print(error, file=sys.stderr)
        return UNREADABLE
    found = verify_files(files, chosen.pin, seen)
    if chosen.json:
        rows = [{"code": f.code, "detail": f.detail, "locus": f.locus} for f in found]
        print(json.dumps({"findings": rows}, indent=1))
    else:
        for finding in found:
            print(finding)
        if all(finding.notice for finding in found):
            print("CLEAN: every entry, signature, hash and checkpoint in this export holds.")
    return CLEAN if all(finding.notice for finding in found) else FOUND


if __name__ == "__main__":
    sys.exit(main())
