"""Users and tablets: enrolment, unlocking, lock-out, the files on the disk."""

import random as pseudo
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from programmer.audit import canon
from programmer.audit.export import export_log
from programmer.audit.log import AuditLog, Draft, MemoryLogStore, Stamp
from programmer.audit.note import VKey
from programmer.audit.registry import GrantRefused
from programmer.audit.strict import WeakKey
from programmer.audit.verify import verify_files
from programmer.identity import Identity, User
from programmer.identity.attempts import AttemptsDamaged
from programmer.identity.device import SeedSigner, TabletKeysLost
from programmer.identity.keyfile import Cost, KeyAadMismatch, WrongSecret
from programmer.identity.secrets import TabletSecretMissing, TabletSecretOpen
from programmer.identity.strict import PublishedKey
from programmer.identity.tablet import (
    IdentityExists,
    KeyDestroyed,
    Locked,
    StateInsideData,
    load_root,
    new_root,
    save_root,
)
from programmer.identity.users import IdentityError, KekNeeded, UserDamaged, UserExists, UserIdInvalid, UserUnknown

CHEAP = Cost(1, 64, 1)
ORIGIN = "clinic.example/sim/pumplog/T-0001/1"
TERM: dict[str, Any] = {"not_before": "2026-11-01T00:00:00.000000Z", "not_after": "2027-11-01T00:00:00.000000Z"}
SECRET = "83926415"


class Bench:
    """A tablet in two temporary folders, with a clock that the test moves."""

    def __init__(self, folder: Path) -> None:
        self.data, self.state = folder / "data", folder / "state"
        self.draw: Callable[[int], bytes] = pseudo.Random(7).randbytes
        self.time = 1_797_584_905
        self.root = new_root("clinic.example/sim/root/1", self.draw)
        self.identity = Identity.create(
            self.data, self.state, origin=ORIGIN, root_vkey=self.root.vkey, random=self.draw, now=self.now, floor=CHEAP
        )

    def now(self) -> int:
        return self.time

    def enrol(self, user_id: str = "dr-0007", role: str = "prescriber", **more: Any) -> User:
        return self.identity.enrol(
            user_id, "A. Example", role, SECRET, root=more.pop("root", self.root), cost=CHEAP, **TERM, **more
        )

    def opened(self) -> Identity:
        return Identity.open(self.data, self.state, random=self.draw, now=self.now, floor=CHEAP)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_enrolled_user_signs_entries_that_verify(bench: Bench) -> None:
    user = bench.enrol()
    assert user.key_name == "clinic.example/sim/staff/dr-0007"
    signer = bench.opened().unlock("dr-0007", SECRET)
    times = iter(range(1, 9))

    def stamp() -> Stamp:
        second = next(times)
        return Stamp(f"2026-12-18T09:00:0{second}.000000Z", "ab" * 16, second * 1_000_000)

    log = AuditLog(
        MemoryLogStore(), origin=ORIGIN, realm="simulated", device=bench.identity.device, stamp=stamp, policy="1",
        software="0.1.0",
    )  # fmt: skip
    log.create([bench.root.vkey], [], 0, "new")
    log.append(Draft("user.enrolled", {"grant": user.grant, "name": user.name}, bench.identity.device))
    log.append(Draft("session.opened", {"factors": ["secret"]}, signer))
    assert [item.code for item in verify_files(export_log(log))] == ["UNWITNESSED"]


def test_the_patient_key_is_the_same_for_all_users_and_is_handed_on(bench: Bench) -> None:
    bench.enrol()
    with pytest.raises(KekNeeded):
        bench.enrol("rn-0031", "refill-nurse")
    first = bench.identity.unlock("dr-0007", SECRET)
    bench.enrol("rn-0031", "refill-nurse", by=first)
    assert bench.identity.unlock("rn-0031", SECRET).kek == first.kek
    assert [user.id for user in bench.opened().users()] == ["dr-0007", "rn-0031"]


def test_ids_are_never_reused_and_have_one_form(bench: Bench) -> None:
    bench.enrol()
    first = bench.identity.unlock("dr-0007", SECRET)
    with pytest.raises(UserExists):
        bench.enrol(by=first)
    for name in ("DR", "../x", "a", "a b", ""):
        with pytest.raises(UserIdInvalid):
            bench.enrol(name, by=first)
    with pytest.raises(IdentityError):
        bench.enrol("dr-0008", "surgeon", by=first)
    with pytest.raises(UserUnknown):
        bench.identity.unlock("nobody", SECRET)


