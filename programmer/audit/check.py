"""The rules of the verifier over entries and checkpoints: pure functions from bytes to findings."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from programmer.audit import canon
from programmer.audit.entries import MAY_FOLLOW, RoleError, SchemaError, check_entry, check_role
from programmer.audit.findings import Finding
from programmer.audit.merkle import Tree, leaf_hash
from programmer.audit.note import (
    Checkpoint,
    Line,
    Note,
    NoteMalformed,
    VKey,
    parse_checkpoint,
    parse_note,
    signature_verdict,
)
from programmer.audit.registry import Registry
from programmer.audit.strict import Verdict

STEP_US = 2_000_000
DRIFT_PPM = 200
AHEAD_S = 120

_VERDICTS = {
    Verdict.WEAK_KEY: "WEAK_KEY",
    Verdict.NONCANONICAL: "SIG_NONCANONICAL",
    Verdict.INVALID: "ENTRY_SIG_INVALID",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What stands at one place: exact bytes, leaf hash, note and entry where they are readable."""

    raw: bytes
    leaf: bytes
    note: Note | None = None
    entry: Mapping[str, Any] | None = None


def read_place(place: int, raw: bytes) -> tuple[Place, list[Finding]]:
    """Read one entry; an unreadable one is not guessed at."""
    leaf, locus = leaf_hash(raw), f"idx:{place}"
    try:
        note = parse_note(raw)
        if note.text.count(b"\n") != 1:
            raise NoteMalformed("an entry is one line")
    except NoteMalformed as error:
        return Place(raw, leaf), [Finding("NOTE_MALFORMED", locus, str(error))]
    try:
        entry = canon.decode(note.text[:-1])
    except canon.NonCanonical as error:
        return Place(raw, leaf, note), [Finding("NONCANONICAL", locus, str(error))]
    try:
        check_entry(entry)
    except SchemaError as error:
        return Place(raw, leaf, note), [Finding("SCHEMA_UNKNOWN", locus, str(error))]
    return Place(raw, leaf, note, entry), []


Known = Sequence[tuple[int, Note, Mapping[str, Any]]]


def readable(places: Sequence[Place]) -> Known:
    """The places whose entry is readable, as (place, note, entry)."""
    return [(n, p.note, p.entry) for n, p in enumerate(places) if p.note is not None and p.entry is not None]


def check_names(places: Sequence[Place], known: Known, checkpoint_origin: str | None) -> Iterator[Finding]:
    """Genesis, origin, realm and log epoch."""
    if not known:
        return
    first = known[0][2]
    genesis = first if known[0][0] == 0 and first["type"] == "log.genesis" else None
    if genesis is None and known[0][0] == 0:
        yield Finding("GENESIS_MISMATCH", "idx:0", "entry 0 is not a genesis")
    origin = genesis["origin"] if genesis else checkpoint_origin or first["origin"]
    for place, _, entry in known:
        if entry["origin"] != origin:
            yield Finding("ORIGIN_MISMATCH", f"idx:{place}", f"the entry says {entry['origin']}")
        if entry["realm"] != first["realm"]:
            yield Finding("REALM_MIXED", f"idx:{place}", f"the entry says {entry['realm']}")
        if place and entry["type"] == "log.genesis":
            yield Finding("GENESIS_MISMATCH", f"idx:{place}", "a genesis stands inside the log")
    epoch = origin.rsplit("/", 1)[-1]
    if genesis and epoch.isascii() and epoch.isdigit() and int(epoch) > 1:
        if genesis["body"]["parent"] is None:
            yield Finding("EPOCH_UNLINKED", "idx:0", f"log epoch {epoch} names no parent")
        else:
            yield Finding("EPOCH_DECLARED", "idx:0", f"log epoch {epoch} continues another log")


def check_sequence(places: Sequence[Place], known: Known) -> Iterator[Finding]:
    """The first place whose index is too high, and the first whose index is too low."""
    last = {entry["idx"]: place for place, _, entry in known}
    for place, _, entry in known:
        if entry["idx"] > place:
            later = last.get(place, -1) > place
            code = "SEQ_ORDER" if later else "SEQ_GAP"
            yield Finding(code, f"idx:{place}", f"entry {entry['idx']} stands at place {place}")
            break
    for place, _, entry in known:
        idx = entry["idx"]
        if idx < place:
            same = idx != place and places[idx].raw == places[place].raw
            code = "SEQ_REPLAY" if same else "SEQ_DUP"
            yield Finding(code, f"idx:{place}", f"index {idx} stands at place {place}")
            break


