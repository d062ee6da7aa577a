"""The pump's firmware as a pure reducer: `Firmware.step(state, event) -> (state, effects)`.

Theory of operation
-------------------
Physics runs to the event's instant first: thresholds that were crossed on the way raise their alarms and are
logged at their own times. Then the event acts. A message is answered by the programming transaction (the
Participant of `protocol`) or by a report; what must survive is written to the memory image in the same step,
and the effect `Save` comes before the `Reply` that tells of it. Reading writes nothing.

Two clocks: `now_ms` is monotonic and serves session and staging timers; `clock_ms` is the pump's own clock,
ms since 1970-01-01T00:00:00Z, and serves physics, alarms and the log.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.virtual import alarms, breakglass, course, decision, nvm, physics, presence, record
from drivers.virtual.alarms import AlarmBook
from drivers.virtual.eventlog import EventLog
from drivers.virtual.limits import Past
from drivers.virtual.pump import (
    Arrived,
    Asked,
    Counters,
    Ended,
    Event,
    Gain,
    Identity,
    Needle,
    Out,
    PumpState,
    Reply,
    Save,
    Session,
    Step,
    Tick,
)
from drivers.virtual.record import Record
from drivers.virtual.report import ALARM_BIT, events_page, status
from drivers.virtual.rules import PumpRules, achieved_rate
from protocol import messages
from protocol.credential import DIGEST_BYTES, Trust
from protocol.event_codes import EventCode
from protocol.messages import (
    Abort,
    Alive,
    Close,
    Closed,
    Commit,
    ConfirmPattern,
    Discrepancy,
    Drug,
    Emergency,
    GetEvents,
    GetStatus,
    KeepAlive,
    Message,
    Mode,
    OrderKind,
    Pair,
    Present,
    Program,
    Query,
    ReadBack,
    Refused,
    SilenceAlarm,
    Silenced,
    StageProgram,
    StageRefill,
)
from protocol.order import anchor_bytes, sign
from protocol.participant import (
    Answer,
    Effect,
    Participant,
    PutInForce,
    Remember,
    Situation,
    discard,
    expire,
    step,
)
from protocol.session import SessionKind

REFUSED_MOST = 5


class Firmware:
    """The reducer for one provisioned pump; holds no state of its own."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def manufacture(self, *, clock_ms: int, program: Program, fill_nl: int, tag: int = 0) -> PumpState:
        """A pump with its first program and fill."""
        first = Record(
            program=program,
            since_s=clock_ms // 1000,
            filled_nl=fill_nl,
            filled_at_s=clock_ms // 1000,
            discrepancy=Discrepancy.NONE,
            head=bytes(16),
            outcome=b"",
            order_hash=bytes(32),
            tablet_tag=bytes(8),
            tx_floor=0,
        )
        image = nvm.blank()
        image = nvm.apply_writes(image, record.decision_writes(image, tag, first))
        state = PumpState(
            image=image,
            record=first,
            participant=Participant(record.boot(image).memory),
            physics=physics.initial(
                self.identity.profile.battery,
                at_ms=clock_ms,
                fill_nl=fill_nl,
                alarm_nl=program.alarm_nl,
                rate_nl_day=achieved_rate(program, self.identity.profile),
                conc_ng_ml=program.concentration_ng_per_ml,
                dead_nl=self.identity.profile.dead_volume_nl,
                tubing_nl=self.identity.profile.tubing_nl,
                catheter_nl=self.identity.catheter_nl,
            ),
            alarms=AlarmBook(),
            log=EventLog(),
            history=(Past(clock_ms, program.dose_ng_per_day),),
            counters=Counters(),
            trust=Trust.of(self.identity.roots),
        )
        return course.settle(state, clock_ms)

    def boot(self, state: PumpState, clock_ms: int, staged: bytes | None = None) -> PumpState:
        """Power-on: take what the memory says, bury what was staged, log the reset. Nothing is re-sent."""
        booted = record.boot(state.image)
        memory = booted.memory if staged is None else booted.memory.buried(staged)
        counters = replace(state.counters, resets=state.counters.resets + 1)
        state = course.run(replace(state, session=None), clock_ms)
        log = state.log
        if _in_session(log):
            log = log.add(clock_ms, EventCode.SESSION_INTERRUPTED)
            counters = replace(counters, interrupted=min(0xFFFF, counters.interrupted + 1))
        log = log.add(clock_ms, EventCode.RESET, counters.resets)
        if booted.health is nvm.Health.SLOT_BAD:
            log = log.add(clock_ms, EventCode.SLOT_BAD)
        if booted.record is None:
            log = log.add(clock_ms, EventCode.MEMORY_CRITICAL)
        image = nvm.apply_writes(state.image, record.echo_writes(state.image))
        image = nvm.apply_writes(image, record.tombstone_writes(image, memory))
        state = replace(
            state,
            image=image,
            record=booted.record,
            participant=Participant(memory),
            log=log,
            counters=replace(counters, slot_bad=booted.health is nvm.Health.SLOT_BAD),
            trust=record.trust(image, self.identity.roots),
            verified=(),
        )
        stopped = state.override is Mode.STOPPED  # also where the program is lost: nothing starts by itself
        rate = 0 if stopped else achieved_rate(self.running(state), self.identity.profile)
        if rate != physics.read(state.physics).rate_nl_day:
            state = replace(state, physics=physics.set_rate(state.physics, rate))
        return course.settle(state, clock_ms)

    def running(self, state: PumpState) -> Program:
        """The program in force; in the safe state the program is unknown and no dose is claimed."""
        if state.record is not None:
            return breakglass.overridden(state.record.program, state.override)
        return Program(
            mode=Mode.SAFE_STATE,
            dose_ng_per_day=0,
            concentration_ng_per_ml=0,
            alarm_nl=self.identity.profile.alarm_default_nl,
            drug=Drug.BACLOFEN,
        )

    def step(self, state: PumpState, event: Event, now_ms: int, clock_ms: int) -> Step:
        """What the pump does at an event."""
        state = course.run(replace(state, trust=state.trust.at(clock_ms // 1000)), clock_ms)
        out: tuple[Out, ...]
        match event:
            case Tick():
                return self._transact(state, expire(state.participant, now_ms), clock_ms)
            case Arrived():
                state, out = self._transact(state, discard(state.participant), clock_ms)
                session = Session(event.tablet_id, event.handshake_hash, kind=event.kind, public=event.public)
                if event.kind is SessionKind.BREAK_GLASS:
                    return replace(breakglass.opened(state, clock_ms), session=session), (*out, Save())
                log = state.log.add(clock_ms, EventCode.SESSION_OPENED)
                return replace(state, session=session, log=log), (*out, Save())
            case Ended():
                return self._ended(state, event, clock_ms)
            case Asked():
                return _counted(event.message, self._asked(state, event, now_ms, clock_ms))
            case Needle():
                moved = decision.hands(state, event)
                return replace(state, physics=moved, hands=True), (Save(),)
            case Gain():
                return replace(state, physics=physics.set_gain(state.physics, event.ppm)), (Save(),)

    def _ended(self, state: PumpState, event: Ended, clock_ms: int) -> Step:
        if state.session is None:
            return state, ()
        state, out = self._transact(state, discard(state.participant), clock_ms)
        assert state.session is not None
        code = EventCode.SESSION_CLOSED if event.orderly else EventCode.SESSION_INTERRUPTED
        interrupted = min(0xFFFF, state.counters.interrupted + (not event.orderly))
        log = state.log.add(clock_ms, code, state.session.requests)
        counters = replace(state.counters, interrupted=interrupted)
        return replace(state, session=None, log=log, counters=counters), (*out, Save())

    def _asked(self, state: PumpState, event: Asked, now_ms: int, clock_ms: int) -> Step:
        if state.session is None:
            return state, ()
        state, expired = self._transact(state, expire(state.participant, now_ms), clock_ms)
        assert state.session is not None
        session = replace(state.session, requests=state.session.requests + 1)
        state = replace(state, session=session)
        message = event.message
        out: tuple[Out, ...]
        if type(message) not in breakglass.RIGHTS[session.kind]:
            reason = messages.Refusal.NOT_IN_THIS_SESSION if message.REQUEST else messages.Refusal.UNSUPPORTED
            state, out = self._refused(state, message, reason, clock_ms)
            return state, expired + out
        match message:
            case KeepAlive():
                out = (Reply(Alive()),)
            case GetStatus():
                running = self.running(state)
                out = (Reply(status(self.identity, state, running, clock_ms)),)
            case GetEvents():
                out = (Reply(events_page(state.log, message.cursor)),)
            case messages.Anchor():
                out = (Reply(self._anchored(state, message, clock_ms)),)
            case Present():
                state, out = self._present(state, message, now_ms, clock_ms)
            case Emergency() | Pair() | ConfirmPattern():
                state, out = self._with_card(state, event, clock_ms)
            case SilenceAlarm():
                state, out = self._silence(state, message, clock_ms)
            case Close():
                out = (Reply(Closed(requests=session.requests)),)
            case StageProgram() | StageRefill() | ReadBack() | Commit() | Query() | Abort():
                state, out = self._transaction(state, event, now_ms, clock_ms)
            case _:
                out = (_refuse(message, messages.Refusal.UNSUPPORTED),)
        return state, expired + out

    def _anchored(self, state: PumpState, message: messages.Anchor, clock_ms: int) -> Message:
        """The witness record, signed with the receipt key over the nonce; it changes nothing."""
        witness, now_s = state.participant.memory.witness, clock_ms // 1000
        data = anchor_bytes(self.identity.realm, self.identity.serial, message.nonce, witness, now_s)
        return messages.Anchored(
            epoch=witness.epoch,
            order_hash=witness.order_hash,
            chain=witness.chain,
            tablet_tag=witness.tablet_tag,
            pump_time_s=now_s,
            signature=sign(self.identity.receipt_seed, data),
        )

    def _present(self, state: PumpState, message: Present, now_ms: int, clock_ms: int) -> Step:
        """A digest that the pump does not know is no offence: the tablet shows the whole credential next."""
        state, answer = presence.present(self.identity, state, message, now_ms)
        if isinstance(answer, Refused) and len(message.credential) > DIGEST_BYTES:
            log = state.log.add(clock_ms, EventCode.COMMAND_REFUSED, int(answer.reasons[0]))
            state = replace(state, log=log)
        return state, (Save(), Reply(answer))

    def _refused(self, state: PumpState, message: Message, reason: messages.Refusal, clock_ms: int) -> Step:
        log = state.log.add(clock_ms, EventCode.COMMAND_REFUSED, int(reason))
        return replace(state, log=log), (Save(), _refuse(message, reason))

    def _with_card(self, state: PumpState, event: Asked, clock_ms: int) -> Step:
        rule = breakglass.act if isinstance(event.message, Emergency) else breakglass.pair
        state, answer = rule(self.identity, state, event, clock_ms)
        if isinstance(answer, messages.Refusal):
            return self._refused(state, event.message, answer, clock_ms)
        return course.settle(state, clock_ms), (Save(), Reply(answer))

    def _silence(self, state: PumpState, message: SilenceAlarm, clock_ms: int) -> Step:
        codes = [a.code for a in state.alarms.active if ALARM_BIT[a.code] == message.alarm]
        if not codes:
            return state, (_refuse(message, messages.Refusal.NO_SUCH_ALARM),)
        seconds = alarms.TABLE.silence_max_s
        book, notices = alarms.silence(state.alarms, seconds, clock_ms, codes)
        state = replace(state, alarms=book, log=course.noted(state.log, notices))
        return state, (Save(), Reply(Silenced(alarm=message.alarm, seconds=seconds)))

    def _transaction(self, state: PumpState, event: Asked, now_ms: int, clock_ms: int) -> Step:
        assert state.session is not None
        situation = Situation(
            now_ms=now_ms,
            pump_time_s=clock_ms // 1000,
            realm=self.identity.realm,
            serial=self.identity.serial,
            tablet_id=state.session.tablet_id,
            handshake_hash=state.session.handshake_hash,
            running=self.running(state),
            reservoir_nl=physics.read(state.physics).model_nl,
            discrepancy=state.record.discrepancy if state.record is not None else Discrepancy.NONE,
            signers=state.session.signers,
            fresh_token=event.entropy[:8],
            barred=presence.barred(self.identity, state),
        )
        stopped = state.counters.stopped_ms
        rules = PumpRules(
            self.identity.profile,
            self.identity.row,
            state.history,
            clock_ms,
            self.identity.receipt_seed,
            gap_s=0 if stopped is None else (clock_ms - stopped) // 1000,
            two_persons=self.identity.two_persons,
            signed=None if state.record is None else state.record.program,
        )
        after = step(state.participant, event.message, situation, rules)
        return self._transact(state, after, clock_ms)

    def _transact(self, state: PumpState, result: tuple[Participant, tuple[Effect, ...]], clock_ms: int) -> Step:
        """Carry out the effects of the transaction: memory first, then the answer."""
        participant, effects = result
        staged_before, staged_after = state.participant.proposal, participant.proposal
        state = replace(state, participant=participant)
        out: list[Out] = []
        if staged_after is not None and (staged_before is None or staged_before.stage != staged_after.stage):
            out.append(Save())
        for effect in effects:
            match effect:
                case PutInForce():
                    state = self._put_in_force(state, effect, clock_ms)
                    out.append(Save())
                case Remember():
                    writes = record.tombstone_writes(state.image, effect.memory)
                    state = replace(state, image=nvm.apply_writes(state.image, writes))
                    if staged_before is not None and staged_after is None:
                        log = state.log.add(clock_ms, EventCode.STAGE_DROPPED, effect.memory.epoch + 1)
                        state = replace(state, log=log)
                    out.append(Save())
                case Answer(message=message):
                    if isinstance(message, Refused):
                        log = state.log.add(clock_ms, EventCode.COMMAND_REFUSED, int(message.reasons[0]))
                        state = replace(state, log=log)
                    out.append(Reply(message))
        return state, tuple(out)

    def _put_in_force(self, state: PumpState, effect: PutInForce, clock_ms: int) -> PumpState:
        before = state.record
        assert before is not None  # the safe state refuses every proposal
        after = decision.after(before, effect, clock_ms)
        writes = record.decision_writes(state.image, effect.memory.epoch, after)
        state = replace(state, image=nvm.apply_writes(state.image, writes), record=after)
        content = effect.content
        if content.kind is OrderKind.REFILL:
            state = decision.refilled(state, content)
            code = EventCode.REFILL_IN_FORCE
        else:
            state = decision.programmed(self.identity, state, before.program, content.program, clock_ms)
            code = EventCode.PROGRAM_IN_FORCE
        state = replace(state, log=state.log.add(clock_ms, code, effect.memory.epoch))
        return course.settle(state, clock_ms)


def _in_session(log: EventLog) -> bool:
    """Whether the log tells of a session that has begun and not ended, as when the power fails in it."""
    begun = (EventCode.SESSION_OPENED, EventCode.BREAK_GLASS_OPENED)
    ended = (EventCode.SESSION_CLOSED, EventCode.SESSION_INTERRUPTED)
    return next((e.code in begun for e in reversed(log.entries) if e.code in begun + ended), False)


def _refuse(message: Message, reason: messages.Refusal) -> Reply:
    return Reply(Refused(op=message.OP, txid=b"", reasons=(reason,)))


def _counted(message: Message, result: Step) -> Step:
    """Refusals are counted; with the last one that the pump bears it says that the session is over."""
    state, out = result
    refusal = next((o.message for o in out if isinstance(o, Reply) and isinstance(o.message, Refused)), None)
    asks_whether_known = isinstance(message, Present) and len(message.credential) == DIGEST_BYTES
    if refusal is None or state.session is None or asks_whether_known:
        return result
    session = replace(state.session, refused=state.session.refused + 1)
    state = replace(state, session=session)
    if session.refused < REFUSED_MOST:
        return state, out
    over = refusal.model_copy(update={"reasons": (*refusal.reasons[:15], messages.Refusal.SESSION_OVER)})
    return state, tuple(Reply(over) if isinstance(o, Reply) and o.message is refusal else o for o in out)
