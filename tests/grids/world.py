"""A whole desk that can be copied: tablet, line, wand and pump, on virtual time, with one fault at a chosen byte."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from drivers.pipe import Direction
from drivers.virtual.firmware import Firmware
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.pump import PumpState
from programmer.visit.machine import Visit, Word
from protocol.messages import Program
from tests.bench import PUMP_PRIVATE, START_S, provision
from tests.grids.faults import Fault, strike
from tests.grids.fork import Prints, changeable, fork
from tests.grids.pilot import CHANGE, INTRODUCTION, Draws, Pilot

MADE = provision(100_000, 20_000_000, ())
FIRMWARE = Firmware(MADE.identity())
START_MS = START_S * 1_000
TURNS = 400
"""A case that takes more turns hangs."""
OUTSIDE = frozenset({"moments", "memory", "before"})
"""What a world holds that does not belong to it."""


class Known(Exception):
    """A state that has been seen: how it goes on is known."""

    def __init__(self, end: object) -> None:
        super().__init__(end)
        self.end = end


@dataclass(frozen=True)
class Moment:
    """A world just before it carries ``data`` over the line, and what went that way before."""

    world: "World"
    way: Direction
    data: bytes
    stale: bytes


class _Key:
    """A fingerprint that is hashed once."""

    __slots__ = ("_hash", "_value")

    def __init__(self, value: tuple[object, ...]) -> None:
        self._value, self._hash = value, hash(value)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._value == other._value


class Memory:
    """How every state that was seen on the line goes on, so that no rest of a case is run twice."""

    def __init__(self) -> None:
        self.ends: dict[_Key, object] = {}
        self._prints = Prints((PumpState, Visit), OUTSIDE)
        self._path: list[_Key] = []

    def recall(self, world: "World", way: Direction, data: bytes) -> None:
        """Called before each frame. Raises ``Known`` where the world has been in this state before."""
        key = _Key((way, data, *self._prints.of(world)))
        if key in self.ends:
            raise Known(self.ends[key])
        self._path.append(key)

    def run(self, case: Callable[[], object]) -> object:
        """The end of a case: run to the end, or to a state whose end is known."""
        self._path.clear()
        try:
            end = case()
        except Known as known:
            end = known.end
        self.ends.update(dict.fromkeys(self._path, end))
        return end


@changeable
class World:
    """Tablet and pump with a line between them."""

    def __init__(self) -> None:
        self.clock_ms = 1_000
        self.pump_starts = 1
        self.orders = 0
        """Orders that were applied before the change in hand."""
        self.offset_ms = START_MS + 14 * 86_400_000 - self.clock_ms
        state = FIRMWARE.manufacture(clock_ms=START_MS, program=MADE.first_program(), fill_nl=MADE.fill_nl)
        self.host = self._host(state)
        self.host.tick(self.clock_ms)
        self.pilot = Pilot(0)
        self.dead: list[Direction] = []
        self.late: list[tuple[int, Direction, bytes]] = []
        self.last: dict[Direction, bytes] = dict.fromkeys(Direction, b"\x00")
        self.moments: list[Moment] | None = None
        self.before: PumpState | None = None
        self.aim: object = None
        """What the case still does to this world, where that is not yet part of it."""
        self.memory: Memory | None = None

    def _host(self, state: PumpState) -> VirtualPumpHost:
        return VirtualPumpHost(
            FIRMWARE,
            state,
            private=PUMP_PRIVATE,
            tablets=MADE.paired(),
            entropy=Draws(f"pump {self.pump_starts}"),
            now_ms=self.clock_ms,
            clock_ms=self.clock_ms + self.offset_ms,
        )

    @property
    def running(self) -> Program:
        """The program that the pump gives by."""
        return FIRMWARE.running(self.host.state)

    def go(self, plan: tuple[str, ...]) -> None:
        """Let the tablet go through a plan, to its end or to the loss of the line."""
        self.pilot.begin(plan, self.clock_ms)
        self.run()

    def run(self) -> None:
        """Go on until the tablet waits for a person."""
        for _ in range(TURNS):
            if self.pilot.ended:
                return
            self.turn()
        raise AssertionError("the tablet waits for ever")

    def turn(self) -> None:
        """Carry what lies on the line; if nothing does, let time pass to the next thing that is due."""
        out = self.pilot.connection.data_to_send()
        if out:
            self.send(Direction.TO_PUMP, out)
            return
        due = [self.pilot.connection.next_timeout(), self.host.next_timeout(), *[item[0] for item in self.late[:1]]]
        self.clock_ms = max(self.clock_ms, min(time for time in due if time is not None))
        if self.late and self.late[0][0] <= self.clock_ms:
            _, way, data = self.late.pop(0)
            self.deliver(way, data)
            return
        self.host.tick(self.clock_ms)
        self.pilot.take(self.pilot.connection.handle_timeout(self.clock_ms), self.clock_ms)

    def send(self, way: Direction, data: bytes) -> None:
        """Put a frame on the line."""
        if self.moments is not None:
            moments, self.moments = self.moments, None
            moments.append(Moment(fork(self), way, data, self.last[way]))
            self.moments = moments
        self.last[way] = data
        if way not in self.dead:
            if self.memory is not None:
                self.memory.recall(self, way, data)
            self.deliver(way, data)

    def deliver(self, way: Direction, data: bytes) -> None:
        """Bytes arrive at the other end."""
        if way is Direction.TO_PUMP:
            self.before = self.host.state
            answer = self.host.feed(data, self.clock_ms)
            if answer:
                self.send(Direction.FROM_PUMP, answer)
        else:
            self.pilot.take(self.pilot.connection.receive_data(data, self.clock_ms), self.clock_ms)

    def suffer(self, moment: Moment, fault: Fault) -> None:
        """Carry the frame of this moment with a fault in it, then go on."""
        self.last[moment.way] = moment.data
        pieces, dead = strike(fault, moment.way, moment.data, moment.stale)
        self.dead = list(dead)
        self.late = [(self.clock_ms + piece.late_ms, moment.way, piece.data) for piece in pieces if piece.late_ms]
        for piece in pieces:
            if piece.data and not piece.late_ms:
                self.deliver(moment.way, piece.data)
        self.run()

    def heal(self) -> None:
        """The line carries bytes again."""
        self.dead.clear()

    def restart_tablet(self) -> None:
        """The tablet starts again with its journal."""
        self.pilot = Pilot(self.pilot.start + 1, self.pilot.written)

    def restart_pump(self, image: bytes | None = None, before: PumpState | None = None) -> None:
        """The pump's power fails and comes back; ``image`` is what its memory holds then."""
        state = self.host.state if before is None else before
        proposal = state.participant.proposal
        staged = None if proposal is None else proposal.stage.txid
        state = state if image is None else replace(state, image=image)
        self.pump_starts += 1
        self.host = self._host(FIRMWARE.boot(state, self.clock_ms + self.offset_ms, staged))


def prepared(earlier: tuple[int, ...] = ()) -> World:
    """A desk whose pump has verified the credentials in an earlier visit, after changes to these ``earlier`` doses."""
    world = World()
    world.go(INTRODUCTION)
    assert not world.pilot.lost
    for start, dose in enumerate(earlier, 10):
        world.pilot = Pilot(start)
        world.pilot.dose = dose
        world.go(CHANGE)
        assert world.pilot.word is Word.APPLIED
    world.pilot, world.orders = Pilot(1), len(earlier)
    return world


def recorded(world: World, plan: tuple[str, ...] = CHANGE) -> list[Moment]:
    """Every moment of a plan on a whole line."""
    world.moments = []
    world.go(plan)
    found, world.moments = world.moments, None
    return found


def fork_of(moment: Moment) -> World:
    """A world of its own at this moment."""
    return fork(moment.world)
