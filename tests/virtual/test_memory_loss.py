"""What a pump still knows, and what it does, when a part of its memory is lost; and at the end of its counter."""

from dataclasses import replace

import pytest

from drivers.virtual import alarms, nvm, record
from protocol.event_codes import EventCode
from protocol.messages import Abort, Aborted, Alarm, Indeterminate, Mode, NotApplied, Query, Refusal, Staged
from tests.virtual.clinic import START_MS, START_S, Visit, make_host, new_txid, program, tx_named

TX = tx_named("tx")


@pytest.fixture
def host():
    return make_host()


@pytest.fixture
def visit(host):
    return Visit(host.feed).connect()


def _reboot(host, state=None, staged=None):
    clock = host.clock_ms(0)
    return make_host(state=host.firmware.boot(state or host.state, clock, staged), boots=1)


def _rotten(state, *slots, at=20):
    """The memory with a bit turned in each of these slots."""
    image = bytearray(state.image)
    for slot in slots:
        image[slot * nvm.SLOT_SIZE + at] ^= 1
    return replace(state, image=bytes(image))


def _is_safe(after, now):
    """Minimum rate, no dose claimed, alarms of high priority, nothing to be staged; a visit to ask more."""
    again = Visit(after.feed, now).connect()
    s = again.status()
    assert (s.mode, s.dose_ng_per_day, s.flow_nl_per_day) == (Mode.SAFE_STATE, 0, 6_000)
    assert s.alarms == Alarm.MEMORY | Alarm.SAFE_STATE
    book = after.state.alarms
    assert {a.code: alarms.priority(a, START_MS) for a in book.active} == {
        "MEMORY_CRITICAL": "HIGH",
        "MINIMUM_RATE": "HIGH",
    }
    assert again.ask(again.stage_message(new_txid(), s, program())).reasons == (Refusal.SAFE_STATE,)
    assert EventCode.MEMORY_CRITICAL in {e.code for e in after.state.log.entries}
    return again


def test_both_slots_bad_is_the_safe_state(host, visit):
    """What is in the rings is still told; of anything else nobody can say whether it was put in force."""
    outcomes = {tx_named(f"known {n}"): None for n in range(3)}
    for n, txid in enumerate(outcomes):
        outcomes[txid] = visit.order(program(100_000 + n), txid=txid)
    visit.ask(Query(txid=TX, base_epoch=3))
    after = _reboot(host, _rotten(host.state, 0, 1))
    again = _is_safe(after, visit.now)
    for txid, outcome in outcomes.items():
        assert again.ask(Query(txid=txid, base_epoch=2)) == outcome
    assert again.ask(Query(txid=TX, base_epoch=3)) == NotApplied(txid=TX), "its tombstone is there"
    for epoch in (0, 3, 9):
        asked = Query(txid=tx_named("unknown"), base_epoch=epoch)
        assert again.ask(asked) == Indeterminate(txid=asked.txid, oldest_epoch=1)
    assert again.ask(Abort(txid=tx_named("unknown"))).reasons == (Refusal.UNKNOWN_TX,)


def test_a_pump_without_any_order_that_loses_its_memory_knows_nothing(host, visit):
    again = _is_safe(_reboot(host, _rotten(host.state, 0)), visit.now)
    assert isinstance(again.ask(Query(txid=TX, base_epoch=0)), Indeterminate)


@pytest.mark.parametrize("orders", [1, 2, 3])
@pytest.mark.parametrize("at", [0, 5, 20])
def test_the_newest_slot_lost_is_noticed_and_the_older_program_does_not_run(host, visit, orders, at):
    """The ring is ahead of the slot that is left; it also holds the outcome, so the answer is the true one."""
    for n in range(orders):
        outcome = visit.order(program(100_000 + n), txid=tx_named(f"order {n}"))
    newest = nvm.boot(host.state.image).current.index
    after = _reboot(host, _rotten(host.state, newest, at=at))
    again = _is_safe(after, visit.now)
    assert again.status().epoch == orders
    assert again.ask(Query(txid=outcome.txid, base_epoch=orders - 1)) == outcome
    assert again.ask(Query(txid=TX, base_epoch=orders)) == NotApplied(txid=TX)


