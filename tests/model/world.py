"""The world around the programming transaction: what a link, power cuts, time and other tablets can do to it.

Two tablets want to change one pump, each with one transaction on the same epoch. Every step of a tablet is
``coordinator.step`` and every step of the pump ``participant.step``; the world adds only what surrounds them:

* a link that loses, delays, repeats and reorders requests, also into a later session,
* a pump that is busy and does not look at a request at all,
* tablets and a pump that lose power between any two effects, and restart from what they made durable,
* a journal that does not take the intent, a proposal that expires, a clinician who drops it or signs it,
* orders of a tablet that is not looked at, which move the epoch on and make the history of outcomes wrap.

The pump is made weaker than it is, so that the rules of the transaction have to carry everything alone: sessions all
have the same keys, tokens are all alike, every signature is taken as good, the ids share their number, the running
program looks the same throughout, and a reset of the pump loses the proposal without a tombstone.
"""

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
SECOND = 1_700_000_000


def _stage(name: int, dose: int, base_epoch: int) -> m.StageProgram:
    """A proposal; those on one epoch are made in one second."""
    txid = (SECOND + base_epoch - BASE).to_bytes(4, "big") + bytes([name]) * 12
    program = PROGRAM.model_copy(update={"dose_ng_per_day": dose})
    return m.StageProgram(txid=txid, base_epoch=base_epoch, program=program, annex=bytes(32))


STAGES = (_stage(0xA, 115_000, BASE), _stage(0xB, 90_000, BASE))
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
    """Transaction by number, the last record of the journal, and the outstanding request by its bit."""

    tx: int
    journal: Stored | None = None
    waiting: int = 0


class World(NamedTuple):
    """Everything that may differ. Numbers stand for interned objects; ``fresh`` and ``sent`` are sets of requests, one
    bit each; ``old`` tells that the proposal was staged before the newest session began."""

    pump: int
    tablets: tuple[Tablet, Tablet]
    connected: int = NOTHING
    reply: int = NOTHING
    applied: tuple[int, int] = (0, 0)
    old: bool = False
    foreign: int = 0
    repeats: int = 0
    fresh: int = 0
    sent: int = 0


