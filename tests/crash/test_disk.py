"""The disk fails at every operation of a change, the log at every entry: never a wrong word, no order unsaved.

The witness sits at the line: when a COMMIT passes, the intent has to be durable in the journal and in the log already.
"""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from programmer.audit.log import Head, MemoryLogStore
from programmer.records.errors import DiskFull
from programmer.visit.desk import NotSaved
from programmer.visit.journal import Journal
from programmer.visit.line import LineFault
from programmer.visit.machine import Leaving, NotNow, Phase, Word, lock
from programmer.visit.shell import VisitShell
from programmer.visit.unfinished import unfinished
from protocol.messages import Commit, Message, StageProgram
from tests.bench import DOCTOR, NURSE, Bench, dose, refill
from tests.visit.disk import CRASH, SHORT, SHORT_FULL, Crash

OLD, NEW = 100_000, 115_000
JOURNAL = Path("/j/journal")
KINDS = (errno.ENOSPC, errno.EIO, errno.EROFS, SHORT, SHORT_FULL, CRASH)


@dataclass
class RefusingLog(MemoryLogStore):
    """A log store whose appends fail from number ``first`` to number ``last``, counted from 1 after ``arm``."""

    first: int = 0
    last: int = 0
    count: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def arm(self, first: int, last: int) -> None:
        self.first, self.last, self.count = first, last, 0

    def append(self, notes: list[bytes], head: Head) -> None:  # type: ignore[override]
        self.count += 1
        if self.first <= self.count <= self.last:
            raise DiskFull("store.db")
        super().append(notes, head)


@dataclass
class Trial:
    """One change on a bench whose disk or log fails; what was seen."""

    bench: Bench
    shell: VisitShell
    sent: int = 0
    refused: str = ""
    crashed: bool = False

    def run(self) -> None:
        line, ask = self.shell.desk.line, self.shell.desk.line.exchange

        def witnessed(message: Message) -> Message:
            if isinstance(message, Commit):
                self.sent += 1
                durable = bytes(self.bench.disk.durable_names[JOURNAL].durable)
                assert b'"type":"intent"' in durable, "the intent is durable before the order leaves"
                logged = [
                    entry.body["txid"] for entry in self.shell.desk.log.entries() if entry.type == "change.intent"
                ]
                assert logged == [message.txid.hex()]
            return ask(message)

        line.exchange = witnessed  # type: ignore[method-assign]
        try:
            self.shell.read()
            self.shell.propose(dose(NEW))
            self.shell.check(DOCTOR)
            self.shell.sign_and_send(DOCTOR)
            self.shell.read()
            self.shell.leave()
        except NotSaved as error:
            self.refused = str(error)
        except Crash:
            self.crashed = True

    @property
    def given(self) -> int:
        return self.bench.pump.running().dose_ng_per_day

    def judge_now(self) -> None:
        word = self.shell.visit.word
        assert self.given == (NEW if self.sent else OLD), "an order that left was applied; none acts without leaving"
        if not self.crashed:
            assert word is (Word.APPLIED if self.sent else word)
            assert word is not Word.APPLIED or self.sent
        assert bool(self.refused) == (not self.sent and not self.crashed), "whoever may not send is told"

    def judge_after_restart(self) -> None:
        self.bench.power_off()
        left = unfinished(Journal.open(JOURNAL, self.bench.disk).records())
        self.bench.power_off()
        shell = self.bench.shell()
        assert self.sent or not any(entry.type == "change.outcome" for entry in self.outcomes(shell, "applied"))
        status = shell.read()
        assert status.dose_ng_per_day == self.given
        assert shell.unfinished == []
        assert shell.not_saved == ""
        word = shell.visit.word
        assert word in (None, Word.APPLIED if self.sent else Word.NOT_APPLIED)
        assert word is not None or not left, "what was open at the start gets its word"
        intents = [entry for entry in shell.desk.log.entries() if entry.type == "change.intent"]
        final = self.outcomes(shell, "applied") + self.outcomes(shell, "not_applied")
        assert len(final) == len(intents), "each signed change has one end in the log"
        assert [entry.body["verdict"] for entry in final] == (
            ["applied"] if self.sent else ["not_applied"] * len(final)
        )
        never = [entry for entry in shell.desk.log.entries() if entry.type == "change.refused"]
        assert len(never) <= 1 - len(intents)
        shell.leave()
        assert shell.desk.journal.records() == ()

    @staticmethod
    def outcomes(shell: VisitShell, verdict: str) -> list:  # type: ignore[type-arg]
        return [
            entry
            for entry in shell.desk.log.entries()
            if entry.type == "change.outcome" and entry.body["verdict"] == verdict
        ]


def operations() -> tuple[int, int]:
    """Disk operations before a change and at its end, compaction included."""
    trial = Trial(bench := Bench(), bench.shell())
    before = bench.disk.operations
    trial.run()
    assert trial.sent == 1
    return before, bench.disk.operations


def fail_at(number: int, kind: int) -> Trial:
    bench = Bench()
    trial = Trial(bench, bench.shell())
    bench.disk.faults = {number: kind}
    trial.run()
    trial.judge_now()
    if trial.sent and kind > 0:
        assert trial.shell.not_saved, "a fact that was not saved is shown"
    bench.disk.faults, bench.disk.full = {}, False
    trial.judge_after_restart()
    return trial


