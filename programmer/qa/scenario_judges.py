"""Judges that watch every run: they look at the whole history of pump and tablets and trust neither side's word.

Each gives a sentence where its rule is broken. They run after every step; the judges of the end run once more then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from drivers.virtual import physics
from drivers.virtual.pump import PumpState
from programmer.audit.export import export_log
from programmer.audit.findings import NOTICES
from programmer.audit.verify import verify_files
from programmer.qa.world_tablet import WorldTablet
from programmer.visit.machine import Word
from protocol.coordinator import State
from protocol.event_codes import EventCode

IN_FORCE = (EventCode.PROGRAM_IN_FORCE, EventCode.REFILL_IN_FORCE)


@dataclass
class Case:
    """The run so far: what the pump was and is, and the tablets with their logs."""

    first: PumpState
    first_dose_ng: int
    tablets: Sequence[WorldTablet]
    keyed: Sequence[int] = ()
    memory: PumpState = field(init=False)
    truth: dict[str, Any] = field(init=False)

    def now(self, memory: PumpState, truth: dict[str, Any]) -> None:
        """Take in what the pump is after one more step."""
        self.memory, self.truth = memory, truth

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """Bodies of all log entries of one type, of all tablets."""
        return [dict(entry.body) for tablet in self.tablets for entry in tablet.log.entries() if entry.type == kind]


def true_flow(memory: PumpState) -> int:
    """What really flows now in nL/day: nothing from an empty reservoir, else the rate with all that alters it."""
    now = physics.read(memory.physics)
    return now.rate_nl_day * memory.physics.factor // physics.PPM if now.reservoir_true else 0


def conserve(case: Case) -> Iterable[str]:
    """What entered the pump is found again, exactly: volume and drug mass, in reservoir, line, patient and syringe."""
    fluid = physics.read(case.memory.physics).fluid
    if fluid.accounted != fluid.filled:
        yield f"volume and drug mass are not conserved: {fluid.accounted} of {fluid.filled}"


def wrong_word(case: Case) -> Iterable[str]:
    """APPLIED only for what the pump has put in force, NOT APPLIED only for what it never will."""
    for tablet in case.tablets:
        tx = tablet.visit.visit.transaction if tablet.visit is not None else None
        if tablet.visit is None or tx is None or tx.state in (State.STAGING, State.READING_BACK, State.AWAITING):
            continue
        outcome, word = case.memory.participant.memory.outcome(tx.txid), tablet.visit.visit.word
        if word is Word.APPLIED and outcome is None:
            yield f"tablet {tablet.letter} says APPLIED of a change that the pump has not put in force"
        if word is Word.NOT_APPLIED and outcome is not None:
            yield f"tablet {tablet.letter} says NOT APPLIED of a change that the pump has put in force"


def mixed_program(case: Case) -> Iterable[str]:
    """The program is the first one, or one that was keyed and signed: never a mixture."""
    if case.truth["mode"] == "SIMPLE" and case.truth["dose_ng_per_day"] not in {case.first_dose_ng, *case.keyed}:
        yield f"the pump's program holds {case.truth['dose_ng_per_day']} ng/day, which nobody keyed"


def double_commit(case: Case) -> Iterable[str]:
    """The epoch rises once for each change in force, and there are no more of those than signed intents."""
    epochs = [entry.value for entry in case.memory.log.entries if entry.code in IN_FORCE]
    signed = len(case.bodies("change.intent"))
    if len(set(epochs)) != len(epochs):
        yield "one epoch was put in force twice"
    risen = case.memory.participant.memory.epoch - case.first.participant.memory.epoch
    if risen != len(epochs) or risen > signed:
        yield f"the pump's epoch rose by {risen}, with {len(epochs)} changes in force and {signed} signed intents"


def unsigned_change(case: Case) -> Iterable[str]:
    """Every change that the pump put in force has a signed intent with its transaction id."""
    known = {item.txid for item in case.first.participant.memory.outcomes}
    signed = {bytes.fromhex(body["txid"]) for body in case.bodies("change.intent")}
    for outcome in case.memory.participant.memory.outcomes:
        if outcome.txid not in known | signed:
            yield f"the change {outcome.txid.hex()} is in force and nobody signed it"


def silent_stop(case: Case) -> Iterable[str]:
    """Where nothing flows, an alarm says so."""
    if not true_flow(case.memory) and not case.truth["alarms"]:
        yield "nothing flows and the pump raises no alarm"


def clamped_value(case: Case) -> Iterable[str]:
    """The pump reads back exactly what was keyed."""
    for tablet in case.tablets:
        view = tablet.view
        if view.read_back is not None and view.keyed_ng not in (None, view.read_back.program.dose_ng_per_day):
            yield f"{view.keyed_ng} ng/day was keyed and {view.read_back.program.dose_ng_per_day} ng/day read back"


def audit_gap(case: Case) -> Iterable[str]:
    """At the end every log verifies, and every intent has an outcome, unless the tablet's last word is IN DOUBT."""
    for tablet in case.tablets:
        findings = [item for item in verify_files(export_log(tablet.log)) if item.code not in NOTICES]
        if findings:
            yield f"the log of tablet {tablet.letter} does not verify: {findings[0]}"
        if tablet.store.open_intents() and tablet.view.word is not Word.IN_DOUBT:
            yield f"the log of tablet {tablet.letter} holds an intent without an outcome"


Rule = Callable[[Case], Iterable[str]]
EVERY_STEP: dict[str, Rule] = {
    "conserve": conserve,
    "wrong-word": wrong_word,
    "mixed-program": mixed_program,
    "double-commit": double_commit,
    "unsigned-change": unsigned_change,
    "silent-stop": silent_stop,
    "clamped-value": clamped_value,
}
AT_THE_END: dict[str, Rule] = {"audit-gap": audit_gap}


def judge(case: Case, rules: dict[str, Rule]) -> list[str]:
    """Sentences of all rules that are broken, each with the rule's name."""
    return [f"{name}: {sentence}" for name, rule in rules.items() for sentence in rule(case)]
