"""The edges of a visit: alarms, log pages, a link lost before COMMIT, a store that cannot be asked, two changes."""

import pytest

from programmer.records.errors import StoreDamaged
from programmer.visit.desk import NoCredential, PumpRefused
from programmer.visit.line import LineFault
from programmer.visit.machine import NotNow, Phase, Visit, Withdraw, Word, step
from programmer.visit.shell import VisitShell
from protocol.messages import Alarm, Present
from tests.bench import DOCTOR, PATIENT, Bench, TestSigner, dose

STRANGER = TestSigner("clinic.example/sim/staff/dr-x", "prescriber", b"\x3a" * 32)


def staged() -> tuple[Bench, VisitShell]:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    return bench, shell


def test_an_alarm_is_paused_and_one_that_is_not_there_is_refused() -> None:
    bench = Bench(days=92)
    shell = bench.shell()
    assert shell.read().alarms & Alarm.LOW_RESERVOIR
    assert shell.silence(Alarm.LOW_RESERVOIR) > 0
    with pytest.raises(PumpRefused, match="NO_SUCH_ALARM"):
        shell.silence(Alarm.STALL)


def test_a_page_of_the_pumps_log_is_written_into_the_signed_log() -> None:
    shell = Bench().shell()
    status = shell.read()
    page = shell.read_events(status.events_first)
    (entry,) = [entry for entry in shell.desk.log.entries() if entry.type == "pump.events"]
    assert len(entry.body["items"]) == len(page.items) > 0


def test_a_link_lost_while_the_key_is_shown_leaves_a_proposal_and_no_order() -> None:
    bench, shell = staged()
    ask = shell.desk.line.exchange

    def cut(message: object) -> object:
        if isinstance(message, Present):
            bench.pipe.cut()
        return ask(message)

    shell.desk.line.exchange = cut
    assert shell.sign_and_send(DOCTOR) is Phase.DANGLING
    assert shell.visit.word is Word.NOT_APPLIED
    with pytest.raises(LineFault):
        shell.read()
    bench.pipe.heal()
    shell.read()
    assert (shell.unfinished, shell.visit.word) == ([], Word.NOT_APPLIED)
    assert bench.pump.running().dose_ng_per_day == 100_000


def test_a_link_lost_while_settling_says_so_and_keeps_the_doubt() -> None:
    bench, shell = staged()
    ask = shell.desk.line.exchange

    def cut(message: object) -> object:
        if type(message).__name__ in ("Commit", "Query"):
            bench.pipe.cut()
        return ask(message)

    shell.desk.line.exchange = cut
    assert shell.sign_and_send(DOCTOR) is Phase.IN_DOUBT
    bench.pipe.heal()
    with pytest.raises(LineFault):
        shell.read()
    assert (shell.visit.word, len(shell.unfinished)) == (Word.IN_DOUBT, 1)
    verdicts = [entry.body["verdict"] for entry in shell.desk.log.entries() if entry.type == "change.outcome"]
    assert verdicts == ["in_doubt"]


def test_a_person_without_a_credential_sends_no_order() -> None:
    _, shell = staged()
    with pytest.raises(NoCredential, match=r"no credential of clinic\.example/sim/staff/dr-x"):
        shell.sign_and_send(STRANGER)
    assert shell.visit.phase is Phase.REVIEW
    shell.withdraw()
    assert shell.visit.phase is Phase.READ


def test_a_store_that_cannot_be_asked_leaves_the_end_to_the_next_start() -> None:
    bench, shell = staged()

    def damaged() -> None:
        raise StoreDamaged("store.db")

    shell.desk.store.open_intents = damaged
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert "not saved" in shell.not_saved.lower()
    bench.power_off()
    again = bench.shell()
    assert again.desk.store.open_intents() == []
    assert again.desk.journal.records()[-1]["type"] == "closed"


def test_a_patients_key_may_come_after_the_reading() -> None:
    bench = Bench(key=None)
    shell = bench.shell()
    shell.read()
    assert shell.subject is not None
    assert shell.subject.key is None
    shell.unlock_patient(PATIENT, b"\x41" * 32, "908e40c8")
    assert shell.subject.key == b"\x41" * 32


def test_a_draft_is_withdrawn_without_the_pump_and_nothing_is_asked_too_early() -> None:
    shell = Bench().shell()
    with pytest.raises(NotNow, match="Read the pump first"):
        shell.propose(dose(115_000))
    shell.read()
    shell.propose(dose(115_000))
    shell.withdraw()
    assert shell.visit.phase is Phase.READ
    with pytest.raises(NotNow):
        step(Visit(), Withdraw())


def test_two_changes_of_one_visit_each_have_their_end() -> None:
    bench, shell = staged()
    shell.sign_and_send(DOCTOR)
    shell.read()
    bench.pump.host.advance(86_400_000, bench.clock.ms)
    shell.read()
    shell.propose(dose(100_000))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    assert shell.read().dose_ng_per_day == 100_000
    verdicts = [entry.body["verdict"] for entry in shell.desk.log.entries() if entry.type == "change.outcome"]
    assert verdicts == ["applied", "applied"]
