"""What a hostile bus can do to one recorded session, one harm at a time, and what must hold after each.

A harm takes the place of one frame on the line: deliveries to either end, at once or later. A copy of the world from
just before that frame takes the harm and then runs on to the end. Where the world after a delivery equals one that was
followed before, with the same deliveries to come, the end is known and not run again.
"""

import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from cobs import cobs

from protocol import messages as m
from protocol.event_codes import EventCode
from tests.adversary.world import GIVEN_UP, NEW_DOSE, TO_PUMP, TO_TABLET, World, copied, facts, fresh_host

OLD_DOSE = 100_000
LATE_MS = (100, 340, 360, 720, 1_500, 4_900, 5_100, 6_500, 20_000, 1_900_000)
Delivery = tuple[int, int, bytes]
"""After how many milliseconds, to whom, which bytes."""


@dataclass(frozen=True)
class Harm:
    """``healed``: the session itself must come to its end all the same."""

    kind: str
    at: int
    deliveries: tuple[Delivery, ...]
    healed: bool = False


@dataclass
class Recorded:
    """A session with the world as it was before each frame."""

    before: list[World] = field(default_factory=list)
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    end: World | None = None

    @property
    def size(self) -> int:
        return sum(len(wire) for _, wire in self.frames)


def record(world: World) -> Recorded:
    """Run a session to its end and keep every step of it."""
    found = Recorded()
    while True:
        if world.flights:
            _, way, wire = world.flights[0]
            found.before.append(copied(world))
            found.frames.append((way, wire))
        if not world.step():
            break
    found.end = world.run()
    return found


def mended(body: bytes) -> bytes:
    """A frame whose check value fits whatever its body says."""
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "big")) + b"\x00"


def body_of(wire: bytes) -> bytes:
    return cobs.decode(wire.strip(b"\x00"))[:-4]


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def around(kind: str, at: int, way: int, true: bytes, false: bytes, healed: bool) -> Iterator[Harm]:
    """False bytes instead of the true ones, before them, and after them."""
    first, second = (0, way, true), (0, way, false)
    yield Harm(kind, at, (second,), healed)
    yield Harm(kind, at, (second, first), healed)
    yield Harm(kind, at, (first, second), healed)


def flips(at: int, way: int, wire: bytes) -> Iterator[Harm]:
    """Every bit: as noise would flip it, and with the check value put right."""
    for bit in range(8 * len(wire)):
        yield from around("bit flipped", at, way, wire, flipped(wire, bit), True)
    body = body_of(wire)
    for bit in range(8 * len(body)):
        yield from around("bit flipped, check value right", at, way, wire, mended(flipped(body, bit)), False)


def pieces(at: int, way: int, wire: bytes) -> Iterator[Harm]:
    """Every byte dropped, doubled, followed by a delimiter; the frame cut at every byte."""
    for byte in range(len(wire)):
        head, tail = wire[:byte], wire[byte:]
        for changed in (head + tail[1:], head + tail[:1] + tail, head + b"\x00" + tail, head, head + b"\x00"):
            yield Harm("byte lost or added", at, ((0, way, changed),), healed=True)


def whole(at: int, way: int, wire: bytes) -> Iterator[Harm]:
    """The frame dropped, repeated, late, and late beside the true one."""
    once = (0, way, wire)
    yield Harm("dropped", at, (), healed=True)
    for times in range(2, 12):
        yield Harm("duplicated", at, (once,) * times, healed=True)
    for wait in LATE_MS:
        yield Harm("delayed", at, ((wait, way, wire),), healed=True)
        yield Harm("duplicated late", at, (once, (wait, way, wire)), healed=True)


def replays(at: int, way: int, wire: bytes, others: list[tuple[int, bytes]], kind: str) -> Iterator[Harm]:
    """Every frame of a recording, to either end, instead of, before and after the true one."""
    for _, old in others:
        yield from around(kind, at, way, wire, old, False)
        yield Harm(kind, at, ((0, 1 - way, old), (0, way, wire)))
        yield Harm(kind, at, ((0, way, wire), (0, 1 - way, old)))


def reflections(at: int, way: int, wire: bytes) -> Iterator[Harm]:
    """The frame back to whoever sent it, as it is and turned into the other kind, with each sequence number near."""
    body = body_of(wire)
    for kind in range(16):
        for step in (-1, 0, 1, 2):
            turned = mended(bytes((body[0] & 0xF0 | kind, (body[1] + step) % 256)) + body[2:])
            yield Harm("reflected", at, ((0, 1 - way, turned),))
            yield Harm("reflected", at, ((0, 1 - way, turned), (0, way, wire)))
            yield Harm("kind changed", at, ((0, way, turned),))


