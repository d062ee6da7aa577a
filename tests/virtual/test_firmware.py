"""The whole pump over its own wire: a tablet connection on one side, the host on the other, memory between."""

from dataclasses import replace

import pytest

from drivers.virtual import nvm, physics, record
from drivers.virtual.physics import TRUE_NL
from drivers.virtual.pump import Gain, Needle
from protocol.event_codes import EventCode
from protocol.events import WandFound
from protocol.messages import (
    Abort,
    Aborted,
    Alarm,
    Close,
    Closed,
    Committed,
    Discrepancy,
    GetEvents,
    Mode,
    NotApplied,
    Query,
    ReadBack,
    Refusal,
    Refused,
    SilenceAlarm,
    Silenced,
    Staged,
    encode_message,
)
from protocol.order import receipt_of, verifies
from tests.virtual.clinic import (
    IMPLANTER,
    NURSE,
    PHYSICIAN,
    START_S,
    STRANGER,
    Visit,
    ed_public,
    key,
    make_host,
    program,
    refill,
    tx_named,
)

DAY_MS = 86_400_000
TX = tx_named("tx")


@pytest.fixture
def host():
    return make_host()


@pytest.fixture
def visit(host):
    return Visit(host.feed).connect()


def _codes(host):
    return [e.code for e in host.state.log.entries]


def test_the_wand_names_itself_and_the_simulated_time(host):
    visit = Visit(host.feed)
    host.advance(3_600_000, 0)
    visit.tablet.connect(0)
    identity = visit._run(WandFound).identity
    assert (identity.virtual, identity.model, identity.simulated_time_s) == (True, "VIRTUAL-WAND", START_S + 3600)


def test_status_of_a_fresh_pump(visit):
    s = visit.status()
    assert (s.dose_ng_per_day, s.flow_nl_per_day, s.reservoir_nl, s.epoch) == (100_000, 200_000, 20_000_000, 0)
    assert (s.mode, s.alarms, s.staged, s.profile, s.battery_mv) == (Mode.SIMPLE, 0, False, 1, 3600)
    assert (s.pump_time_s, s.filled_nl, s.delivered_nl) == (START_S, 20_000_000, 0)


def test_dose_change_is_applied_with_a_receipt_that_verifies(host, visit):
    host.advance(14 * DAY_MS, visit.now)
    done = visit.order(program(115_000))
    assert isinstance(done, Committed)
    s = visit.status()
    assert (s.dose_ng_per_day, s.flow_nl_per_day, s.epoch, s.reservoir_nl) == (115_000, 230_000, 1, 17_200_000)
    host.advance(14 * DAY_MS, visit.now)
    assert visit.status().reservoir_nl == 17_200_000 - 14 * 230_000
    assert EventCode.PROGRAM_IN_FORCE in _codes(host)


def test_the_receipt_is_bound_to_the_signatures(host, visit):
    status = visit.status()
    stage = visit.stage_message(TX, status, program())
    staged = visit.ask(stage)
    report = visit.ask(ReadBack(txid=TX))
    assert (report.flow_nl_per_day, report.total_24h_fg) == (230_000, 230_000 * 500_000)
    visit.present(PHYSICIAN)
    commit = visit.commit(stage, staged, report, status, PHYSICIAN)
    done = visit.ask(commit)
    receipt = receipt_of(done, host.firmware.identity.realm, "VP-0007", commit.signatures)
    assert verifies(ed_public(key("receipt")), receipt.encode(), done.receipt)
    assert visit.ask(commit) == done  # a repeated COMMIT returns the recorded outcome
    assert visit.ask(Query(txid=TX, base_epoch=0)) == done
    assert visit.ask(Abort(txid=TX)) == done


@pytest.mark.parametrize(
    "signer, new, reason",
    [
        (NURSE, program(110_000), Refusal.ROLE),
        (IMPLANTER, program(110_000), Refusal.ROLE),
        (STRANGER, program(110_000), Refusal.ROOT_UNKNOWN),
        (NURSE, refill(discrepancy=Discrepancy.CLOSED), Refusal.ROLE),
    ],
)
def test_rights_are_the_pumps_own(host, visit, signer, new, reason):
    before = host.state.image[: 2 * nvm.SLOT_SIZE]
    answer = visit.order(new, signer)
    assert isinstance(answer, Refused)
    assert answer.reasons == (reason,)
    assert host.state.image[: 2 * nvm.SLOT_SIZE] == before


