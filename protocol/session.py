"""The secure session: what both sides bind into the handshake, and how frames are sealed afterwards.

Only one Noise name is accepted here, ``Noise_KKpsk0_25519_ChaChaPoly_SHA256``. Both HELLO byte strings stand in the
prologue, so a changed version, capability, serial or tablet id breaks the handshake. The associated data of a frame
are version, direction, address and kind, sequence number and length; the 64-bit nonce is implicit and its low byte is
the sequence number on the wire.
"""

from dataclasses import dataclass
from enum import IntEnum

from protocol import cbor
from protocol.errors import TagFailure
from protocol.noise import CipherState, HandshakeState

VERSION = 1
CAPABILITIES = 0
ROUTINE = "Noise_KKpsk0_25519_ChaChaPoly_SHA256"
REKEY_EVERY = 256
FRAME_LIMIT = 1 << 14
ROLES = b"\x01\x02"
TAG_BYTES = 16


class LinkKind(IntEnum):
    """Over what the tablet reaches the pump; bound into the handshake."""

    WAND = 1


class Direction(IntEnum):
    """Direction of a frame, for its associated data."""

    TO_PUMP = 1
    FROM_PUMP = 2


@dataclass(frozen=True, slots=True)
class Pairing:
    """What a tablet holds of a pump: serial, X25519 public key, pairwise 32-byte key."""

    serial: str
    pump_public: bytes
    psk: bytes


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
    """A pump's serial number and X25519 private key."""

    serial: str
    private: bytes


def prologue(serial: str, tablet_id: str, hello_tablet: bytes, hello_pump: bytes) -> bytes:
    """The bytes that both sides mix into the handshake before its first message."""
    return cbor.encode(
        [ROUTINE, VERSION, serial, tablet_id, int(LinkKind.WAND), hello_tablet, hello_pump, ROLES, False]
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
