"""The pump of a scenario: in memory on virtual time, or a process of its own behind a socket or a pseudo terminal.

Both take the control channel's words, give lines to tablets, can be restarted, and show their whole memory to judges.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from drivers.address import parse_address
from drivers.serial_port import open_port
from drivers.virtual import state as state_file
from drivers.virtual.control import ControlError, obey
from drivers.virtual.firmware import Firmware
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.provision import Provision
from drivers.virtual.pump import PumpState
from programmer.qa.pump_process import PumpProcess, PumpProcessFailed
from programmer.qa.transcript import Recorder
from programmer.qa.world import SERIAL, TABLETS, Clinic, stream
from programmer.qa.world_line import MemoryLine, Tap
from programmer.visit.line import Line, PortLine
from protocol.link import LinkTiming
from protocol.messages import Message
from protocol.session import ImplantCard, SessionKind, TabletKeys

DAY_S = 86_400
MOMENT_MS = 1_000


class CardLine(Line, Protocol):
    """A line that can be opened with the implant card too."""

    def connect_with_card(self, card: ImplantCard, kind: SessionKind) -> Any:
        """Open a session with the card; raises ``LineFault``."""


class ControlRefused(Exception):
    """The virtual pump refused a word of the control channel."""

    exit_code = 1


class WorldPump(Protocol):
    """What a scenario needs of a pump."""

    fired: list[str]

    def now_ms(self) -> int:
        """Milliseconds since the scenario's start, time that was skipped included."""

    def control(self, op: str, **fields: Any) -> dict[str, Any]:
        """A word of the control channel. Raises ``ControlRefused``."""

    def advance(self, ms: int) -> None:
        """Let time pass for pump and tablets alike."""

    def line(self, tablet: str, sent: Callable[[Message], None], *, paired: bool = True) -> CardLine:
        """A line from this tablet to the pump."""

    def restart(self) -> None:
        """Power off and on; memory stays."""

    def memory(self) -> PumpState:
        """Everything the pump holds, settled to now."""

    def close(self) -> None:
        """End it."""


