"""Notes, keys, checkpoints, cosignatures and proofs of the shared vectors, one by one."""

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from programmer.audit.check import read_checkpoint
from programmer.audit.export import check_proof, parse_proof, proof_file
from programmer.audit.merkle import ProofInvalid, ProofMalformed, verify_consistency, verify_inclusion
from programmer.audit.note import (
    BadSignature,
    NoteMalformed,
    VKeyMalformed,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    signature_verdict,
    strong_vkey,
    verified_by,
)
from programmer.audit.strict import LOW_ORDER, Verdict, WeakKey, check_key, verify
from tests.audit.example import example, rebuild
from tests.vectors import vectors

NOTES = vectors("audit/note_examples.json")
MERKLE = vectors("audit/merkle_vectors.json")
RFC8032 = vectors("audit/rfc8032_ed25519.json")["tests"]
LOW = vectors("ed25519/low_order_public_keys.json")["keys"]


def _raw(row: dict[str, Any]) -> bytes:
    return base64.b64decode(row["note_base64"]) if "note_base64" in row else row["note"].encode()


@pytest.mark.parametrize("row", NOTES["notes"], ids=lambda row: row["id"])
def test_a_note_is_read_as_the_table_says(row: dict[str, Any]) -> None:
    vkeys = [parse_vkey(text) for text in row["vkeys"]]
    try:
        names = [vkey.name for vkey in verified_by(parse_note(_raw(row)), vkeys)]
        said = "verified" if names else "unverified"
    except NoteMalformed:
        said, names = "malformed", []
    except BadSignature:
        said, names = "bad-signature", []
    assert (said, names) == (row["expect"], row.get("verified", []))


@pytest.mark.parametrize("row", NOTES["vkeys"], ids=lambda row: row["vkey"])
def test_a_verifier_key_is_taken_or_refused(row: dict[str, Any]) -> None:
    if row["valid"]:
        vkey = parse_vkey(row["vkey"])
        assert (str(vkey), vkey.kind) == (row["vkey"], row.get("type", 1))
    else:
        with pytest.raises(VKeyMalformed):
            parse_vkey(row["vkey"])


@pytest.mark.parametrize("row", NOTES["checkpoints"], ids=lambda row: row["id"])
def test_a_checkpoint_is_read_as_the_table_says(row: dict[str, Any]) -> None:
    found = read_checkpoint(_raw(row), NOTES["origin"], parse_vkey(NOTES["device"]))[1]
    said = {
        "NOTE_MALFORMED": "malformed", "ORIGIN_MISMATCH": "wrong-origin", "CKPT_SIGNER_UNKNOWN": "unknown-signer",
        "CKPT_SIG_INVALID": "bad-signature",
    }  # fmt: skip
    assert [said[finding.code] for finding in found] == ([] if row["expect"] == "ok" else [row["expect"]])


@pytest.mark.parametrize("row", NOTES["cosignatures"], ids=lambda row: row["id"])
def test_a_cosignature_is_read_as_the_table_says(row: dict[str, Any]) -> None:
    witness, note = parse_vkey(NOTES["witness"]), parse_note(_raw(row))
    lines = [line for line in note.lines if (line.name, line.key) == (witness.name, witness.id)]
    if row["expect"] == "ignored":
        assert not lines
        return
    good = signature_verdict(witness, lines[0], note.text) is Verdict.GOOD
    assert good == (row["expect"] == "ok")
    if good:
        assert int.from_bytes(lines[0].signature[:8], "big") == row["time"]


@pytest.mark.parametrize("row", NOTES["proofs"], ids=lambda row: row["id"])
def test_a_proof_file_is_read_as_the_table_says(row: dict[str, Any]) -> None:
    note = example()["entries"][row["entry"]]["note"].encode()
    try:
        check_proof(parse_proof(row["proof"].encode()), note)
        said = "ok"
    except ProofMalformed:
        said = "malformed"
    except ProofInvalid:
        said = "invalid"
    assert said == row["expect"]


def test_a_good_proof_file_is_written_byte_for_byte() -> None:
    row = next(row for row in NOTES["proofs"] if row["id"] == "good")
    proof = parse_proof(row["proof"].encode())
    assert proof_file(rebuild(example())[0].tree(), proof.index, proof.checkpoint) == row["proof"].encode()


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("row", MERKLE["inclusion"])
def test_inclusion_proofs(row: dict[str, Any]) -> None:
    proof = [_hash(item) for item in row["proof"]]
    case = (row["leafIdx"], row["treeSize"], _hash(row["leafHash"]), proof, _hash(row["root"]))
    if row["wantErr"]:
        with pytest.raises((ProofMalformed, ProofInvalid)):
            verify_inclusion(*case)
    else:
        verify_inclusion(*case)


@pytest.mark.parametrize("row", MERKLE["consistency"])
def test_consistency_proofs(row: dict[str, Any]) -> None:
    proof = [_hash(item) for item in row["proof"]]
    case = (row["size1"], row["size2"], _hash(row["root1"]), _hash(row["root2"]), proof)
    if row["wantErr"] or row.get("either"):
        with pytest.raises((ProofMalformed, ProofInvalid)):
            verify_consistency(*case)
    else:
        verify_consistency(*case)


def _field(row: dict[str, Any], *names: str) -> bytes:
    return bytes.fromhex(next(row[name] for name in names if name in row))


@pytest.mark.parametrize("row", RFC8032)
def test_ed25519_of_rfc_8032(row: dict[str, Any]) -> None:
    seed = _field(row, "secret_key", "secret", "seed", "private_key", "sk")
    public = _field(row, "public_key", "public", "pk")
    message, signature = _field(row, "message", "msg"), _field(row, "signature", "sig")
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert key.public_key().public_bytes_raw() == public
    assert key.sign(message) == signature
    assert verify(public, signature, message) is Verdict.GOOD
    check_key(public)


def test_the_fourteen_low_order_keys_are_the_whole_list() -> None:
    assert frozenset(bytes.fromhex(row["public_key"]) for row in LOW) == LOW_ORDER
    assert len(LOW_ORDER) == 14


@pytest.mark.parametrize("row", LOW, ids=lambda row: row["public_key"][:12])
def test_a_low_order_key_is_refused_wherever_a_key_enters(row: dict[str, Any]) -> None:
    from programmer.audit.note import VKey

    raw = bytes.fromhex(row["public_key"])
    with pytest.raises(WeakKey):
        check_key(raw)
    with pytest.raises(WeakKey):
        strong_vkey(str(VKey("clinic.example/sim/staff/x", 1, raw)))
    forged = bytes.fromhex("01" + "00" * 31) + bytes(32)
    assert verify(raw, forged, b"any message") is Verdict.WEAK_KEY


def test_checkpoint_text_is_the_inverse_of_its_reader() -> None:
    text = parse_note(example()["checkpoints"][-1].encode()).text
    assert parse_checkpoint(text).text() == text
