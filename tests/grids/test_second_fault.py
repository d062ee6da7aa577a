"""A second fault, at every byte of the recovery from a first one.

The first faults are a thinned list of those that end a session, with and without restarts; the recovery is the next
whole reading: wand, greeting, handshake, the question what became of the change, and the status.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from programmer.visit.machine import Word
from tests.grids.faults import Fault, places
from tests.grids.judge import End, judge, recover
from tests.grids.pilot import RECOVERY
from tests.grids.tally import Tally
from tests.grids.test_line_faults import RESTARTS
from tests.grids.world import Memory, Moment, World, fork_of, prepared, recorded

pytestmark = pytest.mark.grid

SECOND = ("cut", "deaf", "drop", "flip bit 0", "stale frame", "delay")


def firsts(every: int) -> Iterator[tuple[World, Word]]:
    """Worlds after a first fault, healed and with their restarts, each with the tablet's word."""
    moments = recorded(prepared())
    spots = [(moment, byte) for moment in moments[8:] for byte in places("cut", len(moment.data))]
    for number, (moment, byte) in enumerate(spots[::every]):
        world = fork_of(moment)
        world.suffer(moment, Fault("deaf" if number % 3 == 2 and byte < len(moment.data) else "cut", byte))
        if not world.pilot.lost:
            continue
        word = judge(world)
        tablet, pump = RESTARTS[number % 4]
        if tablet:
            world.restart_tablet()
        if pump:
            world.restart_pump()
        world.heal()
        yield world, word


@dataclass(frozen=True)
class Case:
    """A fault at a moment of the recovery; ``known`` is the word that the tablet gave before it."""

    moment: Moment
    fault: Fault
    known: Word

    def run(self, memory: Memory) -> End:
        """The end of this case, judged."""
        world = fork_of(self.moment)
        world.memory, world.aim = memory, self.known
        world.suffer(self.moment, self.fault)
        tx = world.pilot.visit.transaction
        first = judge(world, self.known) if tx is not None or not world.pilot.open else Word.IN_DOUBT
        lost = world.pilot.lost
        return End(first, recover(world, first, lost), lost)


def cases(every_first: int, every_byte: int) -> Iterator[Case]:
    for world, known in firsts(every_first):
        moments = recorded(world, RECOVERY)
        for kind in SECOND:
            spots = [(moment, byte) for moment in moments for byte in places(kind, len(moment.data))]
            for moment, byte in spots[::every_byte]:
                yield Case(moment, Fault(kind, byte), known)


def run(every_first: int, every_byte: int, stride: int = 1) -> tuple[Tally, str]:
    memory, tally = Memory(), Tally()
    for case in islice(cases(every_first, every_byte), 0, None, stride):
        tally.add(memory.run(lambda case=case: case.run(memory)))  # type: ignore[misc]
    return tally, tally.told("a second fault in the recovery", memory)


def test_a_second_fault_in_some_recoveries(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run(320, 80)
    with capsys.disabled():
        print(told)
    assert tally.settled[Word.IN_DOUBT] == 0


@pytest.mark.full
def test_a_second_fault_in_every_recovery_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run(31, 3)
    with capsys.disabled():
        print(told)
    assert all(tally.words[word] > 0 for word in Word)
    assert tally.settled[Word.IN_DOUBT] == 0
