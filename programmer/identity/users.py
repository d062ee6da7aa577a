"""Users: enrolment with a grant of the clinic root, unlocking, and the key that opens patient data.

An id belongs to one person and is never reused. Enrolment demands proof of possession; nobody recovers a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from programmer.audit import canon
from programmer.audit.entries import PERSONS
from programmer.audit.log import Signer
from programmer.audit.note import b64, parse_vkey, sign_note, unb64
from programmer.audit.registry import Grant, parse_grant
from programmer.identity.device import SeedSigner, hkdf
from programmer.identity.files import write_durably
from programmer.identity.keyfile import FLOOR, Cost, KeyFileMalformed, open_key, seal_key
from programmer.identity.secrets import user_secret
from programmer.identity.strict import check_enrolled, check_possession

_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,31}", re.ASCII)


class IdentityError(Exception):
    """Base of the errors of this room."""

    exit_code = 5


class UserUnknown(IdentityError):
    """Nobody is enrolled under this id: check the id, or have the person enrolled."""


class UserExists(IdentityError):
    """This id was given to a person already, and ids are never reused: take another id."""


class UserIdInvalid(IdentityError):
    """An id has 2 to 32 small letters, digits and hyphens, such as dr-0007."""


class KekNeeded(IdentityError):
    """Others are enrolled: an unlocked user must hand the patient key on to the new one."""


class UserDamaged(IdentityError):
    """The files of this user are damaged: restore them, or have the person enrolled under a new id."""


@dataclass(frozen=True, slots=True)
class User:
    """What everybody may know: short id, name, role, verifier key, grant note of the clinic root."""

    id: str
    name: str
    role: str
    vkey: str
    grant: str

    @property
    def key_name(self) -> str:
        """The key's name, such as ``clinic.example/sim/staff/dr-0007``."""
        return parse_vkey(self.vkey).name


@dataclass(frozen=True, slots=True)
class UserSigner:
    """An unlocked user; fits the audit log's Signer. ``kek`` wraps the patient keys."""

    user: User
    signer: SeedSigner = field(repr=False)
    kek: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """The key's name."""
        return self.signer.name

    @property
    def key_id(self) -> str:
        """Eight hex digits."""
        return self.signer.key_id

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return self.signer.vkey

    @property
    def role(self) -> str:
        """The granted role."""
        return self.signer.role

    @property
    def public_key(self) -> bytes:
        """The 32-byte Ed25519 public key, as pumps know it."""
        return self.signer.public

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature."""
        return self.signer.sign(data)


def make_grant(root: Signer, *, vkey: str, role: str, not_before: str, not_after: str) -> str:
    """The grant note by the clinic root for a user's key; times as ``2026-11-01T00:00:00.000000Z``."""
    row = {
        "not_after": not_after, "not_before": not_before, "role": role, "user": parse_vkey(vkey).name, "v": 1,
        "vkey": vkey,
    }  # fmt: skip
    return sign_note(canon.encode(row) + b"\n", ((root.name, root.key_id, root.sign),)).decode("utf-8")


def check_grant(user: User, root_vkey: str) -> Grant:
    """The grant of a user, verified under the root. Raises GrantRefused, WeakKey or UserDamaged."""
    grant = parse_grant(user.grant, [check_enrolled(root_vkey)])
    if str(grant.vkey) != user.vkey or grant.role != user.role:
        raise UserDamaged(f"the grant of {user.id} is for another key or role: have the person enrolled anew")
    return grant


def check_id(user_id: str) -> None:
    """Raises UserIdInvalid."""
    if _ID.fullmatch(user_id) is None:
        raise UserIdInvalid("an id has 2 to 32 small letters, digits and hyphens, such as dr-0007")


