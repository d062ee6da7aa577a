"""A tablet of a clinic: everything that a visit needs, opened from its two folders.

The data folder holds ``clinic.json``, the identity and the encrypted store; the state folder holds the tablet secret
and the journal, and never lies in the data folder.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.adapter import Adapter
from drivers.serial_port import open_port
from programmer.audit.log import AuditLog, Stamp
from programmer.audit.sealed import key_label
from programmer.clinical.library import DrugLibrary, baclofen
from programmer.clinical.profiles import PumpProfile, profile
from programmer.identity.tablet import Identity
from programmer.identity.users import UserSigner
from programmer.records.store import Store
from programmer.visit import credentials
from programmer.visit.credentials import Credentials
from programmer.visit.desk import Desk
from programmer.visit.emergency import EmergencyVisit
from programmer.visit.journal import Journal
from programmer.visit.line import PortLine
from programmer.visit.pumps import META, PumpCard, pack_cards, unpack_cards
from programmer.visit.shell import VisitShell
from programmer.visit.storage import DiskStorage
from protocol.events import EndReason
from protocol.link import LinkTiming
from protocol.messages import Realm, Status
from protocol.session import ImplantCard, TabletKeys
from protocol.wand import Coupling

SOFTWARE = "0.1.0"
POLICY = "1"
CLINIC_FILE = "clinic.json"
STORE_FILE = "store.db"
JOURNAL_FILE = "journal"
PROFILE_NAMES = {1: "child-20", 2: "adult-20", 3: "adult-40"}
"""The profile numbers of status reports."""

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")


class NoClinic(Exception):
    """The data folder holds no clinic."""

    exit_code = 2

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"There is no clinic in {folder}. Choose the data folder with --data or PROGRAMMER_DATA, "
            "or run 'programmer demo' for a simulated clinic."
        )


class ClinicDamaged(Exception):
    """The clinic's file cannot be read."""

    exit_code = 4

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged. Restore it from the backup; nothing was changed.")


class PatientLocked(Exception):
    """The patient's key does not open for this user."""

    exit_code = 5

    def __init__(self) -> None:
        super().__init__("This patient's record does not open with your key. Ask an administrator to enrol you anew.")


class Clinic(BaseModel):
    """Name and realm of a clinic, and this tablet's name in it."""

    model_config = _STRICT

    schema_: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,60}$")]
    realm: Literal["simulated", "clinical"]
    tablet: Annotated[str, Field(pattern=r"^[A-Z0-9-]{1,16}$")]
    on_call: str

    @property
    def origin(self) -> str:
        """Name of this tablet's log."""
        realm = "sim/" if self.realm == "simulated" else ""
        return f"{self.name}/{realm}pumplog/{self.tablet}/1"

    @classmethod
    def read(cls, data: Path) -> "Clinic":
        """The clinic of a data folder; raises ``NoClinic`` or ``ClinicDamaged``."""
        path = data / CLINIC_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise NoClinic(data) from None
        except (ValidationError, OSError):
            raise ClinicDamaged(path) from None


class PatientChart(BaseModel):
    """Who a patient is, and which rows of the library count; sealed in the store."""

    model_config = _STRICT

    name: str
    born: str
    record: str
    population: Literal["adult_spinal", "adult_cerebral", "child_4_11", "child_12_17"]
    phase: Literal["titration", "maintenance"]


@dataclass(frozen=True, slots=True)
class OpenChart:
    """A patient's chart with the key that opened it."""

    ref: str
    chart: PatientChart
    key: bytes
    kid: str

    @property
    def born(self) -> date:
        """Date of birth."""
        return date.fromisoformat(self.chart.born)


def wrap_chart(
    chart: PatientChart, ref: str, key: bytes, kek: bytes, nonce: Callable[[int], bytes]
) -> tuple[bytes, bytes]:
    """(sealed chart, wrapped patient key) for the store."""
    n1, n2 = nonce(12), nonce(12)
    sealed = n1 + ChaCha20Poly1305(key).encrypt(n1, chart.model_dump_json().encode(), f"chart\n{ref}".encode())
    return sealed, n2 + ChaCha20Poly1305(kek).encrypt(n2, key, f"patient-key\n{ref}".encode())


