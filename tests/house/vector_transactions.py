"""Golden vectors of the transaction: what a pump with fixed rules answers, request by request."""

from dataclasses import dataclass, field, replace
from typing import Any

from protocol import cbor
from protocol import messages as m
from protocol.messages import Refusal, Role
from protocol.order import Content, Order, program_digest, sign
from protocol.participant import (
    Answer,
    Memory,
    Participant,
    PutInForce,
    Remember,
    Signer,
    Situation,
    discard,
    expire,
    step,
)
from tests.house.vector_inputs import PEOPLE, PROPOSED, RECEIPT_SEED, RUNNING, SERIAL, START_S, TABLET_ID, key

HANDSHAKE, HEAD, ANNEX = key("handshake hash"), key("log head")[:16], key("annex")
HIGHEST_NG, TWO_PERSONS_NG = 1_000_000, 200_000
RESERVOIR_NL = 15_000_000
STRONG = RUNNING.model_copy(update={"dose_ng_per_day": 250_000})
TOO_MUCH = RUNNING.model_copy(update={"dose_ng_per_day": HIGHEST_NG + 1})


class Rules:
    """Rules that fit into a sentence: at most 1 mg/day; two persons above 200 mcg/day; only prescribers sign."""

    def refusals(self, content: Content, situation: Situation) -> tuple[Refusal, ...]:
        """At most 1 mg/day."""
        return (Refusal.LIMIT_DOSE_HIGH,) if content.program.dose_ng_per_day > HIGHEST_NG else ()

    def persons(self, content: Content, situation: Situation) -> int:
        """Two above 200 mcg/day."""
        return 2 if content.program.dose_ng_per_day > TWO_PERSONS_NG else 1

    def may_sign(self, content: Content, signers: tuple[Signer, ...]) -> bool:
        """Only prescribers."""
        return all(signer.role is Role.PRESCRIBER for signer in signers)

    def flow_nl_per_day(self, program: m.Program) -> int:
        """Dose over concentration."""
        return program.dose_ng_per_day * 1_000_000 // program.concentration_ng_per_ml

    def sign_receipt(self, data: bytes) -> bytes:
        """The receipt key of all vectors."""
        return sign(RECEIPT_SEED, data)


def txid(number: int, ahead_s: int = 0) -> bytes:
    """Transaction ids of the scripts."""
    return (START_S + ahead_s).to_bytes(4, "big") + key(f"transaction {number}")[:12]


