"""The shell around the visit machine: it alone talks to the line, the journal and the log, in the order that is safe.

Order of writes for a change: journal ``staging``, STAGE, READ_BACK; the person signs; log ``change.intent``; journal
``intent``; COMMIT; journal verdict; log ``change.outcome``; journal ``closed``. Whatever fails before COMMIT means that
none leaves. ``probe`` is told each point that is passed; tests end the process there.
"""

from dataclasses import replace

from programmer.audit.entries import RoleError
from programmer.audit.log import LogError, Signer
from programmer.records.errors import StoreError
from programmer.visit import logbook
from programmer.visit.desk import (
    NotAllowed,
    NotSaved,
    NotVouched,
    NotYours,
    Person,
    ProposalGone,
    PumpRefused,
    ReadBackDiffers,
    SecondPersonNeeded,
    StaleReading,
)
from programmer.visit.introduction import Introduction
from programmer.visit.journal import JournalError
from programmer.visit.line import LineFault, LineLost
from programmer.visit.logbook import PumpState, RefillFacts, SignedChange
from programmer.visit.machine import (
    Check,
    Injected,
    Leaving,
    NotNow,
    Phase,
    Propose,
    PumpRead,
    Reading,
    lock,
)
from programmer.visit.proposal import Proposal, RefillProposal
from programmer.visit.unfinished import open_records
from protocol import coordinator
from protocol.coordinator import State, Transaction
from protocol.errors import ProtocolError
from protocol.events import EndReason
from protocol.messages import (
    Close,
    Discrepancy,
    Events,
    GetEvents,
    GetStatus,
    ReadBack,
    ReadBackReport,
    Realm,
    Refused,
    SilenceAlarm,
    Silenced,
    StageRefill,
    Status,
)
from protocol.order import Content, Order

VERDICTS_BY_HAND = ("applied", "not_applied")


