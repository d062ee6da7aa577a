"""One fault at every byte of a whole dose change, of every kind, with and without a restart of either side.

Each case runs until its state equals one from which the rest has already been run and judged.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from programmer.visit.machine import Word
from tests.grids.faults import ENDING, FLIPS, LINE, Fault, places
from tests.grids.judge import End, judge, recover
from tests.grids.tally import Tally
from tests.grids.world import Memory, Moment, fork_of, prepared, recorded

pytestmark = pytest.mark.grid

RESTARTS = ((False, False), (True, False), (False, True), (True, True))
"""(tablet, pump) restarts between the fault and the next reading."""
CASES_AT_LEAST = 50_000


@dataclass(frozen=True)
class Case:
    """A fault at a moment of the change, and who restarts after it."""

    moment: Moment
    fault: Fault
    tablet: bool
    pump: bool

    def run(self, memory: Memory) -> End:
        """The end of this case, judged."""
        world = fork_of(self.moment)
        world.memory, world.aim = memory, (self.tablet, self.pump)
        world.suffer(self.moment, self.fault)
        first, lost = judge(world), world.pilot.lost
        assert lost == (self.fault.kind in ENDING), "only a dead line costs more than a retry"
        assert lost or first is Word.APPLIED
        if self.tablet:
            world.restart_tablet()
        if self.pump:
            world.restart_pump()
        return End(first, recover(world, first, lost), lost)


def cases(moments: list[Moment], kinds: tuple[str, ...]) -> Iterator[Case]:
    """Every case; the restarts belong to the kinds that end a session."""
    for kind in kinds:
        for tablet, pump in RESTARTS if kind in ENDING else RESTARTS[:1]:
            for moment in moments:
                for byte in places(kind, len(moment.data)):
                    if moment is moments[-1] and byte == len(moment.data):
                        continue  # the change is over
                    yield Case(moment, Fault(kind, byte), tablet, pump)


def run(kinds: tuple[str, ...], stride: int, name: str) -> tuple[Tally, str]:
    """Run every ``stride``-th case."""
    moments, memory, tally = recorded(prepared()), Memory(), Tally()
    for case in islice(cases(moments, kinds), 0, None, stride):
        tally.add(memory.run(lambda case=case: case.run(memory)))  # type: ignore[misc]
    size = sum(len(moment.data) for moment in moments)
    return tally, f"\nwhole change: {size} bytes in {len(moments)} frames" + tally.told(name, memory)


def check(tally: Tally) -> None:
    assert all(tally.words[word] > 0 for word in Word)
    assert tally.settled[Word.IN_DOUBT] == 0


def test_every_twentieth_fault_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run((*LINE, *FLIPS), 20, "line faults, every 20th")
    with capsys.disabled():
        print(told)
    check(tally)


@pytest.mark.full
def test_every_fault_of_the_line_at_every_byte(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run(tuple(LINE), 1, "every byte x every line fault")
    flips, told_too = run(FLIPS, 1, "every single-bit flip")
    with capsys.disabled():
        print(told, told_too)
        print(f"single faults: {tally.count + flips.count}")
    check(tally)
    assert set(flips.words) == {Word.APPLIED}
    assert tally.count + flips.count >= CASES_AT_LEAST
