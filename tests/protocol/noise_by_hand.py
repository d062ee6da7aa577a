"""The Noise handshake written a second time, as plainly as the specification allows, to check vectors against.

Source: The Noise Protocol Framework, revision 34, sections 5, 7.5 and 9. Nothing of ``protocol`` is used here.
"""

import hashlib
import hmac
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

TOKENS = {
    "KKpsk0": ("ss", ["psk e es ss", "e ee se"]),
    "NKpsk0": ("-s", ["psk e es", "e ee"]),
    "XXpsk3": ("--", ["e", "e ee s es", "s se psk"]),
}
"""Which static keys are known beforehand (initiator, responder), and the tokens of each message."""


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def hkdf(ck: bytes, material: bytes, count: int) -> list[bytes]:
    temp = hmac.new(ck, material, hashlib.sha256).digest()
    out, last = [], b""
    for number in range(1, count + 1):
        last = hmac.new(temp, last + bytes([number]), hashlib.sha256).digest()
        out.append(last)
    return out


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, other: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(other))


def nonce(number: int) -> bytes:
    return bytes(4) + number.to_bytes(8, "little")


def rekeyed(key: bytes) -> bytes:
    return ChaCha20Poly1305(key).encrypt(nonce(2**64 - 1), bytes(32), b"")[:32]


def handshake(
    name: str, prologue: bytes, psk: bytes, private: dict[str, Any]
) -> tuple[list[bytes], bytes, bytes, bytes]:
    """(messages, h, key to the responder, key to the initiator); ``private`` has is, ie, rs, re (None: no such key)."""
    known, messages = TOKENS[name.split("_")[1]]
    keys = {who: value and public(value) for who, value in private.items()}
    h = name.encode().ljust(32, b"\x00") if len(name) <= 32 else sha(name.encode())
    ck, k, n = h, b"", 0
    h = sha(h + prologue)
    for letter, who in zip(known, ("is", "rs"), strict=True):
        h = sha(h + keys[who]) if letter == "s" else h

    def sealed(plain: bytes) -> bytes:
        nonlocal h, n
        out = ChaCha20Poly1305(k).encrypt(nonce(n), plain, h) if k else plain
        n, h = n + 1, sha(h + out)
        return out

    wire = []
    for number, tokens in enumerate(messages):
        me, out = "ir"[number % 2], b""
        for token in tokens.split():
            if token == "psk":
                ck, part, k = hkdf(ck, psk, 3)
                h, n = sha(h + part), 0
            elif token == "e":
                out += keys[me + "e"]
                h = sha(h + keys[me + "e"])
                ck, k = hkdf(ck, keys[me + "e"], 2)
                n = 0
            elif token == "s":
                out += sealed(keys[me + "s"])
            else:
                ck, k = hkdf(ck, dh(private["i" + token[0]], keys["r" + token[1]]), 2)
                n = 0
        wire.append(out + sealed(b""))
    first, second = hkdf(ck, b"", 2)
    return wire, h, first, second
