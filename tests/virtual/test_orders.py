"""The pump judges orders by itself, whatever the tablet let through: chain, roles, two persons, every signed byte."""

from dataclasses import fields

import pytest
from pydantic import ValidationError

from drivers.virtual.rules import PumpRules
from protocol.credential import Credential, Holder, Trust, credential_digest, root_id
from protocol.messages import (
    Anchor,
    Anchored,
    Committed,
    Discrepancy,
    OrderKind,
    Present,
    Presented,
    Realm,
    Refusal,
    Refused,
    Role,
)
from protocol.order import CHAIN_START, Content, Order, Witness, anchor_bytes, sign, verifies
from protocol.participant import Signer
from tests.credentials import ROOT, clinician, ed_public
from tests.virtual.clinic import (
    CREDENTIAL,
    IMPLANTER,
    NURSE,
    PHYSICIAN,
    START_S,
    STRANGER,
    key,
    program,
    provision,
    tablet_credential,
)
from tests.virtual.orders import TABLET_POSITION, Pump, altered, with_author

OTHER = key("other physician")
WEAK = (1).to_bytes(32, "little")  # the neutral element: one signature fits any message


def reasons(answer: object) -> tuple[Refusal, ...]:
    assert isinstance(answer, Refused), answer
    return answer.reasons


def clinical(key_: bytes) -> bytes:
    about = Credential(
        Holder.CLINICIAN, Realm.CLINICAL, key_, "dr", Role.PRESCRIBER, START_S + 9, 1, root_id(ed_public(ROOT))
    )
    return about.signed(lambda data: sign(ROOT, data))


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


PUBLIC = ed_public(PHYSICIAN)
CHAIN = {
    "no credential": (bytes(40), Refusal.CREDENTIAL),
    "root's signature altered": (flipped(CREDENTIAL[PHYSICIAN]), Refusal.CREDENTIAL),
    "another realm": (clinical(PUBLIC), Refusal.CREDENTIAL),
    "a tablet's in a person's place": (tablet_credential(START_S), Refusal.CREDENTIAL),
    "weak key": (clinician(WEAK, Role.PRESCRIBER), Refusal.CREDENTIAL),
    "unknown root": (CREDENTIAL[STRANGER], Refusal.ROOT_UNKNOWN),
    "one second late": (clinician(PUBLIC, Role.PRESCRIBER, end_s=START_S - 1), Refusal.EXPIRED_CREDENTIAL),
    "a digest never verified": (credential_digest(b"x"), Refusal.SIGNER_UNKNOWN),
}


@pytest.mark.parametrize("case", CHAIN)
def test_a_broken_chain_is_refused(case: str) -> None:
    credential, reason = CHAIN[case]
    pump = Pump()
    assert reasons(pump.present(credential)) == (reason,)
    assert pump.state.session is not None
    assert pump.state.session.signers == ()


@pytest.mark.parametrize("end_s, holds", [(START_S - 1, False), (START_S, True), (START_S + 1, True)])
def test_a_credential_holds_up_to_its_last_second(end_s: int, holds: bool) -> None:
    answer = Pump().present(clinician(PUBLIC, Role.PRESCRIBER, end_s=end_s))
    assert isinstance(answer, Presented) == holds


def test_a_credential_that_ran_out_after_it_was_shown_signs_nothing() -> None:
    pump = Pump()
    pump.present(clinician(PUBLIC, Role.PRESCRIBER, end_s=START_S + 5))
    staged, order = pump.staged()
    pump.ms = 6_000
    assert reasons(pump.commit(staged, order, PHYSICIAN)) == (Refusal.EXPIRED_CREDENTIAL,)
    assert pump.dose == 100_000


def test_a_clock_set_back_revives_nothing() -> None:
    trust = Trust.of((ed_public(ROOT),)).at(START_S + 10).at(START_S)
    old = trust.admits(clinician(PUBLIC, Role.PRESCRIBER, end_s=START_S + 9), Realm.SIMULATED)
    assert isinstance(old, Credential)
    assert trust.refuses(old) is Refusal.EXPIRED_CREDENTIAL


def test_a_newer_epoch_revokes_the_older_one_for_good_and_through_a_reset() -> None:
    pump = Pump()
    assert isinstance(pump.present(CREDENTIAL[PHYSICIAN]), Presented)
    newer = clinician(ed_public(OTHER), Role.PRESCRIBER, epoch=2)
    pump.present(tablet_credential(START_S, epoch=2), TABLET_POSITION)
    assert isinstance(pump.present(newer), Presented)
    assert reasons(pump.present(CREDENTIAL[PHYSICIAN])) == (Refusal.REVOKED,)
    again = pump.firmware.boot(pump.state, START_S * 1000 + 1)
    assert again.trust.floors == (2,)


