"""Section 6: what is signed: credentials, orders, receipts and the witness record."""

import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tests.interop import cbor
from tests.interop.messages import Body, pack

PRESCRIBER, IMPLANTER, REFILL_NURSE = 1, 2, 3
AUTHOR, SECOND, TABLET = 0, 1, 2
AUTHORED, APPROVED = 1, 2
PROGRAM, REFILL = 1, 2
REALM = "simulated"
NO_CHAIN = bytes(32)


class NotGenuine(Exception):
    """A signature of the pump does not hold, or it signed something else."""


def _hash(label: str, data: bytes) -> bytes:
    return hashlib.sha256(label.encode() + b"\n" + data).digest()


def public(seed: bytes) -> bytes:
    """Ed25519 public key."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, data: bytes) -> bytes:
    """Ed25519 signature."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def verify(key: bytes, signature: bytes, data: bytes) -> None:
    """Raises ``NotGenuine``."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except InvalidSignature as error:
        raise NotGenuine("the signature does not hold") from error


def root_id(root: bytes) -> bytes:
    """By which credentials name their root."""
    return _hash("root/1", root)[:8]


def signer_id(key: bytes) -> bytes:
    """By which an order names who signs it."""
    return _hash("signer/1", key)[:8]


def tablet_tag(tablet_id: str) -> bytes:
    """By which the chain names a tablet."""
    return hashlib.sha256(tablet_id.encode()).digest()[:8]


def credential(
    root_seed: bytes, holder: str, key: bytes, subject: str, role: int, until_s: int, epoch: int, realm: str = REALM
) -> bytes:
    """A credential, as a clinic makes it; ``holder`` is ``clinician`` or ``tablet``."""
    said = [f"{holder}/1 {realm}", key, subject, role, until_s, epoch, root_id(public(root_seed))]
    return cbor.encode([*said, sign(root_seed, cbor.encode(said))])


def credential_digest(whole: bytes) -> bytes:
    """What may be shown in the place of a credential."""
    return _hash("credential/1", whole)


def content(read_back: Body) -> list[Any]:
    """What an order changes, from what the pump read back: only a refill names a volume and a discrepancy."""
    refill = read_back["kind"] == REFILL
    rest = [read_back["reservoir_nl"], read_back["discrepancy"]] if refill else [0, 0]
    return [read_back["kind"], pack("PROGRAM", read_back["program"]), *rest]


def content_digest(what: list[Any]) -> bytes:
    """Digest in STAGED, COMMIT, COMMITTED."""
    return _hash("content/1", cbor.encode(what))


def program_digest(program: Body) -> bytes:
    """Digest of a whole program."""
    return _hash("program/1", cbor.encode(pack("PROGRAM", program)))


@dataclass(frozen=True, slots=True)
class Order:
    """All that a signature of an order covers, except who signs."""

    serial: str
    txid: bytes
    token: bytes
    content: list[Any]
    previous_digest: bytes
    epoch: int
    annex: bytes
    staged_at_s: int
    handshake_hash: bytes
    head: bytes

    @property
    def digest(self) -> bytes:
        """Digest of its content."""
        return content_digest(self.content)

    def to_sign(self, key: bytes, meaning: int = AUTHORED) -> bytes:
        """The bytes that the holder of the public key ``key`` signs."""
        return cbor.encode([
            f"order/1 {REALM}", self.serial, self.txid, self.token, self.content, self.digest, self.previous_digest,
            self.epoch, self.annex, self.staged_at_s, self.handshake_hash, self.head, signer_id(key), meaning,
        ])  # fmt: skip

    def hash(self, signed: list[bytes], signatures: list[bytes]) -> bytes:
        """What the pump's chain and its witness record hold of this order."""
        return hashlib.sha256(self.head + hashlib.sha256(b"".join(signed + signatures)).digest()).digest()


def next_chain(before: bytes, epoch: int, order_hash: bytes, tablet_id: str) -> bytes:
    """The chain after an order."""
    return _hash("pump-chain/v1", before + epoch.to_bytes(4, "big") + order_hash + tablet_tag(tablet_id))


def check_receipt(key: bytes, serial: str, committed: Body, signatures: list[bytes]) -> None:
    """The pump's receipt for the order with these signatures holds; raises ``NotGenuine``."""
    said = cbor.encode([
        f"receipt/1 {REALM}", serial, committed["txid"], committed["digest"], committed["epoch"],
        committed["effective_at_s"], hashlib.sha256(b"".join(signatures)).digest(), committed["chain"],
    ])  # fmt: skip
    verify(key, committed["receipt"], said)


def check_anchor(key: bytes, serial: str, nonce: bytes, anchored: Body) -> None:
    """The witness record is this pump's answer to ``nonce``; raises ``NotGenuine``."""
    record = anchored["epoch"].to_bytes(4, "big") + anchored["order_hash"] + anchored["chain"] + anchored["tablet_tag"]
    said = cbor.encode([f"anchor/1 {REALM}", serial, nonce, record, anchored["pump_time_s"]])
    verify(key, anchored["signature"], said)
