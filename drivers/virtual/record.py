"""What one memory slot says: program, refill, epoch, chain and outcome together, as canonical CBOR.

The slot in force and the other one hold the two newest outcomes; the rings hold these and older outcomes and the
tombstones. From these four places the whole `Memory` of the transaction is rebuilt at boot. A fifth holds what the
pump knows of credentials: the latest time it has ever seen, and the floor of the revocation epoch for each root.

An outcome goes to the ring as soon as its slot is whole. So a ring that is ahead of the slots tells that the newest
slot was lost: the program that is left is not the last signed one, and may not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from drivers.virtual import nvm
from drivers.virtual.nvm import OUTCOMES, TOMBSTONES, TRUST, Health
from protocol.credential import Trust
from protocol.errors import MalformedMessage
from protocol.messages import Committed, Discrepancy, Program
from protocol.order import CHAIN_START
from protocol.participant import OUTCOMES_KEPT, TOMBSTONES_KEPT, Memory
from protocol.wire_model import U32, Bytes8, Bytes16, Bytes32, Wire, WireModel

TXID_BYTES = 16


class Record(WireModel):
    """One decision. Times s of the pump clock, volumes nL. `outcome` is absent in the first record only."""

    program: Annotated[Program, Wire(0)]
    since_s: Annotated[U32, Wire(1, "s")]
    filled_nl: Annotated[U32, Wire(2, "nL")]
    filled_at_s: Annotated[U32, Wire(3, "s")]
    discrepancy: Annotated[Discrepancy, Wire(4)]
    head: Annotated[Bytes16, Wire(5)]
    outcome: Annotated[bytes, Wire(6)]
    order_hash: Annotated[Bytes32, Wire(7)]
    tablet_tag: Annotated[Bytes8, Wire(8)]
    tx_floor: Annotated[U32, Wire(9)]


@dataclass(frozen=True, slots=True)
class Booted:
    """What came out of the memory; `record` is None when nothing there can be trusted to be the last signed order."""

    health: Health
    record: Record | None
    memory: Memory


def _record(slot: nvm.Slot | None) -> Record | None:
    if slot is None:
        return None
    try:
        return Record.decode(slot.body)
    except MalformedMessage:
        return None


def _outcome(record: Record | None) -> Committed | None:
    return Committed.decode(record.outcome) if record is not None and record.outcome else None


def boot(image: bytes) -> Booted:
    """Read the memory after power-on."""
    found = nvm.boot(image)
    current = _record(found.current)
    outcomes = {o.epoch: o for o in (Committed.decode(entry.body) for entry in nvm.ring_entries(image, OUTCOMES))}
    for slot in (found.previous, found.current):
        newest = _outcome(_record(slot))
        if newest is not None:
            outcomes.setdefault(newest.epoch, newest)
    epoch = max(outcomes, default=0)
    if found.current is None or current is None:
        return Booted(Health.BOTH_BAD, None, _memory(image, epoch, outcomes, None, lost=True))
    if epoch > found.current.epoch:
        return Booted(Health.NEWEST_LOST, None, _memory(image, epoch, outcomes, None, lost=False))
    epoch = found.current.epoch
    if nvm.claims_newer(image, found.current):
        return Booted(Health.NEWEST_LOST, None, _memory(image, epoch, outcomes, None, lost=True))
    return Booted(found.health, current, _memory(image, epoch, outcomes, current, lost=False))


def _memory(image: bytes, epoch: int, outcomes: dict[int, Committed], record: Record | None, *, lost: bool) -> Memory:
    """What the pump knows of its transactions: the outcomes back from ``epoch`` without a gap, and the tombstones."""
    unbroken: list[Committed] = []
    while epoch - len(unbroken) in outcomes and len(unbroken) < OUTCOMES_KEPT:
        unbroken.insert(0, outcomes[epoch - len(unbroken)])
    buried = [entry.body for entry in nvm.ring_entries(image, TOMBSTONES)]
    floors = [int.from_bytes(body[TXID_BYTES:], "big") for body in buried]
    return Memory(
        epoch,
        unbroken[-1].chain if unbroken else CHAIN_START,
        tuple(unbroken),
        tuple(body[:TXID_BYTES] for body in buried)[-TOMBSTONES_KEPT:],
        max((*floors, 0 if record is None else record.tx_floor)),
        bytes(32) if record is None else record.order_hash,
        bytes(8) if record is None else record.tablet_tag,
        lost,
    )


def echo_writes(image: bytes) -> tuple[nvm.Write, ...]:
    """The write that completes the ring where power failed between a slot and its outcome in the ring."""
    newest = _outcome(_record(nvm.boot(image).current))
    return () if newest is None else _kept_writes(image, newest)


def _kept_writes(image: bytes, outcome: Committed) -> tuple[nvm.Write, ...]:
    body = outcome.encode()
    kept = {entry.body for entry in nvm.ring_entries(image, OUTCOMES)}
    return () if body in kept else nvm.ring_writes(image, OUTCOMES, body)


def decision_writes(image: bytes, epoch: int, record: Record) -> tuple[nvm.Write, ...]:
    """The writes of a commit: the slot, then its outcome to the ring. Up to the last byte of the slot the old decision
    is in force, from there on the new one."""
    overwritten, newest = _outcome(_record(nvm.boot(image).previous)), _outcome(record)
    first = () if overwritten is None else _kept_writes(image, overwritten)
    image = nvm.apply_writes(image, first)
    slot = nvm.slot_writes(image, epoch, record.encode())
    return (*first, *slot, *(() if newest is None else _kept_writes(image, newest)))


def tombstone_writes(image: bytes, memory: Memory) -> tuple[nvm.Write, ...]:
    """The writes that make the tombstones of `memory` durable that are not yet so.

    Each carries the floor. The ring has one place more than tombstones are kept, so that the place of one is only
    written over after an entry with a floor above it is whole.
    """
    kept = {entry.body[:TXID_BYTES] for entry in nvm.ring_entries(image, TOMBSTONES)}
    writes: tuple[nvm.Write, ...] = ()
    for txid in memory.tombstones:
        if txid not in kept:
            more = nvm.ring_writes(image, TOMBSTONES, txid + memory.tx_floor.to_bytes(4, "big"))
            image = nvm.apply_writes(image, more)
            writes += more
    return writes


def trust(image: bytes, roots: tuple[bytes, ...]) -> Trust:
    """What the memory says of the time and of revocations; an entry that is torn leaves the one before it."""
    first = Trust.of(roots)
    entries = nvm.ring_entries(image, TRUST)
    if not entries:
        return first
    numbers = [int.from_bytes(entries[-1].body[at : at + 4], "big") for at in range(0, len(entries[-1].body), 4)]
    return Trust(roots, (*numbers[1:], *first.floors)[: len(roots)], numbers[0])


def trust_writes(image: bytes, after: Trust) -> tuple[nvm.Write, ...]:
    """The writes that make the latest time and the floors durable; none where the memory says it already."""
    if trust(image, after.roots) == after:
        return ()
    body = b"".join(number.to_bytes(4, "big") for number in (after.latest_s, *after.floors))
    return nvm.ring_writes(image, TRUST, body)
