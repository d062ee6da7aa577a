"""What this pump lets happen: rights by order kind and role, and its own hard limits in the wire's words.

Rights are a table, deny by default. A nurse's order changes the reservoir volume and nothing else; only a
prescriber closes a discrepancy. Source: the role table of the programmer's safety rules, kept here a second
time on purpose: the pump enforces it by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.virtual.limits import HardRow, Past, Refusal, Setting, judge, judge_volume
from drivers.virtual.physics import rate_for_dose
from drivers.virtual.profiles import Profile
from protocol import messages
from protocol.messages import Discrepancy, Mode, OrderKind, Program, Role
from protocol.order import Content
from protocol.participant import Signer, Situation

MAY_AUTHOR: dict[OrderKind, frozenset[Role]] = {
    OrderKind.PROGRAM: frozenset({Role.PRESCRIBER}),
    OrderKind.REFILL: frozenset({Role.PRESCRIBER, Role.IMPLANTER, Role.REFILL_NURSE}),
}
MAY_CLOSE_DISCREPANCY = frozenset({Role.PRESCRIBER})

WIRE_WORD: dict[str, messages.Refusal] = {
    "DOSE_ABOVE_HARD": messages.Refusal.LIMIT_DOSE_HIGH,
    "CHANGE_ABOVE_HARD": messages.Refusal.LIMIT_STEP_UP,
    "DECREASE_ABOVE_HARD": messages.Refusal.LIMIT_STEP_DOWN,
    "CHANGE_24H": messages.Refusal.LIMIT_CHANGE_24H,
    "CHANGE_7D": messages.Refusal.LIMIT_CHANGE_7D,
    "FLOW_BELOW_MINIMUM": messages.Refusal.LIMIT_FLOW_LOW,
    "FLOW_ABOVE_MAXIMUM": messages.Refusal.LIMIT_FLOW_HIGH,
    "WINDOW_ABOVE_HARD": messages.Refusal.LIMIT_WINDOW,
    "ALARM_VOLUME_LOW": messages.Refusal.LIMIT_ALARM_VOLUME,
    "ALARM_VOLUME_HIGH": messages.Refusal.LIMIT_ALARM_VOLUME,
    "VOLUME_ABOVE_CAPACITY": messages.Refusal.LIMIT_CAPACITY,
    "BRIDGE_UNDECIDED": messages.Refusal.LIMIT_CONCENTRATION,
    "DISCREPANCY_OPEN": messages.Refusal.DISCREPANCY_OPEN,
}


def setting(program: Program) -> Setting:
    """What the limit code needs to know of a program."""
    return Setting(program.dose_ng_per_day, program.concentration_ng_per_ml, program.alarm_nl)


def achieved_rate(program: Program, profile: Profile) -> int:
    """Flow in nL/day at which the pump runs a program; minimum rate in the safe state, 0 when stopped."""
    if program.mode is Mode.SIMPLE:
        return rate_for_dose(program.dose_ng_per_day, program.concentration_ng_per_ml)
    return 0 if program.mode is Mode.STOPPED else profile.minimum_rate_nl_day


@dataclass(frozen=True, slots=True)
class PumpRules:
    """The `Rules` of the programming transaction as this pump holds them at one moment. Changes are judged against
    `signed`, the last signed program, also while an emergency act holds it down."""

    profile: Profile
    row: HardRow
    history: tuple[Past, ...]
    clock_ms: int
    receipt_seed: bytes
    signed: Program | None = None

    def refusals(self, content: Content, situation: Situation) -> tuple[messages.Refusal, ...]:
        """Every limit that the content breaks, each reason once."""
        if situation.running.mode is Mode.SAFE_STATE:
            return (messages.Refusal.SAFE_STATE,)
        if content.kind is OrderKind.REFILL:
            return _words(judge_volume(content.reservoir_nl, self.profile))
        if content.program.mode is not Mode.SIMPLE or content.program.drug is not situation.running.drug:
            return (messages.Refusal.UNSUPPORTED,)
        found = judge(
            setting(self.signed or situation.running),
            setting(content.program),
            history=self.history,
            now_ms=self.clock_ms,
            row=self.row,
            profile=self.profile,
            discrepancy_open=situation.discrepancy is Discrepancy.OPEN,
        )
        return _words(found)

    def may_sign(self, content: Content, signers: tuple[Signer, ...]) -> bool:
        """Whether the author's role may give this order."""
        if not signers or signers[0].role not in MAY_AUTHOR.get(content.kind, frozenset()):
            return False
        closes = content.kind is OrderKind.REFILL and content.discrepancy is Discrepancy.CLOSED
        return not closes or signers[0].role in MAY_CLOSE_DISCREPANCY

    def flow_nl_per_day(self, program: Program) -> int:
        """The achieved flow, quantised downwards."""
        return achieved_rate(program, self.profile)

    def sign_receipt(self, data: bytes) -> bytes:
        """Ed25519 signature with the pump's receipt key."""
        return Ed25519PrivateKey.from_private_bytes(self.receipt_seed).sign(data)


def _words(found: tuple[Refusal, ...]) -> tuple[messages.Refusal, ...]:
    return tuple(dict.fromkeys(WIRE_WORD[item.code] for item in found))
