"""Planted faults: each is one wrong step in the program, and a named check that has to notice it.

A mutant is planted with ``pytest.MonkeyPatch`` and goes with it; nothing of the program knows of this table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drivers.pipe import Direction, Drop
from drivers.virtual import presence, rules
from programmer.audit.anchor import Verdict
from programmer.visit import conductor, machine, shell
from programmer.visit.desk import PumpRefused, ReadBackDiffers
from programmer.visit.machine import Visit, Word
from programmer.visit.shell import VisitShell
from protocol import coordinator, credential, participant
from protocol.connection import TabletConnection
from protocol.coordinator import LinkLost, Persist, Send, Signed, State, Stored
from protocol.credential import Trust
from protocol.framing import Frame, encode_frame
from protocol.link import Address, Kind, Primary, Retried, address_type
from protocol.messages import Commit, Message, NotApplied, Query, Refused, Staged, encode_message
from tests.audit import test_anchor as anchor_checks
from tests.bench import DOCTOR, START_S, Bench, dose
from tests.crash import test_disk as disk_checks
from tests.virtual import test_orders as order_checks
from tests.visit import disk
from tests.visit import test_adversary as adversary
from tests.visit import test_cut_at_every_byte as cut_checks
from tests.visit import test_shell as shell_checks

Plant = Callable[[pytest.MonkeyPatch], None]

# -- checks: each passes on the program as it is -----------------------------------------------------------------------


def answer_to_the_order_is_lost() -> None:
    """The wire is cut within COMMITTED: the order was applied, and the tool may not deny it."""
    last = [frame for frame in adversary.frames() if frame.way is Direction.FROM_PUMP][-1]
    word, settled = cut_checks.judge(cut_checks.Case(Direction.FROM_PUMP, last.first + 5, restart=False))
    assert (word, settled) == (Word.IN_DOUBT, Word.APPLIED)


def staged_proposal_is_left_behind() -> None:
    """The wire is cut within STAGED: a proposal may lie in the pump, so the visit is not over."""
    _, staged = [frame for frame in adversary.frames() if frame.way is Direction.FROM_PUMP][:2]
    word, settled = cut_checks.judge(cut_checks.Case(Direction.FROM_PUMP, staged.first + 5, restart=True))
    assert (word, settled) == (Word.NOT_APPLIED, Word.NOT_APPLIED)


def lost_request_is_repaired() -> None:
    """The request STAGE is lost once: its repetition is the same frame, so the pump takes it."""
    _, stage = [frame for frame in adversary.frames() if frame.way is Direction.TO_PUMP][:2]
    assert adversary.judge(Drop(stage.way, stage.first, stage.size)) is Word.APPLIED


def query_forbids_what_it_did_not_find() -> None:
    """After "not applied" the same transaction can never begin again."""
    bench, tablet = adversary.prepared()
    ask, txid = tablet.desk.line.exchange, START_S.to_bytes(4, "big") + b"\x77" * 12
    assert isinstance(ask(Query(txid=txid, base_epoch=0)), NotApplied)
    assert tablet.visit.reading is not None
    stage = dose(115_000).stage(txid, 0, tablet.visit.reading.status.program)
    assert isinstance(ask(stage), Refused)
    assert bench.pump.state.participant.proposal is None


def order_leaves_only_after_its_intent() -> None:
    """A witness at the line sees COMMIT only with the intent durable in journal and log."""
    trial = disk_checks.Trial(bench := Bench(), bench.shell())
    trial.run()
    trial.judge_now()
    assert trial.sent == 1


def commit_of_another_digest_is_refused() -> None:
    """A COMMIT that names another content than the staged one is refused by the pump."""
    bench, tablet = adversary.prepared()
    tablet.check(DOCTOR)
    ask = tablet.desk.line.exchange

    def other_digest(message: Message) -> Message:
        return ask(message.model_copy(update={"digest": bytes(32)}) if isinstance(message, Commit) else message)

    tablet.desk.line.exchange = other_digest  # type: ignore[method-assign]
    with pytest.raises(PumpRefused, match="DIGEST"):
        tablet.sign_and_send(DOCTOR)
    assert bench.pump.running().dose_ng_per_day == adversary.OLD


def staged_digest_is_compared() -> None:
    """A pump that staged something else, by its digest, is never signed for."""
    _, tablet = adversary.prepared()
    adversary.altered(tablet, Staged, lambda answer: answer.model_copy(update={"digest": bytes(32)}))
    with pytest.raises(ReadBackDiffers):
        tablet.check(DOCTOR)


def review_shows_what_the_pump_read_back() -> None:
    """A pump that understood another dose is found at the read-back."""
    other = adversary.PROGRAM.model_copy(update={"dose_ng_per_day": 150_000})
    adversary.test_a_read_back_that_says_something_else_is_never_signed("program", other)


def receipt_is_verified() -> None:
    """An answer with a false receipt is in doubt."""
    adversary.test_a_receipt_that_does_not_verify_is_in_doubt_and_never_applied("receipt")


def forged_credential_is_refused() -> None:
    """A credential whose root's signature was altered opens nothing."""
    order_checks.test_a_broken_chain_is_refused("root's signature altered")


