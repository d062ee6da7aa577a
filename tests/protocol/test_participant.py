"""The pump's side of the transaction, rule by rule."""

from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import messages as m
from protocol import participant as p
from protocol.messages import Refusal
from protocol.order import (
    CHAIN_START,
    Content,
    Order,
    Witness,
    chain_next,
    program_digest,
    receipt_of,
    sign,
    tablet_tag,
    verifies,
)
from tests.protocol.make import PROGRAM

DOCTOR, SECOND, NURSE, RECEIPT_KEY = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32


def public(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


ROLE = {DOCTOR: m.Role.PRESCRIBER, SECOND: m.Role.PRESCRIBER, NURSE: m.Role.REFILL_NURSE}


def signer(seed: bytes) -> p.Signer:
    return p.Signer(public(seed), ROLE[seed])


@dataclass(frozen=True)
class Plain:
    """Rules with one limit, and rights by kind of order."""

    limit: int = 500_000
    needs: int = 1

    def refusals(self, content: Content, situation: p.Situation) -> tuple[Refusal, ...]:
        return (Refusal.LIMIT_DOSE_HIGH,) if content.program.dose_ng_per_day > self.limit else ()

    def persons(self, content: Content, situation: p.Situation) -> int:
        return self.needs

    def may_sign(self, content: Content, signers: tuple[p.Signer, ...]) -> bool:
        return content.kind is m.OrderKind.REFILL or signers[0].role is m.Role.PRESCRIBER

    def flow_nl_per_day(self, program: m.Program) -> int:
        return program.dose_ng_per_day * 1_000_000 // program.concentration_ng_per_ml

    def sign_receipt(self, data: bytes) -> bytes:
        return sign(RECEIPT_KEY, data)


RULES = Plain()
PROPOSED = PROGRAM.model_copy(update={"dose_ng_per_day": 115_000})
NOW = p.Situation(
    now_ms=1_000,
    pump_time_s=1_800_000_000,
    realm=m.Realm.SIMULATED,
    serial="VP-1",
    tablet_id="T-1",
    handshake_hash=b"h" * 32,
    running=PROGRAM,
    reservoir_nl=9_000_000,
    discrepancy=m.Discrepancy.NONE,
    signers=(signer(DOCTOR),),
    fresh_token=b"k" * 8,
)
START = p.Participant(p.Memory(epoch=6))
HEAD = b"e" * 16


def tx(number: int) -> bytes:
    return number.to_bytes(16, "big")


def stage(number: int = 1, base_epoch: int = 6, program: m.Program = PROPOSED) -> m.StageProgram:
    return m.StageProgram(txid=tx(number), base_epoch=base_epoch, program=program, annex=b"a" * 32)


def refill(number: int = 1, base_epoch: int = 6) -> m.StageRefill:
    return m.StageRefill(
        txid=tx(number),
        base_epoch=base_epoch,
        program_digest=program_digest(PROGRAM),
        reservoir_nl=18_000_000,
        discrepancy=m.Discrepancy.OPEN,
        annex=b"a" * 32,
    )


def answer(effects: tuple[p.Effect, ...]) -> m.Message:
    assert isinstance(effects[-1], p.Answer)
    assert sum(isinstance(item, p.Answer) for item in effects) == 1
    return effects[-1].message


def ask(state: p.Participant, message: m.Message, at: p.Situation = NOW) -> tuple[p.Participant, m.Message]:
    state, effects = p.step(state, message, at, RULES)
    return state, answer(effects)


def ready(message: m.Stage | None = None, at: p.Situation = NOW) -> p.Participant:
    """Staged and read back."""
    message = message or stage()
    state, reply = ask(START, message, at)
    assert isinstance(reply, m.Staged)
    state, reply = ask(state, m.ReadBack(txid=message.txid), at)
    assert isinstance(reply, m.ReadBackReport)
    return state


def order(state: p.Participant, at: p.Situation = NOW) -> Order:
    """The order as the tablet builds it."""
    assert state.proposal is not None
    held = state.proposal
    return Order(
        realm=at.realm,
        serial=at.serial,
        txid=held.stage.txid,
        token=held.token,
        content=held.content,
        previous_digest=program_digest(PROGRAM),
        epoch=7,
        annex=b"a" * 32,
        staged_at_s=NOW.pump_time_s,
        handshake_hash=at.handshake_hash,
        head=HEAD,
    )


def commit(state: p.Participant, *seeds: bytes) -> m.Commit:
    assert state.proposal is not None
    seeds = seeds or (DOCTOR,)
    return m.Commit(
        txid=state.proposal.stage.txid,
        token=state.proposal.token,
        digest=state.proposal.content.digest(),
        head=HEAD,
        signatures=tuple(sign(seed, order(state).bytes_for(n, public(seed))) for n, seed in enumerate(seeds)),
    )


def refusal(message: m.Message, *reasons: Refusal) -> None:
    assert isinstance(message, m.Refused)
    assert message.reasons == reasons


def test_a_signed_proposal_is_put_in_force_by_one_record_and_answered_with_a_receipt() -> None:
    state = ready()
    request = commit(state)
    after, effects = p.step(state, request, NOW, RULES)
    done = answer(effects)
    assert isinstance(done, m.Committed)
    force, _ = effects
    assert isinstance(force, p.PutInForce)
    assert (force.content.program, force.head) == (PROPOSED, HEAD)
    assert force.memory == after.memory
    order_hash = order(state).order_hash((public(DOCTOR),), request.signatures)
    assert after == p.Participant(p.Memory(7, done.chain, (done,), (), 0, order_hash, tablet_tag("T-1")))
    assert after.memory.witness == Witness(7, order_hash, done.chain, tablet_tag("T-1"))
    assert (done.epoch, done.effective_at_s, done.digest) == (7, NOW.pump_time_s, force.content.digest())
    key = (public(DOCTOR),)
    assert done.chain == chain_next(CHAIN_START, 7, order(state).order_hash(key, request.signatures), tablet_tag("T-1"))
    receipt = receipt_of(done, m.Realm.SIMULATED, "VP-1", request.signatures)
    assert verifies(public(RECEIPT_KEY), receipt.encode(), done.receipt)


def test_the_read_back_is_what_the_pump_holds() -> None:
    state, _ = ask(START, stage())
    later = replace(NOW, pump_time_s=NOW.pump_time_s + 30)
    _, report = ask(state, m.ReadBack(txid=tx(1)), later)
    assert report == m.ReadBackReport(
        txid=tx(1),
        kind=m.OrderKind.PROGRAM,
        base_epoch=6,
        program=PROPOSED,
        flow_nl_per_day=57_500,  # 115 mcg/day at 2 mcg per uL
        total_24h_fg=115_000 * 10**6,
        reservoir_nl=9_000_000,
        discrepancy=m.Discrepancy.NONE,
        staged_at_s=NOW.pump_time_s,
        previous_digest=program_digest(PROGRAM),
    )


def test_a_nurse_may_refill_and_the_program_stays() -> None:
    at = replace(NOW, signers=(signer(NURSE),))
    state, _ = ask(START, refill(), at)
    state, report = ask(state, m.ReadBack(txid=tx(1)), at)
    assert isinstance(report, m.ReadBackReport)
    assert (report.program, report.reservoir_nl, report.discrepancy) == (PROGRAM, 18_000_000, m.Discrepancy.OPEN)
    _, effects = p.step(state, commit(state, NURSE), at, RULES)
    assert isinstance(effects[0], p.PutInForce)
    assert effects[0].content.kind is m.OrderKind.REFILL


def test_a_nurses_dose_order_is_refused_by_the_pump() -> None:
    at = replace(NOW, signers=(signer(NURSE),))
    state = ready(at=at)
    after, reply = ask(state, commit(state, NURSE), at)
    refusal(reply, Refusal.ROLE)
    assert after.memory.epoch == 6


def test_two_persons_sign_in_their_places() -> None:
    at = replace(NOW, signers=(signer(DOCTOR), signer(SECOND)))
    state = ready(at=at)
    _, reply = ask(state, commit(state, DOCTOR, SECOND), at)
    assert isinstance(reply, m.Committed)
    swapped = commit(state, DOCTOR, SECOND)
    swapped = swapped.model_copy(update={"signatures": swapped.signatures[::-1]})
    refusal(ask(state, swapped, at)[1], Refusal.SIGNATURE)


def test_one_person_is_never_two() -> None:
    at = replace(NOW, signers=(signer(DOCTOR), signer(DOCTOR)))
    state = ready(at=at)
    refusal(ask(state, commit(state, DOCTOR, DOCTOR), at)[1], Refusal.SECOND_PERSON)


CHANGED_SITUATION: list[tuple[dict[str, object], Refusal]] = [
    ({"realm": m.Realm.CLINICAL}, Refusal.SIGNATURE),
    ({"serial": "VP-2"}, Refusal.SIGNATURE),
    ({"handshake_hash": b"H" * 32}, Refusal.SIGNATURE),
    ({"running": PROPOSED}, Refusal.PROGRAM_CHANGED),
    ({"signers": ()}, Refusal.SIGNER_UNKNOWN),
    ({"signers": (signer(DOCTOR), signer(SECOND))}, Refusal.SIGNER_UNKNOWN),
    ({"signers": (signer(SECOND),)}, Refusal.SIGNATURE),
    ({"now_ms": NOW.now_ms + 120_000}, Refusal.EXPIRED),
]


@pytest.mark.parametrize(("change", "reason"), CHANGED_SITUATION, ids=lambda item: str(item)[:30])
def test_a_commit_in_another_situation_is_refused_and_the_proposal_is_dead(
    change: dict[str, object], reason: Refusal
) -> None:
    state = ready()
    request = commit(state)
    after, effects = p.step(state, request, replace(NOW, **change), RULES)  # type: ignore[arg-type]
    refusal(answer(effects), reason)
    assert after == p.Participant(p.Memory(6, tombstones=(tx(1),)))
    assert p.Remember(after.memory) in effects
    refusal(ask(after, request)[1], Refusal.EXPIRED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token": b"x" * 8}, Refusal.TOKEN),
        ({"digest": b"x" * 32}, Refusal.DIGEST),
        ({"head": b"x" * 16}, Refusal.SIGNATURE),
        ({"signatures": (b"x" * 64,)}, Refusal.SIGNATURE),
        ({"signatures": (b"x" * 64,) * 2}, Refusal.SIGNER_UNKNOWN),
    ],
    ids=str,
)
def test_an_altered_commit_is_refused(change: dict[str, object], reason: Refusal) -> None:
    state = ready()
    after, reply = ask(state, commit(state).model_copy(update=change))
    refusal(reply, reason)
    assert isinstance(reply, m.Refused)
    assert (reply.op, reply.txid) == (m.Commit.OP, tx(1))
    assert after == p.Participant(p.Memory(6, tombstones=(tx(1),)))


