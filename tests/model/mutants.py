"""Planted faults of the transaction, named after the rules of the specification that they break.

Each is one wrong step of the pump or of a tablet, the smallest model that can show it, and what the exploration has to
say about it within how many worlds.
"""

from dataclasses import dataclass, replace
from typing import Any

from protocol import coordinator as c
from protocol import messages as m
from protocol import participant as p
from protocol.coordinator import State, Stored, Transaction
from protocol.order import Content
from tests.model.world import STAGES

# -- the pump --


def stages_the_dead(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """STAGE does not look at the tombstones."""
    if not isinstance(message, m.StageProgram):
        return p.step(state, message, at, rules)
    blind = replace(state, memory=replace(state.memory, tombstones=(), tx_floor=0))
    after, effects = p.step(blind, message, at, rules)
    return replace(after, memory=state.memory), effects[-1:]


def answers_first(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """QUERY answers, then writes the tombstone."""
    after, effects = p.step(state, message, at, rules)
    return after, effects[::-1] if isinstance(message, m.Query) else effects


def forgets_on_query(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A query that finds nothing answers without a tombstone."""
    after, effects = p.step(state, message, at, rules)
    if isinstance(message, m.Query):
        return replace(after, memory=state.memory), effects[-1:]
    return after, effects


def keeps_the_proposal(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A query answers "not applied" and leaves the proposal where it is."""
    after, effects = p.step(state, message, at, rules)
    if isinstance(message, m.Query | m.Abort):
        return replace(after, memory=state.memory, proposal=state.proposal), effects[-1:]
    return after, effects


def applies_before_it_remembers(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """The program is put in force by one write, epoch and outcome come with a second one."""
    after, effects = p.step(state, message, at, rules)
    split: list[p.Effect] = []
    for effect in effects:
        if isinstance(effect, p.PutInForce):
            split += [replace(effect, memory=replace(effect.memory, outcomes=())), p.Remember(effect.memory)]
        else:
            split.append(effect)
    return after, tuple(split)


def epoch_in_a_second_write(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """Program and outcome in one write; the epoch that forbids another proposal comes with a second one."""
    after, effects = p.step(state, message, at, rules)
    split: list[p.Effect] = []
    for effect in effects:
        if isinstance(effect, p.PutInForce):
            split += [
                replace(effect, memory=replace(effect.memory, epoch=state.memory.epoch)),
                p.Remember(after.memory),
            ]
        else:
            split.append(effect)
    return after, tuple(split)


def applies_again(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A repeated COMMIT is carried out, not looked up."""
    done = isinstance(message, m.Commit) and state.memory.outcome(message.txid)
    if not done:
        return p.step(state, message, at, rules)
    (stage,) = [item for item in STAGES if item.txid == done.txid]
    content = Content.of(stage, at.running)
    return state, (p.PutInForce(content, state.memory, bytes(16)), p.Answer(done))


def looks_up_the_number(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """An outcome is found by the number that the id begins with."""
    if isinstance(message, m.Query):
        for done in state.memory.outcomes:
            if p.tx_number(done.txid) == p.tx_number(message.txid):
                return state, (p.Answer(done.model_copy(update={"txid": message.txid})),)
    return p.step(state, message, at, rules)


def denies_what_it_forgot(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """Where the history has wrapped the answer is "not applied"."""
    after, effects = p.step(state, message, at, rules)
    answer = effects[-1]
    if isinstance(answer, p.Answer) and isinstance(answer.message, m.Indeterminate):
        return after, (p.Answer(m.NotApplied(txid=answer.message.txid)),)
    return after, effects


def buries_what_it_forgot(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A COMMIT of an unknown transaction is buried, although it may be one whose outcome is forgotten."""
    after, effects = p.step(state, message, at, rules)
    answer = effects[-1]
    assert isinstance(answer, p.Answer)
    if isinstance(message, m.Commit) and isinstance(answer.message, m.Refused) and after == state:
        memory = replace(state.memory, tombstones=(*state.memory.tombstones, message.txid))
        return replace(state, memory=memory), (p.Remember(memory), answer)
    return after, effects


def ignores_the_base(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """Whatever epoch a proposal stands on is taken as the present one."""
    if isinstance(message, m.StageProgram):
        message = message.model_copy(update={"base_epoch": state.memory.epoch})
    return p.step(state, message, at, rules)


def keeps_staged_work(state: p.Participant) -> p.Step:
    """A new session finds what an earlier one has staged."""
    return state, ()


# -- the tablet --


def commits_before_its_intent(tx: Transaction, event: c.Event) -> c.Step:
    """COMMIT leaves, then the intent is written."""
    after, effects = c.step(tx, event)
    return after, effects[::-1] if isinstance(event, c.Signed) else effects


def sends_without_its_intent(tx: Transaction, event: c.Event) -> c.Step:
    """COMMIT leaves, and the intent is never written."""
    after, effects = c.step(tx, event)
    return after, effects[1:] if isinstance(event, c.Signed) else effects


def takes_busy_for_no(tx: Transaction, event: c.Event) -> c.Step:
    """A pump that did not look at the COMMIT is taken to have refused it."""
    if tx.state is State.COMMITTING and isinstance(event, c.Replied) and isinstance(event.message, m.Refused):
        return replace(tx, state=State.ABORTED), (c.Persist(Stored.ABORTED),)
    return c.step(tx, event)


def sends_again(tx: Transaction, event: c.Event) -> c.Step:
    """In doubt, the COMMIT is sent once more after the next connection."""
    if tx.state is State.IN_DOUBT and isinstance(event, c.Resume) and tx.commit is not None:
        return tx, (c.Send(tx.commit),)
    return c.step(tx, event)


def gives_up(tx: Transaction, event: c.Event) -> c.Step:
    """A link lost at COMMIT is called a failure."""
    if tx.state is State.COMMITTING and isinstance(event, c.LinkLost):
        return replace(tx, state=State.ABORTED), (c.Persist(Stored.ABORTED),)
    return c.step(tx, event)


def believes(tx: Transaction, event: c.Event) -> c.Step:
    """A link lost at COMMIT is called a success."""
    if tx.state is State.COMMITTING and isinstance(event, c.LinkLost):
        return replace(tx, state=State.COMMITTED), (c.Persist(Stored.COMMITTED),)
    return c.step(tx, event)


def never_asks(tx: Transaction, event: c.Event) -> c.Step:
    """In doubt, a reconnection asks nothing."""
    if tx.state is State.IN_DOUBT and isinstance(event, c.Resume):
        return tx, ()
    return c.step(tx, event)


@dataclass(frozen=True)
class Mutant:
    """A fault: arguments of the model, what is found, within how many worlds; ``kept`` outcomes where it matters."""

    model: dict[str, Any]
    found: str
    within: int
    kept: int = p.OUTCOMES_KEPT


def _one(**model: Any) -> dict[str, Any]:
    return {"tablets": 1, **model}


def _two(**model: Any) -> dict[str, Any]:
    return {"tablets": 2, "repeats": 0, "power_cuts": False, **model}


MUTANTS = {
    "rule 1: an id is staged again after its tombstone": Mutant(_one(pump_step=stages_the_dead), "I3", 3_500),
    "rule 2: a query answers before it writes the tombstone": Mutant(_one(pump_step=answers_first), "I3", 3_000),
    "rule 2: a query writes no tombstone": Mutant(_one(pump_step=forgets_on_query), "I3", 3_000),
    "rule 2: a query leaves the proposal": Mutant(_one(pump_step=keeps_the_proposal), "I3", 3_000),
    "rule 3: COMMIT leaves before its intent is durable": Mutant(
        _one(tablet_step=commits_before_its_intent), "I2", 1_000
    ),
    "rule 3: COMMIT leaves without its intent": Mutant(_one(tablet_step=sends_without_its_intent), "I2", 1_000),
    "rule 4: program and outcome in two writes": Mutant(_one(pump_step=applies_before_it_remembers), "I4", 1_000),
    "rule 4: program and epoch in two writes": Mutant(
        _two(power_cuts=True, pump_step=epoch_in_a_second_write), "R8", 2_500
    ),
    "rule 5: a repeated COMMIT is applied again": Mutant(_one(pump_step=applies_again), "I1", 1_500),
    "rule 6: busy is read as not applied": Mutant(_one(busy=True, tablet_step=takes_busy_for_no), "I3", 2_500),
    "rule 7: an outcome is looked up by a short number": Mutant(_two(pump_step=looks_up_the_number), "I3", 2_000),
    "rule 7: a wrapped history answers not applied": Mutant(
        _one(foreign=2, pump_step=denies_what_it_forgot), "I3", 2_500, kept=1
    ),
    "rule 7: a forgotten order is buried": Mutant(
        _one(foreign=2, pump_step=buries_what_it_forgot), "I3", 3_500, kept=1
    ),
    "rule 8: no compare-and-set of the epoch": Mutant(_two(pump_step=ignores_the_base), "R8", 27_500),
    "rule 9: staged work survives a new session": Mutant(_two(new_session=keeps_staged_work), "R9", 1_500),
    "rule 10: COMMIT is sent again by itself": Mutant(_one(tablet_step=sends_again), "R10", 1_000),
    "rule 10: a lost link is taken as a failure": Mutant(_one(tablet_step=gives_up), "I3", 1_000),
    "rule 10: a lost link is taken as a success": Mutant(_one(tablet_step=believes), "I3", 1_000),
    "rule 10: a doubt is never settled": Mutant(_one(tablet_step=never_asks), "I4", 500),
}
