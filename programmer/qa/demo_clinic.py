"""A simulated clinic with two people, one patient and one virtual pump, made from nothing.

Everything in it is marked as simulated: realm, log name, keys, provisioning. The clinic root's private key is used for
the two enrolments and then forgotten.
"""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from programmer.audit.log import Draft, Seal
from programmer.audit.sealed import key_label, pump_tag
from programmer.identity.keyfile import calibrate
from programmer.identity.tablet import Identity, new_root
from programmer.identity.users import UserSigner
from programmer.records.store import Store
from programmer.visit.credentials import for_person, for_tablet
from programmer.visit.pumps import PumpCard
from programmer.visit.tablet import (
    STORE_FILE,
    Clinic,
    PatientChart,
    Tablet,
    utc_text,
    wrap_chart,
    write_clinic,
)
from protocol.card import card_text
from protocol.credential import TABLET_LIFE_S
from protocol.messages import Realm
from protocol.session import ImplantCard

CLINIC = Clinic(
    schema=1,
    name="demo.example",
    realm="simulated",
    tablet="T-0042",
    on_call="on-call physician of the demo clinic, extension 0000",
)
SERIAL = "VP-000421"
PROFILE = "child-20"
CHART = PatientChart(name="S. Sample", born="2016-05-02", record="000-TEST", population="child_4_11", phase="titration")
DOSE_NG, CONCENTRATION_NG, ALARM_NL, FILL_NL = 100_000, 500_000, 2_000_000, 20_000_000
DAYS_SINCE_FILL = 14
CALL_NUMBER = "EXTENSION 0000"
EPOCH = 1
MONTHS = 36
"""Revocation epoch of the clinic, and for how many spells of 30 days the demo's tablet is given credentials ahead, one
each 15 days so that none is shown that is about to end: its root is forgotten, and a person who tries it out lets
months of the pump's time pass in an hour."""


@dataclass(frozen=True, slots=True)
class DemoUser:
    """A person of the demo clinic, with the secret that the demo shows to everybody."""

    id: str
    name: str
    role: str
    secret: str


USERS = (
    DemoUser("dr-rivera", "Dr A. Rivera", "prescriber", "27182818"),
    DemoUser("n-ito", "N. Ito", "refill-nurse", "31415926"),
)


def exists(data: Path) -> bool:
    """Whether a demo clinic is in this folder."""
    return (data / "clinic.json").exists()


def card_path(data: Path) -> Path:
    """Where the text of the patient's implant card lies."""
    return data / "pump" / "card.txt"


def provision_path(data: Path) -> Path:
    """Where the virtual pump's provisioning lies."""
    return data / "pump" / "provision.json"


def state_path(data: Path) -> Path:
    """Where the virtual pump keeps its memory."""
    return data / "pump" / "state.json"


def create(data: Path, state: Path) -> None:
    """Make the demo clinic in ``data`` and ``state``; both must be new."""
    now = datetime.now(UTC)
    root = new_root("demo.example/sim/root/1", os.urandom)
    write_clinic(data, CLINIC)
    identity = Identity.create(
        data,
        state,
        origin=CLINIC.origin,
        root_vkey=root.vkey,
        random=os.urandom,
        now=lambda: int(time.time()),
    )
    Store.create(data / STORE_FILE, identity.keys.store_key).close()
    cost = calibrate(time.monotonic_ns)
    first: UserSigner | None = None
    for user in USERS:
        identity.enrol(
            user.id,
            user.name,
            user.role,
            user.secret,
            root=root,
            not_before=utc_text(now - timedelta(days=1)),
            not_after=utc_text(now + timedelta(days=365)),
            cost=cost,
            by=first,
        )
        first = first or identity.unlock(user.id, user.secret)
    assert first is not None
    shown = [for_person(root, user, Realm.SIMULATED, EPOCH) for user in identity.users()]
    for half in range(1, 2 * MONTHS + 1):
        end_s = int(now.timestamp()) + half * TABLET_LIFE_S // 2
        shown.append(for_tablet(root, CLINIC.tablet, identity.keys.noise_public, Realm.SIMULATED, end_s, EPOCH))
    with Tablet.open(data, state) as tablet:
        tablet.log.create((root.vkey,), (), 0, "new")
        tablet.keep_credentials(shown)
        for enrolled in identity.users():
            body = {"grant": enrolled.grant, "name": enrolled.name}
            tablet.log.append(Draft("user.enrolled", body, identity.device))
        _admit(tablet, identity, first, data, root.public)


def _admit(tablet: Tablet, identity: Identity, prescriber: UserSigner, data: Path, root: bytes) -> None:
    """One patient, one pump, and the provisioning that the pump is started with."""
    ref, patient_key, salt = os.urandom(16).hex(), os.urandom(32), os.urandom(16)
    sealed, wrapped = wrap_chart(CHART, ref, patient_key, prescriber.kek, os.urandom)
    kid = key_label(patient_key)
    tablet.store.add_patient(ref, sealed, kid, wrapped)
    private, receipt_seed, psk = os.urandom(32), os.urandom(32), os.urandom(32)
    card_secret, public = os.urandom(32), X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    _write_private(card_path(data), card_text(ImplantCard(SERIAL, public, card_secret)))
    receipt_key = Ed25519PrivateKey.from_private_bytes(receipt_seed).public_key().public_bytes_raw()
    tablet.add_pump(
        PumpCard(
            serial=SERIAL,
            public=public.hex(),
            psk=psk.hex(),
            receipt_key=receipt_key.hex(),
            patient=ref,
            tag=pump_tag(salt, SERIAL),
        )
    )
    body = {"model": PROFILE, "receipt_key": receipt_key.hex(), "salt": Seal(salt, patient_key, kid)}
    pump = {"chain": bytes(32).hex(), "epoch": 0, "tag": pump_tag(salt, SERIAL)}
    tablet.log.append(Draft("pump.linked", body, prescriber, patient=ref, pump=pump))
    _write_private(
        provision_path(data),
        {
            "schema": 2,
            "realm": "simulated",
            "serial": SERIAL,
            "profile": PROFILE,
            "static_private": private.hex(),
            "receipt_seed": receipt_seed.hex(),
            "card_secret": card_secret.hex(),
            "call_number": CALL_NUMBER,
            "patient_tag": hashlib.sha256(f"patient-tag {ref}".encode()).hexdigest()[:16],
            "tablets": [{"id": CLINIC.tablet, "public": identity.keys.noise_public.hex(), "psk": psk.hex()}],
            "roots": [root.hex()],
            "program": {
                "dose_ng_per_day": DOSE_NG,
                "concentration_ng_per_ml": CONCENTRATION_NG,
                "alarm_nl": ALARM_NL,
            },
            "fill_nl": FILL_NL,
            "start_s": int(time.time()) - DAYS_SINCE_FILL * 86_400,
        },
    )


def _write_private(path: Path, content: dict[str, object] | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
