"""The line to a pump as a visit sees it: connect, exchange one message, close.

``PortLine`` drives a port through its own I/O thread. Each fault of the line is an exception with the sentence that
tells a person what to do; whether a request that got no answer was carried out is never guessed here.
"""

import queue
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from drivers.echo import Heard, Listener
from drivers.errors import PortError
from drivers.port import Port
from drivers.runner import CallFailed, PortLostEvent, PortRunner, RunnerFailed
from protocol.connection import TabletConnection
from protocol.errors import NotConnected
from protocol.events import (
    CouplingRead,
    EndReason,
    Event,
    PumpNotPaired,
    Received,
    SessionEnded,
    SessionOpened,
    VersionRefused,
    WandFound,
)
from protocol.link import LinkTiming
from protocol.messages import Message
from protocol.session import ImplantCard, Pairing, SessionKind, TabletKeys
from protocol.wand import Coupling, Identity

ANSWER_LIMIT_S = 20
_Fault = PortLostEvent | RunnerFailed | CallFailed


@dataclass(frozen=True, slots=True)
class _Left:
    """The bytes of a request have been given to the port (or wait for the answer to a poll that is under way)."""


class LineFault(Exception):
    """The pump cannot be reached; retrying later may help."""

    exit_code = 3


class LineLost(LineFault):
    """The answer did not come. What was asked last may or may not have been done."""

    def __init__(self, reason: EndReason) -> None:
        super().__init__(
            f"The link to the pump was lost ({reason.value}). "
            "Hold the wand over the pump, check the cable, and read the pump again."
        )
        self.reason = reason


class NoPump(LineFault):
    """Nothing answered."""

    def __init__(self, wand_answered: bool, heard: Heard | None = None) -> None:
        if wand_answered:
            where = "The wand answers, but no pump does. Move the wand over the pump and try again."
        elif heard is not None and heard.foreign:
            where = (
                "No pump answers at this speed: bytes come over this port, but none that can be read. "
                "Check the speed of the wand (as in ?baud=57600), the port and the cable, then try again."
            )
        elif heard is not None and heard.echoed:
            where = (
                "This port only returns what was sent to it. Check that the wand is plugged in at the other end of "
                "the cable and has power, then try again."
            )
        else:
            where = (
                "No wand answers on this port. Check the cable, the wand's battery, the port and its speed, "
                "then try again."
            )
        super().__init__(where)


class PortGone(LineFault):
    """The port cannot be opened again; the sentence is the port's."""


NO_TRANSFER = (
    "A clinic that the pump does not know cannot program it, not with the implant card either: call the clinic that "
    "implanted it, or have this tablet paired with the card at a clinic."
)
"""What to do where full programming by an unknown clinic is wanted, which is not offered."""


class UnknownPump(LineFault):
    """A pump answered with which this tablet is not paired; which one it is, it tells nobody else."""

    def __init__(self) -> None:
        super().__init__(
            f"The pump under the wand is not paired with this tablet. Check that it is the right pump. {NO_TRANSFER}"
        )


class OtherCard(LineFault):
    """The pump under the wand does not open to this implant card."""

    def __init__(self) -> None:
        super().__init__(
            "The pump under the wand does not open to this card. Compare the serial number on the card with the "
            "patient's papers; to pair a tablet, somebody at the pump must first allow it."
        )


class OtherVersion(LineFault):
    """The pump speaks another version of the protocol."""

    def __init__(self) -> None:
        super().__init__("The pump under the wand speaks another protocol version. Use an updated tablet.")