def read_boot_id() -> str:
    """The id of this boot, 32 hex digits."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")
    return os.urandom(16).hex()


def boot_us() -> int:
    """Microseconds since boot, suspended time included where the platform counts it."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock) // 1_000


def monotonic_ms() -> int:
    """Milliseconds of the clock that session timers run on."""
    return time.monotonic_ns() // 1_000_000


def utc_text(moment: datetime) -> str:
    """Six digits and Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Tablet:
    """An opened tablet; close it to give the store back."""

    def __init__(self, clinic: Clinic, identity: Identity, store: Store, journal: Journal) -> None:
        self.clinic, self.identity, self.store, self.journal = clinic, identity, store, journal
        self.library: DrugLibrary = baclofen()
        self.simulated_offset = timedelta()
        self._adapter: Adapter | None = None
        boot = read_boot_id()
        self.log = AuditLog(
            store,
            origin=clinic.origin,
            realm=clinic.realm,
            device=identity.device,
            stamp=lambda: Stamp(utc_text(datetime.now(UTC)), boot, boot_us()),
            policy=POLICY,
            software=SOFTWARE,
        )

    @classmethod
    def open(cls, data: Path, state: Path, *, owner: str = "programmer") -> "Tablet":
        """Open a tablet.

        Raises:
            NoClinic, ClinicDamaged: the data folder.
            StoreError, JournalError, IdentityError: with a sentence each.
        """
        clinic = Clinic.read(data)
        identity = Identity.open(data, state, random=os.urandom, now=lambda: int(time.time()))
        store = Store.open(data / STORE_FILE, identity.keys.store_key, owner=owner)
        try:
            return cls(clinic, identity, store, Journal.open(state / JOURNAL_FILE, DiskStorage()))
        except BaseException:
            store.close()
            raise

    def close(self) -> None:
        """Give store and journal back."""
        self.journal.close()
        self.store.close()

    def __enter__(self) -> "Tablet":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def simulated(self) -> bool:
        """Whether this clinic is a simulation."""
        return self.clinic.realm == "simulated"

    def today(self) -> date:
        """The tablet's clinical date; in a simulation it follows the virtual wand's clock."""
        return (datetime.now(UTC) + self.simulated_offset).date()

    def follow(self, simulated_time_s: int | None) -> None:
        """Take the clinical clock from a virtual wand; only a simulated clinic does."""
        if self.simulated and simulated_time_s is not None:
            self.simulated_offset = datetime.fromtimestamp(simulated_time_s, UTC) - datetime.now(UTC)

    def pumps(self) -> list[PumpCard]:
        """Paired pumps."""
        return unpack_cards(self.store.meta(META))

    def credentials(self) -> Credentials:
        """What this tablet can show to pumps."""
        return credentials.unpack(self.store.meta(credentials.META))

    def keep_credentials(self, every: Iterable[bytes]) -> None:
        """Keep these credentials in place of those before."""
        self.store.set_meta(credentials.META, credentials.pack(every))

    def add_pump(self, card: PumpCard) -> None:
        """Keep one more paired pump."""
        cards = [known for known in self.pumps() if known.serial != card.serial]
        self.store.set_meta(META, pack_cards([*cards, card]))

    def profile_of(self, status: Status) -> PumpProfile:
        """The profile of the pump that reported; raises ``UnknownProfile``."""
        name = PROFILE_NAMES.get(status.profile)
        if name is None:
            raise UnknownProfile(status.profile)
        return profile(name)

    def charts(self, user: UserSigner) -> list[OpenChart]:
        """Charts of all patients, for an unlocked user."""
        return [self.chart(row.ref, user) for row in self.store.patients() if row.sealed is not None]

    def chart(self, ref: str, user: UserSigner) -> OpenChart:
        """One patient's chart; raises ``PatientLocked``."""
        sealed = next((row.sealed for row in self.store.patients() if row.ref == ref), None)
        wrapped = next((row.wrapped for row in self.store.patient_keys(ref)), None)
        if sealed is None or wrapped is None:
            raise PatientLocked
        try:
            key = ChaCha20Poly1305(user.kek).decrypt(wrapped[:12], wrapped[12:], f"patient-key\n{ref}".encode())
            text = ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], f"chart\n{ref}".encode())
        except InvalidTag:
            raise PatientLocked from None
        return OpenChart(ref, PatientChart.model_validate_json(text), key, key_label(key))

    def choose_port(self) -> None:
        """A person chose a port anew: whichever adapter has that name now is the one."""
        self._adapter = None

    def give_up(self) -> None:
        """Let a port that is being opened go, so that who waits for it goes on at once. From any thread."""
        if self._adapter is not None:
            self._adapter.cancel()

    def visit(
        self,
        url: str,
        *,
        notice: Callable[[Coupling | EndReason], None] = lambda _: None,
        probe: Callable[[str], None] = lambda _: None,
    ) -> VisitShell:
        """A visit over the port ``url``, which stays the same adapter from visit to visit; raises ``PortError``."""
        cards = self.pumps()
        return VisitShell(
            Desk(
                line=self._line(url, cards, notice, probe),
                journal=self.journal,
                log=self.log,
                store=self.store,
                device=self.identity.device,
                pumps={card.serial: card.on_file() for card in cards},
                clock_ms=monotonic_ms,
                utc=lambda: utc_text(datetime.now(UTC)),
                entropy=os.urandom,
                probe=probe,
                tablet=self.clinic.tablet,
                credentials=self.credentials(),
            )
        )

    def _line(
        self,
        url: str,
        cards: Sequence[PumpCard] = (),
        notice: Callable[[Coupling | EndReason], None] = lambda _: None,
        probe: Callable[[str], None] = lambda _: None,
    ) -> PortLine:
        adapter = self._adapter
        if adapter is None or adapter.text != url:
            adapter = self._adapter = Adapter(url, open_=lambda name: open_port(name))
        return PortLine(
            adapter.open(),
            TabletKeys(self.clinic.tablet, self.identity.keys.noise_private),
            {card.serial: card.pairing() for card in cards},
            LinkTiming(adapter.timing_baud),
            monotonic_ms,
            os.urandom,
            notice,
            lambda message: probe(f"sent {type(message).__name__}"),
            adapter.open,
            adapter.cancel,
        )

    @contextmanager
    def emergency(self, url: str, card: ImplantCard) -> Iterator[EmergencyVisit]:
        """An emergency visit with a card, over the port ``url``, which is given back at its end.

        Raises:
            CardOfOtherRealm: the card is not of this tablet's realm; nothing was opened.
            PortError, LineFault: no port, no wand, no pump, or a pump of another card.
        """
        if (card.realm is Realm.SIMULATED) is not self.simulated:
            raise CardOfOtherRealm(card.realm)
        line = self._line(url)
        try:
            visit = EmergencyVisit(line, card, self.log, self.identity.device)
            visit.open()
            yield visit
            visit.close()
        finally:
            line.close()


class CardOfOtherRealm(Exception):
    """A simulated card at a clinic's tablet, or the other way round."""

    exit_code = 1

    def __init__(self, realm: Realm) -> None:
        word = "a SIMULATED" if realm is Realm.SIMULATED else "a REAL"
        super().__init__(f"This is the card of {word} pump, and this tablet is not for such pumps. Use another tablet.")


class UnknownProfile(Exception):
    """The pump reports a model that this tablet has no profile of."""

    exit_code = 1

    def __init__(self, number: int) -> None:
        super().__init__(
            f"This pump is of model number {number}, for which this tablet has no profile. It can be read, "
            "not programmed. Install the signed profile of this model."
        )


def write_clinic(data: Path, clinic: Clinic) -> None:
    """Write the clinic's file."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps(clinic.model_dump(by_alias=True), indent=1, sort_keys=True)
    (data / CLINIC_FILE).write_text(text + "\n", encoding="utf-8")
