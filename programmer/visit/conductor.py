"""Carries out what the visit machine asks for, and settles what is open: line, journal and log in the safe order.

Each effect is done before the next; one that cannot be done ends the list. A fact that the disk does not take is shown
and stays a fact; an intent that it does not take means that no order leaves.
"""

from dataclasses import replace

from programmer.audit.anchor import Known, Statement, Verdict, compare, known_from, tablet_tag
from programmer.audit.log import Draft, LogError
from programmer.records.errors import StoreError
from programmer.visit import logbook
from programmer.visit.desk import Desk, OtherPump
from programmer.visit.journal import JournalError
from programmer.visit.line import LineLost, Opened
from programmer.visit.logbook import PumpState, Subject
from programmer.visit.machine import (
    Event,
    Visit,
    Wire,
    step,
)
from programmer.visit.unfinished import NotWritten, Unfinished, not_written, pack, unfinished
from protocol import coordinator
from protocol.coordinator import FINAL, OutOfTurn, Persist, Send, State, Stored, Transaction
from protocol.errors import ProtocolError
from protocol.events import EndReason
from protocol.messages import (
    Anchor,
    Anchored,
    Committed,
    Message,
    Realm,
    Status,
)
from protocol.order import CHAIN_START, Witness, anchor_bytes, receipt_of, verifies

UNSETTLED = frozenset({State.DANGLING, State.IN_DOUBT, State.UNRESOLVED})
LIVE = frozenset({State.STAGING, State.READING_BACK, State.AWAITING, State.COMMITTING})
_VERDICT = {State.COMMITTED: Stored.COMMITTED, State.ABORTED: Stored.ABORTED}


class Conductor:
    """The part of a visit that needs no person: effects, receipts, settling, the log's side of it."""

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
        self._known: dict[str, tuple[int, Known]] = {}
        self._found: set[bytes] = set()
        self._fresh = False
        self.vouched: Verdict | None = None
        self._finish_recorded()

    @property
    def unfinished(self) -> list[Unfinished]:
        """Changes of any pump whose end is not known, oldest first; not the one that is just being made."""
        live = self.visit.transaction
        making = live.txid if live is not None and live.state in LIVE else b""
        return [
            item
            for item in unfinished(self.desk.journal.records())
            if item.transaction.state in UNSETTLED and item.transaction.txid != making
        ]

    @property
    def not_written(self) -> list[NotWritten]:
        """Pumps into which drug was injected and whose memory does not hold it yet; show it before all else."""
        return not_written(self.desk.journal.records())

    @property
    def serial(self) -> str:
        """Serial number of the pump of this visit; the visit must have been opened."""
        return self._serial()

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
        except LineLost as lost:
            if self.opened is not None:
                about, phase = self._about(), self.visit.phase.value
                self._log(logbook.link_lost(self.desk.device, about, self.pump_state, phase, lost.reason.value))
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
            elif own.state not in UNSETTLED:
                continue  # under way in this visit: a proposal that waits for its signature is kept
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

    def _open(self) -> None:
        opened = self.desk.line.connect()
        if self._last_serial not in ("", opened.pump.serial):
            raise OtherPump(opened.pump.serial, self._last_serial)
        self.opened, self._last_serial, self._fresh = opened, opened.pump.serial, True
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

    def _anchor(self) -> None:
        """Read the pump's witness record, keep it as evidence, and judge it against what this tablet's log knows."""
        serial, about, nonce = self._serial(), self._about(), self.desk.entropy(16)
        answer = self._ask(Anchor(nonce=nonce))
        known = self._known_of(about.patient)
        if isinstance(answer, Anchored):
            self.pump_state = PumpState(answer.epoch, answer.chain)
            self.vouched = compare(self._statement(serial, nonce, answer), known)
            self._log(logbook.pump_anchor(self.desk.device, about, self.pump_state, nonce, answer))
        else:
            self.vouched = Verdict.PUMP_IDENTITY
        self._fresh = False
        chain = self.pump_state.chain if self.pump_state is not None else b""
        if self.vouched is not Verdict.AGREE and chain not in self._found:
            self._found.add(chain)
            epoch = self.pump_state.epoch if self.pump_state is not None else 0
            self._log(self._finding(self.vouched.value, f"pump:{epoch}"))

    def _statement(self, serial: str, nonce: bytes, answer: Anchored) -> Statement:
        pump = self.desk.pumps[serial]
        assert self.opened is not None
        witness = Witness(answer.epoch, answer.order_hash, answer.chain, answer.tablet_tag)
        signed = anchor_bytes(Realm(self.opened.pump.realm), pump.serial, nonce, witness, answer.pump_time_s)
        return Statement(
            verifies(pump.receipt_key, signed, answer.signature),
            answer.epoch,
            answer.order_hash,
            answer.chain,
            answer.tablet_tag,
            answer.pump_time_s,
        )

    def _known_of(self, patient: str) -> Known:
        """What the log says of this patient's pump; only entries that are new since the last time are read."""
        read, known = self._known.get(patient, (0, Known(tablet_tag(self.desk.tablet))))
        size = self.desk.log.size
        known = known_from((entry.content for entry in self.desk.log.entries(read)), patient, known)
        self._known[patient] = (size, known)
        return known

    def _transaction(self) -> Transaction:
        assert self.visit.transaction is not None
        return self.visit.transaction

    def _status(self) -> Status:
        assert self.visit.reading is not None
        return self.visit.reading.status

    def _serial(self) -> str:
        assert self._last_serial
        return self._last_serial

    _last_serial = ""

    _author = ""

    def _about(self) -> Subject:
        assert self.subject is not None
        return self.subject
