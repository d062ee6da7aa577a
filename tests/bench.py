"""A whole desk in memory: the tablet's shell on one end, the virtual pump on the other, bytes in between.

Time is virtual, every draw comes from a named stream, and the only thing that joins the two sides is a ``Pipe``.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from drivers.pipe import Direction, Pipe
from drivers.virtual.firmware import Firmware, PumpState
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.provision import InitialProgram, Provision, Tablet
from programmer.audit.log import AuditLog, Draft, MemoryLogStore, Stamp
from programmer.audit.note import ED25519, VKey
from programmer.visit.credentials import Credentials
from programmer.visit.desk import Desk, PumpOnFile
from programmer.visit.journal import Journal
from programmer.visit.line import LineLost, NoPump, Opened
from programmer.visit.proposal import Annex, DoseProposal, RefillProposal
from programmer.visit.shell import VisitShell
from protocol.connection import TabletConnection
from protocol.events import Event, Received, SessionEnded, SessionOpened, WandFound
from protocol.link import LinkTiming
from protocol.messages import Discrepancy, Drug, Message, Mode, Program, Role
from protocol.session import Pairing, TabletKeys
from tests.credentials import ROOT, clinician, tablets
from tests.visit.disk import Disk, Inode

START_S = 1_795_424_400  # 2026-11-23T09:00:00Z
ORIGIN = "clinic.example/sim/pumplog/T-0042/1"
SERIAL, TABLET_ID, OTHER_ID = "VP-000421", "T-0042", "T-0043"
PATIENT, TAG = "7d" * 16, "a5" * 16
PUMP_PRIVATE, TABLET_PRIVATE, PSK, RECEIPT = (bytes([n]) * 32 for n in (0x21, 0x22, 0x23, 0x24))


def public_x25519(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def public_ed25519(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def stream(name: str) -> Callable[[int], bytes]:
    count = [0]

    def draw(size: int) -> bytes:
        count[0] += 1
        return hashlib.shake_256(f"{name} {count[0]}".encode()).digest(size)

    return draw


@dataclass(frozen=True)
class TestSigner:
    """A person or the device, with a key that only tests have."""

    __test__ = False
    name: str
    role: str
    seed: bytes

    @property
    def public_key(self) -> bytes:
        return public_ed25519(self.seed)

    @property
    def vkey(self) -> str:
        return str(VKey(self.name, ED25519, self.public_key))

    @property
    def key_id(self) -> str:
        return VKey(self.name, ED25519, self.public_key).id

    def sign(self, data: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


DOCTOR = TestSigner("clinic.example/sim/staff/dr-a", "prescriber", b"\x31" * 32)
NURSE = TestSigner("clinic.example/sim/staff/rn-b", "refill-nurse", b"\x32" * 32)
DEVICE = TestSigner(ORIGIN, "device", b"\x33" * 32)


SECOND = TestSigner("clinic.example/sim/staff/dr-c", "prescriber", b"\x34" * 32)
PRIVATE = {TABLET_ID: TABLET_PRIVATE, OTHER_ID: b"\x25" * 32}
PSKS = {TABLET_ID: PSK, OTHER_ID: b"\x26" * 32}
PEOPLE = (
    clinician(DOCTOR.public_key, Role.PRESCRIBER, name="dr-a"),
    clinician(NURSE.public_key, Role.REFILL_NURSE, name="rn-b"),
    clinician(SECOND.public_key, Role.PRESCRIBER, name="dr-c"),
)


def credentials_of(tablet_id: str) -> Credentials:
    """What a tablet of this clinic shows to pumps."""
    return Credentials.of([*PEOPLE, *tablets(tablet_id, public_x25519(PRIVATE[tablet_id]), START_S)])


def provision(dose_ng: int = 100_000, fill_nl: int = 20_000_000, two_persons: tuple[str, ...] = ()) -> Provision:
    return Provision.model_validate(
        {
            "schema": 2,
            "realm": "simulated",
            "serial": SERIAL,
            "profile": "child-20",
            "static_private": PUMP_PRIVATE.hex(),
            "receipt_seed": RECEIPT.hex(),
            "patient_tag": "5a" * 8,
            "tablets": [
                Tablet(id=name, public=public_x25519(private).hex(), psk=PSKS[name].hex())
                for name, private in PRIVATE.items()
            ],
            "roots": [public_ed25519(ROOT).hex()],
            "two_persons": list(two_persons),
            "program": InitialProgram(dose_ng_per_day=dose_ng, concentration_ng_per_ml=500_000, alarm_nl=2_000_000),
            "fill_nl": fill_nl,
            "start_s": START_S,
        }
    )


@dataclass
class Clock:
    """The one monotonic clock of a bench, in milliseconds."""

    ms: int = 1_000


class PumpEnd:
    """The virtual pump at its end of the pipe."""

    def __init__(
        self,
        clock: Clock,
        dose_ng: int = 100_000,
        fill_nl: int = 20_000_000,
        days: int = 14,
        two_persons: tuple[str, ...] = (),
    ) -> None:
        made = provision(dose_ng, fill_nl, two_persons)
        firmware = Firmware(made.identity())
        start_ms = START_S * 1_000
        state = firmware.manufacture(clock_ms=start_ms, program=made.first_program(), fill_nl=made.fill_nl)
        self.clock = clock
        self.host = VirtualPumpHost(
            firmware,
            state,
            private=PUMP_PRIVATE,
            tablets=made.paired(),
            entropy=stream("pump"),
            now_ms=clock.ms,
            clock_ms=start_ms,
        )
        self.host.advance(days * 86_400_000, clock.ms)

    @property
    def state(self) -> PumpState:
        return self.host.state

    def running(self) -> Program:
        return self.host.firmware.running(self.host.state)


class BenchLine:
    """``Line`` over a pipe to a virtual pump, on virtual time."""

    def __init__(self, pump: PumpEnd, pipe: Pipe, entropy: Callable[[int], bytes], tablet_id: str = TABLET_ID) -> None:
        self.pump, self.pipe, self.clock = pump, pipe, pump.clock
        pairing = Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSKS[tablet_id])
        self.connection = TabletConnection(
            TabletKeys(tablet_id, PRIVATE[tablet_id]), {SERIAL: pairing}, LinkTiming(None), entropy
        )

    def _turn(self) -> list[Event]:
        """Carry what lies on the line; if nothing does, let time pass to the next thing that is due."""
        now = self.clock.ms
        out = self.connection.data_to_send()
        if out:
            self.pipe.write(Direction.TO_PUMP, out, now)
        arrived = self.pipe.read(Direction.TO_PUMP, now)
        answer = self.pump.host.feed(arrived, now) if arrived else b""
        if answer:
            self.pipe.write(Direction.FROM_PUMP, answer, now)
        back = self.pipe.read(Direction.FROM_PUMP, now)
        events = self.connection.receive_data(back, now) if back else []
        if not (out or arrived or back):
            due = [t for t in (self.connection.next_timeout(), self.pump.host.next_timeout()) if t is not None]
            self.clock.ms = max(self.clock.ms, min(due))
            self.pump.host.tick(self.clock.ms)
            events += self.connection.handle_timeout(self.clock.ms)
        return events

    def connect(self) -> Opened:
        self.connection.connect(self.clock.ms)
        wand = None
        while True:
            for event in self._turn():
                match event:
                    case WandFound(identity):
                        wand = identity
                    case SessionOpened(pump, handshake_hash):
                        assert wand is not None
                        return Opened(wand, pump, handshake_hash)
                    case SessionEnded():
                        raise NoPump(wand is not None)

    def exchange(self, message: Message) -> Message:
        number = self.connection.request(message, self.clock.ms)
        while True:
            for event in self._turn():
                match event:
                    case Received(request_id, answer) if request_id == number:
                        return answer
                    case SessionEnded(reason):
                        raise LineLost(reason)

    def idle(self, ms: int) -> None:
        """Let time pass with nobody asking anything."""
        until = self.clock.ms + ms
        while self.clock.ms < until:
            self._turn()

    def close(self) -> None:
        self.connection.disconnect()


class OpenIntents:
    """The one question that a visit asks of the store, answered from the log itself."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def open_intents(self) -> list[Any]:
        """Intents without a final outcome."""
        open_: dict[str, Any] = {}
        for entry in self._log.entries():
            if entry.type == "change.intent":
                open_[entry.body["txid"]] = SimpleNamespace(txid=entry.body["txid"])
            elif entry.type == "change.outcome" and entry.body["verdict"] != "in_doubt":
                open_.pop(entry.body["txid"], None)
        return list(open_.values())


