"""One patient's programming session as a pure state machine, with the lock that keeps it from ending half done.

Theory of operation
-------------------
A visit is what is known: the last reading, the proposal, and the transaction that carries it. The phase follows from
these; it is never stored beside them. ``step(visit, event)`` gives the next visit and the effects, which a shell
carries out in their order. Leaving a visit is decided by ``LOCK``, one row for each phase, and by how the pump runs.

::

    UNREAD -> READ -> PROPOSED -> CHECKING -> REVIEW -> SENDING -> APPLIED -> VERIFIED
                 ^                    |          |         |
                 +---- (settled) -- DANGLING <---+      IN_DOUBT -> APPLIED | READ | UNRESOLVED
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from programmer.visit.proposal import Proposal, RefillProposal
from protocol import coordinator
from protocol.coordinator import Effect, State, Transaction
from protocol.messages import Message, Mode, Program, ReadBackReport, StageProgram, StageRefill, Status
from protocol.order import Content, program_digest, total_24h_fg

STALE_MS = 60_000
STAGING_S = STALE_MS // 1_000 + 30
"""A proposal is staged within the life of the reading that it rests on, and half a minute of retries."""
ANSWER_S = 10
"""So long after staging, at most, the read-back is made: four attempts, each under a second."""
DAY_S = 86_400
FG_PER_NG = 1_000_000


class Phase(Enum):
    """Where a visit stands."""

    UNREAD = "unread"
    READ = "read"
    PROPOSED = "proposed"
    CHECKING = "checking"
    REVIEW = "review"
    SENDING = "sending"
    DANGLING = "proposal left in the pump"
    IN_DOUBT = "in doubt"
    UNRESOLVED = "unresolved"
    APPLIED = "applied, not verified"
    VERIFIED = "verified"


_PHASE_OF: dict[State, Phase] = {
    State.STAGING: Phase.CHECKING,
    State.READING_BACK: Phase.CHECKING,
    State.AWAITING: Phase.REVIEW,
    State.COMMITTING: Phase.SENDING,
    State.DANGLING: Phase.DANGLING,
    State.IN_DOUBT: Phase.IN_DOUBT,
    State.UNRESOLVED: Phase.UNRESOLVED,
}


class Word(Enum):
    """The tool's word on a change; never wrong, and never anything else."""

    APPLIED = "APPLIED"
    NOT_APPLIED = "NOT APPLIED"
    IN_DOUBT = "IN DOUBT"


