"""Breadth-first exploration of a ``Model``, with worlds packed into one integer each.

Nobody in a world sees all of it: a tablet sees itself, the pump and the link; a request its sender, the pump and the
link. So what can follow is worked out once for each *part* that an actor sees, by the plain code of the model, and
laid over every world that has this part: two bit operations for each further step.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

from tests.model.world import Model, Tablet, Violation, World

FIELDS = {
    "pump": 12, "tablet 0": 12, "tablet 1": 12, "link": 10, "applied": 4, "old": 1, "foreign": 2,
    "repeats": 4, "fresh": 12, "sent": 12,
}  # fmt: skip
"""Bits of each part of a packed world."""


def _places() -> dict[str, int]:
    at, places = 0, {}
    for name, width in FIELDS.items():
        places[name], at = at, at + width
    return places


AT = _places()


def mask(*names: str) -> int:
    """The bits of these parts."""
    return sum(((1 << FIELDS[name]) - 1) << AT[name] for name in names)


Events = Callable[[World], Iterable[tuple[str, World]]]
_ONE_REPEAT = 1 << AT["repeats"]


@dataclass
class Actor:
    """One who acts on what it ``sees``; ``known`` keeps what can follow."""

    sees: int
    events: Events
    known: dict[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass
class Exploration:
    """The worlds found so far in their order, and the steps between them."""

    model: Model
    order: list[int] = field(default_factory=list)
    index: dict[int, int] = field(default_factory=dict)
    parents: "array[int]" = field(default_factory=lambda: array("I"))
    steps: "array[int]" = field(default_factory=lambda: array("I"))
    starts: "array[int]" = field(default_factory=lambda: array("I"))
    complete: bool = False
    _parts: list[object] = field(default_factory=list)
    _numbers: dict[object, int] = field(default_factory=dict)

    # packing

    def _part(self, item: object) -> int:
        found = self._numbers.get(item)
        if found is None:
            found = self._numbers[item] = len(self._parts)
            self._parts.append(item)
        return found

    def pack(self, world: World) -> int:
        """The integer of a world."""
        values = {
            "pump": world.pump,
            "tablet 0": self._part(world.tablets[0]),
            "tablet 1": self._part(world.tablets[1]),
            "link": self._part((world.connected, world.reply)),
            "applied": world.applied[0] | world.applied[1] << 2,
            "old": int(world.old),
            "foreign": world.foreign,
            "repeats": world.repeats,
            "fresh": world.fresh,
            "sent": world.sent,
        }
        for name, value in values.items():
            assert value >> FIELDS[name] == 0, f"{name} needs more bits"
        return sum(value << AT[name] for name, value in values.items())

    def unpack(self, packed: int) -> World:
        """The world of an integer."""
        value = {name: packed >> AT[name] & ((1 << width) - 1) for name, width in FIELDS.items()}
        first, second, link = (self._parts[value[name]] for name in ("tablet 0", "tablet 1", "link"))
        assert isinstance(first, Tablet)
        assert isinstance(second, Tablet)
        assert isinstance(link, tuple)
        applied = (value["applied"] & 3, value["applied"] >> 2)
        return World(
            pump=value["pump"],
            tablets=(first, second),
            connected=link[0],
            reply=link[1],
            applied=applied,
            old=bool(value["old"]),
            foreign=value["foreign"],
            repeats=value["repeats"],
            fresh=value["fresh"],
            sent=value["sent"],
        )

    # what follows

    def _actors(self) -> list[Actor]:
        model = self.model
        tablets = [
            Actor(mask("pump", f"tablet {who}", "link", "old"), partial(model.tablet_events, who=who))
            for who in range(model.tablets)
        ]
        return [*tablets, Actor(mask("pump", "link", "old", "foreign"), model.pump_events)]

    def _carrier(self, number: int) -> Actor:
        bit = 1 << number
        who, _ = self.model.request(bit)
        sees = mask("pump", f"tablet {who}", "link", "old", "applied")
        return Actor(sees, partial(self.model.deliver, bit=bit))

    def _learn(self, actor: Actor, seen: int) -> tuple[int, ...]:
        """What can follow in a world of which only this part is there; the rest is the very first of its kind."""
        found = tuple(dict.fromkeys(self.pack(after) for _, after in actor.events(self.unpack(seen))))
        actor.known[seen] = found
        return found

    def _check(self, world: int, who: int) -> None:
        self.model.check(self.unpack(world), who)

    def run(self, limit: int = 10**9) -> "Exploration":
        """Every world that can be reached, nearest first, about ``limit`` of them at most. Raises ``Violation``.

        ``complete`` says afterwards whether there is no other.
        """
        first = self.pack(self.model.start())
        order, index, parents, steps = self.order, self.index, self.parents, self.steps
        order.append(first)
        index[first] = 0
        parents.append(0)
        actors = self._actors()
        carriers: list[Actor] = []
        good: list[set[int]] = [set() for _ in range(self.model.tablets)]
        looks = [mask("pump", f"tablet {who}", "applied") for who in range(self.model.tablets)]
        fresh_at, sent_at, width = AT["fresh"], AT["sent"], (1 << FIELDS["sent"]) - 1
        repeats = mask("repeats")
        bits = {n: tuple(k for k in range(FIELDS["sent"]) if n >> k & 1) for n in range(width + 1)}
        at = -1
        after = first
        try:
            while at + 1 < len(order) < limit:
                at += 1
                world = after = order[at]
                self.starts.append(len(steps))
                turns = [(actor, world) for actor in actors]
                fresh = world >> fresh_at & width
                while len(carriers) < len(self.model.requests):
                    carriers.append(self._carrier(len(carriers)))
                for number in bits[fresh]:
                    turns.append((carriers[number], world ^ 1 << fresh_at + number))
                if world & repeats:
                    for number in bits[(world >> sent_at & width) & ~fresh]:
                        turns.append((carriers[number], world - _ONE_REPEAT))
                for actor, base in turns:
                    seen = base & actor.sees
                    found = actor.known.get(seen)
                    if found is None:
                        after = world
                        found = self._learn(actor, seen)
                    rest = base ^ seen
                    for bits_after in found:
                        after = rest | bits_after
                        number_after = index.get(after)
                        if number_after is None:
                            number_after = index[after] = len(order)
                            order.append(after)
                            parents.append(at)
                            for who, look in enumerate(looks):
                                part = after & look
                                if part not in good[who]:
                                    self._check(after, who)
                                    good[who].add(part)
                        if number_after != at:
                            steps.append(number_after)
        except Violation as found_violation:
            found_violation.states = len(order)
            found_violation.trace = self._trace(index[after])
            raise
        self.starts.append(len(steps))
        self.complete = at + 1 == len(order)
        return self

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        """What can follow, with its name; the slow way."""
        for who in range(self.model.tablets):
            yield from self.model.tablet_events(world, who)
        yield from self.model.pump_events(world)
        for number in range(len(self.model.requests)):
            bit = 1 << number
            if world.fresh & bit:
                yield from self.model.deliver(world._replace(fresh=world.fresh ^ bit), bit)
            elif world.sent & bit and world.repeats:
                yield from self.model.deliver(world._replace(repeats=world.repeats - 1), bit)

    def _trace(self, number: int) -> tuple[str, ...]:
        told: list[str] = []
        while number:
            parent = self.parents[number]
            goal = self.order[number]
            steps = self.successors(self.unpack(self.order[parent]))
            told.append(next(what for what, after in steps if self.pack(after) == goal))
            number = parent
        return tuple(reversed(told))

    # what was found

    def worlds(self) -> Iterator[World]:
        """All worlds, unpacked."""
        return map(self.unpack, self.order)

    def parts(self, name: str) -> set[object]:
        """All that occurs in one part: tablets or links."""
        found = {packed >> AT[name] & ((1 << FIELDS[name]) - 1) for packed in self.order}
        return {self._parts[number] for number in found}

    def without_end(self) -> list[int]:
        """I4 on the graph: the worlds from which no settled world can be reached, by going backwards from those."""
        assert self.complete, "a graph that was cut short says nothing about what can still be reached"
        ends = {}
        look = mask("tablet 0", "tablet 1")
        reaches = bytearray(len(self.order))
        for number, packed in enumerate(self.order):
            part = packed & look
            if part not in ends:
                ends[part] = self.model.settled(self.unpack(packed))
            reaches[number] = ends[part]
        waiting = [number for number in range(len(self.order)) if not reaches[number]]
        while True:
            left = []
            for number in reversed(waiting):
                begin, end = self.starts[number], self.starts[number + 1]
                if any(reaches[after] for after in self.steps[begin:end]):
                    reaches[number] = 1
                else:
                    left.append(number)
            if len(left) == len(waiting):
                return left
            waiting = left[::-1]
