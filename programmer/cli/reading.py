"""What a pump reports, in words and as data. Unknown is "not read"; what contradicts itself is said in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any, Final

from programmer.cli.desk import Change
from programmer.cli.main import NOTICE
from programmer.clinical import display
from programmer.clinical.library import DrugLibrary
from programmer.clinical.plan import RefillPlan
from programmer.clinical.profiles import PumpProfile
from programmer.clinical.refusals import CalculationRefused
from programmer.visit.consistency import alarm_reached, contradictions, delivers
from programmer.visit.history import mcg, ml, pump_day
from programmer.visit.planning import plan_of
from programmer.visit.unfinished import NotWritten
from protocol.event_codes import EventCode
from protocol.messages import Alarm, Discrepancy, Events, Mode, Realm, Status

MODES: Final = {
    Mode.STOPPED: "STOPPED: no drug is delivered",
    Mode.SIMPLE: "simple continuous",
    Mode.MINIMUM_RATE: "minimum rate: the dose is NOT delivered",
    Mode.SAFE_STATE: "safe state: the dose is NOT delivered",
}
ALARMS: Final = {
    Alarm.LOW_RESERVOIR: "low reservoir",
    Alarm.EMPTY: "reservoir empty",
    Alarm.ERI: "replacement indicator",
    Alarm.EOS: "end of service",
    Alarm.STALL: "motor stall",
    Alarm.MEMORY: "memory error",
    Alarm.STOPPED: "pump stopped",
    Alarm.SAFE_STATE: "safe state",
}
_EVENTS: Final[dict[int, str]] = {
    EventCode.ALARM_RAISED: "alarm raised",
    EventCode.ALARM_CLEARED: "alarm cleared",
    EventCode.ALARM_SILENCED: "alarm silenced",
    EventCode.ALARM_RESOUNDED: "alarm sounds again",
    EventCode.SESSION_OPENED: "session opened",
    EventCode.SESSION_CLOSED: "session closed",
    EventCode.SESSION_INTERRUPTED: "session interrupted",
    EventCode.BREAK_GLASS_OPENED: "emergency access with the implant card",
    EventCode.EMERGENCY_ACT: "emergency act (1 stop, 2 minimum rate, 3 resume)",
    EventCode.TABLET_PAIRED: "tablet paired",
    EventCode.PROGRAM_IN_FORCE: "program in force",
    EventCode.REFILL_IN_FORCE: "refill in force",
    EventCode.COMMAND_REFUSED: "command refused",
    EventCode.STAGE_DROPPED: "proposal dropped",
    EventCode.RESET: "reset",
    EventCode.SLOT_BAD: "memory slot bad",
    EventCode.MEMORY_CRITICAL: "memory critical",
}
_OF_ALARM: Final = frozenset(
    {EventCode.ALARM_RAISED, EventCode.ALARM_CLEARED, EventCode.ALARM_SILENCED, EventCode.ALARM_RESOUNDED}
)


def realm_word(realm: Realm) -> str:
    """``SIMULATION`` or ``REAL PUMP``."""
    return "SIMULATION" if realm is Realm.SIMULATED else "REAL PUMP"


def moment(seconds: int) -> str:
    """A pump time."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def alarm_words(bits: int) -> list[str]:
    """The alarms of a report in words."""
    return [text for alarm, text in ALARMS.items() if bits & alarm]


def plan_or_none(status: Status, profile: PumpProfile | None, library: DrugLibrary) -> RefillPlan | None:
    """The dates of the running fill; None where they cannot be computed, or the alarm volume is reached."""
    if profile is None or not delivers(status) or not status.flow_nl_per_day or alarm_reached(status):
        return None
    try:
        return plan_of(status, ml(status.flow_nl_per_day), profile, library)
    except CalculationRefused:
        return None


