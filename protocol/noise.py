"""Noise handshakes and ciphers, after "The Noise Protocol Framework", revision 34 (2018-07-11).

Names are those of the specification: ``CipherState``, ``SymmetricState``, ``HandshakeState`` (section 5),
pattern tokens (section 7), psk modifiers (section 9). Curve 25519 and ChaChaPoly only, SHA256 or SHA512;
which full names a session may use is decided by the session layer. The engine draws no randomness: the
ephemeral private key is handed in, and it must be used for one handshake only. State is plain bytes, so a
handshake can be deep-copied by a test.

Beyond the specification it refuses: a shared secret of all zeros (section 12.1 leaves that open; see also
RFC 7748 section 6.1), a public key that is not written canonically (RFC 7748 section 5 would mask its top bit and
reduce it, so that one point has several spellings), a remote key equal to one of our own (reflection), and any
further use after a failed step.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol.errors import (
    HandshakeMisuse,
    MalformedHandshake,
    NonceExhausted,
    ReflectedKey,
    TagFailure,
    UnknownPattern,
    WeakKey,
)

DHLEN: Final = 32
KEYLEN: Final = 32
TAGLEN: Final = 16
PSKLEN: Final = 32
MAX_NONCE: Final = 2**64 - 1
"""Reserved for ``rekey`` (section 4.2); no message is sealed under it."""
MAX_MESSAGE: Final = 65_535
FIELD: Final = 2**255 - 19
"""The prime of Curve25519: a canonical public key is less, read in little-endian order."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A handshake pattern: tokens known before the first message, and those of each message in turn."""

    initiator_pre: tuple[str, ...]
    responder_pre: tuple[str, ...]
    messages: tuple[tuple[str, ...], ...]

    def with_psk(self, position: int) -> "Pattern":
        """The pattern with modifier ``psk0`` (before the first message) or ``pskN`` (after message N)."""
        messages = list(self.messages)
        if position == 0:
            messages[0] = ("psk", *messages[0])
        else:
            messages[position - 1] = (*messages[position - 1], "psk")
        return Pattern(self.initiator_pre, self.responder_pre, tuple(messages))


PATTERNS: Final[Mapping[str, Pattern]] = MappingProxyType(
    {
        "KK": Pattern(("s",), ("s",), (("e", "es", "ss"), ("e", "ee", "se"))),
        "XX": Pattern((), (), (("e",), ("e", "ee", "s", "es"), ("s", "se"))),
        "NK": Pattern((), ("s",), (("e", "es"), ("e", "ee"))),
    }
)
"""Fundamental patterns, section 7.5."""

HASHES: Final[Mapping[str, Callable[[bytes], "hashlib._Hash"]]] = MappingProxyType(
    {"SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
)

_DH_KEYS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {"ee": ("e", "e"), "es": ("e", "s"), "se": ("s", "e"), "ss": ("s", "s")}
)
"""Token: (key of the initiator, key of the responder)."""


def parse_name(protocol_name: str) -> tuple[Pattern, str]:
    """(pattern with its psk modifiers, name of the hash) of a full protocol name, or ``UnknownPattern``.

    >>> parse_name("Noise_NKpsk0_25519_ChaChaPoly_SHA256")[0].messages
    (('psk', 'e', 'es'), ('e', 'ee'))
    """
    unknown = UnknownPattern(f"protocol name {protocol_name!r}")
    parts = protocol_name.split("_")
    if len(parts) != 5 or (parts[0], parts[2], parts[3]) != ("Noise", "25519", "ChaChaPoly"):
        raise unknown
    pattern = PATTERNS.get(parts[1][:2])
    if pattern is None or parts[4] not in HASHES:
        raise unknown
    modifiers = parts[1][2:].split("+") if parts[1][2:] else []
    allowed = [f"psk{position}" for position in range(len(pattern.messages) + 1)]
    if any(modifier not in allowed for modifier in modifiers) or len(set(modifiers)) != len(modifiers):
        raise unknown
    for modifier in modifiers:
        pattern = pattern.with_psk(allowed.index(modifier))
    return pattern, parts[4]