def test_the_disk_fails_at_each_operation_of_a_change_in_each_way() -> None:
    before, end = operations()
    trials = [fail_at(number, kind) for number in range(before + 1, end + 1) for kind in KINDS]
    assert len(trials) == len(KINDS) * (end - before)
    assert any(trial.refused for trial in trials)
    assert any(trial.sent and trial.shell.not_saved for trial in trials)
    assert any(trial.crashed for trial in trials)


LOG_CASES = [
    (1, 1, True), (1, 99, False), (2, 2, True), (2, 99, False), (3, 3, True), (3, 99, False),
    (4, 4, False), (4, 99, False), (5, 5, True), (5, 99, True), (6, 6, True), (6, 99, True),
]  # fmt: skip
"""First and last append that fails, and whether the order leaves: anchor, reading, anchor, intent, outcome, reading."""


def cut_at(bench: Bench, shell: VisitShell, kind: type[Message]) -> None:
    """The wire is cut when this message is about to leave."""
    ask = shell.desk.line.exchange

    def cut(message: Message) -> Message:
        if isinstance(message, kind):
            bench.pipe.cut()
        return ask(message)

    shell.desk.line.exchange = cut  # type: ignore[method-assign]


@pytest.mark.parametrize("first, last, sent", LOG_CASES)
def test_the_log_refuses_an_entry(first: int, last: int, sent: bool) -> None:
    log = RefusingLog()
    bench = Bench(log_store=log)
    trial = Trial(bench, bench.shell())
    log.arm(first, last)
    trial.run()
    assert bool(trial.sent) == sent
    trial.judge_now()
    if sent:
        assert "not saved" in trial.shell.not_saved.lower()
        assert trial.shell.visit.word is Word.APPLIED
    log.arm(0, 0)
    trial.judge_after_restart()


def test_an_outcome_that_the_log_refused_is_written_at_the_next_start_without_the_pump() -> None:
    log = RefusingLog()
    bench = Bench(log_store=log)
    shell = bench.shell()
    shell.read()
    shell.propose(dose(NEW))
    shell.check(DOCTOR)
    log.arm(2, 99)
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert len(shell.desk.store.open_intents()) == 1
    log.arm(0, 0)
    bench.power_off()
    bench.pipe.cut()
    again = bench.shell()
    assert [entry.body["verdict"] for entry in Trial.outcomes(again, "applied")] == ["applied"]
    assert again.desk.store.open_intents() == []


def test_a_change_that_the_log_closed_already_gets_no_second_end() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(NEW))
    shell.check(DOCTOR)
    shell.withdraw()
    size = shell.desk.log.size
    first = shell.desk.journal.records()[:2]
    bench.power_off()
    bench.disk.names.clear()
    bench.disk.durable_names.clear()
    again = bench.shell()
    for record in first:
        again.desk.journal.append(record)
    bench.power_off()
    again = bench.shell()
    assert again.unfinished == []
    assert again.desk.log.size == size, "the log told the end before the crash"
    assert [record["type"] for record in again.desk.journal.records()] == ["staging", "aborted", "closed"]


def test_a_refused_drop_reason_keeps_the_visit_open() -> None:
    log = RefusingLog()
    bench = Bench(log_store=log)
    shell = bench.shell()
    shell.read()
    shell.propose(dose(NEW))
    cut_at(bench, shell, StageProgram)
    with pytest.raises(LineFault):
        shell.check(DOCTOR)
    log.arm(1, 99)
    with pytest.raises(NotSaved, match="stays open"):
        shell.leave(DOCTOR, "wand lost")
    log.arm(0, 0)
    shell.leave(DOCTOR, "wand lost")
    assert len(shell.unfinished) == 1, "a signed reason ends the visit, not the doubt"


def test_injected_drug_stays_open_until_the_pump_knows_it() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.injected()
    with pytest.raises(NotNow, match="not know of"):
        shell.leave()
    bench.power_off()
    again = bench.shell()
    assert [item.serial for item in again.not_written] == ["VP-000421"]
    again.read()
    assert again.visit.injected
    assert lock(again.visit).leaving is Leaving.SIGNED
    again.leave(NURSE, "needle out, patient moved to theatre")
    bench.power_off()
    third = bench.shell()
    assert len(third.not_written) == 1, "a signed reason does not write the pump"
    third.read()
    third.propose(dose(NEW))
    third.check(DOCTOR)
    third.sign_and_send(DOCTOR)
    third.read()
    assert lock(third.visit).leaving is Leaving.SIGNED, "a dose change is not the refill"
    third.propose(refill())
    third.check(NURSE)
    third.sign_and_send(NURSE)
    third.read()
    assert third.not_written == []
    third.leave()
    assert third.desk.journal.records() == ()


def test_an_injection_that_the_journal_refuses_is_still_a_fact_of_this_visit() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    bench.disk.full = True
    shell.injected()
    assert shell.visit.injected
    assert "not saved" in shell.not_saved.lower()


def test_a_visit_leaves_only_what_is_open_in_the_journal() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(NEW))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    shell.read()
    shell.propose(dose(OLD))
    cut_at(bench, shell, StageProgram)
    with pytest.raises(LineFault):
        shell.check(DOCTOR)
    shell.leave(DOCTOR, "wand lost")
    assert [record["type"] for record in shell.desk.journal.records()] == ["staging"]
    bench.power_off()
    again = bench.shell()
    assert [item.now_ng_per_day for item in again.unfinished] == [OLD]