def test_no_commit_without_a_read_back() -> None:
    state, _ = ask(START, stage())
    refusal(ask(state, commit(state))[1], Refusal.NOT_READ_BACK)


def test_the_epoch_is_compared_again_at_the_commit() -> None:
    state = ready()
    moved = replace(state, memory=replace(state.memory, epoch=7))
    refusal(ask(moved, commit(state))[1], Refusal.EPOCH)


def test_limits_are_judged_again_at_the_commit() -> None:
    state = ready()
    _, effects = p.step(state, commit(state), NOW, Plain(limit=114_999))
    refusal(answer(effects), Refusal.LIMIT_DOSE_HIGH)


def test_a_proposal_beyond_a_limit_is_never_staged() -> None:
    _, reply = ask(START, stage(program=PROGRAM.model_copy(update={"dose_ng_per_day": 500_000})))
    assert isinstance(reply, m.Staged)
    after, reply = ask(START, stage(program=PROGRAM.model_copy(update={"dose_ng_per_day": 500_001})))
    refusal(reply, Refusal.LIMIT_DOSE_HIGH)
    assert after == START


@pytest.mark.parametrize("base_epoch", [0, 5, 7, 2**32 - 1])
def test_rule_8_a_proposal_on_another_epoch_is_refused(base_epoch: int) -> None:
    after, reply = ask(START, stage(base_epoch=base_epoch))
    refusal(reply, Refusal.EPOCH)
    assert after == START


