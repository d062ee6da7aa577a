"""What the pump tells when it is read: the status report and pages of its log. Pure; reading changes nothing."""

from __future__ import annotations

from drivers.virtual import alarms, physics
from drivers.virtual.eventlog import EventLog
from drivers.virtual.physics import NL
from drivers.virtual.pump import Identity, PumpState
from protocol.messages import Alarm, Discrepancy, EventItem, Events, Program, Status
from protocol.order import program_digest

PAGE_ENTRIES = 12

ALARM_BIT: dict[str, Alarm] = {
    "LOW_RESERVOIR": Alarm.LOW_RESERVOIR,
    "EMPTY": Alarm.EMPTY,
    "ERI": Alarm.ERI,
    "EOS": Alarm.EOS,
    "SLOT_BAD": Alarm.MEMORY,
    "MEMORY_CRITICAL": Alarm.MEMORY,
    "STOPPED": Alarm.STOPPED,
    "MINIMUM_RATE": Alarm.SAFE_STATE,
}


def status(identity: Identity, state: PumpState, running: Program, clock_ms: int) -> Status:
    """The whole interrogation at this instant."""
    profile = identity.profile
    now = physics.read(state.physics, clock_ms)
    eri = state.physics.eri_at_ms
    record = state.record
    silenced = {a.code for a in state.alarms.active} - set(alarms.sounding(state.alarms, clock_ms))
    filled = record.filled_nl if record is not None else 0
    used = min(now.energy, profile.battery.capacity)
    span_mv = profile.battery_full_mv - profile.battery_empty_mv
    return Status(
        pump_time_s=clock_ms // 1000,
        realm=identity.realm,
        mode=running.mode,
        drug=running.drug,
        dose_ng_per_day=running.dose_ng_per_day,
        flow_nl_per_day=now.rate_nl_day,
        concentration_ng_per_ml=running.concentration_ng_per_ml,
        alarm_nl=running.alarm_nl,
        epoch=state.participant.memory.epoch,
        program_digest8=program_digest(running)[:8],
        since_s=record.since_s if record is not None else 0,
        reservoir_nl=now.model_nl,
        capacity_nl=profile.capacity_nl,
        filled_nl=filled,
        filled_at_s=record.filled_at_s if record is not None else 0,
        delivered_nl=max(0, filled * NL - now.model_u) // NL,
        battery_mv=profile.battery_full_mv - span_mv * used // profile.battery.capacity,
        battery_used_permille=used * 1000 // profile.battery.capacity,
        eri_at_s=0 if eri is None else eri // 1000,
        alarms=_bits({a.code for a in state.alarms.active}),
        silenced=_bits(silenced),
        events_first=state.log.next_seq - len(state.log.entries),
        events_next=state.log.next_seq,
        patient_tag=identity.patient_tag,
        profile=profile.number,
        gap_s=0 if state.counters.stopped_ms is None else (clock_ms - state.counters.stopped_ms) // 1000,
        discrepancy=record.discrepancy if record is not None else Discrepancy.NONE,
        staged=state.participant.proposal is not None,
        interrupted=state.counters.interrupted,
        resets=state.counters.resets & 0xFFFF,
    )


def _bits(codes: set[str]) -> int:
    bits = Alarm(0)
    for code in sorted(codes):
        bits |= ALARM_BIT[code]
    return int(bits)


def events_page(log: EventLog, cursor: int) -> Events:
    """One page of the log; ask again from `next` until it equals the status report's `events_next`."""
    page = log.page(cursor, PAGE_ENTRIES)
    items = tuple(EventItem(time_s=e.at_ms // 1000, code=int(e.code), argument=e.value) for e in page.entries)
    first = page.entries[0].seq if page.entries else page.next_cursor
    return Events(first=first, next=page.next_cursor, lost=page.lost, items=items)
