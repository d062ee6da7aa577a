"""Witnesses' signatures, other tablets' logs, and evidence of faults."""

from __future__ import annotations

from collections.abc import Sequence

from programmer.records.engine import fetch
from programmer.records.opened import Opened

__all__ = ["Peers"]


class Peers(Opened):
    """What others signed. Bytes are kept exactly; the audit log judges them."""

    def add_cosignature(self, size: int, witness: str, line: bytes) -> None:
        """Keep a witness's signature line for the checkpoint of `size`; that checkpoint stays for good."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO cosig VALUES (?,?,?)", (size, witness, line))

    def cosignatures(self, size: int) -> tuple[tuple[str, bytes], ...]:
        """(witness, line) for the checkpoint of `size`, by witness."""
        return self._rows("SELECT witness, line FROM cosig WHERE size = ? ORDER BY witness", (size,))

    def add_peer_entries(self, origin: str, first: int, notes: Sequence[bytes]) -> tuple[int, ...]:
        """Keep entries of another tablet's log. Returns the indexes where other bytes stood already.

        What is there stays: two notes for one index are a fork, which the caller keeps as evidence.
        """
        forks: list[int] = []
        with self._writing():
            for idx, note in enumerate(notes, start=first):
                found = fetch(self._db, "SELECT note FROM peer_entry WHERE origin = ? AND idx = ?", (origin, idx))
                if not found:
                    self._db.execute("INSERT INTO peer_entry VALUES (?,?,?)", (origin, idx, note))
                elif found[0][0] != note:
                    forks.append(idx)
        return tuple(forks)

    def peer_notes(self, origin: str) -> tuple[tuple[int, bytes], ...]:
        """(idx, note) of another tablet's log, in order."""
        return self._rows("SELECT idx, note FROM peer_entry WHERE origin = ? ORDER BY idx", (origin,))

    def set_peer_head(self, origin: str, size: int, root: bytes, note: bytes) -> None:
        """Keep the newest checkpoint seen of another tablet's log."""
        with self._writing():
            self._db.execute("INSERT OR REPLACE INTO peer_head VALUES (?,?,?,?)", (origin, size, root, note))

    def peer_heads(self) -> tuple[tuple[str, int, bytes, bytes], ...]:
        """(origin, size, root, checkpoint note) of the other tablets' logs, by origin."""
        return self._rows("SELECT origin, size, root, note FROM peer_head ORDER BY origin")

    def add_evidence(self, kind: str, notes: bytes) -> None:
        """Keep proof of a fault; it is never deleted."""
        with self._writing():
            self._db.execute("INSERT INTO evidence(kind, notes) VALUES (?,?)", (kind, notes))

    def evidence(self) -> tuple[tuple[str, bytes], ...]:
        """(kind, notes), oldest first."""
        return self._rows("SELECT kind, notes FROM evidence ORDER BY id")
