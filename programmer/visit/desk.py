"""What a visit works with, handed in; and the four ways in which a change can be refused before it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from programmer.audit.log import AuditLog, Signer
from programmer.records.store import Store
from programmer.visit.journal import Journal
from programmer.visit.line import Line, LineFault


class Person(Signer, Protocol):
    """A signer who can sign orders too."""

    @property
    def public_key(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""


@dataclass(frozen=True, slots=True)
class PumpOnFile:
    """A pump that this tablet is paired with, and its patient."""

    serial: str
    receipt_key: bytes
    patient: str
    tag: str


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a visit works with; handed in, so that a test can hand in its own."""

    line: Line
    journal: Journal
    log: AuditLog
    store: Store
    device: Signer
    pumps: dict[str, PumpOnFile]
    clock_ms: Callable[[], int]
    utc: Callable[[], str]
    entropy: Callable[[int], bytes]
    probe: Callable[[str], None] = lambda _: None


class PumpRefused(Exception):
    """The pump did not take the proposal; nothing has changed."""

    exit_code = 1

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(f"The pump refused: {', '.join(reasons)}. Its program is unchanged; read it again.")
        self.reasons = reasons


class ReadBackDiffers(Exception):
    """The pump understood something else than was proposed; the proposal is withdrawn."""

    exit_code = 4

    def __init__(self, fields: tuple[str, ...]) -> None:
        super().__init__(
            f"The pump read back another {' and '.join(fields)} than was entered. The proposal is withdrawn and the "
            "running program is unchanged. Do not program this pump; report it."
        )


class OtherPump(LineFault):
    """The wand is over another pump than the one of this visit."""

    def __init__(self, found: str, expected: str) -> None:
        super().__init__(
            f"This is pump {found}; the visit is with pump {expected}. Nothing was asked of it. "
            f"Hold the wand over pump {expected}, or end this visit first."
        )


class ProposalGone(Exception):
    """The pump no longer holds the proposal."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("The proposal has expired in the pump, and nothing was changed. Check it with the pump again.")


class NotAllowed(Exception):
    """The role of the person who signs does not include this; no order has left."""

    exit_code = 5


class StaleReading(Exception):
    """The last reading is too old to write on."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__("The last reading is more than 60 s old. Read the pump again, then go on.")


class NotSaved(Exception):
    """The tablet could not save; no order has left."""

    exit_code = 7