def test_rule_8_of_two_tablets_one_wins() -> None:
    state = ready()
    state, reply = ask(state, commit(state))
    assert isinstance(reply, m.Committed)
    refusal(ask(state, stage(number=2, base_epoch=6))[1], Refusal.EPOCH)
    assert isinstance(ask(state, stage(number=2, base_epoch=7))[1], m.Staged)


def test_a_refill_names_the_program_that_runs() -> None:
    wrong = refill().model_copy(update={"program_digest": program_digest(PROPOSED)})
    after, reply = ask(START, wrong)
    refusal(reply, Refusal.PROGRAM_CHANGED)
    assert after == START


def test_rule_1_a_transaction_that_left_staged_is_never_staged_again() -> None:
    staged, _ = ask(START, stage())
    ends = {
        "staged still": staged,
        "aborted": ask(staged, m.Abort(txid=tx(1)))[0],
        "queried": ask(staged, m.Query(txid=tx(1), base_epoch=6))[0],
        "discarded": p.discard(staged)[0],
        "expired": p.expire(staged, NOW.now_ms + 120_000)[0],
        "refused": ask(staged, commit(staged))[0],
        "replaced": ask(staged, stage(number=2))[0],
        "committed": ask(ready(), commit(ready()))[0],
    }
    for name, state in ends.items():
        for again in (stage(), refill(), stage(base_epoch=7)):
            after, reply = ask(state, again)
            refusal(reply, Refusal.TX_USED)
            assert after == state, name


