"""Key files: the floor, the header, the secret; and which secrets are taken."""

from collections.abc import Iterator

import pytest

from programmer.identity.device import SeedSigner
from programmer.identity.keyfile import (
    FLOOR,
    Cost,
    KdfDowngrade,
    KeyAadMismatch,
    KeyFileError,
    KeyFileMalformed,
    WrongSecret,
    calibrate,
    open_key,
    seal_key,
)
from programmer.identity.secrets import SecretTooWeak, user_secret

CHEAP = Cost(1, 64, 1)
SEED = b"\x2a" * 31 + b"\x01"
SIGNER = SeedSigner("clinic.example/sim/staff/dr-0007", "prescriber", SEED)


def made(cost: Cost = CHEAP, seed: bytes = SEED) -> bytes:
    return seal_key(
        seed, user="dr-0007", vkey=SIGNER.vkey, purpose="user", secret=b"83926415", tablet_secret=b"t" * 32,
        cost=cost, random=lambda n: b"\x05" * n,
    )  # fmt: skip


def read(
    data: bytes, floor: Cost = CHEAP, user: str = "dr-0007", secret: bytes = b"83926415", t: bytes = b"t" * 32
) -> bytes:
    return open_key(data, user=user, vkey=SIGNER.vkey, purpose="user", secret=secret, tablet_secret=t, floor=floor)


def test_both_secrets_open_it_and_either_alone_does_not() -> None:
    assert read(made()) == SEED
    for secret, tablet in ((b"83926416", b"t" * 32), (b"83926415", b"u" * 32), (b"83926415", b""), (b"", b"t" * 32)):
        with pytest.raises(WrongSecret):
            read(made(), secret=secret, t=tablet)


def test_the_floor_is_three_passes_64_mib_and_four_lanes() -> None:
    assert (FLOOR.passes, FLOOR.memory_kib, FLOOR.lanes) == (3, 65_536, 4)


@pytest.mark.parametrize("cost", [Cost(2, 65_536, 4), Cost(3, 65_535, 4), Cost(3, 65_536, 3)])
def test_less_work_than_the_floor_is_refused_before_deriving(cost: Cost) -> None:
    header = made().split(b"\n")[0]
    lowered = header.replace(b"m=64,t=1,p=1", f"m={cost.memory_kib},t={cost.passes},p={cost.lanes}".encode())
    with pytest.raises(KdfDowngrade) as caught:
        read(lowered + b"\n" + bytes(48), floor=FLOOR)
    assert caught.value.code == "KDF_DOWNGRADE"


def test_the_real_floor_opens() -> None:
    assert read(made(FLOOR), floor=FLOOR) == SEED


def test_another_users_file_and_a_foreign_key_are_told_apart_from_a_wrong_secret() -> None:
    with pytest.raises(KeyAadMismatch) as caught:
        read(made(), user="rn-0031")
    assert caught.value.code == "KEY_AAD_MISMATCH"
    with pytest.raises(KeyAadMismatch):
        read(made(seed=b"\x2b" * 32))


def test_every_changed_byte_is_refused() -> None:
    data = made()
    for at in range(len(data)):
        altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(KeyFileError):
            read(altered)


@pytest.mark.parametrize("data", [b"", b"{}\n", b"\xff\n", b'{"v":1}\n' + bytes(48), b"$argon2id$"])
def test_what_is_no_key_file_is_refused(data: bytes) -> None:
    with pytest.raises(KeyFileMalformed):
        read(data)


def test_passes_rise_until_a_guess_takes_half_a_second() -> None:
    # Each reading pair of the clock is one derivation of 0.1 s a pass.
    cost, taken = CHEAP, []

    def clock() -> Iterator[int]:
        passes, at = cost.passes, 0
        while True:
            yield at
            at += passes * 100_000_000
            taken.append(passes)
            yield at
            passes = 5

    ticks = clock()
    assert calibrate(lambda: next(ticks), CHEAP) == Cost(5, 64, 1)
    assert taken == [1, 5]


@pytest.mark.parametrize("text", ["83926415", "rain on the tin roof", "0000000123"])
def test_eight_digits_or_a_passphrase_are_taken(text: str) -> None:
    assert user_secret(text) == text.encode()


@pytest.mark.parametrize("text", ["", "8392641", "password", "11111111", "12345678", "87654321", "aaaaaaaaaaaa"])
def test_short_or_uniform_secrets_are_refused(text: str) -> None:
    with pytest.raises(SecretTooWeak):
        user_secret(text)
