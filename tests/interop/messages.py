"""Sections 5, 7 and 8: op codes, and the bodies that this client needs, as tables."""

from typing import Any

from tests.interop import cbor

LONGEST = 232

# name: (op, layout, fields); layout "map" or "array", "+" where a body may hold more than the reader knows
BODIES: dict[str, tuple[int, str, str]] = {
    "KEEP_ALIVE": (1, "map", ""),
    "ALIVE": (2, "map", ""),
    "GET_STATUS": (3, "map", ""),
    "STATUS": (
        4, "array+",
        "pump_time_s:u32 realm:u8 mode:u8 drug:u8 dose_ng_per_day:u32 flow_nl_per_day:u32 concentration_ng_per_ml:u32"
        " alarm_nl:u32 epoch:u32 program_digest8:b8-8 since_s:u32 reservoir_nl:u32 capacity_nl:u32 filled_nl:u32"
        " filled_at_s:u32 delivered_nl:u32 battery_mv:u16 battery_used_permille:u16 eri_at_s:u32 alarms:u16"
        " silenced:u16 events_first:u32 events_next:u32 patient_tag:b8-8 profile:u16 gap_s:u32 discrepancy:u8"
        " staged:bool interrupted:u16 resets:u16",
    ),
    "GET_EVENTS": (5, "map", "cursor:u32"),
    "EVENTS": (6, "map+", "first:u32 next:u32 lost:u32 items:list"),
    "ANCHOR": (7, "map", "nonce:b16-16"),
    "ANCHORED": (
        8, "map", "epoch:u32 order_hash:b32-32 chain:b32-32 tablet_tag:b8-8 pump_time_s:u32 signature:b64-64"
    ),
    "STAGE_PROGRAM": (16, "map", "txid:b16-16 base_epoch:u32 program:program annex:b32-32"),
    "STAGE_REFILL": (
        17, "map", "txid:b16-16 base_epoch:u32 program_digest:b32-32 reservoir_nl:u32 discrepancy:u8 annex:b32-32"
    ),
    "STAGED": (18, "map", "txid:b16-16 digest:b32-32 token:b8-8 expires_in_s:u16 persons:u8"),
    "READ_BACK": (19, "map", "txid:b16-16"),
    "READ_BACK_REPORT": (
        20, "map",
        "txid:b16-16 kind:u8 base_epoch:u32 program:program flow_nl_per_day:u32 total_24h_fg:u64 reservoir_nl:u32"
        " discrepancy:u8 staged_at_s:u32 previous_digest:b32-32",
    ),
    "PRESENT": (21, "map", "position:u8 credential:b32-208"),
    "PRESENTED": (22, "map", "position:u8 role:u8"),
    "COMMIT": (23, "map", "txid:b16-16 token:b8-8 digest:b32-32 head:b16-16 signatures:list"),
    "COMMITTED": (
        24, "map", "txid:b16-16 epoch:u32 digest:b32-32 effective_at_s:u32 chain:b32-32 receipt:b64-64"
    ),
    "QUERY": (25, "map", "txid:b16-16 base_epoch:u32"),
    "NOT_APPLIED": (26, "map", "txid:b16-16"),
    "INDETERMINATE": (27, "map", "txid:b16-16 oldest_epoch:u32"),
    "ABORT": (28, "map", "txid:b16-16"),
    "ABORTED": (29, "map", "txid:b16-16"),
    "CLOSE": (40, "map", "requests:u32"),
    "CLOSED": (41, "map", "requests:u32"),
    "REFUSED": (48, "map", "op:u8 txid:b0-16 reasons:list"),
    "EMERGENCY": (56, "map", "act:u8 name:t1-40 reason:t1-60 phone:t1-24"),
    "EMERGENCY_DONE": (57, "map", "act:u8 at_s:u32 mode:u8 flow_nl_per_day:u32 left:u8"),
    "PAIR": (58, "map", "tablet_id:t1-16"),
    "LISTEN": (59, "map", "seconds:u16"),
    "CONFIRM_PATTERN": (60, "map", "pattern:b6-6"),
    "PAIRED": (61, "map", "psk:b32-32 receipt_key:b32-32"),
    # in clear, without an op code of a session
    "HELLO_TABLET": (0, "map+", "min_version:u8 max_version:u8 capabilities:u32 link_kind:u8 nonce:b8-8 kind:u8"),
    "HELLO_PUMP": (0, "map+", "version:u8 capabilities:u32 nonce:b8-8 tags:b64-64"),
    "BEACON": (0, "map+", "device:u8 alarm:bool call:t1-24"),
    "IDENTITY": (0, "map+", "model:t1-24 serial:t1-24 firmware:u16 virtual:bool"),
    "PROGRAM": (
        0, "map", "mode:u8 dose_ng_per_day:u32 concentration_ng_per_ml:u32 alarm_nl:u32 drug:u8"
    ),
}  # fmt: skip
OF_OP = {op: name for name, (op, _, _) in BODIES.items() if op}
_REASONS = """
    - EXPIRED EPOCH TOKEN SIGNATURE UNKNOWN_TX TX_USED DIGEST ROLE SIGNER_UNKNOWN NOT_READ_BACK PROGRAM_CHANGED
    DISCREPANCY_OPEN SAFE_STATE MALFORMED UNSUPPORTED NO_SUCH_ALARM MEMORY CREDENTIAL EXPIRED_CREDENTIAL REVOKED
    ROOT_UNKNOWN TABLET_CREDENTIAL TABLETS_FULL NOT_IN_THIS_SESSION CONTACT_TOO_SHORT TOO_OFTEN GAP_TOO_LONG NOT_LOWER
    NOTHING_TO_RESUME WRONG_PATTERN WINDOW_CLOSED LIMIT_DOSE_HIGH LIMIT_DOSE_LOW LIMIT_STEP_UP LIMIT_STEP_DOWN
    LIMIT_CHANGE_24H LIMIT_CHANGE_7D LIMIT_FLOW_LOW LIMIT_FLOW_HIGH LIMIT_WINDOW LIMIT_ALARM_VOLUME LIMIT_CAPACITY
    LIMIT_CONCENTRATION SECOND_PERSON
"""
REFUSALS = _REASONS.split()
Body = dict[str, Any]


