"""The least tablet that makes a whole change: the real connection, visit machine and journal records, no shell.

It asks what ``VisitShell`` asks, in the same order (a test compares them), but as a state machine without a call stack,
so that it can be copied in the middle. Its journal is a tuple of records: an append is durable when it returns.
"""

import hashlib

from programmer.visit import machine
from programmer.visit.machine import Check, Phase, Propose, PumpRead, Reading, Visit, Wire, Word
from programmer.visit.unfinished import pack, unfinished
from protocol import coordinator
from protocol.connection import TabletConnection
from protocol.coordinator import FINAL, Effect, Persist, State, Stored
from protocol.credential import credential_digest
from protocol.events import Event, Received, SessionEnded, SessionOpened, WandFound
from protocol.link import LinkTiming
from protocol.messages import (
    Anchor,
    Anchored,
    Close,
    Commit,
    Committed,
    GetStatus,
    Message,
    Present,
    Presented,
    Realm,
    Status,
)
from protocol.order import Content, Order, receipt_of, verifies
from protocol.session import Pairing, TabletKeys
from tests.bench import (
    DOCTOR,
    PSKS,
    PUMP_PRIVATE,
    RECEIPT,
    SERIAL,
    TABLET_ID,
    TABLET_PRIVATE,
    credentials_of,
    dose,
    public_ed25519,
    public_x25519,
)
from tests.grids.fork import changeable

OLD, NEW = 100_000, 115_000
HEAD = b"\x48" * 16
DOCTOR_KEY, RECEIPT_KEY = DOCTOR.public_key, public_ed25519(RECEIPT)
PAIRING = Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSKS[TABLET_ID])
CREDENTIALS = credentials_of(TABLET_ID)
SHOWN = CREDENTIALS.people[DOCTOR_KEY]

CHANGE = ("settle", "read", "anchor", "anchor", "check", "present", "sign", "read")
"""A whole dose change in a new session, and the reading that verifies it."""
RECOVERY = ("settle", "read")
"""The next reading: what is open is settled first."""
INTRODUCTION = ("read", "show tablet", "show person", "close")
"""An earlier visit, in which the pump verified the credentials."""


class TabletCrash(Exception):
    """The tablet's power went away."""


