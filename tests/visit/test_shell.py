"""A whole change through every layer, in memory: what the pump holds and what the tablet says must agree."""

import pytest

from programmer.clinical.library import baclofen
from programmer.visit.desk import NotAllowed, ProposalGone, PumpRefused, StaleReading
from programmer.visit.line import LineFault
from programmer.visit.machine import Leaving, NotNow, Phase, Word, lock
from programmer.visit.planning import propose_closing
from protocol.messages import Discrepancy
from tests.bench import DOCTOR, NURSE, Bench, dose, refill


def test_a_dose_change_is_read_back_signed_applied_and_verified() -> None:
    bench = Bench()
    shell = bench.shell()
    status = shell.read()
    assert (status.dose_ng_per_day, status.reservoir_nl) == (100_000, 17_200_000)
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    assert shell.visit.phase is Phase.REVIEW
    assert bench.pump.running().dose_ng_per_day == 100_000, "staging changes nothing"
    assert lock(shell.visit).leaving is Leaving.DROP_FIRST
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert lock(shell.visit).leaving is Leaving.REFUSED
    assert shell.read().dose_ng_per_day == 115_000
    assert shell.visit.phase is Phase.VERIFIED
    shell.leave()
    types = [entry.type for entry in shell.desk.log.entries()]
    expected = [
        "log.genesis",
        "pump.anchor",
        "pump.read",
        "pump.anchor",
        "change.intent",
        "change.outcome",
        "pump.read",
    ]
    assert types == expected


def test_a_new_reading_keeps_the_proposal_that_waits_for_its_signature() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    shell.read()
    assert shell.visit.phase is Phase.REVIEW
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert shell.read().dose_ng_per_day == 115_000


def test_a_nurses_dose_order_is_refused_by_the_pump_itself() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(NURSE)
    with pytest.raises(Exception, match=r"ROLE|role"):
        shell.sign_and_send(NURSE)
    assert bench.pump.running().dose_ng_per_day == 100_000


def test_a_nurses_refill_is_applied_and_the_program_stays() -> None:
    bench = Bench()
    shell = bench.shell()
    before = shell.read()
    shell.propose(refill())
    shell.check(NURSE)
    assert shell.sign_and_send(NURSE) is Phase.APPLIED
    after = shell.read()
    assert shell.visit.phase is Phase.VERIFIED
    assert after.program == before.program
    assert after.reservoir_nl == 20_000_000


def test_a_raw_stage_above_a_hard_limit_is_refused_by_the_pumps_own_limits() -> None:
    shell = Bench().shell()
    shell.read()
    shell.propose(dose(1_201_000))
    with pytest.raises(PumpRefused, match="LIMIT"):
        shell.check(DOCTOR)


def test_writing_on_a_reading_older_than_a_minute_is_refused() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    read_at = shell.visit.reading.at_ms
    shell.desk.line.idle(read_at + 59_000 - bench.clock.ms)
    shell.check(DOCTOR)
    shell.desk.line.idle(read_at + 60_001 - bench.clock.ms)
    with pytest.raises(StaleReading):
        shell.sign_and_send(DOCTOR)


def test_nothing_is_sent_without_a_check() -> None:
    shell = Bench().shell()
    shell.read()
    shell.propose(dose(115_000))
    with pytest.raises(NotNow):
        shell.sign_and_send(DOCTOR)


def test_a_dropped_proposal_leaves_the_pump_as_it_was() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    shell.withdraw()
    assert shell.visit.phase is Phase.READ
    assert bench.pump.state.participant.proposal is None
    shell.leave()


def test_a_person_may_take_more_than_a_minute_to_sign() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    for _ in range(4):
        shell.desk.line.idle(20_500)
        shell.refresh()
        assert shell.visit.phase is Phase.REVIEW
        assert shell.unfinished == [], "the proposal that is being made is not an unfinished one"
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED


def test_a_proposal_whose_session_broke_is_never_signed_and_is_settled_by_reading() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    bench.pipe.cut()
    with pytest.raises(LineFault):
        shell.refresh()
    assert shell.visit.phase is Phase.DANGLING
    assert len(shell.unfinished) == 1
    bench.pipe.heal()
    shell.read()
    assert shell.visit.word is Word.NOT_APPLIED
    assert shell.unfinished == []


def test_a_proposal_that_expired_in_the_pump_is_withdrawn_at_the_next_look() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    shell.desk.line.idle(121_000)
    with pytest.raises(ProposalGone):
        shell.refresh()
    assert shell.visit.phase is Phase.READ
    assert bench.pump.running().dose_ng_per_day == 100_000


def test_an_open_discrepancy_blocks_every_increase_until_a_prescriber_closes_it() -> None:
    bench = Bench()
    shell = bench.shell()
    shell.desk.store.last_refill = lambda patient: None  # type: ignore[method-assign]  # the log of a bench has no table
    shell.read()
    shell.propose(refill(discrepancy=Discrepancy.OPEN))
    shell.check(NURSE)
    shell.sign_and_send(NURSE)
    assert shell.read().discrepancy is Discrepancy.OPEN
    shell.propose(dose(110_000))
    with pytest.raises(PumpRefused, match="DISCREPANCY_OPEN"):
        shell.check(DOCTOR)
    shell.read()
    shell.propose(propose_closing(shell.read(), baclofen(), "measured wrongly, repeated"))
    shell.check(NURSE)
    with pytest.raises(NotAllowed, match="refill-nurse"):
        shell.sign_and_send(NURSE)
    assert shell.read().discrepancy is Discrepancy.OPEN
    shell.propose(propose_closing(shell.read(), baclofen(), "measured wrongly, repeated"))
    shell.check(DOCTOR)
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert shell.read().discrepancy is Discrepancy.CLOSED
    shell.propose(dose(110_000))
    shell.check(DOCTOR)
    assert shell.sign_and_send(DOCTOR) is Phase.APPLIED
    assert "discrepancy.decided" in [entry.type for entry in shell.desk.log.entries()]
