"""Breadth-first exploration of the programming transaction: the model is the code.

Two tablets want to change one pump, each with one transaction on the same epoch. Every step of a tablet is
``coordinator.step`` and every step of the pump ``participant.step``; the model adds only what surrounds them:

* a link that loses, delays, repeats and reorders requests, also into a later session,
* tablets and a pump that lose power between any two effects, and restart from what they made durable,
* a journal that does not take the intent, a proposal that expires, a clinician who drops it or signs it.

The pump is made weaker than it is, so that the rules of the transaction have to carry everything alone: sessions all
have the same keys, tokens are all alike, every signature is taken as good, and a reset of the pump loses the proposal
without a tombstone.

Objects are numbered once and each distinct step is computed once, so that a world is a tuple of small numbers.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from protocol import coordinator as c
from protocol import messages as m
from protocol import participant as p
from protocol.coordinator import State, Stored, Transaction
from protocol.messages import Refusal
from protocol.order import Content
from tests.protocol.make import PROGRAM

BASE = 6
STAGES = tuple(
    m.StageProgram(
        txid=bytes([number]) * 16,
        base_epoch=BASE,
        program=PROGRAM.model_copy(update={"dose_ng_per_day": dose}),
        annex=bytes(32),
    )
    for number, dose in ((0xA, 115_000), (0xB, 90_000))
)
SIGNED = c.Signed(bytes(16), (bytes(64),))
SETTLING = (State.DANGLING, State.IN_DOUBT, State.UNRESOLVED)
NOTHING = -1


class AnyGood:
    """Rules that refuse nothing; the receipt is not looked at."""

    def refusals(self, content: Content, situation: p.Situation) -> tuple[Refusal, ...]:
        return ()

    def persons(self, content: Content, situation: p.Situation) -> int:
        return 1

    def may_sign(self, content: Content, signers: tuple[p.Signer, ...]) -> bool:
        return True

    def flow_nl_per_day(self, program: m.Program) -> int:
        return 50_000

    def sign_receipt(self, data: bytes) -> bytes:
        return bytes(64)


SITUATION = p.Situation(
    now_ms=0,
    pump_time_s=1_800_000_000,
    realm=m.Realm.SIMULATED,
    serial="VP-1",
    tablet_id="T",
    handshake_hash=bytes(32),
    running=PROGRAM,
    reservoir_nl=1,
    discrepancy=m.Discrepancy.NONE,
    signers=(p.Signer(bytes(32), m.Role.PRESCRIBER),),
    fresh_token=bytes(8),
)


class Tablet(NamedTuple):
    """Transaction and outstanding request by number, and the last record of the journal."""

    tx: int
    journal: Stored | None = None
    waiting: int = NOTHING


class World(NamedTuple):
    """Everything that may differ; numbers stand for interned objects."""

    pump: int
    tablets: tuple[Tablet, Tablet]
    connected: int = NOTHING
    fresh: frozenset[int] = frozenset()
    sent: frozenset[int] = frozenset()
    repeats: int = 0
    reply: int = NOTHING
    applied: tuple[int, int] = (0, 0)


class Violation(AssertionError):
    """An invariant does not hold; ``trace`` is the shortest way to it."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.trace: tuple[str, ...] = ()


PumpStep = Callable[[p.Participant, m.Message, p.Situation, p.Rules], p.Step]
TabletStep = Callable[[Transaction, c.Event], c.Step]
NO_INTENT = (None, Stored.STAGING)
RESTART = {
    None: State.DRAFT,
    Stored.STAGING: State.DANGLING,
    Stored.INTENT: State.IN_DOUBT,
    Stored.IN_DOUBT: State.IN_DOUBT,
    Stored.COMMITTED: State.COMMITTED,
    Stored.ABORTED: State.ABORTED,
    Stored.UNRESOLVED: State.UNRESOLVED,
}
"""State of a transaction after the tablet restarts, by the last record of its journal."""


