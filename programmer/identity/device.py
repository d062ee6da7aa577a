"""The tablet's own keys: device signing, Noise static, one PSK for each pump, store key.

They are wrapped under the tablet secret alone, so that reading works while the screen is locked. The X25519 key
serves only Noise, the Ed25519 key only signatures. One file, ``tablet.keys``: a header line and a ciphertext.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from programmer.audit import canon
from programmer.audit.note import ED25519, VKey, b64, unb64
from programmer.identity.files import write_durably

FILE = "tablet.keys"


class TabletKeysLost(Exception):
    """The tablet's keys do not open with this tablet secret: set the tablet up again and pair it anew."""


def hkdf(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA-256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode("ascii")).derive(key)


@dataclass(frozen=True, slots=True)
class SeedSigner:
    """An Ed25519 key in memory, with its name and role; fits the audit log's Signer."""

    name: str
    role: str
    seed: bytes = field(repr=False)

    @property
    def _vkey(self) -> VKey:
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VKey(self.name, ED25519, public)

    @property
    def key_id(self) -> str:
        """Eight hex digits."""
        return self._vkey.id

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return str(self._vkey)

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return self._vkey.key

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


@dataclass(frozen=True, slots=True)
class TabletKeys:
    """Everything the tablet holds for itself. ``origin`` is the log's name and the device key's name."""

    origin: str
    device_seed: bytes = field(repr=False)
    noise_private: bytes = field(repr=False)
    store_key: bytes = field(repr=False)
    psks: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def device(self) -> SeedSigner:
        """The device's signer (role ``device``)."""
        return SeedSigner(self.origin, "device", self.device_seed)

    @property
    def noise_public(self) -> bytes:
        """The 32-byte X25519 public key."""
        return X25519PrivateKey.from_private_bytes(self.noise_private).public_key().public_bytes_raw()

    def with_psk(self, serial: str, psk: bytes) -> "TabletKeys":
        """The same keys with the 32-byte PSK of one more pump. Raises ValueError for another length."""
        if len(psk) != 32:
            raise ValueError("a pairing key has 32 bytes: pair again")
        return replace(self, psks={**self.psks, serial: psk})

    def without_psk(self, serial: str) -> "TabletKeys":
        """The same keys without this pump's PSK."""
        return replace(self, psks={name: psk for name, psk in self.psks.items() if name != serial})


def new_keys(origin: str, random: Callable[[int], bytes]) -> TabletKeys:
    """Fresh keys; no default key exists."""
    return TabletKeys(origin, random(32), random(32), random(32))


def write_keys(folder: Path, keys: TabletKeys, tablet_secret: bytes, random: Callable[[int], bytes]) -> None:
    """Wrap the keys and replace the file durably."""
    nonce = random(12)
    header = canon.encode({"aead": "chacha20-poly1305", "nonce": b64(nonce), "origin": keys.origin, "v": 1})
    content = canon.encode({
        "device": b64(keys.device_seed), "noise": b64(keys.noise_private), "store": b64(keys.store_key),
        "psks": {serial: b64(psk) for serial, psk in keys.psks.items()},
    })  # fmt: skip
    sealed = ChaCha20Poly1305(hkdf(tablet_secret, FILE)).encrypt(nonce, content, header)
    write_durably(folder / FILE, header + b"\n" + sealed)


def read_keys(folder: Path, tablet_secret: bytes) -> TabletKeys:
    """The tablet's keys. Raises TabletKeysLost."""
    try:
        header, _, sealed = (folder / FILE).read_bytes().partition(b"\n")
        row = canon.decode(header)
        content = ChaCha20Poly1305(hkdf(tablet_secret, FILE)).decrypt(unb64(row["nonce"]), sealed, header)
        held = canon.decode(content)
        return TabletKeys(
            row["origin"], unb64(held["device"]), unb64(held["noise"]), unb64(held["store"]),
            {serial: unb64(psk) for serial, psk in held["psks"].items()},
        )  # fmt: skip
    except (OSError, InvalidTag, ValueError, KeyError, TypeError):
        raise TabletKeysLost("the tablet's keys do not open: set the tablet up again and pair it anew") from None