def test_no_flipped_bit_of_the_newest_slot_puts_the_older_program_back(host, visit):
    visit.order(program(110_000), txid=TX)
    visit.order(program(120_000), txid=tx_named("second"))
    newest = nvm.boot(host.state.image).current
    for byte in range(nvm.OVERHEAD + len(newest.body)):
        booted = record.boot(_rotten(host.state, newest.index, at=byte).image)
        assert (booted.health, booted.record) == (nvm.Health.NEWEST_LOST, None)
        assert booted.memory.epoch == 2
        assert booted.memory.outcome(tx_named("second")) is not None


def test_no_flipped_bit_of_the_older_slot_costs_more_than_the_spare(host, visit):
    first = visit.order(program(110_000), txid=TX)
    visit.order(program(120_000), txid=tx_named("second"))
    newest = nvm.boot(host.state.image).current
    for byte in range(nvm.OVERHEAD + len(nvm.boot(host.state.image).previous.body)):
        booted = record.boot(_rotten(host.state, 1 - newest.index, at=byte).image)
        if booted.health is nvm.Health.NEWEST_LOST:  # its number now claims to be the newer one: nobody can tell
            assert 5 <= byte < 9
            assert booted.memory.lost
        else:
            assert (booted.health, booted.record.program) == (nvm.Health.SLOT_BAD, program(120_000))
        assert booted.memory.outcome(TX) == first


def test_the_newest_slot_and_its_place_in_the_ring_lost_is_noticed_by_its_mark(host, visit):
    visit.order(program(100_000), txid=tx_named("order 0"))
    lost = visit.order(program(110_000), txid=tx_named("order 1"))
    state = _rotten(host.state, nvm.boot(host.state.image).current.index)
    image = bytearray(state.image)
    image[nvm.OUTCOMES.start + nvm.OUTCOMES.stride + 20] ^= 1
    again = _is_safe(_reboot(host, replace(state, image=bytes(image))), visit.now)
    assert isinstance(again.ask(Query(txid=lost.txid, base_epoch=1)), Indeterminate)
    assert isinstance(again.ask(Query(txid=TX, base_epoch=2)), Indeterminate)


def test_a_cut_between_the_slot_and_the_ring_is_completed_at_boot(host, visit):
    old = host.state
    visit.order(program(110_000), txid=TX)
    writes = record.decision_writes(old.image, 1, host.state.record)
    torn = replace(old, image=nvm.apply_writes(old.image, writes[:-1]))
    booted = host.firmware.boot(torn, host.clock_ms(0))
    assert booted.image[: nvm.TRUST.start] == host.state.image[: nvm.TRUST.start]
    assert booted.participant.memory == host.state.participant.memory


def test_upon_the_last_epoch_nothing_is_staged_and_everything_is_told(host, visit):
    """The pump has reached 2^32 - 1: it refuses by a word, is read as ever, and delivers on."""
    full = host.firmware.manufacture(clock_ms=START_MS, program=program(100_000), fill_nl=20_000_000, tag=2**32 - 2)
    after = _reboot(host, full)
    again = Visit(after.feed, visit.now).connect()
    assert again.order(program(101_000), txid=tx_named("the last")).epoch == 2**32 - 1
    s = again.status()
    assert (s.epoch, s.dose_ng_per_day) == (2**32 - 1, 101_000)
    assert again.ask(again.stage_message(TX, s, program())).reasons == (Refusal.MEMORY,)
    assert again.ask(Query(txid=TX, base_epoch=2**32 - 1)) == NotApplied(txid=TX)


def test_seventy_dropped_proposals_stay_forbidden_through_a_restart(host, visit):
    """The ring has 64 places: what gave way is forbidden by the floor, which is as durable."""
    dropped = [(START_S - 100 + n).to_bytes(4, "big") + tx_named(f"dropped {n}")[4:] for n in range(70)]
    for txid in dropped:
        assert visit.ask(Abort(txid=txid)) == Aborted(txid=txid)
    after = _reboot(host)
    assert after.state.participant.memory == host.state.participant.memory
    assert after.state.participant.memory.tx_floor == START_S - 100 + 7
    again = Visit(after.feed, visit.now).connect()
    for number, txid in enumerate(dropped):
        if number % 4 == 0:
            again.connect()  # five refusals end a session
        assert again.ask(again.stage_message(txid, again.status(), program())).reasons == (Refusal.TX_USED,)
    assert isinstance(again.ask(again.stage_message(TX, again.status(), program())), Staged)
