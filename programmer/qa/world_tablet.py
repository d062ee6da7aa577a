"""A tablet of a scenario: the real store, journal, log and visit on the world's time, and what a person saw on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from programmer.audit.anchor import CHAIN_START
from programmer.audit.log import AuditLog, Draft, Seal, Stamp
from programmer.audit.sealed import key_label, pump_tag
from programmer.clinical.library import baclofen
from programmer.clinical.plan import Reconciliation, RefillPlan
from programmer.clinical.profiles import PumpProfile, profile
from programmer.identity.device import SeedSigner
from programmer.qa.world import CLINIC, SERIAL, TABLETS, Clinic, stream
from programmer.qa.world_pump import WorldPump
from programmer.records.store import Store
from programmer.visit.credentials import Credentials
from programmer.visit.desk import Desk, PumpOnFile
from programmer.visit.journal import Journal
from programmer.visit.logbook import RefillFacts
from programmer.visit.machine import Leaving, Word, lock
from programmer.visit.shell import VisitShell
from programmer.visit.storage import DiskStorage
from programmer.visit.tablet import POLICY, PROFILE_NAMES, SOFTWARE, PatientChart, utc_text, wrap_chart
from protocol.messages import Message, ReadBackReport, Status

POPULATION = {"child": "child_4_11", "adult": "adult_spinal"}


@dataclass
class View:
    """What the person at this tablet has before the eyes, since the tablet was started."""

    status: Status | None = None
    word: Word | None = None
    read_back: ReadBackReport | None = None
    keyed_ng: int | None = None
    plan: RefillPlan | None = None
    reconciliation: Reconciliation | None = None
    findings: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    refused_by: str = ""
    claimed: bool = True
    says: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    def begin(self) -> None:
        """A new act: what was said of the one before is gone."""
        self.findings, self.refused, self.refused_by, self.says = (), (), "", []
        self.claimed = True

    def refuse(self, codes: tuple[str, ...], side: str, sentence: str) -> None:
        """The act was refused; an expectation must name that, or the run fails."""
        self.refused, self.refused_by, self.claimed = codes, side, False
        self.says.append(sentence)


class WorldTablet:
    """Tablet A or B; ``restart`` ends the program and starts it with what is durable."""

    def __init__(self, letter: str, clinic: Clinic, pump: WorldPump, folder: Path) -> None:
        self.letter, self._clinic, self._pump, self._folder = letter, clinic, pump, folder
        self.view = View()
        self.library = baclofen()
        self._stamps = 0
        self.facts: RefillFacts | None = None
        self._shell: VisitShell | None = None
        self._draw = stream(clinic.seed, f"tablet/{letter}")
        self._store_key = self._draw(32)
        self.device = SeedSigner(f"{CLINIC}/sim/pumplog/{TABLETS[letter]}/1", "device", clinic.device[letter])
        self._credentials = Credentials.of(clinic.credentials(letter))
        folder.mkdir(mode=0o700)
        Store.create(folder / "store.db", self._store_key).close()
        self._start()
        self._first_entries()

    def _start(self) -> None:
        self.store = Store.open(self._folder / "store.db", self._store_key)
        self.journal = Journal.open(self._folder / "journal", DiskStorage())
        boot = self._draw(16).hex()

        def stamp() -> Stamp:
            self._stamps += 1
            us = self._pump.now_ms() * 1_000 + self._stamps
            return Stamp(utc_text(self._clinic.start + timedelta(microseconds=us)), boot, us)

        self.log = AuditLog(
            self.store,
            origin=self.device.name,
            realm="simulated",
            device=self.device,
            stamp=stamp,
            policy=POLICY,
            software=SOFTWARE,
            random=self._draw,
        )

    def _first_entries(self) -> None:
        clinic, file = self._clinic, self._clinic.file
        key, kid, tag = clinic.patient_key, key_label(clinic.patient_key), pump_tag(clinic.salt, SERIAL)
        chart = PatientChart(
            name="S. Sample",
            born="2016-05-02",
            record="000-TEST",
            population=POPULATION[file.programmer.library],  # type: ignore[arg-type]  # the table's values are these
            phase=file.programmer.phase,
        )
        sealed, wrapped = wrap_chart(chart, clinic.patient, key, self._draw(32), self._draw)
        self.log.create((clinic.root.vkey,), (), 0, "new")
        for (name, _), grant in zip(clinic.people.items(), clinic.grants, strict=True):
            self.log.append(Draft("user.enrolled", {"grant": grant, "name": name}, self.device))
        self.store.add_patient(clinic.patient, sealed, kid, wrapped)
        prescriber, pump = clinic.people["dr.b"], {"chain": CHAIN_START.hex(), "epoch": 0, "tag": tag}
        linked = {
            "model": file.pump.profile,
            "receipt_key": clinic.receipt_key.hex(),
            "salt": Seal(clinic.salt, key, kid),
        }
        self.log.append(Draft("pump.linked", linked, prescriber, patient=clinic.patient, pump=pump))
        for letter, name in TABLETS.items():
            if letter != self.letter:
                body = {"tablet": name, "credential": "on file"}
                self.log.append(Draft("pump.paired", body, prescriber, patient=clinic.patient))

    @property
    def population(self) -> str:
        """Row of the drug library."""
        return POPULATION[self._clinic.file.programmer.library]

    @property
    def patient(self) -> str:
        """The patient's reference."""
        return self._clinic.patient

    def profile_of(self, status: Status) -> PumpProfile:
        """The profile of the pump that reported."""
        return profile(PROFILE_NAMES[status.profile])

    def shell(self) -> VisitShell:
        """The visit; a new one where none is open."""
        if self._shell is None:
            clinic = self._clinic
            tag = pump_tag(clinic.salt, SERIAL)
            desk = Desk(
                line=self.line(),
                journal=self.journal,
                log=self.log,
                store=self.store,
                device=self.device,
                pumps={SERIAL: PumpOnFile(SERIAL, clinic.receipt_key, clinic.patient, tag)},
                clock_ms=self._pump.now_ms,
                utc=lambda: utc_text(clinic.start + timedelta(milliseconds=self._pump.now_ms())),
                entropy=self._draw,
                tablet=TABLETS[self.letter],
                credentials=self._credentials,
            )
            self._shell = VisitShell(desk)
            self._shell.unlock_patient(clinic.patient, clinic.patient_key, key_label(clinic.patient_key))
        return self._shell

    @property
    def visit(self) -> VisitShell | None:
        """The visit that is open, if one is."""
        return self._shell

    def line(self, *, paired: bool = True) -> Any:
        """A line to the pump that notes which messages were sent."""
        return self._pump.line(self.letter, self._sent(), paired=paired)

    def _sent(self) -> Callable[[Message], None]:
        from drivers.virtual.faults import message_name

        return lambda message: self.view.sent.append(message_name(type(message)))

    def can_close(self) -> bool:
        """Whether the visit may be left without more ado; without one, whether nothing is unfinished."""
        if self._shell is not None:
            return lock(self._shell.visit).leaving is Leaving.FREE and not self._shell.unfinished
        return True

    def put_away(self) -> None:
        """The wand goes to other hands, or everybody goes home: the session ends, an open change stays open."""
        if self._shell is None:
            return
        self._shell.hang_up()
        if lock(self._shell.visit).leaving is Leaving.FREE:
            self._shell = None

    def restart(self) -> None:
        """The program ends without a word to the pump, and starts again."""
        if self._shell is not None:
            self._shell.desk.line.close()
        self._stop()
        self._shell, self.view, self.facts = None, View(), None
        self._start()

    def _stop(self) -> None:
        self.journal.close()
        self.store.close()

    def close(self) -> None:
        """Give everything back."""
        if self._shell is not None:
            self._shell.desk.line.close()
        self._stop()
