"""A pump, a tablet and what lies on the line between them, as one value that can be copied at any frame.

The two connections, the virtual pump and its wand are the real ones. Entropy is counted draws, time is virtual; a copy
therefore goes on exactly as the original would. Copies share what is immutable, so that one costs little.
"""

import hashlib
from bisect import insort
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace

from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.wand import VirtualWand
from protocol import messages as m
from protocol.connection import Phase, TabletConnection
from protocol.events import Received, SessionEnded, SessionOpened
from protocol.framing import FrameDecoder
from protocol.link import LinkTiming, Primary, Secondary, _InFlight
from protocol.noise import CipherState, HandshakeState, SymmetricState
from protocol.responder import Bucket, PumpConnection, _Pending
from protocol.session import Channel, Pairing, TabletKeys
from tests.virtual.clinic import (
    CREDENTIAL,
    PHYSICIAN,
    TABLET,
    Visit,
    key,
    make_host,
    program,
    tablet_credential,
    tx_named,
    x_public,
)

TO_PUMP, TO_TABLET = 0, 1
NEW_DOSE = 115_000
AGAIN_MS = 6_000
GIVEN_UP = 5
Flight = tuple[int, int, bytes]
"""When it arrives, for whom, and the bytes."""


class Draw:
    """Entropy that can be copied: the n-th draw under a name."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(f"{self.name} {self.count}".encode()).digest(size)


class World:
    """Both ends and the line. ``script`` is what the tablet asks, each from the answers so far."""

    def __init__(self, host: VirtualPumpHost, name: str, script: str, now: int) -> None:
        self.host, self.now, self.script = host, now, script
        pairing = Pairing("VP-0007", x_public(key("pump static")), key("psk"))
        self.tablet = TabletConnection(
            TabletKeys(TABLET, key("tablet")), {"VP-0007": pairing}, LinkTiming(115_200), Draw(name)
        )
        self.flights: deque[Flight] = deque()
        self.handshake = b""
        self.answers: tuple[m.Message, ...] = ()
        self.opened = self.ended = self.tries = 0
        self.committing = False
        self.tablet.connect(now)
        self._send()

    def _send(self) -> None:
        for wire in frames_of(self.tablet.data_to_send()):
            self.later(0, TO_PUMP, wire)

    def deliver(self, way: int, wire: bytes) -> None:
        """Give bytes to one end; what it says lies on the line afterwards."""
        if way == TO_PUMP:
            for answer in frames_of(self.host.feed(wire, self.now)):
                self.later(0, TO_TABLET, answer)
            return
        self._take(self.tablet.receive_data(wire, self.now))
        self._send()

    def _take(self, events: list) -> None:
        for event in events:
            match event:
                case SessionOpened():
                    self.opened += 1
                    self.handshake = event.handshake_hash
                    self.answers = ()
                    self._ask()
                case Received():
                    self.answers += (event.message,)
                    self._ask()
                case SessionEnded():
                    self.ended += self.opened > self.ended

    def _ask(self) -> None:
        steps = SCRIPTS[self.script]
        if self.tablet.phase is Phase.OPEN and len(self.answers) < len(steps):
            message = steps[len(self.answers)](self)
            self.committing = self.committing or isinstance(message, m.Commit)
            self.tablet.request(message, self.now)

    def step(self) -> bool:
        """Deliver what arrives next, or let time pass to what is due next; false when all is quiet."""
        if self.flights and self.flights[0][0] <= self.now:
            _, way, wire = self.flights.popleft()
            self.deliver(way, wire)
            return True
        due = [self.tablet.next_timeout(), self.host.next_timeout(), self.flights[0][0] if self.flights else None]
        times = [time for time in due if time is not None]
        if times:
            self.now = max(self.now, min(times))
            for wire in frames_of(self.host.tick(self.now)):
                self.later(0, TO_TABLET, wire)
            self._take(self.tablet.handle_timeout(self.now))
            self._send()
            return True
        if not self.finished and self.tries < GIVEN_UP:
            self.tries += 1
            self.script = "recover"
            self.now += AGAIN_MS
            self.host.tick(self.now)
            self.tablet.connect(self.now)
            self._send()
            return True
        return False

    @property
    def finished(self) -> bool:
        """Whether the tablet said good-bye and was answered."""
        return bool(self.answers) and isinstance(self.answers[-1], m.Closed)

    def later(self, wait_ms: int, way: int, wire: bytes) -> None:
        """Put bytes on the line that arrive after a while."""
        insort(self.flights, (self.now + wait_ms, way, wire), key=lambda flight: flight[0])

    def run(self, most: int = 2_000) -> "World":
        """On until nothing more happens, and then a while longer."""
        for _ in range(most):
            if not self.step():
                break
        else:
            raise AssertionError("this never ends")
        self.now += 10_000
        self.host.tick(self.now)
        return self


def frames_of(data: bytes) -> list[bytes]:
    """The delimited pieces of a line, each with its closing zero."""
    return [piece + b"\x00" for piece in data.split(b"\x00") if piece]


def _commit(world: World) -> m.Message:
    status, staged, report = world.answers[0], world.answers[1], world.answers[2]
    return Visit.commit(SimpleNamespace(handshake=world.handshake), STAGE, staged, report, status, PHYSICIAN)


TXID = tx_named("the change")
STAGE = m.StageProgram(txid=TXID, base_epoch=0, program=program(NEW_DOSE), annex=bytes(32))
OTHER = m.StageProgram(txid=tx_named("given up"), base_epoch=0, program=program(105_000), annex=bytes(32))
Asker = Callable[[World], m.Message]
SCRIPTS: dict[str, tuple[Asker, ...]] = {
    "change": (
        lambda w: m.GetStatus(),
        lambda w: STAGE,
        lambda w: m.ReadBack(txid=TXID),
        lambda w: m.Present(position=2, credential=tablet_credential(w.answers[0].pump_time_s)),
        lambda w: m.Present(position=0, credential=CREDENTIAL[PHYSICIAN]),
        _commit,
        lambda w: m.Query(txid=TXID, base_epoch=0),
        lambda w: m.Anchor(nonce=key("nonce")[:16]),
        lambda w: m.GetEvents(cursor=0),
        lambda w: m.Close(requests=len(w.answers) + 1),
    ),
    "given up": (
        lambda w: m.GetStatus(),
        lambda w: OTHER,
        lambda w: m.ReadBack(txid=OTHER.txid),
        lambda w: m.Present(position=2, credential=tablet_credential(w.answers[0].pump_time_s)),
        lambda w: m.Present(position=0, credential=CREDENTIAL[PHYSICIAN]),
        lambda w: m.Abort(txid=OTHER.txid),
        lambda w: m.Anchor(nonce=key("other nonce")[:16]),
        lambda w: m.Close(requests=len(w.answers) + 1),
    ),
    "recover": (
        lambda w: m.GetStatus(),
        lambda w: m.Query(txid=TXID, base_epoch=0),
        lambda w: m.Close(requests=len(w.answers) + 1),
    ),
}


def fresh_host(name: str = "pump") -> VirtualPumpHost:
    """A pump as it was made, with entropy that can be copied."""
    made = make_host()
    made._entropy = made._connection._entropy = Draw(name)
    return made


_COPIED = {
    World, Draw, VirtualPumpHost, PumpConnection, TabletConnection, FrameDecoder, Secondary, Primary, _InFlight,
    Channel, CipherState, Bucket, VirtualWand, HandshakeState, SymmetricState, _Pending,
}  # fmt: skip
_NAMES: dict[type, tuple[str, ...]] = {}


def _names(thing: object) -> tuple[str, ...]:
    kind = type(thing)
    if kind not in _NAMES:
        slots = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
        _NAMES[kind] = tuple(slots) or tuple(vars(thing))
    return _NAMES[kind]


def copied(thing, memo=None):
    """The same world once more: what changes is copied, what cannot change is shared."""
    kind = type(thing)
    if kind in (list, deque):
        return kind(thing)
    if kind is dict:
        return dict(thing)
    if kind is bytearray:
        return bytearray(thing)
    if kind not in _COPIED:
        return thing
    memo = {} if memo is None else memo
    if id(thing) not in memo:
        memo[id(thing)] = made = object.__new__(kind)
        for name in _names(thing):
            object.__setattr__(made, name, copied(getattr(thing, name), memo))
    return memo[id(thing)]


def facts(thing):
    """All of a world in one tuple; two worlds with equal facts go on alike."""
    kind = type(thing)
    if kind in (list, deque):
        return tuple(thing)
    if kind is bytearray:
        return bytes(thing)
    if kind not in _COPIED:
        return thing
    return tuple(facts(getattr(thing, name)) for name in _names(thing))
