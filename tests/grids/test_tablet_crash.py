"""The tablet's power goes at every step of its journal, on a whole line and after every kind of cut of the line.

A step is the moment before a record is durable, or the moment after it; both together with a restart of the pump or
without.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from programmer.visit.machine import Word
from tests.grids.faults import Fault, places
from tests.grids.judge import End, given, recover
from tests.grids.pilot import OLD, TabletCrash
from tests.grids.tally import Tally
from tests.grids.world import Memory, Moment, fork_of, prepared, recorded

pytestmark = pytest.mark.grid

KINDS = ("cut", "deaf", "drop rest")
STEPS_IN_DOUBT = 4
"""Steps that a faulted line can add: the record of the doubt, and that of its end."""


class NotReached(Exception):
    """The change ended before this step of the journal."""


@dataclass(frozen=True)
class Case:
    """The tablet crashes at this step of its journal, in the change after this fault (none: a whole line)."""

    moment: Moment
    fault: Fault | None
    step: int
    pump: bool

    def run(self, memory: Memory) -> End | None:
        """The end of this case, judged; None where the change ends before the step."""
        world = fork_of(self.moment)
        world.memory, world.aim, world.pilot.crash_at = memory, ("crash", self.pump), self.step
        try:
            if self.fault is None:
                world.deliver(self.moment.way, self.moment.data)
                world.run()
            else:
                world.suffer(self.moment, self.fault)
        except TabletCrash:
            pass
        else:
            return None
        crashed, dose = world.pilot, given(world)
        assert crashed.commits or dose == OLD, "nothing acts before its order leaves"
        if self.pump:
            world.restart_pump()
        world.restart_tablet()
        first = Word.IN_DOUBT if world.pilot.open else Word.NOT_APPLIED if dose == OLD else Word.APPLIED
        after = recover(world, first, crashed.commits)
        assert crashed.commits or after is Word.NOT_APPLIED
        return End(first, after, True)


def cases(moments: list[Moment], steps: int) -> Iterator[Case]:
    for pump in (False, True):
        for step in range(steps):
            yield Case(moments[0], None, step, pump)
        for kind in KINDS:
            for moment in moments:
                for byte in places(kind, len(moment.data)):
                    for step in range(moment.world.pilot.steps, steps + STEPS_IN_DOUBT):
                        yield Case(moment, Fault(kind, byte), step, pump)


def run(stride: int) -> tuple[Tally, int, str]:
    world = prepared()
    moments, memory, tally = recorded(world), Memory(), Tally()
    steps = world.pilot.steps
    for case in islice(cases(moments, steps), 0, None, stride):
        end = memory.run(lambda case=case: case.run(memory))  # type: ignore[misc]
        if end is not None:
            tally.add(end)
    return tally, steps, tally.told(f"crash at each of {steps} steps of the journal x cut line", memory)


def test_the_tablet_crashes_at_steps_of_its_journal_after_some_faults(capsys: pytest.CaptureFixture[str]) -> None:
    tally, steps, told = run(797)
    with capsys.disabled():
        print(told)
    assert steps == 8
    assert tally.settled[Word.IN_DOUBT] == 0


@pytest.mark.full
def test_the_tablet_crashes_at_every_step_of_its_journal_after_every_cut(capsys: pytest.CaptureFixture[str]) -> None:
    tally, _, told = run(1)
    with capsys.disabled():
        print(told)
    assert all(tally.words[word] > 0 for word in Word)
    assert tally.settled[Word.IN_DOUBT] == 0