def public_key(private: bytes) -> bytes:
    """The X25519 public key (32 bytes) of a private one (32 bytes)."""
    if len(private) != DHLEN:
        raise HandshakeMisuse(f"a private key has {DHLEN} bytes, not {len(private)}")
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, public: bytes) -> bytes:
    """The X25519 shared secret (32 bytes). Raises ``WeakKey`` if it would be all zeros, or ``public`` not canonical."""
    if len(private) != DHLEN or len(public) != DHLEN:
        raise HandshakeMisuse(f"keys have {DHLEN} bytes, not {len(private)} and {len(public)}")
    _check_canonical(public)
    try:
        secret = X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise WeakKey("the public key has low order") from error
    if not any(secret):
        raise WeakKey("the public key has low order")
    return secret


def _check_canonical(public: bytes) -> None:
    if int.from_bytes(public, "little") >= FIELD:
        raise WeakKey("the public key is not in canonical form")


class CipherState:
    """A key ``k`` (``None``: not yet) and the nonce ``n`` of the next message, section 5.1."""

    __slots__ = ("k", "n")

    def __init__(self, k: bytes | None = None) -> None:
        self.k = k
        self.n = 0

    def has_key(self) -> bool:
        """Whether messages are sealed; without a key they pass as they are (only inside a handshake)."""
        return self.k is not None

    def encrypt_with_ad(self, ad: bytes, plaintext: bytes) -> bytes:
        """Seal ``plaintext`` bound to ``ad``; 16 bytes longer. Raises ``NonceExhausted``."""
        if self.k is None:
            return plaintext
        sealed = ChaCha20Poly1305(self.k).encrypt(self._nonce(), plaintext, ad)
        self.n += 1
        return sealed

    def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Open ``ciphertext``. Raises ``TagFailure``, after which the nonce has not moved."""
        if self.k is None:
            return ciphertext
        try:
            plain = ChaCha20Poly1305(self.k).decrypt(self._nonce(), ciphertext, ad)
        except InvalidTag as error:
            raise TagFailure(f"message {self.n} cannot be opened") from error
        self.n += 1
        return plain

    def rekey(self) -> None:
        """Replace the key by a one-way function of itself; the nonce goes on (section 11.3)."""
        if self.k is None:
            raise HandshakeMisuse("there is no key to replace")
        self.k = ChaCha20Poly1305(self.k).encrypt(_nonce_bytes(MAX_NONCE), bytes(KEYLEN), b"")[:KEYLEN]

    def _nonce(self) -> bytes:
        if self.n >= MAX_NONCE:
            raise NonceExhausted(f"nonce {self.n}")
        return _nonce_bytes(self.n)


def _nonce_bytes(n: int) -> bytes:
    return bytes(4) + n.to_bytes(8, "little")


class SymmetricState:
    """Chaining key ``ck`` and transcript hash ``h`` over a ``CipherState``, section 5.2."""

    __slots__ = ("_hash_name", "cipher", "ck", "h")

    def __init__(self, protocol_name: str, hash_name: str) -> None:
        self._hash_name = hash_name
        name = protocol_name.encode("ascii")
        size = HASHES[hash_name](b"").digest_size
        self.h = name.ljust(size, b"\x00") if len(name) <= size else HASHES[hash_name](name).digest()
        self.ck = self.h
        self.cipher = CipherState()

    def mix_hash(self, data: bytes) -> None:
        """h = HASH(h || data)."""
        self.h = HASHES[self._hash_name](self.h + data).digest()

    def mix_key(self, material: bytes) -> None:
        """Mix ``material`` into the chaining key and start a new cipher key."""
        self.ck, key = self._hkdf(material, 2)
        self.cipher = CipherState(key[:KEYLEN])

    def mix_key_and_hash(self, material: bytes) -> None:
        """As ``mix_key``, and into the hash as well: for pre-shared keys."""
        self.ck, hashed, key = self._hkdf(material, 3)
        self.mix_hash(hashed)
        self.cipher = CipherState(key[:KEYLEN])

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Seal with ``h`` as associated data, then hash the result."""
        sealed = self.cipher.encrypt_with_ad(self.h, plaintext)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """Open with ``h`` as associated data, then hash what was received."""
        plain = self.cipher.decrypt_with_ad(self.h, ciphertext)
        self.mix_hash(ciphertext)
        return plain

    def split(self) -> tuple[CipherState, CipherState]:
        """The ciphers (initiator to responder, responder to initiator) for transport messages."""
        first, second = self._hkdf(b"", 2)
        return CipherState(first[:KEYLEN]), CipherState(second[:KEYLEN])

    def _hkdf(self, material: bytes, outputs: int) -> list[bytes]:
        temp = hmac.digest(self.ck, material, self._hash_name)
        found: list[bytes] = []
        for number in range(1, outputs + 1):
            found.append(hmac.digest(temp, (found[-1] if found else b"") + bytes([number]), self._hash_name))
        return found


