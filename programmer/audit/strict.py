"""Strict Ed25519: what the library would let pass is refused here first.

Common libraries load public keys of small order, under which one signature verifies for any message, and
encodings that are not canonical. So, before the library is asked: key and R are canonical (y < p) and none of
the 14 encodings of small-order points, and S < L. Source: RFC 8032 section 5.1; the list is complete, it
equals all encodings of the eight torsion points (C2SP/CCTV, ed25519 vectors).
"""

from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493

_LOW_ORDER_Y = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def _with_sign(text: str) -> bytes:
    raw = bytes.fromhex(text)
    return raw[:31] + bytes([raw[31] | 0x80])


LOW_ORDER = frozenset(bytes.fromhex(text) for text in _LOW_ORDER_Y) | frozenset(map(_with_sign, _LOW_ORDER_Y))
"""The 14 encodings (32 bytes) that decode to a point of order 1, 2, 4 or 8."""


class WeakKey(ValueError):
    """A public key that must never be used; the message says why. Make a new key pair."""


class Verdict(Enum):
    """What one signature is worth."""

    GOOD = "good"
    WEAK_KEY = "weak key"
    NONCANONICAL = "S is not below L, or R is small-order or non-canonical"
    INVALID = "does not verify"


def check_point(raw: bytes) -> None:
    """Returns for a 32-byte encoding that is canonical and not of small order; else raises WeakKey."""
    if len(raw) != 32:
        raise WeakKey("an Ed25519 key has 32 bytes: copy the whole key")
    if raw in LOW_ORDER:
        raise WeakKey("a small-order key lets anybody sign in this name: make a new key pair")
    if int.from_bytes(raw, "little") & (2**255 - 1) >= P:
        raise WeakKey("the key is not in canonical form: make a new key pair")


def check_key(raw: bytes) -> None:
    """Like check_point, and the point lies on the curve. Raises WeakKey."""
    check_point(raw)
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    numerator = (y * y - 1) % P
    denominator = (D * y * y + 1) % P
    square = numerator * pow(denominator, P - 2, P) % P
    if square and pow(square, (P - 1) // 2, P) != 1:
        raise WeakKey("the key is no point of the curve: copy the whole key")


D = -121665 * pow(121666, P - 2, P) % P


def verify(key: bytes, signature: bytes, message: bytes) -> Verdict:
    """The strict verdict on one 64-byte signature; never raises."""
    try:
        check_point(key)
    except WeakKey:
        return Verdict.WEAK_KEY
    if len(signature) != 64:
        return Verdict.INVALID
    try:
        check_point(signature[:32])
    except WeakKey:
        return Verdict.NONCANONICAL
    if int.from_bytes(signature[32:], "little") >= L:
        return Verdict.NONCANONICAL
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return Verdict.INVALID
    return Verdict.GOOD
