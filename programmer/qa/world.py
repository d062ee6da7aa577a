"""The world of a scenario: one seed, one pump, up to two tablets, three people, and the time that passes for all.

Every random byte comes from a stream with a name of its own, so that one stream's draws never move another's.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from drivers.virtual.provision import Provision, parse_provision
from programmer.audit.note import ED25519, VKey
from programmer.identity.device import SeedSigner
from programmer.identity.tablet import new_root
from programmer.identity.users import make_grant
from programmer.qa.quantities import exact
from programmer.qa.scenario import ScenarioFile
from programmer.visit.credentials import for_tablet, pump_role
from programmer.visit.tablet import utc_text
from protocol.credential import TABLET_LIFE_S, Credential, Holder, root_id
from protocol.messages import Realm
from protocol.session import ImplantCard, Pairing

CLINIC = "scenario.example"
SERIAL = "VP-000421"
TABLETS = {"A": "T-0042", "B": "T-0043"}
PERSONS = (("nurse.a", "refill-nurse"), ("dr.b", "prescriber"), ("dr.c", "prescriber"))
NAME_OF = {"nurse": "nurse.a", "physician": "dr.b", "second": "dr.c"}
MONTHS = 132
"""For so many spells of 30 days tablets hold credentials: beyond the longest life of a pump."""
LIFE_DAYS = 4_400
EPOCH = 1


def stream(seed: int, name: str) -> Callable[[int], bytes]:
    """Random bytes that a seed and a name decide: SHAKE-256 over SHA-256(seed, name) and a count."""
    key, count = hashlib.sha256(f"{seed}\n{name}".encode()).digest(), 0

    def draw(size: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(key + count.to_bytes(8, "big")).digest(size)

    return draw


@dataclass(frozen=True, slots=True)
class Clinician:
    """A person of the scenario's clinic, who signs entries and orders."""

    name: str
    role: str
    seed: bytes

    @property
    def public_key(self) -> bytes:
        """Ed25519 public key, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()

    @property
    def vkey(self) -> str:
        """The verifier key."""
        return str(VKey(self.name, ED25519, self.public_key))

    @property
    def key_id(self) -> str:
        """Eight hex digits."""
        return VKey(self.name, ED25519, self.public_key).id

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


class Clinic:
    """Root, people, tablets and the pump's provisioning: all that exists before the first step."""

    def __init__(self, file: ScenarioFile, seed: int) -> None:
        self.file, self.seed = file, seed
        self.start = datetime.strptime(file.start, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        keys = stream(seed, "keys")
        self.root: SeedSigner = new_root(f"{CLINIC}/sim/root/1", keys)
        self.people = {
            name: Clinician(f"{CLINIC}/sim/staff/{name.replace('.', '-')}", role, keys(32)) for name, role in PERSONS
        }
        self.patient, self.patient_key = keys(16).hex(), keys(32)
        self.salt, self._kek = keys(16), keys(32)
        self._pump_private, self._receipt_seed, self._card_secret = keys(32), keys(32), keys(32)
        self.noise = {tablet: keys(32) for tablet in TABLETS}
        self.device = {tablet: keys(32) for tablet in TABLETS}
        self._psk = {tablet: keys(32) for tablet in TABLETS}
        self.grants = [self._grant(person) for person in self.people.values()]

    @property
    def start_s(self) -> int:
        """Seconds at the start, the same for pump and tablets."""
        return int(self.start.timestamp())

    @property
    def receipt_key(self) -> bytes:
        """What verifies the pump's receipts."""
        return Ed25519PrivateKey.from_private_bytes(self._receipt_seed).public_key().public_bytes_raw()

    @property
    def card(self) -> ImplantCard:
        """The patient's implant card."""
        return ImplantCard(SERIAL, _x25519(self._pump_private), self._card_secret)

    def pairing(self, tablet: str) -> Pairing:
        """What a tablet holds of the pump."""
        return Pairing(SERIAL, _x25519(self._pump_private), self._psk[tablet])

    def _grant(self, person: Clinician) -> str:
        return make_grant(
            self.root,
            vkey=person.vkey,
            role=person.role,
            not_before=utc_text(self.start - timedelta(days=1)),
            not_after=utc_text(self.start + timedelta(days=LIFE_DAYS)),
        )

    def credentials(self, tablet: str) -> list[bytes]:
        """What a tablet shows to pumps: its people's credentials and its own."""
        end_s = self.start_s + LIFE_DAYS * 86_400
        shown = [
            Credential(
                Holder.CLINICIAN,
                Realm.SIMULATED,
                person.public_key,
                name,
                pump_role(person.role),
                end_s,
                EPOCH,
                root_id(self.root.public),
            ).signed(self.root.sign)
            for name, person in self.people.items()
        ]
        static = _x25519(self.noise[tablet])
        for month in range(1, MONTHS + 1):
            month_s = self.start_s + month * TABLET_LIFE_S
            shown.append(for_tablet(self.root, TABLETS[tablet], static, Realm.SIMULATED, month_s, EPOCH))
        return shown

    def provision(self) -> Provision:
        """The pump of the file, paired with both tablets. Raises ProvisionError."""
        pump = self.file.pump
        paired = [
            {"id": TABLETS[name], "public": _x25519(private).hex(), "psk": self._psk[name].hex()}
            for name, private in self.noise.items()
        ]
        text = {
            "schema": 2,
            "realm": "simulated",
            "serial": SERIAL,
            "profile": pump.profile,
            "static_private": self._pump_private.hex(),
            "receipt_seed": self._receipt_seed.hex(),
            "card_secret": self._card_secret.hex(),
            "call_number": "555 0199",
            "patient_tag": hashlib.sha256(f"patient-tag {self.patient}".encode()).hexdigest()[:16],
            "tablets": paired,
            "roots": [self.root.public.hex()],
            "two_persons": list(pump.two_persons),
            "program": {
                "dose_ng_per_day": exact("dose", pump.dose),
                "concentration_ng_per_ml": exact("concentration", pump.conc),
                "alarm_nl": exact("volume", pump.alarm),
            },
            "fill_nl": exact("volume", pump.fill),
            "start_s": self.start_s,
        }
        return parse_provision(json.dumps(text))


def _x25519(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
