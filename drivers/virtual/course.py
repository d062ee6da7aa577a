"""How time passes in the pump: physics runs on; thresholds that are crossed raise their alarms at their own time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from drivers.virtual import alarms, physics
from drivers.virtual.alarms import Notice
from drivers.virtual.eventlog import EventLog
from drivers.virtual.physics import Kind
from drivers.virtual.pump import PumpState
from drivers.virtual.report import ALARM_BIT
from protocol.event_codes import EventCode
from protocol.messages import Alarm, Mode

_NOTICE_CODE: Final = {
    "RAISED": EventCode.ALARM_RAISED,
    "CLEARED": EventCode.ALARM_CLEARED,
    "SILENCED": EventCode.ALARM_SILENCED,
    "RESOUNDED": EventCode.ALARM_RESOUNDED,
}


def run(state: PumpState, clock_ms: int) -> PumpState:
    """Physics and alarms up to now; each crossing raises its alarm at its own instant."""
    holding = _holding(state)
    moved, passed = physics.run_to(state.physics, clock_ms)
    crossings = [crossing for crossing in passed if crossing.kind in physics.ALARMS]
    book, log = state.alarms, state.log
    for crossing in crossings:
        book, ended = alarms.run_to(book, crossing.at_ms)
        holding = (holding | {crossing.kind.value}) - ({"ERI"} if crossing.kind is Kind.EOS else set())
        book, raised = alarms.update(book, holding, crossing.at_ms)
        log = noted(log, ended + raised)
    book, ended = alarms.run_to(book, clock_ms)
    log = noted(log, ended)
    stopped = state.counters.stopped_ms
    for crossing in crossings:
        if crossing.kind in (Kind.EMPTY, Kind.EOS) and stopped is None:
            stopped = crossing.at_ms
    return replace(state, physics=moved, alarms=book, log=log, counters=replace(state.counters, stopped_ms=stopped))


def settle(state: PumpState, clock_ms: int) -> PumpState:
    """After an act: thresholds that hold at once, and alarms that are gone."""
    state = run(state, clock_ms)
    book, notices = alarms.update(state.alarms, _holding(state), clock_ms)
    held = state.physics.empty or state.physics.ended or state.override is not None
    stopped = state.counters.stopped_ms if held else None
    counters = replace(state.counters, stopped_ms=stopped)
    return replace(state, alarms=book, log=noted(state.log, notices), counters=counters)


def _holding(state: PumpState) -> set[str]:
    p = state.physics
    facts = {
        "LOW_RESERVOIR": p.low,
        "EMPTY": p.empty,
        "ERI": p.eri_at_ms is not None and not p.ended,
        "EOS": p.ended,
        "SLOT_BAD": state.counters.slot_bad,
        "MEMORY_CRITICAL": state.record is None,
        "MINIMUM_RATE": state.record is None or state.override is Mode.MINIMUM_RATE,
        "STOPPED": state.override is Mode.STOPPED,
    }
    return {code for code, holds in facts.items() if holds}


def noted(log: EventLog, notices: tuple[Notice, ...]) -> EventLog:
    """The log with what the alarms tell."""
    for notice in notices:
        log = log.add(notice.at_ms, _NOTICE_CODE[notice.event], int(ALARM_BIT.get(notice.code, Alarm(0))))
    return log