class MemoryPump:
    """The firmware in this process, on virtual time: the same seed gives the same bytes."""

    def __init__(self, clinic: Clinic, recorder: Recorder) -> None:
        self._clinic, self._recorder = clinic, recorder
        self._made = clinic.provision()
        self._firmware = Firmware(self._made.identity())
        self.ms = MOMENT_MS
        self.skipped_ms = 0
        self.fired: list[str] = []
        self._boots = self._lines = 0
        start_ms = clinic.start_s * 1_000
        state = self._firmware.manufacture(
            clock_ms=start_ms, program=self._made.first_program(), fill_nl=self._made.fill_nl
        )
        self._open: list[MemoryLine] = []
        self.host = self._host(state, start_ms)

    def _host(self, state: PumpState, clock_ms: int) -> VirtualPumpHost:
        self._boots += 1
        return VirtualPumpHost(
            self._firmware,
            state,
            private=bytes.fromhex(self._made.static_private),
            tablets=self._made.paired(),
            entropy=stream(self._clinic.seed, f"crypto/pump/{self._boots}"),
            now_ms=self.ms,
            clock_ms=clock_ms,
            card_secret=bytes.fromhex(self._made.card_secret or ""),
            call_number=self._made.call_number,
        )

    def now_ms(self) -> int:
        """See ``WorldPump``."""
        return self.ms - MOMENT_MS + self.skipped_ms

    def control(self, op: str, **fields: Any) -> dict[str, Any]:
        """See ``WorldPump``."""
        try:
            answer = obey(self.host, json.dumps({"op": op, **fields}).encode(), self.ms)
        except ControlError as error:
            raise ControlRefused(f"The virtual pump refused '{op}': {error}") from error
        if op != "status":
            self._recorder.add(self.now_ms(), "-", "control", op, fields=fields)
        self.unplugged()
        return answer

    def unplugged(self) -> bool:
        """Whether the adapter has just gone; every line that was open is lost with it."""
        if not self.host.unplugged:
            return False
        self.host.line_closed()
        for line in self._open:
            line.gone = True
        return True

    def advance(self, ms: int) -> None:
        """See ``WorldPump``."""
        self.control("advance", seconds=ms // 1_000)
        self.skipped_ms += ms // 1_000 * 1_000

    def line(self, tablet: str, sent: Callable[[Message], None], *, paired: bool = True) -> CardLine:
        """See ``WorldPump``."""
        self._lines += 1
        line = MemoryLine(
            self,
            self._recorder,
            TabletKeys(TABLETS[tablet], self._clinic.noise[tablet]),
            {SERIAL: self._clinic.pairing(tablet)} if paired else {},
            stream(self._clinic.seed, f"crypto/{tablet}/{self._lines}"),
            sent,
        )
        self._open.append(line)
        return line

    def restart(self) -> None:
        """See ``WorldPump``."""
        self.fired += self.host.fired
        saved = self._saved()
        staged = None if saved.staged is None else bytes.fromhex(saved.staged)
        again = state_file.StateFile.model_validate_json(saved.model_dump_json(by_alias=True))
        state = self._firmware.boot(again.state(self._made.identity().profile), saved.clock_ms, staged)
        self.host = self._host(state, saved.clock_ms)

    def _saved(self) -> state_file.StateFile:
        clock = self.host.clock_ms(self.ms)
        profile = self._made.identity().profile
        return state_file.capture(
            self.host.state, provision=self._made, profile=profile, seed=None, clock_ms=clock, wall_ms=clock
        )

    def memory(self) -> PumpState:
        """See ``WorldPump``."""
        self.host.truth(self.ms)
        return self.host.state

    def close(self) -> None:
        """See ``WorldPump``."""


class ProcessPump:
    """The virtual pump as a process, over ``tcp`` or ``pty``; time is real, and what is skipped is added to it."""

    def __init__(self, clinic: Clinic, recorder: Recorder, folder: Path, via: str) -> None:
        self._clinic, self._recorder = clinic, recorder
        self._made: Provision = clinic.provision()
        self._provision, self._state = folder / "provision.json", folder / "state.json"
        self._provision.touch(mode=0o600)
        self._provision.write_text(self._made.model_dump_json(by_alias=True), encoding="utf-8")
        self._listen = "pty" if via == "pty" else "tcp:127.0.0.1:0"
        self._process = PumpProcess.start(self._provision, self._state, self._listen)
        self._began = _monotonic_ms()
        self._skipped_ms = 0
        self.fired: list[str] = []
        self._lines = 0

    def now_ms(self) -> int:
        """See ``WorldPump``."""
        return _monotonic_ms() - self._began + self._skipped_ms

    def control(self, op: str, **fields: Any) -> dict[str, Any]:
        """See ``WorldPump``."""
        if op != "status":
            self._recorder.add(self.now_ms(), "-", "control", op, fields=fields)
        try:
            return self._process.control.send(op, **fields)
        except PumpProcessFailed as error:
            raise ControlRefused(str(error)) from error

    def advance(self, ms: int) -> None:
        """See ``WorldPump``."""
        self.control("advance", seconds=ms // 1_000)
        self._skipped_ms += ms // 1_000 * 1_000

    def line(self, tablet: str, sent: Callable[[Message], None], *, paired: bool = True) -> CardLine:
        """See ``WorldPump``."""
        self._lines += 1

        def port() -> Tap:
            name = str(self.control("status")["wand"])
            return Tap(open_port(name), lambda way, data: self._recorder.wire(self.now_ms(), way, tablet, data))

        return PortLine(
            port(),
            TabletKeys(TABLETS[tablet], self._clinic.noise[tablet]),
            {SERIAL: self._clinic.pairing(tablet)} if paired else {},
            LinkTiming(parse_address(self._process.wand).timing_baud),
            _monotonic_ms,
            stream(self._clinic.seed, f"crypto/{tablet}/{self._lines}"),
            sent=sent,
            reopen=port,
        )

    def restart(self) -> None:
        """See ``WorldPump``."""
        self.fired += self.control("status")["fired"]
        self._process.stop()
        self._process = PumpProcess.start(self._provision, self._state, self._listen)

    def memory(self) -> PumpState:
        """See ``WorldPump``."""
        self.control("save")
        saved = state_file.load(self._state)
        assert saved is not None
        identity = self._made.identity()
        return Firmware(identity).boot(saved.state(identity.profile), saved.clock_ms)

    def close(self) -> None:
        """See ``WorldPump``."""
        self._process.stop()


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
