"""Lines of a scenario: one in memory on virtual time, and a tap on a real port that notes what passes."""

from collections.abc import Callable, Mapping
from typing import Protocol

from drivers.pipe import Direction, Pipe
from drivers.port import Port
from drivers.virtual.host import VirtualPumpHost
from programmer.qa.transcript import Recorder
from programmer.visit.line import LineLost, NoPump, Opened, OtherCard, UnknownPump
from protocol.connection import TabletConnection
from protocol.events import EndReason, Event, PumpNotPaired, Received, SessionEnded, SessionOpened, WandFound
from protocol.link import LinkTiming
from protocol.messages import Message
from protocol.session import ImplantCard, Pairing, SessionKind, TabletKeys


class Place(Protocol):
    """The pump's end as a line in memory needs it: its host, the one clock, and whether the adapter has gone."""

    host: VirtualPumpHost
    ms: int

    def now_ms(self) -> int:
        """Milliseconds since the scenario's start."""

    def unplugged(self) -> bool:
        """Whether the adapter has just gone."""


class MemoryLine:
    """``Line`` over a pipe: time moves only when nothing lies on the line, to the next thing that is due."""

    def __init__(
        self,
        pump: Place,
        recorder: Recorder,
        keys: TabletKeys,
        pairings: Mapping[str, Pairing],
        entropy: Callable[[int], bytes],
        sent: Callable[[Message], None],
    ) -> None:
        self._pump, self._recorder, self._sent = pump, recorder, sent
        self._name = keys.tablet_id
        self._pipe = Pipe()
        self.connection = TabletConnection(keys, pairings, LinkTiming(None), entropy)
        self.gone = False

    def _turn(self) -> list[Event]:
        pump, now = self._pump, self._pump.ms
        out = self.connection.data_to_send()
        if out:
            self._put(Direction.TO_PUMP, out)
        arrived = self._pipe.read(Direction.TO_PUMP, now)
        answer = pump.host.feed(arrived, now) if arrived else b""
        if answer:
            self._put(Direction.FROM_PUMP, answer)
        if pump.unplugged() or self.gone:
            self.gone = True
            self.connection.disconnect()
            raise LineLost(EndReason.PORT_LOST)
        back = self._pipe.read(Direction.FROM_PUMP, now)
        events = self.connection.receive_data(back, now) if back else []
        if not (out or arrived or back):
            events += self._wait()
        return events

    def _wait(self) -> list[Event]:
        pump = self._pump
        due = [t for t in (self.connection.next_timeout(), pump.host.next_timeout()) if t is not None]
        pump.ms = max(pump.ms, min(due, default=pump.ms + 1))
        late = pump.host.tick(pump.ms)
        if late:
            self._put(Direction.FROM_PUMP, late)
        return self.connection.handle_timeout(pump.ms)

    def _put(self, way: Direction, data: bytes) -> None:
        self._recorder.wire(self._pump.now_ms(), "tx" if way is Direction.TO_PUMP else "rx", self._name, data)
        self._pipe.write(way, data, self._pump.ms)

    def connect(self) -> Opened:
        """Open a fresh session; raises ``LineFault``."""
        self.connection.connect(self._pump.ms)
        return self._open(UnknownPump())

    def connect_with_card(self, card: ImplantCard, kind: SessionKind) -> Opened:
        """Open a session with the card; raises ``LineFault``."""
        self.connection.connect_with_card(card, kind, self._pump.ms)
        return self._open(OtherCard())

    def _open(self, unknown: Exception) -> Opened:
        self.gone = False
        wand = None
        while True:
            for event in self._turn():
                match event:
                    case WandFound(identity):
                        wand = identity
                    case SessionOpened(pump, handshake_hash):
                        assert wand is not None
                        return Opened(wand, pump, handshake_hash)
                    case PumpNotPaired():
                        raise unknown
                    case SessionEnded():
                        raise NoPump(wand is not None)

    def exchange(self, message: Message) -> Message:
        """Send one request and give its answer; raises ``LineLost``."""
        if self.gone:
            raise LineLost(EndReason.PORT_LOST)
        number = self.connection.request(message, self._pump.ms)
        self._sent(message)
        while True:
            for event in self._turn():
                match event:
                    case Received(request_id, answer) if request_id == number:
                        return answer
                    case SessionEnded(reason):
                        raise LineLost(reason)

    def close(self) -> None:
        """Forget the session."""
        self.connection.disconnect()


class Tap:
    """A port that tells what is written and read; everything else is the port's own."""

    def __init__(self, port: Port, note: Callable[[str, bytes], None]) -> None:
        self._port, self._note = port, note

    @property
    def url(self) -> str:
        """How a person names this port."""
        return self._port.url

    def read(self, timeout_s: float) -> bytes:
        """See ``Port.read``."""
        data = self._port.read(timeout_s)
        if data:
            self._note("rx", data)
        return data

    def write(self, data: bytes) -> None:
        """See ``Port.write``."""
        self._note("tx", data)
        self._port.write(data)

    def wake(self) -> None:
        """See ``Port.wake``."""
        self._port.wake()

    def abort(self) -> None:
        """See ``Port.abort``."""
        self._port.abort()

    def close(self) -> None:
        """See ``Port.close``."""
        self._port.close()
