"""What is signed: every field of an order and of a receipt is bound, and moves nowhere else."""

import hashlib
from dataclasses import fields, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from protocol.messages import Committed, Discrepancy, Drug, Mode, OrderKind, Program, Realm, StageProgram, StageRefill
from protocol.order import (
    CHAIN_START,
    Content,
    Order,
    Receipt,
    chain_next,
    is_weak_point,
    program_digest,
    receipt_of,
    sign,
    signatures_hash,
    signer_id,
    tablet_tag,
    total_24h_fg,
    verifies,
)
from tests.protocol.make import PROGRAM
from tests.vectors import vectors

# RFC 8032, section 7.1, TEST 2 and TEST 3
SEED2 = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC2 = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE2 = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
PUBLIC3 = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")

PROGRAM_HEX = "a5 0001 011a000186a0 021a001e8480 031a001e8480 0401".replace(" ", "")
CONTENT = Content(OrderKind.PROGRAM, PROGRAM, 0, Discrepancy.NONE)
ORDER = Order(
    realm=Realm.SIMULATED,
    serial="VP-1",
    txid=b"t" * 16,
    token=b"k" * 8,
    content=CONTENT,
    previous_digest=b"p" * 32,
    epoch=7,
    annex=b"a" * 32,
    staged_at_s=1_000_000,
    handshake_hash=b"h" * 32,
    head=b"e" * 16,
)
RECEIPT = Receipt(Realm.SIMULATED, "VP-1", b"t" * 16, b"d" * 32, 7, 1_000_000, b"s" * 32, b"c" * 32)


def flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def test_an_order_has_the_bytes_put_together_by_hand() -> None:
    content = f"84 01 {PROGRAM_HEX} 00 00"
    digest = hashlib.sha256(b"content/1\n" + bytes.fromhex(content)).hexdigest()
    signer = hashlib.sha256(b"signer/1\n" + PUBLIC2).hexdigest()[:16]
    assert ORDER.bytes_for(0, PUBLIC2).hex() == (
        f"8e 71{b'order/1 simulated'.hex()} 64{b'VP-1'.hex()} 50{'74' * 16} 48{'6b' * 8} {content} 5820{digest}"
        f" 5820{'70' * 32} 07 5820{'61' * 32} 1a000f4240 5820{'68' * 32} 50{'65' * 16} 48{signer} 01"
    ).replace(" ", "")
    assert ORDER.bytes_for(1, PUBLIC2)[-1:] == b"\x02", "the second person approves"
    assert signer_id(PUBLIC2).hex() == signer
    clinical = replace(ORDER, realm=Realm.CLINICAL).bytes_for(0, PUBLIC2)
    assert clinical[1:18] == b"\x70" + b"order/1 clinical"


def test_a_receipt_has_the_bytes_put_together_by_hand() -> None:
    assert RECEIPT.encode().hex() == (
        f"88 73{b'receipt/1 simulated'.hex()} 64{b'VP-1'.hex()} 50{'74' * 16} 5820{'64' * 32} 07 1a000f4240"
        f" 5820{'73' * 32} 5820{'63' * 32}"
    ).replace(" ", "")


PROGRAM_CHANGES: list[dict[str, object]] = [
    {"mode": Mode.STOPPED},
    {"dose_ng_per_day": 100_001},
    {"concentration_ng_per_ml": 500_000},
    {"alarm_nl": 2_000_001},
]
CHANGES: list[dict[str, object]] = [
    {"realm": Realm.CLINICAL},
    {"serial": "VP-2"},
    {"txid": flip(ORDER.txid)},
    {"token": flip(ORDER.token)},
    {"content": replace(CONTENT, kind=OrderKind.REFILL)},
    {"content": replace(CONTENT, reservoir_nl=1)},
    {"content": replace(CONTENT, discrepancy=Discrepancy.OPEN)},
    *[dict[str, object](content=replace(CONTENT, program=PROGRAM.model_copy(update=item))) for item in PROGRAM_CHANGES],
    {"previous_digest": flip(ORDER.previous_digest)},
    {"epoch": 8},
    {"annex": flip(ORDER.annex)},
    {"staged_at_s": 1_000_001},
    {"handshake_hash": flip(ORDER.handshake_hash)},
    {"head": flip(ORDER.head)},
]


