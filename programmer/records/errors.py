"""Faults of the store. Each sentence says what happened and what a person does next.

Nothing here carries a name, a key or the text of a row: these sentences reach logs and terminals.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "DiskFull",
    "EntryOutOfOrder",
    "EntryUnreadable",
    "StoreDamaged",
    "StoreError",
    "StoreExists",
    "StoreFaulted",
    "StoreLocked",
    "StoreMissing",
    "StoreReadOnly",
    "StoreTooNew",
]


class StoreError(Exception):
    """A fault of the store. `exit_code` is what the command line returns: 7 not stored, 4 integrity."""

    exit_code: ClassVar[int] = 7

    @property
    def sentence(self) -> str:
        """The message for a person."""
        return str(self)


class StoreDamaged(StoreError):
    """A page does not authenticate, or the key is not this file's; the two cannot be told apart."""

    exit_code = 4

    def __init__(self, name: str, detail: str = "") -> None:
        self.name = name
        self.detail = detail
        super().__init__(
            f"The database {name} is damaged, or the key is not its key"
            f"{f' ({detail})' if detail else ''}: do not program. "
            "Restore the backup with 'programmer audit restore', and keep the damaged file."
        )


class StoreLocked(StoreError):
    """Another process holds the one writer's place. `owner` is its name, `pid` its process number or None."""

    def __init__(self, name: str, owner: str = "", pid: int | None = None) -> None:
        self.name = name
        self.owner = owner
        self.pid = pid
        who = f"{owner or 'another program'}{f' (process {pid})' if pid is not None else ''}"
        super().__init__(f"{name} is in use by {who}: close that program, then start again.")


class DiskFull(StoreError):
    """No room for the transaction; nothing of it was written."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The disk is full: nothing was saved in {name}, and no programming is possible. "
            "Reading goes on. Free some space, then repeat the last step."
        )


class StoreReadOnly(StoreError):
    """The medium, the file or this connection takes no writing."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"{name} is read-only: nothing was saved, and no programming is possible. "
            "Reading goes on. Check the medium and the rights of the folder."
        )


class StoreFaulted(StoreError):
    """The disk reported an error. What reached it is unknown until the store is opened again."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The disk reported an error while writing {name}: it is not known to be saved. "
            "Close the programmer and open it again before going on; read the pump first."
        )


class StoreMissing(StoreError):
    """There is no store at this place."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no database {name}: check the data folder, or set the tablet up first.")


class StoreExists(StoreError):
    """A store is already there; it is never overwritten."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} exists already: it is not overwritten. Choose another folder.")


class StoreTooNew(StoreError):
    """The file has a schema version this program does not know."""

    def __init__(self, name: str, found: int, known: int) -> None:
        self.name = name
        self.found = found
        self.known = known
        super().__init__(
            f"{name} was written by a newer programmer (schema {found}, this one knows {known}): "
            "install the newer version. Nothing was changed."
        )


class EntryOutOfOrder(StoreError):
    """An append does not continue the log: another index, or a head that does not count the entries."""

    exit_code = 70

    def __init__(self, expected: int, found: int) -> None:
        self.expected = expected
        self.found = found
        super().__init__(
            f"The log continues at entry {expected}, not {found}: nothing was saved. "
            "Open the log again and repeat the step; report this fault."
        )


class EntryUnreadable(StoreError):
    """An entry lacks a field that its type has, so no derived row can be made from it."""

    exit_code = 70

    def __init__(self, idx: int, what: str) -> None:
        self.idx = idx
        self.what = what
        super().__init__(
            f"Entry {idx} cannot be read ({what}): nothing was saved. "
            "Report this fault; the audit log up to the entry before is unharmed."
        )
