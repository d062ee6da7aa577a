"""The key file of a user: one header line of canonical JSON, then the encrypted 32-byte seed.

Argon2id (RFC 9106) over user secret and tablet secret, then ChaCha20-Poly1305 with the header bytes as associated
data. The floor of the parameters is checked before anything is derived, the public half afterwards. PKCS#8 with a
library's default encryption is not used: its 2,048 rounds of PBKDF2 are about 450 times cheaper to guess.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from programmer.audit import canon
from programmer.audit.note import VKeyMalformed, b64, parse_vkey, unb64

TARGET_NS = 500_000_000
PURPOSES = ("user", "clinic-root")
_PHC = re.compile(r"\$argon2id\$v=19\$m=([1-9]\d*),t=([1-9]\d*),p=([1-9]\d*)\$([A-Za-z0-9+/]{22})", re.ASCII)
_FIELDS = frozenset({"aead", "kdf", "nonce", "purpose", "user", "v", "vkey"})
_MAX_MEMORY_KIB = 4 * 1024 * 1024
_MAX_PASSES = 1_000


class KeyFileError(Exception):
    """Base of the errors of a key file; ``code`` is the finding's code where there is one."""

    code: str | None = None


class KeyFileMalformed(KeyFileError):
    """The key file is damaged: restore it from the backup, or have the user enrolled anew."""


class KdfDowngrade(KeyFileError):
    """The key file asks for less work per guess than the floor: somebody lowered it. Enrol the user anew."""

    code = "KDF_DOWNGRADE"


class KeyAadMismatch(KeyFileError):
    """The key file is another user's, or its key is not the one in its header. Enrol the user anew."""

    code = "KEY_AAD_MISMATCH"


class WrongSecret(KeyFileError):
    """The secret does not open this key: type it again."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Argon2id parameters: passes, memory in KiB, lanes."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4

    def below(self, floor: "Cost") -> bool:
        """Whether any parameter is under the floor."""
        return self.passes < floor.passes or self.memory_kib < floor.memory_kib or self.lanes < floor.lanes


FLOOR = Cost()
"""RFC 9106, second recommended set: never less."""


def derive(secret: bytes, tablet_secret: bytes, salt: bytes, cost: Cost) -> bytes:
    """The 32-byte wrapping key. The length of the user's secret goes in front, so the two cannot be shifted."""
    material = len(secret).to_bytes(4, "big") + secret + tablet_secret
    return Argon2id(salt=salt, length=32, iterations=cost.passes, lanes=cost.lanes, memory_cost=cost.memory_kib).derive(
        material
    )


def calibrate(clock_ns: Callable[[], int], floor: Cost = FLOOR, target_ns: int = TARGET_NS) -> Cost:
    """The cost at which one guess takes at least ``target_ns`` on this tablet, never below the floor.

    ``clock_ns`` is a monotonic clock in nanoseconds.
    """
    cost = floor
    while True:
        start = clock_ns()
        derive(b"calibration", b"", bytes(16), cost)
        passed = max(1, clock_ns() - start)
        if passed >= target_ns or cost.passes >= _MAX_PASSES:
            return cost
        more = max(cost.passes + 1, -(-cost.passes * target_ns // passed))
        cost = Cost(min(more, _MAX_PASSES), cost.memory_kib, cost.lanes)


def _phc(cost: Cost, salt: bytes) -> str:
    tail = base64.b64encode(salt).decode("ascii").rstrip("=")
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${tail}"


def _cost(text: str, floor: Cost) -> tuple[Cost, bytes]:
    found = _PHC.fullmatch(text)
    if found is None:
        raise KeyFileMalformed("the key file's KDF is not Argon2id in PHC form")
    memory, passes, lanes = (int(found[n]) for n in (1, 2, 3))
    cost = Cost(passes, memory, lanes)
    if cost.below(floor):
        raise KdfDowngrade("the key file asks for less work per guess than the floor: enrol the user anew")
    if memory > _MAX_MEMORY_KIB or passes > _MAX_PASSES or lanes > 64:
        raise KeyFileMalformed("the key file asks for more work than this program does")
    return cost, base64.b64decode(found[4] + "==")


def seal_key(
    seed: bytes, *, user: str, vkey: str, purpose: str, secret: bytes, tablet_secret: bytes, cost: Cost,
    random: Callable[[int], bytes],
) -> bytes:  # fmt: skip
    """The bytes of a new key file."""
    salt, nonce = random(16), random(12)
    header = canon.encode({
        "aead": "chacha20-poly1305", "kdf": _phc(cost, salt), "nonce": b64(nonce), "purpose": purpose,
        "user": user, "v": 1, "vkey": vkey,
    })  # fmt: skip
    key = derive(secret, tablet_secret, salt, cost)
    return header + b"\n" + ChaCha20Poly1305(key).encrypt(nonce, seed, header)


def open_key(
    data: bytes, *, user: str, vkey: str, purpose: str, secret: bytes, tablet_secret: bytes, floor: Cost = FLOOR
) -> bytes:
    """The seed. ``user``, ``vkey`` and ``purpose`` are what the caller expects.

    Raises KdfDowngrade and KeyAadMismatch before deriving, WrongSecret, KeyFileMalformed.
    """
    header, _, ciphertext = data.partition(b"\n")
    row = _header(header)
    cost, salt = _cost(row["kdf"], floor)
    if (row["user"], row["vkey"], row["purpose"]) != (user, vkey, purpose):
        raise KeyAadMismatch("the key file is another user's: put the right file back, or enrol the user anew")
    try:
        public, nonce = parse_vkey(vkey).key, unb64(row["nonce"])
    except (VKeyMalformed, ValueError):
        raise KeyFileMalformed("the key file's header is damaged") from None
    key = derive(secret, tablet_secret, salt, cost)
    try:
        seed = ChaCha20Poly1305(key).decrypt(nonce, ciphertext, header)
    except (InvalidTag, ValueError):
        raise WrongSecret("the secret does not open this key: type it again") from None
    if len(seed) != 32 or Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw() != public:
        raise KeyAadMismatch("the key in the file is not the one in its header: enrol the user anew")
    return seed


def _header(header: bytes) -> dict[str, Any]:
    try:
        row = canon.decode(header)
    except canon.NonCanonical:
        raise KeyFileMalformed("the key file's header is damaged: restore the file") from None
    if (
        not isinstance(row, dict)
        or set(row) != _FIELDS
        or row["v"] != 1
        or row["aead"] != "chacha20-poly1305"
        or not all(isinstance(row[name], str) for name in _FIELDS - {"v"})
    ):
        raise KeyFileMalformed("the key file's header has other fields than this version knows")
    return row
