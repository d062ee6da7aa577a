"""What a visit works with, handed in; and the four ways in which a change can be refused before it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from programmer.audit.anchor import SENTENCE, Verdict
from programmer.audit.log import AuditLog, Signer
from programmer.records.store import Store
from programmer.visit.credentials import Credentials
from programmer.visit.journal import Journal
from programmer.visit.line import NO_TRANSFER, Line, LineFault
from protocol.messages import Refusal

NO_CREDENTIALS = Credentials()


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
    tablet: str = ""
    credentials: Credentials = NO_CREDENTIALS


class PumpRefused(Exception):
    """The pump did not take the proposal; nothing has changed."""

    exit_code = 1

    def __init__(self, reasons: tuple[str, ...]) -> None:
        way_on = NO_TRANSFER if Refusal.NOT_IN_THIS_SESSION.name in reasons else "Read it again."
        super().__init__(f"The pump refused: {', '.join(reasons)}. Its program is unchanged. {way_on}")
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


class NotVouched(Exception):
    """The pump's record of its newest order is not the one that this tablet's log leads to: nothing is programmed."""

    exit_code = 4

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(f"{SENTENCE[verdict]} ({verdict.value})")
        self.verdict = verdict


class SecondPersonNeeded(Exception):
    """The pump demands a second signature for this change."""

    exit_code = 5

    def __init__(self) -> None:
        super().__init__(
            "This change needs a second person, other than its author, who signs it too. The proposal is withdrawn; "
            "the pump's program is unchanged. Begin again with both persons at hand."
        )


class NoCredential(Exception):
    """This tablet holds no credential of the person, or none of its own."""

    exit_code = 5

    def __init__(self, whose: str) -> None:
        super().__init__(
            f"This tablet holds no credential of {whose} that a pump could check. Nothing was sent. "
            "Have the clinic's administrator renew the enrolment."
        )


class NotYours(Exception):
    """Only a prescriber may decide by hand what became of a change."""

    exit_code = 5

    def __init__(self) -> None:
        super().__init__("Only a prescriber may sign what became of this change. Ask one to compare and sign.")