@dataclass(frozen=True, slots=True)
class PumpView:
    """All that ``status`` shows."""

    serial: str
    status: Status
    profile: PumpProfile | None
    plan: RefillPlan | None
    events: Events | None
    changes: Sequence[Change]
    not_written: Sequence[NotWritten]
    read_age_s: int


def change_line(change: Change) -> str:
    """One unfinished change and its word."""
    item = change.item
    what = (
        f"{display.mcg_per_day(mcg(item.was_ng_per_day))} to {display.mcg_per_day(mcg(item.now_ng_per_day))}"
        if item.kind == "dose"
        else "the volume in the pump"
    )
    return f"{change.word}: {item.kind} of pump {item.serial}, {what}, begun {item.started_utc} by {item.author}"


def not_written_line(item: NotWritten) -> str:
    """Drug in a pump that its memory does not hold."""
    return (
        f"REFILL NOT WRITTEN  Drug went into pump {item.serial} (noted {item.since_utc}) and its memory does not "
        "hold it: its reservoir figure and alarm are wrong. Record the refill now."
    )


def change_data(change: Change) -> dict[str, Any]:
    """One unfinished change as data."""
    item = change.item
    return {
        "txid": item.transaction.txid.hex(),
        "serial": item.serial,
        "kind": item.kind,
        "was_ng_per_day": item.was_ng_per_day,
        "new_ng_per_day": item.now_ng_per_day,
        "started_utc": item.started_utc,
        "author": item.author,
        "word": change.word,
    }


def event_line(time_s: int, code: int, argument: int) -> str:
    """One entry of the pump's own log."""
    name = _EVENTS.get(code, f"event {code}")
    about = ALARMS.get(Alarm(argument), str(argument)) if code in _OF_ALARM and argument else str(argument)
    return f"{moment(time_s)}  {name}" + (f" ({about})" if argument else "")


def lines(view: PumpView) -> list[str]:
    """The report as text, most important first."""
    s, plan = view.status, view.plan
    rows: list[tuple[str, str]] = []
    concentration = mcg(s.concentration_ng_per_ml) if s.concentration_ng_per_ml else None
    rows += [
        ("pump", f"{view.serial}  {view.profile.name if view.profile else f'model number {s.profile}, no profile'}"),
        ("mode", MODES[s.mode]),
        ("dose", display.mcg_per_day(mcg(s.dose_ng_per_day))),
        ("flow", display.ml_per_day(ml(s.flow_nl_per_day))),
        ("concentration", display.mcg_per_ml(concentration)),
        ("running since", f"{moment(s.since_s)} ({display.duration(max(0, s.pump_time_s - s.since_s))})"),
        ("reservoir", f"{_syringe(s.reservoir_nl)} of {_syringe(s.capacity_nl)} (computed)"),
        ("last fill", f"{_syringe(s.filled_nl)} on {display.day(pump_day(s.filled_at_s))}"),
        ("alarm volume", _syringe(s.alarm_nl)),
        ("alarm date", display.day(plan.alarm_nominal) if plan else _no_date(s)),
        ("guarded", plan.low_sentence if plan else _no_date(s)),
        ("refill by", _refill_by(plan) if plan else _no_date(s)),
        ("discrepancy", "OPEN: no increase until a prescriber closes it" if s.discrepancy is Discrepancy.OPEN else
         s.discrepancy.name.lower()),
        ("battery", _battery(s)),
        ("alarms", ", ".join(alarm_words(s.alarms)) or "no active alarm"),
        ("silenced", ", ".join(alarm_words(s.silenced)) or "none"),
        ("pump clock", moment(s.pump_time_s)),
        ("read", display.age(view.read_age_s)),
    ]  # fmt: skip
    if s.gap_s:
        rows.append(("not delivered", f"{display.duration(s.gap_s)} without the programmed dose"))
    if s.interrupted:
        rows.append(("sessions", f"{s.interrupted} ended without a close since the pump was made"))
    if s.staged:
        rows.append(("proposal", "an unsigned proposal lies in the pump; it has no effect"))
    head = [f"{realm_word(s.realm)}  {NOTICE}"]
    head = [
        *(f"UNFINISHED CHANGE  {change_line(change)}" for change in view.changes),
        *(not_written_line(item) for item in view.not_written),
        *head,
    ]
    body = [f"{name:<15}{text}" for name, text in rows]
    body += [f"INCONSISTENT   {text} Do not program; report it." for text in contradictions(s)]
    if view.events is None:
        body.append(f"{'events':<15}{display.NOT_READ}")
    else:
        body += [
            f"{'event':<15}{event_line(item.time_s, item.code, item.argument)}" for item in view.events.items[-EVENTS:]
        ]
    return head + body


