"""The shell around the visit machine: it alone talks to the line, the journal and the log, in the order that is safe.

Order of writes for a change: journal ``staging``, STAGE, READ_BACK; the person signs; log ``change.intent``; journal
``intent``; COMMIT; journal verdict; log ``change.outcome``; journal ``closed``. Whatever fails before COMMIT means that
none leaves. ``probe`` is told each point that is passed; tests end the process there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from programmer.audit.log import AuditLog, Draft, LogError, Signer
from programmer.records.errors import StoreError
from programmer.records.store import Store
from programmer.visit import logbook
from programmer.visit.journal import Journal, JournalError
from programmer.visit.line import Line, LineFault, LineLost, Opened
from programmer.visit.logbook import PumpState, RefillFacts, SignedChange, Subject
from programmer.visit.machine import (
    Check,
    Event,
    Injected,
    Leaving,
    NotNow,
    Phase,
    Propose,
    PumpRead,
    Reading,
    Visit,
    Wire,
    Withdraw,
    lock,
    step,
)
from programmer.visit.proposal import Proposal, RefillProposal
from programmer.visit.unfinished import NotWritten, Unfinished, not_written, open_records, pack, unfinished
from protocol import coordinator
from protocol.coordinator import FINAL, OutOfTurn, Persist, Send, State, Stored, Transaction
from protocol.errors import ProtocolError
from protocol.events import EndReason
from protocol.messages import (
    Close,
    Committed,
    Events,
    GetEvents,
    GetStatus,
    Message,
    Present,
    Presented,
    Realm,
    Refused,
    SilenceAlarm,
    Silenced,
    Status,
)
from protocol.order import CHAIN_START, Content, Order, receipt_of, verifies

UNSETTLED = frozenset({State.DANGLING, State.IN_DOUBT, State.UNRESOLVED})
_VERDICT = {State.COMMITTED: Stored.COMMITTED, State.ABORTED: Stored.ABORTED}


class Person(Signer, Protocol):
    """A signer who can sign orders too."""

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""


@dataclass(frozen=True, slots=True)
class PumpOnFile:
    """A pump that this tablet is paired with, and its patient."""

    serial: str
    receipt_key: bytes
    patient: str
    tag: str


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a visit works with; handed in, so that a test can hand in its own."""

    line: Line
    journal: Journal
    log: AuditLog
    store: Store
    device: Signer
    pumps: dict[str, PumpOnFile]
    clock_ms: Callable[[], int]
    utc: Callable[[], str]
    entropy: Callable[[int], bytes]
    probe: Callable[[str], None] = lambda _: None


class PumpRefused(Exception):
    """The pump did not take the proposal; nothing has changed."""

    exit_code = 1

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(f"The pump refused: {', '.join(reasons)}. Its program is unchanged; read it again.")
        self.reasons = reasons


class ReadBackDiffers(Exception):
    """The pump understood something else than was proposed; the proposal is withdrawn."""

    exit_code = 4

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"The pump read back another {' and '.join(fields)} than was entered. The proposal is withdrawn and the "
            "running program is unchanged. Do not program this pump; report it."
        )


