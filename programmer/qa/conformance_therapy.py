"""Cases for a pump's transaction: proposals that are aborted, and refusals. What is staged is what already runs.

A pump that should put such a proposal in force by mistake would go on delivering as before.
"""

from __future__ import annotations

from programmer.qa.conformance import PUMP, Failed, NotRun, Suite, require
from programmer.qa.conformance_line import Bench, Talk
from protocol import messages as m
from protocol.messages import Refusal
from protocol.order import Content, Witness, anchor_bytes, program_digest, total_24h_fg, verifies

SUITE = Suite(PUMP)
case = SUITE.case
STAGED_S = 120
HIGHEST = 2**32 - 1


def refused(answer: m.Message, *reasons: Refusal) -> None:
    """The answer must be REFUSED, and its first reason one of these."""
    wanted = " or ".join(item.name for item in reasons)
    require(isinstance(answer, m.Refused), f"{type(answer).__name__} in place of REFUSED {wanted}")
    assert isinstance(answer, m.Refused)
    require(answer.reasons[0] in reasons, f"REFUSED {answer.reasons[0].name} in place of {wanted}")


def new_txid(bench: Bench, status: m.Status, ahead_s: int = 0) -> bytes:
    """A transaction id: the pump's time, then what is random."""
    return (status.pump_time_s + ahead_s).to_bytes(4, "big") + bench.entropy(12)


def proposal(bench: Bench, status: m.Status) -> m.StageProgram:
    """The running program, proposed anew."""
    return m.StageProgram(
        txid=new_txid(bench, status), base_epoch=status.epoch, program=status.program, annex=bench.entropy(32)
    )


def staged(bench: Bench, talk: Talk) -> tuple[m.StageProgram, m.Staged]:
    """The running program as a proposal. Raises ``NotRun`` where the pump will not even have that."""
    message = proposal(bench, talk.status())
    answer = talk.ask(message)
    bench.staged.append(message.txid)
    if isinstance(answer, m.Refused):
        names = ", ".join(item.name for item in answer.reasons)
        raise NotRun(f"the pump refuses its own running program as a proposal: {names}")
    if not isinstance(answer, m.Staged):
        raise Failed(f"STAGE_PROGRAM was answered by {type(answer).__name__}")
    return message, answer


def commit(message: m.StageProgram, answer: m.Staged, **changes: bytes) -> m.Commit:
    """A COMMIT that can never take effect: its signature is no signature."""
    fields = {"txid": message.txid, "token": answer.token, "digest": answer.digest, "head": bytes(16), **changes}
    return m.Commit(signatures=(bytes(64),), **fields)


@case("status", "8", "STATUS is complete, and its program has the digest that it names")
def _(bench: Bench) -> None:
    status = bench.session().status()
    require(program_digest(status.program)[:8] == status.program_digest8, "the digest is not that of the program")
    bench.before = (status.epoch, status.program_digest8)


@case("events", "8", "GET_EVENTS gives a page that begins where it was asked for")
def _(bench: Bench) -> None:
    talk = bench.session()
    status = talk.status()
    answer = talk.ask(m.GetEvents(cursor=status.events_first))
    if not isinstance(answer, m.Events):
        raise Failed(f"GET_EVENTS was answered by {type(answer).__name__}")
    require(answer.first >= status.events_first, "the page begins before the oldest event")
    require(answer.next == answer.first + len(answer.items), "the page names another next event than the one after it")


@case("anchor", "6", "ANCHOR is answered with the witness record of the newest order")
def _(bench: Bench) -> None:
    talk = bench.session()
    status, nonce = talk.status(), bench.entropy(16)
    answer = talk.ask(m.Anchor(nonce=nonce))
    if not isinstance(answer, m.Anchored):
        raise Failed(f"ANCHOR was answered by {type(answer).__name__}")
    require(answer.epoch == status.epoch, f"the record is of epoch {answer.epoch}, the status of {status.epoch}")
    again = talk.ask(m.Anchor(nonce=bench.entropy(16)))
    require(isinstance(again, m.Anchored) and again.signature != answer.signature, "the nonce is not in the signature")
    key = bench.material.receipt_keys.get(talk.peer.serial)
    if key is None:
        raise NotRun("the record has the right form; no receipt key is at hand to verify it")
    witness = Witness(answer.epoch, answer.order_hash, answer.chain, answer.tablet_tag)
    data = anchor_bytes(status.realm, talk.peer.serial, nonce, witness, answer.pump_time_s)
    require(verifies(key, data, answer.signature), "the signature does not verify under the pump's receipt key")


