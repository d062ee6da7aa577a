"""Golden vectors of orders, receipts, credentials and transactions, computed by other means."""

from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import messages as m
from protocol.credential import Trust, credential_digest, parse
from protocol.order import verifies
from tests.house.spec import capitals
from tests.protocol.golden import VECTORS, named, raw, sha, signed_by, value


def test_the_order() -> None:
    case = VECTORS["orders"]
    fields, (program, refill) = case["fields"], case["contents"]
    for content in (program, refill):
        assert sha(b"content/1\n", cbor2.dumps(value(content["value"]), canonical=True)).hex() == content["digest"]
    running = sha(b"program/1\n", cbor2.dumps(value(case["running_program"]), canonical=True))
    assert running.hex() == case["running_digest"]
    for row in case["signatures"]:
        signer = sha(b"signer/1\n", raw(row, "public_key"))[:8]
        signed = cbor2.dumps(
            [f"order/1 {fields['realm']}", fields["serial"], raw(fields, "txid"), raw(fields, "token"),
             value(program["value"]), raw(program, "digest"), running, fields["epoch"], raw(fields, "annex"),
             fields["staged_at_s"], raw(fields, "handshake_hash"), raw(fields, "log_head"), signer, row["meaning"]],
            canonical=True,
        )  # fmt: skip
        assert (signer.hex(), signed.hex()) == (row["signer_id"], row["signed_bytes"])
        assert Ed25519PrivateKey.from_private_bytes(raw(row, "seed")).sign(signed).hex() == row["signature"]
        assert verifies(raw(row, "public_key"), signed, raw(row, "signature"))
    rows = case["signatures"]
    inner = sha(*(raw(row, "signed_bytes") for row in rows), *(raw(row, "signature") for row in rows))
    assert sha(raw(fields, "log_head"), inner).hex() == case["order_hash"]


def test_no_change_of_the_order_survives_its_signature() -> None:
    case = VECTORS["orders"]
    author = case["signatures"][0]
    seen = {author["signed_bytes"]}
    for row in case["not_signed_by_the_author"]:
        assert row["signed_bytes"] not in seen, row["name"]
        seen.add(row["signed_bytes"])
        for check in (signed_by, verifies):
            assert not check(raw(author, "public_key"), raw(row, "signed_bytes"), raw(author, "signature")), row["name"]


def test_weak_keys_verify_nothing() -> None:
    for key in VECTORS["orders"]["weak_keys"]:
        assert not verifies(bytes.fromhex(key), b"anything", bytes.fromhex(key) + bytes(32))


def test_receipt_chain_and_witness() -> None:
    case, order = VECTORS["receipts"], VECTORS["orders"]
    chain, fields = case["chain"], order["fields"]
    tag = sha(chain["tablet_id"].encode())[:8]
    number = chain["epoch"].to_bytes(4, "big")
    after = sha(b"pump-chain/v1\n", raw(chain, "before"), number, bytes.fromhex(order["order_hash"]), tag)
    assert (tag.hex(), after.hex()) == (chain["tablet_tag"], chain["after"])
    witness = number + bytes.fromhex(order["order_hash"]) + after + tag
    assert (witness.hex(), len(witness)) == (case["witness_record"], 76)
    signatures = sha(*(bytes.fromhex(item) for item in case["signatures"]))
    _, _, body = cbor2.loads(raw(case, "committed"))
    signed = cbor2.dumps(
        ["receipt/1 simulated", fields["serial"], raw(fields, "txid"), raw(order["contents"][0], "digest"), 1, body[3],
         signatures, after],
        canonical=True,
    )  # fmt: skip
    key = raw(case, "receipt_key")
    assert signed.hex() == case["signed_bytes"]
    assert (body[4], body[5].hex()) == (after, case["receipt"])
    assert signed_by(key, signed, raw(case, "receipt"))
    for row in case["not_signed"]:
        assert not signed_by(key, raw(row, "signed_bytes"), raw(case, "receipt")), row["name"]
    anchor = case["anchor"]
    shown = cbor2.dumps(["anchor/1 simulated", fields["serial"], raw(anchor, "nonce"), witness, anchor["pump_time_s"]])
    assert shown.hex() == anchor["signed_bytes"]
    assert signed_by(key, shown, raw(anchor, "signature"))
    assert cbor2.loads(raw(anchor, "anchored"))[2] == {
        0: 1, 1: witness[4:36], 2: after, 3: tag, 4: anchor["pump_time_s"], 5: raw(anchor, "signature"),
    }  # fmt: skip


@named(VECTORS["credentials"]["credentials"])
def test_credentials_come_back(case: Any) -> None:
    root = raw(VECTORS["credentials"], "root_key")
    items = [f"{case['holder']}/1 {case['realm']}", raw(case, "public_key"), case["subject"], case["role"],
             case["not_after_s"], case["revocation_epoch"], sha(b"root/1\n", root)[:8]]  # fmt: skip
    signed = cbor2.dumps(items, canonical=True)
    assert signed.hex() == case["signed_bytes"]
    assert signed_by(root, signed, raw(case, "signature"))
    data = cbor2.dumps([*items, raw(case, "signature")], canonical=True)
    assert data.hex() == case["bytes"]
    assert sha(b"credential/1\n", data) == credential_digest(data) == raw(case, "digest")
    assert parse(data)[0].signed_bytes() == signed


