"""Noise: every byte of the public vectors, and everything the engine must refuse."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol import noise
from protocol.errors import (
    HandshakeMisuse,
    MalformedHandshake,
    NoiseError,
    NonceExhausted,
    ReflectedKey,
    TagFailure,
    UnknownPattern,
)
from protocol.noise import CipherState, HandshakeState, VectorKeys, noise_vector, public_key
from tests.vectors import vectors

KK = "Noise_KKpsk0_25519_ChaChaPoly_SHA256"
XX = "Noise_XXpsk3_25519_ChaChaPoly_SHA256"
NK = "Noise_NKpsk0_25519_ChaChaPoly_SHA256"
S_I, S_R, E_I, E_R, PSK = (bytes([n]) * 32 for n in (0x11, 0x22, 0x33, 0x44, 0x55))


def pair(name: str = KK, **resp: Any) -> tuple[HandshakeState, HandshakeState]:
    """Both sides of a handshake with fixed keys; ``resp`` changes the responder's arguments."""
    statics: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        KK: ({"s": S_I, "rs": public_key(S_R)}, {"s": S_R, "rs": public_key(S_I)}),
        XX: ({"s": S_I}, {"s": S_R}),
        NK: ({"rs": public_key(S_R)}, {"s": S_R}),
    }
    mine, theirs = statics[name]
    common: dict[str, Any] = {"prologue": b"hello", "psks": (PSK,)}
    return (
        HandshakeState(name, initiator=True, e=E_I, **common, **mine),
        HandshakeState(name, initiator=False, **{"e": E_R, **common, **theirs, **resp}),
    )


def run(one: HandshakeState, two: HandshakeState) -> list[bytes]:
    messages = []
    while not one.complete:
        writer, reader = (one, two) if one.my_turn else (two, one)
        messages.append(writer.write_message(b""))
        assert reader.read_message(messages[-1]) == b""
    return messages


def side(vector: dict[str, Any], who: str) -> VectorKeys:
    def get(name: str) -> bytes | None:
        text = vector.get(f"{who}_{name}")
        return None if text is None else bytes.fromhex(text)

    return VectorKeys(
        prologue=bytes.fromhex(vector[f"{who}_prologue"]),
        ephemeral=bytes.fromhex(vector[f"{who}_ephemeral"]),
        static=get("static"),
        remote_static=get("remote_static"),
        psks=tuple(bytes.fromhex(psk) for psk in vector[f"{who}_psks"]),
    )


def is_in_the_table(name: str) -> bool:
    try:
        noise.parse_name(name)
    except UnknownPattern:
        return False
    return True


def test_public_vectors_give_every_byte_and_hash() -> None:
    found = vectors("noise/cacophony_vectors.json")["vectors"]
    counts = {"run": 0, "not run": 0}
    for vector in found:
        if not is_in_the_table(vector["protocol_name"]):
            counts["not run"] += 1
            continue
        counts["run"] += 1
        payloads = [bytes.fromhex(message["payload"]) for message in vector["messages"]]
        name = vector["protocol_name"]
        messages, h = noise_vector(name, side(vector, "init"), side(vector, "resp"), payloads)
        assert [m.hex() for m in messages] == [m["ciphertext"] for m in vector["messages"]], name
        assert h.hex() == vector["handshake_hash"]
    # Three patterns with two hashes each; a vector of another pattern would be counted, not run.
    assert counts == {"run": 6, "not run": 0}
    assert {vector["protocol_name"] for vector in found} >= {KK, XX, NK}


# With the fixed keys above; recorded from this engine, which gives every byte of the public vectors.
GOLDEN = [
    (
        KK,
        "e0722ea2a7758b2490cd8e6a2864123c",
        "4eb34763ea94054af493310f9d79debf749b160f3a96e61e0a63eca54ccc4b2f",
        "b36e51caa2d93c0a789e560fe903217934e3ce67",
    ),
    (
        XX,
        "bd86bab5d092eebb14949f0a1cd6aa73",
        "f420c2d7405dc9a89089e0dea6305e773e64a51f9f255e1eb5e14a0c2d3bbe65",
        "85da0d610b2ebad983c357a0d4a9d6b6d58be5e2",
    ),
    (
        NK,
        "25e9a137b5e3bdaefdd2c20534aa5c7f",
        "b9e0526acb293c499560e12794f63cf9e1faf5acc239666586f0fac8e1b514a8",
        "ab564b74bd184fff778c01df779210da63a42db0",
    ),
]


