"""State tables, state diagram and timers of the specification, found by running the reducers that ship."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from protocol import connection, link, participant, responder, session
from protocol import coordinator as c
from protocol import messages as m
from protocol.order import CHAIN_START, Content, Order, program_digest, sign

TXID, OTHER = (100).to_bytes(4, "big") + b"\x01" * 12, (100).to_bytes(4, "big") + b"\x02" * 12
SEED = b"\x31" * 32
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
PROGRAM = m.Program(
    mode=m.Mode.SIMPLE,
    dose_ng_per_day=100_000,
    concentration_ng_per_ml=500_000,
    alarm_nl=2_000_000,
    drug=m.Drug.BACLOFEN,
)
RAISED = PROGRAM.model_copy(update={"dose_ng_per_day": 115_000})


def stage(txid: bytes = TXID, base_epoch: int = 7) -> m.StageProgram:
    """A proposal of the raised program."""
    return m.StageProgram(txid=txid, base_epoch=base_epoch, program=RAISED, annex=bytes(32))


def committed(txid: bytes = TXID) -> m.Committed:
    """An order in force."""
    return m.Committed(
        txid=txid, epoch=8, digest=bytes(32), effective_at_s=100, chain=CHAIN_START, receipt=bytes(64)
    )  # fmt: skip


def refused(op: int, reason: m.Refusal) -> m.Refused:
    """A refusal of one request."""
    return m.Refused(op=op, txid=TXID, reasons=(reason,))


STAGED = m.Staged(txid=TXID, digest=bytes(32), token=bytes(8), expires_in_s=120, persons=1)
REPORT = m.ReadBackReport(
    txid=TXID,
    kind=m.OrderKind.PROGRAM,
    base_epoch=7,
    program=RAISED,
    flow_nl_per_day=230_000,
    total_24h_fg=115_000_000_000,
    reservoir_nl=1,
    discrepancy=m.Discrepancy.NONE,
    staged_at_s=100,
    previous_digest=bytes(32),
)
HAPPENINGS: tuple[tuple[str, c.Event], ...] = (
    ("begin", c.Begin()),
    ("STAGED", c.Replied(STAGED)),
    ("READ_BACK_REPORT", c.Replied(REPORT)),
    ("signed", c.Signed(bytes(16), (bytes(64),))),
    ("dropped", c.Drop()),
    ("intent not stored", c.NotStored()),
    ("COMMITTED", c.Replied(committed())),
    ("NOT_APPLIED", c.Replied(m.NotApplied(txid=TXID))),
    ("ABORTED", c.Replied(m.Aborted(txid=TXID))),
    ("INDETERMINATE", c.Replied(m.Indeterminate(txid=TXID, oldest_epoch=40))),
    ("REFUSED to STAGE", c.Replied(refused(m.StageProgram.OP, m.Refusal.EPOCH))),
    ("REFUSED to READ_BACK", c.Replied(refused(m.ReadBack.OP, m.Refusal.EXPIRED))),
    ("REFUSED to COMMIT", c.Replied(refused(m.Commit.OP, m.Refusal.SIGNATURE))),
    ("REFUSED to COMMIT: MALFORMED, UNSUPPORTED, MEMORY", c.Replied(refused(m.Commit.OP, m.Refusal.MEMORY))),
    ("REFUSED to QUERY or ABORT", c.Replied(refused(m.Query.OP, m.Refusal.MEMORY))),
    ("link lost", c.LinkLost()),
    ("session open again", c.Resume()),
)


def effect(item: c.Effect) -> str:
    """An effect of the tablet's side in words."""
    if isinstance(item, c.Persist):
        return f"journal {item.record.value}"
    return f"send {capitals(type(item.message).__name__)}"


def capitals(name: str) -> str:
    """``StageProgram`` as STAGE."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in name).strip("_").upper()
    return "STAGE" if words.startswith("STAGE_") else words


def tablet_rows() -> Iterator[tuple[str, str, str, str]]:
    """(state, happening, effects, next state) of every pair that the table has."""
    for state in c.State:
        signed = m.Commit(txid=TXID, token=bytes(8), digest=bytes(32), head=bytes(16), signatures=(bytes(64),))
        before = c.Transaction(stage(), state, staged=STAGED, read_back=REPORT, commit=signed)
        for name, event in HAPPENINGS:
            try:
                after, effects = c.step(before, event)
            except c.OutOfTurn:
                continue
            yield state.value, name, "; ".join(map(effect, effects)), after.state.value


class Rules:
    """The pump's judgement where every limit holds and one prescriber is enough."""

    def refusals(self, content: Content, situation: participant.Situation) -> tuple[m.Refusal, ...]:
        return ()

    def persons(self, content: Content, situation: participant.Situation) -> int:
        return 1

    def may_sign(self, content: Content, signers: tuple[participant.Signer, ...]) -> bool:
        return True

    def flow_nl_per_day(self, program: m.Program) -> int:
        return program.dose_ng_per_day * 1_000_000 // program.concentration_ng_per_ml

    def sign_receipt(self, data: bytes) -> bytes:
        return sign(SEED, data)


SITUATION = participant.Situation(
    now_ms=0,
    pump_time_s=100,
    realm=m.Realm.SIMULATED,
    serial="VP-1",
    tablet_id="T-1",
    handshake_hash=bytes(32),
    running=PROGRAM,
    reservoir_nl=10_000_000,
    discrepancy=m.Discrepancy.NONE,
    signers=(participant.Signer(PUBLIC, m.Role.PRESCRIBER),),
    fresh_token=b"\x05" * 8,
)


