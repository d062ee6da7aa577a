"""The table of rights, cell by cell, and the keys that may never be enrolled."""

import pytest

from programmer.audit.note import VKey
from programmer.audit.strict import LOW_ORDER, WeakKey
from programmer.identity.device import SeedSigner
from programmer.identity.roles import ACTIONS, ORDER_ACTIONS, RIGHTS, ROLES, Allowed, Refused, check, check_second
from programmer.identity.strict import (
    NotHeld,
    PublishedKey,
    check_agreement,
    check_enrolled,
    check_possession,
    denied,
)
from tests.vectors import vectors

ALONE, TWO = Allowed(), Allowed(second=True)
CELLS = (
    # order kind or action, role, answer (None: refused)
    ("program", "prescriber", ALONE), ("program", "implanter", TWO), ("program", "refill-nurse", None),
    ("program", "therapist", None), ("program", "administrator", None), ("program", "observer", None),
    ("refill", "prescriber", ALONE), ("refill", "implanter", ALONE), ("refill", "refill-nurse", ALONE),
    ("refill", "observer", None), ("alarm_volume", "refill-nurse", ALONE), ("set-alarm-volume", "refill-nurse", None),
    ("clock", "refill-nurse", ALONE), ("clock", "implanter", None), ("clock-timed", "refill-nurse", None),
    ("stop", "prescriber", TWO), ("stop", "refill-nurse", None), ("emergency-stop", "refill-nurse", ALONE),
    ("resume", "refill-nurse", ALONE), ("resume", "implanter", None), ("resume-48h", "refill-nurse", TWO),
    ("limits", "prescriber", TWO), ("limits", "administrator", None), ("pairing", "administrator", TWO),
    ("pairing", "prescriber", None), ("concentration", "prescriber", TWO), ("concentration", "refill-nurse", None),
    ("close-discrepancy", "prescriber", ALONE), ("close-discrepancy", "refill-nurse", None),
    ("load-library", "administrator", ALONE), ("verify-log", "observer", ALONE), ("export-patient", "qa", None),
    ("security-events", "administrator", ALONE), ("soft-override", "implanter", None),
)  # fmt: skip


@pytest.mark.parametrize("action, role, answer", CELLS)
def test_a_cell_of_the_table(action: str, role: str, answer: Allowed | None) -> None:
    said = check(role, action)
    if answer is None:
        assert isinstance(said, Refused)
        assert said.reason.endswith(".")
    else:
        assert said == answer


def test_the_table_is_whole_and_denies_by_default() -> None:
    assert len(RIGHTS) == len(ROLES) * len(ACTIONS)
    assert set(ORDER_ACTIONS.values()) <= set(ACTIONS)
    for role, action in (("nobody", "refill"), ("prescriber", "fly"), ("", ""), ("device", "program")):
        assert isinstance(check(role, action), Refused)
        assert isinstance(check_second(role, action), Refused)


def test_quality_assurance_acts_on_virtual_pumps_only() -> None:
    for action in ("program", "refill", "inject-faults"):
        assert check("qa", action, realm="simulated") == ALONE
        assert isinstance(check("qa", action), Refused)


def test_who_may_be_the_second_person() -> None:
    assert check_second("refill-nurse", "concentration") == ALONE
    assert check_second("prescriber", "pairing") == ALONE
    assert isinstance(check_second("refill-nurse", "soft-override"), Refused)
    assert isinstance(check_second("observer", "stop"), Refused)


@pytest.mark.parametrize("raw", sorted(LOW_ORDER), ids=lambda raw: raw.hex()[:12])
def test_no_low_order_key_is_enrolled(raw: bytes) -> None:
    with pytest.raises(WeakKey):
        check_enrolled(str(VKey("clinic.example/sim/staff/x", 1, raw)))


WEAK_AGREEMENT = (bytes(32), b"\x01" + bytes(31), b"\xff" * 32, (2**255 - 19).to_bytes(32, "little"), b"")


@pytest.mark.parametrize("raw", WEAK_AGREEMENT)
def test_no_low_order_agreement_key_is_paired(raw: bytes) -> None:
    with pytest.raises(WeakKey):
        check_agreement(raw)


def test_published_keys_are_never_enrolled() -> None:
    seeds = [row["seed"] for row in vectors("audit/example_log.json")["keys"]]
    for seed in seeds:
        signer = SeedSigner("clinic.example/sim/staff/x", "prescriber", bytes.fromhex(seed))
        with pytest.raises(PublishedKey):
            check_enrolled(signer.vkey)
    for row in vectors("audit/rfc8032_ed25519.json")["tests"]:
        public = next(value for name, value in row.items() if "public" in name)
        assert denied(bytes.fromhex(public))


def test_published_noise_keys_are_never_paired() -> None:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    for row in vectors("noise/cacophony_vectors.json")["vectors"]:
        for name in ("init_static", "resp_static", "init_ephemeral", "resp_ephemeral"):
            if name in row:
                private = X25519PrivateKey.from_private_bytes(bytes.fromhex(row[name]))
                with pytest.raises(PublishedKey):
                    check_agreement(private.public_key().public_bytes_raw())


def test_enrolment_asks_for_proof_of_possession() -> None:
    held, other = (SeedSigner("clinic.example/sim/staff/x", "qa", bytes([n]) * 32) for n in (7, 8))
    vkey = check_enrolled(held.vkey)
    check_possession(vkey, b"challenge", held.sign)
    with pytest.raises(NotHeld):
        check_possession(vkey, b"challenge", other.sign)
