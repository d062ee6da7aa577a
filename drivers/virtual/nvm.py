"""The pump's memory that survives power loss: two slots for the program, a ring for outcomes.

A slot holds one whole decision (program, epoch, transaction, outcome) as bytes of the firmware's choosing:
    magic 4 | layout 1 | epoch 4 | length 2 | body | CRC-32 4      (big endian, 512 bytes at most)
A commit writes the slot that is *not* in force: erase magic, header and body, CRC, magic last. Power may
fail after any byte: what boots is the whole old or the whole new decision. The ring keeps older outcomes
and tombstones, each entry with its own sequence number and CRC; the oldest gives way.

Everything here is pure: an image is bytes, a change is a tuple of writes, `apply_writes` may stop after
any byte with a chosen remainder. Source: the classic A/B slot scheme with a validity mark written last.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

SLOT_SIZE = 512
MAGIC = b"ITB1"
LAYOUT = 1
ERASED = b"\xff"
HEAD = 11
OVERHEAD = HEAD + 4
BODY_MAX = SLOT_SIZE - OVERHEAD
EPOCH_MAX = 0xFFFF_FFFF

RING_MARK = 0x52
RING_HEAD = 7


@dataclass(frozen=True, slots=True)
class Ring:
    """Where a ring lies: `entries` places of `stride` bytes from `start` on."""

    start: int
    stride: int
    entries: int

    @property
    def body_max(self) -> int:
        """Longest body of one entry."""
        return self.stride - RING_HEAD - 4

    @property
    def end(self) -> int:
        """First byte after the ring."""
        return self.start + self.stride * self.entries


OUTCOMES = Ring(2 * SLOT_SIZE, 256, 32)
TOMBSTONES = Ring(OUTCOMES.end, 32, 64)
TRUST = Ring(TOMBSTONES.end, 32, 4)
IMAGE_SIZE = TRUST.end


class SlotError(ValueError):
    """The memory cannot hold this: shorten the record, or stop writing at the highest epoch."""


class Health(Enum):
    """What boot found: both slots usable (or one still blank), the older one damaged or half written, the newest one
    lost, nothing to trust."""

    GOOD = "GOOD"
    SLOT_BAD = "SLOT_BAD"
    NEWEST_LOST = "NEWEST_LOST"
    BOTH_BAD = "MEMORY_CRITICAL"


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision as read back. `index` 0 or 1, `epoch` 0..2^32-1."""

    index: int
    epoch: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Boot:
    """`current` is the valid slot of the highest epoch, `previous` the other if it is valid too."""

    health: Health
    current: Slot | None
    previous: Slot | None


@dataclass(frozen=True, slots=True)
class Write:
    """`data` goes to `offset`, byte after byte."""

    offset: int
    data: bytes


def blank() -> bytes:
    """An erased memory."""
    return ERASED * IMAGE_SIZE


def read_slot(image: bytes, index: int) -> Slot | None:
    """The slot if magic, layout, length and CRC all hold, else None."""
    raw = image[index * SLOT_SIZE : (index + 1) * SLOT_SIZE]
    length = int.from_bytes(raw[9:11], "big")
    if raw[:4] != MAGIC or raw[4] != LAYOUT or length > BODY_MAX:
        return None
    end = HEAD + length
    if zlib.crc32(raw[4:end]).to_bytes(4, "big") != raw[end : end + 4]:
        return None
    return Slot(index, int.from_bytes(raw[5:9], "big"), raw[HEAD:end])


def _is_blank(image: bytes, index: int) -> bool:
    return image[index * SLOT_SIZE : (index + 1) * SLOT_SIZE] == ERASED * SLOT_SIZE


def boot(image: bytes) -> Boot:
    """Choose the slot in force. Two valid slots of one epoch and different bodies are both bad."""
    slots = [read_slot(image, 0), read_slot(image, 1)]
    valid = sorted((s for s in slots if s is not None), key=lambda s: s.epoch, reverse=True)
    if not valid:
        return Boot(Health.BOTH_BAD, None, None)
    if len(valid) == 2:
        if valid[0].epoch == valid[1].epoch and valid[0].body != valid[1].body:
            return Boot(Health.BOTH_BAD, None, None)
        return Boot(Health.GOOD, valid[0], valid[1])
    health = Health.GOOD if _is_blank(image, 1 - valid[0].index) else Health.SLOT_BAD
    return Boot(health, valid[0], None)