def commit(token: bytes = b"\x05" * 8) -> m.Commit:
    """The signed COMMIT of the proposal."""
    content = Content.of(stage(), PROGRAM)
    order = Order(
        m.Realm.SIMULATED, "VP-1", TXID, b"\x05" * 8, content, program_digest(PROGRAM), 8, bytes(32), 100, bytes(32),
        bytes(16),
    )  # fmt: skip
    signature = sign(SEED, order.bytes_for(0, PUBLIC))
    return m.Commit(txid=TXID, token=token, digest=content.digest(), head=bytes(16), signatures=(signature,))


def pumps() -> dict[str, participant.Participant]:
    """The pump's states, as far as one transaction can tell them apart."""
    idle = participant.Participant(participant.Memory(epoch=7))
    staged = participant.step(idle, stage(), SITUATION, Rules())[0]
    read = participant.step(staged, m.ReadBack(txid=TXID), SITUATION, Rules())[0]
    return {
        "never seen": idle,
        "staged": staged,
        "staged, read back": read,
        "in force": participant.step(read, commit(), SITUATION, Rules())[0],
        "buried": participant.discard(staged)[0],
        "older than the outcomes kept": participant.Participant(participant.Memory(epoch=60)),
    }


def named(state: participant.Participant) -> str:
    """Which of these states it is."""
    proposal, memory = state.proposal, state.memory
    if proposal is not None and proposal.stage.txid == TXID:
        return "staged, read back" if proposal.read_back else "staged"
    alone = "in force" if memory.outcome(TXID) is not None else "buried" if memory.is_dead(TXID) else "never seen"
    return alone if proposal is None else f"{alone}; the other staged"


def pump_effects(effects: tuple[participant.Effect, ...]) -> str:
    """Effects of the pump's side in words, in their order."""
    words = []
    for item in effects:
        match item:
            case participant.Remember():
                words.append("tombstone durable")
            case participant.PutInForce():
                words.append("one record durable, deliver by it")
            case participant.Answer(m.Refused() as answer):
                words.append("REFUSED " + ", ".join(reason.name for reason in answer.reasons))
            case participant.Answer(answer):
                words.append(capitals(type(answer).__name__))
    return "; ".join(words)


def pump_rows() -> Iterator[tuple[str, str, str, str]]:
    """(state of the transaction, what comes, what the pump does, next state)."""
    asked: dict[str, Any] = {
        "STAGE": stage(),
        "STAGE on another base epoch": stage(base_epoch=6),
        "STAGE of another id": stage(OTHER),
        "READ_BACK": m.ReadBack(txid=TXID),
        "COMMIT": commit(),
        "COMMIT with another token": commit(bytes(8)),
        "QUERY": m.Query(txid=TXID, base_epoch=7),
        "ABORT": m.Abort(txid=TXID),
    }
    for name, state in pumps().items():
        epoch = state.memory.epoch
        for words, message in asked.items():
            if isinstance(message, m.StageProgram):
                message = message.model_copy(update={"base_epoch": epoch - (words.endswith("epoch"))})
            after, effects = participant.step(state, message, replace(SITUATION, pump_time_s=100), Rules())
            yield name, words, pump_effects(effects), "as before" if after == state else named(after)
        for words, (after, effects) in (
            ("120 s are over", participant.expire(state, participant.STAGE_LIFETIME_MS)),
            ("a session begins or ends, or the pump restarts", participant.discard(state)),
        ):
            if effects:
                yield name, words, pump_effects(effects), named(after)


TIMERS: tuple[tuple[str, int, str], ...] = (
    ("the tablet polls an idle line after", connection.POLL_MS, "ms"),
    ("attempts of one request", link.LinkTiming(None).attempts, ""),
    ("the pump ends a session after silence of", responder.SILENCE_MS, "ms"),
    ("either side ends a session after", session.SESSION_MS, "ms"),
    ("frames of one direction in a session", session.FRAME_LIMIT, ""),
    ("both directions rekey each", session.REKEY_EVERY, "frames"),
    ("a proposal that needs one signature lives", participant.STAGE_LIFETIME_MS, "ms"),
    ("a proposal that needs two signatures lives", participant.TWO_PERSONS_MS, "ms"),
    ("outcomes that a pump keeps at least", participant.OUTCOMES_KEPT, ""),
    ("tombstones that a pump keeps at least", participant.TOMBSTONES_KEPT, ""),
    ("a transaction id may lie ahead of the pump's clock by", participant.AHEAD_S, "s"),
)


def table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def diagram() -> list[str]:
    """The tablet's states as a diagram; edges that stay where they are are left out."""
    name = {state.value: state.name for state in c.State}
    edges: dict[tuple[str, str], list[str]] = {}
    for before, happening, _, after in tablet_rows():
        if before != after:
            edges.setdefault((name[before], name[after]), []).append(happening.replace(":", " with"))
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> DRAFT"]
    lines += [f"    {before} --> {after}: {', '.join(words)}" for (before, after), words in edges.items()]
    return [*lines, *(f"    {state.name} --> [*]" for state in c.State if state in c.FINAL), "```"]


def sections() -> list[str]:
    """Sections 9 and 10."""
    return [
        "",
        "## 9. State tables",
        "",
        "Found by running the two reducers; a pair that is absent cannot happen.",
        "",
        "### The tablet's side of one transaction",
        "",
        *table(("state", "what happens", "effects in their order", "next state"), tablet_rows()),
        "",
        *diagram(),
        "",
        "### The pump's side of one transaction",
        "",
        "The signatures are good and one person is enough; section 6 has what refuses a COMMIT.",
        "",
        *table(("transaction", "what comes", "what the pump does, in this order", "then"), pump_rows()),
        "",
        "## 10. Timers and counts",
        "",
        *table(("what", "value"), ((words, f"{value:,} {unit}".strip()) for words, value, unit in TIMERS)),
    ]
