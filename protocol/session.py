"""The secure session: who may open one, what both sides bind into the handshake, and how frames are sealed afterwards.

Three Noise names are accepted here, one for each kind of session. Both HELLO byte strings stand in the prologue, so a
changed version, capability or kind breaks the handshake; serial and tablet id stand in it too and never on the wire.
The associated data of a frame are version, direction, address and kind, sequence number and length; the 64-bit nonce
is implicit and its low byte is the sequence number on the wire.

Who greets whom is told by keyed tags: eight bytes of HMAC-SHA-256 over both nonces, under a key that follows from the
pre-shared key. Without that key a tag is random, and no two greetings have one in common.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol import cbor
from protocol.errors import TagFailure
from protocol.messages import Realm
from protocol.noise import CipherState, HandshakeState

VERSION = 1
CAPABILITIES = 0
REKEY_EVERY = 256
FRAME_LIMIT = 1 << 14
SESSION_MS: Final = 30 * 60_000
"""A session lasts at most 30 minutes; each side ends it by its own clock."""
ROLES = b"\x01\x02"
TAG_BYTES = 16
SLOTS: Final = 8
"""Tablets that a pump can be paired with; its greeting always has as many tags."""
GREETING_TAG: Final = 8


class SessionKind(IntEnum):
    """What a session is for; it decides the handshake and what the pump does in it."""

    ROUTINE = 0
    BREAK_GLASS = 1
    PAIRING = 2


NOISE_NAME: Final[Mapping[SessionKind, str]] = MappingProxyType(
    {
        SessionKind.ROUTINE: "Noise_KKpsk0_25519_ChaChaPoly_SHA256",
        SessionKind.BREAK_GLASS: "Noise_NKpsk0_25519_ChaChaPoly_SHA256",
        SessionKind.PAIRING: "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
    }
)
ROUTINE: Final = NOISE_NAME[SessionKind.ROUTINE]
_CARD_USE: Final[Mapping[SessionKind, bytes]] = MappingProxyType(
    {SessionKind.BREAK_GLASS: b"emergency", SessionKind.PAIRING: b"pair"}
)


class LinkKind(IntEnum):
    """Over what the tablet reaches the pump; bound into the handshake."""

    WAND = 1


class Direction(IntEnum):
    """Direction of a frame, for its associated data."""

    TO_PUMP = 1
    FROM_PUMP = 2


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a tablet holds of a pump: serial, X25519 public key, pairwise 32-byte key, and its realm.

    The realm is confirmed by each status report; orders and receipts are bound to it.
    """

    serial: str
    pump_public: bytes
    psk: bytes
    realm: Realm = Realm.SIMULATED


@dataclass(frozen=True, slots=True)
class ImplantCard:
    """What stands on a patient's card: serial, the pump's X25519 public key, a 32-byte secret, and the realm."""

    serial: str
    pump_public: bytes
    secret: bytes
    realm: Realm = Realm.SIMULATED

    def psk(self, kind: SessionKind) -> bytes:
        """The pre-shared key of a break-glass or a pairing session."""
        return card_psk(self.secret, kind)


@dataclass(frozen=True, slots=True)
class TabletKeys:
    """A tablet's name and X25519 private key."""

    tablet_id: str
    private: bytes


@dataclass(frozen=True, slots=True)
class PairedTablet:
    """What a pump holds of a tablet: name, X25519 public key, pairwise 32-byte key."""

    tablet_id: str
    public: bytes
    psk: bytes


@dataclass(frozen=True, slots=True)
class PumpKeys:
    """A pump's serial number, X25519 private key and, where it has an implant card, the card's 32-byte secret."""

    serial: str
    private: bytes
    card_secret: bytes | None = None


def derive(secret: bytes, info: bytes) -> bytes:
    """32 bytes of HKDF-SHA-256 (RFC 5869) without salt."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


def card_psk(secret: bytes, kind: SessionKind) -> bytes:
    """The pre-shared key that follows from a card's secret, one for break-glass and another for pairing."""
    return derive(secret, _CARD_USE[kind])


def greeting_tag(psk: bytes, sender: Direction, nonce_tablet: bytes, nonce_pump: bytes) -> bytes:
    """The eight bytes by which the holder of ``psk`` is known; ``sender`` says which side shows them."""
    message = bytes([sender]) + nonce_tablet + nonce_pump
    return hmac.digest(derive(psk, b"greeting/1"), message, "sha256")[:GREETING_TAG]


def pump_tags(psks: Sequence[bytes], nonce_tablet: bytes, nonce_pump: bytes, filler: Callable[[int], bytes]) -> bytes:
    """The tags of a pump's greeting: one for each key, and random ones up to ``SLOTS``."""
    tags = [greeting_tag(psk, Direction.FROM_PUMP, nonce_tablet, nonce_pump) for psk in psks[:SLOTS]]
    return b"".join(tags) + b"".join(filler(GREETING_TAG) for _ in range(SLOTS - len(tags)))