def test_the_changes_reach_every_field() -> None:
    assert {name for change in CHANGES for name in change} == {field.name for field in fields(Order)}
    assert {name for change in PROGRAM_CHANGES for name in change} | {"drug"} == set(Program.model_fields)
    assert list(Drug) == [Drug.BACLOFEN], "with a second drug, alter the drug as well"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_a_signature_holds_for_no_other_order(change: dict[str, object]) -> None:
    signature = sign(SEED2, ORDER.bytes_for(0, PUBLIC2))
    assert verifies(PUBLIC2, ORDER.bytes_for(0, PUBLIC2), signature)
    altered = replace(ORDER, **change)  # type: ignore[arg-type]
    assert not verifies(PUBLIC2, altered.bytes_for(0, PUBLIC2), signature)
    assert altered.order_hash((PUBLIC2,), (signature,)) != ORDER.order_hash((PUBLIC2,), (signature,))


def test_a_signature_holds_for_no_other_person_or_meaning() -> None:
    signature = sign(SEED2, ORDER.bytes_for(0, PUBLIC2))
    assert not verifies(PUBLIC2, ORDER.bytes_for(1, PUBLIC2), signature), "authored is not approved"
    assert not verifies(PUBLIC3, ORDER.bytes_for(0, PUBLIC3), signature), "another key"
    assert not verifies(PUBLIC2, ORDER.bytes_for(0, PUBLIC3), signature), "the signer named in the bytes"


RECEIPT_CHANGES: list[dict[str, object]] = [
    {"realm": Realm.CLINICAL},
    {"serial": "VP-2"},
    {"txid": flip(RECEIPT.txid)},
    {"digest": flip(RECEIPT.digest)},
    {"epoch": 8},
    {"effective_at_s": 1_000_001},
    {"signatures_hash": flip(RECEIPT.signatures_hash)},
    {"chain": flip(RECEIPT.chain)},
]


@pytest.mark.parametrize("change", RECEIPT_CHANGES, ids=lambda change: next(iter(change)))
def test_a_receipt_holds_for_nothing_else(change: dict[str, object]) -> None:
    assert {name for item in RECEIPT_CHANGES for name in item} == {field.name for field in fields(Receipt)}
    signature = sign(SEED2, RECEIPT.encode())
    assert verifies(PUBLIC2, RECEIPT.encode(), signature)
    assert not verifies(PUBLIC2, replace(RECEIPT, **change).encode(), signature)  # type: ignore[arg-type]


def test_a_receipt_is_rebuilt_from_what_the_tablet_knows() -> None:
    committed = Committed(
        txid=b"t" * 16, epoch=7, digest=b"d" * 32, effective_at_s=1_000_000, chain=b"c" * 32, receipt=b"r" * 64
    )
    signatures = (b"1" * 64, b"2" * 64)
    rebuilt = receipt_of(committed, Realm.SIMULATED, "VP-1", signatures)
    assert rebuilt == replace(RECEIPT, signatures_hash=hashlib.sha256(b"1" * 64 + b"2" * 64).digest())
    assert signatures_hash(signatures) != signatures_hash(signatures[::-1])


def test_signing_is_ed25519_as_published() -> None:
    assert sign(SEED2, b"\x72") == SIGNATURE2
    assert verifies(PUBLIC2, b"\x72", SIGNATURE2)
    assert not verifies(PUBLIC2, b"\x73", SIGNATURE2)
    assert not verifies(PUBLIC2, b"\x72", flip(SIGNATURE2))


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33], ids=len)
def test_a_key_of_the_wrong_size_verifies_nothing(key: bytes) -> None:
    assert not verifies(key, b"\x72", SIGNATURE2)


@pytest.mark.parametrize("signature", [b"", SIGNATURE2[:63], SIGNATURE2 + b"\0"], ids=len)
def test_a_signature_of_the_wrong_size_verifies_nothing(signature: bytes) -> None:
    assert not verifies(PUBLIC2, b"\x72", signature)


IDENTITY = b"\x01" + bytes(31)


def test_a_weak_key_verifies_nothing() -> None:
    """Under the identity as key, R = S * B fits every message: here S = 0 and R the identity."""
    trivial = IDENTITY + bytes(32)
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(trivial, b"any message")  # the library alone says yes
    assert not verifies(IDENTITY, b"any message", trivial)