def test_only_the_clinics_root_enrols(bench: Bench) -> None:
    with pytest.raises(IdentityError):
        bench.enrol(root=new_root("clinic.example/sim/root/1", bench.draw))


def test_a_grant_by_another_root_does_not_unlock(bench: Bench) -> None:
    bench.enrol()
    path = bench.data / "identity" / "users" / "dr-0007.json"
    row = canon.decode(path.read_bytes())
    path.write_bytes(canon.encode({**row, "grant": row["grant"].replace("prescriber", "administrator")}))
    with pytest.raises(GrantRefused):
        bench.identity.unlock("dr-0007", SECRET)
    path.write_bytes(canon.encode({**row, "role": "administrator"}))
    with pytest.raises(UserDamaged):
        bench.identity.unlock("dr-0007", SECRET)


def test_a_key_file_of_another_user_is_refused(bench: Bench) -> None:
    bench.enrol()
    bench.enrol("rn-0031", "refill-nurse", by=bench.identity.unlock("dr-0007", SECRET))
    users = bench.data / "identity" / "users"
    (users / "dr-0007.pkey").write_bytes((users / "rn-0031.pkey").read_bytes())
    with pytest.raises(KeyAadMismatch):
        bench.identity.unlock("dr-0007", SECRET)
    assert bench.identity.attempts("dr-0007").wrong == 0


WRONG = "00000001"
LOCKS = (900, 1800, 3600, 7200, 14400)


def test_five_wrong_secrets_lock_doubling_and_ten_destroy(bench: Bench) -> None:
    bench.enrol()
    for _ in range(4):
        with pytest.raises(WrongSecret):
            bench.identity.unlock("dr-0007", WRONG)
    bench.identity.unlock("dr-0007", SECRET)
    assert bench.identity.attempts("dr-0007").wrong == 0
    for _ in range(4):
        with pytest.raises(WrongSecret):
            bench.identity.unlock("dr-0007", WRONG)
    for seconds in LOCKS:
        with pytest.raises(WrongSecret):
            bench.opened().unlock("dr-0007", WRONG)
        for early in (0, seconds - 1):
            bench.time += early
            with pytest.raises(Locked):
                bench.opened().unlock("dr-0007", SECRET)
            bench.time -= early
        bench.time -= 10**6
        with pytest.raises(Locked):
            bench.opened().unlock("dr-0007", SECRET)
        bench.time += 10**6 + seconds
    with pytest.raises(KeyDestroyed):
        bench.identity.unlock("dr-0007", "short")
    bench.time += 10**8
    with pytest.raises(KeyDestroyed):
        bench.identity.unlock("dr-0007", SECRET)
    left = sorted(path.name for path in (bench.data / "identity" / "users").iterdir())
    assert left == ["dr-0007.json"]


def test_a_forgotten_secret_means_a_new_key_by_two_other_persons(bench: Bench) -> None:
    old = bench.enrol()
    first = bench.identity.unlock("dr-0007", SECRET)
    for user_id in ("ad-0001", "ad-0002"):
        bench.enrol(user_id, "administrator", by=first)
    one, two = (bench.identity.unlock(user_id, SECRET) for user_id in ("ad-0001", "ad-0002"))
    terms: dict[str, Any] = {"root": bench.root, "cost": CHEAP, **TERM}
    for by, second in ((one, one), (one, first), (first, two)):
        with pytest.raises(IdentityError):
            bench.identity.replace_key("dr-0007", "60718293", by=by, second=second, **terms)
    new = bench.identity.replace_key("dr-0007", "60718293", by=one, second=two, **terms)
    assert (new.id, new.role, new.key_name) == (old.id, old.role, old.key_name)
    assert new.vkey != old.vkey
    again = bench.identity.unlock("dr-0007", "60718293")
    assert again.kek == first.kek
    with pytest.raises(WrongSecret):
        bench.identity.unlock("dr-0007", SECRET)


