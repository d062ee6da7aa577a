"""Every error that a person can meet, and the exit code of it, in one table.

The table names classes as text, so that looking an error up imports nothing. The nearest class of the error's own
line of descent decides; a class that carries its own ``exit_code`` needs no row.
"""

import errno
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from programmer.cli.exits import Exit

CODES: Final[Mapping[str, Exit]] = MappingProxyType(
    {
        "drivers.errors.PortError": Exit.NO_LINK,
        "programmer.visit.line.LineFault": Exit.NO_LINK,
        "protocol.errors.ProtocolError": Exit.NO_LINK,
        "programmer.visit.machine.NotNow": Exit.REFUSED,
        "programmer.visit.desk.PumpRefused": Exit.REFUSED,
        "programmer.visit.desk.StaleReading": Exit.REFUSED,
        "programmer.clinical.refusals.CalculationRefused": Exit.REFUSED,
        "programmer.clinical.files.DataFileError": Exit.USAGE,
        "programmer.clinical.entry_grammar.EntryError": Exit.USAGE,
        "programmer.audit.verify.Unreadable": Exit.USAGE,
        "programmer.audit.export.ExportExists": Exit.USAGE,
        "programmer.audit.log.LogError": Exit.NOT_STORED,
        "programmer.audit.log.LogDamaged": Exit.INTEGRITY,
        "programmer.audit.log.ClockWentBack": Exit.INTEGRITY,
        "programmer.audit.note.NoteMalformed": Exit.INTEGRITY,
        "programmer.audit.note.VKeyMalformed": Exit.INTEGRITY,
        "programmer.audit.note.BadSignature": Exit.INTEGRITY,
        "programmer.audit.canon.NonCanonical": Exit.INTEGRITY,
        "programmer.audit.merkle.ProofMalformed": Exit.INTEGRITY,
        "programmer.audit.merkle.ProofInvalid": Exit.INTEGRITY,
        "programmer.audit.registry.GrantRefused": Exit.NOT_ALLOWED,
        "programmer.audit.entries.RoleError": Exit.NOT_ALLOWED,
        "programmer.audit.sealed.SealBroken": Exit.INTEGRITY,
        "programmer.identity.users.IdentityError": Exit.NOT_ALLOWED,
        "programmer.identity.keyfile.KeyFileError": Exit.NOT_ALLOWED,
        "programmer.identity.secrets.SecretTooWeak": Exit.NOT_ALLOWED,
        "programmer.identity.secrets.TabletSecretMissing": Exit.NOT_ALLOWED,
        "programmer.identity.secrets.TabletSecretOpen": Exit.NOT_ALLOWED,
        "programmer.identity.device.TabletKeysLost": Exit.NOT_ALLOWED,
        "programmer.identity.attempts.AttemptsDamaged": Exit.INTEGRITY,
        "programmer.audit.strict.WeakKey": Exit.NOT_ALLOWED,
        "programmer.records.errors.StoreError": Exit.NOT_STORED,
        "programmer.records.errors.StoreDamaged": Exit.INTEGRITY,
        "programmer.visit.journal.JournalError": Exit.NOT_STORED,
        "programmer.visit.journal.JournalDamaged": Exit.INTEGRITY,
    }
)
"""Module and class to exit code."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_PLACE: Final = frozenset({errno.ENOTDIR, errno.ENOENT, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL})
_CLOSED: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def exit_of(error: BaseException) -> int | None:
    """The exit code of a known error; None for one that nobody foresaw."""
    own = getattr(error, "exit_code", None)
    if own is not None:
        return int(own)
    for kind in type(error).__mro__:
        code = CODES.get(f"{kind.__module__}.{kind.__qualname__}")
        if code is not None:
            return code
    if isinstance(error, OSError) and error.errno in _FULL | _CLOSED:
        return Exit.NOT_STORED
    if isinstance(error, OSError) and error.errno in _PLACE:
        return Exit.USAGE
    return None


def sentence(error: BaseException) -> str:
    """What a person is told about a known error."""
    if isinstance(error, OSError) and getattr(error, "exit_code", None) is None:
        where = f" at {error.filename}" if error.filename else ""
        if error.errno in _FULL:
            return (
                f"The disk is full{where}: nothing more was saved. Free some space, read the pump, then repeat the "
                "last step."
            )
        if error.errno in _CLOSED:
            return f"Writing is not allowed{where}: nothing was saved. Check the rights of the folder, then repeat."
        if error.errno in _PLACE:
            return f"There is no such place{where}: nothing was saved. Name a folder that exists, then repeat."
    return str(error)