@changeable
class Draws:
    """A named stream of bytes that can be copied."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(f"{self.name} {self.count}".encode()).digest(size)


@changeable
class Pilot:
    """One start of the tablet, with what an earlier one left in the journal."""

    def __init__(self, start: int, written: tuple[tuple[tuple[str, object], ...], ...] = ()) -> None:
        self.start, self.dose = start, NEW
        self.draws = Draws(f"tablet {start}")
        self.connection = TabletConnection(
            TabletKeys(TABLET_ID, TABLET_PRIVATE), {SERIAL: PAIRING}, LinkTiming(None), self.draws
        )
        self.written = written
        self.crash_at: int | None = None
        """Steps of the journal that pass before the power goes: 2n is before append n, 2n + 1 after it."""
        self.visit = Visit()
        self.plan: tuple[str, ...] = ()
        self.asked: tuple[int, bool] | None = None
        self.session_hash = b""
        self.ended = True
        self.lost = False
        self.commits = 0
        self.steps = 0
        self.now = 0

    @property
    def journal(self) -> list[dict[str, object]]:
        """The records that are durable."""
        return [dict(record) for record in self.written]

    @property
    def word(self) -> Word | None:
        """The tool's word on the change."""
        return self.visit.word

    @property
    def open(self) -> list[bytes]:
        """Changes in the journal without an end."""
        return [item.transaction.txid for item in unfinished(self.journal)]

    def begin(self, plan: tuple[str, ...], now: int) -> None:
        """Open a fresh session and go through ``plan`` in it."""
        self.plan, self.asked, self.now = plan, None, now
        self.ended = self.lost = False
        self.connection.connect(now)

    def take(self, events: list[Event], now: int) -> None:
        """Go on with what came over the line."""
        self.now = now
        for event in events:
            match event:
                case WandFound():
                    pass
                case SessionOpened(_, handshake_hash):
                    self.session_hash = handshake_hash
                    self._go_on()
                case Received(number, message) if self.asked is not None and number == self.asked[0]:
                    wire, self.asked = self.asked[1], None
                    self._answered(message, wire)
                case SessionEnded() if self.ended:
                    pass
                case _:
                    self._lose()

    def _lose(self) -> None:
        self.lost, self.asked = True, None
        tx = self.visit.transaction
        if tx is not None and tx.state not in FINAL:
            self._wire(coordinator.LinkLost())
        self.ended = True

    def _answered(self, message: Message, wire: bool) -> None:
        if wire:
            if isinstance(message, Committed) and not self._receipt_holds(message):
                raise AssertionError("a receipt that does not hold")
            self._wire(coordinator.Replied(message))
            tx = self.visit.transaction
            assert tx is not None
            if tx.state in FINAL:
                self._append({"type": "closed", "txid": tx.txid.hex()})
            if tx.state is State.ABORTED:
                self.plan = tuple(step for step in self.plan if step == "read")
        elif isinstance(message, Status):
            self._step(PumpRead(Reading(message, self.now)))
        elif isinstance(message, Anchored):
            assert message.epoch == self._status().epoch
            assert len(message.signature) == 64
        else:
            assert isinstance(message, Presented) or self.plan == (), message
        if self.asked is None:
            self._go_on()

    def _go_on(self) -> None:
        while self.asked is None and not self.ended:
            if not self.plan:
                self.ended = True
                return
            name, *rest = self.plan
            self.plan = tuple(rest)
            getattr(self, "_" + name.replace(" ", "_"))()

    def _settle(self) -> None:
        for item in unfinished(self.journal):
            own, tx = self.visit.transaction, item.transaction
            if tx.state in FINAL:
                self.visit = Visit(transaction=tx)
                self._append({"type": "closed", "txid": tx.txid.hex()})
            else:
                if own is None or own.txid != tx.txid:
                    self.visit = Visit(transaction=tx)
                self._wire(coordinator.Resume())
                return

    def _read(self) -> None:
        self._ask(GetStatus(), False)

    def _anchor(self) -> None:
        self._ask(Anchor(nonce=self.draws(16)), False)

    def _check(self) -> None:
        self._step(Propose(dose(self.dose)))
        self._step(Check(self._status().pump_time_s.to_bytes(4, "big") + self.draws(12)))

    def _present(self) -> None:
        assert self.visit.phase is Phase.REVIEW, (self.visit.phase, self.visit.mismatch)
        self._ask(Present(position=0, credential=credential_digest(SHOWN)), False)

    def _show_tablet(self) -> None:
        own = CREDENTIALS.tablet_at(self._status().pump_time_s)
        assert own is not None
        self._ask(Present(position=2, credential=own), False)

    def _show_person(self) -> None:
        self._ask(Present(position=0, credential=SHOWN), False)

    def _close(self) -> None:
        self._ask(Close(requests=4), False)

    def _sign(self) -> None:
        signature = DOCTOR.sign(self.order().bytes_for(0, DOCTOR_KEY))
        self._wire(coordinator.Signed(HEAD, (signature,)))

    def order(self) -> Order:
        """The order that is signed: what the pump read back, in this session."""
        tx = self.visit.transaction
        assert tx is not None
        assert tx.staged is not None
        assert tx.read_back is not None
        return Order(
            Realm.SIMULATED,
            SERIAL,
            tx.txid,
            tx.staged.token,
            Content.of(tx.stage, self._status().program),
            tx.read_back.previous_digest,
            tx.stage.base_epoch + 1,
            tx.stage.annex,
            tx.read_back.staged_at_s,
            self.session_hash,
            HEAD,
        )

    def _receipt_holds(self, committed: Committed) -> bool:
        tx = self.visit.transaction
        assert tx is not None
        assert tx.commit is not None
        receipt = receipt_of(committed, Realm.SIMULATED, SERIAL, tx.commit.signatures)
        fits = (committed.digest, committed.epoch) == (tx.commit.digest, tx.stage.base_epoch + 1)
        return fits and verifies(RECEIPT_KEY, receipt.encode(), committed.receipt)

    def _wire(self, event: coordinator.Event) -> None:
        self._step(Wire(event))

    def _step(self, event: machine.Event) -> None:
        self.visit, effects = machine.step(self.visit, event)
        for effect in effects:
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Persist):
            self._persist(effect.record)
        else:
            self._ask(effect.message, True)

    def _persist(self, record: Stored) -> None:
        tx = self.visit.transaction
        assert tx is not None
        data: dict[str, object] = {"type": record.value, "txid": tx.txid.hex(), "utc": "2026-12-07T09:00:00Z"}
        if record is Stored.STAGING:
            data |= {"stage": pack(tx.stage), "serial": SERIAL, "patient": "p", "kind": "dose", "author": "a"}
            data |= {"was_ng_per_day": self._status().dose_ng_per_day}
        if tx.commit is not None:
            data["commit"] = pack(tx.commit)
        if tx.committed is not None:
            data["committed"] = pack(tx.committed)
        self._append(data)

    def _append(self, record: dict[str, object]) -> None:
        for after in (False, True):
            if self.crash_at == self.steps:
                raise TabletCrash
            self.steps += 1
            if not after:
                self.written = (*self.written, tuple(record.items()))

    def _ask(self, message: Message, wire: bool) -> None:
        if isinstance(message, Commit):
            self.commits += 1
            last = self.journal[-1]
            assert (last["type"], last["txid"]) == ("intent", message.txid.hex()), "the intent is durable before"
        self.asked = (self.connection.request(message, self.now), wire)

    def _status(self) -> Status:
        assert self.visit.reading is not None
        return self.visit.reading.status