@case("stage-read-back", "6", "a proposal is read back as it was staged, with its digest and its total of 24 h")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    require(answer.txid == message.txid, "STAGED names another transaction")
    digest = Content(m.OrderKind.PROGRAM, message.program, 0, m.Discrepancy.NONE).digest()
    require(answer.digest == digest, "STAGED has another digest than that of the content")
    report = talk.ask(m.ReadBack(txid=message.txid))
    if not isinstance(report, m.ReadBackReport):
        raise Failed(f"READ_BACK was answered by {type(report).__name__}")
    require(report.program == message.program, "another program was read back")
    total = total_24h_fg(report.flow_nl_per_day, message.program.concentration_ng_per_ml)
    require(report.total_24h_fg == total, "the total of 24 h is not flow times concentration")
    require(report.base_epoch == message.base_epoch, "another base epoch was read back")


@case("stage-abort", "6", "ABORT buries a proposal for ever")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, _ = staged(bench, talk)
    require(isinstance(talk.ask(m.Abort(txid=message.txid)), m.Aborted), "ABORT was not answered by ABORTED")
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)
    refused(talk.ask(message), Refusal.TX_USED)
    answer = talk.ask(m.Query(txid=message.txid, base_epoch=message.base_epoch))
    require(isinstance(answer, m.NotApplied), f"QUERY was answered by {type(answer).__name__}")


@case("query-is-final", "6", "QUERY of an unknown transaction is NOT_APPLIED, and it can never be staged after that")
def _(bench: Bench) -> None:
    talk = bench.session()
    message = proposal(bench, talk.status())
    answer = talk.ask(m.Query(txid=message.txid, base_epoch=message.base_epoch))
    require(isinstance(answer, m.NotApplied), f"QUERY was answered by {type(answer).__name__}")
    refused(talk.ask(message), Refusal.TX_USED)


@case("stage-used", "6", "a proposal that is staged is not staged a second time")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, _ = staged(bench, talk)
    refused(talk.ask(message), Refusal.TX_USED)


@case("new-session-buries", "6", "a new session buries what was staged")
def _(bench: Bench) -> None:
    message, _ = staged(bench, bench.session())
    refused(bench.open().ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)


@case("refuse-epoch", "6", "REFUSED EPOCH: a proposal on another epoch")
def _(bench: Bench) -> None:
    talk = bench.session()
    message = proposal(bench, talk.status())
    refused(talk.ask(message.model_copy(update={"base_epoch": message.base_epoch + 1})), Refusal.EPOCH)


@case("refuse-ahead", "6", "REFUSED MALFORMED: a transaction id from the pump's future")
def _(bench: Bench) -> None:
    talk = bench.session()
    status = talk.status()
    message = proposal(bench, status).model_copy(update={"txid": new_txid(bench, status, 3_600)})
    bench.staged.append(message.txid)
    refused(talk.ask(message), Refusal.MALFORMED)


@case("refuse-unknown", "6", "REFUSED UNKNOWN_TX: READ_BACK and COMMIT of what was never staged")
def _(bench: Bench) -> None:
    talk = bench.session()
    message = proposal(bench, talk.status())
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.UNKNOWN_TX)
    nothing = m.Commit(txid=message.txid, token=bytes(8), digest=bytes(32), head=bytes(16), signatures=(bytes(64),))
    refused(talk.ask(nothing), Refusal.UNKNOWN_TX)


@case("refuse-program-changed", "6", "REFUSED PROGRAM_CHANGED: a refill for another program than the running one")
def _(bench: Bench) -> None:
    talk = bench.session()
    status = talk.status()
    message = m.StageRefill(
        txid=new_txid(bench, status),
        base_epoch=status.epoch,
        program_digest=bench.entropy(32),
        reservoir_nl=status.reservoir_nl,
        discrepancy=status.discrepancy,
        annex=bytes(32),
    )
    bench.staged.append(message.txid)
    refused(talk.ask(message), Refusal.PROGRAM_CHANGED)


@case("refuse-limits", "6", "REFUSED LIMIT_*: dose, alarm volume and refill far beyond the pump's own limits")
def _(bench: Bench) -> None:
    talk = bench.session()
    status = talk.status()
    limits = tuple(item for item in Refusal if item.name.startswith("LIMIT_"))
    for change in ({"dose_ng_per_day": HIGHEST}, {"alarm_nl": HIGHEST}):
        message = proposal(bench, status)
        bench.staged.append(message.txid)
        program = status.program.model_copy(update=change)
        refused(talk.ask(message.model_copy(update={"program": program})), *limits)
    refill = m.StageRefill(
        txid=new_txid(bench, status),
        base_epoch=status.epoch,
        program_digest=program_digest(status.program),
        reservoir_nl=HIGHEST,
        discrepancy=status.discrepancy,
        annex=bytes(32),
    )
    bench.staged.append(refill.txid)
    refused(talk.ask(refill), *limits)


