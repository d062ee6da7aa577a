"""The closed schema of every entry: fields, their simple types, and who may sign what.

A table, not code: a type that is not in it, a field that is missing or unknown, or a value of another type is
SchemaError. Rights of roles follow the order kinds; whatever is not listed is refused.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
REALMS = ("simulated", "clinical")
PERSONS = ("prescriber", "implanter", "refill-nurse", "therapist", "qa", "administrator", "observer")
ROLES = (*PERSONS, "device")
HEADER = frozenset((
    "actor", "body", "boot", "boot_us", "idx", "origin", "patient", "policy", "prev", "pump", "realm", "second",
    "software", "type", "utc", "v",
))  # fmt: skip


class SchemaError(ValueError):
    """An entry that this version does not know: unknown type, field or value. Update the program, or refuse it."""


class RoleError(ValueError):
    """This role may not sign this entry: somebody with the right role must sign."""


def _hex(digits: int) -> Callable[[Any], bool]:
    pattern = re.compile(f"[0-9a-f]{{{digits}}}")
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _int(value: Any) -> bool:
    return type(value) is int


def _nat(value: Any) -> bool:
    return type(value) is int and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _map(value: Any) -> bool:
    return isinstance(value, dict)


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _bool(value: Any) -> bool:
    return type(value) is bool


def _sealed(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"alg", "ct", "kid", "nonce"}
        and all(isinstance(item, str) for item in value.values())
    )


_UTC = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", re.ASCII)
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", re.ASCII)


def _utc(value: Any) -> bool:
    return isinstance(value, str) and _UTC.fullmatch(value) is not None


def _day(value: Any) -> bool:
    return isinstance(value, str) and _DAY.fullmatch(value) is not None


KINDS: dict[str, Callable[[Any], bool]] = {
    "text": _text, "int": _int, "nat": _nat, "bool": _bool, "map": _map, "list": _list, "texts": _texts,
    "sealed": _sealed, "utc": _utc, "day": _day, "h8": _hex(8), "h16": _hex(16), "h32": _hex(32),
    "h64": _hex(64), "any": lambda value: True,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntryType:
    """One row: fields of the body with their kinds, whether the device may sign alone, which persons may."""

    fields: Mapping[str, str]
    device: bool
    roles: frozenset[str]


CLINICAL = frozenset({"prescriber", "implanter", "refill-nurse", "qa"})
CARE = CLINICAL | {"therapist"}
ALL = frozenset(PERSONS)
PRESCRIBER = frozenset({"prescriber", "qa"})
ADMIN = frozenset({"administrator"})
NOBODY: frozenset[str] = frozenset()

_ROWS: tuple[tuple[str, bool, frozenset[str], str], ...] = (
    # type, device alone, persons, fields ("name:kind", "?" may be null)
    ("log.genesis", True, NOBODY, "device:text witnesses:texts quorum:nat roots:texts schema:nat reason:text "
     "parent:map? gap:list?"),
    ("log.closed", True, ADMIN, "next_origin:text? reason:text"),
    ("log.verified", True, ALL, "size:nat root:h64 findings:list"),
    ("log.finding", True, ALL, "code:text locus:text evidence:any"),
    ("witness.received", True, ALL, "size:nat line:text"),
    ("witness.given", True, ALL, "origin:text size:nat root:h64 line:text"),
    ("store.backup", True, ALL, "size:nat root:h64 sha256:h64"),
    ("store.migrated", True, ADMIN, "from:any to:any"),
    ("export.made", False, frozenset({"prescriber", "implanter", "refill-nurse", "qa"}),
     "kind:text first:nat last:nat sha256:h64 to:sealed?"),
    ("patient.erased", False, ADMIN | PRESCRIBER, "kids:texts basis:text"),
    ("software.changed", True, ADMIN, "from:text? to:text digest:h64?"),
    ("policy.changed", False, ADMIN, "from:text? to:text digest:h64?"),
    ("library.loaded", False, ADMIN | {"qa"}, "version:any digest:h64 signers:texts"),
    ("clock.step", True, ALL, "from:utc to:utc cause:text"),
    ("user.enrolled", True, ADMIN, "grant:text name:text"),
    ("user.key_replaced", False, ADMIN, "user:text old:text grant:text reason:text"),
    ("user.revoked", False, ADMIN, "user:text key:h8 reason:text"),
    ("secret.changed", False, ALL, "user:text"),
    ("session.opened", False, ALL, "factors:texts"),
    ("session.locked", True, ALL, "cause:text"),
    ("session.closed", False, ALL, "cause:text"),
    ("auth.failed", True, ALL, "user:text count:nat"),
    ("auth.locked", True, ALL, "user:text until:text?"),
    ("record.viewed", False, ALL, "what:text"),
    ("pump.linked", False, CLINICAL, "model:text receipt_key:h64 salt:sealed"),
    ("pump.unlinked", False, CLINICAL, "reason:text"),
    ("pump.paired", False, ADMIN | CLINICAL, "tablet:text credential:any"),
    ("pump.read", True, CARE | {"observer"}, "alarms:list battery_mv:nat eri:bool events:map last_order:h64? "
     "program_digest:h64? pump_time_ms:nat reservoir_nl:int? rtt_us:nat tablet_tag:h16?"),
    ("pump.anchor", True, CARE | {"observer"}, "statement:any"),
    ("pump.events", True, CARE | {"observer"}, "first:nat next:nat lost:nat items:list"),
    ("pump.alarm", True, CARE, "code:any priority:text state:text pump_time_ms:nat?"),
    ("alarm.acknowledged", False, CLINICAL, "code:any"),
    ("alarm.selftest", False, ALL, "heard:bool?"),
    ("link.lost", True, ALL, "state:text"),
    ("entry.trace", False, ALL, "field:text keys:sealed"),
    ("change.intent", False, CLINICAL | {"administrator"}, "kind:text txid:text base_epoch:nat digest:text "
     "head_size:nat head:h32 order:sealed order_digest:h64 order_sigs:list program:any total_24h_ng:nat? "
     "findings:list overrides:list library:any meaning:any"),
    ("change.outcome", True, CLINICAL, "txid:text verdict:text receipt:any cause:text?"),
    ("change.refused", True, CARE, "txid:text? by:text reasons:list proposal:any"),
    ("change.dropped", False, CARE, "txid:text state:text reason:sealed?"),
    ("change.reconciled", False, PRESCRIBER, "txid:text verdict:text epoch:nat? evidence:any reason:sealed"),
    ("refill.measured", False, CLINICAL, "class:text discarded_nl:int? expected_nl:int? method:text withdrawn_nl:int?"),
    ("refill.recorded", False, CLINICAL, "alarm_guarded:day? alarm_nominal:day? concentration_ng_per_ml:nat "
     "expires:day? in_pump:bool injected_nl:nat lot:text? note:sealed? refill_by:day? txid:text?"),
    ("discrepancy.decided", False, PRESCRIBER, "origin:text idx:nat cause:text decision:text reason:sealed?"),
    ("assessment.recorded", False, CARE, "scale:text site:text? value:any"),
    ("plan.recorded", False, CARE, "rows:list"),
    ("care.recorded", False, CARE, "about:text ref:any due:any state:any text:sealed?"),
    ("note.added", False, CARE, "text:sealed"),
    ("report.signed", False, ALL, "sha256:h64 meaning:text"),
    ("record.reviewed", False, ALL, "leaves:texts meaning:text"),
    ("record.corrected", False, CARE | {"administrator"}, "idx:nat leaf:h64 field:text old:any new:any reason:text"),
    ("emergency.used", True, ALL, "level:text act:text operator:sealed? reason:sealed? phone:sealed?"),
    ("emergency.reviewed", False, PRESCRIBER, "idx:nat decision:text"),
)  # fmt: skip

TYPES: Mapping[str, EntryType] = {
    name: EntryType(dict(part.split(":") for part in fields.split()), device, roles)
    for name, device, roles, fields in _ROWS
}

INTENT_AUTHORS: Mapping[str, frozenset[str]] = {
    "dose": frozenset({"prescriber", "implanter"}),
    "mode": frozenset({"prescriber", "implanter"}),
    "concentration": frozenset({"prescriber"}),
    "bridge": frozenset({"prescriber"}),
    "bolus": frozenset({"prescriber"}),
    "stop": frozenset({"prescriber", "implanter", "refill-nurse"}),
    "resume": frozenset({"prescriber", "refill-nurse"}),
    "refill": frozenset({"prescriber", "implanter", "refill-nurse"}),
    "alarm_volume": frozenset({"prescriber", "implanter", "refill-nurse"}),
    "clock": frozenset({"prescriber", "refill-nurse"}),
    "library": frozenset({"administrator"}),
    "limit": frozenset({"prescriber"}),
    "line": frozenset({"prescriber", "implanter"}),
    "explant": frozenset({"prescriber", "implanter"}),
}
"""Who may author which kind of change; quality assurance may author all of them on a virtual pump."""

VERDICTS = ("applied", "not_applied", "in_doubt")
CARE_ABOUT = (
    "ward-check", "wean", "treatments", "teaching", "appointment", "on-call", "acted-at", "line", "explanted",
)  # fmt: skip


def _person(value: Any, where: str) -> None:
    if not (
        isinstance(value, dict)
        and set(value) == {"id", "key", "role"}
        and isinstance(value["id"], str)
        and KINDS["h8"](value["key"])
        and value["role"] in ROLES
    ):
        raise SchemaError(f"{where} is not {{id, key, role}} with a known role")


_HEADER_KINDS: tuple[tuple[str, str], ...] = (
    ("origin", "text"), ("idx", "nat"), ("utc", "utc"), ("boot", "h32"), ("boot_us", "nat"), ("prev", "h64?"),
    ("patient", "h32?"), ("policy", "text"), ("software", "text"), ("body", "map"), ("type", "text"),
    ("pump", "map?"),
)  # fmt: skip
_PUMP_KINDS = {"chain": "h64", "epoch": "nat", "tag": "h32"}


def _is(value: Any, kind: str) -> bool:
    return (value is None and kind.endswith("?")) or KINDS[kind.rstrip("?")](value)


def _closed(value: Mapping[str, Any], kinds: Mapping[str, str], where: str) -> None:
    for name in sorted(set(value) ^ set(kinds)):
        raise SchemaError(f"{where}.{name} is {'missing' if name in kinds else 'unknown'}")
    for name, kind in kinds.items():
        if not _is(value[name], kind):
            raise SchemaError(f"{where}.{name} is not of kind {kind}")


def check_entry(entry: Any) -> None:
    """Returns for an entry (parsed text of a note) that fits the table. Raises SchemaError."""
    if not isinstance(entry, dict):
        raise SchemaError("an entry is a JSON object")
    for name in sorted(set(entry) ^ HEADER):
        raise SchemaError(f"{name} is {'missing' if name in HEADER else 'unknown'}")
    if type(entry["v"]) is not int or entry["v"] != VERSION:
        raise SchemaError("the entry has a version that this program does not know: update the program")
    if entry["realm"] not in REALMS:
        raise SchemaError("the realm is neither simulated nor clinical")
    for name, kind in _HEADER_KINDS:
        if not _is(entry[name], kind):
            raise SchemaError(f"{name} is not of kind {kind}")
    _person(entry["actor"], "actor")
    if entry["second"] is not None:
        _person(entry["second"], "second")
    if entry["pump"] is not None:
        _closed(entry["pump"], _PUMP_KINDS, "pump")
    row = TYPES.get(entry["type"])
    if row is None:
        raise SchemaError(f"the entry type {entry['type']} is unknown: update the program")
    body = entry["body"]
    _closed(body, row.fields, "body")
    for type_name, field, allowed in _CHOICES:
        if entry["type"] == type_name and body[field] not in allowed:
            raise SchemaError(f"body.{field} is not one of {', '.join(allowed)}")


_CHOICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("change.intent", "kind", tuple(INTENT_AUTHORS)),
    ("change.outcome", "verdict", VERDICTS),
    ("change.reconciled", "verdict", VERDICTS),
    ("care.recorded", "about", CARE_ABOUT),
)


def check_role(entry: Mapping[str, Any]) -> None:
    """Returns when the roles in a well-formed entry may sign it. Raises RoleError. Deny by default."""
    row, role, realm = TYPES[entry["type"]], entry["actor"]["role"], entry["realm"]
    second = entry["second"]
    if second is not None and (second["role"] == "device" or second["id"] == entry["actor"]["id"]):
        raise RoleError("the second person must be another person")
    if role == "device":
        if not row.device:
            raise RoleError(f"the device may not sign {entry['type']} alone: a person must sign")
        return
    if role == "qa" and realm != "simulated" and role in row.roles and row.roles != ALL:
        raise RoleError("quality assurance acts on virtual pumps only")
    if role not in row.roles:
        raise RoleError(f"the role {role} may not sign {entry['type']}")
    if entry["type"] == "change.intent":
        kind = entry["body"]["kind"]
        if role not in INTENT_AUTHORS[kind] and not (role == "qa" and realm == "simulated"):
            raise RoleError(f"the role {role} may not sign a change of kind {kind}")


MAY_FOLLOW: Mapping[str, str] = {"change.outcome": "txid", "change.reconciled": "txid"}
"""Types that need an intent before them, with the field that names it."""
