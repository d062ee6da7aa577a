"""The identity of a tablet: clinic root, users, attempts and the tablet's own keys, in two folders.

``DATA/identity/``: ``root.vkey``, ``users/ID.json`` (public), ``users/ID.pkey``, ``users/ID.kek``,
``attempts.json``, ``tablet.keys``. The state folder holds ``tablet.secret`` and never lies in the data folder.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from programmer.audit.log import Signer
from programmer.identity.attempts import Attempts, read_attempts, write_attempts
from programmer.identity.device import SeedSigner, TabletKeys, new_keys, read_keys, write_keys
from programmer.identity.files import sync_folder, write_durably
from programmer.identity.keyfile import FLOOR, Cost, WrongSecret, calibrate, open_key, seal_key
from programmer.identity.secrets import create_tablet_secret, read_tablet_secret, user_secret
from programmer.identity.strict import check_enrolled
from programmer.identity.users import (
    IdentityError,
    KekNeeded,
    User,
    UserSigner,
    check_grant,
    create_user,
    open_user,
    read_user,
    write_key,
)

FOLDER = "identity"


class IdentityExists(IdentityError):
    """This folder has an identity already: open it, or choose an empty folder."""


class StateInsideData(IdentityError):
    """The state folder lies in the data folder, so a copy of the data would hold its key: choose another one."""


class Locked(IdentityError):
    """Too many wrong secrets: wait until the lock ends. Reading and emergency access stay open."""

    def __init__(self, user_id: str, seconds: int) -> None:
        super().__init__(f"{user_id} is locked for {-(-seconds // 60)} more minutes; reading stays open")
        self.seconds = seconds


class KeyDestroyed(IdentityError):
    """Ten wrong secrets destroyed this key: two other persons must enrol a new one under the same name."""


class Identity:
    """Opened identity. ``random`` draws bytes, ``now`` tells POSIX seconds; both are handed in."""

    def __init__(
        self, folder: Path, tablet_secret: bytes, keys: TabletKeys, root_vkey: str, *,
        random: Callable[[int], bytes], now: Callable[[], int], floor: Cost,
    ) -> None:  # fmt: skip
        self._folder, self._secret, self._keys, self._root = folder, tablet_secret, keys, root_vkey
        self._random, self._now, self._floor = random, now, floor

    @classmethod
    def create(
        cls, data_dir: Path, state_dir: Path, *, origin: str, root_vkey: str, random: Callable[[int], bytes],
        now: Callable[[], int], floor: Cost = FLOOR,
    ) -> "Identity":  # fmt: skip
        """Set a tablet up: tablet secret, tablet keys, the clinic root's public key.

        ``floor`` is for tests; no setting reaches it. Raises IdentityExists, StateInsideData, WeakKey.
        """
        folder = data_dir / FOLDER
        check_enrolled(root_vkey)
        _apart(data_dir, state_dir)
        if (folder / "root.vkey").exists():
            raise IdentityExists(f"{folder} has an identity already: open it, or choose an empty folder")
        secret = create_tablet_secret(state_dir, random)
        keys = new_keys(origin, random)
        check_enrolled(keys.device.vkey)
        write_keys(folder, keys, secret, random)
        write_attempts(folder, {})
        write_durably(folder / "root.vkey", root_vkey.encode("utf-8") + b"\n")
        return cls(folder, secret, keys, root_vkey, random=random, now=now, floor=floor)

    @classmethod
    def open(
        cls, data_dir: Path, state_dir: Path, *, random: Callable[[int], bytes], now: Callable[[], int],
        floor: Cost = FLOOR,
    ) -> "Identity":  # fmt: skip
        """Open a tablet that was set up. Raises the errors of secrets and keys, or IdentityError."""
        folder = data_dir / FOLDER
        _apart(data_dir, state_dir)
        try:
            root_vkey = (folder / "root.vkey").read_text(encoding="utf-8").removesuffix("\n")
        except FileNotFoundError:
            raise IdentityError(f"{folder} has no identity: set the tablet up first") from None
        check_enrolled(root_vkey)
        secret = read_tablet_secret(state_dir)
        return cls(folder, secret, read_keys(folder, secret), root_vkey, random=random, now=now, floor=floor)

    @property
    def keys(self) -> TabletKeys:
        """The tablet's own keys."""
        return self._keys

    @property
    def device(self) -> SeedSigner:
        """The device's signer."""
        return self._keys.device

    @property
    def root_vkey(self) -> str:
        """The clinic root's verifier key."""
        return self._root

    @property
    def staff(self) -> str:
        """The prefix of users' key names, from the log's name: CLINIC/[sim/]staff."""
        return self._keys.origin.split("/pumplog/", 1)[0] + "/staff"

    def set_psk(self, serial: str, psk: bytes) -> None:
        """Keep a pump's pairing key."""
        self._replace(self._keys.with_psk(serial, psk))

    def forget_psk(self, serial: str) -> None:
        """Forget a pump's pairing key."""
        self._replace(self._keys.without_psk(serial))

    def set_origin(self, origin: str) -> None:
        """Use the same device key under the name of a new log epoch."""
        self._replace(replace(self._keys, origin=origin))

    def _replace(self, keys: TabletKeys) -> None:
        write_keys(self._folder, keys, self._secret, self._random)
        self._keys = keys

    def users(self) -> tuple[User, ...]:
        """All enrolled users, by id."""
        return tuple(read_user(self._users, path.stem) for path in sorted(self._users.glob("*.json")))

    def user(self, user_id: str) -> User:
        """One user. Raises UserUnknown."""
        return read_user(self._users, user_id)

    @property
    def _users(self) -> Path:
        return self._folder / "users"

    def enrol(
        self, user_id: str, name: str, role: str, secret: str, *, root: Signer, not_before: str, not_after: str,
        cost: Cost, by: UserSigner | None = None,
    ) -> User:  # fmt: skip
        """Enrol a person. ``cost`` comes from ``calibrate``; ``by`` hands the patient key on, once others exist.

        Raises KekNeeded, UserExists, UserIdInvalid, SecretTooWeak, WeakKey, IdentityError.
        """
        if root.vkey != self._root:
            raise IdentityError("this is not the root of this clinic: use the root that the tablet was set up with")
        if cost.below(self._floor):
            raise IdentityError("the work per guess is below the floor: calibrate this tablet again")
        if by is None and any(self._users.glob("*.json")):
            raise KekNeeded("others are enrolled: an unlocked user must be there to hand the patient key on")
        kek = self._random(32) if by is None else by.kek
        return create_user(
            self._users, user_id, name, role, secret, staff=self.staff, root=root, not_before=not_before,
            not_after=not_after, kek=kek, tablet_secret=self._secret, cost=cost, random=self._random,
        )  # fmt: skip

    def replace_key(
        self, user_id: str, secret: str, *, root: Signer, not_before: str, not_after: str, cost: Cost,
        by: UserSigner, second: UserSigner,
    ) -> User:  # fmt: skip
        """Give a person who forgot the secret a new key under the same id. The old key is gone.

        Two other unlocked persons are needed; the log entry is ``user.key_replaced``. Raises IdentityError and
        what ``enrol`` raises.
        """
        old = self.user(user_id)
        if len({user_id, by.user.id, second.user.id}) != 3:
            raise IdentityError("a new key needs two other enrolled persons: have both unlock")
        if root.vkey != self._root:
            raise IdentityError("this is not the root of this clinic: use the root that the tablet was set up with")
        if cost.below(self._floor):
            raise IdentityError("the work per guess is below the floor: calibrate this tablet again")
        user = create_user(
            self._users, user_id, old.name, old.role, secret, staff=self.staff, root=root, not_before=not_before,
            not_after=not_after, kek=by.kek, tablet_secret=self._secret, cost=cost, random=self._random,
            replacing=True,
        )  # fmt: skip
        self._forgive(user_id)
        return user

    def change_secret(self, user_id: str, old: str, new: str, cost: Cost) -> None:
        """Wrap the user's key under a new secret. Raises what ``unlock`` raises, SecretTooWeak, IdentityError."""
        if cost.below(self._floor):
            raise IdentityError("the work per guess is below the floor: calibrate this tablet again")
        write_key(self._users, self.unlock(user_id, old), new, self._secret, cost, self._random)

    def _forgive(self, user_id: str) -> None:
        every = read_attempts(self._folder)
        write_attempts(self._folder, {name: row for name, row in every.items() if name != user_id})

    def attempts(self, user_id: str) -> Attempts:
        """Wrong secrets of this user so far."""
        return read_attempts(self._folder).get(user_id, Attempts())

    def unlock(self, user_id: str, secret: str) -> UserSigner:
        """The user's signer. A wrong secret is counted durably before the key is tried, so a power cut saves none.

        Raises UserUnknown, Locked, KeyDestroyed, WrongSecret, KdfDowngrade, KeyAadMismatch, GrantRefused.
        """
        user = self.user(user_id)
        check_grant(user, self._root)
        every = read_attempts(self._folder)
        before, now = every.get(user_id, Attempts()), self._now()
        if before.destroyed:
            self._destroy(user_id)
            raise KeyDestroyed(f"the key of {user_id} was destroyed: two other persons must enrol a new one")
        if wait := before.locked(now):
            raise Locked(user_id, wait)
        after = before.failed(now)
        write_attempts(self._folder, {**every, user_id: after})
        try:
            opened = open_user(self._users, user, secret_bytes(secret), self._secret, self._floor)
        except WrongSecret:
            if after.destroyed:
                self._destroy(user_id)
                raise KeyDestroyed(f"ten wrong secrets destroyed the key of {user_id}") from None
            raise
        except Exception:
            write_attempts(self._folder, every)
            raise
        self._forgive(user_id)
        return opened

    def _destroy(self, user_id: str) -> None:
        for end in ("pkey", "kek"):
            (self._users / f"{user_id}.{end}").unlink(missing_ok=True)
        if self._users.is_dir():
            sync_folder(self._users)