def splices(at: int, way: int, wire: bytes, others: list[tuple[int, bytes]]) -> Iterator[Harm]:
    """The beginning of one session's frame and the end of another's, cut at every byte."""
    twins = [old for to, old in others if to == way]
    twin = twins[min(at // 2, len(twins) - 1)]
    for cut in range(1, max(len(wire), len(twin))):
        for changed in (wire[:cut] + twin[cut:], twin[:cut] + wire[cut:]):
            yield Harm("spliced", at, ((0, way, changed),))
    mine, theirs = body_of(wire), body_of(twin)
    for cut in range(1, max(len(mine), len(theirs))):
        for changed in (mine[:cut] + theirs[cut:], theirs[:cut] + mine[cut:]):
            yield Harm("spliced, check value right", at, ((0, way, mended(changed)),))


def reordered(at: int, frames: list[tuple[int, bytes]]) -> Iterator[Harm]:
    """The frame after frames of its session that come later, and they before it."""
    way, wire = frames[at]
    for later_way, later in frames[at + 1 : at + 9]:
        yield Harm("reordered", at, ((0, later_way, later), (0, way, wire)))
        yield Harm("reordered", at, ((0, later_way, later), (20, way, wire)))


def harms(session: Recorded, earlier: Recorded) -> Iterator[Harm]:
    """All harms to a session, with an earlier one of the same two ends to replay from."""
    for at, (way, wire) in enumerate(session.frames):
        yield from whole(at, way, wire)
        yield from reordered(at, session.frames)
        yield from flips(at, way, wire)
        yield from pieces(at, way, wire)
        yield from replays(at, way, wire, session.frames, "replayed within the session")
        yield from replays(at, way, wire, earlier.frames, "replayed from another session")
        yield from reflections(at, way, wire)
        yield from splices(at, way, wire, earlier.frames)


@dataclass
class Bus:
    """Does harms, and judges their ends."""

    session: Recorded
    recover_every: int = 1
    """Of the ends that leave the tablet in doubt, so many-th is followed on into the next session, which tells it."""
    counts: Counter[str] = field(default_factory=Counter)
    followed: int = 0
    _known: dict[tuple[int, tuple[Delivery, ...]], list[tuple[object, str]]] = field(default_factory=dict)

    _spare: tuple[int, World, object] | None = None

    def _world(self, at: int) -> tuple[World, object]:
        """The world before a frame, without that frame, and its facts; an untouched one serves again."""
        if self._spare is not None and self._spare[0] == at:
            return self._spare[1:]
        world = copied(self.session.before[at])
        world.flights.popleft()
        return world, facts(world)

    def do(self, harm: Harm) -> str:
        """The end of a session that took this harm; raises ``AssertionError`` where something does not hold."""
        world, base = self._world(harm.at)
        passed: list[tuple[tuple[Delivery, ...], object]] = []
        end, now = None, base
        for number in range(len(harm.deliveries) + 1):
            rest = harm.deliveries[number:]
            end = next((end for known, end in self._known.get((harm.at, rest), ()) if known == now), None)
            if end is not None:
                break
            passed.append((rest, now))
            if rest:
                wait, way, wire = rest[0]
                if wait:
                    world.later(wait, way, wire)
                else:
                    world.deliver(way, wire)
                now = facts(world)
        self._spare = (harm.at, world, base) if end is not None and now == base else None
        if end is None:
            self.followed += 1
            if self.followed % self.recover_every:
                world.tries = GIVEN_UP
            end = judged(world.run())
        for rest, state in passed:
            self._known.setdefault((harm.at, rest), []).append((state, end))
        if harm.healed:
            assert end == "in its own session", (harm.kind, harm.at, end)
        self.counts[harm.kind] += 1
        return end


def judged(world: World) -> str:
    """How a world has ended, once everything holds that must hold in any."""
    state, log = world.host.state, [entry.code for entry in world.host.state.log.entries]
    memory, record = state.participant.memory, state.record
    changes = log.count(EventCode.PROGRAM_IN_FORCE)
    assert record is not None
    assert memory.epoch == changes <= 1, "one order acts at most once"
    assert record.program.dose_ng_per_day == (NEW_DOSE if changes else OLD_DOSE), "only what was signed"
    assert changes <= world.committing, "nothing before the order left"
    assert (state.override, state.paired, state.uses) == (None, (), ()), "no emergency act, no other tablet"
    assert state.session is None
    ended = log.count(EventCode.SESSION_CLOSED) + log.count(EventCode.SESSION_INTERRUPTED)
    assert log.count(EventCode.SESSION_OPENED) == ended, "each session in the pump has its end in the log"
    assert log.count(EventCode.SESSION_INTERRUPTED) == state.counters.interrupted
    assert world.opened == world.ended, "each session of the tablet has its end"
    if world.script == "change" and world.finished:
        assert changes == 1
        return "in its own session"
    if world.script == "change":
        return "committed, not told" if changes else "not applied, not told"
    assert world.finished, "once the harm is over a tablet gets through"
    word = world.answers[1]
    assert isinstance(word, m.Committed if changes else m.NotApplied), "the last word is the truth"
    return "committed, told later" if changes else "not applied"


def two_sessions() -> tuple[Recorded, Recorded]:
    """(a dose change that is given up, then one that is carried out) between the same two ends."""
    earlier = record(World(fresh_host(), "tablet 1", "given up", 0))
    assert earlier.end is not None
    return earlier, record(World(copied(earlier.end.host), "tablet 2", "change", earlier.end.now))


__all__ = ["TO_PUMP", "TO_TABLET", "Bus", "Harm", "Recorded", "body_of", "harms", "mended", "two_sessions"]
