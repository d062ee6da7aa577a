"""The signed order, the receipt and the pump's chain: what is signed, byte for byte, on both sides.

The tablet builds the order from what the pump read back; the pump rebuilds the same bytes from what it holds. A
signature therefore covers the proposal as the pump understood it, this pump, this session and the tablet's log.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol import cbor
from protocol.messages import (
    Committed,
    Discrepancy,
    OrderKind,
    Program,
    Realm,
    Stage,
    StageProgram,
)

_REALM_WORD = {Realm.CLINICAL: "clinical", Realm.SIMULATED: "simulated"}
CHAIN_START = bytes(32)


class Meaning(IntEnum):
    """What a signature on an order says."""

    AUTHORED = 1
    APPROVED = 2


MEANING_AT = (Meaning.AUTHORED, Meaning.APPROVED)
"""Meaning of the signature at each position of a COMMIT."""


def program_digest(program: Program) -> bytes:
    """SHA-256 over the canonical bytes of a program."""
    return hashlib.sha256(b"program/1\n" + program.encode()).digest()


def total_24h_fg(flow_nl_per_day: int, concentration_ng_per_ml: int) -> int:
    """Drug that leaves the pump in 24 h, in femtograms, exactly: 1 nL/day of 1 ng/mL is 1 fg/day."""
    return flow_nl_per_day * concentration_ng_per_ml


@dataclass(frozen=True, slots=True)
class Content:
    """What a proposal puts in force: the whole program, and for a refill the volume that is now in the pump."""

    kind: OrderKind
    program: Program
    reservoir_nl: int
    discrepancy: Discrepancy

    @classmethod
    def of(cls, stage: Stage, running: Program) -> "Content":
        """The content of a STAGE message on top of the running program."""
        if isinstance(stage, StageProgram):
            return cls(OrderKind.PROGRAM, stage.program, 0, Discrepancy.NONE)
        return cls(OrderKind.REFILL, running, stage.reservoir_nl, stage.discrepancy)

    def to_wire(self) -> cbor.Value:
        """The array that is hashed and signed."""
        return [int(self.kind), self.program.to_wire(), self.reservoir_nl, int(self.discrepancy)]

    def digest(self) -> bytes:
        """SHA-256 over the canonical bytes."""
        return hashlib.sha256(b"content/1\n" + cbor.encode(self.to_wire())).digest()


def signer_id(public_key: bytes) -> bytes:
    """Eight bytes that name a signing key."""
    return hashlib.sha256(b"signer/1\n" + public_key).digest()[:8]


@dataclass(frozen=True, slots=True)
class Order:
    """All that a clinician's signature covers."""

    realm: Realm
    serial: str
    txid: bytes
    token: bytes
    content: Content
    previous_digest: bytes
    epoch: int
    annex: bytes
    staged_at_s: int
    handshake_hash: bytes
    head: bytes

    def bytes_for(self, position: int, public_key: bytes) -> bytes:
        """The bytes that the person at ``position`` (0 author, 1 second person) signs with ``public_key``."""
        return cbor.encode(
            [
                f"order/1 {_REALM_WORD[self.realm]}",
                self.serial,
                self.txid,
                self.token,
                self.content.to_wire(),
                self.content.digest(),
                self.previous_digest,
                self.epoch,
                self.annex,
                self.staged_at_s,
                self.handshake_hash,
                self.head,
                signer_id(public_key),
                int(MEANING_AT[position]),
            ]
        )

    def order_hash(self, public_keys: tuple[bytes, ...], signatures: tuple[bytes, ...]) -> bytes:
        """SHA-256 of the tablet's head and of the digest of all signed bytes with their signatures."""
        return hashlib.sha256(self.head + self.signed_digest(public_keys, signatures)).digest()

    def signed_digest(self, public_keys: tuple[bytes, ...], signatures: tuple[bytes, ...]) -> bytes:
        """SHA-256 of the bytes of each signer in their order, then of each signature."""
        inner = hashlib.sha256()
        for position, key in enumerate(public_keys):
            inner.update(self.bytes_for(position, key))
        for signature in signatures:
            inner.update(signature)
        return inner.digest()


def chain_next(chain: bytes, epoch: int, order_hash: bytes, tablet_tag: bytes) -> bytes:
    """The pump's chain after an order: it fixes the order of all orders before it."""
    return hashlib.sha256(b"pump-chain/v1\n" + chain + epoch.to_bytes(4, "big") + order_hash + tablet_tag).digest()


@dataclass(frozen=True, slots=True)
class Witness:
    """The pump's record of its newest order: 76 bytes in the same atomic memory record as program and outcome.

    ``tablet_tag`` is zero where the pump acted by itself.
    """

    epoch: int
    order_hash: bytes
    chain: bytes
    tablet_tag: bytes

    def encode(self) -> bytes:
        """epoch 4 (big-endian), order hash 32, chain 32, tablet tag 8."""
        return self.epoch.to_bytes(4, "big") + self.order_hash + self.chain + self.tablet_tag


def anchor_bytes(realm: Realm, serial: str, nonce: bytes, witness: Witness, pump_time_s: int) -> bytes:
    """What the pump signs with its receipt key in answer to ANCHOR."""
    return cbor.encode([f"anchor/1 {_REALM_WORD[realm]}", serial, nonce, witness.encode(), pump_time_s])


def tablet_tag(tablet_id: str) -> bytes:
    """Eight bytes that name a tablet in the pump's chain."""
    return hashlib.sha256(tablet_id.encode()).digest()[:8]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the pump signs when it has put an order in force."""

    realm: Realm
    serial: str
    txid: bytes
    digest: bytes
    epoch: int
    effective_at_s: int
    signatures_hash: bytes
    chain: bytes

    def encode(self) -> bytes:
        """The canonical bytes that are signed."""
        return cbor.encode(
            [
                f"receipt/1 {_REALM_WORD[self.realm]}",
                self.serial,
                self.txid,
                self.digest,
                self.epoch,
                self.effective_at_s,
                self.signatures_hash,
                self.chain,
            ]
        )


def signatures_hash(signatures: tuple[bytes, ...]) -> bytes:
    """SHA-256 over the signatures in their order."""
    return hashlib.sha256(b"".join(signatures)).digest()


def receipt_of(committed: Committed, realm: Realm, serial: str, signatures: tuple[bytes, ...]) -> Receipt:
    """The receipt that a COMMITTED message claims for these signatures."""
    return Receipt(
        realm,
        serial,
        committed.txid,
        committed.digest,
        committed.epoch,
        committed.effective_at_s,
        signatures_hash(signatures),
        committed.chain,
    )


def sign(seed: bytes, data: bytes) -> bytes:
    """Ed25519 signature of ``data`` with the private key ``seed`` (32 bytes)."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


_FIELD = 2**255 - 19
_ORDER_8_Y = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
_LOW_ORDER_Y = frozenset({0, 1, _FIELD - 1, _ORDER_8_Y, _FIELD - _ORDER_8_Y})


def is_weak_point(encoded: bytes) -> bool:
    """Whether 32 bytes encode a point of order 1, 2, 4 or 8 of edwards25519, or not in the one canonical way.

    Under such a public key one signature fits any message. Source: RFC 8032, section 5.1.3 (decoding), and the eight
    torsion points of the curve, whose y are 0, 1, -1 and the two of order 8.
    """
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y >= _FIELD or y in _LOW_ORDER_Y


def verifies(public_key: bytes, data: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``data`` was made with the private half of ``public_key``.

    False also for a key or a signature whose point is weak, whatever the library says of it.
    """
    if is_weak_point(public_key) or is_weak_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
