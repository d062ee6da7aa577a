"""What the screens are made from: the tablet, who is here, the visit, the last reading. One place, changed by flows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from programmer.clinical.profiles import PumpProfile
from programmer.identity.users import UserSigner
from programmer.visit.logbook import alarm_names
from programmer.visit.machine import Visit, Word
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import OpenChart, Tablet, monotonic_ms
from programmer.visit.unfinished import unfinished
from protocol.messages import Discrepancy, Realm, Status


@dataclass(slots=True)
class Model:
    """The state of the interface. Screens never see it; ``present`` makes views from it."""

    tablet: Tablet
    ports: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    user: UserSigner | None = None
    shell: VisitShell | None = None
    port: str = ""
    link: str = "NOT CONNECTED"
    coupling: int | None = None
    chart: OpenChart | None = None
    identified: bool = False
    paused_until_ms: int = 0

    @property
    def visit(self) -> Visit:
        """The visit, or an empty one."""
        return self.shell.visit if self.shell is not None else Visit()

    @property
    def status(self) -> Status | None:
        """The last reading."""
        reading = self.visit.reading
        return None if reading is None else reading.status

    @property
    def known(self) -> Status:
        """The last reading, where a screen is only reachable after one."""
        status = self.status
        assert status is not None
        return status

    @property
    def age_s(self) -> int | None:
        """Seconds since the last reading."""
        reading = self.visit.reading
        return None if reading is None else (monotonic_ms() - reading.at_ms) // 1_000

    @property
    def now(self) -> datetime:
        """The tablet's clinical time."""
        return datetime.now(UTC) + self.tablet.simulated_offset

    @property
    def profile(self) -> PumpProfile:
        """The profile of the pump that was read."""
        return self.tablet.profile_of(self.known)

    @property
    def simulated(self) -> bool | None:
        """Whether the connected pump is simulated, by its own word in the secure session."""
        status = self.status
        return None if status is None else status.realm is Realm.SIMULATED

    @property
    def signer(self) -> UserSigner:
        """The person at the tablet, where a screen is only reachable signed in."""
        assert self.user is not None
        return self.user

    def sent_before(self) -> bool:
        """Whether the journal holds an order that was sent and never answered, other than the one under way now."""
        here = self.visit.transaction.txid if self.visit.transaction is not None else b""
        open_items = unfinished(self.tablet.journal.records())
        return any(item.intent_logged and item.transaction.txid != here for item in open_items)

    def alarm_codes(self) -> list[str]:
        """Codes of everything that is active: the pump's alarms and the tablet's own."""
        codes = alarm_names(self.status.alarms) if self.status is not None else []
        if self.visit.word is Word.IN_DOUBT or self.sent_before():
            codes.append("IN_DOUBT")
        if self.status is not None and self.status.discrepancy is Discrepancy.OPEN:
            codes.append("DISCREPANCY")
        return codes
