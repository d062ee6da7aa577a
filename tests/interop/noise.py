"""Noise revision 34 with 25519, ChaChaPoly and SHA256: the three patterns of section 4, initiator and responder."""

import hashlib
import hmac
import os
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NAME = "Noise_{}_25519_ChaChaPoly_SHA256"
PATTERNS = {
    "KKpsk0": ("is", ("psk e es ss", "e ee se")),
    "NKpsk0": ("s", ("psk e es", "e ee")),
    "XXpsk3": ("", ("e", "e ee s es", "s se psk")),
}
FIELD = 2**255 - 19
LAST_NONCE = 2**64 - 1


class HandshakeFailed(Exception):
    """The other side is not who it should be, or somebody altered the handshake."""


def public(private: bytes) -> bytes:
    """X25519 public key."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def _dh(private: bytes, other: bytes) -> bytes:
    if int.from_bytes(other, "little") >= FIELD:
        raise HandshakeFailed("a public key that is not canonical")
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))
    except ValueError as error:  # a shared secret of zero
        raise HandshakeFailed("a public key of low order") from error


def _hkdf(key: bytes, material: bytes, count: int) -> list[bytes]:
    secret = hmac.digest(key, material, "sha256")
    out, last = [], b""
    for number in range(1, count + 1):
        last = hmac.digest(secret, last + bytes([number]), "sha256")
        out.append(last)
    return out


def nonce(count: int) -> bytes:
    """Four zero bytes, then the counter, little-endian: Noise section 12.3."""
    return bytes(4) + count.to_bytes(8, "little")


def rekey(key: bytes) -> bytes:
    """Noise REKEY: the first 32 bytes of 32 zero bytes sealed under the largest nonce."""
    return ChaCha20Poly1305(key).encrypt(nonce(LAST_NONCE), bytes(32), b"")[:32]


@dataclass
class Handshake:
    """One side of a handshake; ``write`` and ``read`` take turns. Payloads are empty."""

    pattern: str
    prologue: bytes
    psk: bytes
    static: bytes | None = None
    remote_static: bytes | None = None
    initiator: bool = True
    ephemeral: bytes = field(default_factory=lambda: os.urandom(32))

    def __post_init__(self) -> None:
        name = NAME.format(self.pattern).encode()
        self.hash = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self._chain = self.hash
        self._key: bytes | None = None
        self._count = 0
        self._turn = 0
        self._remote_ephemeral = b""
        known, self._messages = PATTERNS[self.pattern]
        self._mix_hash(self.prologue)
        for whose in known:  # "i": the initiator's static is known before, "s": the responder's
            mine = (whose == "i") == self.initiator
            key = public(self.static or b"") if mine else self.remote_static
            assert key is not None
            self._mix_hash(key)

    def _mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def _mix_key(self, material: bytes) -> None:
        self._chain, self._key = _hkdf(self._chain, material, 2)
        self._count = 0

    def _seal(self, plain: bytes) -> bytes:
        sealed = plain
        if self._key is not None:
            sealed = ChaCha20Poly1305(self._key).encrypt(nonce(self._count), plain, self.hash)
            self._count += 1
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        plain = sealed
        if self._key is not None:
            try:
                plain = ChaCha20Poly1305(self._key).decrypt(nonce(self._count), sealed, self.hash)
            except InvalidTag as error:
                raise HandshakeFailed("a tag does not verify") from error
            self._count += 1
        self._mix_hash(sealed)
        return plain

    def _mix(self, token: str) -> None:
        if token == "psk":
            self._chain, extra, self._key = _hkdf(self._chain, self.psk, 3)
            self._count = 0
            self._mix_hash(extra)
            return
        if not self.initiator and token in ("es", "se"):
            token = token[::-1]
        mine = self.ephemeral if token[0] == "e" else self.static
        other = self._remote_ephemeral if token[1] == "e" else self.remote_static
        assert mine is not None
        assert other is not None
        self._mix_key(_dh(mine, other))

    def write(self) -> bytes:
        """The next message of this side."""
        out = b""
        for token in self._messages[self._turn].split():
            if token == "e":
                out += public(self.ephemeral)
                self._mix_hash(public(self.ephemeral))
                self._mix_key(public(self.ephemeral))
            elif token == "s":
                assert self.static is not None
                out += self._seal(public(self.static))
            else:
                self._mix(token)
        self._turn += 1
        return out + self._seal(b"")

    def read(self, message: bytes) -> None:
        """Take the other side's message; raises ``HandshakeFailed``."""
        for token in self._messages[self._turn].split():
            if token == "e":
                self._remote_ephemeral, message = message[:32], message[32:]
                if len(self._remote_ephemeral) != 32:
                    raise HandshakeFailed("the message is too short")
                self._mix_hash(self._remote_ephemeral)
                self._mix_key(self._remote_ephemeral)
            elif token == "s":
                size = 32 if self._key is None else 48
                self.remote_static, message = self._open(message[:size]), message[size:]
                if self.static is not None and self.remote_static == public(self.static):
                    raise HandshakeFailed("the other side has this side's own key")
            else:
                self._mix(token)
        self._turn += 1
        if self._open(message):
            raise HandshakeFailed("the payload is not empty")

    def split(self) -> tuple[bytes, bytes]:
        """Keys for frames to the pump and from it."""
        first, second = _hkdf(self._chain, b"", 2)
        return first, second
