"""The pump as second witness: its record of the newest order against what the merged logs say of that pump.

Pure functions on plain values. ``Known`` is what the entries say, learned one by one; ``compare`` gives one verdict.
A log can be cut, rolled back or written anew together with every key of its tablet; what the pump holds cannot.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

WITNESS_BYTES = 76
CHAIN_START = bytes(32)
OWN_ACT = bytes(8)
PENDING_S = 7 * 86_400
"""After so long a change by another tablet whose log has not come counts as foreign. To be confirmed by the clinic."""


class Verdict(Enum):
    """What a witness record means. The value is the code of a finding; the first is silent, two warn, others block."""

    AGREE = "AGREE"
    DANGLING_INTENT = "DANGLING_INTENT"
    PEER_PENDING = "PEER_PENDING"
    ROLLBACK = "ROLLBACK"
    FOREIGN_PROGRAM = "FOREIGN_PROGRAM"
    PUMP_CHAIN_MISMATCH = "PUMP_CHAIN_MISMATCH"
    PUMP_IDENTITY = "PUMP_IDENTITY"

    @property
    def blocks(self) -> bool:
        """Whether nothing may be programmed; reading stays."""
        return self not in (Verdict.AGREE, Verdict.DANGLING_INTENT, Verdict.PEER_PENDING)


SENTENCE: Mapping[Verdict, str] = {
    Verdict.AGREE: "The pump and this tablet's records agree.",
    Verdict.DANGLING_INTENT: "The pump has applied an order whose outcome is not in the records yet. Read it again.",
    Verdict.PEER_PENDING: (
        "Another tablet of this clinic has changed this pump, and its records have not arrived here. "
        "Compare the program with the chart before you change it."
    ),
    Verdict.ROLLBACK: (
        "The pump holds an order of this tablet that its records no longer know: they were shortened or restored. "
        "Do not program with this tablet; have its records restored as a new log, and use another tablet."
    ),
    Verdict.FOREIGN_PROGRAM: (
        "The pump was programmed by a tablet that this clinic does not know, or whose records never came. "
        "Find out who changed it before anything is programmed; it can be read."
    ),
    Verdict.PUMP_CHAIN_MISMATCH: (
        "The pump's history is not the one in the records: one of them was altered. "
        "Do not program this pump; keep the records and report it."
    ),
    Verdict.PUMP_IDENTITY: (
        "This is not the pump that the records name, or it does not prove that it is. "
        "Do not program it; check its serial number against the chart and report it."
    ),
}
"""What to do, for each verdict."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One answer to ANCHOR. ``genuine``: serial and tag are those linked, and the receipt key's signature holds."""

    genuine: bool
    epoch: int
    order_hash: bytes
    chain: bytes
    tablet_tag: bytes
    pump_time_s: int


def split_witness(record: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Epoch, order hash, chain and tablet tag of the 76 bytes. Raises ValueError for another length."""
    if len(record) != WITNESS_BYTES:
        raise ValueError(f"a witness record has {WITNESS_BYTES} bytes, this one has {len(record)}")
    return int.from_bytes(record[:4], "big"), record[4:36], record[36:68], record[68:]


def tablet_tag(tablet_id: str) -> bytes:
    """Eight bytes that name a tablet in a pump."""
    return hashlib.sha256(tablet_id.encode()).digest()[:8]


def next_chain(chain: bytes, epoch: int, order_hash: bytes, tag: bytes) -> bytes:
    """The pump's chain after one more order."""
    return hashlib.sha256(b"pump-chain/v1\n" + chain + epoch.to_bytes(4, "big") + order_hash + tag).digest()


def order_hash(head: bytes, order_digest: bytes) -> bytes:
    """The hash by which a pump names an order, from the two values in its intent."""
    return hashlib.sha256(head + order_digest).digest()


@dataclass(frozen=True, slots=True)
class Known:
    """What the merged logs say of one patient's pump. ``open_orders``: txid to order hash of intents without an end;
    ``seen``: chain to the pump's time at which it was first read; ``peers``: tags of other tablets paired with it."""

    own_tag: bytes
    epoch: int = 0
    chain: bytes = CHAIN_START
    open_orders: Mapping[str, bytes] = field(default_factory=dict)
    peers: frozenset[bytes] = frozenset()
    seen: Mapping[bytes, int] = field(default_factory=dict)

    def learn(self, kind: str, body: Mapping[str, Any], pump: Mapping[str, Any] | None = None) -> "Known":
        """What is known after one more entry about this patient: its type, body and ``pump`` field."""
        match kind:
            case "pump.linked" if pump is not None:
                return replace(self, epoch=int(pump["epoch"]), chain=bytes.fromhex(pump["chain"]))
            case "pump.paired":
                tag = tablet_tag(str(body["tablet"]))
                return self if tag == self.own_tag else replace(self, peers=self.peers | {tag})
            case "pump.anchor":
                chain = bytes.fromhex(body["statement"]["chain"])
                first = self.seen.get(chain, int(body["statement"]["pump_time_s"]))
                return replace(self, seen={**self.seen, chain: first})
            case "change.intent":
                hashed = order_hash(bytes.fromhex(body["head"]), bytes.fromhex(body["order_digest"]))
                return replace(self, open_orders={**self.open_orders, body["txid"]: hashed})
            case "change.outcome" | "change.reconciled" if body["verdict"] != "in_doubt":
                rest = {txid: item for txid, item in self.open_orders.items() if txid != body["txid"]}
                return replace(self._applied(body.get("receipt")), open_orders=rest)
        return self

    def _applied(self, receipt: Mapping[str, Any] | None) -> "Known":
        if receipt is None or int(receipt["epoch"]) < self.epoch:
            return self
        return replace(self, epoch=int(receipt["epoch"]), chain=bytes.fromhex(receipt["chain"]))


def known_from(entries: Iterable[Mapping[str, Any]], patient: str, start: Known) -> Known:
    """``start`` and what these entries say of this patient's pump."""
    for entry in entries:
        if entry["patient"] == patient:
            start = start.learn(entry["type"], entry["body"], entry["pump"])
    return start


def compare(statement: Statement, known: Known) -> Verdict:
    """What a pump's statement means beside what is known; one verdict for every case."""
    if not statement.genuine:
        return Verdict.PUMP_IDENTITY
    ahead = statement.epoch - known.epoch
    if ahead == 0:
        return Verdict.AGREE if statement.chain == known.chain else Verdict.PUMP_CHAIN_MISMATCH
    if ahead < 0:
        return Verdict.PUMP_CHAIN_MISMATCH
    if statement.tablet_tag == known.own_tag:
        return _own(statement, known) if ahead == 1 else Verdict.ROLLBACK
    if statement.tablet_tag not in known.peers:
        return Verdict.FOREIGN_PROGRAM
    since = statement.pump_time_s - known.seen.get(statement.chain, statement.pump_time_s)
    return Verdict.PEER_PENDING if since <= PENDING_S else Verdict.FOREIGN_PROGRAM


def _own(statement: Statement, known: Known) -> Verdict:
    """One ahead by this tablet: an order that the log knows as open, on top of the history that it knows."""
    if statement.order_hash not in known.open_orders.values():
        return Verdict.ROLLBACK
    expected = next_chain(known.chain, statement.epoch, statement.order_hash, statement.tablet_tag)
    return Verdict.DANGLING_INTENT if statement.chain == expected else Verdict.PUMP_CHAIN_MISMATCH
