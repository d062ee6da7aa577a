"""What an order that is put in force changes: the record of the decision, delivery, and the history of doses."""

from __future__ import annotations

from dataclasses import replace

from drivers.virtual import physics
from drivers.virtual.limits import WEEK_MS, Past
from drivers.virtual.physics import Physics
from drivers.virtual.pump import Identity, Needle, PumpState
from drivers.virtual.record import Record
from drivers.virtual.rules import achieved_rate
from protocol.messages import Discrepancy, OrderKind, Program
from protocol.order import Content
from protocol.participant import PutInForce


def after(before: Record, effect: PutInForce, clock_ms: int) -> Record:
    """The record of a decision. A refill without a discrepancy leaves an older one open."""
    content, now_s = effect.content, clock_ms // 1000
    bound = {
        "head": effect.head,
        "outcome": effect.memory.outcomes[-1].encode(),
        "order_hash": effect.memory.order_hash,
        "tablet_tag": effect.memory.tablet_tag,
        "tx_floor": effect.memory.tx_floor,
    }
    if content.kind is OrderKind.PROGRAM:
        return before.model_copy(update={"program": content.program, "since_s": now_s, **bound})
    stays_open = before.discrepancy is Discrepancy.OPEN and content.discrepancy is Discrepancy.NONE
    return before.model_copy(
        update={
            "filled_nl": content.reservoir_nl,
            "filled_at_s": now_s,
            "discrepancy": Discrepancy.OPEN if stays_open else content.discrepancy,
            **bound,
        }
    )


def _pruned(history: tuple[Past, ...], clock_ms: int) -> tuple[Past, ...]:
    """The doses of the last seven days, and the one in force when they began."""
    old = [past for past in history if past.at_ms <= clock_ms - WEEK_MS]
    return (*old[-1:], *(past for past in history if past.at_ms > clock_ms - WEEK_MS))


def hands(state: PumpState, act: Needle) -> Physics:
    """Needle and syringe at the port; without a strength the syringe holds that of the signed program."""
    signed = 0 if state.record is None else state.record.program.concentration_ng_per_ml
    strength = signed if act.conc_ng_ml is None else act.conc_ng_ml
    moved, _ = physics.needle(state.physics, withdraw_nl=act.withdraw_nl, inject_nl=act.inject_nl, conc_ng_ml=strength)
    return moved


def refilled(state: PumpState, content: Content) -> PumpState:
    """The pump after a refill order: its own count of the reservoir is what the order says."""
    moved = state.physics
    if not state.hands:  # nobody moved the syringe in the simulated world: do what the order says
        moved = hands(state, Needle(None, content.reservoir_nl))
    return replace(state, physics=physics.set_model(moved, content.reservoir_nl), hands=False)


def programmed(identity: Identity, state: PumpState, old: Program, new: Program, clock_ms: int) -> PumpState:
    """The pump under its new program; an emergency act over the old one ends."""
    moved = physics.set_rate(state.physics, achieved_rate(new, identity.profile))
    moved = physics.set_alarm(moved, new.alarm_nl)
    history = state.history
    if new.dose_ng_per_day != old.dose_ng_per_day:
        history = _pruned((*history, Past(clock_ms, new.dose_ng_per_day)), clock_ms)
    return replace(state, physics=moved, history=history, override=None)