def test_rule_2_a_query_that_finds_nothing_forbids_before_it_answers() -> None:
    after, effects = p.step(START, m.Query(txid=tx(1), base_epoch=6), NOW, RULES)
    assert effects == (p.Remember(p.Memory(6, tombstones=(tx(1),))), p.Answer(m.NotApplied(txid=tx(1))))
    refusal(ask(after, stage())[1], Refusal.TX_USED)
    again, effects = p.step(after, m.Query(txid=tx(1), base_epoch=6), NOW, RULES)
    assert (again, effects) == (after, (p.Answer(m.NotApplied(txid=tx(1))),))


def test_rule_2_a_query_kills_what_is_staged_and_a_late_commit_finds_nothing() -> None:
    state = ready()
    request = commit(state)
    after, reply = ask(state, m.Query(txid=tx(1), base_epoch=6))
    assert reply == m.NotApplied(txid=tx(1))
    assert after.proposal is None
    refusal(ask(after, request)[1], Refusal.EXPIRED)


def test_a_query_or_abort_of_another_transaction_leaves_the_proposal() -> None:
    state = ready()
    for message in (m.Query(txid=tx(9), base_epoch=6), m.Abort(txid=tx(9))):
        after, _ = ask(state, message)
        assert after.proposal == state.proposal
        assert after.memory.tombstones == (tx(9),)


def test_rule_5_a_repeated_commit_gets_the_recorded_outcome() -> None:
    state = ready()
    request = commit(state)
    after, first = ask(state, request)
    again, effects = p.step(after, request, replace(NOW, now_ms=9**9, pump_time_s=1, signers=()), RULES)
    assert (again, effects) == (after, (p.Answer(first),))


def test_abort_and_query_after_a_commit_say_so_truthfully() -> None:
    state = ready()
    after, done = ask(state, commit(state))
    for message in (m.Abort(txid=tx(1)), m.Query(txid=tx(1), base_epoch=6)):
        assert ask(after, message) == (after, done)


def test_an_abort_buries() -> None:
    after, effects = p.step(ready(), m.Abort(txid=tx(1)), NOW, RULES)
    assert after == p.Participant(p.Memory(6, tombstones=(tx(1),)))
    assert effects == (p.Remember(after.memory), p.Answer(m.Aborted(txid=tx(1))))


def test_a_commit_of_an_unknown_transaction_leaves_the_verdict_to_a_query() -> None:
    state = ready()
    other = commit(state).model_copy(update={"txid": tx(9)})
    after, reply = ask(state, other)
    refusal(reply, Refusal.UNKNOWN_TX)
    assert after == state, "it may be one whose outcome is forgotten: nothing is buried"
    after, reply = ask(state, m.Query(txid=tx(9), base_epoch=6))
    assert reply == m.NotApplied(txid=tx(9))
    refusal(ask(after, other)[1], Refusal.EXPIRED)
    refusal(ask(after, stage(number=9))[1], Refusal.TX_USED)


def committed(epoch: int) -> m.Committed:
    return m.Committed(
        txid=tx(epoch), epoch=epoch, digest=bytes(32), effective_at_s=0, chain=bytes(32), receipt=bytes(64)
    )


