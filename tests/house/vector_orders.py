"""Golden vectors of what is signed: orders, receipts, witness record, credentials."""

from dataclasses import replace
from typing import Any

from protocol import messages as m
from protocol.credential import Credential, Holder, Trust, credential_digest, parse, root_id
from protocol.noise import public_key
from protocol.order import CHAIN_START, Content, anchor_bytes, program_digest, sign, signer_id
from tests.house.vector_inputs import (
    ANCHOR_NONCE,
    CREDENTIALS,
    KEYS,
    ORDER,
    ORDER_HASH,
    PEOPLE,
    PROPOSED,
    RECEIPT,
    RECEIPT_PUBLIC,
    RECEIPT_SEED,
    ROOT,
    RUNNING,
    SERIAL,
    SIGNATURES,
    START_S,
    TABLET_ID,
    TABLET_STATIC,
    WITNESS,
    credential,
    key,
)
from tests.house.vector_wire import noted

WEAK = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""Ed25519 keys under which one signature fits any message, or not encoded in the one canonical way."""


def _changed(program: m.Program, **fields: Any) -> Content:
    return replace(ORDER.content, program=program.model_copy(update=fields))


ALTERED: dict[str, Any] = {
    "realm": {"realm": m.Realm.CLINICAL},
    "serial": {"serial": "VP-000422"},
    "txid": {"txid": bytes([ORDER.txid[0] ^ 1]) + ORDER.txid[1:]},
    "token": {"token": bytes(8)},
    "dose, by 1 ng/day": {"content": _changed(PROPOSED, dose_ng_per_day=115_001)},
    "concentration": {"content": _changed(PROPOSED, concentration_ng_per_ml=500_001)},
    "alarm volume": {"content": _changed(PROPOSED, alarm_nl=2_000_001)},
    "mode": {"content": _changed(PROPOSED, mode=m.Mode.MINIMUM_RATE)},
    "order kind": {"content": replace(ORDER.content, kind=m.OrderKind.REFILL)},
    "reservoir volume": {"content": replace(ORDER.content, reservoir_nl=1)},
    "discrepancy": {"content": replace(ORDER.content, discrepancy=m.Discrepancy.OPEN)},
    "program before it": {"previous_digest": program_digest(PROPOSED)},
    "epoch": {"epoch": 2},
    "annex": {"annex": bytes(32)},
    "time of staging": {"staged_at_s": START_S + 1},
    "session": {"handshake_hash": bytes(32)},
    "log head": {"head": bytes(16)},
}


def orders() -> dict[str, Any]:
    """One program order with two signatures, one refill, and every change that a signature must not survive."""
    signatures = [
        {
            "position": number,
            "meaning": number + 1,
            "seed": person.seed.hex(),
            "public_key": person.public.hex(),
            "signer_id": signer_id(person.public).hex(),
            "signed_bytes": ORDER.bytes_for(number, person.public).hex(),
            "signature": SIGNATURES[number].hex(),
        }
        for number, person in enumerate(PEOPLE)
    ]
    altered = [
        {"name": name, "signed_bytes": replace(ORDER, **change).bytes_for(0, KEYS[0]).hex()}
        for name, change in ALTERED.items()
    ]
    altered.append({"name": "signer", "signed_bytes": ORDER.bytes_for(0, KEYS[1]).hex()})
    altered.append({"name": "meaning", "signed_bytes": ORDER.bytes_for(1, KEYS[0]).hex()})
    refill = Content(m.OrderKind.REFILL, RUNNING, 20_000_000, m.Discrepancy.CLOSED)
    return {
        "section": "6",
        "fields": {
            "realm": "simulated",
            "serial": SERIAL,
            "txid": ORDER.txid.hex(),
            "token": ORDER.token.hex(),
            "epoch": ORDER.epoch,
            "annex": ORDER.annex.hex(),
            "staged_at_s": ORDER.staged_at_s,
            "handshake_hash": ORDER.handshake_hash.hex(),
            "log_head": ORDER.head.hex(),
        },
        "running_program": noted(RUNNING.to_wire()),
        "running_digest": program_digest(RUNNING).hex(),
        "program": noted(PROPOSED.to_wire()),
        "contents": [
            {"name": name, "value": noted(content.to_wire()), "digest": content.digest().hex()}
            for name, content in (("program", ORDER.content), ("refill", refill))
        ],
        "signatures": signatures,
        "order_hash": ORDER_HASH.hex(),
        "not_signed_by_the_author": altered,
        "weak_keys": list(WEAK),
    }


def receipts() -> dict[str, Any]:
    """The receipt, the chain, the witness record and the answer to ANCHOR."""
    signed = RECEIPT.encode()
    anchor = anchor_bytes(m.Realm.SIMULATED, SERIAL, ANCHOR_NONCE, WITNESS, START_S + 40)
    committed = m.Committed(
        txid=ORDER.txid,
        epoch=1,
        digest=ORDER.content.digest(),
        effective_at_s=RECEIPT.effective_at_s,
        chain=WITNESS.chain,
        receipt=sign(RECEIPT_SEED, signed),
    )
    anchored = m.Anchored(
        epoch=1,
        order_hash=WITNESS.order_hash,
        chain=WITNESS.chain,
        tablet_tag=WITNESS.tablet_tag,
        pump_time_s=START_S + 40,
        signature=sign(RECEIPT_SEED, anchor),
    )
    altered = {
        "realm": replace(RECEIPT, realm=m.Realm.CLINICAL),
        "serial": replace(RECEIPT, serial="VP-000422"),
        "txid": replace(RECEIPT, txid=bytes(16)),
        "content digest": replace(RECEIPT, digest=bytes(32)),
        "epoch": replace(RECEIPT, epoch=2),
        "time": replace(RECEIPT, effective_at_s=RECEIPT.effective_at_s + 1),
        "signatures": replace(RECEIPT, signatures_hash=bytes(32)),
        "chain": replace(RECEIPT, chain=CHAIN_START),
    }
    return {
        "section": "6",
        "receipt_seed": RECEIPT_SEED.hex(),
        "receipt_key": RECEIPT_PUBLIC.hex(),
        "signatures": [item.hex() for item in SIGNATURES],
        "signed_bytes": signed.hex(),
        "receipt": committed.receipt.hex(),
        "committed": m.encode_message(9, committed).hex(),
        "not_signed": [{"name": name, "signed_bytes": item.encode().hex()} for name, item in altered.items()],
        "chain": {
            "before": CHAIN_START.hex(),
            "epoch": 1,
            "order_hash": ORDER_HASH.hex(),
            "tablet_id": TABLET_ID,
            "tablet_tag": WITNESS.tablet_tag.hex(),
            "after": WITNESS.chain.hex(),
        },
        "witness_record": WITNESS.encode().hex(),
        "anchor": {
            "nonce": ANCHOR_NONCE.hex(),
            "pump_time_s": START_S + 40,
            "signed_bytes": anchor.hex(),
            "signature": anchored.signature.hex(),
            "anchored": m.encode_message(10, anchored).hex(),
        },
    }


def _verdict(data: bytes, trust: Trust) -> str:
    found = trust.admits(data, m.Realm.SIMULATED)
    why = found if isinstance(found, m.Refusal) else trust.refuses(found)
    return "holds" if why is None else why.name


def credentials() -> dict[str, Any]:
    """Credentials and how a pump with one root judges them."""
    trust = Trust.of((ROOT.public,)).at(START_S)
    author, tablet = CREDENTIALS["author"], CREDENTIALS["tablet"]
    floor = trust.raised(parse(author)[0])
    stranger = replace(ROOT, seed=key("another root"))
    late = credential(
        Holder.TABLET, public_key(TABLET_STATIC), TABLET_ID, m.Role.PRESCRIBER, not_after_s=START_S + 31 * 86_400
    )
    revoked = credential(Holder.CLINICIAN, KEYS[0], "dr-a", m.Role.PRESCRIBER, epoch=2)
    weak = credential(Holder.CLINICIAN, bytes.fromhex(WEAK[0]), "dr-a", m.Role.PRESCRIBER)
    end = parse(author)[0].not_after_s
    flipped = author[:-1] + bytes([author[-1] ^ 1])
    renamed = author.replace(b"dr-a", b"dr-z")
    foreign = credential(Holder.CLINICIAN, KEYS[0], "dr-a", m.Role.PRESCRIBER, by=stranger)
    forged = credential(
        Holder.CLINICIAN, KEYS[0], "dr-a", m.Role.PRESCRIBER, by=stranger, root_id=root_id(ROOT.public)
    )  # fmt: skip
    judged = [
        ("a clinician's", author, trust),
        ("a tablet's", tablet, trust),
        ("at its last second", author, trust.at(end)),
        ("a second later", author, trust.at(end + 1)),
        ("below the revocation floor", revoked, floor),
        ("the same before a newer one was seen", revoked, trust),
        ("a bit of the signature flipped", flipped, trust),
        ("another subject under the same signature", renamed, trust),
        ("of another clinic", foreign, trust),
        ("of another clinic that names our root", forged, trust),
        ("of a real clinic, shown to a simulated pump", CREDENTIALS["of a real clinic"], trust),
        ("a tablet's for more than 30 days", late, trust),
        ("a weak key", weak, trust),
        ("one byte more", author + b"\x00", trust),
        ("cut short", author[:-1], trust),
        ("nothing", b"", trust),
    ]
    return {
        "section": "6",
        "root_seed": ROOT.seed.hex(),
        "root_key": ROOT.public.hex(),
        "root_id": root_id(ROOT.public).hex(),
        "credentials": [_described(name, data) for name, data in CREDENTIALS.items()],
        "judged": [
            {
                "name": name,
                "bytes": data.hex(),
                "floor": state.floors[0],
                "latest_s": state.latest_s,
                "verdict": _verdict(data, state),
            }
            for name, data, state in judged
        ],
    }


def _described(name: str, data: bytes) -> dict[str, Any]:
    found, signature = parse(data)
    return {"name": name, **_fields(found), "signature": signature.hex(), "bytes": data.hex(),
            "signed_bytes": found.signed_bytes().hex(), "digest": credential_digest(data).hex()}  # fmt: skip


def _fields(found: Credential) -> dict[str, Any]:
    return {
        "holder": found.holder.value,
        "realm": found.realm.name.lower(),
        "public_key": found.public_key.hex(),
        "subject": found.subject,
        "role": int(found.role),
        "not_after_s": found.not_after_s,
        "revocation_epoch": found.epoch,
        "root_id": found.root_id.hex(),
    }
