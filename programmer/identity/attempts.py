"""Counting wrong secrets: five lock for 15 minutes, each further one doubles, ten destroy the key. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from programmer.audit import canon
from programmer.identity.files import write_durably

LOCK_AT = 5
DESTROY_AT = 10
LOCK_S = 15 * 60
FILE = "attempts.json"


class AttemptsDamaged(Exception):
    """The file of attempts is damaged: an administrator must look at the tablet before anybody signs."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Wrong secrets in a row, and when (POSIX seconds) the lock ends and the last one was."""

    wrong: int = 0
    until: int = 0
    last: int = 0

    def locked(self, now: int) -> int:
        """Seconds still to wait; 0 when open. A clock that was set back does not shorten the wait."""
        if self.wrong < LOCK_AT:
            return 0
        if now < self.last:
            return self.until - self.last
        return max(0, self.until - now)

    @property
    def destroyed(self) -> bool:
        """Whether the key wrap is to be destroyed."""
        return self.wrong >= DESTROY_AT

    def failed(self, now: int) -> "Attempts":
        """After one more wrong secret."""
        wrong = self.wrong + 1
        wait = LOCK_S << (wrong - LOCK_AT) if wrong >= LOCK_AT else 0
        return Attempts(wrong, now + wait, now)


def read_attempts(folder: Path) -> dict[str, Attempts]:
    """Attempts by user. A missing file means nobody has failed. Raises AttemptsDamaged."""
    try:
        rows = canon.decode((folder / FILE).read_bytes())
        return {user: Attempts(row["wrong"], row["until"], row["last"]) for user, row in rows.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AttemptsDamaged("the file of wrong secrets is damaged: an administrator must look at it") from None


def write_attempts(folder: Path, attempts: Mapping[str, Attempts]) -> None:
    """Keep the attempts durably."""
    rows = {user: {"last": a.last, "until": a.until, "wrong": a.wrong} for user, a in attempts.items()}
    write_durably(folder / FILE, canon.encode(rows))
