"""What a visit writes into the signed log: one function for each entry, from what is known to a draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from programmer.audit.log import Draft, Seal, Signer
from programmer.visit.proposal import DoseProposal, Proposal, RefillProposal
from protocol.messages import Alarm, Anchored, Commit, Committed, Events, Program, Status
from protocol.order import Order, program_digest

FG_PER_NG = 1_000_000


class ReasonNotSealed(Exception):
    """A reason is patient text, and the patient's key is locked."""

    exit_code = 5

    def __init__(self) -> None:
        super().__init__("The reason cannot be kept: unlock the patient's record first. The visit stays open.")


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose pump an entry is about: patient reference, pump tag, key for sealed fields where it is unlocked."""

    patient: str
    tag: str
    key: bytes | None = None
    kid: str = ""

    def sealed(self, text: bytes) -> Seal | None:
        """A sealed field, or none while the patient's key is locked."""
        return None if self.key is None else Seal(text, self.key, self.kid)


@dataclass(frozen=True, slots=True)
class PumpState:
    """Epoch and chain of the pump as last known."""

    epoch: int
    chain: bytes

    def header(self, tag: str) -> dict[str, Any]:
        """The ``pump`` field of an entry."""
        return {"chain": self.chain.hex(), "epoch": self.epoch, "tag": tag}


def _pump(subject: Subject, state: PumpState | None) -> dict[str, Any] | None:
    return None if state is None else state.header(subject.tag)


def alarm_names(bits: int) -> list[str]:
    """Names of the alarms in a status report, in the order of their bits."""
    return [str(item.name) for item in Alarm if bits & item]


def auth_failed(device: Signer, user: str, count: int) -> Draft:
    """``auth.failed``: a wrong secret, by whom it was tried and how often in a row."""
    return Draft("auth.failed", {"count": count, "user": user}, device)


def link_lost(device: Signer, subject: Subject, state: PumpState | None, phase: str, reason: str) -> Draft:
    """``link.lost``: a session ended without a close; in which phase of the visit, and why."""
    return Draft(
        "link.lost", {"state": f"{phase}: {reason}"}, device, patient=subject.patient, pump=_pump(subject, state)
    )


def pump_read(device: Signer, subject: Subject, state: PumpState | None, status: Status, rtt_us: int) -> Draft:
    """``pump.read``: one interrogation."""
    body = {
        "alarms": alarm_names(status.alarms),
        "battery_mv": status.battery_mv,
        "eri": bool(status.alarms & Alarm.ERI),
        "events": {"first": status.events_first, "next": status.events_next},
        "last_order": None,
        "program_digest": program_digest(status.program).hex(),
        "pump_time_ms": status.pump_time_s * 1_000,
        "reservoir_nl": status.reservoir_nl,
        "rtt_us": rtt_us,
        "tablet_tag": None,
    }
    return Draft("pump.read", body, device, patient=subject.patient, pump=_pump(subject, state))


def pump_events(device: Signer, subject: Subject, state: PumpState | None, page: Events) -> Draft:
    """``pump.events``: a page of the pump's own log."""
    body = {
        "first": page.first,
        "items": [[item.time_s, item.code, item.argument] for item in page.items],
        "lost": page.lost,
        "next": page.next,
    }
    return Draft("pump.events", body, device, patient=subject.patient, pump=_pump(subject, state))


def program_body(program: Program, staged_at_s: int) -> dict[str, Any]:
    """The readable copy of a program."""
    return {
        "alarm_nl": program.alarm_nl,
        "concentration_ng_per_ml": program.concentration_ng_per_ml,
        "dose_ng_per_day": program.dose_ng_per_day,
        "drug": program.drug.name.lower(),
        "mode": program.mode.name.lower(),
        "staged_at_s": staged_at_s,
    }


@dataclass(frozen=True, slots=True)
class SignedChange:
    """A change that is about to be committed: the order, who signed, and in which state of the log."""

    proposal: Proposal
    order: Order
    public_keys: tuple[bytes, ...]
    signatures: tuple[bytes, ...]
    head_size: int
    total_24h_fg: int


MEANINGS = ("authored", "approved")


def change_intent(
    signer: Signer, subject: Subject, state: PumpState | None, change: SignedChange, second: Signer | None = None
) -> Draft:
    """``change.intent``: durable before COMMIT leaves; signed by the author and by the second person, if any."""
    order, annex = change.order, change.proposal.annex
    signed = order.bytes_for(0, change.public_keys[0])
    body = {
        "base_epoch": order.epoch - 1,
        "digest": order.content.digest().hex(),
        "findings": list(annex.findings),
        "head": order.head.hex(),
        "head_size": change.head_size,
        "kind": change.proposal.kind,
        "library": annex.library,
        "meaning": list(MEANINGS[: len(change.signatures)]),
        "order": subject.sealed(signed),
        "order_digest": order.signed_digest(change.public_keys, change.signatures).hex(),
        "order_sigs": [item.hex() for item in change.signatures],
        "overrides": [{"code": code, "reason": reason} for code, reason in annex.reasons],
        "program": program_body(order.content.program, order.staged_at_s),
        "total_24h_ng": change.total_24h_fg // FG_PER_NG,
        "txid": order.txid.hex(),
    }
    return Draft("change.intent", body, signer, second, patient=subject.patient, pump=_pump(subject, state))