def test_without_the_tablets_credential_nobody_is_heard() -> None:
    pump = Pump(shown=False)
    assert reasons(pump.present(CREDENTIAL[PHYSICIAN])) == (Refusal.TABLET_CREDENTIAL,)


def test_a_person_above_the_tablets_highest_role_is_refused() -> None:
    pump = Pump(shown=False)
    pump.present(tablet_credential(START_S, role=Role.REFILL_NURSE), TABLET_POSITION)
    assert reasons(pump.present(CREDENTIAL[PHYSICIAN])) == (Refusal.ROLE,)
    assert isinstance(pump.present(CREDENTIAL[NURSE]), Presented)


def test_the_tablets_credential_that_was_shown_last_counts() -> None:
    pump = Pump(shown=False)
    nurse, prescriber = (tablet_credential(START_S, role=role) for role in (Role.REFILL_NURSE, Role.PRESCRIBER))
    for shown, heard in ((nurse, False), (prescriber, True), (nurse, False), (prescriber, True)):
        pump.present(shown, TABLET_POSITION)
        assert isinstance(pump.present(CREDENTIAL[PHYSICIAN]), Presented) == heard


def test_a_tablet_that_was_lowered_after_a_person_was_shown_sends_no_order_of_that_person() -> None:
    pump = Pump(shown=False)
    pump.present(tablet_credential(START_S), TABLET_POSITION)
    pump.present(clinician(PUBLIC, Role.PRESCRIBER, epoch=2))  # from now on the tablet's older credential is revoked
    pump.present(tablet_credential(START_S, epoch=2, role=Role.REFILL_NURSE), TABLET_POSITION)
    staged, order = pump.staged()
    assert reasons(pump.commit(staged, order, PHYSICIAN)) == (Refusal.ROLE,)
    assert pump.dose == 100_000


def test_however_many_persons_are_shown_the_tablets_own_credential_stays() -> None:
    pump = Pump()
    for n in range(40):
        many = clinician(ed_public(key(f"person {n}")), Role.PRESCRIBER)
        assert isinstance(pump.present(many), Presented)
    assert len(pump.state.verified) == 16
    pump.present(CREDENTIAL[PHYSICIAN])
    staged, order = pump.staged()
    assert isinstance(pump.commit(staged, order, PHYSICIAN), Committed)


def test_a_renewed_key_makes_nobody_two_persons() -> None:
    pump = Pump()
    for position, who in enumerate((PHYSICIAN, OTHER)):
        answer = pump.present(clinician(ed_public(who), Role.PRESCRIBER, name="dr-a"), position)
    assert reasons(answer) == (Refusal.SECOND_PERSON,)
    assert isinstance(pump.present(clinician(ed_public(OTHER), Role.PRESCRIBER, name="dr-b"), 1), Presented)


def test_a_weak_clinic_root_is_not_provisioned_and_a_weak_signature_never_holds() -> None:
    with pytest.raises(ValidationError, match="weak key"):
        provision(roots=[WEAK.hex()])
    assert not verifies(WEAK, b"anything", WEAK + bytes(32))
    assert not verifies(PUBLIC, b"anything", WEAK + bytes(32))


# -- every signed byte -------------------------------------------------------------------------------------------------


def test_an_order_is_bound_in_every_field() -> None:
    names = [item.name for item in fields(Order)]
    for name in names:
        pump = with_author()
        staged, order = pump.staged()
        assert set(altered(order)) == set(names)
        assert reasons(pump.commit(staged, altered(order)[name], PHYSICIAN)) == (Refusal.SIGNATURE,), name
        assert pump.dose == 100_000


def test_a_signature_of_another_meaning_or_person_or_order_is_refused() -> None:
    for position, seed in ((1, PHYSICIAN), (0, NURSE)):
        pump = with_author()
        staged, order = pump.staged()
        transplant = sign(seed, order.bytes_for(position, ed_public(seed)))
        assert reasons(pump.send(staged, (transplant,))) == (Refusal.SIGNATURE,)
    pump = with_author()
    _, first = pump.staged("first")
    staged, _ = pump.staged("second")
    assert reasons(pump.commit(staged, first, PHYSICIAN)) == (Refusal.SIGNATURE,)


def test_a_whole_order_is_put_in_force() -> None:
    pump = with_author()
    staged, order = pump.staged()
    assert isinstance(pump.commit(staged, order, PHYSICIAN), Committed)
    assert pump.dose == 115_000


def test_the_pumps_own_limit_holds_against_a_signed_order() -> None:
    pump = with_author()
    with pytest.raises(AssertionError, match="LIMIT"):
        pump.staged(dose=900_000)


# -- two persons -------------------------------------------------------------------------------------------------------


def both(pump: Pump, second: bytes = OTHER) -> None:
    pump.present(CREDENTIAL[PHYSICIAN])
    pump.present(clinician(ed_public(second), Role.PRESCRIBER), 1)


