"""Nothing that a link, a power cut or a second tablet can do makes the journal lie or a program apply twice.

What is explored is the code itself, see ``model.py``; the invariants are those of the specification:
I1 applied at most once, and on the epoch it was proposed on; I2 applied only with the intent in the journal;
I3 the journal says committed or aborted only where it is true, now and later; I4 one reconnection gives the verdict.
"""

from dataclasses import dataclass, replace

import pytest

from protocol import coordinator as c
from protocol import messages as m
from protocol import participant as p
from protocol.coordinator import State, Stored, Transaction
from protocol.order import Content
from tests.protocol.model import STAGES, Model, Violation, World

pytestmark = pytest.mark.grid


@pytest.fixture(autouse=True)
def _signatures_carry_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the transaction have to hold by themselves, whatever a signature would have caught."""
    monkeypatch.setattr(p, "verifies", lambda *_: True)


def journals(worlds: set[World]) -> set[Stored | None]:
    return {tablet.journal for world in worlds for tablet in world.tablets}


def states(model: Model, worlds: set[World]) -> set[State]:
    return {model.transaction(tablet.tx).state for world in worlds for tablet in world.tablets}


def test_one_tablet_with_power_cuts_everywhere() -> None:
    """Every world with up to eight extra deliveries of old requests."""
    model = Model(repeats=8, tablets=1)
    worlds = model.explore(10**6)
    assert model.complete
    assert len(worlds) >= 5_000, f"{len(worlds)} distinct worlds"
    assert {world.applied[0] for world in worlds} == {0, 1}
    assert journals(worlds) == set(Stored) - {Stored.UNRESOLVED} | {None}
    assert states(model, worlds) == set(State) - {State.UNRESOLVED}, "here the history never wraps"


def test_two_tablets_in_the_nearest_worlds() -> None:
    model = Model(repeats=0, power_cuts=False)
    assert len(model.explore(5_000)) >= 5_000


@pytest.mark.full
def test_two_tablets_over_a_link_that_loses_and_delays() -> None:
    """Every world without repeats and power cuts: of two tablets one wins at most."""
    model = Model(repeats=0, power_cuts=False)
    worlds = model.explore(10**6)
    assert model.complete
    assert len(worlds) >= 20_000, f"{len(worlds)} distinct worlds"
    assert {world.applied for world in worlds} == {(0, 0), (1, 0), (0, 1)}


@pytest.mark.full
def test_two_tablets_with_power_cuts_everywhere() -> None:
    model = Model(repeats=0)
    worlds = model.explore(10**7)
    assert model.complete
    assert len(worlds) >= 200_000, f"{len(worlds)} distinct worlds"


@pytest.mark.full
def test_two_tablets_with_power_cuts_and_repeats() -> None:
    worlds = Model(repeats=2).explore(500_000)
    assert len(worlds) >= 500_000


# planted faults: each one has to be found


def forgets_on_query(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A query that finds nothing answers without a tombstone."""
    after, effects = p.step(state, message, at, rules)
    if isinstance(message, m.Query):
        return replace(after, memory=state.memory), effects[-1:]
    return after, effects


def applies_again(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A repeated COMMIT is carried out, not looked up."""
    done = isinstance(message, m.Commit) and state.memory.outcome(message.txid)
    if not done:
        return p.step(state, message, at, rules)
    (stage,) = [item for item in STAGES if item.txid == done.txid]
    content = Content.of(stage, at.running)
    return state, (p.PutInForce(content, state.memory, bytes(16)), p.Answer(done))


def ignores_the_base(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """Whatever epoch a proposal stands on is taken as the present one."""
    if isinstance(message, m.StageProgram):
        message = message.model_copy(update={"base_epoch": state.memory.epoch})
    return p.step(state, message, at, rules)


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


def keeps_the_proposal(state: p.Participant, message: m.Message, at: p.Situation, rules: p.Rules) -> p.Step:
    """A query answers "not applied" and leaves the proposal where it is."""
    after, effects = p.step(state, message, at, rules)
    if isinstance(message, m.Query | m.Abort):
        return replace(after, memory=state.memory, proposal=state.proposal), effects[-1:]
    return after, effects


def commits_before_its_intent(tx: Transaction, event: c.Event) -> c.Step:
    """COMMIT leaves, then the intent is written."""
    after, effects = c.step(tx, event)
    return after, effects[::-1] if isinstance(event, c.Signed) else effects


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


def takes_any_refusal(tx: Transaction, event: c.Event) -> c.Step:
    """A COMMIT that the store could not take is called not applied while it may be sent yet."""
    if tx.state is State.COMMITTING and isinstance(event, c.NotStored):
        return replace(tx, state=State.ABORTED), (c.Persist(Stored.ABORTED), c.Send(tx.commit)) if tx.commit else ()
    return c.step(tx, event)


@dataclass(frozen=True)
class Fault:
    model: Model
    found: str


FAULTS = {
    "no tombstone on query": Fault(Model(tablets=1, pump_step=forgets_on_query), "I3"),
    "repeated COMMIT applied twice": Fault(Model(tablets=1, pump_step=applies_again), "I1"),
    "base epoch ignored": Fault(Model(repeats=0, power_cuts=False, pump_step=ignores_the_base), "another epoch"),
    "outcome written apart from the program": Fault(Model(tablets=1, pump_step=applies_before_it_remembers), "I4"),
    "query leaves the proposal": Fault(Model(tablets=1, pump_step=keeps_the_proposal), "I3"),
    "intent after COMMIT": Fault(Model(tablets=1, tablet_step=commits_before_its_intent), "I2"),
    "lost link taken as failure": Fault(Model(tablets=1, tablet_step=gives_up), "I[34]"),
    "lost link taken as success": Fault(Model(tablets=1, tablet_step=believes), "I3"),
    "COMMIT sent without its intent": Fault(Model(tablets=1, tablet_step=takes_any_refusal), "I[23]"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found(fault: Fault) -> None:
    with pytest.raises(Violation, match=fault.found) as caught:
        fault.model.explore(100_000)
    assert any("begins" in step for step in caught.value.trace), "the way there is told"