class BadMessage(ValueError):
    """A body that section 8 does not know."""


def _fields(name: str) -> list[tuple[str, str]]:
    return [(word.partition(":")[0], word.partition(":")[2]) for word in BODIES[name][2].split()]


def _check(name: str, kind: str, value: Any) -> None:
    letter, _, most = kind[1:].rpartition("-")
    good = {
        "u": lambda: type(value) is int and 0 <= value < 2 ** int(kind[1:]),
        "b": lambda: isinstance(value, bytes) and int(letter) <= len(value) <= int(most),
        "t": lambda: isinstance(value, str) and int(letter) <= len(value) <= int(most),
        "l": lambda: isinstance(value, list),
    }
    fits = isinstance(value, bool) if kind == "bool" else good[kind[0]]()
    if not fits:
        raise BadMessage(f"{name}: {value!r} is not {kind}")


def pack(name: str, body: Body) -> dict[int, Any] | list[Any]:
    """The body as CBOR takes it."""
    rows: dict[int, Any] = {}
    for key, (field, kind) in enumerate(_fields(name)):
        value = body[field]
        rows[key] = pack("PROGRAM", value) if kind == "program" else value
        if kind != "program":
            _check(field, kind, value)
    return list(rows.values()) if BODIES[name][1].startswith("array") else rows


def unpack(name: str, raw: Any) -> Body:
    """The body by the names of its fields; raises ``BadMessage``."""
    layout = BODIES[name][1]
    rows = dict(enumerate(raw)) if layout.startswith("array") and isinstance(raw, list) else raw
    fields = _fields(name)
    known = set(range(len(fields)))
    if not isinstance(rows, dict) or known - set(rows) or (set(rows) - known and not layout.endswith("+")):
        raise BadMessage(f"{name}: {raw!r}")
    body: Body = {}
    for key, (field, kind) in enumerate(fields):
        body[field] = unpack("PROGRAM", rows[key]) if kind == "program" else rows[key]
        if kind != "program":
            _check(field, kind, rows[key])
    return body


def write(name: str, number: int, body: Body) -> bytes:
    """A message: ``[op, request id, body]``."""
    data = cbor.encode([BODIES[name][0], number, pack(name, body)])
    if len(data) > LONGEST:
        raise BadMessage("too long")
    return data


def read(data: bytes) -> tuple[str, int, Body]:
    """Name, request id and body of a message."""
    raw = cbor.decode(data)
    if not isinstance(raw, list) or len(raw) != 3 or raw[0] not in OF_OP:
        raise BadMessage(repr(raw))
    name = OF_OP[raw[0]]
    return name, raw[1], unpack(name, raw[2])