def is_greeted(psk: bytes, tags: bytes, nonce_tablet: bytes, nonce_pump: bytes) -> bool:
    """Whether a pump's greeting has the tag of ``psk``."""
    wanted = greeting_tag(psk, Direction.FROM_PUMP, nonce_tablet, nonce_pump)
    places = range(0, len(tags), GREETING_TAG)
    found = [hmac.compare_digest(wanted, tags[at : at + GREETING_TAG]) for at in places]
    return any(found)


def prologue(
    serial: str,
    tablet_id: str,
    hello_tablet: bytes,
    hello_pump: bytes,
    kind: SessionKind = SessionKind.ROUTINE,
) -> bytes:
    """The bytes that both sides mix into the handshake before its first message.

    Only a routine session has a tablet id; in the other kinds it is empty.
    """
    return cbor.encode(
        [
            NOISE_NAME[kind],
            VERSION,
            serial,
            tablet_id,
            int(LinkKind.WAND),
            hello_tablet,
            hello_pump,
            ROLES,
            kind is SessionKind.BREAK_GLASS,
        ]
    )


def tablet_handshake(
    keys: TabletKeys, pairing: Pairing, ephemeral: bytes, hello_tablet: bytes, hello_pump: bytes
) -> HandshakeState:
    """The initiator's handshake with a paired pump."""
    return HandshakeState(
        ROUTINE,
        initiator=True,
        prologue=prologue(pairing.serial, keys.tablet_id, hello_tablet, hello_pump),
        s=keys.private,
        e=ephemeral,
        rs=pairing.pump_public,
        psks=(pairing.psk,),
    )


def pump_handshake(
    keys: PumpKeys, tablet: PairedTablet, ephemeral: bytes, hello_tablet: bytes, hello_pump: bytes
) -> HandshakeState:
    """The responder's handshake with a paired tablet."""
    return HandshakeState(
        ROUTINE,
        initiator=False,
        prologue=prologue(keys.serial, tablet.tablet_id, hello_tablet, hello_pump),
        s=keys.private,
        e=ephemeral,
        rs=tablet.public,
        psks=(tablet.psk,),
    )


def card_handshake(
    kind: SessionKind, card: ImplantCard, private: bytes, ephemeral: bytes, hello_tablet: bytes, hello_pump: bytes
) -> HandshakeState:
    """The initiator's handshake with a card: break-glass shows no key of the tablet, pairing shows it sealed."""
    emergency = kind is SessionKind.BREAK_GLASS
    return HandshakeState(
        NOISE_NAME[kind],
        initiator=True,
        prologue=prologue(card.serial, "", hello_tablet, hello_pump, kind),
        s=None if emergency else private,
        e=ephemeral,
        rs=card.pump_public if emergency else None,
        psks=(card.psk(kind),),
    )


def carded_handshake(
    kind: SessionKind, keys: PumpKeys, psk: bytes, ephemeral: bytes, hello_tablet: bytes, hello_pump: bytes
) -> HandshakeState:
    """The responder's handshake with whoever holds the card."""
    return HandshakeState(
        NOISE_NAME[kind],
        initiator=False,
        prologue=prologue(keys.serial, "", hello_tablet, hello_pump, kind),
        s=keys.private,
        e=ephemeral,
        psks=(psk,),
    )


class Channel:
    """One direction of an open session: seals or opens one frame after the other."""

    def __init__(self, cipher: CipherState, direction: Direction) -> None:
        self._cipher = cipher
        self._direction = direction
        self._count = 0

    @property
    def seq(self) -> int:
        """Sequence number of the next frame: the low byte of its nonce."""
        return self._count & 0xFF

    @property
    def exhausted(self) -> bool:
        """Whether the session has used its frames and must end."""
        return self._count >= FRAME_LIMIT

    def rekey(self) -> None:
        """Replace the key now, as both sides do after a commit; the count of frames goes on."""
        self._cipher.rekey()

    def _turn(self, address_type: int, length: int) -> bytes:
        if self._count and self._count % REKEY_EVERY == 0:
            self._cipher.rekey()
        data = bytes((VERSION, self._direction, address_type, self.seq)) + length.to_bytes(2, "big")
        self._count += 1
        return data

    def seal(self, address_type: int, plaintext: bytes) -> bytes:
        """Ciphertext and tag of the next frame."""
        return self._cipher.encrypt_with_ad(self._turn(address_type, len(plaintext)), plaintext)

    def open(self, address_type: int, ciphertext: bytes) -> bytes:
        """Plaintext of the next frame.

        Raises:
            TagFailure: it was not sealed by the other side as this frame.
        """
        if len(ciphertext) < TAG_BYTES:
            raise TagFailure(f"{len(ciphertext)} bytes cannot hold a tag of {TAG_BYTES}")
        return self._cipher.decrypt_with_ad(self._turn(address_type, len(ciphertext) - TAG_BYTES), ciphertext)
