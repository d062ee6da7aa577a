"""Sealed identities, keys and settings: what the store keeps beside the log and never reads itself."""

from __future__ import annotations

from programmer.records.engine import fetch, translated
from programmer.records.opened import Opened
from programmer.records.rows import PatientKey, PumpLink

__all__ = ["Identities"]


class Identities(Opened):
    """Patients under random references. Every value comes in and goes out sealed or wrapped."""

    def add_patient(self, ref: str, sealed: bytes, kid: str, wrapped: bytes) -> None:
        """Keep a patient: random reference, encrypted identity, and the patient's key wrapped under `kid`.

        For a reference that is known, the identity is replaced and the key is added.
        """
        with self._writing():
            self._db.execute(
                "INSERT INTO patient VALUES (?,?) ON CONFLICT(ref) DO UPDATE SET sealed = excluded.sealed",
                (ref, sealed),
            )
            self._db.execute("INSERT OR REPLACE INTO patient_key VALUES (?,?,?)", (kid, ref, wrapped))

    def patient_keys(self, ref: str) -> tuple[PatientKey, ...]:
        """The wrapped keys of a patient, by key id; none after erasure."""
        rows = self._rows("SELECT kid, patient, wrapped FROM patient_key WHERE patient = ? ORDER BY kid", (ref,))
        return tuple(PatientKey(*row) for row in rows)

    def erase_patient(self, ref: str) -> None:
        """Destroy a patient's keys, sealed identity and pump serials. The entries stay and still verify."""
        with self._writing():
            self._db.execute("DELETE FROM patient_key WHERE patient = ?", (ref,))
            self._db.execute("DELETE FROM pump_link WHERE patient = ?", (ref,))
            self._db.execute("UPDATE patient SET sealed = NULL WHERE ref = ?", (ref,))
        with translated(self._name):
            # The write-ahead log still holds the old pages; emptying it takes them off the disk.
            fetch(self._db, "PRAGMA wal_checkpoint(TRUNCATE)")

    def pump_link(self, serial_tag: str, patient_ref: str, model: str, sealed: bytes) -> None:
        """Keep which pump is whose: salted tag, patient, model, and the sealed serial number and salt."""
        with self._writing():
            self._db.execute(
                "INSERT OR REPLACE INTO pump_link VALUES (?,?,?,?)", (serial_tag, patient_ref, model, sealed)
            )

    def pump_links(self) -> tuple[PumpLink, ...]:
        """All pump links, by tag."""
        rows = self._rows("SELECT tag, patient, model, sealed FROM pump_link ORDER BY tag")
        return tuple(PumpLink(*row) for row in rows)

    def set_store_key(self, user: str, wrapped: bytes) -> None:
        """Keep the store key wrapped for a person."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO store_key VALUES (?,?)", (user, wrapped))

    def store_keys(self) -> tuple[tuple[str, bytes], ...]:
        """(user, wrapped store key), by user."""
        return self._rows("SELECT user, wrapped FROM store_key ORDER BY user")

    def set_meta(self, key: str, value: bytes) -> None:
        """Keep a setting of this store."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO meta VALUES (?,?)", (key, value))

    def meta(self, key: str) -> bytes | None:
        """A setting of this store, or None."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None