def secret_bytes(text: str) -> bytes:
    """A typed secret as bytes; one that could never be enrolled is simply wrong. Raises WrongSecret."""
    try:
        return user_secret(text)
    except ValueError:
        raise WrongSecret("the secret does not open this key: type it again") from None


def _apart(data_dir: Path, state_dir: Path) -> None:
    data, state = data_dir.resolve(), state_dir.resolve()
    if state == data or data in state.parents:
        raise StateInsideData("the state folder lies in the data folder: choose another one")


def new_root(name: str, random: Callable[[int], bytes]) -> SeedSigner:
    """A new clinic root key. It belongs offline; ``save_root`` keeps it under a secret of its own."""
    signer = SeedSigner(name, "root", random(32))
    check_enrolled(signer.vkey)
    return signer


def save_root(path: Path, root: SeedSigner, secret: str, cost: Cost, random: Callable[[int], bytes]) -> None:
    """Write the root key file, for a stick that is kept in a safe. An existing file is never replaced."""
    if path.exists():
        raise IdentityExists(f"{path} exists already: choose another name")
    write_durably(
        path,
        seal_key(
            root.seed, user=root.name, vkey=root.vkey, purpose="clinic-root", secret=user_secret(secret),
            tablet_secret=b"", cost=cost, random=random,
        ),
    )  # fmt: skip


def load_root(path: Path, root_vkey: str, secret: str, floor: Cost = FLOOR) -> SeedSigner:
    """Open a root key file. Raises the errors of a key file."""
    name = check_enrolled(root_vkey).name
    seed = open_key(
        path.read_bytes(), user=name, vkey=root_vkey, purpose="clinic-root", secret=secret_bytes(secret),
        tablet_secret=b"", floor=floor,
    )  # fmt: skip
    return SeedSigner(name, "root", seed)


__all__ = [
    "Identity", "IdentityExists", "KeyDestroyed", "Locked", "StateInsideData", "calibrate", "load_root",
    "new_root", "save_root", "secret_bytes",
]  # fmt: skip
