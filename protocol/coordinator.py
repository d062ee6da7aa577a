"""The programming transaction on the tablet (the Coordinator) as a pure reducer.

Theory of operation
-------------------
The tablet stages a whole proposal, reads it back as the pump understood it, has it signed, makes its intent durable
and only then commits. The pump swaps the proposal in with one atomic memory record that also holds the outcome.
Whatever is lost on the way, a later QUERY gives one final answer, because a query that finds nothing forbids the
transaction for ever before it answers.

Like the pump's side it is ``step(state, event) -> (state, effects)``. Effects are carried out in
their order by a shell; an effect that cannot be carried out ends the list. Nothing here reads a clock, draws a random
number or touches a device.

Coordinator (tablet)::

    DRAFT -> STAGING -> READING_BACK -> AWAITING -> COMMITTING -> COMMITTED
                 \\____________ \\___________ \\         |  \\-> ABORTED (refused)
                  (link lost)                v         v
                                         DANGLING   IN_DOUBT -> COMMITTED | ABORTED | UNRESOLVED

DANGLING is a proposal that was never sent for commitment but may still lie in the pump; IN_DOUBT is one whose COMMIT
may have arrived. Both are settled by QUERY after the next connection, and by nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from protocol.messages import (
    Abort,
    Aborted,
    Commit,
    Committed,
    Indeterminate,
    Message,
    NotApplied,
    Query,
    ReadBack,
    ReadBackReport,
    Refusal,
    Refused,
    Stage,
    Staged,
)


class State(Enum):
    """Where a transaction stands on the tablet; the upper-case words of the diagram."""

    DRAFT = "draft"
    STAGING = "staging"
    READING_BACK = "reading-back"
    AWAITING = "awaiting-clinician"
    COMMITTING = "committing"
    COMMITTED = "committed"
    ABORTED = "aborted"
    DANGLING = "dangling"
    IN_DOUBT = "in-doubt"
    UNRESOLVED = "unresolved"


FINAL = frozenset({State.COMMITTED, State.ABORTED})
OPEN = frozenset(State) - FINAL - {State.DRAFT}

NOT_FINAL = frozenset({Refusal.MALFORMED, Refusal.UNSUPPORTED, Refusal.MEMORY, Refusal.UNKNOWN_TX})
"""Reasons that say the pump could not deal with a COMMIT, or does not know it any more, not that it was not applied."""


class Stored(Enum):
    """Records of the tablet's journal, in the order in which they are written."""

    STAGING = "staging"
    INTENT = "intent"
    IN_DOUBT = "in-doubt"
    COMMITTED = "committed"
    ABORTED = "aborted"
    UNRESOLVED = "unresolved"


@dataclass(frozen=True, slots=True)
class Transaction:
    """The tablet's view of one transaction; immutable."""

    stage: Stage
    state: State = State.DRAFT
    staged: Staged | None = None
    read_back: ReadBackReport | None = None
    commit: Commit | None = None
    committed: Committed | None = None
    reasons: tuple[Refusal, ...] = ()
    oldest_epoch: int | None = None

    @property
    def txid(self) -> bytes:
        """The single-use name of this transaction, 16 bytes."""
        return self.stage.txid


@dataclass(frozen=True, slots=True)
class Begin:
    """Start: stage the proposal."""


@dataclass(frozen=True, slots=True)
class Replied:
    """The pump answered; the layer below has matched the answer to its request."""

    message: Message


@dataclass(frozen=True, slots=True)
class LinkLost:
    """No answer came within all attempts, or the session ended."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The clinician confirmed the read-back and signed."""

    head: bytes
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """The clinician drops the proposal, or its read-back does not agree."""


@dataclass(frozen=True, slots=True)
class NotStored:
    """The journal did not take the intent: the COMMIT has not left."""


@dataclass(frozen=True, slots=True)
class Resume:
    """A session with the same pump is open again: settle what is open."""


Event = Begin | Replied | LinkLost | Signed | Drop | NotStored | Resume


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request."""

    message: Message


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this durable before anything that follows."""

    record: Stored


Effect = Send | Persist
Step = tuple[Transaction, tuple[Effect, ...]]
Rule = Callable[[Transaction, Event], Step]


class OutOfTurn(Exception):
    """An event that the state does not know: a defect of the caller, never of the pump."""

    def __init__(self, state: State, event: object) -> None:
        super().__init__(
            f"{type(event).__name__} cannot follow {state.value}. Close the visit and read the pump again."
        )


def step(transaction: Transaction, event: Event) -> Step:
    """The next state, and what has to be done, in this order.

    Raises:
        OutOfTurn: the table has no row for this state and event.
    """
    rule = _TABLE.get((transaction.state, type(event)))
    if rule is None:
        raise OutOfTurn(transaction.state, event)
    return rule(transaction, event)


def _begin(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.STAGING), (Persist(Stored.STAGING), Send(tx.stage))


def _reply(tx: Transaction, event: Event) -> Step:
    assert isinstance(event, Replied)
    message = event.message
    rule = _REPLIES.get((tx.state, type(message)))
    if rule is None or getattr(message, "txid", tx.txid) != tx.txid:
        raise OutOfTurn(tx.state, message)
    if isinstance(message, Refused) and message.op not in _asked(tx):
        raise OutOfTurn(tx.state, message)
    return rule(tx, event)


