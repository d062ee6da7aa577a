"""Power lost after every byte of every write, with three kinds of remainder: whole old or whole new."""

import random

import pytest

from drivers.virtual import nvm
from drivers.virtual.nvm import OUTCOMES, TOMBSTONES, Health

OLD, NEW = b"old program" * 9, b"new program, longer" * 11


def _random_bytes(n):
    return random.Random(n).randbytes(n)


REMAINDERS = {"old bytes": None, "erased": lambda n: b"\xff" * n, "random": _random_bytes}


def _committed(*bodies):
    image = nvm.blank()
    for epoch, body in enumerate(bodies, start=1):
        image = nvm.apply_writes(image, nvm.slot_writes(image, epoch, body))
    return image


@pytest.mark.parametrize("name", REMAINDERS)
@pytest.mark.parametrize("before", [(OLD,), (b"first", OLD)])
def test_torn_slot_write_boots_whole_old_or_whole_new(name, before):
    image = nvm.apply_writes(_committed(*before), nvm.ring_writes(_committed(*before), OUTCOMES, b"history"))
    epoch = len(before)
    writes = nvm.slot_writes(image, epoch + 1, NEW)
    size = sum(len(w.data) for w in writes)
    seen = set()
    for k in range(size + 1):
        after = nvm.apply_writes(image, writes, k, REMAINDERS[name])
        current = nvm.boot(after).current
        assert (current.epoch, current.body) in ((epoch, OLD), (epoch + 1, NEW))
        assert [e.body for e in nvm.ring_entries(after, OUTCOMES)] == [b"history"]
        seen.add(current.body)
        again = nvm.apply_writes(after, nvm.slot_writes(after, current.epoch + 1, b"later"))
        assert nvm.boot(again).current.body == b"later"
    assert seen == {OLD, NEW}
    assert nvm.boot(nvm.apply_writes(image, writes, size - 1, REMAINDERS[name])).current.body == OLD


@pytest.mark.parametrize("name", REMAINDERS)
@pytest.mark.parametrize("ring", [OUTCOMES, TOMBSTONES])
def test_torn_ring_write_costs_at_most_the_oldest_entry(ring, name):
    image = nvm.blank()
    for n in range(ring.entries + 3):
        image = nvm.apply_writes(image, nvm.ring_writes(image, ring, b"entry %d" % n))
    held = [e.body for e in nvm.ring_entries(image, ring)]
    assert held == [b"entry %d" % n for n in range(3, ring.entries + 3)]
    writes = nvm.ring_writes(image, ring, b"newest")
    for k in range(len(writes[0].data) + 1):
        after = nvm.apply_writes(image, writes, k, REMAINDERS[name])
        bodies = [e.body for e in nvm.ring_entries(after, ring)]
        assert bodies in (held, held[1:], [*held[1:], b"newest"])


def test_health_words():
    assert nvm.boot(nvm.blank()).health is Health.BOTH_BAD
    assert nvm.boot(_committed(OLD)).health is Health.GOOD
    image = bytearray(_committed(OLD, NEW))
    image[20] ^= 1
    found = nvm.boot(bytes(image))
    assert (found.health, found.current.body) == (Health.SLOT_BAD, NEW)
    image[nvm.SLOT_SIZE + 20] ^= 1
    assert nvm.boot(bytes(image)).health is Health.BOTH_BAD


def test_equal_epochs_with_different_bodies_are_both_bad():
    a, b = _committed(OLD), _committed(NEW)
    image = a[: nvm.SLOT_SIZE] + b[: nvm.SLOT_SIZE] + a[2 * nvm.SLOT_SIZE :]
    assert nvm.boot(image).health is Health.BOTH_BAD
    same = a[: nvm.SLOT_SIZE] + a[: nvm.SLOT_SIZE] + a[2 * nvm.SLOT_SIZE :]
    assert nvm.boot(same).current.body == OLD


def test_a_slot_is_512_bytes_and_the_epoch_never_wraps():
    image = nvm.blank()
    full = nvm.apply_writes(image, nvm.slot_writes(image, nvm.EPOCH_MAX, bytes(nvm.BODY_MAX)))
    assert nvm.boot(full).current.epoch == nvm.EPOCH_MAX
    assert len(full) == nvm.IMAGE_SIZE
    for epoch, body in ((1, bytes(nvm.BODY_MAX + 1)), (-1, b""), (nvm.EPOCH_MAX + 1, b"")):
        with pytest.raises(nvm.SlotError):
            nvm.slot_writes(image, epoch, body)
    with pytest.raises(nvm.SlotError):
        nvm.slot_writes(full, nvm.EPOCH_MAX, b"x")
    with pytest.raises(nvm.SlotError):
        nvm.ring_writes(image, OUTCOMES, bytes(OUTCOMES.body_max + 1))


def test_every_flipped_bit_of_the_slot_in_force_is_noticed():
    image = _committed(OLD)
    used = nvm.OVERHEAD + len(OLD)
    for byte in range(used):
        broken = bytearray(image)
        broken[byte] ^= 1 << (byte % 8)
        assert nvm.read_slot(bytes(broken), 0) is None
