"""Nothing that a link, a power cut or a second tablet can do makes the journal lie or a program apply twice.

What is explored is the code itself, see ``world.py``; the invariants are those of the specification:
I1 applied at most once, and on the epoch it was proposed on; I2 applied only with the intent in the journal;
I3 the journal says committed or aborted only where it is true, now and later; I4 from every world a final verdict can
be reached. I4 is shown twice: one undisturbed reconnection gives the verdict, which the code is asked in every world;
and on the graph, going backwards from the worlds in which every transaction has its last word.
"""

import pytest

from protocol import participant as p
from protocol.coordinator import State, Stored
from tests.model.explore import Exploration
from tests.model.mutants import MUTANTS, Mutant
from tests.model.world import Model, Tablet, Violation

pytestmark = pytest.mark.grid


@pytest.fixture(autouse=True)
def _signatures_carry_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the transaction have to hold by themselves, whatever a signature would have caught."""
    monkeypatch.setattr(p, "verifies", lambda *_: True)


def tablets(found: Exploration) -> set[Tablet]:
    return {part for name in ("tablet 0", "tablet 1") for part in found.parts(name) if isinstance(part, Tablet)}


def journals(found: Exploration) -> set[Stored | None]:
    return {tablet.journal for tablet in tablets(found)}


def states(found: Exploration) -> set[State]:
    return {found.model.transaction(tablet.tx).state for tablet in tablets(found)}


def holds(found: Exploration, at_least: int) -> None:
    """Every world was seen, and from each there is a way to the last word."""
    assert found.complete
    assert len(found.order) >= at_least, f"{len(found.order)} distinct worlds"
    assert not found.without_end()


def test_one_tablet_with_power_cuts_everywhere() -> None:
    """Every world with up to eight extra deliveries of old requests and a pump that may be busy."""
    found = Exploration(Model(repeats=8, tablets=1, busy=True)).run()
    holds(found, 10_000)
    assert {world.applied[0] for world in found.worlds()} == {0, 1}
    assert journals(found) == set(Stored) - {Stored.UNRESOLVED} | {None}
    assert states(found) == set(State) - {State.UNRESOLVED}, "here the history never wraps"


def test_orders_of_others_make_the_history_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "OUTCOMES_KEPT", 1)
    found = Exploration(Model(repeats=2, tablets=1, foreign=3, busy=True)).run()
    holds(found, 10_000)
    assert states(found) == set(State)
    for world in found.worlds():
        if world.tablets[0].journal is Stored.UNRESOLVED:
            assert found.model.participant(world.pump).memory.oldest_epoch > 7


def test_two_tablets_over_a_link_that_loses_and_delays() -> None:
    """Every world without repeats and power cuts: of two tablets one wins at most."""
    found = Exploration(Model(repeats=0, power_cuts=False)).run()
    holds(found, 30_000)
    assert {world.applied for world in found.worlds()} == {(0, 0), (1, 0), (0, 1)}


def test_two_tablets_with_power_cuts_and_a_repeat() -> None:
    """The large one: loss, delay, repetition, reordering, power cuts of all three, expiry, two tablets."""
    found = Exploration(Model(repeats=1)).run()
    holds(found, 750_000)


def test_what_is_pieced_together_is_what_the_code_does() -> None:
    """Every step of the fast exploration and no other, compared with the plain code world by world."""
    found = Exploration(Model(repeats=1, tablets=1, busy=True)).run()
    for number, packed in enumerate(found.order):
        plain = {found.pack(after) for _, after in found.successors(found.unpack(packed))} - {packed}
        fast = {found.order[after] for after in found.steps[found.starts[number] : found.starts[number + 1]]}
        assert fast == plain
    two = Exploration(Model(repeats=1, foreign=1)).run(60_000)
    for packed in two.order[:20_000:40]:
        plain = {two.pack(after) for _, after in two.successors(two.unpack(packed))}
        assert plain <= two.index.keys()


def test_a_packed_world_comes_back() -> None:
    found = Exploration(Model(repeats=1)).run(3_000)
    for packed in found.order:
        assert found.pack(found.unpack(packed)) == packed


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_planted_fault_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p, "OUTCOMES_KEPT", mutant.kept)
    with pytest.raises(Violation, match=f"^{mutant.found}:") as caught:
        Exploration(Model(**mutant.model)).run(400_000)
    assert caught.value.states <= mutant.within
    assert any("begins" in step for step in caught.value.trace), "the way there is told"


def test_a_dead_end_is_found_on_the_graph() -> None:
    """The search for worlds without an end finds one that was planted."""
    found = Exploration(Model(repeats=0, tablets=1)).run()
    holds(found, 100)
    stuck = len(found.order)
    found.order.append(next(packed for packed in found.order if not found.model.settled(found.unpack(packed))))
    found.starts.append(len(found.steps))
    assert found.without_end() == [stuck]