def test_rule_7_the_history_wraps_and_says_so() -> None:
    """The pump keeps the last 32 orders: at epoch 40 those are 9 to 40; transaction n was put in force as epoch n."""
    kept = tuple(committed(epoch) for epoch in range(9, 41))
    state = p.Participant(p.Memory(40, outcomes=kept))
    assert state.memory.oldest_epoch == 9
    assert ask(state, m.Query(txid=tx(9), base_epoch=8))[1] == committed(9)
    after, reply = ask(state, m.Query(txid=tx(8), base_epoch=7))
    assert reply == m.Indeterminate(txid=tx(8), oldest_epoch=9)
    assert after == state, "no tombstone where the answer is not known"
    assert ask(state, m.Query(txid=tx(99), base_epoch=8))[1] == m.NotApplied(txid=tx(99))


def test_rule_7_the_oldest_outcome_goes_when_another_comes() -> None:
    kept = tuple(committed(epoch) for epoch in range(9, 41))
    state = p.Participant(p.Memory(40, outcomes=kept))
    state, _ = ask(state, stage(number=100, base_epoch=40))
    state, _ = ask(state, m.ReadBack(txid=tx(100)))
    request = commit(state)
    signed = replace(order(state), epoch=41).bytes_for(0, public(DOCTOR))
    state, reply = ask(state, request.model_copy(update={"signatures": (sign(DOCTOR, signed),)}))
    assert isinstance(reply, m.Committed)
    assert len(state.memory.outcomes) == 32
    assert state.memory.oldest_epoch == 10
    assert ask(state, m.Query(txid=tx(9), base_epoch=8))[1] == m.Indeterminate(txid=tx(9), oldest_epoch=10)


def test_rule_7_a_repeated_commit_or_abort_of_a_forgotten_order_makes_no_answer_false() -> None:
    kept = tuple(committed(epoch) for epoch in range(9, 41))
    state = p.Participant(p.Memory(40, outcomes=kept, tx_floor=p.tx_number(tx(8)) + 1))
    again = m.Commit(txid=tx(8), token=bytes(8), digest=bytes(32), head=bytes(16), signatures=(bytes(64),))
    for message in (again, m.Abort(txid=tx(8))):
        after, reply = ask(state, message)
        refusal(reply, Refusal.UNKNOWN_TX)
        assert after == state
    assert ask(state, m.Query(txid=tx(8), base_epoch=7))[1] == m.Indeterminate(txid=tx(8), oldest_epoch=9)


def test_rule_1_a_forgotten_order_can_never_be_staged_again() -> None:
    memory = p.Memory(0)
    for number in range(p.OUTCOMES_KEPT + 1):
        memory = memory.with_outcome(committed(number + 1).model_copy(update={"txid": made(500 + number, number)}))
    assert memory.outcome(made(500, 0)) is None
    assert memory.tx_floor == 501
    state = p.Participant(memory)
    message = stage(base_epoch=memory.epoch).model_copy(update={"txid": made(500, 0)})
    refusal(ask(state, message)[1], Refusal.TX_USED)


def test_where_memory_was_lost_only_what_is_known_is_answered() -> None:
    state = p.Participant(p.Memory(6, outcomes=(committed(6),), tombstones=(tx(3),), lost=True))
    for epoch in (0, 5, 6, 7, 99):
        after, reply = ask(state, m.Query(txid=tx(50), base_epoch=epoch))
        assert reply == m.Indeterminate(txid=tx(50), oldest_epoch=6)
        assert after == state
    assert ask(state, m.Query(txid=tx(6), base_epoch=5))[1] == committed(6)
    assert ask(state, m.Query(txid=tx(3), base_epoch=6))[1] == m.NotApplied(txid=tx(3))
    refusal(ask(state, m.Abort(txid=tx(50)))[1], Refusal.UNKNOWN_TX)
    refusal(ask(state, stage())[1], Refusal.SAFE_STATE)


def test_nothing_is_staged_upon_the_last_epoch() -> None:
    """2^32 - 1 is the last one: the counter never wraps, and the pump can be read for ever."""
    last = p.Participant(p.Memory(2**32 - 1))
    after, reply = ask(last, stage(base_epoch=2**32 - 1))
    refusal(reply, Refusal.MEMORY)
    assert after == last
    assert ask(last, m.Query(txid=tx(1), base_epoch=2**32 - 1))[1] == m.NotApplied(txid=tx(1))
    before = p.Participant(p.Memory(2**32 - 2))
    assert isinstance(ask(before, stage(base_epoch=2**32 - 2))[1], m.Staged)