EVENTS: Final = 8
"""So many of the newest events are shown."""


def _syringe(nl: int) -> str:
    return display.ml_syringe(ml(nl))


def _refill_by(plan: RefillPlan) -> str:
    return display.day(plan.refill_by) if plan.refill_by else str(plan.not_computable)


def _no_date(status: Status) -> str:
    if alarm_reached(status):
        return "reached: the pump is low or empty NOW; refill it today"
    return "no date while the dose is not delivered" if not delivers(status) else display.NOT_READ


def _battery(status: Status) -> str:
    volts = Fraction(status.battery_mv, 1_000)
    used = display.percent(Fraction(status.battery_used_permille, 10))
    raised = f", replacement indicator since {moment(status.eri_at_s)}" if status.eri_at_s else ""
    return f"{display.number(volts, 2)} V, {used} used{raised}"


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def as_data(view: PumpView) -> dict[str, Any]:
    """The report as data: integers in the base units of their names, dates as ISO text, None for not known."""
    s, plan = view.status, view.plan
    return {
        "realm": "simulated" if s.realm is Realm.SIMULATED else "clinical",
        "notice": NOTICE,
        "unfinished": [change_data(change) for change in view.changes],
        "not_written": [{"serial": item.serial, "since_utc": item.since_utc} for item in view.not_written],
        "serial": view.serial,
        "profile": view.profile.name if view.profile else None,
        "mode": s.mode.name.lower(),
        "drug": s.drug.name.lower(),
        "dose_ng_per_day": s.dose_ng_per_day,
        "flow_nl_per_day": s.flow_nl_per_day,
        "concentration_ng_per_ml": s.concentration_ng_per_ml or None,
        "running_since": moment(s.since_s),
        "reservoir_nl": s.reservoir_nl,
        "reservoir_basis": "computed",
        "capacity_nl": s.capacity_nl,
        "filled_nl": s.filled_nl,
        "filled_at": moment(s.filled_at_s),
        "delivered_nl": s.delivered_nl,
        "alarm_nl": s.alarm_nl,
        "alarm_date": _iso(plan.alarm_nominal) if plan else None,
        "alarm_date_guarded": _iso(plan.alarm_guarded) if plan else None,
        "low_guarded": _iso(plan.low_guarded) if plan else None,
        "low_sentence": plan.low_sentence.replace(display.NO_BREAK, " ") if plan else None,
        "refill_by": _iso(plan.refill_by) if plan else None,
        "discrepancy": s.discrepancy.name.lower(),
        "battery_mv": s.battery_mv,
        "battery_used_permille": s.battery_used_permille,
        "eri_at": moment(s.eri_at_s) if s.eri_at_s else None,
        "alarms": alarm_words(s.alarms),
        "silenced": alarm_words(s.silenced),
        "epoch": s.epoch,
        "gap_s": s.gap_s,
        "proposal_staged": s.staged,
        "pump_time": moment(s.pump_time_s),
        "read_age_s": view.read_age_s,
        "inconsistent": contradictions(s),
        "events": None
        if view.events is None
        else [
            [moment(item.time_s), _EVENTS.get(item.code, str(item.code)), item.argument] for item in view.events.items
        ],
    }
