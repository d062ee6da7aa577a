"""The secure session: what is bound, when keys change, when it ends."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol import session as s
from protocol.errors import NoiseError, TagFailure
from protocol.noise import CipherState, HandshakeState

TABLET, PUMP, PSK = b"\x11" * 32, b"\x22" * 32, b"\x33" * 32
HELLO_TABLET, HELLO_PUMP = bytes.fromhex("a100185a"), bytes.fromhex("a1001869")
KEY = b"\x77" * 32
KIND = 0x10


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def initiator(**changed: object) -> HandshakeState:
    given: dict[str, object] = {
        "keys": s.TabletKeys("T-1", TABLET),
        "pairing": s.Pairing("VP-1", public(PUMP), PSK),
        "ephemeral": b"\x44" * 32,
        "hello_tablet": HELLO_TABLET,
        "hello_pump": HELLO_PUMP,
    }
    return s.tablet_handshake(**{**given, **changed})  # type: ignore[arg-type]


def responder(**changed: object) -> HandshakeState:
    given: dict[str, object] = {
        "keys": s.PumpKeys("VP-1", PUMP),
        "tablet": s.PairedTablet("T-1", public(TABLET), PSK),
        "ephemeral": b"\x55" * 32,
        "hello_tablet": HELLO_TABLET,
        "hello_pump": HELLO_PUMP,
    }
    return s.pump_handshake(**{**given, **changed})  # type: ignore[arg-type]


def test_the_prologue_has_the_bytes_put_together_by_hand() -> None:
    name = b"Noise_KKpsk0_25519_ChaChaPoly_SHA256"
    assert s.prologue("VP-1", "T-1", HELLO_TABLET, HELLO_PUMP).hex() == (
        f"89 78{len(name):02x}{name.hex()} 01 64{b'VP-1'.hex()} 63{b'T-1'.hex()} 01"
        f" 44{HELLO_TABLET.hex()} 44{HELLO_PUMP.hex()} 420102 f4"
    ).replace(" ", "")


def test_two_sides_that_agree_share_keys_and_hash() -> None:
    ours, theirs = initiator(), responder()
    first = ours.write_message(b"")
    theirs.read_message(first)
    second = theirs.write_message(b"")
    ours.read_message(second)
    assert (len(first), len(second)) == (48, 48)
    assert ours.handshake_hash == theirs.handshake_hash
    sealed = s.Channel(ours.split()[0], s.Direction.TO_PUMP).seal(KIND, b"hello")
    assert s.Channel(theirs.split()[0], s.Direction.TO_PUMP).open(KIND, sealed) == b"hello"


DIFFERENT: dict[str, dict[str, object]] = {
    "pairing key": {"tablet": s.PairedTablet("T-1", public(TABLET), b"\x34" * 32)},
    "tablet key": {"tablet": s.PairedTablet("T-1", public(b"\x12" * 32), PSK)},
    "tablet id": {"tablet": s.PairedTablet("T-2", public(TABLET), PSK)},
    "pump key": {"keys": s.PumpKeys("VP-1", b"\x23" * 32)},
    "pump serial": {"keys": s.PumpKeys("VP-2", PUMP)},
    "hellos swapped": {"hello_tablet": HELLO_PUMP, "hello_pump": HELLO_TABLET},
}


@pytest.mark.parametrize("changed", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_whatever_differs_breaks_the_first_message(changed: dict[str, object]) -> None:
    with pytest.raises(NoiseError):
        responder(**changed).read_message(initiator().write_message(b""))


@pytest.mark.parametrize("which", ["hello_tablet", "hello_pump"])
@pytest.mark.parametrize("bit", range(32))
def test_every_bit_of_either_hello_is_bound(which: str, bit: int) -> None:
    good = {"hello_tablet": HELLO_TABLET, "hello_pump": HELLO_PUMP}[which]
    bad = (int.from_bytes(good, "big") ^ 1 << bit).to_bytes(4, "big")
    with pytest.raises(TagFailure):
        responder(**{which: bad}).read_message(initiator().write_message(b""))


def pair(direction: s.Direction = s.Direction.TO_PUMP) -> tuple[s.Channel, s.Channel]:
    return s.Channel(CipherState(KEY), direction), s.Channel(CipherState(KEY), direction)


def test_the_associated_data_are_the_bytes_put_together_by_hand() -> None:
    seal, _ = pair()
    reference = CipherState(KEY)
    for number in range(3):
        # version, direction, address and kind, sequence, length of the text
        data = bytes([1, 1, KIND, number, 0, 5])
        assert seal.seal(KIND, b"hello") == reference.encrypt_with_ad(data, b"hello")


def test_the_direction_is_bound() -> None:
    sealed = pair()[0].seal(KIND, b"hello")
    with pytest.raises(TagFailure):
        pair(s.Direction.FROM_PUMP)[1].open(KIND, sealed)


def test_address_and_kind_are_bound() -> None:
    sealed = pair()[0].seal(KIND, b"hello")
    with pytest.raises(TagFailure):
        pair()[1].open(KIND + 1, sealed)


def test_the_place_in_the_sequence_is_bound() -> None:
    seal, opened = pair()
    first, second = seal.seal(KIND, b"one"), seal.seal(KIND, b"two")
    assert opened.open(KIND, first) == b"one"
    with pytest.raises(TagFailure):
        opened.open(KIND, first)
    with pytest.raises(TagFailure):
        pair()[1].open(KIND, second)


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: data + b"\0", lambda data: bytes([data[0] ^ 128]) + data[1:]],
    ids=["shorter", "longer", "a bit"],
)
def test_a_changed_frame_does_not_open(change: Callable[[bytes], bytes]) -> None:
    seal, opened = pair()
    with pytest.raises(TagFailure):
        opened.open(KIND, change(seal.seal(KIND, b"hello")))


@pytest.mark.parametrize("size", [0, 1, 15])
def test_what_is_too_short_for_a_tag_is_a_failed_tag(size: int) -> None:
    with pytest.raises(TagFailure):
        pair()[1].open(KIND, bytes(size))


def test_an_empty_text_has_its_sixteen_bytes_of_tag() -> None:
    seal, opened = pair()
    sealed = seal.seal(KIND, b"")
    assert len(sealed) == 16
    assert opened.open(KIND, sealed) == b""


def test_the_key_changes_after_every_256_frames() -> None:
    seal, opened = pair()
    reference = CipherState(KEY)
    for number in range(513):
        if number in (256, 512):
            reference.rekey()
        assert seal.seq == number & 0xFF
        sealed = seal.seal(KIND, b"x")
        assert sealed == reference.encrypt_with_ad(bytes([1, 1, KIND, number & 0xFF, 0, 1]), b"x"), number
        assert opened.open(KIND, sealed) == b"x"


def test_a_channel_is_used_up_after_16384_frames() -> None:
    seal, _ = pair()
    for _ in range(16_383):
        seal.seal(KIND, b"")
    assert not seal.exhausted
    seal.seal(KIND, b"")
    assert seal.exhausted