VERDICTS = ("holds", "holds", "holds", "EXPIRED_CREDENTIAL", "REVOKED", "holds", "CREDENTIAL", "CREDENTIAL",
            "ROOT_UNKNOWN", "CREDENTIAL", "CREDENTIAL", "CREDENTIAL", "CREDENTIAL", "CREDENTIAL", "CREDENTIAL",
            "CREDENTIAL")  # fmt: skip


def test_credentials_are_judged() -> None:
    case = VECTORS["credentials"]
    assert tuple(row["verdict"] for row in case["judged"]) == VERDICTS
    for row in case["judged"]:
        trust = Trust((raw(case, "root_key"),), (row["floor"],), row["latest_s"])
        found = trust.admits(raw(row), m.Realm.SIMULATED)
        why = found if isinstance(found, m.Refusal) else trust.refuses(found)
        assert (why.name if why else "holds") == row["verdict"], row["name"]


ANSWERS: dict[str, list[str]] = {
    "one person": ["STAGED", "READ_BACK_REPORT", "COMMITTED record", *["COMMITTED"] * 3, "TX_USED"],
    "two persons": ["STAGED", "READ_BACK_REPORT", "COMMITTED record"],
    "refill": ["STAGED", "READ_BACK_REPORT", "COMMITTED record"],
    "not staged": [
        "EPOCH", "LIMIT_DOSE_HIGH", "MALFORMED", "PROGRAM_CHANGED", "STAGED", "TX_USED", "UNKNOWN_TX",
        "UNKNOWN_TX", "UNKNOWN_TX",
    ],
    "ways out": [
        *["STAGED", "ABORTED tombstone", "EXPIRED"], *["STAGED", "NOT_APPLIED tombstone", "EXPIRED"],
        *["STAGED", "EXPIRED"], *["STAGED", "EXPIRED"], *["STAGED", "STAGED tombstone", "EXPIRED"],
    ],
    "history lost": ["INDETERMINATE", "NOT_APPLIED tombstone", "NOT_APPLIED"],
    "memory lost": ["SAFE_STATE", "INDETERMINATE", "UNKNOWN_TX"],
    "last epoch": ["MEMORY"],
}  # fmt: skip
REASONS = {
    "not read back": "NOT_READ_BACK",
    "the token": "TOKEN",
    "the digest": "DIGEST",
    "a credential that lapsed": "EXPIRED_CREDENTIAL",
    "nobody": "SIGNER_UNKNOWN",
    "more signatures than persons": "SIGNER_UNKNOWN",
    "the same person twice": "SECOND_PERSON",
    "another dose was signed": "SIGNATURE",
    "one person of two": "SECOND_PERSON",
    "a nurse": "ROLE",
}
"""What SPEC section 6 says, in the order of its table."""
for change, reason in REASONS.items():
    before = ["STAGED"] if change == "not read back" else ["STAGED", "READ_BACK_REPORT"]
    ANSWERS[f"COMMIT refused: {change}"] = [*before, f"{reason} tombstone", "EXPIRED"]


def said(step: Any) -> str:
    """Name of the reply, or of the reason, and what was made durable before it."""
    op, _, body = cbor2.loads(raw(step, "sends"))
    word = m.Refusal(body[2][0]).name if op == 48 else capitals(m.MESSAGES[op].__name__)
    return " ".join([word, *step["durable"]])


@named(VECTORS["transactions"]["scripts"])
def test_the_transaction_follows_its_script(case: Any) -> None:
    asked = [step for step in case["steps"] if "receives" in step]
    assert [said(step) for step in asked] == ANSWERS[case["name"]]
    for step in asked:
        number, request = m.decode_message(raw(step, "receives"))
        again, reply = m.decode_message(raw(step, "sends"))
        assert (request.REQUEST, reply.REQUEST, again) == (True, False, number)


def test_every_script_is_expected() -> None:
    assert [case["name"] for case in VECTORS["transactions"]["scripts"]] == list(ANSWERS)


def test_what_is_staged_without_a_word_is_buried_durably() -> None:
    (case,) = (case for case in VECTORS["transactions"]["scripts"] if case["name"] == "ways out")
    silent = [step["durable"] for step in case["steps"] if "waits_s" in step or "new_session" in step]
    assert silent == [["tombstone"], ["tombstone"]]


def test_receipts_of_the_scripts_verify() -> None:
    pump = VECTORS["transactions"]["pump"]
    key = Ed25519PrivateKey.from_private_bytes(raw(pump, "receipt_seed")).public_key().public_bytes_raw()
    seen = 0
    for case in VECTORS["transactions"]["scripts"]:
        for step in case["steps"]:
            if step.get("durable") == ["record"]:
                commit, done = cbor2.loads(raw(step, "receives"))[2], cbor2.loads(raw(step, "sends"))[2]
                signed = [
                    "receipt/1 simulated",
                    pump["serial"],
                    commit[0],
                    commit[2],
                    1,
                    done[3],
                    sha(*commit[4]),
                    done[4],
                ]
                assert signed_by(key, cbor2.dumps(signed, canonical=True), done[5])
                seen += 1
    assert seen == 3
