"""The pump's power fails at every byte of every memory record, and the rest of the record is anything.

Then the pump starts with what is there, and the tablet, which may have crashed too, asks what became of the change.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import pytest

from drivers.pipe import Direction
from drivers.virtual import nvm, record
from drivers.virtual.pump import PumpState
from programmer.visit.machine import Word
from tests.grids.faults import Fault
from tests.grids.judge import End, judge, recover
from tests.grids.pilot import CHANGE, INTRODUCTION, RECOVERY, Pilot
from tests.grids.tally import Tally
from tests.grids.world import FIRMWARE, Memory, Moment, World, fork_of, prepared, recorded

pytestmark = pytest.mark.grid

REMAINDERS: dict[str, Callable[[int], bytes] | None] = {
    "old bytes": None,
    "erased": lambda size: b"\xff" * size,
    "noise": lambda size: hashlib.shake_256(b"noise").digest(size),
}
EARLIER = (105_000, 100_000)
"""Two orders before, so that the slot to be written holds an outcome that has to be moved first."""


def writes_between(before: PumpState, after: PumpState) -> tuple[nvm.Write, ...]:
    """The writes that led from one memory to the next."""
    image = before.image
    found: tuple[nvm.Write, ...] = ()
    for writes_of in (tombstones, credentials, decision):
        writes = writes_of(image, before, after)
        image, found = nvm.apply_writes(image, writes), found + writes
    assert image == after.image
    return found


def tombstones(image: bytes, before: PumpState, after: PumpState) -> tuple[nvm.Write, ...]:
    """The writes of what was buried."""
    return record.tombstone_writes(image, after.participant.memory)


def credentials(image: bytes, before: PumpState, after: PumpState) -> tuple[nvm.Write, ...]:
    """The writes of a credential that was shown, if there was one."""
    roots = FIRMWARE.identity.roots
    shown = record.trust(before.image, roots) != record.trust(after.image, roots)
    return record.trust_writes(image, after.trust) if shown else ()


def decision(image: bytes, before: PumpState, after: PumpState) -> tuple[nvm.Write, ...]:
    """The writes of a commit, if there was one."""
    epoch = after.participant.memory.epoch
    if epoch == before.participant.memory.epoch:
        return ()
    assert after.record is not None
    return record.decision_writes(image, epoch, after.record)


@dataclass(frozen=True)
class Written:
    """A moment at which the pump writes, what it writes, and whether a change is in hand."""

    name: str
    moment: Moment
    writes: tuple[nvm.Write, ...]

    @property
    def size(self) -> int:
        return sum(len(write.data) for write in self.writes)


def written(name: str, moments: list[Moment]) -> Iterator[Written]:
    """Those of the moments at which the pump writes its memory."""
    for moment in moments:
        world = fork_of(moment)
        before = world.host.state
        if moment.way is Direction.TO_PUMP:
            world.deliver(moment.way, moment.data)
        if world.host.state.image != before.image:
            yield Written(name, moment, writes_between(before, world.host.state))


def cut_before(moments: list[Moment], number: int, restart: bool) -> World:
    """The world in which the line was cut before this frame, healed again."""
    world = fork_of(moments[number])
    world.suffer(moments[number], Fault("cut", 0))
    world.heal()
    if restart:
        world.restart_pump()
    return world


def places() -> list[Written]:
    """Every record that is written: introduction, commit, and what recovery buries, by session and by query."""
    introduced = World()
    introduced.pilot = Pilot(5)
    found = list(written("credential", recorded(introduced, INTRODUCTION)))
    change = recorded(prepared(EARLIER), CHANGE)
    commit = list(written("commit", change))
    assert len(commit) == 1
    number = next(at for at, moment in enumerate(change) if moment is commit[0].moment)
    stage = number - 6
    found += commit
    for at, restart in ((number, False), (number, True), (stage, False)):
        found += written("recovery", recorded(cut_before(change, at, restart), RECOVERY))
    return found


def staged_world() -> World:
    """A world in which the pump holds a staged proposal, and the line has been cut."""
    change = recorded(prepared(EARLIER), CHANGE)
    return cut_before(change, next(at for at, m in enumerate(change) if m.world.host.state.participant.proposal), False)


@dataclass(frozen=True)
class Case:
    """Power fails after ``byte`` bytes of the writes; the tablet crashes too, or not."""

    place: Written
    byte: int
    remainder: str
    tablet: bool

    def run(self, memory: Memory) -> End:
        """The end of this case, judged."""
        moment = self.place.moment
        world = fork_of(moment)
        world.memory, world.aim = memory, ("torn", self.tablet)
        image = nvm.apply_writes(world.host.state.image, self.place.writes, self.byte, REMAINDERS[self.remainder])
        world.restart_pump(image)
        if self.tablet:
            world.restart_tablet()
        else:
            world.run()  # the frame goes unanswered; the tablet tries again, and gives up
        first, lost = judge(world) if not self.tablet else Word.IN_DOUBT, world.pilot.lost
        return End(first, recover(world, first, lost), lost)


def cases(found: list[Written]) -> Iterator[Case]:
    for place in found:
        for remainder in REMAINDERS:
            for tablet in (False, True):
                for byte in range(place.size + 1):
                    yield Case(place, byte, remainder, tablet)


def run(stride: int) -> tuple[Tally, str]:
    found, memory, tally = places(), Memory(), Tally()
    for case in islice(cases(found), 0, None, stride):
        tally.add(memory.run(lambda case=case: case.run(memory)))  # type: ignore[misc]
    sizes = ", ".join(f"{place.name} {place.size}" for place in found)
    return tally, f"\nrecords and their bytes: {sizes}" + tally.told("power lost at every byte of memory", memory)


def at_boot(stride: int) -> int:
    """Power fails again while the pump, starting, buries what was staged; how many cases."""
    base = staged_world()
    proposal = base.host.state.participant.proposal
    assert proposal is not None
    boot = FIRMWARE.boot(base.host.state, base.clock_ms + base.offset_ms, proposal.stage.txid)
    writes = writes_between(base.host.state, boot)
    assert writes
    count = 0
    for remainder in REMAINDERS.values():
        for byte in range(0, sum(len(write.data) for write in writes) + 1, stride):
            world = fork_of(Moment(base, Direction.TO_PUMP, b"", b""))
            world.restart_pump(nvm.apply_writes(base.host.state.image, writes, byte, remainder))
            first = judge(world)
            assert recover(world, first) is Word.NOT_APPLIED
            count += 1
    return count


def test_power_lost_at_every_twentieth_byte_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run(20)
    booted = at_boot(20)
    with capsys.disabled():
        print(told, f"\npower lost again in the start: {booted} cases")
    assert tally.settled[Word.IN_DOUBT] == 0


@pytest.mark.full
def test_power_lost_at_every_byte_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    tally, told = run(1)
    booted = at_boot(1)
    with capsys.disabled():
        print(told, f"\npower lost again in the start: {booted} cases")
    assert tally.settled[Word.IN_DOUBT] == 0
    assert tally.settled[Word.APPLIED] > 0
    assert tally.settled[Word.NOT_APPLIED] > 0