@pytest.mark.parametrize("signer", [NURSE, IMPLANTER, PHYSICIAN])
def test_a_refill_by_each_who_may(host, visit, signer):
    host.advance(25 * DAY_MS, visit.now)
    assert isinstance(visit.order(refill(19_500_000), signer), Committed)
    s = visit.status()
    assert (s.reservoir_nl, s.filled_nl, s.filled_at_s, s.dose_ng_per_day) == (
        19_500_000,
        19_500_000,
        s.pump_time_s,
        100_000,
    )
    assert host.truth(visit.now)["true_reservoir_nl"] == 19_500_000


@pytest.mark.parametrize(
    "new, reason",
    [
        (program(1_300_000), Refusal.LIMIT_DOSE_HIGH),
        (program(141_000), Refusal.LIMIT_STEP_UP),
        (program(49_000), Refusal.LIMIT_STEP_DOWN),
        (program(20_000), Refusal.LIMIT_FLOW_LOW),
        (program(100_000, alarm=900_000), Refusal.LIMIT_ALARM_VOLUME),
        (program(100_000, conc=2_000_000), Refusal.LIMIT_CONCENTRATION),
        (refill(20_000_001), Refusal.LIMIT_CAPACITY),
        (program(115_000).model_copy(update={"mode": Mode.STOPPED}), Refusal.UNSUPPORTED),
    ],
)
def test_a_raw_stage_beyond_a_hard_limit_is_refused(visit, new, reason):
    answer = visit.ask(visit.stage_message(TX, visit.status(), new))
    assert isinstance(answer, Refused)
    assert reason in answer.reasons
    assert not visit.status().staged


def test_any_altered_field_of_the_order_is_refused(host, visit):
    for field, value in (
        ("token", bytes(8)),
        ("digest", bytes(32)),
        ("head", bytes(15) + b"\1"),
        ("signatures", (bytes(64),)),
        ("signatures", (bytes(64), bytes(64))),
    ):
        txid = tx_named(f"altered {field} {value!r}")
        status = visit.connect().status()
        stage = visit.stage_message(txid, status, program())
        staged, report = visit.ask(stage), visit.ask(ReadBack(txid=txid))
        visit.present(PHYSICIAN)
        commit = visit.commit(stage, staged, report, status, PHYSICIAN)
        answer = visit.ask(commit.model_copy(update={field: value}))
        assert isinstance(answer, Refused)
        assert isinstance(visit.ask(commit), Refused)  # a refused transaction is over
    assert visit.status().epoch == 0


def test_open_discrepancy_blocks_increases_until_a_prescriber_closes_it(visit):
    assert isinstance(visit.order(refill(20_000_000, Discrepancy.OPEN), NURSE), Committed)
    assert visit.status().discrepancy is Discrepancy.OPEN
    assert visit.order(program(110_000)).reasons == (Refusal.DISCREPANCY_OPEN,)
    assert isinstance(visit.order(program(95_000)), Committed)
    assert isinstance(visit.order(refill(20_000_000), NURSE), Committed)
    assert visit.status().discrepancy is Discrepancy.OPEN
    assert isinstance(visit.order(refill(20_000_000, Discrepancy.CLOSED)), Committed)
    assert isinstance(visit.order(program(100_000)), Committed)


def test_low_alarm_at_its_time_silenced_for_two_minutes_and_cleared_by_a_refill(host, visit):
    host.advance(90 * DAY_MS - 1, visit.now)
    assert visit.status().alarms == 0
    host.advance(1, visit.now)
    s = visit.status()
    assert (s.alarms, s.silenced, s.reservoir_nl) == (Alarm.LOW_RESERVOIR, 0, 2_000_000)
    raised = [e for e in host.state.log.entries if e.code is EventCode.ALARM_RAISED]
    assert [(e.at_ms, e.value) for e in raised] == [(START_S * 1000 + 90 * DAY_MS, 1)]
    assert visit.ask(SilenceAlarm(alarm=1)) == Silenced(alarm=1, seconds=120)
    assert visit.status().silenced == 1
    assert visit.ask(SilenceAlarm(alarm=2)).reasons == (Refusal.NO_SUCH_ALARM,)
    host.advance(120_000, visit.now)
    assert (visit.status().silenced, visit.status().alarms) == (0, 1)
    assert EventCode.ALARM_RESOUNDED in _codes(host)
    visit.order(refill(), NURSE)
    assert visit.status().alarms == 0


