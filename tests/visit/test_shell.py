"""A whole change through every layer, in memory: what the pump holds and what the tablet says must agree."""

import pytest

from programmer.visit.desk import PumpRefused, StaleReading
from programmer.visit.machine import Leaving, NotNow, Phase, lock
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