class Violation(AssertionError):
    """An invariant does not hold; ``trace`` is the shortest way to it, found after ``states`` worlds."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.trace: tuple[str, ...] = ()
        self.states = 0


PumpStep = Callable[[p.Participant, m.Message, p.Situation, p.Rules], p.Step]
PumpDiscard = Callable[[p.Participant], p.Step]
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
    """What can happen next. ``repeats`` extra deliveries of old requests, ``tablets`` 1 or 2, ``foreign`` orders of
    others; with or without power cuts, and with or without a pump that may be busy."""

    repeats: int = 2
    tablets: int = 2
    foreign: int = 0
    power_cuts: bool = True
    busy: bool = False
    pump_step: PumpStep = p.step
    new_session: PumpDiscard = p.discard
    tablet_step: TabletStep = c.step
    objects: list[Hashable] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)
    requests: list[tuple[int, m.Message]] = field(default_factory=list)

    def number(self, item: Hashable) -> int:
        """The number of an object; each distinct one has its own."""
        found = self.numbers.get(item)
        if found is None:
            found = self.numbers[item] = len(self.objects)
            self.objects.append(item)
        return found

    def bit(self, who: int, message: m.Message) -> int:
        """The bit of a request."""
        if (who, message) not in self.requests:
            self.requests.append((who, message))
        return 1 << self.requests.index((who, message))

    def request(self, bit: int) -> tuple[int, m.Message]:
        """Sender and message of a request."""
        return self.requests[bit.bit_length() - 1]

    def transaction(self, number: int) -> Transaction:
        """A tablet's transaction by its number."""
        item = self.objects[number]
        assert isinstance(item, Transaction)
        return item

    def participant(self, number: int) -> p.Participant:
        """A state of the pump by its number."""
        item = self.objects[number]
        assert isinstance(item, p.Participant)
        return item

    def start(self) -> World:
        """Nothing has happened yet."""
        pump = self.number(p.Participant(p.Memory(epoch=BASE)))
        first, second = (Tablet(self.number(Transaction(stage))) for stage in STAGES)
        return World(pump, (first, second), repeats=self.repeats, foreign=self.foreign)

    # the tablet

    def _tablet(self, world: World, who: int, event: c.Event) -> Iterator[World]:
        """All that can become of an event on a tablet: every effect carried out, or a crash before any of them."""
        tablet = world.tablets[who]
        try:
            after, effects = self.tablet_step(self.transaction(tablet.tx), event)
        except c.OutOfTurn:
            return
        world = self._set(world, who, tablet._replace(tx=self.number(after), waiting=0))
        if world.connected == who:
            world = world._replace(reply=NOTHING)
        for effect in effects:
            yield from self._restart(world, who)
            if isinstance(effect, c.Send) and isinstance(effect.message, m.Commit) and not isinstance(event, c.Signed):
                raise Violation(f"R10: COMMIT left upon {type(event).__name__}, nobody signed at that moment")
            world = self._carry_out(world, who, effect)
        yield world

    def _carry_out(self, world: World, who: int, effect: c.Effect) -> World:
        tablet = world.tablets[who]
        if isinstance(effect, c.Persist):
            return self._set(world, who, tablet._replace(journal=effect.record))
        bit = self.bit(who, effect.message)
        world = self._set(world, who, tablet._replace(waiting=bit))
        return world._replace(fresh=world.fresh | bit, sent=world.sent | bit)

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

    def tablet_events(self, world: World, who: int) -> Iterator[tuple[str, World]]:
        """Everything that a tablet, its user or its power can do."""
        tablet = world.tablets[who]
        state = self.transaction(tablet.tx).state
        if tablet.journal is not None:
            for after in self._restart(world, who):
                yield f"tablet {who} restarts", after
        if world.connected != who and state in (State.DRAFT, *SETTLING):
            for after in self._connect(world, who, state):
                yield f"tablet {who} connects", after
        if world.connected == who and state is State.DRAFT:
            for after in self._tablet(world, who, c.Begin()):
                yield f"tablet {who} begins", after
        if world.connected == who and world.reply != NOTHING:
            message = self.objects[world.reply]
            assert isinstance(message, m.Message)
            for after in self._tablet(world, who, c.Replied(message)):
                yield f"tablet {who} hears {type(message).__name__}", after
        if state in c.OPEN:
            for after in self._tablet(self._hang_up(world, who), who, c.LinkLost()):
                yield f"tablet {who} loses the link", after
        for event in (SIGNED, c.Drop()):
            for after in self._tablet(world, who, event):
                yield f"tablet {who}: {type(event).__name__.lower()}", after
        if state is State.AWAITING:
            signed, _ = self.tablet_step(self.transaction(tablet.tx), SIGNED)
            unsaved = self._set(world, who, tablet._replace(tx=self.number(signed)))
            for after in self._tablet(unsaved, who, c.NotStored()):
                yield f"tablet {who} cannot store the intent", after

    def _connect(self, world: World, who: int, state: State) -> Iterator[World]:
        pump, effects = self.new_session(self.participant(world.pump))
        for reached in self._pump_effects(world, effects, pump):
            if reached.pump != self.number(pump):
                yield reached
                continue
            opened = reached._replace(connected=who, reply=NOTHING, old=pump.proposal is not None)
            if state is State.DRAFT:
                yield opened
            else:
                yield from self._tablet(opened, who, c.Resume())

    # the pump

    def _pump_effects(
        self, world: World, effects: tuple[p.Effect, ...], after: p.Participant, hears: int = NOTHING
    ) -> Iterator[World]:
        """A reset of the pump before each effect, and at last all of them carried out. An answer that has left travels
        on whatever becomes of the pump, to the tablet that ``hears`` it."""
        memory = self.participant(world.pump).memory
        for effect in effects:
            if self.power_cuts:
                yield self._reset(world, memory)
            match effect:
                case p.PutInForce():
                    memory = effect.memory
                    world = self._applied(world, effect)
                case p.Remember():
                    memory = effect.memory
                case p.Answer() if hears != NOTHING and world.connected == hears:
                    world = world._replace(reply=self.number(effect.message))
        yield world._replace(pump=self.number(after), old=world.old and after.proposal is not None)

    def _reset(self, world: World, memory: p.Memory) -> World:
        return world._replace(pump=self.number(p.Participant(memory)), old=False)

    def _applied(self, world: World, effect: p.PutInForce) -> World:
        (who,) = [n for n, stage in enumerate(STAGES) if stage.program == effect.content.program]
        if world.tablets[who].journal in NO_INTENT:
            raise Violation("I2: applied, and the journal holds neither intent nor outcome")
        if effect.memory.epoch != BASE + 1:
            raise Violation("R8: a program is in force that was proposed on another epoch")
        if world.old:
            raise Violation("R9: a program is in force that was staged in an earlier session")
        applied = tuple(count + (n == who) for n, count in enumerate(world.applied))
        return world._replace(applied=(applied[0], applied[1]))

    def pump_events(self, world: World) -> Iterator[tuple[str, World]]:
        """Everything that happens in the pump without a request of the two tablets."""
        pump = self.participant(world.pump)
        if pump.proposal is not None:
            if self.power_cuts:
                yield "the pump restarts", self._reset(world, pump.memory)
            expired, effects = p.expire(pump, pump.proposal.expires_ms)
            for after in self._pump_effects(world, effects, expired):
                yield "the proposal expires", after
        if world.foreign:
            after = world._replace(connected=NOTHING, reply=NOTHING, foreign=world.foreign - 1, old=False)
            yield "another tablet's order is put in force", after._replace(pump=self.number(self._other_order(pump)))

    def _other_order(self, pump: p.Participant) -> p.Participant:
        pump, _ = self.new_session(pump)
        stage = _stage(0xF0 + pump.memory.epoch - BASE, 100_000, pump.memory.epoch)
        pump, effects = p.step(pump, stage, SITUATION, AnyGood())
        assert isinstance(effects[-1], p.Answer)
        assert isinstance(effects[-1].message, m.Staged)
        pump, _ = p.step(pump, m.ReadBack(txid=stage.txid), SITUATION, AnyGood())
        commit = m.Commit(
            txid=stage.txid,
            token=effects[-1].message.token,
            digest=effects[-1].message.digest,
            head=bytes(16),
            signatures=(bytes(64),),
        )
        return p.step(pump, commit, SITUATION, AnyGood())[0]

    def deliver(self, world: World, bit: int) -> Iterator[tuple[str, World]]:
        """A request reaches the pump; whoever still waits for this very one hears the answer."""
        who, message = self.request(bit)
        hears = who if world.connected == who and world.tablets[who].waiting == bit else NOTHING
        after, effects = self.pump_step(self.participant(world.pump), message, SITUATION, AnyGood())
        what = f"the pump takes {type(message).__name__} of tablet {who}"
        for reached in self._pump_effects(world, effects, after, hears):
            yield what, reached
        if self.busy and hears != NOTHING:
            busy = m.Refused(op=message.OP, txid=getattr(message, "txid", b""), reasons=(Refusal.MEMORY,))
            yield f"{what}, but is busy", world._replace(reply=self.number(busy))

    # what must hold

    def check(self, world: World, who: int) -> None:
        """The invariants that a single world can break, as seen from one tablet."""
        tablet, applied = world.tablets[who], world.applied[who]
        if applied > 1:
            raise Violation("I1: a transaction was applied twice")
        if sum(world.applied) > 1:
            raise Violation("R8: both transactions were applied on one epoch")
        if tablet.journal is Stored.COMMITTED and not applied:
            raise Violation("I3: the journal says committed, and the pump never applied it")
        if tablet.journal is Stored.ABORTED and applied:
            raise Violation("I3: the journal says aborted, and the pump applied it")
        self._verdict(world, who)

    def _verdict(self, world: World, who: int) -> None:
        """I4, the strong form: one undisturbed reconnection gives a final verdict; and I3: it is true."""
        tablet, pump = world.tablets[who], self.participant(world.pump)
        state = RESTART[tablet.journal]
        if state not in SETTLING:
            return
        tx, effects = self.tablet_step(Transaction(STAGES[who], state), c.Resume())
        pump = self.new_session(pump)[0]
        for effect in effects:
            if isinstance(effect, c.Send):
                _, answers = self.pump_step(pump, effect.message, SITUATION, AnyGood())
                (reply,) = [item.message for item in answers if isinstance(item, p.Answer)]
                try:
                    tx, _ = self.tablet_step(tx, c.Replied(reply))
                except c.OutOfTurn as error:
                    raise Violation("I4: a reconnection brings an answer that nobody understands") from error
        wrapped = bool(self.foreign) and pump.memory.oldest_epoch > BASE + 1
        if tx.state is State.UNRESOLVED and wrapped:
            return
        if tx.state not in c.FINAL:
            raise Violation(f"I4: a reconnection leaves {tx.state.value}")
        if (tx.state is State.COMMITTED) != bool(world.applied[who]):
            raise Violation(f"I3: a reconnection would say {tx.state.value}, which is false")

    def settled(self, world: World) -> bool:
        """Whether every transaction that has begun has its last word in the journal."""
        last = (None, Stored.COMMITTED, Stored.ABORTED, *((Stored.UNRESOLVED,) if self.foreign else ()))
        return all(tablet.journal in last for tablet in world.tablets)