def stamps() -> Callable[[], Stamp]:
    count = [0]

    def stamp() -> Stamp:
        count[0] += 1
        return Stamp(
            f"2026-12-07T09:{count[0] // 60 % 60:02d}:{count[0] % 60:02d}.000000Z", "3f" * 16, count[0] * 10**6
        )

    return stamp


@dataclass
class Bench:
    """Pump, pipe, disk and log; ``shell`` starts a tablet, and again after a restart."""

    dose_ng: int = 100_000
    fill_nl: int = 20_000_000
    days: int = 14
    clock: Clock = field(default_factory=Clock)
    pipe: Pipe = field(default_factory=Pipe)
    disk: Disk = field(default_factory=Disk)
    log_store: MemoryLogStore = field(default_factory=MemoryLogStore)
    probe: Callable[[str], None] = lambda _: None
    key: tuple[bytes, str] | None = (b"\x41" * 32, "908e40c8")
    two_persons: tuple[str, ...] = ()
    tablet_id: str = TABLET_ID
    peers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.pump = PumpEnd(self.clock, self.dose_ng, self.fill_nl, self.days, self.two_persons)
        self._stamp = stamps()
        self.starts = 0
        log = self._log()
        log.create((), (), 0, "new")
        for peer in self.peers:
            log.append(Draft("pump.paired", {"tablet": peer, "credential": "on file"}, DOCTOR, patient=PATIENT))

    def _log(self) -> AuditLog:
        return AuditLog(
            self.log_store,
            origin=ORIGIN,
            realm="simulated",
            device=DEVICE,
            stamp=self._stamp,
            policy="1",
            software="0.1.0",
        )

    def shell(self) -> VisitShell:
        """A tablet that starts now, with what is durable."""
        self.starts += 1
        log = self._log()
        desk = Desk(
            line=BenchLine(self.pump, self.pipe, stream(f"{self.tablet_id} {self.starts}"), self.tablet_id),
            journal=Journal.open(Path("/j/journal"), self.disk),
            log=log,
            store=OpenIntents(log),  # type: ignore[arg-type]  # a visit asks only for open intents
            device=DEVICE,
            pumps={SERIAL: PumpOnFile(SERIAL, public_ed25519(RECEIPT), PATIENT, TAG)},
            clock_ms=lambda: self.clock.ms,
            utc=lambda: "2026-12-07T09:00:00Z",
            entropy=stream(f"visit {self.tablet_id} {self.starts}"),
            probe=self.probe,
            tablet=self.tablet_id,
            credentials=credentials_of(self.tablet_id),
        )
        shell = VisitShell(desk)
        if self.key is not None:
            shell.unlock_patient(PATIENT, *self.key)
        return shell

    def power_off(self) -> None:
        """The tablet's power fails: what was not made durable is gone, the journal's lock too."""
        kept = {
            path: Inode(bytearray(node.durable), bytearray(node.durable))
            for path, node in self.disk.durable_names.items()
        }
        self.disk = Disk(names=kept, durable_names=dict(kept))


def dose(ng_per_day: int) -> DoseProposal:
    """A proposal of a simple-continuous dose at 500 mcg/mL."""
    program = Program(
        mode=Mode.SIMPLE,
        dose_ng_per_day=ng_per_day,
        concentration_ng_per_ml=500_000,
        alarm_nl=2_000_000,
        drug=Drug.BACLOFEN,
    )
    return DoseProposal(program, Annex("baclofen 2026-10"))


def refill(reservoir_nl: int = 20_000_000, discrepancy: Discrepancy = Discrepancy.NONE) -> RefillProposal:
    """A proposal of a refill to ``reservoir_nl``."""
    return RefillProposal(reservoir_nl, 4_600_000, 5_000_000, reservoir_nl, discrepancy, Annex("baclofen 2026-10"))