def claims_newer(image: bytes, slot: Slot) -> bool:
    """Whether the other slot was written to its end, cannot be read, and says that it was newer than ``slot``. A write
    that power cut short never says so: the mark comes last."""
    other = 1 - slot.index
    raw = image[other * SLOT_SIZE : (other + 1) * SLOT_SIZE]
    return read_slot(image, other) is None and raw[:4] == MAGIC and int.from_bytes(raw[5:9], "big") > slot.epoch


def slot_writes(image: bytes, epoch: int, body: bytes) -> tuple[Write, ...]:
    """The writes that put a new decision into the slot not in force. Raises SlotError if it cannot fit,
    or if the epoch does not rise (it never wraps)."""
    if len(body) > BODY_MAX:
        raise SlotError(f"a program record has at most {BODY_MAX} bytes, this one has {len(body)}")
    current = boot(image).current
    if not 0 <= epoch <= EPOCH_MAX or (current is not None and epoch <= current.epoch):
        raise SlotError("the program counter must rise, and never wraps: at its end the pump is read only")
    base = 0 if current is None else (1 - current.index) * SLOT_SIZE
    head = bytes([LAYOUT]) + epoch.to_bytes(4, "big") + len(body).to_bytes(2, "big") + body
    return (
        Write(base, ERASED * 4),
        Write(base + 4, head),
        Write(base + 4 + len(head), zlib.crc32(head).to_bytes(4, "big")),
        Write(base, MAGIC),
    )


@dataclass(frozen=True, slots=True)
class RingEntry:
    """One older outcome or tombstone; `seq` rises by one and never repeats."""

    seq: int
    body: bytes


def ring_entries(image: bytes, ring: Ring) -> tuple[RingEntry, ...]:
    """All whole entries, oldest first; a torn one is not there."""
    found = []
    for start in range(ring.start, ring.end, ring.stride):
        raw = image[start : start + ring.stride]
        length = int.from_bytes(raw[5:7], "big")
        end = RING_HEAD + length
        if raw[0] != RING_MARK or length > ring.body_max:
            continue
        if zlib.crc32(raw[:end]).to_bytes(4, "big") == raw[end : end + 4]:
            found.append(RingEntry(int.from_bytes(raw[1:5], "big"), raw[RING_HEAD:end]))
    return tuple(sorted(found, key=lambda e: e.seq))


def ring_writes(image: bytes, ring: Ring, body: bytes) -> tuple[Write, ...]:
    """The write that appends an entry, over the oldest one if the ring is full."""
    if len(body) > ring.body_max:
        raise SlotError(f"an entry of this ring has at most {ring.body_max} bytes, this one has {len(body)}")
    entries = ring_entries(image, ring)
    seq = entries[-1].seq + 1 if entries else 0
    head = bytes([RING_MARK]) + seq.to_bytes(4, "big") + len(body).to_bytes(2, "big") + body
    record = head + zlib.crc32(head).to_bytes(4, "big")
    return (Write(ring.start + (seq % ring.entries) * ring.stride, record),)


def apply_writes(
    image: bytes,
    writes: tuple[Write, ...],
    stop_after: int | None = None,
    remainder: Callable[[int], bytes] | None = None,
) -> bytes:
    """The image after the writes; with `stop_after` power fails after that many bytes in all, and the rest
    of the write under way becomes `remainder(n)` (None: the old bytes stay)."""
    data = bytearray(image)
    left = sum(len(w.data) for w in writes) if stop_after is None else stop_after
    for write in writes:
        part = write.data[:left]
        data[write.offset : write.offset + len(part)] = part
        left -= len(part)
        missing = len(write.data) - len(part)
        if missing:
            if remainder is not None:
                at = write.offset + len(part)
                data[at : at + missing] = remainder(missing)
            break
    return bytes(data)
