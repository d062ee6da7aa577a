"""Entries for the store's tests: honest in shape, unsigned (signatures are the audit log's to judge)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from programmer.audit.log import Head

KEY = bytes(range(32))
PATIENT = "7d1f0c5e9a3b48d2b6e0f1a2c3d4e5f6"
OTHER = "00112233445566778899aabbccddeeff"
TAG = "93f08c2849b49e9b9f332c574cc72cc5"
ACTOR = "clinic.example/sim/staff/dr-0007"


def note(
    idx: int,
    type_: str,
    body: dict[str, object],
    *,
    patient: str | None = None,
    epoch: int = 6,
    actor: str = ACTOR,
    role: str = "prescriber",
) -> bytes:
    """One entry with its signature line."""
    pump = {"tag": TAG, "epoch": epoch, "chain": "82" * 32} if patient else None
    record = {
        "v": 1,
        "realm": "simulated",
        "origin": "clinic.example/sim/pumplog/T-0042/1",
        "idx": idx,
        "type": type_,
        "body": body,
        "actor": {"id": actor, "key": "3a148056", "role": role},
        "second": None,
        "utc": f"2026-12-18T09:{idx // 60 % 60:02d}:{idx % 60:02d}.000000Z",
        "boot": "3f9c1a7e5b2d48608a9be1c4d7f20536",
        "boot_us": 512_000_000 + idx,
        "prev": None,
        "patient": patient,
        "pump": pump,
        "policy": "1",
        "software": "0.1.0",
    }
    line = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"{line}\n\n— {actor} AAAA\n".encode()


def head(size: int) -> Head:
    """A head whose parts depend on the size only, so that a test sees which one is stored."""
    root = hashlib.sha256(b"%d" % size).digest()
    return Head(size, (root, root[::-1]), f"origin\n{size}\n".encode())


def intent(txid: str, total: int) -> dict[str, object]:
    """Body of a `change.intent`."""
    return {
        "kind": "dose",
        "txid": txid,
        "base_epoch": 6,
        "digest": "86" * 32,
        "order_digest": "87" * 32,
        "program": {"mode": "simple", "total_24h_ng": total},
        "total_24h_ng": total,
    }


def outcome(txid: str, verdict: str) -> dict[str, object]:
    """Body of a `change.outcome`."""
    return {"txid": txid, "verdict": verdict, "receipt": None, "cause": None}


READ: dict[str, object] = {
    "alarms": [],
    "battery_mv": 2980,
    "eri": False,
    "events": {"lost": 0, "next": 42},
    "last_order": "6c" * 32,
    "program_digest": "86" * 32,
    "pump_time_ms": 2_160_000_000,
    "reservoir_nl": 4_995_000,
    "rtt_us": 18_200,
    "tablet_tag": "18e78fc6040fa056",
}
MEASURED: dict[str, object] = {
    "class": "within",
    "discarded_nl": 4_600_000,
    "expected_nl": 4_995_000,
    "method": "syringe",
    "withdrawn_nl": 4_600_000,
}
REFILLED: dict[str, object] = {
    "alarm_guarded": "2027-01-13",
    "alarm_nominal": "2027-01-17",
    "concentration_ng_per_ml": 500_000,
    "expires": "2027-06-30",
    "in_pump": False,
    "injected_nl": 20_000_000,
    "lot": "B7731",
    "note": None,
    "refill_by": "2027-01-10",
    "txid": None,
}

VISIT: Sequence[tuple[str, dict[str, object], str | None]] = (
    ("log.genesis", {}, None),
    ("session.opened", {"factors": ["secret"]}, None),
    ("pump.linked", {"model": "child-20", "receipt_key": "e1" * 32, "salt": None}, PATIENT),
    ("pump.read", READ, PATIENT),
    ("pump.alarm", {"code": 7, "priority": "medium", "state": "on", "pump_time_ms": 5}, PATIENT),
    ("alarm.acknowledged", {"code": 7}, PATIENT),
    ("change.intent", intent("t1", 98_000), PATIENT),
    ("change.outcome", outcome("t1", "applied"), PATIENT),
    ("refill.measured", MEASURED, PATIENT),
    ("refill.recorded", REFILLED, PATIENT),
    (
        "record.corrected",
        {
            "idx": 9,
            "leaf": "2b" * 32,
            "field": "body.lot",
            "old": "B7731",
            "new": "B7713",
            "reason": "keying",
        },
        PATIENT,
    ),
    (
        "discrepancy.decided",
        {"origin": "o", "idx": 8, "cause": "residual", "decision": "accept", "reason": None},
        PATIENT,
    ),
    ("plan.recorded", {"rows": [{"due": "2027-01-10"}]}, PATIENT),
    ("session.closed", {"cause": "user"}, None),
)
"""One whole visit: (type, body, patient)."""


def visit_notes(first: int = 0) -> list[bytes]:
    """The notes of `VISIT`."""
    return [note(first + n, type_, body, patient=patient) for n, (type_, body, patient) in enumerate(VISIT)]