def expired_credential_is_refused() -> None:
    """A credential ends with its last second."""
    order_checks.test_a_credential_holds_up_to_its_last_second(order_checks.START_S - 1, False)


def nurse_may_not_program() -> None:
    """A nurse's signature on a program is refused by the pump."""
    order_checks.test_a_program_order_of_a_role_without_the_right_is_refused_by_the_pump(order_checks.NURSE)


def two_signatures_grow_old() -> None:
    """Two persons sign within ten minutes or not at all."""
    order_checks.test_two_persons_sign_within_ten_minutes(601_000, False)


def foreign_program_blocks() -> None:
    """A program by a tablet that nobody knows stops programming."""
    anchor_checks.test_each_row_of_the_table("an unknown tag")


# -- plants ------------------------------------------------------------------------------------------------------------


def transition(key: tuple[State, type[Any]], rule: Callable[[Any, Any], Any]) -> Plant:
    """Another rule in the tablet's transaction table."""
    return lambda patch: patch.setitem(coordinator._TABLE, key, rule)


def attribute(owner: object, name: str, wrong: Callable[[Any], Any]) -> Plant:
    """Another function in the place of one, made from the right one."""
    return lambda patch: patch.setattr(owner, name, wrong(getattr(owner, name)))


def _aborted(tx: Any, _: object) -> Any:
    return replace(tx, state=State.ABORTED), (Persist(Stored.ABORTED),)


def _intent_last(tx: Any, event: Any) -> Any:
    after, (persist, send) = coordinator._signed(tx, event)
    assert isinstance(persist, Persist)
    assert isinstance(send, Send)
    return after, (send, persist)


def seal_again_at_a_retry(patch: pytest.MonkeyPatch) -> None:
    """A retry that encrypts afresh under the next number, in place of the stored bytes."""
    send, due = TabletConnection._send, Primary.handle_timeout
    last: dict[Primary, tuple[Any, bytes]] = {}

    def remembering(self: Any, number: int, message: Message, poll: bool, now_ms: int) -> None:
        send(self, number, message, poll, now_ms)
        last[self._pump] = (self._sending, encode_message(number, message))

    def sealing(self: Any, now_ms: int) -> Any:
        outcome = due(self, now_ms)
        if isinstance(outcome, Retried) and self in last:
            channel, plain = last[self]
            kind, seq = address_type(Address.PUMP, Kind.DATA), channel.seq
            wire = encode_frame(Frame(kind, seq, channel.seal(kind, plain)), idle_line=True)
            self._in_flight.seq, self._in_flight.wire, self._out[-1] = seq, wire, wire
        return outcome

    patch.setattr(TabletConnection, "_send", remembering)
    patch.setattr(Primary, "handle_timeout", sealing)


