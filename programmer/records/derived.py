"""Derived tables: what the audit entries say, in rows, made again at any time with equal content.

`PROJECTIONS` gives for each entry type the function that writes its rows; types that are not in it leave
only the patient's first and last entry. Every row depends on the entries alone, never on a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import apsw

from programmer.records.engine import fetch
from programmer.records.entry import Entry, json_line, parse_entry
from programmer.records.schema import DERIVED_TABLES, derived_script

__all__ = ["PROJECTIONS", "digests", "make_tables", "project", "replay"]

Cells = tuple[Any, ...]
Projection = Callable[[apsw.Connection, Entry], None]


def _pump_linked(db: apsw.Connection, e: Entry) -> None:
    if e.tag is None:
        return
    db.execute(
        "INSERT INTO pump VALUES (?,?,?,?,?,?,NULL) ON CONFLICT(tag) DO UPDATE SET patient=excluded.patient,"
        " model=excluded.model, receipt_key=excluded.receipt_key, linked_idx=excluded.linked_idx,"
        " linked_utc=excluded.linked_utc, unlinked_idx=NULL",
        (e.tag, e.patient, e.text("model"), e.text("receipt_key"), e.idx, e.utc),
    )


def _pump_unlinked(db: apsw.Connection, e: Entry) -> None:
    db.execute("UPDATE pump SET unlinked_idx = ? WHERE tag = ?", (e.idx, e.tag))


def _pump_read(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (e.idx, e.patient, e.tag, e.epoch, e.chain, e.utc, e.boot, e.boot_us)
    row += (e.whole("pump_time_ms"), e.whole("rtt_us"), e.maybe_whole("reservoir_nl"), e.whole("battery_mv"))
    row += (e.truth("eri"), e.maybe_text("program_digest"), e.maybe_text("last_order"))
    row += (e.maybe_text("tablet_tag"), e.json("alarms"))
    db.execute("INSERT INTO reading VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", row)


def _pump_alarm(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (e.idx, e.patient, e.tag, e.utc, e.label("code"), e.label("priority"), e.label("state"))
    db.execute("INSERT INTO alarm VALUES (?,?,?,?,?,?,?,?,NULL)", (*row, e.maybe_whole("pump_time_ms")))


def _alarm_acknowledged(db: apsw.Connection, e: Entry) -> None:
    db.execute(
        "UPDATE alarm SET acknowledged_idx = ? WHERE patient IS ? AND code = ? AND acknowledged_idx IS NULL",
        (e.idx, e.patient, e.label("code")),
    )


def _intent(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (
        e.text("txid"),
        e.idx,
        e.patient,
        e.tag,
        e.utc,
        e.actor,
        e.text("kind"),
        e.whole("base_epoch"),
    )
    row += (e.maybe_text("digest"), e.maybe_text("order_digest"), e.json("program"))
    # A repeated transaction number keeps its first row: an intent is never replaced.
    db.execute(
        "INSERT INTO intent VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'open',NULL) ON CONFLICT DO NOTHING",
        (*row, e.maybe_whole("total_24h_ng")),
    )


_CLOSING_VERDICTS = frozenset({"applied", "not_applied"})


def _outcome(db: apsw.Connection, e: Entry) -> None:
    txid, verdict = e.text("txid"), e.text("verdict")
    # Any other verdict closes nothing: a change stays open until it is known what the pump did.
    closed = e.idx if verdict in _CLOSING_VERDICTS else None
    found = db.execute(
        "UPDATE intent SET state = ?, closed_idx = ? WHERE txid = ? AND closed_idx IS NULL RETURNING idx",
        (verdict, closed, txid),
    ).fetchall()
    if found and verdict == "applied":
        # By hand the epoch is the one a person read from the pump; otherwise it came with the entry.
        epoch = e.maybe_whole("epoch") if e.type == "change.reconciled" else e.epoch
        db.execute(
            "INSERT INTO program SELECT ?, txid, idx, patient, coalesce(?, tag), ?, ?, actor, kind, digest,"
            " total_24h_ng, program FROM intent WHERE txid = ?",
            (e.idx, e.tag, epoch, e.utc, txid),
        )


def _measured(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (
        e.idx,
        e.patient,
        e.tag,
        e.utc,
        e.text("class"),
        e.text("method"),
        e.maybe_whole("withdrawn_nl"),
    )
    row += (e.maybe_whole("expected_nl"), e.maybe_whole("discarded_nl"))
    db.execute("INSERT INTO measurement VALUES (?,?,?,?,?,?,?,?,?)", row)


def _refilled(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (e.idx, e.patient, e.tag, e.utc, e.actor, e.whole("injected_nl"))
    row += (e.whole("concentration_ng_per_ml"), e.maybe_text("lot"), e.maybe_text("expires"))
    row += (e.maybe_text("refill_by"), e.maybe_text("alarm_guarded"), e.maybe_text("alarm_nominal"))
    # The measurement of this refill is the patient's last one since the refill before.
    db.execute(
        "INSERT INTO refill VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?, (SELECT max(idx) FROM measurement WHERE"
        " patient IS ? AND idx > coalesce((SELECT max(idx) FROM refill WHERE patient IS ?), -1)))",
        (*row, e.truth("in_pump"), e.maybe_text("txid"), e.patient, e.patient),
    )


def _planned(db: apsw.Connection, e: Entry) -> None:
    db.execute("INSERT INTO plan VALUES (?,?,?,?,?)", (e.idx, e.patient, e.utc, e.actor, e.json("rows")))


def _session_opened(db: apsw.Connection, e: Entry) -> None:
    db.execute("INSERT INTO visit VALUES (?,?,?,?,NULL,NULL,NULL,NULL)", (e.idx, e.actor, e.role, e.utc))


_LAST_OPEN = "(SELECT max(idx) FROM visit WHERE closed_idx IS NULL AND (? = 'device' OR actor = ?))"


def _session_locked(db: apsw.Connection, e: Entry) -> None:
    db.execute(f"UPDATE visit SET locked_idx = ? WHERE idx = {_LAST_OPEN}", (e.idx, e.role, e.actor))


def _session_closed(db: apsw.Connection, e: Entry) -> None:
    db.execute(
        f"UPDATE visit SET closed_idx = ?, closed_utc = ?, cause = ? WHERE idx = {_LAST_OPEN}",
        (e.idx, e.utc, e.label("cause"), e.role, e.actor),
    )


def _discrepancy(db: apsw.Connection, e: Entry) -> None:
    row: Cells = (e.idx, e.patient, e.utc, e.actor, e.maybe_text("origin"), e.maybe_whole("idx"))
    db.execute("INSERT INTO discrepancy VALUES (?,?,?,?,?,?,?,?)", (*row, e.text("cause"), e.text("decision")))


_REFILL_COLUMNS: Mapping[str, type] = MappingProxyType(
    {
        "injected_nl": int,
        "concentration_ng_per_ml": int,
        "lot": str,
        "expires": str,
        "refill_by": str,
        "alarm_guarded": str,
        "alarm_nominal": str,
    }
)
_MEASUREMENT_COLUMNS: Mapping[str, type] = MappingProxyType(
    {"withdrawn_nl": int, "expected_nl": int, "discarded_nl": int}
)
_CORRECTABLE: Mapping[str, tuple[str, Mapping[str, type]]] = MappingProxyType(
    {
        "refill.recorded": ("refill", _REFILL_COLUMNS),
        "refill.measured": ("measurement", _MEASUREMENT_COLUMNS),
    }
)


def _corrected(db: apsw.Connection, e: Entry) -> None:
    """The row takes the new value; the old one stays in `correction` (and in the entry, for good)."""
    target, field, new = e.whole("idx"), e.text("field"), e.value("new")
    row: Cells = (
        e.idx,
        target,
        e.patient,
        e.utc,
        e.actor,
        field,
        e.json("old"),
        json_line(new),
        e.text("reason"),
    )
    db.execute("INSERT INTO correction VALUES (?,?,?,?,?,?,?,?,?)", row)
    kinds = fetch(db, "SELECT type FROM entry WHERE idx = ?", (target,))
    table, columns = _CORRECTABLE.get(kinds[0][0], ("", {})) if kinds else ("", {})
    column = field.removeprefix("body.")
    if column in columns and type(new) is columns[column]:
        db.execute(f"UPDATE {table} SET {column} = ? WHERE idx = ?", (new, target))


PROJECTIONS: Mapping[str, Projection] = MappingProxyType(
    {
        "alarm.acknowledged": _alarm_acknowledged,
        "change.intent": _intent,
        "change.outcome": _outcome,
        "change.reconciled": _outcome,
        "discrepancy.decided": _discrepancy,
        "plan.recorded": _planned,
        "pump.alarm": _pump_alarm,
        "pump.linked": _pump_linked,
        "pump.read": _pump_read,
        "pump.unlinked": _pump_unlinked,
        "record.corrected": _corrected,
        "refill.measured": _measured,
        "refill.recorded": _refilled,
        "session.closed": _session_closed,
        "session.locked": _session_locked,
        "session.opened": _session_opened,
    }
)
"""Entry type -> what it writes into the derived tables."""


def project(db: apsw.Connection, entry: Entry) -> None:
    """Write the derived rows of one entry. Raises `EntryUnreadable` before the entry counts."""
    if entry.patient is not None:
        db.execute(
            "INSERT INTO patient_log VALUES (?,?,?,?) ON CONFLICT(ref) DO UPDATE SET"
            " last_idx = excluded.last_idx, last_utc = excluded.last_utc",
            (entry.patient, entry.idx, entry.idx, entry.utc),
        )
    write = PROJECTIONS.get(entry.type)
    if write is not None:
        write(db, entry)


def make_tables(db: apsw.Connection) -> None:
    """Drop the derived tables and make them empty."""
    for table in DERIVED_TABLES:
        db.execute(f"DROP TABLE IF EXISTS {table}")
    db.execute(derived_script())


def replay(db: apsw.Connection, entries: Iterable[tuple[int, bytes]]) -> int:
    """Make the derived tables from the entries alone; the number of entries. Call inside a transaction."""
    make_tables(db)
    count = 0
    for idx, note in entries:
        project(db, parse_entry(note, idx))
        count += 1
    return count


def digests(db: apsw.Connection) -> dict[str, bytes]:
    """SHA-256 over the rows of each derived table, in the order of their key; a missing table has none."""
    found: dict[str, bytes] = {}
    present = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for table in DERIVED_TABLES:
        if table in present:
            state = hashlib.sha256()
            for row in db.execute(f"SELECT * FROM {table} ORDER BY 1"):
                state.update(repr(row).encode())
            found[table] = state.digest()
    return found