def test_empty_counts_the_gap(host, visit):
    host.advance(101 * DAY_MS, visit.now)
    s = visit.status()
    assert (s.alarms, s.reservoir_nl, s.gap_s) == (3, 0, 86_400)


def test_reading_changes_nothing_that_lasts(host, visit):
    saves = []
    visit.status()
    host.persist = saves.append
    before = replace(host.state, session=None)
    for _ in range(50):
        visit.status()
        visit.ask(GetEvents(cursor=0))
    assert replace(host.state, session=None) == before
    assert saves == []


def test_status_and_event_pages_fit_their_frames(host, visit):
    host.advance(101 * DAY_MS, visit.now)
    for n in range(40):
        if n % 8 == 0:
            visit.connect()
        visit.ask(SilenceAlarm(alarm=4 if n % 2 else 1))
    cursor, seen = 0, []
    while cursor < visit.status().events_next:
        page = visit.ask(GetEvents(cursor=cursor))
        assert len(encode_message(0xFFFF, page)) <= 232
        assert page.first == cursor
        seen += page.items
        cursor = page.next
    assert len(seen) == host.state.log.next_seq
    visit.status()
    visit.sent = visit.got = 0
    visit.status()
    assert visit.sent + visit.got <= 210


def test_over_gain_empties_the_true_reservoir_first(host, visit):
    host.act(Gain(25_000), visit.now)
    host.advance(25 * DAY_MS, visit.now)
    truth = host.truth(visit.now)
    assert (truth["reservoir_nl"], truth["true_reservoir_nl"]) == (15_000_000, 14_875_000)


def test_hands_move_the_syringe_and_the_order_moves_only_the_model(host, visit):
    host.act(Needle(None, 19_000_000), visit.now)
    assert visit.status().reservoir_nl == 20_000_000
    visit.order(refill(20_000_000), NURSE)
    truth = host.truth(visit.now)
    assert (truth["reservoir_nl"], truth["true_reservoir_nl"]) == (20_000_000, 19_000_000)
    p = host.state.physics
    assert p.fluid.accounted == p.fluid.filled
    dead, tubing, catheter = 1_400_000, 140_000, 800 * 220
    assert p.fluid.filled.volume == (39_000_000 + dead + tubing + catheter) * TRUE_NL


def test_a_proposal_expires_after_120_s_and_dies_with_its_session(host, visit):
    status = visit.status()
    assert isinstance(visit.ask(visit.stage_message(TX, status, program())), Staged)
    for _ in range(119):
        visit.now += 1_000
        visit.status()
    assert visit.status().staged
    visit.now += 1_000
    assert not visit.status().staged
    assert visit.ask(ReadBack(txid=TX)).reasons == (Refusal.EXPIRED,)
    other = tx_named("tx 2")
    visit.ask(visit.stage_message(other, status, program()))
    visit.connect()
    assert visit.ask(Query(txid=other, base_epoch=0)) == NotApplied(txid=other)
    assert EventCode.STAGE_DROPPED in _codes(host)


def test_a_proposal_expires_on_an_otherwise_silent_line_too(host, visit):
    visit.ask(visit.stage_message(TX, visit.status(), program()))
    assert host.next_timeout() == visit.now + 5_000
    visit.now += 120_000
    host.tick(visit.now)
    assert host.state.participant.proposal is None
    assert TX in host.state.participant.memory.tombstones


def test_while_forty_programs_are_staged_the_running_one_delivers_to_the_step():
    quiet, busy = make_host(), make_host()
    visit = Visit(busy.feed).connect()
    for n in range(40):
        txid = tx_named(f"staged {n}")
        visit.ask(visit.stage_message(txid, visit.status(), program(105_000 + n)))
        visit.ask(ReadBack(txid=txid))
        for host in (quiet, busy):
            host.advance(977_000, visit.now)
        steps = [physics.motor_steps(h.state.physics, 500 * physics.NL) for h in (quiet, busy)]
        assert steps[0] == steps[1] > 0
    assert busy.state.physics == quiet.state.physics


def test_a_reply_sent_as_a_request_is_refused(visit):
    assert visit.ask(Aborted(txid=TX)).reasons == (Refusal.UNSUPPORTED,)


def test_abort_and_a_used_txid(visit):
    stage = visit.stage_message(TX, visit.status(), program())
    visit.ask(stage)
    assert visit.ask(Abort(txid=TX)) == Aborted(txid=TX)
    assert visit.ask(stage).reasons == (Refusal.TX_USED,)