def test_a_tombstone_is_final_even_when_the_history_has_wrapped() -> None:
    kept = tuple(committed(epoch) for epoch in range(9, 41))
    state = p.Participant(p.Memory(40, outcomes=kept, tombstones=(tx(3),)))
    assert ask(state, m.Query(txid=tx(3), base_epoch=0))[1] == m.NotApplied(txid=tx(3))


def made(at_s: int, number: int) -> bytes:
    """A transaction id that a tablet made at this time of the pump."""
    return at_s.to_bytes(4, "big") + number.to_bytes(12, "big")


def test_a_tombstone_gives_way_only_to_a_floor_that_forbids_as_much() -> None:
    """70 proposals are dropped within one epoch; not one of them can ever be staged again."""
    state, dropped = START, [made(NOW.pump_time_s - 100 + number, number) for number in range(70)]
    for txid in dropped:
        state, reply = ask(state, m.Abort(txid=txid))
        assert reply == m.Aborted(txid=txid)
    assert state.memory.tombstones == tuple(dropped[-p.TOMBSTONES_KEPT :])
    assert state.memory.tx_floor == NOW.pump_time_s - 100 + 7
    for txid in dropped:
        again, reply = ask(state, m.StageProgram(txid=txid, base_epoch=6, program=PROPOSED, annex=b"a" * 32))
        refusal(reply, Refusal.TX_USED)
        assert again == state
        assert ask(state, m.Query(txid=txid, base_epoch=6)) == (state, m.NotApplied(txid=txid))
    fresh = made(NOW.pump_time_s, 0)
    _, reply = ask(state, m.StageProgram(txid=fresh, base_epoch=6, program=PROPOSED, annex=b"a" * 32))
    assert isinstance(reply, m.Staged)


def test_a_transaction_of_the_same_second_as_a_forgotten_one_is_refused_too() -> None:
    memory = p.Memory()
    for number in range(p.TOMBSTONES_KEPT + 1):
        memory = memory.buried(made(500, number))
    assert memory.tx_floor == 501
    assert memory.is_dead(made(500, 99))
    assert not memory.is_dead(made(501, 0))
    assert memory.buried(made(3, 3)) is memory


@pytest.mark.parametrize(("ahead_s", "taken"), [(-1, True), (60, True), (61, False), (2**31, False)])
def test_an_id_from_the_future_cannot_raise_the_floor(ahead_s: int, taken: bool) -> None:
    txid = made(NOW.pump_time_s + ahead_s, 1)
    for message in (
        m.StageProgram(txid=txid, base_epoch=6, program=PROPOSED, annex=b"a" * 32),
        m.Query(txid=txid, base_epoch=6),
        m.Abort(txid=txid),
        m.Commit(txid=txid, token=bytes(8), digest=bytes(32), head=HEAD, signatures=(bytes(64),)),
    ):
        after, reply = ask(START, message)
        malformed = isinstance(reply, m.Refused) and reply.reasons == (Refusal.MALFORMED,)
        assert malformed is not taken
        assert taken or after == START


TWO = Plain(needs=2)


def test_two_persons_are_demanded_by_the_pump_and_live_ten_minutes() -> None:
    """An order that needs two persons takes effect with two signatures only, and waits 600 s for them."""
    both = (signer(DOCTOR), signer(NURSE))
    for after_ms, signers, keys, reason in (
        (0, both, (DOCTOR, NURSE), None),
        (599_000, both, (DOCTOR, NURSE), None),
        (600_000, both, (DOCTOR, NURSE), Refusal.EXPIRED),
        (0, both[:1], (DOCTOR,), Refusal.SECOND_PERSON),
        (0, both, (DOCTOR,), Refusal.SIGNER_UNKNOWN),
        (0, both[:1] * 2, (DOCTOR, DOCTOR), Refusal.SECOND_PERSON),
    ):
        state, effects = p.step(START, stage(), NOW, TWO)
        staged = answer(effects)
        assert isinstance(staged, m.Staged)
        assert (staged.persons, staged.expires_in_s) == (2, 600)
        state, _ = p.step(state, m.ReadBack(txid=tx(1)), NOW, TWO)
        later = replace(
            NOW, now_ms=NOW.now_ms + after_ms, signers=tuple(replace(s, presented_ms=1_000) for s in signers)
        )
        _, effects = p.step(state, commit(state, *keys), later, TWO)
        reply = answer(effects)
        assert isinstance(reply, m.Committed) if reason is None else reply.reasons == (reason,)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("first_ms", "good"), [(1_000, True), (0, True), (-1, False)])
