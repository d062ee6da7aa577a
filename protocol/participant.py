"""The programming transaction in the pump (the Participant) as a pure reducer.

Theory of operation
-------------------
A proposal is staged beside the running program, which delivers on. COMMIT puts it in force with one atomic record:
content, epoch and outcome together. A transaction that leaves "staged" in any other way gets a tombstone, so that it
can never be staged or committed again; a QUERY that finds nothing writes the tombstone before it answers, and the
answer is final. Outcomes are looked up by the whole transaction id; where the history no longer reaches back, or a
part of the memory was lost, the answer is INDETERMINATE. A COMMIT of an unknown transaction is no place for a verdict:
it may be one whose outcome is forgotten, so nothing is buried, and QUERY, which tells the epoch, has the last word.

A transaction id begins with the pump's time at which the tablet made it. That number lets the pump forget tombstones
without ever forgetting what they forbid: before the oldest one gives way, a durable floor rises above its number, and
no id below the floor is ever staged again.

::

    empty -> staged -> in force (epoch + 1)
               \\-> tombstone: abort, query, expiry, refused commit, new session, reboot
"""

from dataclasses import dataclass, replace
from typing import Protocol

from protocol.messages import (
    Abort,
    Aborted,
    Commit,
    Committed,
    Discrepancy,
    Indeterminate,
    Message,
    NotApplied,
    Program,
    Query,
    ReadBack,
    ReadBackReport,
    Realm,
    Refusal,
    Refused,
    Role,
    Stage,
    Staged,
    StageProgram,
    StageRefill,
)
from protocol.order import (
    CHAIN_START,
    Content,
    Order,
    Receipt,
    Witness,
    chain_next,
    program_digest,
    signatures_hash,
    tablet_tag,
    total_24h_fg,
    verifies,
)

STAGE_LIFETIME_MS = 120_000
TWO_PERSONS_MS = 600_000
OUTCOMES_KEPT = 32
TOMBSTONES_KEPT = 63
AHEAD_S = 60
EPOCH_MAX = 0xFFFF_FFFF
"""The last epoch: it never wraps, so nothing can be staged upon it."""


def tx_number(txid: bytes) -> int:
    """The number that a transaction id begins with: seconds of the pump's clock when the tablet made it."""
    return int.from_bytes(txid[:4], "big")