def test_two_tablets_exactly_one_wins(visit):
    stale = visit.status()
    assert isinstance(visit.order(program(110_000)), Committed)
    answer = visit.ask(visit.stage_message(TX, stale, program(115_000)))
    assert answer.reasons == (Refusal.EPOCH,)


def test_session_ends_orderly_or_is_counted_as_interrupted(host, visit):
    assert isinstance(visit.ask(Close(requests=0)), Closed)
    visit.connect().status()
    visit.now += 5_000
    host.tick(visit.now)
    assert (host.state.session, host.state.counters.interrupted) == (None, 1)
    visit.connect()
    assert visit.status().interrupted == 1


def test_second_signer_needs_a_first(visit):
    assert visit.present(NURSE, 1).reasons == (Refusal.MALFORMED,)
    visit.present(PHYSICIAN)
    assert visit.present(NURSE, 1).position == 1


def _reboot(host, state=None, staged=None):
    clock = host.clock_ms(0)
    return make_host(state=host.firmware.boot(state or host.state, clock, staged), boots=1)


def test_program_outcomes_and_log_survive_a_restart(host, visit):
    outcomes = {}
    for n, dose in enumerate((105_000, 110_000, 115_000, 120_000)):
        txid = tx_named(f"kept {n}")
        outcomes[txid] = visit.order(program(dose), txid=txid)
    visit.ask(Query(txid=TX, base_epoch=4))
    after = _reboot(host)
    assert after.state.participant.memory == host.state.participant.memory
    again = Visit(after.feed, visit.now).connect()
    s = again.status()
    assert (s.dose_ng_per_day, s.epoch, s.resets) == (120_000, 4, 1)
    for txid, outcome in outcomes.items():
        assert again.ask(Query(txid=txid, base_epoch=0)) == outcome
    assert again.ask(again.stage_message(TX, s, program())).reasons == (Refusal.TX_USED,)


def test_forty_orders_keep_thirty_two_outcomes_through_a_restart(host, visit):
    for n in range(40):
        txid = (START_S - 40 + n).to_bytes(4, "big") + tx_named(f"many {n}")[4:]
        assert isinstance(visit.order(program(100_000 + n % 2), txid=txid), Committed)
    after = _reboot(host)
    assert after.state.participant.memory == host.state.participant.memory
    assert len(after.state.participant.memory.outcomes) == 32


def test_what_was_staged_at_a_restart_can_never_be_committed(host, visit):
    visit.ask(visit.stage_message(TX, visit.status(), program()))
    after = _reboot(host, staged=TX)
    again = Visit(after.feed, visit.now).connect()
    assert again.ask(again.stage_message(TX, again.status(), program())).reasons == (Refusal.TX_USED,)


@pytest.mark.parametrize("remainder", [None, lambda n: b"\xff" * n, lambda n: key("noise")[:1] * n])
def test_power_lost_at_every_byte_of_a_commit_is_whole_old_or_whole_new(host, visit, remainder):
    for n in range(3):
        visit.order(program(100_000 + n), txid=tx_named(f"before {n}"))
    old = host.state
    visit.order(program(110_000), txid=TX)
    writes = record.decision_writes(old.image, 4, host.state.record)
    assert nvm.apply_writes(old.image, writes) == host.state.image
    doses = set()
    for k in range(sum(len(w.data) for w in writes) + 1):
        torn = replace(old, image=nvm.apply_writes(old.image, writes, k, remainder))
        booted = host.firmware.boot(torn, host.clock_ms(0))
        dose = host.firmware.running(booted).dose_ng_per_day
        doses.add(dose)
        flow = {100_002: 200_004, 110_000: 220_000}[dose]
        assert booted.physics.flow.rates == (flow,)
        kept = {o.txid for o in booted.participant.memory.outcomes}
        assert kept == {tx_named(f"before {n}") for n in range(3)} | ({TX} if dose == 110_000 else set())
    assert doses == {100_002, 110_000}


def test_one_slot_bad_is_told_and_the_other_is_in_force(host, visit):
    visit.order(program(110_000))
    image = bytearray(host.state.image)
    image[20] ^= 1
    after = _reboot(host, replace(host.state, image=bytes(image)))
    s = Visit(after.feed, visit.now).connect().status()
    assert (s.dose_ng_per_day, s.alarms) == (110_000, Alarm.MEMORY)
