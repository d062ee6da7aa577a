"""The tablet beside the pump's witness record, receipts that do not verify, and two persons that the pump demands."""

from collections.abc import Callable

import pytest

from programmer.audit.anchor import Verdict
from programmer.visit.desk import NotVouched, PumpRefused, SecondPersonNeeded
from programmer.visit.machine import Phase, Word
from programmer.visit.shell import VisitShell
from protocol.messages import Anchored, Committed, Message
from tests.bench import DOCTOR, NURSE, OTHER_ID, SECOND, TABLET_ID, Bench, dose
from tests.visit.test_adversary import altered, beside


def findings(shell: VisitShell) -> list[str]:
    return [entry.body["code"] for entry in shell.desk.log.entries() if entry.type == "log.finding"]


def change(shell: VisitShell, ng_per_day: int = 115_000) -> None:
    shell.read()
    shell.propose(dose(ng_per_day))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    shell.read()


def test_a_record_that_fits_is_kept_as_evidence_and_silent() -> None:
    shell = Bench().shell()
    change(shell)
    kept = [entry for entry in shell.desk.log.entries() if entry.type == "pump.anchor"]
    assert len(kept) == 2, "at connect and before staging"
    assert shell.vouched is Verdict.AGREE
    assert findings(shell) == []


LIES: dict[str, tuple[Callable[[Message], Message], Verdict]] = {
    "another chain, not signed": (lambda a: a.model_copy(update={"chain": bytes(32)}), Verdict.PUMP_IDENTITY),
    "another order": (lambda a: a.model_copy(update={"order_hash": b"x" * 32}), Verdict.PUMP_IDENTITY),
    "an old epoch": (lambda a: a.model_copy(update={"epoch": 0}), Verdict.PUMP_IDENTITY),
    "a signature of nobody": (lambda a: a.model_copy(update={"signature": bytes(64)}), Verdict.PUMP_IDENTITY),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_record_that_the_receipt_key_did_not_sign_blocks_programming_and_not_reading(lie: str) -> None:
    alter, verdict = LIES[lie]
    bench = Bench()
    shell = bench.shell()
    change(shell)
    altered(shell, Anchored, alter)
    shell.read()
    shell.propose(dose(120_000))
    with pytest.raises(NotVouched, match=verdict.value):
        shell.check(DOCTOR)
    assert findings(shell) == [verdict.value]
    assert bench.pump.running().dose_ng_per_day == 115_000
    assert shell.read().dose_ng_per_day == 115_000


@pytest.mark.parametrize(
    "peers, verdict", [((), Verdict.FOREIGN_PROGRAM), ((OTHER_ID,), Verdict.PEER_PENDING)], ids=["unknown", "peer"]
)
def test_a_change_by_another_tablet_is_told(peers: tuple[str, ...], verdict: Verdict) -> None:
    bench = Bench(peers=peers)
    change(beside(bench).shell())
    shell = bench.shell()
    shell.read()
    assert (shell.vouched, findings(shell)) == (verdict, [verdict.value])
    shell.propose(dose(120_000))
    if verdict.blocks:
        with pytest.raises(NotVouched, match="FOREIGN_PROGRAM"):
            shell.check(DOCTOR)
        assert shell.visit.phase is Phase.PROPOSED
    else:
        shell.check(DOCTOR)
        assert shell.visit.phase is Phase.REVIEW


def test_a_log_that_was_restored_from_an_older_copy_is_found() -> None:
    bench = Bench()
    change(bench.shell())
    bench.power_off()
    older = Bench(clock=bench.clock, tablet_id=TABLET_ID)
    older.pump, older.starts = bench.pump, 20
    shell = older.shell()
    shell.read()
    assert (shell.vouched, findings(shell)) == (Verdict.ROLLBACK, ["ROLLBACK"])


@pytest.mark.parametrize(
    "field, lie",
    [("receipt", bytes(64)), ("chain", bytes(32)), ("epoch", 2), ("effective_at_s", 1), ("digest", bytes(32))],
)
def test_a_receipt_that_does_not_verify_is_in_doubt_until_the_pump_is_asked(field: str, lie: object) -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    honest = altered(shell, Committed, lambda answer: answer.model_copy(update={field: lie}))
    assert shell.sign_and_send(DOCTOR) is Phase.IN_DOUBT
    assert shell.visit.word is Word.IN_DOUBT
    assert findings(shell) == ["PUMP_RECEIPT_INVALID"]
    honest()
    shell.read()
    assert shell.visit.word is Word.APPLIED


# -- two persons -------------------------------------------------------------------------------------------------------


def staged_for_two() -> tuple[Bench, VisitShell]:
    bench = Bench(two_persons=("program",))
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR, persons=2)
    return bench, shell


@pytest.mark.parametrize("second", [SECOND, NURSE], ids=["prescriber", "nurse"])
def test_two_persons_sign_one_order(second: object) -> None:
    bench, shell = staged_for_two()
    assert shell.sign_and_send(DOCTOR, second=second) is Phase.APPLIED  # type: ignore[arg-type]
    assert bench.pump.running().dose_ng_per_day == 115_000
    (intent,) = [entry for entry in shell.desk.log.entries() if entry.type == "change.intent"]
    assert len(intent.body["order_sigs"]) == 2


@pytest.mark.parametrize("second", [None, DOCTOR], ids=["nobody", "the author again"])
def test_one_person_is_not_two(second: object) -> None:
    bench, shell = staged_for_two()
    with pytest.raises(SecondPersonNeeded):
        shell.sign_and_send(DOCTOR, second=second)  # type: ignore[arg-type]
    assert bench.pump.running().dose_ng_per_day == 100_000


def test_the_pump_demands_two_also_where_the_tablet_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, shell = staged_for_two()
    monkeypatch.setattr(VisitShell, "_are_enough", lambda self, signers: None)
    with pytest.raises(PumpRefused, match="SECOND_PERSON"):
        shell.sign_and_send(DOCTOR)
    assert bench.pump.running().dose_ng_per_day == 100_000


def test_one_person_at_hand_is_told_before_anything_is_signed() -> None:
    shell = Bench(two_persons=("program",)).shell()
    shell.read()
    shell.propose(dose(115_000))
    with pytest.raises(SecondPersonNeeded):
        shell.check(DOCTOR)
    assert shell.unfinished == []


def test_a_credential_is_shown_once_in_a_session() -> None:
    shell = Bench().shell()
    ask, shown = shell.desk.line.exchange, []

    def noted(message: Message) -> Message:
        shown.append(type(message).__name__)
        return ask(message)

    shell.desk.line.exchange = noted  # type: ignore[method-assign]
    change(shell, 105_000)
    first = shown.count("Present")
    change(shell, 110_000)
    assert first == 4, "digest unknown, tablet wanted, whole credential"
    assert shown.count("Present") == first