@dataclass(frozen=True, slots=True)
class Memory:
    """What the pump keeps of its transactions through any reset. ``lost``: a part of it was lost, so that a transaction
    may have been put in force without a trace."""

    epoch: int = 0
    chain: bytes = CHAIN_START
    outcomes: tuple[Committed, ...] = ()
    tombstones: tuple[bytes, ...] = ()
    tx_floor: int = 0
    order_hash: bytes = bytes(32)
    tablet_tag: bytes = bytes(8)
    lost: bool = False

    @property
    def witness(self) -> Witness:
        """The record that ANCHOR shows."""
        return Witness(self.epoch, self.order_hash, self.chain, self.tablet_tag)

    def is_dead(self, txid: bytes) -> bool:
        """Whether this transaction can never be staged any more."""
        return txid in self.tombstones or tx_number(txid) < self.tx_floor

    @property
    def oldest_epoch(self) -> int:
        """Every order from this epoch on is among the outcomes; never beyond the last epoch that there is."""
        return min(self.epoch - len(self.outcomes) + 1, EPOCH_MAX)

    @property
    def may_have_forgotten(self) -> bool:
        """Whether an order may have been in force whose outcome is not here any more."""
        return self.lost or len(self.outcomes) >= OUTCOMES_KEPT

    def outcome(self, txid: bytes) -> Committed | None:
        """The outcome of this transaction, if it was put in force and is still remembered."""
        return next((item for item in self.outcomes if item.txid == txid), None)

    def with_outcome(self, outcome: Committed) -> "Memory":
        """This memory with the newest outcome; the id of one that gives way is below the floor from then on."""
        every = (*self.outcomes, outcome)
        gone, kept = every[:-OUTCOMES_KEPT], every[-OUTCOMES_KEPT:]
        floor = max((self.tx_floor, *(tx_number(old.txid) + 1 for old in gone)))
        return replace(self, epoch=outcome.epoch, chain=outcome.chain, outcomes=kept, tx_floor=floor)

    def buried(self, txid: bytes) -> "Memory":
        """This memory with a tombstone for ``txid``; a full one raises the floor above the oldest, which gives way."""
        if self.is_dead(txid):
            return self
        every = (*self.tombstones, txid)
        gone, kept = every[:-TOMBSTONES_KEPT], every[-TOMBSTONES_KEPT:]
        floor = max((self.tx_floor, *(tx_number(old) + 1 for old in gone)))
        return replace(self, tombstones=kept, tx_floor=floor)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A staged proposal; lives in RAM only."""

    stage: Stage
    content: Content
    token: bytes
    previous_digest: bytes
    staged_at_s: int
    expires_ms: int
    persons: int = 1
    read_back: bool = False


@dataclass(frozen=True, slots=True)
class Participant:
    """The pump's side: durable memory, and at most one proposal."""

    memory: Memory
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class Signer:
    """A person whose credential was presented in this session and held, and when (monotonic ms)."""

    public_key: bytes
    role: Role
    presented_ms: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything else that the pump knows at the moment of a message."""

    now_ms: int
    pump_time_s: int
    realm: Realm
    serial: str
    tablet_id: str
    handshake_hash: bytes
    running: Program
    reservoir_nl: int
    discrepancy: Discrepancy
    signers: tuple[Signer, ...]
    fresh_token: bytes
    barred: Refusal | None = None
    """Why the credentials of this session do not hold any more; none while they do."""


class Rules(Protocol):
    """The pump's own judgement; separate code and data from the tablet's."""

    def refusals(self, content: Content, situation: Situation) -> tuple[Refusal, ...]:
        """Every limit that the content breaks; empty when it may be put in force."""

    def persons(self, content: Content, situation: Situation) -> int:
        """How many signatures this order needs, whoever signs it: 1 or 2."""

    def may_sign(self, content: Content, signers: tuple[Signer, ...]) -> bool:
        """Whether persons with these roles may give this order."""

    def flow_nl_per_day(self, program: Program) -> int:
        """The flow at which the pump would run this program."""

    def sign_receipt(self, data: bytes) -> bytes:
        """Signature with the pump's receipt key."""


@dataclass(frozen=True, slots=True)
class PutInForce:
    """Write content, memory and outcome as one atomic record, then deliver by it."""

    content: Content
    memory: Memory
    head: bytes


