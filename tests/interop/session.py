"""Section 4: the prologue, the greeting's tags, and what seals each DATA payload."""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tests.interop import cbor
from tests.interop.noise import NAME, nonce, rekey

ROUTINE, BREAK_GLASS, PAIRING = 0, 1, 2
PATTERN = {ROUTINE: "KKpsk0", BREAK_GLASS: "NKpsk0", PAIRING: "XXpsk3"}
TO_PUMP, FROM_PUMP = 1, 2
TABLET, PUMP = 1, 2
REKEY_EACH, MOST_FRAMES, TAG_SIZE = 256, 16_384, 16


class SessionOver(Exception):
    """A tag does not verify, or the session has had all its frames: it ends."""


def derive(secret: bytes, info: str) -> bytes:
    """HKDF-SHA-256 without salt, 32 bytes."""
    return HKDF(SHA256(), 32, None, info.encode()).derive(secret)


def tag(psk: bytes, sender: int, tablet_nonce: bytes, pump_nonce: bytes) -> bytes:
    """The eight bytes by which one who knows ``psk`` knows the other."""
    key = derive(psk, "greeting/1")
    return hmac.new(key, bytes([sender]) + tablet_nonce + pump_nonce, hashlib.sha256).digest()[:8]


def prologue(kind: int, serial: str, tablet_id: str, hello: bytes, hello_reply: bytes) -> bytes:
    """What both sides bind into the handshake; ``tablet_id`` counts in a routine session only."""
    name = NAME.format(PATTERN[kind])
    who = tablet_id if kind == ROUTINE else ""
    return cbor.encode([name, 1, serial, who, 1, hello, hello_reply, b"\x01\x02", kind == BREAK_GLASS])


@dataclass
class Way:
    """One direction: its key, and the number of the next frame."""

    direction: int
    key: bytes
    count: int = 0

    def _next(self) -> bytes:
        if self.count >= MOST_FRAMES:
            raise SessionOver("16,384 frames")
        if self.count and self.count % REKEY_EACH == 0:
            self.key = rekey(self.key)
        return nonce(self.count)

    def _data(self, address_type: int, size: int) -> bytes:
        return bytes([1, self.direction, address_type, self.count & 0xFF]) + size.to_bytes(2, "big")

    def seal(self, address_type: int, plain: bytes) -> tuple[int, bytes]:
        """Sequence number and payload of the next frame."""
        number, seq = self._next(), self.count & 0xFF
        sealed = ChaCha20Poly1305(self.key).encrypt(number, plain, self._data(address_type, len(plain)))
        self.count += 1
        return seq, sealed

    def open(self, address_type: int, sealed: bytes) -> bytes:
        """The plain bytes of the next frame of this direction."""
        if len(sealed) < TAG_SIZE:
            raise SessionOver("too short for a tag")
        number = self._next()
        try:
            plain = ChaCha20Poly1305(self.key).decrypt(number, sealed, self._data(address_type, len(sealed) - TAG_SIZE))
        except InvalidTag as error:
            raise SessionOver("a tag does not verify") from error
        self.count += 1
        return plain


@dataclass
class Session:
    """Both directions; after a COMMITTED both take new keys."""

    to_pump: Way
    from_pump: Way

    @classmethod
    def of(cls, keys: tuple[bytes, bytes]) -> "Session":
        """A new session with the keys of Split()."""
        return cls(Way(TO_PUMP, keys[0]), Way(FROM_PUMP, keys[1]))

    def committed(self) -> None:
        """A COMMITTED was sealed."""
        for way in (self.to_pump, self.from_pump):
            way.key = rekey(way.key)
