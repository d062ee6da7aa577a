"""Signed data files: a file is what its maker signed, to the byte, or it is not used.

A signature is 64 bytes of Ed25519 over the domain "data/1 simulated", a zero byte, and the file's SHA-256. The
domain holds the word of the realm: what is signed for the simulation never verifies for a clinic.
Source: Ed25519 as in RFC 8032; weak keys and points are refused whatever the library says of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from protocol.order import verifies

DOMAIN = b"data/1 simulated"
SIGNATURE_BYTES = 64
MAKER = bytes.fromhex("7cff26506cd8b52ed84c60ecb09b48843b4ffaa85dffdcad7f1630cd4eb5fd96")
"""Public key of the maker of the simulated pumps."""

SignatureCheck = Callable[[bytes, bytes], bool]
"""Whether a signature (second) over signed bytes (first) is one that is trusted."""


class SignatureError(ValueError):
    """The file is not what its maker signed; take it afresh from its maker."""


def signed_bytes(raw: bytes) -> bytes:
    """What is signed for a file."""
    return DOMAIN + b"\x00" + hashlib.sha256(raw).digest()


def by(*public_keys: bytes) -> SignatureCheck:
    """The check that trusts these Ed25519 keys."""
    return lambda data, signature: any(verifies(key, data, signature) for key in public_keys)


def maker_check(data: bytes, signature: bytes) -> bool:
    """The check that trusts the maker of the simulation and nobody else."""
    return verifies(MAKER, data, signature)


def verified(raw: bytes, signature: bytes, check: SignatureCheck) -> bytes:
    """The file's bytes, now trusted. Raises SignatureError."""
    if len(signature) != SIGNATURE_BYTES or not check(signed_bytes(raw), signature):
        raise SignatureError("its bytes are not those that were signed")
    return raw