class VisitShell(Introduction):
    """One visit with one pump: what people do in it."""

    def unlock_patient(self, ref: str, key: bytes, kid: str) -> None:
        """Use the patient's key for sealed fields, as long as this visit lasts."""
        self._keys[ref] = (key, kid)
        if self.subject is not None and self.subject.patient == ref:
            self.subject = replace(self.subject, key=key, kid=kid)

    def read(self) -> Status:
        """Interrogate the pump: settle what is open with it, then one STATUS.

        Raises:
            LineFault: the pump cannot be reached.
        """
        if self.opened is None:
            self._lose()
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
        if self._fresh:
            self._anchor()
        self._log(logbook.pump_read(self.desk.device, self._about(), self.pump_state, message, (now - before) * 1_000))
        return message

    def refresh(self) -> Status:
        """Read again while a proposal waits for its signature: STATUS, and the proposal as the pump still holds it.

        Raises:
            LineFault: the pump cannot be reached; the proposal is to be settled by the next reading.
            ProposalGone: it has expired there; it is withdrawn.
            ReadBackDiffers: the pump holds another one than was shown; it is withdrawn.
        """
        try:
            status = self.read()
            if self.visit.phase is not Phase.REVIEW:
                return status
            tx = self._transaction()
            held = self._ask(ReadBack(txid=tx.txid))
        except LineFault:
            self._lose()
            raise
        if not isinstance(held, ReadBackReport):
            self.withdraw()
            raise ProposalGone
        assert tx.read_back is not None
        volume = held.reservoir_nl if isinstance(tx.stage, StageRefill) else tx.read_back.reservoir_nl
        if held.model_copy(update={"reservoir_nl": volume}) != tx.read_back:
            self.withdraw()
            raise ReadBackDiffers(("read-back",))
        return status

    def _lose(self) -> None:
        """The session that a proposal was staged in is over: the proposal can no longer be signed."""
        if self.visit.phase is Phase.REVIEW:
            self._run_wire(coordinator.LinkLost())

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

    def check(self, author: Person, *, persons: int = 1) -> None:
        """Stage the proposal and read it back; the running program is not touched. ``persons`` are at hand to sign.

        Raises:
            StaleReading, NotVouched, PumpRefused, ReadBackDiffers, SecondPersonNeeded, LineLost.
        """
        if self.visit.stale(self.desk.clock_ms()):
            raise StaleReading
        self._vouch()
        self._author = author.name
        try:
            self._begun = self._status().pump_time_s.to_bytes(4, "big") + self.desk.entropy(12)
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
        if tx.staged is not None and tx.staged.persons > persons:
            self.withdraw()
            raise SecondPersonNeeded

    def _vouch(self) -> None:
        """Let the pump show its witness record before a proposal is sent; one that does not fit ends it here."""
        if self.visit.phase is not Phase.PROPOSED:
            return
        try:
            if self.opened is not None:
                self._anchor()
        except ProtocolError as error:
            raise LineLost(EndReason.MALFORMED) from error
        if self.vouched is not None and self.vouched.blocks:
            raise NotVouched(self.vouched)

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

    def sign_and_send(self, author: Person, facts: RefillFacts | None = None, second: Person | None = None) -> Phase:
        """Sign the read-back, make the intent durable, commit; the phase that follows. ``second`` approves it.

        Raises:
            NotNow, StaleReading, NoCredential, SecondPersonNeeded, PumpRefused: nothing was sent, or the pump refused.
            NotSaved: the intent could not be saved, and no order has left.
        """
        if self.visit.phase is not Phase.REVIEW:
            raise NotNow(self.visit.phase, "Check the proposal with the pump first.")
        if self.visit.stale(self.desk.clock_ms()):
            raise StaleReading
        signers = (author,) if second is None else (author, second)
        self._are_enough(signers)
        if not self._introduce(signers):
            return self.visit.phase
        order, proposal, tx = self.order(), self.visit.proposal, self._transaction()
        assert proposal is not None
        assert tx.read_back is not None
        keys = tuple(person.public_key for person in signers)
        signatures = tuple(
            person.sign(order.bytes_for(position, person.public_key)) for position, person in enumerate(signers)
        )
        change = SignedChange(proposal, order, keys, signatures, self.desk.log.size, tx.read_back.total_24h_fg)
        drafts = [logbook.change_intent(author, self._about(), self.pump_state, change, second)]
        if isinstance(proposal, RefillProposal) and facts is not None:
            drafts.insert(0, logbook.refill_measured(author, self._about(), proposal, facts.verdict))
            program = tx.read_back.program
            drafts.append(logbook.refill_recorded(author, self._about(), proposal, program, facts, tx.txid))
        if isinstance(proposal, RefillProposal) and proposal.discrepancy is Discrepancy.CLOSED:
            last = self.desk.store.last_refill(self._about().patient)
            idx, origin = (last.idx if last else self.desk.log.size), self.desk.log.origin
            drafts.append(logbook.discrepancy_decided(author, self._about(), origin, idx, proposal.annex.cause))
        self.desk.probe("before intent row")
        try:
            self.desk.log.append(*drafts)
        except Exception as error:
            self._run_wire(coordinator.Drop())
            self._end_change(self._transaction())
            kind = NotAllowed if isinstance(error, RoleError) else NotSaved
            raise kind(f"{str(error).rstrip('.')}. No order has left; the pump's program is unchanged.") from error
        self.desk.probe("after intent row")
        try:
            self._run_wire(coordinator.Signed(order.head, signatures))
        except JournalError as error:
            self._run_wire(coordinator.NotStored())
            self._end_change(self._transaction())
            raise NotSaved(f"{error} No order has left; the pump's program is unchanged.") from error
        self._after_commit()
        return self.visit.phase

    def reconcile(self, signer: Person, verdict: str, reason: str) -> None:
        """Close by hand a change that the pump no longer remembers: ``applied`` or ``not_applied``, as compared.

        Raises:
            NotNow: nothing is unresolved, or there is no reason; NotYours: the signer is no prescriber.
            NotSaved: the decision could not be saved, and the change stays unresolved.
        """
        if self.visit.phase is not Phase.UNRESOLVED or not reason.strip():
            raise NotNow(self.visit.phase, "Read the pump; give the reason for what you sign.")
        if signer.role != "prescriber":
            raise NotYours
        if verdict not in VERDICTS_BY_HAND:
            raise ValueError(f"a change is reconciled as {' or '.join(VERDICTS_BY_HAND)}, not as {verdict}")
        tx = self._transaction()
        epoch = tx.stage.base_epoch + 1 if verdict == "applied" else None
        decided = logbook.change_reconciled(
            signer, self._about(), self.pump_state, tx.txid, verdict, epoch, reason.strip()
        )
        if tx.commit is None:  # never signed, so never applied: the log holds no intent that could be reconciled
            decided = logbook.change_dropped(signer, self._about(), tx.txid.hex(), tx.state.value, reason.strip())
        try:
            self.desk.log.append(decided)
        except (StoreError, LogError) as error:
            raise NotSaved(f"{error} The decision is not saved: the change stays unresolved.") from error
        self._close(tx)
        self.visit = replace(self.visit, transaction=None, proposal=None)

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

    def _after_commit(self) -> None:
        tx = self._transaction()
        if tx.state is State.COMMITTED:
            self._end_change(tx)
        elif tx.state is State.ABORTED:
            self._end_change(tx)
            self._shown = ()  # a refusal may lie in what was shown: show it afresh
            raise PumpRefused(tuple(item.name for item in tx.reasons))

    def _refused_by_pump(self, author: Signer, tx: Transaction) -> None:
        reasons = tuple(item.name for item in tx.reasons)
        body = logbook.proposal_body(self.visit.proposal) if self.visit.proposal else None
        if self._tell(tx, logbook.change_refused(author, self._about(), tx.txid, "pump", reasons, body)):
            self._close(tx)
        raise PumpRefused(reasons)