_WORD: dict[State, Word] = {
    **dict.fromkeys(State, Word.NOT_APPLIED),
    **dict.fromkeys((State.COMMITTING, State.IN_DOUBT, State.UNRESOLVED), Word.IN_DOUBT),
    State.COMMITTED: Word.APPLIED,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A status report and the tablet's monotonic time at which it came."""

    status: Status
    at_ms: int


@dataclass(frozen=True, slots=True)
class Visit:
    """All that is known of one visit; immutable."""

    reading: Reading | None = None
    proposal: Proposal | None = None
    transaction: Transaction | None = None
    mismatch: tuple[str, ...] = ()
    injected: bool = False

    @property
    def phase(self) -> Phase:
        """Where the visit stands, from what is known."""
        tx = self.transaction
        if tx is not None and tx.state in _PHASE_OF:
            return _PHASE_OF[tx.state]
        if tx is not None and tx.state is State.COMMITTED:
            return Phase.VERIFIED if self.reading is not None and _confirms(self.reading.status, tx) else Phase.APPLIED
        if self.reading is None:
            return Phase.UNREAD
        return Phase.READ if self.proposal is None else Phase.PROPOSED

    @property
    def word(self) -> Word | None:
        """What may be said of the last change now; nothing before one was begun."""
        return None if self.transaction is None else _WORD[self.transaction.state]

    def stale(self, now_ms: int) -> bool:
        """Whether the last reading is too old to write on: over 60 s, or there is none."""
        return self.reading is None or now_ms - self.reading.at_ms > STALE_MS


def _confirms(status: Status, tx: Transaction) -> bool:
    """Whether a later reading shows the committed order in force, or one that came after it."""
    assert tx.committed is not None
    if status.epoch > tx.committed.epoch:
        return True
    program = tx.stage.program if isinstance(tx.stage, StageProgram) else status.program
    return status.epoch == tx.committed.epoch and program_digest(status.program) == program_digest(program)


class Leaving(Enum):
    """What leaving the visit takes: closing it, another patient, logging out, quitting."""

    FREE = "free"
    DROP_FIRST = "drop the proposal first"
    SIGNED = "only with a signed reason"
    REFUSED = "not possible"


@dataclass(frozen=True, slots=True)
class Lock:
    """What leaving takes, and the way on in words."""

    leaving: Leaving
    way_on: str


_FREE = Lock(Leaving.FREE, "")
LOCK: dict[Phase, Lock] = {
    Phase.UNREAD: _FREE,
    Phase.READ: _FREE,
    Phase.PROPOSED: _FREE,
    Phase.CHECKING: Lock(Leaving.REFUSED, "Wait: the pump is being asked."),
    Phase.REVIEW: Lock(Leaving.DROP_FIRST, "The pump holds a proposal. Sign it, or drop it."),
    Phase.SENDING: Lock(Leaving.REFUSED, "Wait: the order is being sent."),
    Phase.DANGLING: Lock(Leaving.SIGNED, "A proposal may still lie in the pump. Read the pump to clear it."),
    Phase.IN_DOUBT: Lock(Leaving.SIGNED, "The outcome is unknown. Read the pump now."),
    Phase.UNRESOLVED: Lock(
        Leaving.SIGNED, "The pump cannot tell the outcome. Compare its program and sign what holds."
    ),
    Phase.APPLIED: Lock(Leaving.REFUSED, "The change is applied but not yet verified. Read the pump again."),
    Phase.VERIFIED: _FREE,
}

_STOPPED = Lock(
    Leaving.SIGNED,
    "The pump does not deliver its program. Restart it by the therapy-gap rule, or sign the reason for leaving it so.",
)
_NOT_IN_PUMP = Lock(
    Leaving.SIGNED,
    "Drug was injected that the pump does not know of. Write the refill, or sign that it was not written.",
)


def lock(visit: Visit) -> Lock:
    """What leaving this visit takes; the strictest rule that applies."""
    row = LOCK[visit.phase]
    if row.leaving is not Leaving.FREE:
        return row
    if visit.injected:
        return _NOT_IN_PUMP
    if visit.reading is not None and visit.reading.status.mode is not Mode.SIMPLE:
        return _STOPPED
    return row


@dataclass(frozen=True, slots=True)
class PumpRead:
    """A status report came."""

    reading: Reading


@dataclass(frozen=True, slots=True)
class Propose:
    """A proposal is complete, its findings answered."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Injected:
    """Drug went into the patient's pump; only writing it or a signed record ends that."""


@dataclass(frozen=True, slots=True)
class Check:
    """Stage the proposal under this transaction id and read it back."""

    txid: bytes


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take the proposal back before or after it was staged."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Something happened to the transaction: an answer, a lost link, a signature, a full disk."""

    event: coordinator.Event


Event = PumpRead | Propose | Injected | Check | Withdraw | Wire
Step = tuple[Visit, tuple[Effect, ...]]


class NotNow(Exception):
    """An act that the visit's phase does not allow; the sentence says what to do instead."""

    def __init__(self, phase: Phase, way_on: str) -> None:
        super().__init__(f"This is not possible while the visit is '{phase.value}'. {way_on}".rstrip())
        self.phase = phase


def step(visit: Visit, event: Event) -> Step:
    """The next visit and what has to be done, in this order.

    Raises:
        NotNow: the phase does not allow this event.
    """
    rule = _TABLE.get((visit.phase, type(event)))
    if rule is None:
        raise NotNow(visit.phase, LOCK[visit.phase].way_on or "Read the pump first.")
    return rule(visit, event)


def _read(visit: Visit, event: Event) -> Step:
    assert isinstance(event, PumpRead)
    return replace(visit, reading=event.reading), ()


def _propose(visit: Visit, event: Event) -> Step:
    assert isinstance(event, Propose)
    return replace(visit, proposal=event.proposal, transaction=None, mismatch=()), ()


def _injected(visit: Visit, _: Event) -> Step:
    return replace(visit, injected=True), ()


def _check(visit: Visit, event: Event) -> Step:
    assert isinstance(event, Check)
    assert visit.proposal is not None
    assert visit.reading is not None
    status = visit.reading.status
    stage = visit.proposal.stage(event.txid, status.epoch, status.program)
    transaction, effects = coordinator.step(Transaction(stage), coordinator.Begin())
    return replace(visit, transaction=transaction, mismatch=()), effects


def _withdraw_draft(visit: Visit, _: Event) -> Step:
    return replace(visit, proposal=None), ()


def _withdraw_staged(visit: Visit, _: Event) -> Step:
    assert visit.transaction is not None
    transaction, effects = coordinator.step(visit.transaction, coordinator.Drop())
    return replace(visit, transaction=transaction), effects


def _wire(visit: Visit, event: Event) -> Step:
    assert isinstance(event, Wire)
    assert visit.transaction is not None
    transaction, effects = coordinator.step(visit.transaction, event.event)
    after = replace(visit, transaction=transaction)
    if transaction.state is State.COMMITTED and isinstance(transaction.stage, StageRefill):
        after = replace(after, injected=False)
    if transaction.state is State.ABORTED:
        after = replace(after, proposal=visit.proposal if isinstance(visit.proposal, RefillProposal) else None)
    if transaction.state is State.AWAITING and isinstance(event.event, coordinator.Replied):
        differences = _differences(after, event.event.message)
        if differences:
            transaction, more = coordinator.step(transaction, coordinator.Drop())
            return replace(after, transaction=transaction, mismatch=differences), effects + more
    return after, effects


def _differences(visit: Visit, message: Message) -> tuple[str, ...]:
    """Every field in which the pump's read-back is not what was proposed."""
    assert isinstance(message, ReadBackReport)
    assert visit.transaction is not None
    assert visit.reading is not None
    tx, status = visit.transaction, visit.reading.status
    assert tx.staged is not None
    content = Content.of(tx.stage, status.program)
    pairs = {
        "kind": (message.kind, content.kind),
        "program": (message.program, content.program),
        "base epoch": (message.base_epoch, tx.stage.base_epoch),
        "running program": (message.previous_digest, program_digest(status.program)),
        "digest": (tx.staged.digest, content.digest()),
        "total": (message.total_24h_fg, total_24h_fg(message.flow_nl_per_day, content.program.concentration_ng_per_ml)),
        "flow": (True, _flow_fits(message.flow_nl_per_day, content.program)),
        "time of staging": (True, 0 <= message.staged_at_s - status.pump_time_s <= STAGING_S),
    }
    if isinstance(visit.proposal, RefillProposal):
        pairs["reservoir volume"] = (message.reservoir_nl, content.reservoir_nl)
        pairs["discrepancy"] = (message.discrepancy, content.discrepancy)
    else:
        pairs["reservoir volume"] = (True, _volume_fits(message, status))
        pairs["discrepancy"] = (message.discrepancy, status.discrepancy)
    return tuple(name for name, (given, wanted) in pairs.items() if given != wanted)


def _volume_fits(message: ReadBackReport, status: Status) -> bool:
    """Whether the reservoir holds what was read, less at most what the pump has given since, rounded up by 1 nL."""
    elapsed_s = max(0, message.staged_at_s - status.pump_time_s) + ANSWER_S
    given_nl = -(-status.flow_nl_per_day * elapsed_s // DAY_S) + 1
    return 0 <= status.reservoir_nl - message.reservoir_nl <= given_nl


def _flow_fits(flow_nl_per_day: int, program: Program) -> bool:
    """Whether this flow gives the program's dose: never more, and less by under 1 nL/day, the wire's finest rate."""
    if program.mode is not Mode.SIMPLE:
        return True
    short_fg = program.dose_ng_per_day * FG_PER_NG - total_24h_fg(flow_nl_per_day, program.concentration_ng_per_ml)
    return 0 <= short_fg < program.concentration_ng_per_ml


Rule = Callable[[Visit, Event], Step]
_TABLE: dict[tuple[Phase, type[Event]], Rule] = {
    **{(phase, PumpRead): _read for phase in Phase if phase is not Phase.CHECKING},
    **{(phase, Wire): _wire for phase in Phase if phase not in (Phase.UNREAD, Phase.READ)},
    (Phase.READ, Propose): _propose,
    (Phase.PROPOSED, Propose): _propose,
    (Phase.VERIFIED, Propose): _propose,
    (Phase.READ, Injected): _injected,
    (Phase.PROPOSED, Injected): _injected,
    (Phase.VERIFIED, Injected): _injected,
    (Phase.PROPOSED, Check): _check,
    (Phase.PROPOSED, Withdraw): _withdraw_draft,
    (Phase.REVIEW, Withdraw): _withdraw_staged,
}
"""Phase and event to rule; every absent pair is refused with ``NotNow``."""