@pytest.mark.parametrize("name, last_tag, h, first_transport", GOLDEN)
def test_golden_handshakes(name: str, last_tag: str, h: str, first_transport: str) -> None:
    one, two = pair(name)
    assert run(one, two)[-1][-16:].hex() == last_tag
    assert (one.handshake_hash.hex(), two.handshake_hash.hex()) == (h, h)
    assert one.split()[0].encrypt_with_ad(b"ad", b"text").hex() == first_transport


@pytest.mark.parametrize("name, sizes", [(KK, [48, 48]), (XX, [48, 96, 64]), (NK, [48, 48])])
def test_message_sizes_with_empty_payloads(name: str, sizes: list[int]) -> None:
    one, two = pair(name)
    assert [len(message) for message in run(one, two)] == sizes
    assert one.complete
    assert two.complete
    assert one.handshake_hash == two.handshake_hash
    ours, theirs = one.split(), two.split()
    assert theirs[0].decrypt_with_ad(b"ad", ours[0].encrypt_with_ad(b"ad", b"to pump")) == b"to pump"
    assert ours[1].decrypt_with_ad(b"", theirs[1].encrypt_with_ad(b"", b"back")) == b"back"


@pytest.mark.parametrize("name", [KK, XX, NK])
def test_any_changed_bit_of_a_handshake_message_ends_it(name: str) -> None:
    steps = len(run(*pair(name)))
    for step in range(steps):
        one, two = pair(name)
        for _ in range(step):
            writer, reader = (one, two) if one.my_turn else (two, one)
            reader.read_message(writer.write_message(b""))
        size = len((one if one.my_turn else two).write_message(b""))
        for bit in range(0, size * 8, 7):
            one, two = pair(name)
            for _ in range(step):
                writer, reader = (one, two) if one.my_turn else (two, one)
                reader.read_message(writer.write_message(b""))
            writer, reader = (one, two) if one.my_turn else (two, one)
            message = bytearray(writer.write_message(b""))
            message[bit // 8] ^= 1 << bit % 8
            with pytest.raises(TagFailure):
                reader.read_message(bytes(message))
            with pytest.raises(HandshakeMisuse, match="failed"):
                reader.write_message(b"")


@pytest.mark.parametrize(
    "changed",
    [
        {"prologue": b"hellp"},
        {"psks": (bytes(32),)},
        {"s": bytes([0x23]) * 32},
        {"rs": public_key(bytes([0x12]) * 32)},
    ],
)
def test_different_knowledge_fails_at_the_first_message(changed: dict[str, Any]) -> None:
    one, two = pair(KK, **changed)
    with pytest.raises(TagFailure):
        two.read_message(one.write_message(b""))


def test_reflection_is_refused() -> None:
    with pytest.raises(ReflectedKey):
        HandshakeState(KK, initiator=True, prologue=b"", e=E_I, s=S_I, rs=public_key(S_I), psks=(PSK,))
    one, _ = pair(KK)
    echo = one.write_message(b"")
    with pytest.raises(ReflectedKey):
        one.read_message(echo)
    one, two = pair(XX, s=S_I)
    two.read_message(one.write_message(b""))
    with pytest.raises(ReflectedKey):
        one.read_message(two.write_message(b""))


@pytest.mark.parametrize(
    "name",
    [
        "",
        KK + "_",
        KK.replace("25519", "448"),
        KK.replace("ChaChaPoly", "AESGCM"),
        KK.replace("SHA256", "BLAKE2s"),
        KK.replace("KKpsk0", "NNpsk0"),
        KK.replace("psk0", "psk3"),
        KK.replace("psk0", "psk0+psk0"),
        KK.replace("psk0", "fallback"),
        KK.replace("Noise", "noise"),
    ],
)
def test_names_outside_the_table_are_refused(name: str) -> None:
    with pytest.raises(UnknownPattern):
        noise.parse_name(name)


@pytest.mark.parametrize(
    "name, arguments",
    [
        (KK, {"rs": public_key(S_R), "psks": (PSK,)}),
        (KK, {"s": S_I, "psks": (PSK,)}),
        (KK, {"s": S_I, "rs": public_key(S_R)}),
        (KK, {"s": S_I, "rs": public_key(S_R), "psks": (PSK, PSK)}),
        (KK, {"s": S_I, "rs": public_key(S_R), "psks": (PSK[:31],)}),
        (KK, {"s": S_I[:31], "rs": public_key(S_R), "psks": (PSK,)}),
        (KK, {"s": S_I, "rs": public_key(S_R)[:31], "psks": (PSK,)}),
        (NK, {"s": S_I, "rs": public_key(S_R), "psks": (PSK,)}),
        (XX, {"s": S_I, "rs": public_key(S_R), "psks": (PSK,)}),
    ],
)
def test_keys_that_do_not_fit_the_pattern_are_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(HandshakeMisuse):
        HandshakeState(name, initiator=True, prologue=b"", e=E_I, **arguments)


def test_steps_out_of_turn_are_refused_without_harm() -> None:
    one, two = pair()
    for attempt in (lambda: two.write_message(b""), lambda: one.read_message(bytes(48)), one.split):
        with pytest.raises(HandshakeMisuse):
            attempt()
    run(one, two)
    for attempt in (lambda: one.write_message(b""), lambda: two.read_message(bytes(48))):
        with pytest.raises(HandshakeMisuse):
            attempt()


@pytest.mark.parametrize("size", [0, 31, 32, 47])
def test_a_message_cut_short_is_malformed(size: int) -> None:
    one, two = pair()
    message = one.write_message(b"")
    with pytest.raises(MalformedHandshake):
        two.read_message(message[:size])


def test_a_message_over_65535_bytes_is_malformed() -> None:
    one, two = pair()
    with pytest.raises(MalformedHandshake):
        two.read_message(bytes(65_536))
    with pytest.raises(MalformedHandshake):
        one.write_message(bytes(65_535))


def test_a_failed_tag_does_not_move_the_nonce() -> None:
    one, two = pair()
    run(one, two)
    sender, receiver = one.split()[0], two.split()[0]
    sealed = sender.encrypt_with_ad(b"ad", b"text")
    for wrong_ad, wrong in (
        (b"ae", sealed),
        (b"ad", sealed[:-1]),
        (b"ad", b""),
        (b"ad", sealed[:-1] + b"\x00"),
    ):
        with pytest.raises(TagFailure):
            receiver.decrypt_with_ad(wrong_ad, wrong)
    assert receiver.n == 0
    assert receiver.decrypt_with_ad(b"ad", sealed) == b"text"
    with pytest.raises(TagFailure):
        receiver.decrypt_with_ad(b"ad", sealed)


def test_rekey_agrees_on_both_sides_and_keeps_the_nonce() -> None:
    one, two = CipherState(PSK), CipherState(PSK)
    two.decrypt_with_ad(b"", one.encrypt_with_ad(b"", b"before"))
    one.rekey()
    sealed = one.encrypt_with_ad(b"", b"after")
    with pytest.raises(TagFailure):
        two.decrypt_with_ad(b"", sealed)
    two.rekey()
    assert two.decrypt_with_ad(b"", sealed) == b"after"
    assert (one.n, two.n) == (2, 2)
    # REKEY(k): the first 32 bytes of ENCRYPT(k, 2^64-1, empty, 32 zeros), section 4.2.
    assert one.k == ChaCha20Poly1305(PSK).encrypt(bytes(4) + b"\xff" * 8, bytes(32), b"")[:32]
    with pytest.raises(HandshakeMisuse):
        CipherState().rekey()


def test_the_last_nonce_is_reserved() -> None:
    cipher = CipherState(PSK)
    cipher.n = 2**64 - 2
    cipher.encrypt_with_ad(b"", b"last")
    with pytest.raises(NonceExhausted):
        cipher.encrypt_with_ad(b"", b"one too many")
    with pytest.raises(NonceExhausted):
        cipher.decrypt_with_ad(b"", bytes(16))


def test_every_error_tells_what_to_do() -> None:
    kinds: list[type[NoiseError]] = [NoiseError, *NoiseError.__subclasses__()]
    for kind in kinds:
        assert kind.advice in str(kind("found"))
        assert kind.advice.endswith(".")
