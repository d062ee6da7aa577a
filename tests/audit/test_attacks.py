"""Attacks on a log: each is told by its first finding, at its place."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from programmer.audit.findings import Finding, ordered
from programmer.audit.merkle import Tree, leaf_hash
from programmer.audit.note import Line, VKey, cosigned_bytes, parse_note, sign_note
from programmer.audit.strict import L
from programmer.audit.verify import verify_files, verify_notes
from tests.audit.example import TestKey
from tests.audit.forge import (
    DATA,
    DEVICE,
    GENUINE,
    KEYS,
    NOTES,
    PIN,
    checkpoint,
    entries,
    export,
    relink,
    sign,
    sign_text,
    text_of,
    verify,
)

NURSE = KEYS["clinic.example/sim/staff/rn-0031"]
DOCTOR = KEYS["clinic.example/sim/staff/dr-0007"]
ROOT = KEYS["clinic.example/sim/root/1"]
Found = tuple[Finding, ...]


def replaced(place: int, note: bytes) -> list[bytes]:
    return [*NOTES[:place], note, *NOTES[place + 1 :]]


def changed(place: int, **fields: Any) -> dict[str, Any]:
    return {**entries()[place], **fields}


def body(place: int, **fields: Any) -> dict[str, Any]:
    return changed(place, body={**entries()[place]["body"], **fields})


def signature(place: int, alter: Callable[[bytes], bytes]) -> list[bytes]:
    note = parse_note(NOTES[place])
    line = note.lines[0]
    return replaced(place, sign_note(note.text, [(line.name, line.key, lambda _: alter(line.signature))]))


def a01() -> Found:
    return verify(replaced(6, NOTES[6].replace(b'"withdrawn_nl":4600000', b'"withdrawn_nl":4600001')))


def a02() -> Found:
    return verify(signature(6, lambda s: s[:40] + bytes([s[40] ^ 1]) + s[41:]))


def a03() -> Found:
    note = sign_note(NOTES[6].split(b"\n")[0].replace(b"4600000", b"4700000") + b"\n",
                     [(DOCTOR.name, DOCTOR.key_id, DOCTOR.sign)])  # fmt: skip
    return verify(replaced(6, note))


def a04_tiles_too() -> Found:
    return verify(replaced(6, sign(body(6, withdrawn_nl=4_700_000))))


def a04_tiles_left() -> Found:
    files = export(NOTES)
    files["tile/entries/000.p/10"] = export(replaced(6, sign(body(6, withdrawn_nl=4_700_000))))["tile/entries/000.p/10"]
    return verify_files(files, PIN)


def a04_first_checkpoint_beyond() -> Found:
    notes = replaced(6, sign(body(6, withdrawn_nl=4_700_000)))
    kept = [text.encode() for text in DATA["checkpoints"]]
    found = verify_notes(notes, kept, PIN)
    return ordered(found)


def a05() -> Found:
    return verify([*NOTES[:4], *NOTES[5:]])


def a06() -> Found:
    inserted = sign(changed(5, body={**entries()[5]["body"], "battery_mv": 2900}))
    return verify([*NOTES[:5], inserted, *NOTES[5:]])


def a06_replay() -> Found:
    return verify([*NOTES[:6], NOTES[5], *NOTES[6:]])


def a07() -> Found:
    return verify([*NOTES[:5], NOTES[6], NOTES[5], *NOTES[7:]])


def a08() -> Found:
    return verify(replaced(6, sign(changed(6, origin="clinic.example/sim/pumplog/T-0043/1"))))


def a09() -> Found:
    return verify(NOTES[:8])


def a10_seen() -> Found:
    return verify_files(export(NOTES[:8], checkpoint(NOTES, 8)), PIN, [GENUINE])


OTHER = TestKey(DEVICE.name, "device", bytes(range(32)), "")


def other_device() -> TestKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    public = Ed25519PrivateKey.from_private_bytes(OTHER.seed).public_key().public_bytes_raw()
    return TestKey(OTHER.name, "device", OTHER.seed, str(VKey(OTHER.name, 1, public)))


def a13() -> Found:
    return verify(NOTES, checkpoint(NOTES, device=other_device()))


def a14() -> Found:
    device = other_device()
    rows = entries()
    rows[0]["body"]["device"] = device.vkey
    for row in rows:
        if row["actor"]["role"] == "device":
            row["actor"]["key"] = device.key_id
    notes = relink(rows, {**KEYS, device.name: device})
    return verify(notes, checkpoint(notes, device=device))


def a15(text: bytes) -> Callable[[], Found]:
    return lambda: verify(NOTES, text)


ZERO = sign_text(text_of(GENUINE).replace(b"\n10\n", b"\n010\n"), DEVICE)


def a16() -> Found:
    line = DATA["cosigned"]["note"].encode().split(b"\n")[-2]
    return verify(NOTES[:9], checkpoint(NOTES, 9) + line + b"\n")


def a17() -> Found:
    kept = DATA["cosigned"]["note"].encode()
    line = kept.split(b"\n")[-2]
    raw = bytearray(base64.b64decode(line.split(b" ")[-1]))
    raw[11] ^= 1
    return verify(NOTES, kept.replace(line.split(b" ")[-1], base64.b64encode(bytes(raw))))


def granted(vkey: str, role: str, user: str, **term: str) -> str:
    from programmer.identity.users import make_grant

    assert user
    return make_grant(ROOT, vkey=vkey, role=role, **{
        "not_before": "2026-11-01T00:00:00.000000Z", "not_after": "2027-11-01T00:00:00.000000Z", **term,
    })  # fmt: skip


class WeakSigner(TestKey):
    """A name under the identity key, for which one signature verifies for every message."""

    def sign(self, data: bytes) -> bytes:
        return b"\x01" + bytes(63)


def a18() -> Found:
    vkey = VKey(NURSE.name, 1, b"\x01" + bytes(31))
    weak = WeakSigner(NURSE.name, NURSE.role, b"", str(vkey))
    rows = entries()
    rows[2]["body"]["grant"] = granted(str(vkey), "refill-nurse", NURSE.name)
    for row in rows[3:]:
        if row["actor"]["id"] == NURSE.name:
            row["actor"]["key"] = vkey.id
    notes = relink(rows, {**KEYS, NURSE.name: weak})
    return verify(notes, checkpoint(notes))


def a19_s() -> Found:
    def more(s: bytes) -> bytes:
        return s[:32] + (int.from_bytes(s[32:], "little") + L).to_bytes(32, "little")

    return verify(signature(6, more))


def a19_r() -> Found:
    return verify(signature(6, lambda s: b"\xee" + b"\xff" * 30 + b"\x7f" + s[32:]))


def a20_revoked() -> Found:
    rows = entries()
    revoked = {**rows[2], "type": "user.revoked", "actor": rows[2]["actor"],
               "body": {"user": NURSE.name, "key": NURSE.key_id, "reason": "left"},
               "utc": "2026-12-18T09:05:30.000000Z", "boot_us": 842_000_000}  # fmt: skip
    admin = TestKey(DOCTOR.name, "administrator", DOCTOR.seed, DOCTOR.vkey)
    rows[1]["body"]["grant"] = granted(DOCTOR.vkey, "administrator", DOCTOR.name)
    revoked["actor"] = {"id": DOCTOR.name, "key": DOCTOR.key_id, "role": "administrator"}
    rows[4]["second"] = {**rows[4]["second"], "role": "administrator"}
    notes = relink([*rows[:7], revoked, *rows[7:]], {**KEYS, DOCTOR.name: admin})
    return verify(notes, checkpoint(notes), None)


def a20_before() -> Found:
    rows = entries()
    first, session = rows[2], rows[3]
    moved = [rows[0], rows[1], {**session, "boot_us": 572_500_000, "utc": "2026-12-18T09:01:00.500000Z"}, first]
    notes = relink([*moved, *rows[4:]])
    return verify(notes, checkpoint(notes), None)


def a20_outside_dates() -> Found:
    rows = entries()
    rows[2]["body"]["grant"] = granted(NURSE.vkey, "refill-nurse", NURSE.name, not_after="2026-12-18T09:06:00.000000Z")
    notes = relink(rows)
    return verify(notes, checkpoint(notes), None)


def intent(kind: str) -> dict[str, Any]:
    row = entries()[6]
    root = Tree([leaf_hash(note) for note in NOTES[:6]]).root()
    return {**row, "type": "change.intent", "body": {
        "kind": kind, "txid": "00" * 16, "base_epoch": 6, "digest": "11" * 32, "head_size": 6,
        "head": root[:16].hex(), "order": {"alg": "chacha20-poly1305", "ct": "", "kid": "908e40c8", "nonce": ""},
        "order_digest": "22" * 32, "order_sigs": [], "program": {}, "total_24h_ng": 100_000, "findings": [],
        "overrides": [], "library": None, "meaning": "author",
    }}  # fmt: skip


def with_intent(**fields: Any) -> Found:
    rows = entries()
    rows[6] = intent("refill")
    rows[6]["body"].update(fields)
    notes = relink(rows)
    return verify(notes, checkpoint(notes))


def a21() -> Found:
    return with_intent(kind="dose")


def a22() -> Found:
    return verify_linked(7, utc="2026-12-18T08:00:00.000000Z")


def verify_linked(place: int, **fields: Any) -> Found:
    rows = entries()
    rows[place].update(fields)
    notes = relink(rows)
    return verify(notes, checkpoint(notes), None)


def a23(old: bytes, new: bytes) -> Callable[[], Found]:
    text = text_of(NOTES[6])
    assert old in text
    return lambda: verify(replaced(6, sign_text(text.replace(old, new, 1), NURSE)))


def a24_look_alike() -> Found:
    name = NURSE.name.replace("rn", "r\u0578")
    twin = TestKey(name, NURSE.role, NURSE.seed, str(VKey(name, 1, base64.b64decode(NURSE.vkey.split("+", 2)[2])[1:])))
    row = changed(6, actor={"id": name, "key": twin.key_id, "role": NURSE.role})
    return verify(replaced(6, sign(row, {name: twin})))


def a25_field() -> Found:
    return verify(replaced(6, sign(body(6, extra=1))))


def a25_version() -> Found:
    return verify(replaced(6, sign(changed(6, v=2))))


def a26() -> Found:
    notes = [*NOTES, *(b"filler %d" % n for n in range(300))]
    files = export(notes, checkpoint(notes))
    upper = files["tile/1/000.p/1"]
    files["tile/1/000.p/1"] = bytes([upper[0] ^ 1]) + upper[1:]
    found = verify_files(files, PIN)
    return tuple(item for item in found if not item.locus.startswith("idx:"))


def a27() -> Found:
    leaves = [leaf_hash(note) for note in NOTES]
    return verify(replaced(6, leaves[0] + leaves[1]))


def orphan() -> Found:
    rows = entries()
    fields = {"txid": "00" * 16, "verdict": "applied", "receipt": None, "cause": None}
    rows[5] = {**rows[5], "type": "change.outcome", "body": fields}
    notes = relink(rows)
    return verify(notes, checkpoint(notes))


def prev_broken() -> Found:
    notes = replaced(9, sign(changed(9, prev="00" * 32)))
    return verify(notes, checkpoint(notes))


def equivocation() -> Found:
    other = replaced(6, sign(body(6, withdrawn_nl=4_700_000)))
    return ordered(verify_notes(NOTES, [GENUINE, checkpoint(other)], PIN))


def signed_checkpoint_altered() -> Found:
    return verify(NOTES, GENUINE.replace(b"\n10\n", b"\n9\n"))


def other_origin() -> Found:
    return verify(NOTES, checkpoint(NOTES, origin="clinic.example/sim/pumplog/T-0043/1"))


def epoch(parent: Any) -> Found:
    name = DATA["origin"][:-1] + "2"
    vkey = VKey(name, 1, base64.b64decode(DEVICE.vkey.split("+", 2)[2])[1:])
    device = TestKey(name, "device", DEVICE.seed, str(vkey))
    rows = [{**row, "origin": name} for row in entries()]
    rows[0]["body"].update(device=str(vkey), parent=parent)
    for row in rows:
        if row["actor"]["role"] == "device":
            row["actor"] = {"id": name, "key": vkey.id, "role": "device"}
    notes = relink(rows, {**KEYS, name: device})
    return ordered(verify_notes(notes, [checkpoint(notes, device=device, origin=name)]))


def witnessed_earlier() -> Found:
    rows = entries()
    for row in rows:
        row["utc"] = row["utc"].replace("2026-12-18", "2026-12-19")
    notes = relink(rows)
    witness = KEYS["clinic.example/sim/witness/server"]
    kept = checkpoint(notes)
    time = DATA["cosigned"]["time"]
    line = time.to_bytes(8, "big") + witness.sign(cosigned_bytes(time, text_of(kept)))
    return verify(notes, kept + str(Line(witness.name, witness.key_id, line)).encode(), None)


TABLE: tuple[tuple[str, Callable[[], Found], str, str], ...] = (
    ("A01 digit in a body", a01, "ENTRY_SIG_INVALID", "idx:6"),
    ("A02 bit in a signature", a02, "ENTRY_SIG_INVALID", "idx:6"),
    ("A03 signed by another user", a03, "SIGNER_ACTOR_MISMATCH", "idx:6"),
    ("A04 stolen key, tiles too", a04_tiles_too, "ROOT_MISMATCH", "ckpt:10"),
    ("A04 stolen key, tiles left", a04_tiles_left, "LEAF_MISMATCH", "idx:6"),
    ("A04 with all checkpoints", a04_first_checkpoint_beyond, "ROOT_MISMATCH", "ckpt:7"),
    ("A05 entry deleted", a05, "SEQ_GAP", "idx:4"),
    ("A06 entry inserted", a06, "SEQ_DUP", "idx:6"),
    ("A06 entry repeated", a06_replay, "SEQ_REPLAY", "idx:6"),
    ("A07 entries swapped", a07, "SEQ_ORDER", "idx:5"),
    ("A08 another log's entry", a08, "ORIGIN_MISMATCH", "idx:6"),
    ("A09 tail cut", a09, "SIZE_SHORT", "ckpt:10"),
    ("A10 tail cut, checkpoint seen elsewhere", a10_seen, "ROLLBACK", "idx:8"),
    ("A13 self-made device key", a13, "CKPT_SIGNER_UNKNOWN", "ckpt:10"),
    ("A14 device key replaced", a14, "GENESIS_MISMATCH", "idx:0"),
    ("A15 leading zero", a15(ZERO), "NOTE_MALFORMED", "file:checkpoint"),
    ("A15 CRLF", a15(GENUINE.replace(b"\n", b"\r\n")), "NOTE_MALFORMED", "file:checkpoint"),
    ("A15 trailing text", a15(GENUINE + b"more\n"), "NOTE_MALFORMED", "file:checkpoint"),
    ("A15 repeated line", a15(GENUINE + GENUINE.split(b"\n\n")[1]), "NOTE_MALFORMED", "file:checkpoint"),
    ("A16 cosignature moved", a16, "COSIG_INVALID", "witness:clinic.example/sim/witness/server"),
    ("A17 cosignature time", a17, "COSIG_INVALID", "witness:clinic.example/sim/witness/server"),
    ("A18 weak key enrolled", a18, "WEAK_KEY", "idx:2"),
    ("A19 S + L", a19_s, "SIG_NONCANONICAL", "idx:6"),
    ("A19 R not canonical", a19_r, "SIG_NONCANONICAL", "idx:6"),
    ("A20 after revocation", a20_revoked, "KEY_NOT_VALID", "idx:8"),
    ("A20 before enrolment", a20_before, "KEY_NOT_VALID", "idx:2"),
    ("A20 outside its dates", a20_outside_dates, "KEY_NOT_VALID", "idx:7"),
    ("A21 nurse signs a dose", a21, "ROLE_VIOLATION", "idx:6"),
    ("A22 back-dated", a22, "CLOCK_ROLLBACK", "idx:7"),
    ("A23 repeated key", a23(b'"v":1}', b'"v":1,"v":1}'), "NONCANONICAL", "idx:6"),
    ("A23 unsorted", a23(b'"realm":"simulated","second":null', b'"second":null,"realm":"simulated"'),
     "NONCANONICAL", "idx:6"),
    ("A23 float", a23(b"4600000", b"4600000.0"), "NONCANONICAL", "idx:6"),
    ("A23 exponent", a23(b"4600000", b"46e5"), "NONCANONICAL", "idx:6"),
    ("A23 NaN", a23(b"4600000", b"NaN"), "NONCANONICAL", "idx:6"),
    ("A23 escape", a23(b"within", b"\\u0077ithin"), "NONCANONICAL", "idx:6"),
    ("A23 blank", a23(b'"v":1', b'"v": 1'), "NONCANONICAL", "idx:6"),
    ("A23 BOM", a23(b'{"actor"', b'\xef\xbb\xbf{"actor"'), "NONCANONICAL", "idx:6"),
    ("A24 look-alike", a24_look_alike, "UNKNOWN_ACTOR", "idx:6"),
    ("A24 not NFC", a23(b"within", "withi\u0301n".encode()), "NONCANONICAL", "idx:6"),
    ("A25 unknown field", a25_field, "SCHEMA_UNKNOWN", "idx:6"),
    ("A25 newer version", a25_version, "SCHEMA_UNKNOWN", "idx:6"),
    ("A26 upper tile", a26, "TILE_MISMATCH", "tile:1/0"),
    ("A27 interior node as entry", a27, "NOTE_MALFORMED", "idx:6"),
    ("outcome without intent", orphan, "ORPHAN_OUTCOME", "idx:5"),
    ("previous entry of the actor", prev_broken, "ACTOR_PREV_BROKEN", "idx:9"),
    ("two checkpoints of one size", equivocation, "EQUIVOCATION", "ckpt:10"),
    ("altered checkpoint", signed_checkpoint_altered, "CKPT_SIG_INVALID", "ckpt:9"),
    ("another log's checkpoint", other_origin, "ORIGIN_MISMATCH", "ckpt:10"),
    ("checkpoint older than the end", lambda: verify(NOTES, checkpoint(NOTES, 8)), "TAIL_UNCOVERED", "idx:8"),
    ("clinical entry in a simulated log", lambda: verify(replaced(6, sign(changed(6, realm="clinical")))),
     "REALM_MIXED", "idx:6"),
    ("log epoch without parent", lambda: epoch(None), "EPOCH_UNLINKED", "idx:0"),
    ("log epoch with parent", lambda: epoch({"origin": DATA["origin"]}), "EPOCH_DECLARED", "idx:0"),
    ("later than its witness", witnessed_earlier, "CLOCK_FUTURE", "idx:0"),
    ("head of an order", lambda: with_intent(head="00" * 16), "HEAD_MISMATCH", "idx:6"),
    ("clock of a boot", lambda: verify_linked(7, boot_us=1), "MONO_VIOLATION", "idx:7"),
    ("clock ahead", lambda: verify_linked(9, utc="2026-12-18T19:08:20.000000Z"), "CLOCK_JUMP", "idx:9"),
)  # fmt: skip


@pytest.mark.parametrize("attack, code, locus", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_first_finding_is_the_diagnosis(attack: Callable[[], Found], code: str, locus: str) -> None:
    first = attack()[0]
    assert (first.code, first.locus) == (code, locus), first


def test_a_weak_key_is_named_at_its_enrolment_and_wherever_it_signs() -> None:
    found = {(item.code, item.locus) for item in a18()}
    assert {("WEAK_KEY", "idx:2"), ("WEAK_KEY", "idx:3")} <= found


def test_an_intent_in_an_honest_log_is_no_finding() -> None:
    assert [item.code for item in with_intent()] == ["UNWITNESSED"]


def test_the_honest_example_is_clean() -> None:
    assert verify(NOTES, DATA["cosigned"]["note"].encode()) == ()
