"""What this pump lets happen: rights by order kind and role, what needs two persons, and its own hard limits.

Rights are a table, deny by default. A nurse's order changes the reservoir volume and nothing else; only a
prescriber closes a discrepancy. Kinds of orders that this pump cannot carry out yet have their rights all the same.
Source: the role table of the programmer's safety rules, kept here a second time on purpose: the pump enforces it by
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drivers.virtual.limits import HardRow, Past, Refusal, Setting, judge, judge_volume
from drivers.virtual.physics import rate_for_dose
from drivers.virtual.profiles import Profile
from protocol import messages
from protocol.messages import Discrepancy, Mode, OrderKind, Program, Role
from protocol.order import Content
from protocol.participant import Signer, Situation


class Right(Enum):
    """What a role may do with one kind of order: sign it alone, sign it with a second person, or be that person."""

    ALONE = "alone"
    WITH_SECOND = "with a second person"
    AS_SECOND = "as the second person"


_ALONE, _TWO, _SECOND = Right.ALONE, Right.WITH_SECOND, Right.AS_SECOND
_P, _I, _N, _A = Role.PRESCRIBER, Role.IMPLANTER, Role.REFILL_NURSE, Role.ADMINISTRATOR

RIGHTS: dict[OrderKind, dict[Role, Right]] = {
    OrderKind.PROGRAM: {_P: _ALONE, _I: _SECOND, _N: _SECOND},
    OrderKind.REFILL: {_P: _ALONE, _I: _ALONE, _N: _ALONE},
    OrderKind.ALARM_VOLUME: {_P: _ALONE, _I: _ALONE, _N: _ALONE},
    OrderKind.CLOCK: {_P: _ALONE, _N: _ALONE},
    OrderKind.STOP: {_P: _TWO, _I: _SECOND, _N: _SECOND},
    OrderKind.RESUME: {_P: _ALONE, _N: _ALONE},
    OrderKind.LIMITS: {_P: _TWO, _N: _SECOND},
    OrderKind.PAIRING: {_P: _SECOND, _A: _TWO},
}
"""Rights by kind of order; a role that is not in the row has none."""

BUILT = frozenset({OrderKind.PROGRAM, OrderKind.REFILL})
"""Kinds of orders that this pump carries out; it refuses all others as unsupported."""

GAP_S = 2 * 3_600
"""Seconds without delivery after which a program needs two persons."""


@dataclass(frozen=True, slots=True)
class Case:
    """What the two-person rules look at."""

    content: Content
    running: Program
    gap_s: int
    marked: frozenset[str]

    @property
    def is_program(self) -> bool:
        """Whether the order changes the program."""
        return self.content.kind is OrderKind.PROGRAM


TWO_PERSONS: dict[str, Callable[[Case], bool]] = {
    "restart after a gap over 2 h": lambda case: case.is_program and case.gap_s > GAP_S,
    "other drug": lambda case: case.content.program.drug is not case.running.drug,
    "other concentration": lambda case: (
        case.content.program.concentration_ng_per_ml != case.running.concentration_ng_per_ml
    ),
    "program": lambda case: "program" in case.marked and case.is_program,
    "refill": lambda case: "refill" in case.marked and case.content.kind is OrderKind.REFILL,
    "increase": lambda case: (
        "increase" in case.marked and case.content.program.dose_ng_per_day > case.running.dose_ng_per_day
    ),
}
"""What needs two persons, whoever signs. The last three hold where they are provisioned for the patient."""

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
    gap_s: int = 0
    two_persons: frozenset[str] = frozenset()
    signed: Program | None = None

    def refusals(self, content: Content, situation: Situation) -> tuple[messages.Refusal, ...]:
        """Every limit that the content breaks, each reason once."""
        if situation.running.mode is Mode.SAFE_STATE:
            return (messages.Refusal.SAFE_STATE,)
        if content.kind not in BUILT:
            return (messages.Refusal.UNSUPPORTED,)
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

    def persons(self, content: Content, situation: Situation) -> int:
        """Signatures that this order needs, whoever signs."""
        case = Case(content, self.signed or situation.running, self.gap_s, self.two_persons)
        return 2 if any(applies(case) for applies in TWO_PERSONS.values()) else 1

    def may_sign(self, content: Content, signers: tuple[Signer, ...]) -> bool:
        """Whether these persons together may give this order: the first as its author, any other as the second."""
        rights = RIGHTS.get(content.kind, {})
        if not signers or any(item.role not in rights for item in signers):
            return False
        if not may_author(rights[signers[0].role], len(signers)):
            return False
        closes = content.kind is OrderKind.REFILL and content.discrepancy is Discrepancy.CLOSED
        return not closes or signers[0].role in MAY_CLOSE_DISCREPANCY

    def flow_nl_per_day(self, program: Program) -> int:
        """The achieved flow, quantised downwards."""
        return achieved_rate(program, self.profile)

    def sign_receipt(self, data: bytes) -> bytes:
        """Ed25519 signature with the pump's receipt key."""
        return Ed25519PrivateKey.from_private_bytes(self.receipt_seed).sign(data)


def may_author(right: Right, persons: int) -> bool:
    """Whether a right lets its holder be the author of an order that so many persons sign."""
    return right is Right.ALONE or (right is Right.WITH_SECOND and persons > 1)


def _words(found: tuple[Refusal, ...]) -> tuple[messages.Refusal, ...]:
    return tuple(dict.fromkeys(WIRE_WORD[item.code] for item in found))