@dataclass(frozen=True, slots=True)
class Remember:
    """Make this memory durable before anything that follows."""

    memory: Memory


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this reply."""

    message: Message


Effect = PutInForce | Remember | Answer
Step = tuple[Participant, tuple[Effect, ...]]


def step(state: Participant, message: Message, situation: Situation, rules: Rules) -> Step:
    """What the pump does on a transaction message: new state and effects in their order."""
    state, effects = expire(state, situation.now_ms)
    match message:
        case StageProgram() | StageRefill():
            state, more = _stage(state, message, situation, rules)
        case ReadBack():
            state, more = _read_back(state, message, situation, rules)
        case Commit():
            state, more = _commit(state, message, situation, rules)
        case Query():
            state, more = _query(state, message, situation)
        case Abort():
            state, more = _abort(state, message, situation)
        case _:
            more = (Answer(Refused(op=message.OP, txid=b"", reasons=(Refusal.UNSUPPORTED,))),)
    return state, effects + more


def expire(state: Participant, now_ms: int) -> Step:
    """Bury a proposal whose time is over."""
    if state.proposal is None or now_ms < state.proposal.expires_ms:
        return state, ()
    return discard(state)


def discard(state: Participant) -> Step:
    """Bury the proposal: a session began or ended, or the pump restarts."""
    if state.proposal is None:
        return state, ()
    memory = state.memory.buried(state.proposal.stage.txid)
    return Participant(memory), (Remember(memory),)


def _refused(message: Stage | ReadBack | Commit | Query | Abort, *reasons: Refusal) -> Answer:
    return Answer(Refused(op=message.OP, txid=message.txid, reasons=reasons))


def _stage(state: Participant, message: Stage, situation: Situation, rules: Rules) -> Step:
    memory = state.memory
    if memory.outcome(message.txid) or memory.is_dead(message.txid) or _is_staged(state, message.txid):
        return state, (_refused(message, Refusal.TX_USED),)
    if _is_ahead(message.txid, situation):
        return state, (_refused(message, Refusal.MALFORMED),)
    if message.base_epoch != memory.epoch:
        return state, (_refused(message, Refusal.EPOCH),)
    if memory.lost or memory.epoch >= EPOCH_MAX:
        return state, (_refused(message, Refusal.SAFE_STATE if memory.lost else Refusal.MEMORY),)
    running_digest = program_digest(situation.running)
    if isinstance(message, StageRefill) and message.program_digest != running_digest:
        return state, (_refused(message, Refusal.PROGRAM_CHANGED),)
    content = Content.of(message, situation.running)
    reasons = rules.refusals(content, situation)
    if reasons:
        return state, (_refused(message, *reasons),)
    state, effects = discard(state)
    persons = rules.persons(content, situation)
    lifetime_ms = TWO_PERSONS_MS if persons > 1 else STAGE_LIFETIME_MS
    proposal = Proposal(
        message,
        content,
        situation.fresh_token,
        running_digest,
        situation.pump_time_s,
        situation.now_ms + lifetime_ms,
        persons,
    )
    staged = Staged(
        txid=message.txid,
        digest=content.digest(),
        token=proposal.token,
        expires_in_s=lifetime_ms // 1000,
        persons=persons,
    )
    return replace(state, proposal=proposal), (*effects, Answer(staged))


def _is_ahead(txid: bytes, situation: Situation) -> bool:
    """Whether the id claims to be made later than now; such a one would outlive every floor."""
    return tx_number(txid) > situation.pump_time_s + AHEAD_S


def _is_staged(state: Participant, txid: bytes) -> bool:
    return state.proposal is not None and state.proposal.stage.txid == txid


def _read_back(state: Participant, message: ReadBack, situation: Situation, rules: Rules) -> Step:
    proposal = state.proposal
    if proposal is None or proposal.stage.txid != message.txid:
        return state, (_refused(message, _absence(state, message.txid)),)
    program = proposal.content.program
    flow = rules.flow_nl_per_day(program)
    report = ReadBackReport(
        txid=message.txid,
        kind=proposal.content.kind,
        base_epoch=proposal.stage.base_epoch,
        program=program,
        flow_nl_per_day=flow,
        total_24h_fg=total_24h_fg(flow, program.concentration_ng_per_ml),
        reservoir_nl=_volume_after(proposal, situation),
        discrepancy=_discrepancy_after(proposal, situation),
        staged_at_s=proposal.staged_at_s,
        previous_digest=proposal.previous_digest,
    )
    return replace(state, proposal=replace(proposal, read_back=True)), (Answer(report),)


def _volume_after(proposal: Proposal, situation: Situation) -> int:
    refill = isinstance(proposal.stage, StageRefill)
    return proposal.content.reservoir_nl if refill else situation.reservoir_nl


def _discrepancy_after(proposal: Proposal, situation: Situation) -> Discrepancy:
    refill = isinstance(proposal.stage, StageRefill)
    return proposal.content.discrepancy if refill else situation.discrepancy


def _absence(state: Participant, txid: bytes) -> Refusal:
    return Refusal.EXPIRED if state.memory.is_dead(txid) else Refusal.UNKNOWN_TX


def _commit(state: Participant, message: Commit, situation: Situation, rules: Rules) -> Step:
    done = state.memory.outcome(message.txid)
    if done is not None:
        return state, (Answer(done),)
    proposal = state.proposal
    if proposal is None or proposal.stage.txid != message.txid:
        if _is_ahead(message.txid, situation):
            return state, (_refused(message, Refusal.MALFORMED),)
        buried = message.txid in state.memory.tombstones
        return state, (_refused(message, Refusal.EXPIRED if buried else Refusal.UNKNOWN_TX),)
    reasons = _commit_refusals(proposal, state.memory, message, situation, rules)
    if reasons:
        state, effects = discard(state)
        return state, (*effects, _refused(message, *reasons))
    return _put_in_force(proposal, state.memory, message, situation, rules)


def _order(proposal: Proposal, memory: Memory, message: Commit, situation: Situation) -> Order:
    return Order(
        situation.realm,
        situation.serial,
        message.txid,
        proposal.token,
        proposal.content,
        proposal.previous_digest,
        memory.epoch + 1,
        proposal.stage.annex,
        proposal.staged_at_s,
        situation.handshake_hash,
        message.head,
    )


def _commit_refusals(
    proposal: Proposal, memory: Memory, message: Commit, situation: Situation, rules: Rules
) -> tuple[Refusal, ...]:
    """Why this COMMIT must not take effect, the first kind of reason that applies."""
    if not proposal.read_back:
        return (Refusal.NOT_READ_BACK,)
    if message.token != proposal.token:
        return (Refusal.TOKEN,)
    if message.digest != proposal.content.digest():
        return (Refusal.DIGEST,)
    if proposal.stage.base_epoch != memory.epoch:
        return (Refusal.EPOCH,)
    if program_digest(situation.running) != proposal.previous_digest:
        return (Refusal.PROGRAM_CHANGED,)
    if situation.barred is not None:
        return (situation.barred,)
    signers = situation.signers
    if not signers or len(signers) != len(message.signatures):
        return (Refusal.SIGNER_UNKNOWN,)
    if len({item.public_key for item in signers}) != len(signers):
        return (Refusal.SECOND_PERSON,)
    order = _order(proposal, memory, message, situation)
    for position, (signer, signature) in enumerate(zip(signers, message.signatures, strict=True)):
        if not verifies(signer.public_key, order.bytes_for(position, signer.public_key), signature):
            return (Refusal.SIGNATURE,)
    if len(signers) < max(proposal.persons, rules.persons(proposal.content, situation)):
        return (Refusal.SECOND_PERSON,)
    if len(signers) > 1 and situation.now_ms - min(item.presented_ms for item in signers) > TWO_PERSONS_MS:
        return (Refusal.EXPIRED,)
    if not rules.may_sign(proposal.content, signers):
        return (Refusal.ROLE,)
    return rules.refusals(proposal.content, situation)


def _put_in_force(proposal: Proposal, memory: Memory, message: Commit, situation: Situation, rules: Rules) -> Step:
    order = _order(proposal, memory, message, situation)
    keys = tuple(signer.public_key for signer in situation.signers)
    order_hash, tag = order.order_hash(keys, message.signatures), tablet_tag(situation.tablet_id)
    chain = chain_next(memory.chain, order.epoch, order_hash, tag)
    digest = proposal.content.digest()
    receipt = Receipt(
        situation.realm,
        situation.serial,
        message.txid,
        digest,
        order.epoch,
        situation.pump_time_s,
        signatures_hash(message.signatures),
        chain,
    )
    outcome = Committed(
        txid=message.txid,
        epoch=order.epoch,
        digest=digest,
        effective_at_s=situation.pump_time_s,
        chain=chain,
        receipt=rules.sign_receipt(receipt.encode()),
    )
    after = replace(
        memory.with_outcome(outcome),
        order_hash=order_hash,
        tablet_tag=tag,
    )
    return Participant(after), (PutInForce(proposal.content, after, message.head), Answer(outcome))


def _query(state: Participant, message: Query, situation: Situation) -> Step:
    done = state.memory.outcome(message.txid)
    if done is not None:
        return state, (Answer(done),)
    memory = state.memory
    wrapped = memory.lost or message.base_epoch + 1 < memory.oldest_epoch
    if wrapped and message.txid not in memory.tombstones:
        return state, (Answer(Indeterminate(txid=message.txid, oldest_epoch=memory.oldest_epoch)),)
    if _is_ahead(message.txid, situation):
        return state, (_refused(message, Refusal.MALFORMED),)
    state, effect = _bury(state, message.txid)
    return state, (*effect, Answer(NotApplied(txid=message.txid)))


def _abort(state: Participant, message: Abort, situation: Situation) -> Step:
    done = state.memory.outcome(message.txid)
    if done is not None:
        return state, (Answer(done),)
    if _is_ahead(message.txid, situation):
        return state, (_refused(message, Refusal.MALFORMED),)
    known = _is_staged(state, message.txid) or message.txid in state.memory.tombstones
    if not known and state.memory.may_have_forgotten:
        return state, (_refused(message, Refusal.UNKNOWN_TX),)
    state, effect = _bury(state, message.txid)
    return state, (*effect, Answer(Aborted(txid=message.txid)))


def _bury(state: Participant, txid: bytes) -> tuple[Participant, tuple[Effect, ...]]:
    memory = state.memory.buried(txid)
    proposal = None if _is_staged(state, txid) else state.proposal
    after = Participant(memory, proposal)
    return after, (() if memory == state.memory else (Remember(memory),))
