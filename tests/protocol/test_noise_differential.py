"""The engine against two independent ones: the same bytes in both roles, the same ``h``, the same transport keys.

``noiseprotocol`` 0.3.1 and ``dissononce`` 0.34.3 are test dependencies only. Each is driven with fixed ephemeral keys:
the first takes them as given (and warns of it), the second has its key generator replaced for one handshake.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.x25519.private import PrivateKey
from dissononce.dh.x25519.public import PublicKey
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.hash.sha256 import SHA256Hash
from dissononce.hash.sha512 import SHA512Hash
from dissononce.processing.handshakepatterns.interactive.KK import KKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.NK import NKHandshakePattern
from dissononce.processing.handshakepatterns.interactive.XX import XXHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState as TheirCipherState
from dissononce.processing.impl.handshakestate import HandshakeState as TheirHandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState as TheirSymmetricState
from dissononce.processing.modifiers.psk import PSKPatternModifier
from hypothesis import given, settings
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection

from protocol.noise import CipherState, HandshakeState, public_key

PSK_OF = {"KK": "psk0", "NK": "psk0", "XX": "psk3"}
SESSION_NAMES = [f"Noise_{pattern}{psk}_25519_ChaChaPoly_SHA256" for pattern, psk in PSK_OF.items()]
NAMES = [
    f"Noise_{pattern}{modifier}_25519_ChaChaPoly_{hash_name}"
    for pattern in PSK_OF
    for modifier in ("", "psk0", "psk1", "psk2", "psk0+psk2", *(("psk3",) if pattern == "XX" else ()))
    for hash_name in ("SHA256", "SHA512")
]


@dataclass(frozen=True)
class Knowledge:
    """What one side knows before a handshake."""

    name: str
    initiator: bool
    prologue: bytes
    e: bytes
    s: bytes | None
    rs: bytes | None
    psks: tuple[bytes, ...]


class Ours:
    """This project's engine."""

    def __init__(self, known: Knowledge) -> None:
        self._side = HandshakeState(
            known.name,
            initiator=known.initiator,
            prologue=known.prologue,
            e=known.e,
            s=known.s,
            rs=known.rs,
            psks=known.psks,
        )
        self._initiator = known.initiator
        self._ciphers: tuple[CipherState, CipherState] | None = None

    def write(self, payload: bytes) -> bytes:
        return self._side.write_message(payload)

    def read(self, message: bytes) -> bytes:
        return self._side.read_message(message)

    @property
    def h(self) -> bytes:
        return self._side.handshake_hash

    def _cipher(self, sending: bool) -> CipherState:
        self._ciphers = self._ciphers or self._side.split()
        return self._ciphers[0 if sending is self._initiator else 1]

    def seal(self, text: bytes) -> bytes:
        return self._cipher(True).encrypt_with_ad(b"", text)

    def open(self, sealed: bytes) -> bytes:
        return self._cipher(False).decrypt_with_ad(b"", sealed)


class Noiseprotocol:
    """The package ``noiseprotocol``; it tells ``h`` once the handshake is complete."""

    def __init__(self, known: Knowledge) -> None:
        self._side = NoiseConnection.from_name(known.name.encode())
        if known.initiator:
            self._side.set_as_initiator()
        else:
            self._side.set_as_responder()
        self._side.set_prologue(known.prologue)
        if known.psks:
            self._side.set_psks(psks=list(known.psks))
        self._side.set_keypair_from_private_bytes(Keypair.EPHEMERAL, known.e)
        if known.s is not None:
            self._side.set_keypair_from_private_bytes(Keypair.STATIC, known.s)
        if known.rs is not None:
            self._side.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, known.rs)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="One of ephemeral keypairs is already set")
            self._side.start_handshake()

    def write(self, payload: bytes) -> bytes:
        return bytes(self._side.write_message(payload))

    def read(self, message: bytes) -> bytes:
        return bytes(self._side.read_message(message))

    @property
    def h(self) -> bytes:
        return bytes(self._side.get_handshake_hash())

    def seal(self, text: bytes) -> bytes:
        return bytes(self._side.encrypt(text))

    def open(self, sealed: bytes) -> bytes:
        return bytes(self._side.decrypt(sealed))


class _FixedDH(X25519DH):
    """X25519 whose next key pair is the one given."""

    def __init__(self, private: bytes) -> None:
        super().__init__()
        self._fixed = private

    def generate_keypair(self, privatekey: Any = None) -> Any:
        return super().generate_keypair(privatekey or PrivateKey(self._fixed))