@case("refuse-not-read-back", "6", "REFUSED NOT_READ_BACK: COMMIT before READ_BACK; the proposal is buried")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    refused(talk.ask(commit(message, answer)), Refusal.NOT_READ_BACK)
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)


@case("refuse-token", "6", "REFUSED TOKEN: COMMIT with another token; the proposal is buried")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    talk.ask(m.ReadBack(txid=message.txid))
    refused(talk.ask(commit(message, answer, token=bench.entropy(8))), Refusal.TOKEN)
    refused(talk.ask(commit(message, answer)), Refusal.EXPIRED)


@case("refuse-digest", "6", "REFUSED DIGEST: COMMIT of another content; the proposal is buried")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    talk.ask(m.ReadBack(txid=message.txid))
    refused(talk.ask(commit(message, answer, digest=bench.entropy(32))), Refusal.DIGEST)
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)


@case("refuse-nobody", "6", "REFUSED TABLET_CREDENTIAL or SIGNER_UNKNOWN: COMMIT while nobody was presented")
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    talk.ask(m.ReadBack(txid=message.txid))
    refused(talk.ask(commit(message, answer)), Refusal.TABLET_CREDENTIAL, Refusal.SIGNER_UNKNOWN)
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)


@case("refuse-credential", "6", "REFUSED: an unknown digest, and bytes that are no credential")
def _(bench: Bench) -> None:
    talk = bench.session()
    refused(talk.ask(m.Present(position=2, credential=bench.entropy(32))), Refusal.SIGNER_UNKNOWN)
    refused(talk.ask(m.Present(position=2, credential=bench.entropy(100))), Refusal.CREDENTIAL)
    refused(
        talk.ask(m.Present(position=0, credential=bench.entropy(32))),
        Refusal.TABLET_CREDENTIAL,
        Refusal.SIGNER_UNKNOWN,
    )


@case("refuse-fifth", "4", "REFUSED SESSION_OVER: the fifth refused command ends the session")
def _(bench: Bench) -> None:
    talk = bench.open()
    for _count in range(4):
        refused(talk.ask(m.SilenceAlarm(alarm=0x8000)), Refusal.NO_SUCH_ALARM)
    last = talk.ask(m.SilenceAlarm(alarm=0x8000))
    require(isinstance(last, m.Refused) and Refusal.SESSION_OVER in last.reasons, "the fifth names no SESSION_OVER")
    talk.over = True
    require(talk.line.ask(talk.sealed(m.KeepAlive())) is None, "the session is still answered after five refusals")


@case("refuse-alarm", "8", "REFUSED NO_SUCH_ALARM: an alarm that does not sound cannot be silenced")
def _(bench: Bench) -> None:
    refused(bench.session().ask(m.SilenceAlarm(alarm=0x8000)), Refusal.NO_SUCH_ALARM)


@case("refuse-kind", "4", "REFUSED NOT_IN_THIS_SESSION: what belongs to the card, in a routine session")
def _(bench: Bench) -> None:
    talk = bench.session()
    for message in (m.Pair(tablet_id="QA"), m.ConfirmPattern(pattern=bytes([1] * 6))):
        refused(talk.ask(message), Refusal.NOT_IN_THIS_SESSION)


@case("refuse-reply", "5", "REFUSED UNSUPPORTED: a reply sent as a request")
def _(bench: Bench) -> None:
    refused(bench.session().ask(m.Alive()), Refusal.UNSUPPORTED)


@case("stage-expires", "6", "a proposal that is not committed is buried after its time", slow=True)
def _(bench: Bench) -> None:
    talk = bench.session()
    message, answer = staged(bench, talk)
    require(answer.expires_in_s >= STAGED_S, f"the proposal lives {answer.expires_in_s} s only")
    for _ in range(answer.expires_in_s + 2):
        require(talk.lives(), "the session ended while it was kept alive")
        bench.line.pause(1_000)
    refused(talk.ask(m.ReadBack(txid=message.txid)), Refusal.EXPIRED)


@case("unchanged", "6", "epoch and running program are those with which this run began")
def _(bench: Bench) -> None:
    if bench.before is None:
        raise NotRun("no status was read at the beginning")
    status = bench.session().status()
    require((status.epoch, status.program_digest8) == bench.before, "the pump runs another program than before")
    require(not status.staged, "a proposal is still staged")