@dataclass
class Script:
    """A pump, and what has been said to it."""

    memory: Memory = field(default_factory=Memory)
    running: m.Program = RUNNING
    presented: tuple[tuple[int, Role], ...] = ()
    barred: Refusal | None = None
    at_s: int = 0
    steps: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = Participant(self.memory)
        self.first = self.memory.epoch

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.at_s += seconds
        self.state, effects = expire(self.state, self.at_s * 1_000)
        self.steps.append({"waits_s": seconds, "durable": self._durable(effects)})

    def new_session(self) -> None:
        """Another session begins."""
        self.state, effects = discard(self.state)
        self.steps.append({"new_session": True, "durable": self._durable(effects)})

    def present(self, *persons: tuple[int, Role]) -> None:
        """From now on these persons' credentials hold: (which of the two people, role)."""
        self.presented = persons
        rows = [{"public_key": PEOPLE[who].public.hex(), "role": int(role)} for who, role in persons]
        self.steps.append({"presented": rows})

    def bar(self, reason: Refusal) -> None:
        """From now on a credential does not hold any more."""
        self.barred = reason
        self.steps.append({"barred": reason.name})

    def say(self, message: Any) -> Any:
        """One request; the answer."""
        number = len(self.steps) + 1
        situation = Situation(
            now_ms=self.at_s * 1_000,
            pump_time_s=START_S + self.at_s,
            realm=m.Realm.SIMULATED,
            serial=SERIAL,
            tablet_id=TABLET_ID,
            handshake_hash=HANDSHAKE,
            running=self.running,
            reservoir_nl=RESERVOIR_NL,
            discrepancy=m.Discrepancy.NONE,
            signers=tuple(Signer(PEOPLE[who].public, role, self.at_s * 1_000) for who, role in self.presented),
            fresh_token=key(f"token {number}")[:8],
            barred=self.barred,
        )
        self.state, effects = step(self.state, message, situation, Rules())
        (answer,) = (effect.message for effect in effects if isinstance(effect, Answer))
        self.steps.append(
            {
                "receives": m.encode_message(number, message).hex(),
                "fresh_token": situation.fresh_token.hex(),
                "durable": self._durable(effects),
                "sends": m.encode_message(number, answer).hex(),
            }
        )
        return answer

    def _durable(self, effects: tuple[Any, ...]) -> list[str]:
        words = []
        for effect in effects:
            if isinstance(effect, PutInForce):
                self.running = effect.content.program
                words.append("record")
            elif isinstance(effect, Remember):
                words.append("tombstone")
        return words

    def stage(self, number: int = 1, program: m.Program = PROPOSED, **changes: Any) -> Any:
        """STAGE_PROGRAM."""
        fields = {"txid": txid(number), "base_epoch": self.first, "program": program, "annex": ANNEX, **changes}
        self.staged = m.StageProgram(**fields)
        self.staged_at_s = START_S + self.at_s
        return self.say(self.staged)

    def order(self, answer: m.Staged, content: Content) -> Order:
        """What is to be signed for a proposal."""
        return Order(
            m.Realm.SIMULATED, SERIAL, answer.txid, answer.token, content, program_digest(self.running),
            self.state.memory.epoch + 1, ANNEX, self.staged_at_s, HANDSHAKE, HEAD,
        )  # fmt: skip

    def commit(self, answer: m.Staged, content: Content, who: tuple[int, ...] = (0,), **changes: Any) -> Any:
        """COMMIT with these people's signatures."""
        order = self.order(answer, content)
        signatures = tuple(
            sign(PEOPLE[person].seed, order.bytes_for(place, PEOPLE[person].public)) for place, person in enumerate(who)
        )
        fields = {"txid": answer.txid, "token": answer.token, "digest": answer.digest, "head": HEAD,
                  "signatures": signatures, **changes}  # fmt: skip
        return self.say(m.Commit(**fields))


def content_of(program: m.Program) -> Content:
    """The content of a program order."""
    return Content(m.OrderKind.PROGRAM, program, 0, m.Discrepancy.NONE)


AUTHOR, SECOND = (0, Role.PRESCRIBER), (1, Role.PRESCRIBER)
NURSE = (0, Role.REFILL_NURSE)


def _one_person() -> Script:
    script = Script()
    answer = script.stage()
    script.say(m.ReadBack(txid=txid(1)))
    script.present(AUTHOR)
    script.wait(30)
    script.commit(answer, content_of(PROPOSED))
    script.say(m.Commit(txid=txid(1), token=answer.token, digest=answer.digest, head=HEAD, signatures=(bytes(64),)))
    script.say(m.Query(txid=txid(1), base_epoch=0))
    script.say(m.Abort(txid=txid(1)))
    script.say(script.staged)
    return script


def _two_persons() -> Script:
    script = Script()
    answer = script.stage(program=STRONG)
    script.say(m.ReadBack(txid=txid(1)))
    script.present(AUTHOR, SECOND)
    script.commit(answer, content_of(STRONG), (0, 1))
    return script


def _refill() -> Script:
    script = Script()
    stage = m.StageRefill(
        txid=txid(1), base_epoch=0, program_digest=program_digest(RUNNING), reservoir_nl=20_000_000,
        discrepancy=m.Discrepancy.CLOSED, annex=ANNEX,
    )  # fmt: skip
    script.staged_at_s = START_S
    answer = script.say(stage)
    script.say(m.ReadBack(txid=txid(1)))
    script.present(AUTHOR)
    script.commit(answer, Content(m.OrderKind.REFILL, RUNNING, 20_000_000, m.Discrepancy.CLOSED))
    return script


