"""The memory pipe host: bytes in, bytes out, for tests and for the server alike.

`feed` takes what came over the line and gives what goes back; the same bytes whether the line is a pseudo
terminal, a TCP connection or a test's memory. The host composes wand, wire and firmware, plants the wire
faults, and carries the pump clock: start + elapsed + advanced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.virtual import alarms, physics
from drivers.virtual.breakglass import BEACON_CONTACT_MS, PAIR_CONTACT_MS, WINDOW_MS
from drivers.virtual.drift import PumpClock
from drivers.virtual.faults import WireFault, message_name
from drivers.virtual.firmware import Firmware
from drivers.virtual.pump import Arrived, Asked, Ended, Event, PumpState, Reply, Save, Tick
from drivers.virtual.schedule import NL_PER_ML
from drivers.virtual.wand import VirtualWand
from protocol import events
from protocol.framing import DELIMITER, Discarded, FrameDecoder
from protocol.link import Address, Kind, address_type
from protocol.messages import Beacon, ConfirmPattern, Device, Message
from protocol.responder import PumpConnection
from protocol.session import PairedTablet, PumpKeys

WAND_HELLO = address_type(Address.WAND, Kind.HELLO)
CONTACT_STRENGTH = 3
_ZERO = bytes([DELIMITER])
LONGEST_PIECE = 1_024
"""Bytes between two delimiters that are looked at; what is longer is noise up to the next delimiter."""


class VirtualPumpHost:
    """One virtual pump behind one virtual wand. `persist` is called before a reply that depends on it."""

    def __init__(
        self,
        pump: Firmware,
        state: PumpState,
        *,
        private: bytes,
        tablets: Mapping[str, PairedTablet],
        entropy: Callable[[int], bytes],
        now_ms: int,
        clock_ms: int,
        persist: Callable[[PumpState], None] = lambda state: None,
        card_secret: bytes | None = None,
        call_number: str = "NOT ON FILE",
    ) -> None:
        self.firmware = pump
        self.state = state
        self.persist = persist
        self._entropy = entropy
        self._clock = PumpClock.started(now_ms, clock_ms)
        keys = PumpKeys(pump.identity.serial, private, card_secret)
        self._call_number = call_number
        self._tablets = dict(tablets) | {t.tablet_id: t for t in state.paired}
        self._connection = PumpConnection(keys, self._tablets, entropy)
        self._placed_ms = clock_ms
        self._window_ends_ms = clock_ms
        self._wand = VirtualWand(f"W-{pump.identity.serial}")
        self._decoder = FrameDecoder()
        self._partial = b""
        self._noise = False
        self.fault: WireFault | None = None
        self.fired: list[str] = []
        self.dead = False
        self.unplugged = False

    def clock_ms(self, now_ms: int) -> int:
        """The pump's own clock at a monotonic instant."""
        return self._clock.at(now_ms)

    def advance(self, ms: int, now_ms: int) -> bytes:
        """Let the pump's clock jump ahead; what happens on the way happens at its own time."""
        if ms < 0:
            raise physics.PhysicsError("the pump clock does not run backwards")
        self._clock = self._clock.moved(ms)
        return self.tick(now_ms)

    def drift(self, ppm: int, now_ms: int) -> None:
        """From now on the pump's clock runs `ppm` fast (negative: slow). Raises ClockError below standstill."""
        self._clock = self._clock.running(ppm, now_ms)

    def tick(self, now_ms: int) -> bytes:
        """Handle what is due: session silence and limit, staging expiry, thresholds, ends of pauses."""
        out = b""
        for event in self._connection.handle_timeout(now_ms):
            out += self._on_event(event, now_ms)
        return out + self._step(Tick(), now_ms)

    def next_timeout(self) -> int | None:
        """Monotonic ms at which `tick` is due for the sake of the session or of a staged proposal."""
        proposal = self.state.participant.proposal
        due = [self._connection.next_timeout(), None if proposal is None else proposal.expires_ms]
        return min((t for t in due if t is not None), default=None)

    def place(self, strength: int, now_ms: int) -> None:
        """Hold the wand so that it couples with 0 (lifted) to 5; below 3 the pump counts no contact."""
        if self._wand.strength < CONTACT_STRENGTH <= strength:
            self._placed_ms = self.clock_ms(now_ms)
        self._wand.strength = strength

    def press(self, now_ms: int) -> None:
        """Somebody at the pump lets one tablet be paired; that ends by itself."""
        self._window_ends_ms = self.clock_ms(now_ms) + WINDOW_MS

    def contact_ms(self, now_ms: int) -> int:
        """For how long the wand has been in place, on the pump's clock."""
        return self.clock_ms(now_ms) - self._placed_ms if self._wand.strength >= CONTACT_STRENGTH else 0

    def window_ms(self, now_ms: int) -> int:
        """For how long a tablet may still be paired."""
        return max(0, self._window_ends_ms - self.clock_ms(now_ms))

    def _feel(self, now_ms: int) -> None:
        """What the connection needs to know of the wand and of whoever is present."""
        contact = self.contact_ms(now_ms)
        alarm = bool(self.state.alarms.active)
        beacon = Beacon(device=Device.INFUSION_PUMP, alarm=alarm, call=self._call_number)
        self._connection.beacon = beacon if contact >= BEACON_CONTACT_MS else None
        self._connection.pairing_open = contact >= PAIR_CONTACT_MS and bool(self.window_ms(now_ms))

    def act(self, event: Event, now_ms: int) -> None:
        """An act of the simulated world: needle, gain."""
        self._step(event, now_ms)

    def line_closed(self) -> None:
        """The other end of the port went away: half a frame is forgotten."""
        self._partial = b""
        self._noise = False
        self._decoder = FrameDecoder()
        self.dead = self.unplugged = False

    def feed(self, data: bytes, now_ms: int) -> bytes:
        """Take bytes from the line; the bytes that answer them."""
        out = b""
        *frames, self._partial = (self._partial + data).split(_ZERO)
        for stuffed in frames:
            if not self._noise and len(stuffed) <= LONGEST_PIECE:
                out += self._on_wire(stuffed + _ZERO, now_ms)
            self._noise = False
        if len(self._partial) > LONGEST_PIECE:
            self._partial, self._noise = b"", True
        return out

    def _on_wire(self, wire: bytes, now_ms: int) -> bytes:
        """One delimited piece of the line, with its closing zero."""
        if len(wire) == 1:
            return b""
        out = b""
        for item in self._decoder.feed(wire):
            if isinstance(item, Discarded):
                continue
            if item.address_type == WAND_HELLO:
                self.dead = False
            if self.dead:
                return b""
            out += self._wand.receive(item, self.clock_ms(now_ms) // 1000)
        if self.dead:
            return b""
        if not self._wand.strength:
            return out  # the wand is lifted: the pump hears nothing
        self._feel(now_ms)
        received = self._connection.receive_data(wire, now_ms)
        out += self._connection.data_to_send()
        name = next((message_name(type(e.message)) for e in received if isinstance(e, events.Received)), None)
        if name is not None and self._fires("tx", name, len(wire) + 1):
            return b""  # the pump never saw the whole frame, so it knows nothing of it
        for event in received:
            out += self._on_event(event, now_ms)
        return out

    def _fires(self, way: str, name: str, size: int) -> bool:
        """Whether the armed fault ends the line inside this frame; a byte beyond it leaves the fault armed."""
        fault = self.fault
        if fault is None or (fault.way, fault.message) != (way, name) or fault.byte >= size:
            return False
        self.fault = None
        self.fired.append(fault.id)
        self.dead = True
        self.unplugged = fault.id == "F-L12"
        return True

    def _on_event(self, event: events.Event, now_ms: int) -> bytes:
        match event:
            case events.TabletArrived():
                arrived = Arrived(event.tablet_id, event.handshake_hash, event.kind, event.public)
                return self._step(arrived, now_ms)
            case events.SessionEnded():
                return self._step(Ended(event.reason is events.EndReason.CLOSED), now_ms)
            case events.Received():
                size = 32 if isinstance(event.message, ConfirmPattern) else 8
                fresh, contact = self._entropy(size), self.contact_ms(now_ms)
                return self._step(Asked(event.message, fresh, contact, self.window_ms(now_ms)), now_ms)
            case _:
                return b""

    def _step(self, event: Event, now_ms: int) -> bytes:
        self.state, effects = self.firmware.step(self.state, event, now_ms, self.clock_ms(now_ms))
        self._tablets.update({tablet.tablet_id: tablet for tablet in self.state.paired})
        if self.state.session is not None and self.state.session.tried:
            self._window_ends_ms = self.clock_ms(now_ms)  # one attempt, whatever came of it
        out = b""
        for effect in effects:
            match effect:
                case Save():
                    self.persist(self.state)
                case Reply(message=message):
                    out += self._reply(message, now_ms)
        return out

    def _reply(self, message: Message, now_ms: int) -> bytes:
        byte = None if self.fault is None else self.fault.byte
        ended = self._connection.reply(message)
        wire = self._connection.data_to_send()
        if self._fires("rx", message_name(type(message)), len(wire)):
            wire = wire[:byte]
        for event in ended:
            wire += self._on_event(event, now_ms)
        return wire

    def truth(self, now_ms: int) -> dict[str, object]:
        """What is really so, for the control channel; volumes in nL."""
        clock = self.clock_ms(now_ms)
        self._step(Tick(), now_ms)
        now = physics.read(self.state.physics, clock)
        program = self.firmware.running(self.state)
        record = self.state.record
        return {
            "serial": self.firmware.identity.serial,
            "pump_time_s": clock // 1000,
            "true_reservoir_nl": now.true_nl,
            "reservoir_nl": now.model_nl,
            "true_delivered_nl": now.delivered_true // physics.TRUE_NL,
            "true_delivered_ng": now.fluid.delivered.mass // (physics.TRUE_NL * NL_PER_ML),
            "tip_ng_per_ml": now.fluid.tip_conc_ng_ml,
            "line_ng": now.fluid.in_line.mass // (physics.TRUE_NL * NL_PER_ML),
            "flow_nl_per_day": now.rate_nl_day,
            "gain_ppm": self.state.physics.gain_ppm,
            "mode": program.mode.name,
            "dose_ng_per_day": program.dose_ng_per_day,
            "concentration_ng_per_ml": program.concentration_ng_per_ml,
            "alarm_nl": program.alarm_nl,
            "epoch": self.state.participant.memory.epoch,
            "discrepancy": "NONE" if record is None else record.discrepancy.name,
            "staged": self.state.participant.proposal is not None,
            "in_session": self._connection.in_session,
            "alarms": [a.code for a in self.state.alarms.active],
            "sounding": list(alarms.sounding(self.state.alarms, clock)),
            "events": [
                {"seq": e.seq, "at_ms": e.at_ms, "code": e.code.name, "value": e.value}
                for e in self.state.log.entries[-32:]
            ],
            "contact_ms": self.contact_ms(now_ms),
            "window_ms": self.window_ms(now_ms),
            "beeps": [] if self.state.session is None else list(self.state.session.pattern),
            "tablets": sorted(self._tablets),
            "uses": [
                {"at_ms": u.at_ms, "act": u.act and u.act.name, "name": u.name, "reason": u.reason, "phone": u.phone}
                for u in self.state.uses[-8:]
            ],
            "fault": None if self.fault is None else self.fault.id,
            "fired": list(self.fired),
            "line_dead": self.dead,
        }
