"""Credentials: what the clinic root says of a clinician's or a tablet's key, and how a pump judges it.

A credential is the canonical CBOR array

    [domain, public key(32), subject, role, not after, revocation epoch, root id(8), signature(64)]

and the root's Ed25519 signature covers the canonical CBOR of the same array without its last item. ``domain`` is
``clinician/1`` or ``tablet/1`` with the realm's word; a clinician's key is Ed25519, a tablet's is its X25519 static.
It is valid up to and including the second ``not after``, by the latest time that the pump has ever seen.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from protocol import cbor
from protocol.errors import MalformedMessage
from protocol.messages import MAX_CREDENTIAL_BYTES, Realm, Refusal, Role
from protocol.order import is_weak_point, verifies

DIGEST_BYTES = 32
MAX_ROOTS = 4
MAX_SUBJECT = 32
TABLET_LIFE_S = 30 * 86_400
_U32 = 0xFFFF_FFFF
_REALM_WORD = {Realm.CLINICAL: "clinical", Realm.SIMULATED: "simulated"}

RANK: dict[Role, int] = {Role.PRESCRIBER: 3, Role.IMPLANTER: 2, Role.REFILL_NURSE: 1}
"""How high a role stands, for the highest role of a tablet; a role that signs no order has rank 0."""


class Holder(Enum):
    """Whose key a credential is about."""

    CLINICIAN = "clinician"
    TABLET = "tablet"


@dataclass(frozen=True, slots=True)
class Credential:
    """What the root says. ``not_after_s`` counts from 1970-01-01T00:00:00Z; ``epoch`` is the revocation epoch."""

    holder: Holder
    realm: Realm
    public_key: bytes
    subject: str
    role: Role
    not_after_s: int
    epoch: int
    root_id: bytes

    def signed_bytes(self) -> bytes:
        """The bytes that the root signs."""
        return cbor.encode(self._items())

    def _items(self) -> list[cbor.Value]:
        domain = f"{self.holder.value}/1 {_REALM_WORD[self.realm]}"
        return [
            domain, self.public_key, self.subject, int(self.role), self.not_after_s, self.epoch, self.root_id,
        ]  # fmt: skip

    def signed(self, sign: Callable[[bytes], bytes]) -> bytes:
        """The whole credential, as it is presented.

        Raises:
            ValueError: a field is out of range, or the credential would not fit one frame.
        """
        data = cbor.encode([*self._items(), sign(self.signed_bytes())])
        if len(data) > MAX_CREDENTIAL_BYTES or parse(data)[0] != self:
            raise ValueError(f"the credential of {self.subject} is out of range or too long: shorten its name")
        return data


def root_id(public_key: bytes) -> bytes:
    """Eight bytes that name a clinic root."""
    return hashlib.sha256(b"root/1\n" + public_key).digest()[:8]


def credential_digest(data: bytes) -> bytes:
    """The digest that stands for a credential which the pump has verified before."""
    return hashlib.sha256(b"credential/1\n" + data).digest()


_DOMAIN = {
    f"{holder.value}/1 {word}": (holder, realm) for holder in Holder for realm, word in _REALM_WORD.items()
}  # fmt: skip


def parse(data: bytes) -> tuple[Credential, bytes]:
    """The credential and its signature, not yet verified.

    Raises:
        MalformedMessage: the bytes are no credential.
    """
    items = cbor.decode(data)
    if not isinstance(items, list) or len(items) != 8:
        raise MalformedMessage("a credential is an array of eight items")
    domain, key, subject, role, not_after, epoch, root, signature = items
    about = _DOMAIN.get(domain) if isinstance(domain, str) else None
    if about is None:
        raise MalformedMessage("no domain of a credential")
    for value, size in ((key, 32), (root, 8), (signature, 64)):
        if not isinstance(value, bytes) or len(value) != size:
            raise MalformedMessage(f"a credential has {size} bytes there")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or not subject.isascii():
        raise MalformedMessage("the subject of a credential has 1 to 32 ASCII characters")
    for number in (role, not_after, epoch):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _U32:
            raise MalformedMessage("a number of a credential is out of range")
    if role not in list(Role):
        raise MalformedMessage("no role")
    assert isinstance(key, bytes)
    assert isinstance(root, bytes)
    assert isinstance(signature, bytes)
    assert isinstance(role, int)
    assert isinstance(not_after, int)
    assert isinstance(epoch, int)
    return Credential(*about, key, subject, Role(role), not_after, epoch, root), signature


@dataclass(frozen=True, slots=True)
class Trust:
    """What a pump trusts: its clinic roots, a floor of the revocation epoch for each, the latest time ever seen."""

    roots: tuple[bytes, ...]
    floors: tuple[int, ...]
    latest_s: int = 0

    @classmethod
    def of(cls, roots: tuple[bytes, ...]) -> "Trust":
        """A pump's first trust in these roots."""
        return cls(roots, (0,) * len(roots))

    def at(self, now_s: int) -> "Trust":
        """This trust at a time of the pump's clock; its own time never runs backwards."""
        return replace(self, latest_s=max(self.latest_s, now_s))

    def _index(self, credential: Credential) -> int | None:
        names = [root_id(root) for root in self.roots]
        return names.index(credential.root_id) if credential.root_id in names else None

    def admits(self, data: bytes, realm: Realm) -> Credential | Refusal:
        """The credential, if a root of this pump has signed these bytes for this realm; or why not."""
        try:
            credential, signature = parse(data)
        except MalformedMessage:
            return Refusal.CREDENTIAL
        index = self._index(credential)
        if index is None:
            return Refusal.ROOT_UNKNOWN
        if credential.realm is not realm or not verifies(self.roots[index], credential.signed_bytes(), signature):
            return Refusal.CREDENTIAL
        if credential.holder is Holder.CLINICIAN and is_weak_point(credential.public_key):
            return Refusal.CREDENTIAL
        return credential

    def refuses(self, credential: Credential) -> Refusal | None:
        """Why a credential that was admitted does not hold now; none while it does."""
        index = self._index(credential)
        if index is None:
            return Refusal.ROOT_UNKNOWN
        if credential.epoch < self.floors[index]:
            return Refusal.REVOKED
        if self.latest_s > credential.not_after_s:
            return Refusal.EXPIRED_CREDENTIAL
        if credential.holder is Holder.TABLET and credential.not_after_s - self.latest_s > TABLET_LIFE_S:
            return Refusal.CREDENTIAL
        return None

    def raised(self, credential: Credential) -> "Trust":
        """This trust after a credential that holds: its revocation epoch is the floor from now on."""
        index = self._index(credential)
        if index is None or credential.epoch <= self.floors[index]:
            return self
        floors = (*self.floors[:index], credential.epoch, *self.floors[index + 1 :])
        return replace(self, floors=floors)