def _asked(tx: Transaction) -> frozenset[int]:
    """Ops of the requests that may be waiting for an answer in this state."""
    match tx.state:
        case State.STAGING:
            return frozenset({tx.stage.OP})
        case State.READING_BACK:
            return frozenset({ReadBack.OP})
        case State.COMMITTING:
            return frozenset({Commit.OP})
        case _:
            return frozenset({Query.OP, Abort.OP})


def _message(event: Event) -> Message:
    assert isinstance(event, Replied)
    return event.message


def _staged(tx: Transaction, event: Event) -> Step:
    message = _message(event)
    assert isinstance(message, Staged)
    return replace(tx, state=State.READING_BACK, staged=message), (Send(ReadBack(txid=tx.txid)),)


def _read_back(tx: Transaction, event: Event) -> Step:
    message = _message(event)
    assert isinstance(message, ReadBackReport)
    return replace(tx, state=State.AWAITING, read_back=message), ()


def _signed(tx: Transaction, event: Event) -> Step:
    assert isinstance(event, Signed)
    assert tx.staged is not None
    commit = Commit(
        txid=tx.txid,
        token=tx.staged.token,
        digest=tx.staged.digest,
        head=event.head,
        signatures=event.signatures,
    )
    return replace(tx, state=State.COMMITTING, commit=commit), (Persist(Stored.INTENT), Send(commit))


def _not_stored(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.DANGLING, commit=None), (Send(Abort(txid=tx.txid)),)


def _committed(tx: Transaction, event: Event) -> Step:
    message = _message(event)
    assert isinstance(message, Committed)
    return replace(tx, state=State.COMMITTED, committed=message), (Persist(Stored.COMMITTED),)


def _aborted(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.ABORTED), (Persist(Stored.ABORTED),)


def _refused(tx: Transaction, event: Event) -> Step:
    message = _message(event)
    assert isinstance(message, Refused)
    return replace(tx, state=State.ABORTED, reasons=message.reasons), (Persist(Stored.ABORTED),)


def _refused_commit(tx: Transaction, event: Event) -> Step:
    """Only a reason that comes from judging the COMMIT is final; any other leaves open what became of it."""
    message = _message(event)
    assert isinstance(message, Refused)
    if NOT_FINAL.isdisjoint(message.reasons):
        return _refused(tx, event)
    return replace(tx, state=State.IN_DOUBT, reasons=message.reasons), (Persist(Stored.IN_DOUBT),)


def _refused_query(tx: Transaction, event: Event) -> Step:
    """A refused QUERY or ABORT says nothing about what became of the proposal: it stays open."""
    message = _message(event)
    assert isinstance(message, Refused)
    return replace(tx, reasons=message.reasons), ()


def _indeterminate(tx: Transaction, event: Event) -> Step:
    message = _message(event)
    assert isinstance(message, Indeterminate)
    unresolved = replace(tx, state=State.UNRESOLVED, oldest_epoch=message.oldest_epoch)
    return unresolved, (Persist(Stored.UNRESOLVED),)


def _dangling(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.DANGLING), ()


def _in_doubt(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.IN_DOUBT), (Persist(Stored.IN_DOUBT),)


def _stay(tx: Transaction, _: Event) -> Step:
    return tx, ()


def _drop(tx: Transaction, _: Event) -> Step:
    return replace(tx, state=State.DANGLING), (Send(Abort(txid=tx.txid)),)


def _query(tx: Transaction, _: Event) -> Step:
    return tx, (Send(Query(txid=tx.txid, base_epoch=tx.stage.base_epoch)),)


_TABLE: dict[tuple[State, type[Event]], Rule] = {
    (State.DRAFT, Begin): _begin,
    (State.STAGING, Replied): _reply,
    (State.STAGING, LinkLost): _dangling,
    (State.READING_BACK, Replied): _reply,
    (State.READING_BACK, LinkLost): _dangling,
    (State.READING_BACK, Drop): _drop,
    (State.AWAITING, Signed): _signed,
    (State.AWAITING, Drop): _drop,
    (State.AWAITING, LinkLost): _dangling,
    (State.COMMITTING, Replied): _reply,
    (State.COMMITTING, LinkLost): _in_doubt,
    (State.COMMITTING, NotStored): _not_stored,
    (State.DANGLING, Resume): _query,
    (State.DANGLING, Replied): _reply,
    (State.DANGLING, LinkLost): _stay,
    (State.IN_DOUBT, Resume): _query,
    (State.IN_DOUBT, Replied): _reply,
    (State.IN_DOUBT, LinkLost): _stay,
    (State.UNRESOLVED, Resume): _query,
    (State.UNRESOLVED, Replied): _reply,
    (State.UNRESOLVED, LinkLost): _stay,
}
"""State and event to rule. Every pair that is absent is a defect of the caller."""

_REPLIES: dict[tuple[State, type[Message]], Rule] = {
    (State.STAGING, Staged): _staged,
    (State.STAGING, Refused): _refused,
    (State.READING_BACK, ReadBackReport): _read_back,
    (State.READING_BACK, Refused): _refused,
    (State.COMMITTING, Committed): _committed,
    (State.COMMITTING, Refused): _refused_commit,
    **{
        (state, kind): rule
        for state in (State.DANGLING, State.IN_DOUBT, State.UNRESOLVED)
        for kind, rule in (
            (Committed, _committed),
            (NotApplied, _aborted),
            (Aborted, _aborted),
            (Indeterminate, _indeterminate),
            (Refused, _refused_query),
        )
    },
}
"""State and kind of answer to rule."""
