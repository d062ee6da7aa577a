"""The tablet's side of the transaction: every state against every event, and nothing in between.

The grid is written out from the specification: what is not in it must be refused as out of turn.
"""

import itertools
from dataclasses import replace

import pytest

from protocol import coordinator as c
from protocol import messages as m
from protocol.coordinator import Persist, Send, State, Stored, Transaction
from protocol.messages import Refusal
from tests.protocol.make import PROGRAM

TX, OTHER = b"\x11" * 16, b"\x99" * 16
STAGE = m.StageProgram(txid=TX, base_epoch=6, program=PROGRAM, annex=bytes(32))
STAGED = m.Staged(txid=TX, digest=b"d" * 32, token=b"k" * 8, expires_in_s=120, persons=1)
REPORT = m.ReadBackReport(
    txid=TX,
    kind=m.OrderKind.PROGRAM,
    base_epoch=6,
    program=PROGRAM,
    flow_nl_per_day=50_000,
    total_24h_fg=10**11,
    reservoir_nl=18_000_000,
    discrepancy=m.Discrepancy.NONE,
    staged_at_s=0,
    previous_digest=b"p" * 32,
)
SIGNED = c.Signed(b"h" * 16, (b"s" * 64,))
COMMIT = m.Commit(txid=TX, token=b"k" * 8, digest=b"d" * 32, head=b"h" * 16, signatures=(b"s" * 64,))
COMMITTED = m.Committed(txid=TX, epoch=7, digest=b"d" * 32, effective_at_s=1, chain=b"c" * 32, receipt=b"r" * 64)
NOT_APPLIED = m.NotApplied(txid=TX)
ABORTED = m.Aborted(txid=TX)
LOST = m.Indeterminate(txid=TX, oldest_epoch=40)
QUERY = m.Query(txid=TX, base_epoch=6)


def refused(op: int, *reasons: Refusal) -> m.Refused:
    return m.Refused(op=op, txid=TX, reasons=reasons)


AT = {
    State.DRAFT: Transaction(STAGE),
    State.STAGING: Transaction(STAGE, State.STAGING),
    State.READING_BACK: Transaction(STAGE, State.READING_BACK, STAGED),
    State.AWAITING: Transaction(STAGE, State.AWAITING, STAGED, REPORT),
    State.COMMITTING: Transaction(STAGE, State.COMMITTING, STAGED, REPORT, COMMIT),
    State.COMMITTED: Transaction(STAGE, State.COMMITTED, STAGED, REPORT, COMMIT, COMMITTED),
    State.ABORTED: Transaction(STAGE, State.ABORTED, STAGED),
    State.DANGLING: Transaction(STAGE, State.DANGLING, STAGED),
    State.IN_DOUBT: Transaction(STAGE, State.IN_DOUBT, STAGED, REPORT, COMMIT),
    State.UNRESOLVED: Transaction(STAGE, State.UNRESOLVED, STAGED, REPORT, COMMIT, oldest_epoch=40),
}
SETTLING = (State.DANGLING, State.IN_DOUBT, State.UNRESOLVED)
LATE_REFUSAL = refused(m.Query.OP, Refusal.UNSUPPORTED)

EVENTS: dict[str, c.Event] = {
    "begin": c.Begin(),
    "link lost": c.LinkLost(),
    "signed": SIGNED,
    "drop": c.Drop(),
    "not stored": c.NotStored(),
    "resume": c.Resume(),
    "staged": c.Replied(STAGED),
    "read back": c.Replied(REPORT),
    "committed": c.Replied(COMMITTED),
    "not applied": c.Replied(NOT_APPLIED),
    "aborted": c.Replied(ABORTED),
    "indeterminate": c.Replied(LOST),
    "stage refused": c.Replied(refused(m.StageProgram.OP, Refusal.EPOCH)),
    "read back refused": c.Replied(refused(m.ReadBack.OP, Refusal.EXPIRED)),
    "commit refused": c.Replied(refused(m.Commit.OP, Refusal.SIGNATURE)),
    "commit not judged": c.Replied(refused(m.Commit.OP, Refusal.MEMORY)),
    "query refused": c.Replied(LATE_REFUSAL),
    "abort refused": c.Replied(refused(m.Abort.OP, Refusal.UNSUPPORTED)),
    "alive": c.Replied(m.Alive()),
    "status of another transaction": c.Replied(m.NotApplied(txid=OTHER)),
    "commit of another transaction": c.Replied(COMMITTED.model_copy(update={"txid": OTHER})),
    "refusal without a transaction": c.Replied(m.Refused(op=m.Commit.OP, txid=b"", reasons=(Refusal.MALFORMED,))),
    "refusal of another transaction": c.Replied(m.Refused(op=m.Commit.OP, txid=OTHER, reasons=(Refusal.TOKEN,))),
}