class Dissononce:
    """The package ``dissononce``; ``h`` is read from its symmetric state."""

    PATTERNS = {"KK": KKHandshakePattern, "NK": NKHandshakePattern, "XX": XXHandshakePattern}  # noqa: RUF012
    HASHES = {"SHA256": SHA256Hash, "SHA512": SHA512Hash}  # noqa: RUF012

    def __init__(self, known: Knowledge) -> None:
        _, shape, _, _, hash_name = known.name.split("_")
        pattern = self.PATTERNS[shape[:2]]()
        for modifier in shape[2:].split("+") if shape[2:] else []:
            pattern = PSKPatternModifier(int(modifier[3:])).modify(pattern)
        dh = _FixedDH(known.e)
        self._symmetric = TheirSymmetricState(TheirCipherState(ChaChaPolyCipher()), self.HASHES[hash_name]())
        self._side = TheirHandshakeState(self._symmetric, dh)
        self._side.initialize(
            pattern,
            known.initiator,
            known.prologue,
            s=None if known.s is None else dh.generate_keypair(PrivateKey(known.s)),
            rs=None if known.rs is None else PublicKey(known.rs),
            psks=list(known.psks) or None,
        )
        assert self._side.protocol_name == known.name
        self._initiator = known.initiator
        self._ciphers: Any = None

    def write(self, payload: bytes) -> bytes:
        out = bytearray()
        self._ciphers = self._side.write_message(payload, out)
        return bytes(out)

    def read(self, message: bytes) -> bytes:
        out = bytearray()
        self._ciphers = self._side.read_message(message, out)
        return bytes(out)

    @property
    def h(self) -> bytes:
        return bytes(self._symmetric.get_handshake_hash())

    def seal(self, text: bytes) -> bytes:
        return bytes(self._ciphers[0 if self._initiator else 1].encrypt_with_ad(b"", text))

    def open(self, sealed: bytes) -> bytes:
        return bytes(self._ciphers[1 if self._initiator else 0].decrypt_with_ad(b"", sealed))


Side = Ours | Noiseprotocol | Dissononce
ORACLES: dict[str, Callable[[Knowledge], Side]] = {"noiseprotocol": Noiseprotocol, "dissononce": Dissononce}


@dataclass(frozen=True)
class Draw:
    """Keys, prologue and payloads of one conversation."""

    s_i: bytes
    s_r: bytes
    e_i: bytes
    e_r: bytes
    psks: tuple[bytes, bytes]
    prologue: bytes
    payloads: tuple[bytes, ...]


KEYS = st.binary(min_size=32, max_size=32)
DRAWS = st.lists(KEYS, min_size=6, max_size=6, unique=True).flatmap(
    lambda keys: st.builds(
        Draw,
        *(st.just(key) for key in keys[:4]),
        st.just((keys[4], keys[5])),
        st.binary(max_size=200),
        st.lists(st.binary(max_size=232), min_size=7, max_size=7).map(tuple),
    )
).filter(lambda d: len({public_key(k) for k in (d.s_i, d.s_r, d.e_i, d.e_r)}) == 4)  # fmt: skip


def sides(name: str, draw: Draw) -> tuple[Knowledge, Knowledge]:
    """What initiator and responder know."""
    shape = name.split("_")[1]
    psks = draw.psks[: shape.count("psk")]
    early, late = shape[:2] == "KK", shape[:2] == "XX"
    return (
        Knowledge(
            name,
            True,
            draw.prologue,
            draw.e_i,
            draw.s_i if early or late else None,
            None if late else public_key(draw.s_r),
            psks,
        ),
        Knowledge(
            name, False, draw.prologue, draw.e_r, draw.s_r, public_key(draw.s_i) if early else None, psks
        ),
    )  # fmt: skip


def converse(initiator: Side, responder: Side, name: str, draw: Draw) -> tuple[list[bytes], bytes]:
    """Every message on the wire and ``h``; each payload arrives as it left, and both have the same ``h``."""
    two = initiator, responder
    steps = 3 if name.startswith("Noise_XX") else 2
    wire = []
    for number, payload in enumerate(draw.payloads):
        writer, reader = two[number % 2], two[1 - number % 2]
        if number == steps:
            assert initiator.h == responder.h
        if number < steps:
            wire.append(writer.write(payload))
            assert reader.read(wire[-1]) == payload
        else:
            wire.append(writer.seal(payload))
            assert reader.open(wire[-1]) == payload
    return wire, initiator.h


def agree(oracle: str, name: str, draw: Draw) -> None:
    """Ours with ours, ours as the initiator, ours as the responder, and theirs alone give the same bytes."""
    theirs, (init, resp) = ORACLES[oracle], sides(name, draw)
    alone = converse(theirs(init), theirs(resp), name, draw)
    assert converse(Ours(init), theirs(resp), name, draw) == alone
    assert converse(theirs(init), Ours(resp), name, draw) == alone
    assert converse(Ours(init), Ours(resp), name, draw) == alone


FIXED = Draw(
    *(bytes([n]) * 32 for n in (0x11, 0x22, 0x33, 0x44)),
    (b"\x55" * 32, b"\x66" * 32),
    b"prologue",
    (b"", b"one", b"two", b"", b"three" * 40, b"\x00", b"last"),
)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_table_agrees(oracle: str, name: str) -> None:
    agree(oracle, name, FIXED)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", SESSION_NAMES)
@given(draw=DRAWS)
@settings(max_examples=12, deadline=None)
def test_sessions_agree_on_any_keys_and_payloads(oracle: str, name: str, draw: Draw) -> None:
    agree(oracle, name, draw)


@pytest.mark.full
@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", NAMES)
@given(draw=DRAWS)
@settings(max_examples=50, deadline=None)
def test_every_name_agrees_on_any_keys_and_payloads(oracle: str, name: str, draw: Draw) -> None:
    agree(oracle, name, draw)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", SESSION_NAMES)
def test_a_message_that_we_refuse_they_refuse(oracle: str, name: str) -> None:
    for bit in range(0, 48 * 8, 31):
        init, resp = sides(name, FIXED)
        message = bytearray(Ours(init).write(b""))
        message[bit // 8] ^= 1 << bit % 8
        for side in (Ours(resp), ORACLES[oracle](resp)):
            with pytest.raises(Exception):  # noqa: B017  # each engine has its own tree of errors
                side.read(bytes(message))