def test_one_signature_does_not_do_where_two_are_demanded() -> None:
    pump = with_author(two_persons=["program"])
    staged, order = pump.staged()
    assert staged.persons == 2
    assert reasons(pump.commit(staged, order, PHYSICIAN)) == (Refusal.SECOND_PERSON,)
    assert pump.dose == 100_000


def test_one_key_is_not_two_persons() -> None:
    pump = with_author(two_persons=["program"])
    answer = pump.present(clinician(PUBLIC, Role.REFILL_NURSE, name="rn"), 1)
    assert reasons(answer) == (Refusal.SECOND_PERSON,)


@pytest.mark.parametrize("ms, applied", [(599_000, True), (601_000, False)])
def test_two_persons_sign_within_ten_minutes(ms: int, applied: bool) -> None:
    pump = Pump(two_persons=["program"])
    both(pump)
    pump.ms = 5_000
    staged, order = pump.staged()
    pump.ms = ms
    answer = pump.commit(staged, order, PHYSICIAN, OTHER)
    assert isinstance(answer, Committed) == applied
    assert applied or reasons(answer) == (Refusal.EXPIRED,)
    assert pump.dose == (115_000 if applied else 100_000)


# -- role by kind of order: a = alone, 2 = with a second person, s = only as the second, . = no right ------------------

ROLES = (Role.PRESCRIBER, Role.IMPLANTER, Role.REFILL_NURSE, Role.THERAPIST, Role.QA, Role.ADMINISTRATOR, Role.OBSERVER)
TABLE = {
    OrderKind.PROGRAM: "ass....",
    OrderKind.REFILL: "aaa....",
    OrderKind.ALARM_VOLUME: "aaa....",
    OrderKind.CLOCK: "a.a....",
    OrderKind.STOP: "2ss....",
    OrderKind.RESUME: "a.a....",
    OrderKind.LIMITS: "2.s....",
    OrderKind.PAIRING: "s....2.",
}


def test_every_cell_of_role_by_kind() -> None:
    assert set(TABLE) == set(OrderKind)
    assert set(ROLES) == set(Role)
    pump = Pump()
    rules = PumpRules(pump.firmware.identity.profile, pump.firmware.identity.row, (), 0, bytes(32))
    for kind, row in TABLE.items():
        content = Content(kind, program(), 0, Discrepancy.NONE)
        right = dict(zip(ROLES, row, strict=True))
        for author in ROLES:
            assert rules.may_sign(content, (Signer(b"1", author),)) == (right[author] == "a"), (kind, author)
            for second in ROLES:
                may = right[author] in "a2" and right[second] != "."
                pair = (Signer(b"1", author), Signer(b"2", second))
                assert rules.may_sign(content, pair) == may, (kind, author, second)
    assert not rules.may_sign(Content(OrderKind.REFILL, program(), 0, Discrepancy.CLOSED), (Signer(b"1", ROLES[2]),))


@pytest.mark.parametrize("seed", [NURSE, IMPLANTER])
def test_a_program_order_of_a_role_without_the_right_is_refused_by_the_pump(seed: bytes) -> None:
    pump = with_author(seed)
    staged, order = pump.staged()
    assert reasons(pump.commit(staged, order, seed)) == (Refusal.ROLE,)
    assert pump.dose == 100_000


# -- witness record ----------------------------------------------------------------------------------------------------


def test_the_witness_record_names_the_newest_order_and_is_signed_over_the_nonce() -> None:
    pump = with_author()
    identity, nonce = pump.firmware.identity, bytes(range(16))
    first = pump.ask(Anchor(nonce=nonce))
    assert isinstance(first, Anchored)
    assert (first.epoch, first.chain, first.order_hash) == (0, CHAIN_START, bytes(32))
    staged, order = pump.staged()
    answer = pump.commit(staged, order, PHYSICIAN)
    assert isinstance(answer, Committed)
    found = pump.ask(Anchor(nonce=nonce))
    assert isinstance(found, Anchored)
    signature = sign(PHYSICIAN, order.bytes_for(0, PUBLIC))
    assert (found.epoch, found.chain) == (1, answer.chain)
    assert found.order_hash == order.order_hash((PUBLIC,), (signature,))
    witness = Witness(found.epoch, found.order_hash, found.chain, found.tablet_tag)
    assert len(witness.encode()) == 76
    data = anchor_bytes(identity.realm, identity.serial, nonce, witness, found.pump_time_s)
    assert verifies(identity.receipt_public, data, found.signature)
    other = anchor_bytes(identity.realm, identity.serial, bytes(16), witness, found.pump_time_s)
    assert not verifies(identity.receipt_public, other, found.signature), "an old answer does not fit a new nonce"


def test_a_position_that_does_not_exist_is_refused() -> None:
    pump = Pump()
    assert reasons(pump.ask(Present(position=3, credential=CREDENTIAL[PHYSICIAN]))) == (Refusal.MALFORMED,)