class HandshakeState:
    """One side of a handshake, section 5.3.

    ``s`` and ``e`` are our private keys, ``rs`` the other side's static public key where the pattern has
    it known beforehand, ``psks`` the pre-shared keys (32 bytes each) in the order in which the pattern
    uses them. Messages are written and read in turn, beginning with the initiator; a step that raised an
    error ends the handshake.
    """

    def __init__(
        self,
        protocol_name: str,
        *,
        initiator: bool,
        prologue: bytes,
        e: bytes,
        s: bytes | None = None,
        rs: bytes | None = None,
        psks: Sequence[bytes] = (),
    ) -> None:
        pattern, hash_name = parse_name(protocol_name)
        self._initiator = initiator
        self._messages = pattern.messages
        self._step = 0
        self._failed = False
        self._private: dict[str, bytes] = {"e": e}
        self._public: dict[str, bytes] = {"e": public_key(e)}
        self._remote: dict[str, bytes] = {}
        self._psks = list(psks)
        if s is not None:
            self._private["s"], self._public["s"] = s, public_key(s)
        self._check_keys(pattern, s, rs)
        self._has_psk = bool(self._psks)
        if rs is not None:
            self._set_remote("s", rs)
        self._symmetric = SymmetricState(protocol_name, hash_name)
        self._symmetric.mix_hash(prologue)
        own, other = (self._public, self._remote) if initiator else (self._remote, self._public)
        for known, keys in ((pattern.initiator_pre, own), (pattern.responder_pre, other)):
            for token in known:
                self._symmetric.mix_hash(keys[token])

    @property
    def complete(self) -> bool:
        """Whether every handshake message was written or read."""
        return self._step == len(self._messages) and not self._failed

    @property
    def my_turn(self) -> bool:
        """Whether the next step is ``write_message``."""
        return not self.complete and (self._step % 2 == 0) == self._initiator

    @property
    def handshake_hash(self) -> bytes:
        """The transcript hash ``h``: final, and a name for this session, once ``complete``."""
        return self._symmetric.h

    @property
    def remote_static(self) -> bytes | None:
        """The other side's static public key, as far as known."""
        return self._remote.get("s")

    def write_message(self, payload: bytes) -> bytes:
        """The next handshake message, with ``payload`` as its last part."""
        tokens = self._begin(writing=True)
        out = [self._write_token(token) for token in tokens]
        out.append(self._symmetric.encrypt_and_hash(payload))
        message = b"".join(out)
        if len(message) > MAX_MESSAGE:
            raise MalformedHandshake(f"{len(message)} bytes, at most {MAX_MESSAGE} are allowed")
        self._end()
        return message

    def read_message(self, message: bytes) -> bytes:
        """The payload of the next handshake message. Raises a ``NoiseError``, which ends the handshake."""
        if len(message) > MAX_MESSAGE:
            raise MalformedHandshake(f"{len(message)} bytes, at most {MAX_MESSAGE} are allowed")
        rest = message
        for token in self._begin(writing=False):
            rest = self._read_token(token, rest)
        if self._symmetric.cipher.has_key() and len(rest) < TAGLEN:
            raise MalformedHandshake("the message ends before its tag")
        payload = self._symmetric.decrypt_and_hash(rest)
        self._end()
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """The transport ciphers (initiator to responder, responder to initiator)."""
        if not self.complete:
            raise HandshakeMisuse("the handshake is not complete")
        return self._symmetric.split()

    def _check_keys(self, pattern: Pattern, s: bytes | None, rs: bytes | None) -> None:
        mine, theirs = 0 if self._initiator else 1, 1 if self._initiator else 0
        known = (pattern.initiator_pre, pattern.responder_pre)
        sends_static = any("s" in tokens for tokens in pattern.messages[mine::2])
        if ("s" in known[mine] or sends_static) != (s is not None):
            raise HandshakeMisuse("the pattern needs our static key" if s is None else "no static key belongs here")
        if ("s" in known[theirs]) != (rs is not None):
            raise HandshakeMisuse("the pattern needs the remote key" if rs is None else "no remote key belongs here")
        wanted = sum(tokens.count("psk") for tokens in pattern.messages)
        if len(self._psks) != wanted or any(len(psk) != PSKLEN for psk in self._psks):
            raise HandshakeMisuse(f"the pattern needs {wanted} pre-shared keys of {PSKLEN} bytes")

    def _begin(self, *, writing: bool) -> tuple[str, ...]:
        if self._failed or self._step >= len(self._messages) or self.my_turn != writing:
            raise HandshakeMisuse("this handshake has failed" if self._failed else "a step out of turn")
        self._failed = True
        return self._messages[self._step]

    def _end(self) -> None:
        self._failed = False
        self._step += 1

    def _set_remote(self, name: str, key: bytes) -> None:
        if len(key) != DHLEN:
            raise HandshakeMisuse(f"a public key has {DHLEN} bytes, not {len(key)}")
        _check_canonical(key)
        if key in self._public.values():
            raise ReflectedKey("the remote key is our own")
        self._remote[name] = key

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            self._symmetric.mix_key_and_hash(self._psks.pop(0))
            return
        mine, theirs = _DH_KEYS[token] if self._initiator else _DH_KEYS[token][::-1]
        self._symmetric.mix_key(dh(self._private[mine], self._remote[theirs]))

    def _mix_ephemeral(self, key: bytes) -> None:
        self._symmetric.mix_hash(key)
        if self._has_psk:
            self._symmetric.mix_key(key)

    def _write_token(self, token: str) -> bytes:
        if token == "e":
            self._mix_ephemeral(self._public["e"])
            return self._public["e"]
        if token == "s":
            return self._symmetric.encrypt_and_hash(self._public["s"])
        self._mix_token(token)
        return b""

    def _read_token(self, token: str, rest: bytes) -> bytes:
        if token not in ("e", "s"):
            self._mix_token(token)
            return rest
        sealed = token == "s" and self._symmetric.cipher.has_key()
        size = DHLEN + (TAGLEN if sealed else 0)
        if len(rest) < size:
            raise MalformedHandshake("the message ends inside a key")
        if token == "e":
            self._set_remote("e", rest[:size])
            self._mix_ephemeral(rest[:size])
        else:
            self._set_remote("s", self._symmetric.decrypt_and_hash(rest[:size]))
        return rest[size:]


