"""A clinic root that only tests have, and the credentials that it signs."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol.credential import Credential, Holder, root_id
from protocol.messages import Realm, Role
from protocol.order import sign

ROOT = hashlib.sha256(b"test root").digest()
END_S = 1_900_000_000
DAY_S = 86_400


def ed_public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def clinician(key: bytes, role: Role, end_s: int = END_S, epoch: int = 1, root: bytes = ROOT, name: str = "") -> bytes:
    """A person's credential for the public key ``key``; without a name, one that follows from the key."""
    name = name or f"dr-{key.hex()[:8]}"
    about = Credential(
        Holder.CLINICIAN, Realm.SIMULATED, key, name, role, end_s, epoch, root_id(ed_public(root))
    )  # fmt: skip
    return about.signed(lambda data: sign(root, data))


def tablet(
    name: str, static: bytes, end_s: int, epoch: int = 1, root: bytes = ROOT, role: Role = Role.PRESCRIBER
) -> bytes:
    """A tablet's credential for its X25519 public key."""
    about = Credential(Holder.TABLET, Realm.SIMULATED, static, name, role, end_s, epoch, root_id(ed_public(root)))
    return about.signed(lambda data: sign(root, data))


def tablets(name: str, static: bytes, start_s: int, months: int = 12) -> list[bytes]:
    """A tablet's credentials for so many spells of 30 days from ``start_s`` on."""
    return [tablet(name, static, start_s + month * 30 * DAY_S) for month in range(1, months + 1)]