def check_signers(known: Known, registry: Registry) -> Iterator[Finding]:
    """Persons, lines, signatures, terms and roles of every readable entry."""
    for place, note, entry in known:
        locus = f"idx:{place}"
        persons = [person for person in (entry["actor"], entry["second"]) if person is not None]
        if [(line.name, line.key) for line in note.lines] != [(p["id"], p["key"]) for p in persons]:
            yield Finding("SIGNER_ACTOR_MISMATCH", locus, "signed by " + ", ".join(x.name for x in note.lines))
            lines: list[Line | None] = [None] * len(persons)
        else:
            lines = list(note.lines)
        for person, line in zip(persons, lines, strict=True):
            yield from _check_person(place, note, entry, person, line, registry)
        try:
            check_role(entry)
        except RoleError as error:
            yield Finding("ROLE_VIOLATION", locus, str(error))


def _check_person(
    place: int, note: Note, entry: Mapping[str, Any], person: Mapping[str, str], line: Line | None, registry: Registry
) -> Iterator[Finding]:
    locus, device = f"idx:{place}", registry.device
    if device is not None and (person["id"], person["key"]) == (device.name, device.id):
        vkey, role = device, "device"
    else:
        grants = registry.find(person["id"], person["key"])
        if (person["id"], person["key"]) in registry.weak:
            yield Finding("WEAK_KEY", locus, f"{person['id']} signs with a weak key")
            return
        if not grants:
            yield Finding("UNKNOWN_ACTOR", locus, f"{person['id']} with key {person['key']}")
            return
        grant = next((g for g in grants if g.first < place and (g.end is None or place <= g.end)), None)
        vkey, role = grants[0].vkey, grants[0].role
        if grant is None:
            yield Finding("KEY_NOT_VALID", locus, f"{person['id']} was not enrolled at this entry")
        else:
            vkey, role = grant.vkey, grant.role
            if not grant.not_before <= entry["utc"] < grant.not_after:
                yield Finding("KEY_NOT_VALID", locus, f"{person['id']} may sign from {grant.not_before} on only")
    if role != person["role"]:
        yield Finding("ROLE_VIOLATION", locus, f"{person['id']} is {role}, not {person['role']}")
    if line is not None:
        verdict = signature_verdict(vkey, line, note.text)
        if verdict is not Verdict.GOOD:
            yield Finding(_VERDICTS[verdict], locus, f"line of {person['id']}: {verdict.value}")


def check_links(places: Sequence[Place], known: Known, tree: Tree) -> Iterator[Finding]:
    """Previous entry of each actor, heads of orders, outcomes and their intents."""
    prev: dict[str, str] = {}
    intents: set[str] = set()
    whole = len(known) == len(places)
    for place, _, entry in known:
        locus, actor, body = f"idx:{place}", entry["actor"]["id"], entry["body"]
        expected = prev.get(actor)
        if entry["prev"] != expected and (whole or expected is not None):
            yield Finding("ACTOR_PREV_BROKEN", locus, f"the previous entry of {actor} is {expected}")
        prev[actor] = places[place].leaf.hex()
        if entry["type"] == "change.intent":
            intents.add(body["txid"])
            size = body["head_size"]
            if size > place or tree.root(size)[:16].hex() != body["head"]:
                yield Finding("HEAD_MISMATCH", locus, f"the head of {size} entries is another one")
        name = MAY_FOLLOW.get(entry["type"])
        if name is not None and body[name] not in intents:
            yield Finding("ORPHAN_OUTCOME", locus, f"no intent {body[name]} stands before it")


def microseconds(utc: str) -> int:
    """Microseconds since 1970 of ``YYYY-MM-DDTHH:MM:SS.ffffffZ``. Raises ValueError for a day that is none."""
    moment = datetime.strptime(utc, "%Y-%m-%dT%H:%M:%S.%fZ")
    span = moment - datetime(1970, 1, 1)
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def check_clock(known: Known) -> Iterator[Finding]:
    """Boot clock rising, wall clock in step with it, steps declared."""
    boots: set[str] = set()
    before: tuple[str, int, int] | None = None
    for place, _, entry in known:
        locus, boot, boot_us = f"idx:{place}", entry["boot"], entry["boot_us"]
        try:
            utc = microseconds(entry["utc"])
        except ValueError:
            yield Finding("SCHEMA_UNKNOWN", locus, "utc is no moment of the calendar")
            continue
        if before is not None and before[0] == boot:
            passed = boot_us - before[2]
            if passed <= 0:
                yield Finding("MONO_VIOLATION", locus, "boot_us does not rise")
            off = utc - before[1] - passed
            if abs(off) > STEP_US + abs(passed) * DRIFT_PPM // 1_000_000:
                yield _step(entry, locus, off)
        else:
            if boot in boots:
                yield Finding("MONO_VIOLATION", locus, "a boot id comes back")
            if before is not None and utc < before[1]:
                yield _step(entry, locus, utc - before[1])
        boots.add(boot)
        before = (boot, utc, boot_us)