@dataclass(frozen=True, slots=True)
class VectorKeys:
    """What one side of a published test vector is given; names as in the vector files."""

    prologue: bytes
    ephemeral: bytes
    static: bytes | None = None
    remote_static: bytes | None = None
    psks: tuple[bytes, ...] = ()


def noise_vector(
    protocol_name: str, init: VectorKeys, resp: VectorKeys, payloads: Sequence[bytes]
) -> tuple[list[bytes], bytes]:
    """(every message on the wire, ``h``) of a conversation between two sides of this engine.

    ``payloads`` alternate from the initiator, through the handshake into transport messages. Each message
    is read by the other side; ``TagFailure`` is raised where it does not give the payload back or the two
    ``h`` differ.
    """
    sides = [
        HandshakeState(
            protocol_name,
            initiator=first,
            prologue=keys.prologue,
            e=keys.ephemeral,
            s=keys.static,
            rs=keys.remote_static,
            psks=keys.psks,
        )
        for first, keys in ((True, init), (False, resp))
    ]
    ciphers: list[tuple[CipherState, CipherState]] = []
    messages: list[bytes] = []
    for number, payload in enumerate(payloads):
        writer, reader = number % 2, 1 - number % 2
        if not sides[0].complete:
            messages.append(sides[writer].write_message(payload))
            opened = sides[reader].read_message(messages[-1])
        else:
            ciphers = ciphers or [side.split() for side in sides]
            messages.append(ciphers[writer][writer].encrypt_with_ad(b"", payload))
            opened = ciphers[reader][writer].decrypt_with_ad(b"", messages[-1])
        if opened != payload or sides[0].handshake_hash != sides[1].handshake_hash:
            raise TagFailure(f"message {number} came out differently")
    return messages, sides[0].handshake_hash