class StaleReading(Exception):
    """The last reading is too old to write on."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("The last reading is more than 60 s old. Read the pump again, then go on.")


class NotSaved(Exception):
    """The tablet could not save; no order has left."""

    exit_code = 7


class VisitShell:
    """One visit with one pump."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.visit = Visit()
        self.opened: Opened | None = None
        self.subject: Subject | None = None
        self.pump_state: PumpState | None = None
        self.not_saved = ""
        self._requests = 0
        self._keys: dict[str, tuple[bytes, str]] = {}
        self._begun = b""
        self._told: set[bytes] = set()
        self._finished: dict[str, Transaction] = {}
        self._finish_recorded()

    def unlock_patient(self, ref: str, key: bytes, kid: str) -> None:
        """Use the patient's key for sealed fields, as long as this visit lasts."""
        self._keys[ref] = (key, kid)
        if self.subject is not None and self.subject.patient == ref:
            self.subject = replace(self.subject, key=key, kid=kid)

    @property
    def unfinished(self) -> list[Unfinished]:
        """Changes of any pump whose end is not known, oldest first."""
        return [item for item in unfinished(self.desk.journal.records()) if item.transaction.state in UNSETTLED]

    @property
    def not_written(self) -> list[NotWritten]:
        """Pumps into which drug was injected and whose memory does not hold it yet; show it before all else."""
        return not_written(self.desk.journal.records())

    @property
    def serial(self) -> str:
        """Serial number of the pump of this visit; the visit must have been opened."""
        return self._serial()

    def read(self) -> Status:
        """Interrogate the pump: settle what is open with it, then one STATUS.

        Raises:
            LineFault: the pump cannot be reached.
        """
        if self.opened is None:
            self._open()
        self._settle()
        finished = self._finished.pop(self._serial(), None)
        if finished is not None and self.visit.transaction is None:
            self.visit = replace(self.visit, transaction=finished)
            if finished.committed is not None:
                self.pump_state = PumpState(finished.committed.epoch, finished.committed.chain)
        before = self.desk.clock_ms()
        message = self._ask(GetStatus())
        assert isinstance(message, Status)
        now = self.desk.clock_ms()
        self._known_chain(message)
        self._step(PumpRead(Reading(message, now)))
        self._log(logbook.pump_read(self.desk.device, self._about(), self.pump_state, message, (now - before) * 1_000))
        return message

    def read_events(self, cursor: int) -> Events:
        """One page of the pump's event log from ``cursor`` on."""
        page = self._ask(GetEvents(cursor=cursor))
        assert isinstance(page, Events)
        self._log(logbook.pump_events(self.desk.device, self._about(), self.pump_state, page))
        return page

    def silence(self, alarm: int) -> int:
        """Pause the pump's sound for one alarm; seconds until it comes back by itself."""
        answer = self._ask(SilenceAlarm(alarm=alarm))
        if isinstance(answer, Refused):
            raise PumpRefused(tuple(item.name for item in answer.reasons))
        assert isinstance(answer, Silenced)
        return answer.seconds

    def propose(self, proposal: Proposal) -> None:
        """Take up a complete proposal, its findings answered."""
        self._step(Propose(proposal))

    def injected(self) -> None:
        """Drug has gone into the patient's pump; that is a fact, whether or not the disk takes it."""
        self._step(Injected())
        self._note({"type": "injected", "serial": self._serial(), "patient": self._about().patient})

    def check(self, author: Person) -> None:
        """Stage the proposal and read it back; the running program is not touched.

        Raises:
            StaleReading, PumpRefused, ReadBackDiffers, LineLost.
        """
        if self.visit.stale(self.desk.clock_ms()):
            raise StaleReading
        self._author = author.name
        try:
            self._begun = self.desk.entropy(16)
            self._step(Check(self._begun))
        except JournalError as error:
            self.visit = replace(self.visit, transaction=None)
            raise NotSaved(str(error)) from error
        tx = self._transaction()
        if tx.state is State.ABORTED and tx.reasons:
            self._refused_by_pump(author, tx)
        if self.visit.mismatch:
            refused = logbook.change_refused(author, self._about(), tx.txid, "tablet", self.visit.mismatch, None)
            self._tell(tx, refused)
            self._end_change(tx)
            raise ReadBackDiffers(self.visit.mismatch)
        if tx.state is State.DANGLING:
            raise LineLost(EndReason.LINK_LOST)

    def order(self) -> Order:
        """The order that is to be signed: what the pump read back, in this session."""
        tx, opened = self._transaction(), self.opened
        assert tx.read_back is not None
        assert tx.staged is not None
        assert opened is not None
        status = self._status()
        return Order(
            Realm(opened.pump.realm),
            opened.pump.serial,
            tx.txid,
            tx.staged.token,
            Content.of(tx.stage, status.program),
            tx.read_back.previous_digest,
            tx.stage.base_epoch + 1,
            tx.stage.annex,
            tx.read_back.staged_at_s,
            opened.handshake_hash,
            self.desk.log.root()[:16],
        )

    def sign_and_send(self, author: Person, facts: RefillFacts | None = None) -> Phase:
        """Sign the read-back, make the intent durable, commit; the phase that follows.

        Raises:
            NotNow, StaleReading, PumpRefused: nothing was sent, or the pump refused.
            NotSaved: the intent could not be saved, and no order has left.
        """
        if self.visit.phase is not Phase.REVIEW:
            raise NotNow(self.visit.phase, "Check the proposal with the pump first.")
        if self.visit.stale(self.desk.clock_ms()):
            raise StaleReading
        if not self._present(author):
            return self.visit.phase
        order, proposal, tx = self.order(), self.visit.proposal, self._transaction()
        assert proposal is not None
        assert tx.read_back is not None
        signature = author.sign(order.bytes_for(0, author.public_key))
        change = SignedChange(
            proposal, order, author.public_key, signature, self.desk.log.size, tx.read_back.total_24h_fg
        )
        drafts = [logbook.change_intent(author, self._about(), self.pump_state, change)]
        if isinstance(proposal, RefillProposal) and facts is not None:
            drafts.insert(0, logbook.refill_measured(author, self._about(), proposal, facts.verdict))
            program = tx.read_back.program
            drafts.append(logbook.refill_recorded(author, self._about(), proposal, program, facts, tx.txid))
            change = replace(change, head_size=self.desk.log.size)
        self.desk.probe("before intent row")
        try:
            self.desk.log.append(*drafts)
        except Exception as error:
            self._run_wire(coordinator.Drop())
            self._end_change(self._transaction())
            raise NotSaved(f"{error} No order has left; the pump's program is unchanged.") from error
        self.desk.probe("after intent row")
        try:
            self._run_wire(coordinator.Signed(order.head, (signature,)))
        except JournalError as error:
            self._run_wire(coordinator.NotStored())
            self._end_change(self._transaction())
            raise NotSaved(f"{error} No order has left; the pump's program is unchanged.") from error
        self._after_commit()
        return self.visit.phase

    def _present(self, author: Person) -> bool:
        try:
            answer = self._ask(Present(position=0, public_key=author.public_key))
        except LineLost:
            self._run_wire(coordinator.LinkLost())
            return False
        if isinstance(answer, Presented):
            return True
        assert isinstance(answer, Refused)
        raise PumpRefused(tuple(item.name for item in answer.reasons))

    def withdraw(self) -> None:
        """Take the proposal back; a staged one is dropped in the pump too."""
        self._step(Withdraw())
        tx = self.visit.transaction
        if tx is not None and tx.state in (State.ABORTED, State.COMMITTED):
            self._end_change(tx)

    def leave(self, signer: Person | None = None, reason: str = "") -> None:
        """End the visit, as far as its lock allows.

        Raises:
            NotNow: the lock holds; the sentence names the way on.
            NotSaved: the signed reason could not be saved, so the lock holds.
        """
        row = lock(self.visit)
        if row.leaving is not Leaving.FREE:
            if row.leaving is not Leaving.SIGNED or signer is None or not reason.strip():
                raise NotNow(self.visit.phase, row.way_on)
            tx = self.visit.transaction
            txid = tx.txid.hex() if tx is not None else ""
            dropped = logbook.change_dropped(signer, self._about(), txid, self.visit.phase.value, reason.strip())
            try:
                self.desk.log.append(dropped)
            except (StoreError, LogError) as error:
                raise NotSaved(f"{error} The reason is not saved: the visit stays open.") from error
        self.hang_up()

    def hang_up(self) -> None:
        """Close the session with the pump and give the port back; what is open stays in the journal."""
        try:
            if self.opened is not None:
                self._requests += 1
                self.desk.line.exchange(Close(requests=self._requests))
        except (LineFault, ProtocolError):
            pass  # the pump ends a silent session by itself; nothing depends on this farewell
        finally:
            self.opened = None
            self.desk.line.close()
            self._compact()

    def _compact(self) -> None:
        """Leave in the journal only what is still open."""
        records = self.desk.journal.records()
        kept = open_records(records)
        if len(kept) == len(records):
            return
        try:
            self.desk.journal.compact(kept)
        except JournalError as error:
            self.not_saved = f"Not saved on this tablet: {error}"

    # -- carrying out effects ---------------------------------------------------------------------------------------

    def _step(self, event: Event) -> None:
        self.visit, effects = step(self.visit, event)
        for effect in effects:
            if isinstance(effect, Persist):
                self._persist(effect.record)
            else:
                self._send(effect)

    def _run_wire(self, event: coordinator.Event) -> None:
        self._step(Wire(event))

    def _send(self, effect: Send) -> None:
        name = type(effect.message).__name__
        try:
            reply = self._ask(effect.message, name)
        except (LineLost, ProtocolError):
            self._run_wire(coordinator.LinkLost())
            return
        if isinstance(reply, Committed) and not self._receipt_holds(reply):
            self._log(self._finding("PUMP_RECEIPT_INVALID", reply.txid.hex()))
            self._run_wire(coordinator.LinkLost())
            return
        before = self.visit
        try:
            self._run_wire(coordinator.Replied(reply))
        except OutOfTurn:
            if self.visit is not before:
                raise
            self._log(self._finding("REPLY_OUT_OF_TURN", name))
            self._run_wire(coordinator.LinkLost())

    def _ask(self, message: Message, name: str = "") -> Message:
        self._requests += 1
        self.desk.probe(f"before {name}") if name else None
        try:
            reply = self.desk.line.exchange(message)
        except LineLost:
            self.opened = None
            raise
        self.desk.probe(f"after {type(reply).__name__}") if name else None
        return reply

    def _persist(self, record: Stored) -> None:
        tx = self._transaction()
        data: dict[str, object] = {"type": record.value, "txid": tx.txid.hex()}
        if record is Stored.STAGING:
            assert self.visit.proposal is not None
            data |= {
                "stage": pack(tx.stage),
                "serial": self._serial(),
                "patient": self._about().patient,
                "kind": self.visit.proposal.kind,
                "was_ng_per_day": self._status().dose_ng_per_day,
                "author": self._author,
            }
        if tx.commit is not None:
            data["commit"] = pack(tx.commit)
        if tx.committed is not None:
            data["committed"] = pack(tx.committed)
        if record in (Stored.STAGING, Stored.INTENT):
            self.desk.journal.append(data | {"utc": self.desk.utc()})
        elif not self._note(data):
            return
        self.desk.probe(f"journal {record.value}")
        if record is Stored.IN_DOUBT:
            self._log_verdict(tx, "in_doubt", "no answer to the order")

    def _receipt_holds(self, committed: Committed) -> bool:
        tx, pump = self.visit.transaction, self.desk.pumps.get(self._serial())
        if tx is None or tx.commit is None or pump is None or self.opened is None:
            return False
        receipt = receipt_of(committed, Realm(self.opened.pump.realm), pump.serial, tx.commit.signatures)
        agrees = committed.digest == tx.commit.digest and committed.epoch == tx.stage.base_epoch + 1
        return agrees and verifies(pump.receipt_key, receipt.encode(), committed.receipt)

    # -- settling ----------------------------------------------------------------------------------------------------

    def _after_commit(self) -> None:
        tx = self._transaction()
        if tx.state is State.COMMITTED:
            self._end_change(tx)
        elif tx.state is State.ABORTED:
            self._end_change(tx)
            raise PumpRefused(tuple(item.name for item in tx.reasons))

    def _settle(self) -> None:
        """Ask the pump about everything that is open with it; each answer is final."""
        for item in self.unfinished:
            if item.serial != self._serial():
                continue
            own = self.visit.transaction
            if own is None or own.txid != item.transaction.txid:
                self.visit = replace(self.visit, transaction=item.transaction)
            elif own.state in FINAL:
                self._persist(_VERDICT[own.state])
                self._end_change(own)
                continue
            self._run_wire(coordinator.Resume())
            tx = self._transaction()
            if tx.state in FINAL:
                self._end_change(tx)
            elif self.opened is None:
                raise LineLost(EndReason.LINK_LOST)

    def _finish_recorded(self) -> None:
        """Write into the log what the journal already knows for certain; the pump is not needed for it.

        The word on it is given, and an applied change verified, at the next reading of that pump.
        """
        for item in unfinished(self.desk.journal.records()):
            if item.transaction.state in FINAL:
                pump = self.desk.pumps.get(item.serial)
                self.subject = Subject(item.patient, pump.tag if pump else "0" * 32)
                self._end_change(item.transaction)
                self._finished[item.serial] = item.transaction
                self.subject = self.pump_state = None

    def _end_change(self, tx: Transaction) -> None:
        if tx.state not in FINAL:
            return
        applied = tx.state is State.COMMITTED
        if tx.committed is not None:
            self.pump_state = PumpState(tx.committed.epoch, tx.committed.chain)
        reasons = ", ".join(item.name for item in tx.reasons)
        self.desk.probe("before outcome row")
        if not self._log_verdict(tx, "applied" if applied else "not_applied", reasons or None):
            return
        self.desk.probe("after outcome row")
        self._close(tx)

    def _close(self, tx: Transaction) -> None:
        """Nothing of this change is open any more; only called when the log has its end."""
        self._note({"type": "closed", "txid": tx.txid.hex()})

    def _log_verdict(self, tx: Transaction, verdict: str, cause: str | None) -> bool:
        """Write how a change ended, once; whether the log has it now."""
        try:
            signed = any(row.txid == tx.txid.hex() for row in self.desk.store.open_intents())
        except StoreError as error:
            self.not_saved = f"Not saved on this tablet: {error}"
            return False
        if signed:
            receipt = logbook.receipt_body(tx.committed, tx.commit) if tx.committed is not None else None
            subject, state = self._about(), self.pump_state
            return self._log(logbook.change_outcome(self.desk.device, subject, state, tx.txid, verdict, receipt, cause))
        if verdict != "not_applied" or tx.commit is not None or self._is_in_log(tx.txid):
            return True
        reasons = ["never signed"]
        return self._tell(tx, logbook.change_refused(self.desk.device, self._about(), tx.txid, "tablet", reasons, None))

    def _is_in_log(self, txid: bytes) -> bool:
        """Whether the log names this change; the whole log is read only for one that an earlier start began."""
        if txid == self._begun or txid in self._told:
            return txid in self._told
        return any(entry.body.get("txid") == txid.hex() for entry in self.desk.log.entries())

    def _tell(self, tx: Transaction, refused: Draft) -> bool:
        if not self._log(refused):
            return False
        self._told.add(tx.txid)
        return True

    def _refused_by_pump(self, author: Signer, tx: Transaction) -> None:
        reasons = tuple(item.name for item in tx.reasons)
        body = logbook.proposal_body(self.visit.proposal) if self.visit.proposal else None
        if self._tell(tx, logbook.change_refused(author, self._about(), tx.txid, "pump", reasons, body)):
            self._close(tx)
        raise PumpRefused(reasons)

    def _log(self, draft: Draft) -> bool:
        """Write an entry that reports a fact; a full disk is shown, and does not undo the fact."""
        try:
            self.desk.log.append(draft)
        except (StoreError, LogError) as error:
            self.not_saved = f"Not saved on this tablet: {error}"
            return False
        return True

    def _note(self, record: dict[str, object]) -> bool:
        """Write a fact into the journal; a full disk is shown, and does not undo the fact."""
        try:
            self.desk.journal.append(record | {"utc": self.desk.utc()})
        except JournalError as error:
            self.not_saved = f"Not saved on this tablet: {error}"
            return False
        return True

    def _finding(self, code: str, locus: str) -> Draft:
        body = {"code": code, "evidence": None, "locus": locus}
        return Draft("log.finding", body, self.desk.device, patient=self._about().patient)

    # -- what is known -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        opened = self.desk.line.connect()
        if self.opened is not None and self.opened.pump.serial != opened.pump.serial:
            raise LineLost(EndReason.REPLACED)
        self.opened = opened
        pump = self.desk.pumps.get(opened.pump.serial)
        if pump is not None:
            key, kid = self._keys.get(pump.patient, (None, ""))
            self.subject = Subject(pump.patient, pump.tag, key, kid)
        waiting = any(item.serial == opened.pump.serial for item in self.not_written)
        self.visit = replace(self.visit, injected=self.visit.injected or waiting)

    def _known_chain(self, status: Status) -> None:
        if status.epoch == 0:
            self.pump_state = PumpState(0, CHAIN_START)
        elif self.pump_state is not None and self.pump_state.epoch != status.epoch:
            self.pump_state = None

    def _transaction(self) -> Transaction:
        assert self.visit.transaction is not None
        return self.visit.transaction

    def _status(self) -> Status:
        assert self.visit.reading is not None
        return self.visit.reading.status

    def _serial(self) -> str:
        assert self.opened is not None or self._last_serial
        if self.opened is not None:
            self._last_serial = self.opened.pump.serial
        return self._last_serial

    _last_serial = ""
    _author = ""

    def _about(self) -> Subject:
        assert self.subject is not None
        return self.subject