def create_user(
    folder: Path, user_id: str, name: str, role: str, secret: str, *, staff: str, root: Signer, not_before: str,
    not_after: str, kek: bytes, tablet_secret: bytes, cost: Cost, random: Callable[[int], bytes],
    replacing: bool = False,
) -> User:  # fmt: skip
    """Make a key for a new user, have the root grant it, and write the three files.

    ``replacing`` gives a known user a new key under the same id; the old one is gone.
    ``staff`` is the prefix of key names (``clinic.example/sim/staff``).
    Raises UserExists, UserIdInvalid, SecretTooWeak, WeakKey.
    """
    check_id(user_id)
    if role not in PERSONS:
        raise IdentityError(f"{role} is no role of a person: choose one of {', '.join(PERSONS)}")
    if (folder / f"{user_id}.json").exists() and not replacing:
        raise UserExists(f"the id {user_id} was given already: take another id")
    typed = user_secret(secret)
    signer = SeedSigner(f"{staff}/{user_id}", role, random(32))
    check_possession(check_enrolled(signer.vkey), random(32), signer.sign)
    grant = make_grant(root, vkey=signer.vkey, role=role, not_before=not_before, not_after=not_after)
    user = User(user_id, name, role, signer.vkey, grant)
    check_grant(user, root.vkey)
    sealed = seal_key(
        signer.seed, user=user_id, vkey=signer.vkey, purpose="user", secret=typed, tablet_secret=tablet_secret,
        cost=cost, random=random,
    )  # fmt: skip
    write_durably(folder / f"{user_id}.kek", wrap_kek(signer.seed, user_id, kek, random))
    write_durably(folder / f"{user_id}.pkey", sealed)
    write_durably(folder / f"{user_id}.json", canon.encode(_public(user)))
    return user


def write_key(
    folder: Path, signer: UserSigner, secret: str, tablet_secret: bytes, cost: Cost, random: Callable[[int], bytes]
) -> None:
    """Wrap the same key under another secret. Raises SecretTooWeak."""
    sealed = seal_key(
        signer.signer.seed, user=signer.user.id, vkey=signer.vkey, purpose="user", secret=user_secret(secret),
        tablet_secret=tablet_secret, cost=cost, random=random,
    )  # fmt: skip
    write_durably(folder / f"{signer.user.id}.pkey", sealed)


def _public(user: User) -> dict[str, Any]:
    return {
        "grant": user.grant, "id": user.id, "name": user.name, "role": user.role, "v": 1, "vkey": user.vkey,
    }  # fmt: skip


def read_user(folder: Path, user_id: str) -> User:
    """The public part. Raises UserUnknown or UserDamaged."""
    check_id(user_id)
    try:
        row: Mapping[str, Any] = canon.decode((folder / f"{user_id}.json").read_bytes())
        user = User(row["id"], row["name"], row["role"], row["vkey"], row["grant"])
        parse_vkey(user.vkey)
    except FileNotFoundError:
        raise UserUnknown(f"nobody is enrolled as {user_id}: check the id") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserDamaged(f"the file of {user_id} is damaged: restore it") from None
    if user.id != user_id:
        raise UserDamaged(f"the file of {user_id} is another user's: restore it")
    return user


def open_user(folder: Path, user: User, secret: bytes, tablet_secret: bytes, floor: Cost = FLOOR) -> UserSigner:
    """Unlock with the user's secret. Raises the errors of a key file, or UserDamaged."""
    try:
        data = (folder / f"{user.id}.pkey").read_bytes()
        wrapped = (folder / f"{user.id}.kek").read_bytes()
    except FileNotFoundError:
        raise KeyFileMalformed(f"{user.id} has no key any more: have the person enrolled under a new key") from None
    seed = open_key(
        data, user=user.id, vkey=user.vkey, purpose="user", secret=secret, tablet_secret=tablet_secret, floor=floor
    )
    return UserSigner(user, SeedSigner(user.key_name, user.role, seed), unwrap_kek(seed, user.id, wrapped))


def wrap_kek(seed: bytes, user_id: str, kek: bytes, random: Callable[[int], bytes]) -> bytes:
    """The clinic's patient key-encryption key, wrapped for one user under HKDF of the user's seed."""
    nonce = random(12)
    header = canon.encode({"aead": "chacha20-poly1305", "nonce": b64(nonce), "user": user_id, "v": 1})
    return header + b"\n" + ChaCha20Poly1305(hkdf(seed, "patient-kek")).encrypt(nonce, kek, header)


def unwrap_kek(seed: bytes, user_id: str, wrapped: bytes) -> bytes:
    """The 32-byte key. Raises UserDamaged."""
    header, _, sealed = wrapped.partition(b"\n")
    try:
        row = canon.decode(header)
        kek = ChaCha20Poly1305(hkdf(seed, "patient-kek")).decrypt(unb64(row["nonce"]), sealed, header)
        if row["user"] != user_id or len(kek) != 32:
            raise UserDamaged(f"the patient key of {user_id} is another user's: restore the file")
    except (InvalidTag, ValueError, KeyError, TypeError):
        raise UserDamaged(f"the patient key of {user_id} does not open: restore the file") from None
    return kek
