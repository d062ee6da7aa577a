"""Fixed inputs of the golden vectors: keys that only vectors have, an order, credentials, extreme messages."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import messages as m
from protocol.credential import Credential, Holder, root_id
from protocol.noise import public_key
from protocol.order import (
    CHAIN_START,
    Content,
    Order,
    Receipt,
    Witness,
    chain_next,
    program_digest,
    sign,
    signatures_hash,
    tablet_tag,
)
from protocol.wire_model import WireModel
from tests.protocol.make import LISTS, bounds

START_S = 1_795_424_400
"""2026-11-23T09:00:00Z, the pump's time in every vector."""
SERIAL, TABLET_ID = "VP-000421", "T-0042"


def key(label: str) -> bytes:
    """32 bytes from a label; anybody can make them anew."""
    return hashlib.sha256(f"vector {label}".encode()).digest()


PUMP_STATIC, PUMP_EPHEMERAL = key("pump static"), key("pump ephemeral")
TABLET_STATIC, TABLET_EPHEMERAL = key("tablet static"), key("tablet ephemeral")
PSK, CARD_SECRET, RECEIPT_SEED = key("psk"), key("card secret"), key("receipt")
TABLET_NONCE, PUMP_NONCE = key("tablet nonce")[:8], key("pump nonce")[:8]
ANCHOR_NONCE = key("anchor nonce")[:16]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs."""

    name: str
    role: m.Role
    seed: bytes

    @property
    def public(self) -> bytes:
        """The Ed25519 public key."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()


ROOT = Person("clinic root", m.Role.ADMINISTRATOR, key("root"))
PEOPLE = (Person("dr-a", m.Role.PRESCRIBER, key("author")), Person("dr-b", m.Role.PRESCRIBER, key("second person")))
RECEIPT_PUBLIC = Person("receipt", m.Role.QA, RECEIPT_SEED).public

RUNNING = m.Program(
    mode=m.Mode.SIMPLE, dose_ng_per_day=100_000, concentration_ng_per_ml=500_000, alarm_nl=2_000_000,
    drug=m.Drug.BACLOFEN,
)  # fmt: skip
PROPOSED = RUNNING.model_copy(update={"dose_ng_per_day": 115_000})
TXID = START_S.to_bytes(4, "big") + key("txid")[:12]
ORDER = Order(
    realm=m.Realm.SIMULATED,
    serial=SERIAL,
    txid=TXID,
    token=key("token")[:8],
    content=Content(m.OrderKind.PROGRAM, PROPOSED, 0, m.Discrepancy.NONE),
    previous_digest=program_digest(RUNNING),
    epoch=1,
    annex=key("annex"),
    staged_at_s=START_S,
    handshake_hash=key("handshake hash"),
    head=key("log head")[:16],
)
KEYS = tuple(person.public for person in PEOPLE)
SIGNATURES = tuple(sign(person.seed, ORDER.bytes_for(n, person.public)) for n, person in enumerate(PEOPLE))
ORDER_HASH = ORDER.order_hash(KEYS, SIGNATURES)
WITNESS = Witness(
    1, ORDER_HASH, chain_next(CHAIN_START, 1, ORDER_HASH, tablet_tag(TABLET_ID)), tablet_tag(TABLET_ID)
)  # fmt: skip
RECEIPT = Receipt(
    m.Realm.SIMULATED, SERIAL, TXID, ORDER.content.digest(), 1, START_S + 30, signatures_hash(SIGNATURES), WITNESS.chain
)


def credential(holder: Holder, public: bytes, subject: str, role: m.Role, **changes: Any) -> bytes:
    """A credential that the root has signed; ``changes`` replace fields, ``by`` the root."""
    by = changes.pop("by", ROOT)
    fields: dict[str, Any] = {
        "holder": holder,
        "realm": m.Realm.SIMULATED,
        "public_key": public,
        "subject": subject,
        "role": role,
        "not_after_s": START_S + 20 * 86_400,
        "epoch": 3,
        "root_id": root_id(by.public),
    }
    return Credential(**{**fields, **changes}).signed(lambda data: sign(by.seed, data))


CREDENTIALS = {
    "author": credential(Holder.CLINICIAN, KEYS[0], "dr-a", m.Role.PRESCRIBER),
    "second person": credential(Holder.CLINICIAN, KEYS[1], "dr-b", m.Role.PRESCRIBER),
    "refill nurse": credential(Holder.CLINICIAN, KEYS[1], "rn-c", m.Role.REFILL_NURSE),
    "tablet": credential(Holder.TABLET, public_key(TABLET_STATIC), TABLET_ID, m.Role.PRESCRIBER),
    "of a real clinic": credential(Holder.CLINICIAN, KEYS[0], "dr-a", m.Role.PRESCRIBER, realm=m.Realm.CLINICAL),
}


def _extreme(kind: type[WireModel], name: str, top: bool) -> Any:
    declared: Any = kind.model_fields[name].annotation
    limits = bounds(kind, name)
    if (kind, name) in LISTS:
        item, least, most = LISTS[kind, name]
        part: Any
        if item == 64:
            part = (b"\xff" if top else b"\x00") * 64
        elif issubclass(item, WireModel):
            part = extreme(item, top)
        else:
            part = max(item) if top else min(item)
        return (part,) * (most if top else least)
    if isinstance(declared, type) and issubclass(declared, WireModel):
        return extreme(declared, top)
    if isinstance(declared, type) and issubclass(declared, IntEnum):
        return max(declared) if top else min(declared)
    if declared is bool:
        return top
    if declared is bytes:
        return b"\xff" * limits["max_length"] if top else b"\x00" * limits.get("min_length", 0)
    if declared is str:
        return "Z" * limits["max_length"] if top else "A" * limits["min_length"]
    if declared is int:
        return limits["le"] if top else limits["ge"]
    return 0xFFFF_FFFF if top else None


def extreme(kind: type[WireModel], top: bool) -> Any:
    """The object whose every field is as small, or as large, as its declaration allows."""
    return kind(**{name: _extreme(kind, name, top) for name in kind.model_fields})


def smallest(kind: type[WireModel]) -> Any:
    """Every field as small as it may be."""
    return extreme(kind, False)


def largest(kind: type[WireModel]) -> Any:
    """Every field as large as it may be."""
    return extreme(kind, True)


def wrong(kind: type[WireModel]) -> Iterator[tuple[str, Any, bool]]:
    """(what is done to the largest body, the body, whether it may still be read) for every key."""
    body: Any = largest(kind).to_wire()
    keys = list(range(len(body))) if isinstance(body, list) else list(body)

    def changed(key: int, value: Any) -> Any:
        copy: Any = list(body) if isinstance(body, list) else dict(body)
        copy[key] = value
        return copy

    for place in keys:
        values: list[tuple[str, Any]] = [("is negative", -1), ("is null", None), ("is a float", 1.5)]
        values.append(("is above 2^64 - 1", 2**64))
        if not isinstance(body[place], str):
            values.append(("is text", "x"))
        if isinstance(body[place], bytes):
            values.append(("is too long", body[place] + b"\x00"))
        yield from ((f"key {place} {name}", changed(place, value), False) for name, value in values)
    if isinstance(body, list):
        yield "the last element is missing", body[:-1], False
        yield "one element more", [*body, 0], kind.OPEN
        return
    for place, name in kind.wire_keys().items():
        if kind.model_fields[name].is_required():
            yield f"key {place} is missing", {k: v for k, v in body.items() if k != place}, False
    yield "an unknown key", {**body, 99: 0}, kind.OPEN
    yield "a key of text", {**body, "x": 0}, False
