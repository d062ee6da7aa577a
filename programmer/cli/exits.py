"""Exit codes of every command; the number says what a script may do next."""

from enum import IntEnum


class Exit(IntEnum):
    """Meaning of the number with which ``programmer`` ends."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NO_LINK = 3
    INTEGRITY = 4
    NOT_ALLOWED = 5
    UNKNOWN_OUTCOME = 6
    NOT_STORED = 7
    FAULT = 70
    INTERRUPTED = 130