def _digest_assumed(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda proposal, memory, message, *rest: right(
        proposal, memory, message.model_copy(update={"digest": proposal.content.digest()}), *rest
    )


def _epoch_assumed(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda state, message, *rest: right(
        state, message.model_copy(update={"base_epoch": state.memory.epoch}), *rest
    )


def _staged_for_read_back(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda visit, message: right(visit, message.model_copy(update={"program": visit.transaction.stage.program}))


def _without(field: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return lambda right: lambda *given: tuple(name for name in right(*given) if name != field)


def _always(value: object) -> Callable[[object], Callable[..., object]]:
    return lambda _: lambda *given: value


def _said_to_succeed(right: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: right(*given) or True


@dataclass(frozen=True)
class Mutant:
    """A wrong step, how it is planted, and the check that has to fail with it."""

    name: str
    plant: Plant
    check: Callable[[], None]


MUTANTS = (
    Mutant(
        "no answer to COMMIT means not applied",
        transition((State.COMMITTING, LinkLost), _aborted),
        answer_to_the_order_is_lost,
    ),
    Mutant(
        "a lost link while reading back means that nothing is left in the pump",
        transition((State.STAGING, LinkLost), _aborted),
        staged_proposal_is_left_behind,
    ),
    Mutant("a retry seals again", seal_again_at_a_retry, lost_request_is_repaired),
    Mutant(
        "a query that finds nothing forbids nothing",
        attribute(participant, "_bury", lambda _: lambda state, txid: (state, ())),
        query_forbids_what_it_did_not_find,
    ),
    Mutant(
        "the journal's intent is written after COMMIT",
        transition((State.AWAITING, Signed), _intent_last),
        order_leaves_only_after_its_intent,
    ),
    Mutant(
        "the journal is not synchronised",
        lambda patch: patch.setattr(disk.File, "fsync", lambda self: None),
        order_leaves_only_after_its_intent,
    ),
    Mutant(
        "the pump does not compare the digest",
        attribute(participant, "_commit_refusals", _digest_assumed),
        commit_of_another_digest_is_refused,
    ),
    Mutant(
        "the tablet does not compare the digest",
        attribute(machine, "_differences", _without("digest")),
        staged_digest_is_compared,
    ),
    Mutant(
        "the pump ignores the base epoch",
        attribute(participant, "_stage", _epoch_assumed),
        adversary.test_of_two_tablets_on_one_reading_exactly_one_wins_and_the_other_is_told,
    ),
    Mutant(
        "the staged program is judged in place of the read-back",
        attribute(machine, "_differences", _staged_for_read_back),
        review_shows_what_the_pump_read_back,
    ),
    Mutant("the receipt is not verified", attribute(VisitShell, "_receipt_holds", _always(True)), receipt_is_verified),
    Mutant(
        "a change is closed though the log refused its end",
        attribute(VisitShell, "_log_verdict", _said_to_succeed),
        disk_checks.test_an_outcome_that_the_log_refused_is_written_at_the_next_start_without_the_pump,
    ),
    Mutant(
        "an injection is forgotten at the next start",
        attribute(conductor, "not_written", _always([])),
        disk_checks.test_injected_drug_stays_open_until_the_pump_knows_it,
    ),
    Mutant(
        "compaction drops what is open",
        attribute(shell, "open_records", _always([])),
        disk_checks.test_a_visit_leaves_only_what_is_open_in_the_journal,
    ),
    Mutant(
        "an old reading is good enough to write on",
        attribute(Visit, "stale", _always(False)),
        shell_checks.test_writing_on_a_reading_older_than_a_minute_is_refused,
    ),
    Mutant(
        "an applied change needs no second reading",
        attribute(machine, "_confirms", _always(True)),
        shell_checks.test_a_dose_change_is_read_back_signed_applied_and_verified,
    ),
    Mutant(
        "the pump does not verify signatures of the order",
        attribute(participant, "verifies", _always(True)),
        order_checks.test_an_order_is_bound_in_every_field,
    ),
    Mutant(
        "the pump does not verify the root's signature",
        attribute(credential, "verifies", _always(True)),
        forged_credential_is_refused,
    ),
    Mutant(
        "expiry and revocation do not count", attribute(Trust, "refuses", _always(None)), expired_credential_is_refused
    ),
    Mutant(
        "a newer revocation epoch raises no floor",
        attribute(Trust, "raised", lambda _: lambda self, found: self),
        order_checks.test_a_newer_epoch_revokes_the_older_one_for_good_and_through_a_reset,
    ),
    Mutant(
        "credentials are not looked at again at COMMIT",
        attribute(presence, "barred", _always(None)),
        order_checks.test_a_credential_that_ran_out_after_it_was_shown_signs_nothing,
    ),
    Mutant(
        "the tablet's highest role does not count",
        lambda patch: patch.setattr(presence, "RANK", {}),
        order_checks.test_a_person_above_the_tablets_highest_role_is_refused,
    ),
    Mutant("every role may sign", attribute(rules.PumpRules, "may_sign", _always(True)), nurse_may_not_program),
    Mutant(
        "one person does for two",
        attribute(rules.PumpRules, "persons", _always(1)),
        order_checks.test_one_signature_does_not_do_where_two_are_demanded,
    ),
    Mutant(
        "two signatures do not grow old",
        lambda patch: patch.setattr(participant, "TWO_PERSONS_MS", 700_000),
        two_signatures_grow_old,
    ),
    Mutant(
        "the pump has no limits of its own",
        attribute(rules.PumpRules, "refusals", _always(())),
        order_checks.test_the_pumps_own_limit_holds_against_a_signed_order,
    ),
    Mutant(
        "a record that does not fit blocks nothing",
        lambda patch: patch.setattr(Verdict, "blocks", property(lambda self: False)),
        foreign_program_blocks,
    ),
)