GRID: dict[tuple[State, str], tuple[State, tuple[c.Effect, ...]]] = {
    (State.DRAFT, "begin"): (State.STAGING, (Persist(Stored.STAGING), Send(STAGE))),
    (State.STAGING, "staged"): (State.READING_BACK, (Send(m.ReadBack(txid=TX)),)),
    (State.STAGING, "stage refused"): (State.ABORTED, (Persist(Stored.ABORTED),)),
    (State.STAGING, "link lost"): (State.DANGLING, ()),
    (State.READING_BACK, "read back"): (State.AWAITING, ()),
    (State.READING_BACK, "read back refused"): (State.ABORTED, (Persist(Stored.ABORTED),)),
    (State.READING_BACK, "link lost"): (State.DANGLING, ()),
    (State.READING_BACK, "drop"): (State.DANGLING, (Send(m.Abort(txid=TX)),)),
    (State.AWAITING, "signed"): (State.COMMITTING, (Persist(Stored.INTENT), Send(COMMIT))),
    (State.AWAITING, "drop"): (State.DANGLING, (Send(m.Abort(txid=TX)),)),
    (State.AWAITING, "link lost"): (State.DANGLING, ()),
    (State.COMMITTING, "committed"): (State.COMMITTED, (Persist(Stored.COMMITTED),)),
    (State.COMMITTING, "commit refused"): (State.ABORTED, (Persist(Stored.ABORTED),)),
    (State.COMMITTING, "commit not judged"): (State.IN_DOUBT, (Persist(Stored.IN_DOUBT),)),
    (State.COMMITTING, "link lost"): (State.IN_DOUBT, (Persist(Stored.IN_DOUBT),)),
    (State.COMMITTING, "not stored"): (State.DANGLING, (Send(m.Abort(txid=TX)),)),
}
for _state in SETTLING:
    GRID |= {
        (_state, "resume"): (_state, (Send(QUERY),)),
        (_state, "link lost"): (_state, ()),
        (_state, "committed"): (State.COMMITTED, (Persist(Stored.COMMITTED),)),
        (_state, "not applied"): (State.ABORTED, (Persist(Stored.ABORTED),)),
        (_state, "aborted"): (State.ABORTED, (Persist(Stored.ABORTED),)),
        (_state, "indeterminate"): (State.UNRESOLVED, (Persist(Stored.UNRESOLVED),)),
        (_state, "query refused"): (_state, ()),
        (_state, "abort refused"): (_state, ()),
    }


@pytest.mark.parametrize(
    ("state", "name"), list(itertools.product(State, EVENTS)), ids=lambda item: getattr(item, "value", item)
)
def test_every_state_against_every_event(state: State, name: str) -> None:
    before, event = AT[state], EVENTS[name]
    if (state, name) not in GRID:
        with pytest.raises(c.OutOfTurn, match=f"cannot follow {state.value}. Close the visit"):
            c.step(before, event)
        return
    after, effects = c.step(before, event)
    assert (after.state, effects) == GRID[state, name]
    assert after.txid == TX
    assert before == AT[state], "the step changed nothing in place"


def test_the_grid_names_every_state_and_every_event_that_has_a_place() -> None:
    assert set(AT) == set(State)
    reached = {state for state, _ in GRID.values()}
    assert reached == set(State) - {State.DRAFT}
    silent = set(EVENTS) - {event for _, event in GRID}
    assert silent == {
        "alive",
        "status of another transaction",
        "commit of another transaction",
        "refusal without a transaction",
        "refusal of another transaction",
    }
    assert {type(event) for event in EVENTS.values()} == set(c.Event.__args__)


def test_what_was_heard_is_kept() -> None:
    tx = AT[State.DRAFT]
    tx, _ = c.step(tx, c.Begin())
    tx, _ = c.step(tx, c.Replied(STAGED))
    tx, _ = c.step(tx, c.Replied(REPORT))
    assert (tx.staged, tx.read_back) == (STAGED, REPORT)
    tx, _ = c.step(tx, SIGNED)
    assert tx.commit == COMMIT
    done, _ = c.step(tx, c.Replied(COMMITTED))
    assert done.committed == COMMITTED
    doubt, _ = c.step(tx, c.LinkLost())
    lost, _ = c.step(doubt, c.Replied(LOST))
    assert lost.oldest_epoch == 40
    no, _ = c.step(tx, EVENTS["commit refused"])
    assert no.reasons == (Refusal.SIGNATURE,)
    open_still, _ = c.step(doubt, c.Replied(LATE_REFUSAL))
    assert open_still == replace(doubt, reasons=(Refusal.UNSUPPORTED,))


def test_an_intent_that_was_not_stored_leaves_no_commit_behind() -> None:
    after, _ = c.step(AT[State.COMMITTING], c.NotStored())
    assert after.commit is None


@pytest.mark.parametrize("reason", Refusal)
def test_a_refused_commit_is_final_only_when_the_pump_judged_it(reason: Refusal) -> None:
    after, _ = c.step(AT[State.COMMITTING], c.Replied(refused(m.Commit.OP, reason)))
    unjudged = {Refusal.MALFORMED, Refusal.UNSUPPORTED, Refusal.MEMORY, Refusal.UNKNOWN_TX}
    assert after.state is (State.IN_DOUBT if reason in unjudged else State.ABORTED)


def test_final_states_know_no_event_and_open_ones_may_be_left() -> None:
    for state in c.FINAL:
        assert not any(key[0] is state for key in GRID)
    for state in c.OPEN:
        assert any(key[0] is state for key in GRID)
    assert {*c.FINAL, *c.OPEN, State.DRAFT} == set(State)


def test_the_commit_leaves_only_after_its_intent() -> None:
    for state, event in GRID:
        effects = c.step(AT[state], EVENTS[event])[1]
        sent = [
            index for index, item in enumerate(effects) if isinstance(item, Send) and isinstance(item.message, m.Commit)
        ]
        if sent:
            assert effects[: sent[0]] == (Persist(Stored.INTENT),)