def _step(entry: Mapping[str, Any], locus: str, off: int) -> Finding:
    code = "CLOCK_STEP" if entry["type"] == "clock.step" else "CLOCK_ROLLBACK" if off < 0 else "CLOCK_JUMP"
    return Finding(code, locus, f"the clock moved by {off} microseconds against the boot clock")


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that the device has signed, and its note."""

    checkpoint: Checkpoint
    note: Note


def read_checkpoint(
    raw: bytes, origin: str | None, device: VKey | None, where: str = "file:checkpoint"
) -> tuple[Signed | None, list[Finding]]:
    """Read one checkpoint note of this log; without its device's good line it is not used further."""
    try:
        note = parse_note(raw)
        kept = parse_checkpoint(note.text)
    except NoteMalformed as error:
        return None, [Finding("NOTE_MALFORMED", where, str(error))]
    locus = f"ckpt:{kept.size}"
    if origin is not None and kept.origin != origin:
        return None, [Finding("ORIGIN_MISMATCH", locus, f"the checkpoint says {kept.origin}")]
    if device is None:
        return Signed(kept, note), []
    line = next((x for x in note.lines if (x.name, x.key) == (device.name, device.id)), None)
    if line is None:
        return None, [Finding("CKPT_SIGNER_UNKNOWN", locus, f"no line of {device.name}")]
    if signature_verdict(device, line, note.text) is not Verdict.GOOD:
        return None, [Finding("CKPT_SIG_INVALID", locus, f"the line of {device.name} does not verify")]
    return Signed(kept, note), []


def check_checkpoints(signed: Sequence[Signed], tree: Tree) -> Iterator[Finding]:
    """Sizes and roots against the entries."""
    roots: dict[int, set[bytes]] = {}
    for item in signed:
        roots.setdefault(item.checkpoint.size, set()).add(item.checkpoint.root)
    for size in sorted(roots):
        if len(roots[size]) > 1:
            yield Finding("EQUIVOCATION", f"ckpt:{size}", "two roots are signed for this size")
        elif size > len(tree):
            yield Finding("SIZE_SHORT", f"ckpt:{size}", f"{len(tree)} entries are here")
        elif tree.root(size) not in roots[size]:
            yield Finding("ROOT_MISMATCH", f"ckpt:{size}", "the entries have another root")
    newest = max(roots, default=None)
    if newest is not None and newest < len(tree):
        yield Finding("TAIL_UNCOVERED", f"idx:{newest}", f"{len(tree) - newest} entries beyond the checkpoint")


def check_witnesses(signed: Iterable[Signed], witnesses: Sequence[VKey], known: Known) -> Iterator[Finding]:
    """Lines of listed witnesses; whether anybody else has seen the log; entries later than that."""
    good = 0
    listed = {(w.name, w.id): w for w in witnesses}
    for item in signed:
        for line in item.note.lines:
            witness = listed.get((line.name, line.key))
            if witness is None:
                continue
            if signature_verdict(witness, line, item.note.text) is not Verdict.GOOD:
                yield Finding("COSIG_INVALID", f"witness:{line.name}", f"on the checkpoint of {item.checkpoint.size}")
                continue
            good += 1
            limit = (int.from_bytes(line.signature[:8], "big") + AHEAD_S) * 1_000_000
            for place, _, entry in known:
                if place < item.checkpoint.size and _later(entry["utc"], limit):
                    yield Finding("CLOCK_FUTURE", f"idx:{place}", f"{line.name} had seen it before")
                    break
    if not good:
        yield Finding("UNWITNESSED", "quorum", "no line of a witness is here")


def _later(utc: str, limit: int) -> bool:
    try:
        return microseconds(utc) > limit
    except ValueError:
        return False
