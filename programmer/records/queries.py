"""Questions to the store, each answered in typed rows. Newest first wherever a list has a time."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import apsw

from programmer.records.engine import fetch
from programmer.records.rows import (
    Alarm,
    Correction,
    Discrepancy,
    Intent,
    Measurement,
    Patient,
    Plan,
    Program,
    Pump,
    Reading,
    Refill,
    Visit,
)

__all__ = ["Queries"]

Row = TypeVar("Row")
Cells = tuple[Any, ...]


def _select(db: apsw.Connection, kind: type[Row], rest: str, values: Cells = ()) -> tuple[Row, ...]:
    """Rows of the table named like the dataclass. A field with a trailing underscore is a reserved word."""
    known = [field for field in fields(kind) if field.name != "corrections"]  # type: ignore[arg-type]  # rows
    columns = ", ".join(field.name.rstrip("_") for field in known)
    truths = [place for place, field in enumerate(known) if field.type == "bool"]
    rows = fetch(db, f"SELECT {columns} FROM {kind.__name__.lower()} {rest}", values)
    made: list[Row] = []
    for row in rows:
        cells = list(row)
        for place in truths:
            cells[place] = bool(cells[place])
        made.append(kind(*cells))
    return tuple(made)


class Queries:
    """The reading side of the store. `_db` is an open connection."""

    _db: apsw.Connection

    def patients(self) -> tuple[Patient, ...]:
        """Every patient with a sealed identity or an entry, in the order of the reference."""
        rows = fetch(
            self._db,
            "SELECT ref, sealed, first_idx, last_idx, last_utc FROM"
            " (SELECT ref FROM patient UNION SELECT ref FROM patient_log)"
            " LEFT JOIN patient USING (ref) LEFT JOIN patient_log USING (ref) ORDER BY ref",
        )
        return tuple(Patient(*row) for row in rows)

    def pumps(self, patient: str | None = None) -> tuple[Pump, ...]:
        """Linked and formerly linked pumps, of one patient or of all."""
        if patient is None:
            return _select(self._db, Pump, "ORDER BY linked_idx DESC")
        return _select(self._db, Pump, "WHERE patient = ? ORDER BY linked_idx DESC", (patient,))

    def readings(self, patient: str, n: int) -> tuple[Reading, ...]:
        """The patient's last `n` interrogations."""
        return _select(self._db, Reading, "WHERE patient = ? ORDER BY idx DESC LIMIT ?", (patient, max(n, 0)))

    def last_program(self, patient: str) -> Program | None:
        """The last applied change that carries a program, or None. The pump itself is the source of truth."""
        found = _select(
            self._db, Program, "WHERE patient = ? AND program <> 'null' ORDER BY idx DESC LIMIT 1", (patient,)
        )
        return found[0] if found else None

    def dose_history(self, patient: str) -> tuple[Program, ...]:
        """Every applied change, newest first: kind, total in ng per 24 h, program as JSON."""
        return _select(self._db, Program, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def intents(self, patient: str) -> tuple[Intent, ...]:
        """Every signed change with its state, newest first."""
        return _select(self._db, Intent, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def open_intents(self) -> tuple[Intent, ...]:
        """Signed changes whose outcome is not known, oldest first: each must be resolved with the pump."""
        return _select(self._db, Intent, "WHERE closed_idx IS NULL ORDER BY idx")

    def refills(self, patient: str) -> tuple[Refill, ...]:
        """The patient's refills with their corrections, newest first."""
        return tuple(
            self._with_corrections(row)
            for row in _select(self._db, Refill, "WHERE patient = ? ORDER BY idx DESC", (patient,))
        )

    def last_refill(self, patient: str) -> Refill | None:
        """The patient's last refill, or None."""
        found = _select(self._db, Refill, "WHERE patient = ? ORDER BY idx DESC LIMIT 1", (patient,))
        return self._with_corrections(found[0]) if found else None

    def _with_corrections(self, row: Refill) -> Refill:
        return replace(row, corrections=self.corrections(row.idx))

    def measurements(self, patient: str) -> tuple[Measurement, ...]:
        """What was drawn at refills, newest first."""
        return _select(self._db, Measurement, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def corrections(self, target: int) -> tuple[Correction, ...]:
        """Corrections of entry `target`, oldest first."""
        return _select(self._db, Correction, "WHERE target = ? ORDER BY idx", (target,))

    def alarms(self, patient: str) -> tuple[Alarm, ...]:
        """Alarms the pump reported, newest first."""
        return _select(self._db, Alarm, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def plans(self, patient: str) -> tuple[Plan, ...]:
        """Recorded plans, newest first."""
        return _select(self._db, Plan, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def discrepancies(self, patient: str) -> tuple[Discrepancy, ...]:
        """Decisions on what did not agree, newest first."""
        return _select(self._db, Discrepancy, "WHERE patient = ? ORDER BY idx DESC", (patient,))

    def open_visits(self) -> tuple[Visit, ...]:
        """Sessions that were opened and not closed, oldest first."""
        return _select(self._db, Visit, "WHERE closed_idx IS NULL ORDER BY idx")
