"""Who may do what: the table of roles and actions as data. Whatever is not in it is refused.

The table is for confirmation by a clinic. The pump enforces the same rights from the role in the credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

ROLES = ("prescriber", "implanter", "refill-nurse", "therapist", "qa", "administrator", "observer")


class Right(Enum):
    """What a role has in an action."""

    ALONE = "alone"
    TWO = "with a second person"
    SECOND = "only as second person"
    PREPARE = "prepare only"
    VIRTUAL = "virtual pump only"
    NO = "not"


_MARK = {
    "A": Right.ALONE, "2": Right.TWO, "s": Right.SECOND, "p": Right.PREPARE, "v": Right.VIRTUAL, "-": Right.NO,
}  # fmt: skip

_ROWS: tuple[tuple[str, str, str], ...] = (
    # action, marks in the order of ROLES, what the action is called in a sentence
    ("read-pump", "AAAAv-A", "read the pump"),
    ("care-note", "AAAAv--", "record an assessment or a care note"),
    ("stage-program", "AAp-v--", "stage a program"),
    ("sign-program", "A2--v--", "sign a program"),
    ("soft-override", "A---v--", "override a soft limit"),
    ("concentration", "2ss-v--", "change drug, concentration or bridge"),
    ("line", "22s-v--", "declare line contents or explantation"),
    ("refill", "AAA-v--", "sign a refill"),
    ("close-discrepancy", "A---v--", "close a discrepancy"),
    ("raise-alarm-volume", "AAA-v--", "raise the alarm volume to the recommended value"),
    ("set-alarm-volume", "A---v--", "set another alarm volume"),
    ("clock-simple", "A-A-v--", "correct the clock in simple mode"),
    ("clock-timed", "A---v--", "correct the clock under a timed program"),
    ("stop", "2ss-v--", "stop the pump"),
    ("emergency-stop", "AAA-v--", "stop the pump in an emergency"),
    ("resume-2h", "A-A-v--", "resume within two hours"),
    ("resume-48h", "2s2-v--", "resume within 48 hours"),
    ("restart-dose", "2ss-v--", "start a new dose after a long gap, or return to an earlier one"),
    ("acknowledge-alarm", "AAA-v--", "acknowledge an alarm"),
    ("patient-limit", "2-s-v--", "change a patient's limits"),
    ("pair", "s----2-", "pair or revoke a tablet"),
    ("enrol-user", "s----2-", "enrol or reset a user"),
    ("load-library", "----vA-", "load a library"),
    ("export-patient", "AAA----", "export patient data"),
    ("verify-log", "AAAAAAA", "verify the log"),
    ("security-events", "-----A-", "read security events"),
    ("inject-faults", "----v--", "inject faults"),
)

RIGHTS: Mapping[tuple[str, str], Right] = {
    (role, action): _MARK[mark] for action, marks, _ in _ROWS for role, mark in zip(ROLES, marks, strict=True)
}
ACTIONS: Mapping[str, str] = {action: text for action, _, text in _ROWS}
BREAK_GLASS = ("E0", "E1", "E2")
"""Levels open to anybody who holds the implant card; no role is asked for."""

ORDER_ACTIONS: Mapping[str, str] = {
    "program": "sign-program", "refill": "refill", "alarm_volume": "raise-alarm-volume", "clock": "clock-simple",
    "stop": "stop", "resume": "resume-2h", "limits": "patient-limit", "pairing": "pair",
}  # fmt: skip
"""The least right that each order kind needs; stricter cases of a kind have their own action."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """The role may; ``second`` tells that another person must sign too."""

    second: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The role may not; ``reason`` is a sentence for the screen."""

    reason: str


def check(role: str, action: str, *, realm: str = "clinical") -> Allowed | Refused:
    """Whether a role may do an action as its author. ``action`` is a row of ACTIONS or an order kind."""
    action = ORDER_ACTIONS.get(action, action)
    name = ACTIONS.get(action)
    right = RIGHTS.get((role, action), Right.NO)
    if name is None or role not in ROLES:
        return Refused("This role or action is not known, so it is refused.")
    if right is Right.ALONE or (right is Right.VIRTUAL and realm == "simulated"):
        return Allowed()
    if right is Right.TWO:
        return Allowed(second=True)
    return Refused(_REASONS[right].format(role=role, name=name))


def check_second(role: str, action: str) -> Allowed | Refused:
    """Whether a role may sign an action as the second person."""
    action = ORDER_ACTIONS.get(action, action)
    right = RIGHTS.get((role, action), Right.NO)
    if right in (Right.ALONE, Right.TWO, Right.SECOND):
        return Allowed()
    return Refused(f"The role {role} may not sign as second person here.")


_REASONS = {
    Right.SECOND: "The role {role} may {name} only as the second person; the author must have another role.",
    Right.PREPARE: "The role {role} may prepare, but a prescriber must {name}.",
    Right.VIRTUAL: "The role {role} may {name} on a virtual pump only.",
    Right.NO: "The role {role} may not {name}.",
}