def _not_staged() -> Script:
    script = Script()
    script.stage(1, base_epoch=1)
    script.stage(2, program=TOO_MUCH)
    script.stage(3, txid=txid(3, ahead_s=61))
    refill = m.StageRefill(
        txid=txid(4), base_epoch=0, program_digest=bytes(32), reservoir_nl=20_000_000,
        discrepancy=m.Discrepancy.NONE, annex=ANNEX,
    )  # fmt: skip
    script.say(refill)
    script.stage(5)
    script.say(script.staged)
    script.say(m.ReadBack(txid=txid(6)))
    script.say(m.Commit(txid=txid(6), token=bytes(8), digest=bytes(32), head=HEAD, signatures=(bytes(64),)))
    script.say(m.ReadBack(txid=txid(6)))
    return script


def _ways_out() -> Script:
    script = Script()
    for number, end in enumerate(("abort", "query", "expiry", "session", "another"), start=1):
        script.stage(number)
        if end == "abort":
            script.say(m.Abort(txid=txid(number)))
        elif end == "query":
            script.say(m.Query(txid=txid(number), base_epoch=0))
        elif end == "expiry":
            script.wait(120)
        elif end == "session":
            script.new_session()
        else:
            script.stage(number + 1)
        script.say(m.ReadBack(txid=txid(number)))
    return script


def _refused(change: str) -> Script:
    script = Script()
    program = STRONG if change == "one person of two" else PROPOSED
    answer = script.stage(program=program)
    content = content_of(program)
    if change != "not read back":
        script.say(m.ReadBack(txid=txid(1)))
    if change == "the same person twice":
        script.present(AUTHOR, AUTHOR)
    elif change == "a nurse":
        script.present(NURSE)
    elif change != "nobody":
        script.present(AUTHOR)
    if change == "a credential that lapsed":
        script.bar(Refusal.EXPIRED_CREDENTIAL)
    if change == "the token":
        script.commit(answer, content, token=bytes(8))
    elif change == "the digest":
        script.commit(answer, content, digest=bytes(32))
    elif change == "another dose was signed":
        script.commit(answer, content_of(RUNNING))
    elif change == "more signatures than persons":
        script.commit(answer, content, (0, 1))
    else:
        script.commit(answer, content, (0, 0) if change == "the same person twice" else (0,))
    script.say(m.ReadBack(txid=txid(1)))
    return script


REFUSED = (
    "not read back", "the token", "the digest", "a credential that lapsed", "nobody", "more signatures than persons",
    "the same person twice", "another dose was signed", "one person of two", "a nurse",
)  # fmt: skip


def _history_lost() -> Script:
    script = Script(replace(Memory(), epoch=5))
    script.say(m.Query(txid=txid(1), base_epoch=2))
    script.say(m.Query(txid=txid(2), base_epoch=5))
    script.say(m.Query(txid=txid(2), base_epoch=2))
    return script


def _memory_lost() -> Script:
    script = Script(replace(Memory(), lost=True))
    script.stage(1)
    script.say(m.Query(txid=txid(1), base_epoch=0))
    script.say(m.Abort(txid=txid(1)))
    return script


def _last_epoch() -> Script:
    script = Script(replace(Memory(), epoch=2**32 - 1))
    script.stage(1)
    return script


def transactions() -> dict[str, Any]:
    """Scripts for one pump each."""
    scripts = {
        "one person": _one_person(),
        "two persons": _two_persons(),
        "refill": _refill(),
        "not staged": _not_staged(),
        "ways out": _ways_out(),
        "history lost": _history_lost(),
        "memory lost": _memory_lost(),
        "last epoch": _last_epoch(),
    } | {f"COMMIT refused: {change}": _refused(change) for change in REFUSED}
    return {
        "section": "6",
        "pump": {
            "realm": "simulated",
            "serial": SERIAL,
            "tablet_id": TABLET_ID,
            "handshake_hash": HANDSHAKE.hex(),
            "receipt_seed": RECEIPT_SEED.hex(),
            "time_s": START_S,
            "program": cbor.encode(RUNNING.to_wire()).hex(),
            "reservoir_nl": RESERVOIR_NL,
            "rules": "dose at most 1,000,000 ng/day (LIMIT_DOSE_HIGH); two persons above 200,000 ng/day; only role 1 "
            "signs; flow in nL/day is dose x 1,000,000 / concentration",
        },
        "scripts": [
            {
                "name": name,
                "epoch_at_first": script.first,
                "memory_was_lost": script.memory.lost,
                "steps": script.steps,
            }
            for name, script in scripts.items()
        ],
    }
