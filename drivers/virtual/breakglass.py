"""Sessions with the implant card: what each kind of session may ask, the emergency acts, pairing by presence.

Rights go by the kind of session and are a table: what is not in it is refused and logged. Emergency acts only lower
delivery or bring back the last signed program; no number travels with them. Source: the break-glass levels of this
pump's specification: E1 reads, E2 acts after a contact of 60 s, each act at most twice in 24 hours; full programming
by an unknown clinic (E3) is not offered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from drivers.virtual import physics
from drivers.virtual.pump import Asked, Identity, PumpState, Session, Use
from drivers.virtual.rules import achieved_rate
from protocol.event_codes import EventCode
from protocol.messages import (
    MESSAGES,
    Close,
    ConfirmPattern,
    Emergency,
    EmergencyAct,
    EmergencyDone,
    GetEvents,
    GetStatus,
    KeepAlive,
    Listen,
    Message,
    Mode,
    Pair,
    Paired,
    Program,
    Refusal,
)
from protocol.session import SLOTS, PairedTablet, SessionKind

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS
KEPT_MS: Final = 400 * DAY_MS
"""So long a use of break-glass stays in the pump's book, whatever else happens."""
BEACON_CONTACT_MS: Final = 20_000
PAIR_CONTACT_MS: Final = 20_000
ACT_CONTACT_MS: Final = 60_000
WINDOW_MS: Final = 120_000
GAP_MS: Final = 48 * HOUR_MS
ACTS_A_DAY: Final = 2
PATTERN_GROUPS: Final = 6

_CARD_ONLY: Final = frozenset[type[Message]]({Emergency, Pair, ConfirmPattern})
RIGHTS: Final[Mapping[SessionKind, frozenset[type[Message]]]] = MappingProxyType(
    {
        SessionKind.ROUTINE: frozenset(kind for kind in MESSAGES.values() if kind.REQUEST) - _CARD_ONLY,
        SessionKind.BREAK_GLASS: frozenset[type[Message]]({KeepAlive, GetStatus, GetEvents, Emergency, Close}),
        SessionKind.PAIRING: frozenset[type[Message]]({KeepAlive, Pair, ConfirmPattern, Close}),
    }
)
_MODE: Final[Mapping[EmergencyAct, Mode | None]] = MappingProxyType(
    {EmergencyAct.STOP: Mode.STOPPED, EmergencyAct.MINIMUM: Mode.MINIMUM_RATE, EmergencyAct.RESUME: None}
)


def overridden(program: Program, mode: Mode | None) -> Program:
    """The program as it runs under an emergency act: its mode, and no dose claimed."""
    return program if mode is None else program.model_copy(update={"mode": mode, "dose_ng_per_day": 0})


def opened(state: PumpState, clock_ms: int) -> PumpState:
    """A break-glass session began: it is logged, and in the book once a day at most."""
    log = state.log.add(clock_ms, EventCode.BREAK_GLASS_OPENED)
    today = any(use.act is None and use.at_ms > clock_ms - DAY_MS for use in state.uses)
    uses = state.uses if today else _booked(state, Use(clock_ms, None, "", "", ""))
    return replace(state, log=log, uses=uses)


def _booked(state: PumpState, use: Use) -> tuple[Use, ...]:
    return (*(old for old in state.uses if old.at_ms > use.at_ms - KEPT_MS), use)


def act(identity: Identity, state: PumpState, event: Asked, clock_ms: int) -> tuple[PumpState, Message | Refusal]:
    """Carry out an emergency act, or say why not; a refusal has changed nothing."""
    message = event.message
    assert isinstance(message, Emergency)
    signed = state.record
    today = sum(use.act == message.act and use.at_ms > clock_ms - DAY_MS for use in state.uses)
    mode = _MODE[message.act]
    since = state.counters.stopped_ms
    if signed is None:
        return state, Refusal.SAFE_STATE
    now_rate = achieved_rate(overridden(signed.program, state.override), identity.profile)
    rate = achieved_rate(overridden(signed.program, mode), identity.profile)
    if event.contact_ms < ACT_CONTACT_MS:
        return state, Refusal.CONTACT_TOO_SHORT
    if today >= ACTS_A_DAY:
        return state, Refusal.TOO_OFTEN
    if mode is not None and rate >= now_rate:
        return state, Refusal.NOT_LOWER
    if mode is None and state.override is None:
        return state, Refusal.NOTHING_TO_RESUME
    if mode is None and (since is None or clock_ms - since > GAP_MS):
        return state, Refusal.GAP_TOO_LONG
    use = Use(clock_ms, message.act, message.name, message.reason, message.phone)
    if mode is None:
        since = None
    elif since is None:
        since = clock_ms
    after = replace(
        state,
        override=mode,
        uses=_booked(state, use),
        physics=physics.set_rate(state.physics, rate),
        log=state.log.add(clock_ms, EventCode.EMERGENCY_ACT, int(message.act)),
        counters=replace(state.counters, stopped_ms=since),
    )
    done = EmergencyDone(
        act=message.act,
        at_s=clock_ms // 1000,
        mode=signed.program.mode if mode is None else mode,
        flow_nl_per_day=rate,
        left=ACTS_A_DAY - 1 - today,
    )
    return after, done


def pair(identity: Identity, state: PumpState, event: Asked, clock_ms: int) -> tuple[PumpState, Message | Refusal]:
    """One step of pairing: beep a pattern, then take the tablet whose user typed it."""
    session, message = state.session, event.message
    assert session is not None
    if not event.window_ms:
        return state, Refusal.WINDOW_CLOSED
    if event.contact_ms < PAIR_CONTACT_MS:
        return state, Refusal.CONTACT_TOO_SHORT
    if isinstance(message, Pair):
        names = {name for name, _ in identity.tablets} | {tablet.tablet_id for tablet in state.paired}
        if message.tablet_id not in names and len(names) >= SLOTS:
            return state, Refusal.TABLETS_FULL
        if session.pattern:
            return state, Refusal.MALFORMED
        pattern = bytes(byte % 4 + 1 for byte in event.entropy[:PATTERN_GROUPS])
        heard = replace(session, pattern=pattern, tablet_id=message.tablet_id)
        return replace(state, session=heard), Listen(seconds=event.window_ms // 1000)
    assert isinstance(message, ConfirmPattern)
    if message.pattern != session.pattern or session.tried:
        return replace(state, session=replace(session, tried=True)), Refusal.WRONG_PATTERN
    return _paired(identity, replace(state, session=replace(session, tried=True)), session, event, clock_ms)


def _paired(
    identity: Identity, state: PumpState, session: Session, event: Asked, clock_ms: int
) -> tuple[PumpState, Message | Refusal]:
    fresh = PairedTablet(session.tablet_id, session.public, event.entropy[:32])
    others = tuple(tablet for tablet in state.paired if tablet.tablet_id != fresh.tablet_id)
    log = state.log.add(clock_ms, EventCode.TABLET_PAIRED, len(others) + 1)
    answer = Paired(psk=fresh.psk, receipt_key=identity.receipt_public)
    return replace(state, paired=(*others, fresh), log=log), answer