def test_a_changed_secret_opens_the_same_key(bench: Bench) -> None:
    bench.enrol()
    before = bench.identity.unlock("dr-0007", SECRET)
    bench.identity.change_secret("dr-0007", SECRET, "60718293", CHEAP)
    assert bench.identity.unlock("dr-0007", "60718293") == before
    with pytest.raises(WrongSecret):
        bench.identity.unlock("dr-0007", SECRET)


def test_damaged_attempts_open_nothing(bench: Bench) -> None:
    bench.enrol()
    (bench.data / "identity" / "attempts.json").write_bytes(b"{")
    with pytest.raises(AttemptsDamaged):
        bench.identity.unlock("dr-0007", SECRET)


def test_tablet_keys_open_with_the_tablet_secret_alone(bench: Bench) -> None:
    bench.identity.set_psk("VP-000123", b"\x07" * 32)
    again = bench.opened().keys
    assert again == bench.identity.keys
    assert again.psks == {"VP-000123": b"\x07" * 32}
    assert len({again.device_seed, again.noise_private, again.store_key}) == 3
    bench.identity.forget_psk("VP-000123")
    assert bench.opened().keys.psks == {}
    with pytest.raises(ValueError):
        bench.identity.set_psk("VP-000123", b"short")


def test_from_the_data_folder_alone_nothing_opens(bench: Bench, tmp_path: Path) -> None:
    bench.enrol()
    with pytest.raises(TabletSecretMissing):
        Identity.open(bench.data, tmp_path / "other", random=bench.draw, now=bench.now, floor=CHEAP)
    image = b"".join(path.read_bytes() for path in sorted(bench.data.rglob("*")) if path.is_file())
    keys, signer = bench.identity.keys, bench.identity.unlock("dr-0007", SECRET)
    secret = (bench.state / "tablet.secret").read_bytes()
    for held in (keys.device_seed, keys.noise_private, keys.store_key, signer.signer.seed, signer.kek, secret):
        assert held not in image
        assert held.hex().encode() not in image
    assert "seed" not in repr(signer)
    (bench.state / "tablet.secret").write_bytes(bytes(32))
    with pytest.raises(TabletKeysLost):
        bench.opened()


def test_the_tablet_secret_is_its_owners_alone_and_outside_the_data(bench: Bench, tmp_path: Path) -> None:
    path = bench.state / "tablet.secret"
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(TabletSecretOpen):
        bench.opened()
    for inside in (tmp_path / "d", tmp_path / "d" / "state"):
        with pytest.raises(StateInsideData):
            Identity.create(
                tmp_path / "d", inside, origin=ORIGIN, root_vkey=bench.root.vkey, random=bench.draw, now=bench.now
            )


def test_an_identity_is_never_replaced(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(IdentityExists):
        Identity.create(
            bench.data, bench.state, origin=ORIGIN, root_vkey=bench.root.vkey, random=bench.draw, now=bench.now
        )
    with pytest.raises(IdentityError):
        Identity.open(tmp_path / "none", bench.state, random=bench.draw, now=bench.now)


def test_no_tablet_starts_with_a_published_or_weak_root(bench: Bench, tmp_path: Path) -> None:
    zero = SeedSigner("clinic.example/sim/root/1", "root", bytes(32)).vkey
    weak = str(VKey("clinic.example/sim/root/1", 1, b"\x01" + bytes(31)))
    for vkey, error in ((zero, PublishedKey), (weak, WeakKey)):
        with pytest.raises(error):
            Identity.create(
                tmp_path / "d", tmp_path / "s", origin=ORIGIN, root_vkey=vkey, random=bench.draw, now=bench.now
            )
    with pytest.raises(PublishedKey):
        new_root("clinic.example/sim/root/1", bytes)


def test_the_root_key_has_a_file_of_its_own(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "stick" / "root.pkey"
    save_root(path, bench.root, "a long passphrase", CHEAP, bench.draw)
    assert load_root(path, bench.root.vkey, "a long passphrase", CHEAP) == bench.root
    with pytest.raises(WrongSecret):
        load_root(path, bench.root.vkey, "another passphrase", CHEAP)
    with pytest.raises(IdentityExists):
        save_root(path, bench.root, "a long passphrase", CHEAP, bench.draw)