class OtherRealm(LineFault):
    """The pump does not confirm the realm for which it was paired."""

    def __init__(self) -> None:
        super().__init__(
            "This pump was paired as simulated and reports as real, or the other way round. "
            "Do not use it with this tablet, and report it."
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """An open session: the wand's name, what this tablet holds of the pump, the session's hash."""

    wand: Identity
    pump: Pairing | ImplantCard
    handshake_hash: bytes


def _lost(fault: _Fault) -> Exception:
    """What a fault of the I/O thread means: a lost link, unless the request never left and is itself at fault."""
    match fault:
        case PortLostEvent():
            return LineLost(EndReason.PORT_LOST)
        case CallFailed(error) if not isinstance(error, NotConnected):
            return error
        case RunnerFailed(error) | CallFailed(error):
            lost = LineLost(EndReason.LINK_LOST)
            lost.__cause__ = error
            return lost


class Line(Protocol):
    """What a visit needs of a line."""

    def connect(self) -> Opened:
        """Open a fresh session; raises ``LineFault``."""

    def exchange(self, message: Message) -> Message:
        """Send one request and give its answer; raises ``LineLost``."""

    def close(self) -> None:
        """Give the port back."""


class PortLine:
    """A line over a port, with an I/O thread of its own."""

    def __init__(
        self,
        port: Port,
        keys: TabletKeys,
        pairings: Mapping[str, Pairing],
        timing: LinkTiming,
        clock_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        notice: Callable[[Coupling | EndReason], None] = lambda _: None,
        sent: Callable[[Message], None] = lambda _: None,
        reopen: Callable[[], Port] | None = None,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        """``notice`` is told of coupling, ended sessions and a lost port; ``sent`` of requests whose bytes have left.

        ``reopen`` opens the port anew when it was lost and a session is wanted again, as after a replug; ``give_up``
        calls that off when the line is closed meanwhile.
        """
        self.connection = TabletConnection(keys, pairings, timing, entropy)
        self._notice, self._sent = notice, sent
        self._events: queue.Queue[Event | _Left | _Fault] = queue.Queue()
        self._clock_ms, self._reopen, self._give_up = clock_ms, reopen, give_up
        self._closes = 0
        self._runner = self._started(port)

    def _started(self, port: Port) -> "PortRunner[TabletConnection]":
        self._port = port
        runner = PortRunner(port, self.connection, self._clock_ms, self._take)
        runner.start()
        return runner

    def _take(self, event: object) -> None:
        if isinstance(event, CouplingRead):
            self._notice(event.coupling)
            return
        if isinstance(event, SessionEnded):
            self._notice(event.reason)
        if isinstance(event, PortLostEvent):
            self._notice(EndReason.PORT_LOST)
        self._events.put(event)  # type: ignore[arg-type]  # the runner only carries what the connection makes

    def connect(self) -> Opened:
        """Open a fresh session.

        Raises:
            LineFault: no wand, no pump, an unpaired pump, another version, a lost port.
        """
        return self._open(lambda core, now_ms: core.connect(now_ms), UnknownPump)

    def connect_with_card(self, card: ImplantCard, kind: SessionKind) -> Opened:
        """Open a session with the implant card of the pump: break-glass or pairing. Raises as ``connect``."""
        return self._open(lambda core, now_ms: core.connect_with_card(card, kind, now_ms), OtherCard)

    def _open(self, begin_with: Callable[[TabletConnection, int], None], unknown: type[LineFault]) -> Opened:
        if self._reopen is not None and not self._runner.running:
            closes = self._closes
            try:
                self._runner = self._started(self._reopen())
            except PortError as error:
                raise PortGone(str(error)) from error
            if self._closes != closes:  # closed while the port was on its way
                self._runner.stop()
        self._drain()
        wand: Identity | None = None
        before = self._heard()

        def begin(core: TabletConnection, now_ms: int) -> list[Event]:
            begin_with(core, now_ms)
            return []

        self._call(begin)
        while True:
            match self._next():
                case WandFound(identity):
                    wand = identity
                case SessionOpened(pump, handshake_hash):
                    assert wand is not None
                    return Opened(wand, pump, handshake_hash)
                case PumpNotPaired():
                    raise unknown()
                case VersionRefused():
                    raise OtherVersion
                case SessionEnded(EndReason.LINK_LOST):
                    raise NoPump(wand is not None, self._heard(before))
                case SessionEnded(reason):
                    raise LineLost(reason)
                case PortLostEvent() | RunnerFailed() | CallFailed() as fault:
                    raise _lost(fault)

    def exchange(self, message: Message) -> Message:
        """Send one request and give its answer.

        Raises:
            LineLost: no answer came; the request may or may not have been carried out.
        """
        for event in self._drain():
            if isinstance(event, SessionEnded):
                raise LineLost(event.reason)
            if isinstance(event, PortLostEvent | RunnerFailed | CallFailed):
                raise _lost(event)
        number: list[int] = []

        def ask(core: TabletConnection, now_ms: int) -> list[_Left]:
            number.append(core.request(message, now_ms))
            return [_Left()]  # the runner gives the port every byte before it posts an event

        self._call(ask)
        while True:
            match self._next():
                case _Left():
                    self._sent(message)
                case Received(request_id, answer) if number and request_id == number[0]:
                    return answer
                case SessionEnded(reason):
                    raise LineLost(reason)
                case PortLostEvent() | RunnerFailed() | CallFailed() as fault:
                    raise _lost(fault)

    def close(self) -> None:
        """Stop the I/O thread, which closes its port; a port that is being opened is given up."""
        self._closes += 1
        self._give_up()
        self._runner.stop()

    def _heard(self, before: Heard | None = None) -> Heard | None:
        """What came over the port, or what came since ``before``; None where the port cannot tell."""
        heard = self._port.heard if isinstance(self._port, Listener) else None
        return heard if heard is None or before is None else heard.since(before)

    def _call(self, work: Callable[[TabletConnection, int], Sequence[object]]) -> None:
        try:
            self._runner.call(work)
        except PortError as error:
            raise LineLost(EndReason.PORT_LOST) from error

    def _next(self) -> Event | _Left | _Fault:
        try:
            return self._events.get(timeout=ANSWER_LIMIT_S)
        except queue.Empty:
            raise LineLost(EndReason.LINK_LOST) from None

    def _drain(self) -> list[Event | _Left | _Fault]:
        events = []
        while True:
            try:
                events.append(self._events.get_nowait())
            except queue.Empty:
                return events