@dataclass
class Model:
    """The exploration: ``repeats`` extra deliveries of old requests, ``tablets`` 1 or 2, with or without power cuts."""

    repeats: int = 2
    tablets: int = 2
    power_cuts: bool = True
    pump_step: PumpStep = p.step
    tablet_step: TabletStep = c.step
    objects: list[Hashable] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)
    pump_steps: dict[tuple[int, int], p.Step] = field(default_factory=dict)
    tablet_steps: dict[tuple[int, Hashable], c.Step | None] = field(default_factory=dict)
    verdicts: dict[tuple[int, int, int], State] = field(default_factory=dict)
    complete: bool = False

    def number(self, item: Hashable) -> int:
        found = self.numbers.get(item)
        if found is None:
            found = self.numbers[item] = len(self.objects)
            self.objects.append(item)
        return found

    def transaction(self, number: int) -> Transaction:
        item = self.objects[number]
        assert isinstance(item, Transaction)
        return item

    def participant(self, number: int) -> p.Participant:
        item = self.objects[number]
        assert isinstance(item, p.Participant)
        return item

    def request(self, number: int) -> tuple[int, m.Message]:
        """Sender and message of a request."""
        item = self.objects[number]
        assert isinstance(item, tuple)
        return item

    def start(self) -> World:
        pump = self.number(p.Participant(p.Memory(epoch=BASE)))
        first, second = (Tablet(self.number(Transaction(stage))) for stage in STAGES)
        return World(pump, (first, second), repeats=self.repeats)

    # the tablet

    def _tablet(self, world: World, who: int, event: c.Event) -> Iterator[World]:
        """All that can become of an event on a tablet: every effect carried out, or a crash before any of them."""
        tablet = world.tablets[who]
        key = (tablet.tx, event if not isinstance(event, c.Replied) else ("reply", self.number(event.message)))
        if key not in self.tablet_steps:
            try:
                self.tablet_steps[key] = self.tablet_step(self.transaction(tablet.tx), event)
            except c.OutOfTurn:
                self.tablet_steps[key] = None
        result = self.tablet_steps[key]
        if result is None:
            return
        after, effects = result
        world = self._set(world, who, tablet._replace(tx=self.number(after), waiting=NOTHING))
        if world.connected == who:
            world = world._replace(reply=NOTHING)
        for effect in effects:
            yield from self._restart(world, who)
            world = self._carry_out(world, who, effect)
        yield world

    def _carry_out(self, world: World, who: int, effect: c.Effect) -> World:
        tablet = world.tablets[who]
        if isinstance(effect, c.Persist):
            return self._set(world, who, tablet._replace(journal=effect.record))
        request = self.number((who, effect.message))
        world = self._set(world, who, tablet._replace(waiting=request))
        return world._replace(fresh=world.fresh | {request}, sent=world.sent | {request})

    @staticmethod
    def _set(world: World, who: int, tablet: Tablet) -> World:
        pair = (tablet, world.tablets[1]) if who == 0 else (world.tablets[0], tablet)
        return world._replace(tablets=pair)

    def _restart(self, world: World, who: int) -> Iterator[World]:
        if not self.power_cuts:
            return
        journal = world.tablets[who].journal
        tx = self.number(Transaction(STAGES[who], RESTART[journal]))
        yield self._hang_up(self._set(world, who, Tablet(tx, journal)), who)

    @staticmethod
    def _hang_up(world: World, who: int) -> World:
        return world._replace(connected=NOTHING, reply=NOTHING) if world.connected == who else world

    def _tablet_events(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        tablet = world.tablets[who]
        state = self.transaction(tablet.tx).state
        if tablet.journal is not None:
            for after in self._restart(world, who):
                yield "restarts", after
        if world.connected != who and state in (State.DRAFT, *SETTLING):
            for after in self._connect(world, who, state):
                yield "connects", after
        if world.connected == who and state is State.DRAFT:
            for after in self._tablet(world, who, c.Begin()):
                yield "begins", after
        if world.connected == who and world.reply != NOTHING:
            message = self.objects[world.reply]
            assert isinstance(message, m.Message)
            for after in self._tablet(world, who, c.Replied(message)):
                yield f"hears {type(message).__name__}", after
        if state in c.OPEN:
            for after in self._tablet(self._hang_up(world, who), who, c.LinkLost()):
                yield "loses the link", after
        for event in (SIGNED, c.Drop()):
            for after in self._tablet(world, who, event):
                yield type(event).__name__.lower(), after
        if state is State.AWAITING:
            signed, _ = self.tablet_step(self.transaction(tablet.tx), SIGNED)
            unsaved = self._set(world, who, tablet._replace(tx=self.number(signed)))
            for after in self._tablet(unsaved, who, c.NotStored()):
                yield "cannot store the intent", after

    def _connect(self, world: World, who: int, state: State) -> Iterator[World]:
        pump, effects = p.discard(self.participant(world.pump))
        for reached in self._pump_effects(world, effects, pump):
            if reached.pump != self.number(pump):
                yield reached
                continue
            opened = reached._replace(connected=who, reply=NOTHING)
            if state is State.DRAFT:
                yield opened
            else:
                yield from self._tablet(opened, who, c.Resume())

    # the pump

    def _pump_effects(self, world: World, effects: tuple[p.Effect, ...], after: p.Participant) -> Iterator[World]:
        """A reset of the pump before each effect, and at last all of them carried out."""
        memory = self.participant(world.pump).memory
        for effect in effects:
            if self.power_cuts:
                yield self._reset(world, memory)
            if isinstance(effect, p.Remember | p.PutInForce):
                memory = effect.memory
            if isinstance(effect, p.PutInForce):
                world = self._applied(world, effect)
        yield world._replace(pump=self.number(after))

    def _reset(self, world: World, memory: p.Memory) -> World:
        return world._replace(pump=self.number(p.Participant(memory)), connected=NOTHING, reply=NOTHING)

    def _applied(self, world: World, effect: p.PutInForce) -> World:
        (who,) = [n for n, stage in enumerate(STAGES) if stage.program == effect.content.program]
        if world.tablets[who].journal in NO_INTENT:
            raise Violation("I2: applied, and the journal holds neither intent nor outcome")
        if effect.memory.epoch != BASE + 1:
            raise Violation("a program is in force that was proposed on another epoch")
        applied = tuple(count + (n == who) for n, count in enumerate(world.applied))
        return world._replace(applied=(applied[0], applied[1]))

    def _deliver(self, world: World, request: int) -> Iterator[World]:
        who, message = self.request(request)
        key = (world.pump, request)
        if key not in self.pump_steps:
            self.pump_steps[key] = self.pump_step(self.participant(world.pump), message, SITUATION, AnyGood())
        after, effects = self.pump_steps[key]
        if request in world.fresh:
            world = world._replace(fresh=world.fresh - {request})
        else:
            world = world._replace(repeats=world.repeats - 1)
        heard = world.connected == who and world.tablets[who].waiting == request
        answer = effects[-1]
        assert isinstance(answer, p.Answer)
        final = self.number(after)
        for reached in self._pump_effects(world, effects[:-1], after):
            if reached.pump == final and heard and reached.connected == who:
                yield reached._replace(reply=self.number(answer.message))
            else:
                yield reached

    # the exploration

    def successors(self, world: World) -> Iterator[tuple[str, World]]:
        for who in range(self.tablets):
            for what, after in self._tablet_events(world, who):
                yield f"tablet {who} {what}", after
        pump = self.participant(world.pump)
        if pump.proposal is not None:
            if self.power_cuts:
                yield "the pump restarts", self._reset(world, pump.memory)
            expired, effects = p.expire(pump, pump.proposal.expires_ms)
            for after in self._pump_effects(world, effects, expired):
                yield "the proposal expires", after
        for request in world.sent if world.repeats else world.fresh:
            for after in self._deliver(world, request):
                yield f"the pump takes {type(self.request(request)[1]).__name__}", after

    def check(self, world: World) -> None:
        """The invariants that a single world can break."""
        if max(world.applied) > 1:
            raise Violation("I1: a transaction was applied twice")
        if sum(world.applied) > 1:
            raise Violation("both transactions were applied on one epoch")
        for tablet, applied in zip(world.tablets, world.applied, strict=True):
            if tablet.journal is Stored.COMMITTED and not applied:
                raise Violation("I3: the journal says committed, and the pump never applied it")
            if tablet.journal is Stored.ABORTED and applied:
                raise Violation("I3: the journal says aborted, and the pump applied it")
        for who in range(self.tablets):
            self._verdict(world, who)

    def _verdict(self, world: World, who: int) -> None:
        """I4: one undisturbed reconnection gives a final and true verdict."""
        tablet, pump = world.tablets[who], self.participant(world.pump)
        state = RESTART[tablet.journal]
        if state not in SETTLING:
            return
        key = (world.pump, who, int(state is State.DANGLING))
        if key not in self.verdicts:
            tx, effects = self.tablet_step(Transaction(STAGES[who], state), c.Resume())
            (query,) = effects
            assert isinstance(query, c.Send)
            _, answers = self.pump_step(p.discard(pump)[0], query.message, SITUATION, AnyGood())
            answer = answers[-1]
            assert isinstance(answer, p.Answer)
            self.verdicts[key] = self.tablet_step(tx, c.Replied(answer.message))[0].state
        verdict = self.verdicts[key]
        if verdict is not (State.COMMITTED if world.applied[who] else State.ABORTED):
            raise Violation(f"I4: the verdict after a reconnection is {verdict.value}")

    def explore(self, limit: int) -> set[World]:
        """Every world that can be reached, nearest first, about ``limit`` of them at most. Raises ``Violation``.

        ``complete`` says afterwards whether there is no other.
        """
        first = self.start()
        seen = {first}
        came: dict[World, tuple[World, str]] = {}
        queue = deque([first])
        while queue and len(seen) < limit:
            world = queue.popleft()
            at = world
            try:
                for what, after in self.successors(world):
                    if after not in seen:
                        seen.add(after)
                        came[after] = (world, what)
                        at = after
                        self.check(after)
                        at = world
                        queue.append(after)
            except Violation as found:
                steps = []
                while at in came:
                    at, step = came[at]
                    steps.append(step)
                found.trace = tuple(reversed(steps))
                raise
        self.complete = not queue
        return seen
