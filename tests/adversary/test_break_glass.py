"""Break-glass explored breadth first on the real firmware: no trace of its acts raises delivery.

A state is the whole pump; two are the same where all that decides what follows is the same: session, act in force,
how long nothing was delivered, how long ago each act was, the alarms. The volume in the reservoir counts by its
thresholds only. ``HOURS`` of the small steps decide whether the world closes: with twelve hours every reachable state
is found, with one hour all traces up to a depth.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from drivers.virtual import physics
from drivers.virtual.breakglass import ACTS_A_DAY, DAY_MS, GAP_MS, HOUR_MS, KEPT_MS, RIGHTS
from drivers.virtual.eventlog import CAPACITY, EventLog
from drivers.virtual.firmware import Firmware
from drivers.virtual.pump import Arrived, Asked, Ended, Event, Needle, PumpState, Reply, Tick, Use
from drivers.virtual.rules import achieved_rate
from drivers.virtual.state import StateFile, capture
from programmer.visit.desk import PumpRefused
from programmer.visit.line import UnknownPump
from protocol import messages as m
from protocol.event_codes import EventCode
from protocol.messages import EmergencyAct
from protocol.participant import Memory, Participant
from protocol.session import SessionKind
from tests.adversary.world import OTHER, STAGE
from tests.virtual.clinic import START_MS, provision

MINUTE_MS = 60_000
MADE = provision()
FIRMWARE = Firmware(MADE.identity())
START = FIRMWARE.manufacture(clock_ms=START_MS, program=MADE.first_program(), fill_nl=MADE.fill_nl)
SIGNED = achieved_rate(MADE.first_program(), FIRMWARE.identity.profile)


@dataclass(frozen=True)
class Act:
    """One thing that somebody with the card, or time, does."""

    name: str
    event: Event | None = None
    wait_ms: int = 0
    reset: bool = False
    in_session: bool = False


def asked(message: m.Message, contact_ms: int) -> Asked:
    return Asked(message, bytes(range(32)), contact_ms, 0)


def emergency(act: EmergencyAct) -> m.Emergency:
    return m.Emergency(act=act, name="R. Doe", reason="overdose", phone="112")


def acts(hours: int) -> tuple[Act, ...]:
    """What can happen next; ``hours`` is the small step of time."""
    others: tuple[m.Message, ...] = (
        STAGE, m.Commit(txid=OTHER.txid, token=bytes(8), digest=bytes(32), head=bytes(16), signatures=(bytes(64),)),
        m.Present(position=0, credential=bytes(32)), m.Query(txid=STAGE.txid, base_epoch=0), m.SilenceAlarm(alarm=4),
        m.Pair(tablet_id="NEW"), m.ConfirmPattern(pattern=bytes(6)),
    )  # fmt: skip
    return (
        Act("break-glass opens", Arrived("", bytes(32), SessionKind.BREAK_GLASS)),
        Act("pairing opens", Arrived("", bytes(32), SessionKind.PAIRING, bytes(32))),
        Act("closed", Ended(True), in_session=True),
        Act("lost", Ended(False), in_session=True),
        Act("status", asked(m.GetStatus(), 0), in_session=True),
        Act("events", asked(m.GetEvents(cursor=0), 0), in_session=True),
        *(
            Act(f"{act.name} after {contact} s", asked(emergency(act), contact * 1_000), in_session=True)
            for act in EmergencyAct
            for contact in (59, 60)
        ),
        *(Act(type(other).__name__, asked(other, 60_000), in_session=True) for other in others),
        *(
            Act(f"wait {ms // MINUTE_MS} min", Tick(), ms)
            for ms in (hours * HOUR_MS, DAY_MS, GAP_MS - MINUTE_MS, GAP_MS + MINUTE_MS)
        ),
        Act("power fails", reset=True),
        Act("the reservoir is emptied", Needle(None, 0)),
        Act("the reservoir is filled", Needle(None, 20_000_000)),
    )


def booted(state: PumpState, clock: int) -> PumpState:
    """The pump after its power failed: what the state file holds comes back, nothing else."""
    bare = replace(state, session=None, record=None, participant=Participant(Memory()), verified=())
    return FIRMWARE.boot(bare, clock)


def at(state: PumpState) -> int:
    return state.physics.now_ms


def young(state: PumpState) -> tuple[Use, ...]:
    return tuple(use for use in state.uses if use.at_ms > at(state) - DAY_MS)


def same(state: PumpState) -> object:
    """What decides everything that follows."""
    since = state.counters.stopped_ms
    gap = None if since is None else min(at(state) - since, GAP_MS + 1)
    ages = tuple(sorted((int(use.act or 0), at(state) - use.at_ms) for use in young(state)))
    session = None if state.session is None else (state.session.kind, state.session.refused, state.session.pattern)
    p = state.physics
    return session, state.override, gap, ages, p.low, p.empty, p.ended, tuple(a.code for a in state.alarms.active)


def does(state: PumpState, act: Act) -> tuple[PumpState, m.Message | None]:
    """The pump after an act, and its answer. A fifth refusal ends the session, as the connection does."""
    clock = at(state) + act.wait_ms
    if act.reset:
        return booted(state, clock), None
    assert act.event is not None
    after, out = FIRMWARE.step(state, act.event, clock, clock)
    answer = next((item.message for item in out if isinstance(item, Reply)), None)
    if isinstance(answer, m.Refused) and m.Refusal.SESSION_OVER in answer.reasons:
        after, _ = FIRMWARE.step(after, Ended(False), clock, clock)
    return after, answer


def check(before: PumpState, act: Act, after: PumpState, answer: m.Message | None) -> None:
    """What must hold of every single step."""
    rate, was = physics.read(after.physics).rate_nl_day, physics.read(before.physics).rate_nl_day
    done = answer if isinstance(answer, m.EmergencyDone) else None
    running = FIRMWARE.running(after)
    assert rate <= SIGNED, "never above the last signed program"
    assert running.dose_ng_per_day <= MADE.first_program().dose_ng_per_day
    assert achieved_rate(running, FIRMWARE.identity.profile) <= SIGNED
    assert rate <= was or (done is not None and done.act is EmergencyAct.RESUME), "only a resume brings delivery back"
    assert after.record == START.record, "no act touches the signed program"
    assert after.participant.memory.epoch == 0
    assert after.paired == ()
    old = tuple(use for use in before.uses if use.at_ms > at(after) - KEPT_MS)
    assert after.uses[: len(old)] == old, "the book keeps every use"
    for kind in EmergencyAct:
        assert sum(use.act is kind for use in young(after)) <= ACTS_A_DAY
    if done is not None:
        assert after.uses[-1] == Use(at(after), done.act, "R. Doe", "overdose", "112"), "each act leaves its record"
        assert isinstance(act.event, Asked)
        assert act.event.contact_ms >= 60_000
        since = before.counters.stopped_ms
        if done.act is EmergencyAct.RESUME:
            assert since is not None
            assert at(after) - since <= GAP_MS, "after 48 h nothing resumes"
    if act.name == "break-glass opens":
        assert any(use.act is None for use in young(after)), "reading leaves its record"
    if act.reset:
        kept = (before.override, before.uses, before.counters.stopped_ms)
        assert (after.override, after.uses, after.counters.stopped_ms) == kept, "a restart forgets nothing"
    if isinstance(act.event, Asked) and before.session is not None:
        refused = isinstance(answer, m.Refused)
        allowed = type(act.event.message) in RIGHTS[before.session.kind]
        assert refused or allowed, "what is not in the table is refused"
        if refused:
            unchanged = (after.override, after.uses, after.physics.flow)
            assert unchanged == (before.override, before.uses, before.physics.flow)


def slim(state: PumpState) -> PumpState:
    """The same pump with an empty log and only the uses that still count, so that many fit."""
    return replace(state, log=EventLog(), uses=young(state))


def successors(state: PumpState, choices: tuple[Act, ...]) -> Iterator[PumpState]:
    for act in choices:
        if act.in_session and state.session is None:
            continue
        after, answer = does(state, act)
        check(state, act, after, answer)
        yield slim(after)


def explored(hours: int, depth: int) -> tuple[int, int, bool]:
    """(states, steps, whether every reachable state was found) breadth first down to ``depth``."""
    choices, began = acts(hours), time.perf_counter()
    seen, level, steps = {same(START)}, [slim(START)], 0
    for _ in range(depth):
        found = []
        for state in level:
            for after in successors(state, choices):
                steps += 1
                name = same(after)
                if name not in seen:
                    seen.add(name)
                    found.append(after)
        level = found
        if not level:
            break
    seconds = time.perf_counter() - began
    print(
        f"\nbreak-glass: {len(seen)} states, {steps} steps, small step {hours} h, depth {depth}, "
        f"{'closed' if not level else 'not closed'}, {seconds:.1f} s"
    )
    return len(seen), steps, not level


def test_no_trace_of_break_glass_raises_delivery_to_a_small_depth() -> None:
    assert explored(1, 5)[0] > 300


@pytest.mark.full
@pytest.mark.grid
def test_no_trace_of_break_glass_raises_delivery_to_a_larger_depth() -> None:
    assert explored(1, 8)[0] > 5_000


@pytest.mark.full
@pytest.mark.grid
def test_no_trace_of_break_glass_of_any_length_raises_delivery() -> None:
    states, _, closed = explored(12, 60)
    assert closed, "every reachable state was found"
    assert states > 5_000


def filled_log(state: PumpState) -> PumpState:
    """More small events than the ring has room for."""
    log = state.log
    for number in range(CAPACITY + 1):
        log = log.add(at(state), EventCode.COMMAND_REFUSED, number % 7)
    return replace(state, log=log)


def day_of_uses(state: PumpState) -> PumpState:
    """A session with every act as often as it is allowed."""
    for act in acts(1):
        if act.name in ("break-glass opens", "closed"):
            state, _ = does(state, act)
        if act.name == "break-glass opens":
            for _ in range(ACTS_A_DAY):
                for kind in (EmergencyAct.MINIMUM, EmergencyAct.STOP, EmergencyAct.RESUME):
                    state, answer = does(state, Act("", asked(emergency(kind), 60_000)))
                    assert isinstance(answer, m.EmergencyDone), (kind, answer)
    return state


def test_four_hundred_days_of_uses_stand_in_the_book_whatever_the_ring_of_events_forgets() -> None:
    state, days, step = START, 400, 4
    for day in range(0, days, step):
        state = day_of_uses(state)
        state = filled_log(state) if day % 80 == 76 else state
        state, _ = does(state, Act("", Tick(), step * DAY_MS))
    a_day = 1 + 3 * ACTS_A_DAY
    assert len(state.uses) == days // step * a_day
    assert not any(entry.code is EventCode.EMERGENCY_ACT for entry in state.log.entries), "the ring has forgotten them"
    assert state.uses[0].at_ms == START_MS
    state = day_of_uses(state)
    assert len(state.uses) == days // step * a_day, "what is older than 400 days makes room, nothing younger"
    assert state.uses[0].at_ms == START_MS + step * DAY_MS


def test_a_stop_and_the_book_come_through_the_state_file() -> None:
    state = START
    for act in acts(1):
        if act.name in ("break-glass opens", "STOP after 60 s"):
            state, answer = does(state, act)
    assert isinstance(answer, m.EmergencyDone)
    file = capture(
        state, provision=MADE, profile=FIRMWARE.identity.profile, seed=None, clock_ms=at(state), wall_ms=0
    )  # fmt: skip
    again = StateFile.model_validate_json(file.model_dump_json(by_alias=True)).state(FIRMWARE.identity.profile)
    back = FIRMWARE.boot(again, at(state) + HOUR_MS)
    assert (back.override, back.uses, back.counters.stopped_ms) == (m.Mode.STOPPED, state.uses, at(state))
    assert physics.read(back.physics).rate_nl_day == 0


def test_a_stop_holds_where_the_program_is_lost() -> None:
    """With its memory unreadable a pump runs at its minimum rate, but not after somebody has stopped it."""
    state = START
    for act in acts(1):
        if act.name in ("break-glass opens", "STOP after 60 s"):
            state, _ = does(state, act)
    lost = booted(replace(state, image=bytes(len(state.image))), at(state))
    assert lost.record is None
    assert physics.read(lost.physics).rate_nl_day == 0
    running = booted(replace(START, image=bytes(len(START.image))), at(START))
    assert physics.read(running.physics).rate_nl_day == FIRMWARE.identity.profile.minimum_rate_nl_day


@pytest.mark.parametrize(
    ("gap_ms", "resumes"), [(GAP_MS - 1, True), (GAP_MS, True), (GAP_MS + 1, False), (None, False)]
)
def test_nothing_resumes_after_a_gap_that_is_too_long_or_not_known(gap_ms: int | None, resumes: bool) -> None:
    state = START
    for act in acts(1):
        if act.name in ("break-glass opens", "STOP after 60 s"):
            state, _ = does(state, act)
    if gap_ms is None:
        state = replace(state, counters=replace(state.counters, stopped_ms=None))
    _, answer = does(state, Act("", replace(asked(emergency(EmergencyAct.RESUME), 60_000)), gap_ms or 0))
    if resumes:
        assert isinstance(answer, m.EmergencyDone)
    else:
        assert answer == m.Refused(op=m.Emergency.OP, txid=b"", reasons=(m.Refusal.GAP_TOO_LONG,))


def test_programming_by_an_unknown_clinic_is_refused_with_the_way_on() -> None:
    """Full programming with the card alone is not offered; whoever wants it is told whom to call."""
    state, _ = does(START, acts(1)[0])
    _, answer = does(state, Act("", asked(STAGE, 60_000)))
    assert isinstance(answer, m.Refused)
    assert answer.reasons == (m.Refusal.NOT_IN_THIS_SESSION,)
    for said in (str(PumpRefused(tuple(reason.name for reason in answer.reasons))), str(UnknownPump())):
        assert "call the clinic that implanted it" in said
        assert "paired with the card at a clinic" in said