def receipt_body(committed: Committed, commit: Commit | None) -> dict[str, Any]:
    """What the pump signed, for the outcome."""
    return {
        "chain": committed.chain.hex(),
        "digest": committed.digest.hex(),
        "effective_at_s": committed.effective_at_s,
        "epoch": committed.epoch,
        "signature": committed.receipt.hex(),
        "signatures": [item.hex() for item in commit.signatures] if commit else [],
    }


def change_outcome(
    device: Signer,
    subject: Subject,
    state: PumpState | None,
    txid: bytes,
    verdict: str,
    receipt: Mapping[str, Any] | None = None,
    cause: str | None = None,
) -> Draft:
    """``change.outcome``: applied, not_applied or in_doubt."""
    body = {"cause": cause, "receipt": receipt, "txid": txid.hex(), "verdict": verdict}
    return Draft("change.outcome", body, device, patient=subject.patient, pump=_pump(subject, state))


def change_refused(
    actor: Signer, subject: Subject, txid: bytes | None, by: str, reasons: Sequence[str], proposal: Any
) -> Draft:
    """``change.refused``: a proposal that pump or tablet did not take, or that was never signed."""
    body = {"by": by, "proposal": proposal, "reasons": list(reasons), "txid": txid.hex() if txid else None}
    return Draft("change.refused", body, actor, patient=subject.patient)


def change_dropped(signer: Signer, subject: Subject, txid: str, state: str, reason: str) -> Draft:
    """``change.dropped``: a visit left open, or a proposal taken back, by a person with a reason."""
    sealed = subject.sealed(reason.encode())
    if sealed is None:
        raise ReasonNotSealed
    body = {"reason": sealed, "state": state, "txid": txid}
    return Draft("change.dropped", body, signer, patient=subject.patient)


def pump_anchor(device: Signer, subject: Subject, state: PumpState | None, nonce: bytes, answer: Anchored) -> Draft:
    """``pump.anchor``: the pump's witness record with its signature, kept as evidence."""
    statement = {
        "chain": answer.chain.hex(),
        "epoch": answer.epoch,
        "nonce": nonce.hex(),
        "order_hash": answer.order_hash.hex(),
        "pump_time_s": answer.pump_time_s,
        "signature": answer.signature.hex(),
        "tablet_tag": answer.tablet_tag.hex(),
    }
    return Draft("pump.anchor", {"statement": statement}, device, patient=subject.patient, pump=_pump(subject, state))


def change_reconciled(
    signer: Signer, subject: Subject, state: PumpState | None, txid: bytes, verdict: str, epoch: int | None, reason: str
) -> Draft:
    """``change.reconciled``: a prescriber says what became of a change that the pump no longer remembers."""
    body = {
        "epoch": epoch,
        "evidence": None if state is None else {"chain": state.chain.hex(), "epoch": state.epoch},
        "reason": subject.sealed(reason.encode()),
        "txid": txid.hex(),
        "verdict": verdict,
    }
    return Draft("change.reconciled", body, signer, patient=subject.patient, pump=_pump(subject, state))


def refill_measured(signer: Signer, subject: Subject, proposal: RefillProposal, verdict: str) -> Draft:
    """``refill.measured``: what the syringe held."""
    body = {
        "class": verdict,
        "discarded_nl": proposal.withdrawn_nl,
        "expected_nl": proposal.expected_nl,
        "method": "syringe",
        "withdrawn_nl": proposal.withdrawn_nl,
    }
    return Draft("refill.measured", body, signer, patient=subject.patient)


@dataclass(frozen=True, slots=True)
class RefillFacts:
    """Facts of a refill beside the volumes; dates as ISO text."""

    lot: str
    expires: str
    alarm_nominal: str | None
    alarm_guarded: str | None
    refill_by: str | None
    verdict: str


def refill_recorded(
    signer: Signer, subject: Subject, proposal: RefillProposal, program: Program, facts: RefillFacts, txid: bytes
) -> Draft:
    """``refill.recorded``: what went into the pump and when it is due again; its outcome stands under ``txid``."""
    body = {
        "alarm_guarded": facts.alarm_guarded,
        "alarm_nominal": facts.alarm_nominal,
        "concentration_ng_per_ml": program.concentration_ng_per_ml,
        "expires": facts.expires or None,
        "in_pump": True,
        "injected_nl": proposal.injected_nl,
        "lot": facts.lot or None,
        "note": None,
        "refill_by": facts.refill_by,
        "txid": txid.hex(),
    }
    return Draft("refill.recorded", body, signer, patient=subject.patient)


def discrepancy_decided(signer: Signer, subject: Subject, origin: str, idx: int, decision: str) -> Draft:
    """``discrepancy.decided``: what a prescriber makes of the volumes of the refill recorded in entry ``idx``."""
    body = {"cause": decision, "decision": "closed", "idx": idx, "origin": origin, "reason": None}
    return Draft("discrepancy.decided", body, signer, patient=subject.patient)


def proposal_body(proposal: Proposal) -> dict[str, Any]:
    """A proposal in a few words, for a refusal."""
    if isinstance(proposal, DoseProposal):
        return {"dose_ng_per_day": proposal.program.dose_ng_per_day, "kind": proposal.kind}
    return {"kind": proposal.kind, "reservoir_nl": proposal.reservoir_nl}