def test_both_persons_were_there_within_ten_minutes(first_ms: int, good: bool) -> None:
    at = replace(NOW, now_ms=600_000)
    state, _ = p.step(START, stage(), at, TWO)
    state, _ = p.step(state, m.ReadBack(txid=tx(1)), at, TWO)
    shown = (
        p.Signer(public(DOCTOR), m.Role.PRESCRIBER, first_ms),
        p.Signer(public(NURSE), m.Role.REFILL_NURSE, 600_000),
    )
    _, effects = p.step(state, commit(state, DOCTOR, NURSE), replace(at, signers=shown), TWO)
    reply = answer(effects)
    assert isinstance(reply, m.Committed) if good else reply.reasons == (Refusal.EXPIRED,)  # type: ignore[attr-defined]


def test_credentials_that_do_not_hold_any_more_stop_the_commit() -> None:
    at = replace(NOW, barred=Refusal.EXPIRED_CREDENTIAL)
    state = ready()
    after, reply = ask(state, commit(state), at)
    refusal(reply, Refusal.EXPIRED_CREDENTIAL)
    assert after.proposal is None


def test_two_signatures_fit_one_frame() -> None:
    """The longest COMMIT takes 222 bytes beside its request number, of the 232 of a frame."""
    longest = m.Commit(txid=tx(1), token=bytes(8), digest=bytes(32), head=HEAD, signatures=(bytes(64),) * 2)
    assert len(m.encode_message(0xFFFF, longest)) <= m.MAX_MESSAGE_BYTES


@pytest.mark.parametrize(("after_ms", "alive"), [(0, True), (119_999, True), (120_000, False), (120_001, False)])
def test_a_proposal_lives_120_seconds(after_ms: int, alive: bool) -> None:
    state = ready()
    request, later = commit(state), replace(NOW, now_ms=NOW.now_ms + after_ms)
    assert (p.expire(state, later.now_ms) == (state, ())) is alive
    _, reply = ask(state, request, later)
    assert isinstance(reply, m.Committed) is alive
    _, reply = ask(state, m.ReadBack(txid=tx(1)), later)
    assert isinstance(reply, m.ReadBackReport) is alive
    if not alive:
        refusal(reply, Refusal.EXPIRED)


def test_staged_says_how_long_it_lives_and_names_the_content() -> None:
    _, reply = ask(START, stage())
    assert reply == m.Staged(
        txid=tx(1), digest=Content(m.OrderKind.PROGRAM, PROPOSED, 0, m.Discrepancy.NONE).digest(), token=b"k" * 8,
        expires_in_s=120, persons=1,
    )  # fmt: skip


def test_rule_9_a_new_session_kills_staged_work_durably() -> None:
    state, effects = p.discard(ready())
    assert state == p.Participant(p.Memory(6, tombstones=(tx(1),)))
    assert effects == (p.Remember(state.memory),)
    assert p.discard(state) == (state, ())
    assert p.expire(state, 10**9) == (state, ())


def test_a_read_back_of_nothing_is_refused() -> None:
    refusal(ask(START, m.ReadBack(txid=tx(1)))[1], Refusal.UNKNOWN_TX)
    refusal(ask(ready(), m.ReadBack(txid=tx(2)))[1], Refusal.UNKNOWN_TX)


def test_a_message_that_is_no_part_of_a_transaction_is_refused() -> None:
    after, reply = ask(ready(), m.KeepAlive())
    assert reply == m.Refused(op=m.KeepAlive.OP, txid=b"", reasons=(Refusal.UNSUPPORTED,))
    assert after == ready()


def test_a_second_proposal_replaces_the_first_and_buries_it_before_the_answer() -> None:
    after, effects = p.step(ready(), stage(number=2), NOW, RULES)
    assert isinstance(answer(effects), m.Staged)
    assert effects[0] == p.Remember(p.Memory(6, tombstones=(tx(1),)))
    assert after.proposal is not None
    assert (after.proposal.stage.txid, after.proposal.read_back) == (tx(2), False)