def test_a_signature_with_a_weak_point_is_refused_even_if_it_adds_up() -> None:
    """With R the identity, S = k * a solves the equation of RFC 8032, section 5.1.7, under a good key."""
    scalar = bytearray(hashlib.sha512(SEED2).digest()[:32])
    scalar[0] &= 248
    scalar[31] = scalar[31] & 127 | 64
    order = 2**252 + 27742317777372353535851937790883648493
    k = int.from_bytes(hashlib.sha512(IDENTITY + PUBLIC2 + b"\x72").digest(), "little")
    s = k * int.from_bytes(scalar, "little") % order
    signature = IDENTITY + s.to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(PUBLIC2).verify(signature, b"\x72")  # the library alone says yes
    assert not verifies(PUBLIC2, b"\x72", signature)


def test_every_low_order_key_of_the_published_list_is_weak() -> None:
    keys = vectors("ed25519/low_order_public_keys.json")["keys"]
    assert len(keys) == 14
    assert all(is_weak_point(bytes.fromhex(item["public_key"])) for item in keys)


@pytest.mark.parametrize("y", [2**255 - 19, 2**255 - 16, 2**255 - 1])
def test_an_encoding_beyond_the_field_is_weak(y: int) -> None:
    assert is_weak_point(y.to_bytes(32, "little"))
    assert is_weak_point((y | 1 << 255).to_bytes(32, "little"))


def test_good_points_are_not_weak() -> None:
    assert not any(is_weak_point(point) for point in (PUBLIC2, PUBLIC3, SIGNATURE2[:32]))


def test_digests_have_their_own_domains() -> None:
    assert program_digest(PROGRAM) == hashlib.sha256(b"program/1\n" + bytes.fromhex(PROGRAM_HEX)).digest()
    assert CONTENT.digest() != program_digest(PROGRAM)


def test_the_chain_fixes_the_order_of_orders() -> None:
    assert bytes(32) == CHAIN_START
    first = chain_next(CHAIN_START, 1, b"o" * 32, b"t" * 8)
    assert first == hashlib.sha256(b"pump-chain/v1\n" + bytes(32) + b"\0\0\0\1" + b"o" * 32 + b"t" * 8).digest()
    others = [
        chain_next(first, 1, b"o" * 32, b"t" * 8),
        chain_next(CHAIN_START, 2, b"o" * 32, b"t" * 8),
        chain_next(CHAIN_START, 1, b"p" * 32, b"t" * 8),
        chain_next(CHAIN_START, 1, b"o" * 32, b"u" * 8),
    ]
    assert len({first, *others}) == 5
    assert tablet_tag("T-1") == hashlib.sha256(b"T-1").digest()[:8]


def test_the_order_hash_covers_head_bytes_and_signatures() -> None:
    inner = ORDER.bytes_for(0, PUBLIC2) + ORDER.bytes_for(1, PUBLIC3) + b"1" * 64 + b"2" * 64
    expected = hashlib.sha256(ORDER.head + hashlib.sha256(inner).digest()).digest()
    assert ORDER.order_hash((PUBLIC2, PUBLIC3), (b"1" * 64, b"2" * 64)) == expected


def test_content_comes_from_the_proposal_and_a_refill_leaves_the_program_alone() -> None:
    proposed = PROGRAM.model_copy(update={"dose_ng_per_day": 115_000})
    stage = StageProgram(txid=b"t" * 16, base_epoch=6, program=proposed, annex=b"a" * 32)
    assert Content.of(stage, PROGRAM) == Content(OrderKind.PROGRAM, proposed, 0, Discrepancy.NONE)
    refill = StageRefill(
        txid=b"t" * 16,
        base_epoch=6,
        program_digest=program_digest(PROGRAM),
        reservoir_nl=18_000_000,
        discrepancy=Discrepancy.OPEN,
        annex=b"a" * 32,
    )
    assert Content.of(refill, PROGRAM) == Content(OrderKind.REFILL, PROGRAM, 18_000_000, Discrepancy.OPEN)


def test_the_day_total_is_exact() -> None:
    # 50 uL/day of 2,000 mcg/mL is 100 mcg/day: 50,000 nL x 2,000,000 ng/mL = 10^11 fg
    assert total_24h_fg(50_000, 2_000_000) == 10**11
