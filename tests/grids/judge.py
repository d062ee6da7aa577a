"""The judge of the grids: it stands apart from both sides and reads the pump's memory and the tablet's journal.

``judge`` is asked before the line is healed and after recovery. What it holds: a change is applied at most once; the
tablet's word never contradicts the pump; the pump gives by the old or by the new program, whole, and never stops; a
doubt ends with the next reading, in the truth; nothing acts later.
"""

from dataclasses import dataclass

from drivers.virtual import nvm, physics, record
from drivers.virtual.rules import achieved_rate
from programmer.visit.machine import Word
from protocol.coordinator import FINAL
from protocol.messages import Program
from tests.bench import dose
from tests.grids.pilot import NEW, OLD, RECOVERY
from tests.grids.world import FIRMWARE, MADE, World

PROGRAMS: dict[int, Program] = {OLD: MADE.first_program(), NEW: dose(NEW).program}


@dataclass(frozen=True)
class End:
    """How a case ended: the word before recovery, and after it."""

    first: Word
    settled: Word
    lost: bool


def given(world: World) -> int:
    """The dose that the pump gives, once it is sure that it gives it: program, memory, epoch and flow agree."""
    state, running = world.host.state, world.running
    assert running == PROGRAMS.get(running.dose_ng_per_day), "the old or the new program, whole"
    booted = record.boot(state.image)
    assert booted.health is not nvm.Health.BOTH_BAD
    assert booted.record is not None
    assert state.record == booted.record, "what is given is what the memory holds"
    assert booted.record.program == running
    memory = state.participant.memory
    assert (booted.memory.epoch, booted.memory.outcomes) == (memory.epoch, memory.outcomes)
    assert memory.epoch == len(memory.outcomes) == world.orders + (running.dose_ng_per_day == NEW), "at most once"
    assert state.override is None
    assert state.counters.stopped_ms is None
    assert physics.read(state.physics).rate_nl_day == achieved_rate(running, FIRMWARE.identity.profile) > 0
    return running.dose_ng_per_day


def word_of(world: World, known: Word = Word.NOT_APPLIED) -> Word:
    """The tablet's word; a start in which nothing was open gives none, and what was ``known`` holds."""
    if world.pilot.word is not None:
        return world.pilot.word
    assert not world.pilot.open
    return known


def agrees(word: Word, dose: int) -> bool:
    """Whether a word is true."""
    return word is Word.IN_DOUBT or (word is Word.APPLIED) == (dose == NEW)


def judge(world: World, known: Word = Word.NOT_APPLIED) -> Word:
    """Judge a world in which the tablet waits for a person; its word."""
    word, dose = word_of(world, known), given(world)
    assert agrees(word, dose), (word, dose)
    tx = world.pilot.visit.transaction
    if tx is not None:
        assert bool(world.pilot.open) == (tx.state not in FINAL), "the journal knows what is open"
    return word


def recover(world: World, first: Word, aim: object = None) -> Word:
    """Heal the line, read the pump again, and judge the settled word against the first one."""
    before = given(world)
    world.heal()
    world.aim = (first, aim)
    world.go(RECOVERY)
    assert not world.pilot.lost, "nothing is wrong any more"
    return settled(world, first, before)


def settled(world: World, first: Word, before: int) -> Word:
    """Judge a world after a whole reading."""
    dose, pilot = given(world), world.pilot
    assert pilot.visit.reading is not None
    assert pilot.visit.reading.status.program == world.running
    assert first is Word.IN_DOUBT or dose == before, "nothing acts later"
    assert not pilot.open, "nothing stays open"
    kinds = {str(item["type"]) for item in pilot.journal}
    assert ("committed" in kinds) == (dose == NEW)
    assert "aborted" not in kinds or dose == OLD
    closed = Word.APPLIED if "committed" in kinds else Word.NOT_APPLIED
    word = word_of(world, closed if first is Word.IN_DOUBT else first)
    assert word is not Word.IN_DOUBT, "a doubt ends with the next reading"
    assert agrees(word, dose)
    return word
