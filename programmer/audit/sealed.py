"""Fields that can be erased: sealed under a patient's key, the pump as a salted tag.

Destroying the key erases the content; every hash still verifies. ChaCha20-Poly1305 (RFC 8439); the associated
data bind a field to its log, entry and place, so that it cannot be moved.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from programmer.audit.note import b64, unb64

ALGORITHM = "chacha20-poly1305"


class SealBroken(ValueError):
    """A sealed field does not open: it is another patient's key, or the field was moved or altered."""


@dataclass(frozen=True, slots=True)
class Seal:
    """A body value to be sealed when its entry gets its index. ``key`` 32 bytes, ``kid`` names the key.

    ``nonce`` (12 bytes) is given only by tests that rebuild a known log; else it is drawn.
    """

    plaintext: bytes
    key: bytes
    kid: str
    nonce: bytes | None = None


def key_label(key: bytes) -> str:
    """The ``kid`` of a patient key: first four bytes of its SHA-256, hex."""
    return sha256(key).digest()[:4].hex()


def associated(origin: str, idx: int, path: str) -> bytes:
    """The associated data of the field ``path`` (such as ``body.note``) of one entry."""
    return f"{origin}\n{idx}\n{path}\n".encode()


def seal(value: Seal, origin: str, idx: int, path: str, random: Callable[[int], bytes] = os.urandom) -> dict[str, str]:
    """The sealed field ``{alg, kid, nonce, ct}``."""
    nonce = random(12) if value.nonce is None else value.nonce
    ct = ChaCha20Poly1305(value.key).encrypt(nonce, value.plaintext, associated(origin, idx, path))
    return {"alg": ALGORITHM, "ct": b64(ct), "kid": value.kid, "nonce": b64(nonce)}


def unseal(field: Mapping[str, Any], key: bytes, origin: str, idx: int, path: str) -> bytes:
    """The plain bytes. Raises SealBroken."""
    try:
        if set(field) != {"alg", "ct", "kid", "nonce"} or field["alg"] != ALGORITHM:
            raise SealBroken("the field is not sealed in a known way")
        nonce, ct = unb64(field["nonce"]), unb64(field["ct"])
        return ChaCha20Poly1305(key).decrypt(nonce, ct, associated(origin, idx, path))
    except (InvalidTag, ValueError):
        raise SealBroken("the sealed field does not open with this key at this place") from None


def seal_all(body: Any, origin: str, idx: int, random: Callable[[int], bytes] = os.urandom, path: str = "body") -> Any:
    """``body`` with every Seal in it replaced by its sealed field; list places count as path parts."""
    if isinstance(body, Seal):
        return seal(body, origin, idx, path, random)
    if isinstance(body, Mapping):
        return {key: seal_all(item, origin, idx, random, f"{path}.{key}") for key, item in body.items()}
    if isinstance(body, list | tuple):
        return [seal_all(item, origin, idx, random, f"{path}.{place}") for place, item in enumerate(body)]
    return body


def pump_tag(salt: bytes, serial: str) -> str:
    """How a pump stands in the log: 16 bytes hex of SHA-256 over a secret salt and the serial number."""
    return sha256(b"pump-tag/v1\n" + salt + serial.encode("utf-8")).digest()[:16].hex()
