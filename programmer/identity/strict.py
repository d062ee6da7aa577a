"""What may become a key: strict Ed25519, no published key, and proof that the seed is held.

The arithmetic stands in ``programmer.audit.strict``, so that the verifier of the log stands alone. Here comes the
deny list: keys whose seeds are printed in public test vectors are known to everybody. It holds SHA-256 of the
public keys, one a line.
"""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files

from programmer.audit.note import ED25519, VKey, strong_vkey
from programmer.audit.strict import LOW_ORDER, P, Verdict, WeakKey, check_key, check_point, verify

__all__ = [
    "LOW_ORDER",
    "NotHeld",
    "PublishedKey",
    "Verdict",
    "WeakKey",
    "check_agreement",
    "check_enrolled",
    "check_key",
    "check_point",
    "check_possession",
    "denied",
    "verify",
]  # fmt: skip


class PublishedKey(WeakKey):
    """The private half of this key is printed in public test data: make a new key pair."""


class NotHeld(WeakKey):
    """The proof of possession does not verify: only who holds the private half may enrol a key."""


@cache
def _deny_list() -> frozenset[bytes]:
    text = files("programmer.identity").joinpath("denied_keys.txt").read_text(encoding="ascii")
    return frozenset(bytes.fromhex(row) for row in text.split())


def denied(public: bytes) -> bool:
    """Whether the 32-byte public key (Ed25519 or X25519) is on the deny list."""
    return sha256(public).digest() in _deny_list()


def check_enrolled(text: str, kind: int = ED25519) -> VKey:
    """The verifier key, if it may be enrolled. Raises VKeyMalformed, WeakKey or PublishedKey."""
    vkey = strong_vkey(text, kind)
    if denied(vkey.key):
        raise PublishedKey("the private half of this key is printed in public test data: make a new key pair")
    return vkey


def check_possession(vkey: VKey, challenge: bytes, sign: Callable[[bytes], bytes]) -> None:
    """Returns when ``sign`` answers the challenge with this key. Raises NotHeld."""
    message = b"possession/v1\n" + challenge
    if verify(vkey.key, sign(message), message) is not Verdict.GOOD:
        raise NotHeld("the proof of possession does not verify: enrol the key on the device that holds it")


_MONTGOMERY_LOW = frozenset({
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    P - 1,
})  # fmt: skip
"""The u coordinates of small order on curve and twist (RFC 7748 curve25519)."""


def check_agreement(public: bytes) -> None:
    """Returns for an X25519 public key that may be paired.

    Raises WeakKey (length, small order, not canonical) or PublishedKey.
    """
    if len(public) != 32:
        raise WeakKey("an X25519 key has 32 bytes: copy the whole key")
    value = int.from_bytes(public, "little")
    if value % 2**255 % P in _MONTGOMERY_LOW:
        raise WeakKey("a small-order key makes every secret known: make a new key pair")
    if value >= P:
        raise WeakKey("the key is not in canonical form: make a new key pair")
    if denied(public):
        raise PublishedKey("the private half of this key is printed in public test data: make a new key pair")
