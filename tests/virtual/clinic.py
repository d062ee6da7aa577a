"""A small simulated clinic for these tests: one provisioned pump, one paired tablet, a physician and a nurse."""

import hashlib
from itertools import count

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from drivers.virtual.firmware import Firmware
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.provision import Provision
from protocol.connection import TabletConnection
from protocol.events import Received, SessionEnded, SessionOpened
from protocol.link import LinkTiming
from protocol.messages import (
    Commit,
    Discrepancy,
    Drug,
    GetStatus,
    Mode,
    Present,
    Program,
    ReadBack,
    Realm,
    Role,
    StageProgram,
    StageRefill,
)
from protocol.order import Content, Order, program_digest, sign
from protocol.session import Pairing, TabletKeys
from tests.credentials import ROOT, clinician, ed_public, tablet

START_S = 1_795_424_400
START_MS = START_S * 1000
TABLET = "TAB-1"


def key(name):
    return hashlib.sha256(name.encode()).digest()


def x_public(private):
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def tx_named(name):
    """A transaction id as a tablet makes it: the pump's time, then what is random elsewhere."""
    return START_S.to_bytes(4, "big") + key(name)[:12]


def new_txid():
    return tx_named(f"tx {next(Visit.numbers)}")


def tablet_credential(now_s, **changes):
    return tablet(TABLET, x_public(key("tablet")), now_s + 29 * 86_400, **changes)


PHYSICIAN, NURSE, IMPLANTER, STRANGER = key("physician"), key("nurse"), key("implanter"), key("stranger")


CREDENTIAL = {
    seed: clinician(ed_public(seed), role)
    for seed, role in (
        (PHYSICIAN, Role.PRESCRIBER),
        (NURSE, Role.REFILL_NURSE),
        (IMPLANTER, Role.IMPLANTER),
    )
} | {STRANGER: clinician(ed_public(STRANGER), Role.PRESCRIBER, root=STRANGER)}


def provision(**changes):
    data = {
        "schema": 2,
        "realm": "simulated",
        "serial": "VP-0007",
        "profile": "child-20",
        "static_private": key("pump static").hex(),
        "receipt_seed": key("receipt").hex(),
        "patient_tag": "0011223344556677",
        "tablets": [{"id": TABLET, "public": x_public(key("tablet")).hex(), "psk": key("psk").hex()}],
        "roots": [ed_public(ROOT).hex()],
        "program": {"dose_ng_per_day": 100_000, "concentration_ng_per_ml": 500_000, "alarm_nl": 2_000_000},
        "fill_nl": 20_000_000,
        "start_s": START_S,
    }
    return Provision.model_validate({**data, **changes})


def entropy(label):
    numbers = count()
    return lambda size: hashlib.shake_256(f"{label} {next(numbers)}".encode()).digest(size)


def program(dose=115_000, alarm=2_000_000, conc=500_000):
    return Program(
        mode=Mode.SIMPLE, dose_ng_per_day=dose, concentration_ng_per_ml=conc, alarm_nl=alarm, drug=Drug.BACLOFEN
    )


def make_host(state=None, persist=lambda state: None, now_ms=0, boots=0, **changes):
    made = provision(**changes)
    pump = Firmware(made.identity())
    if state is None:
        state = pump.manufacture(clock_ms=START_MS, program=made.first_program(), fill_nl=made.fill_nl)
    return VirtualPumpHost(
        pump,
        state,
        private=bytes.fromhex(made.static_private),
        tablets=made.paired(),
        entropy=entropy(f"pump {boots}"),
        now_ms=now_ms,
        clock_ms=state.physics.now_ms,
        persist=persist,
    )


class LinkDied(Exception):
    """The tablet gave up after its last attempt."""


class Visit:
    """A tablet at this pump; `carry(bytes, now_ms) -> bytes` is the line. Time stands unless somebody waits."""

    numbers = count()

    def __init__(self, carry, now_ms=0, serial="VP-0007"):
        self.carry, self.now = carry, now_ms
        pairing = Pairing(serial, x_public(key("pump static")), key("psk"))
        self.tablet = TabletConnection(
            TabletKeys(TABLET, key("tablet")),
            {serial: pairing},
            LinkTiming(115_200),
            entropy(f"tablet {next(Visit.numbers)}"),
        )
        self.events, self.sent, self.got, self.handshake = [], 0, 0, b""

    def _run(self, done):
        while True:
            for _ in range(6):
                out = self.tablet.data_to_send()
                if not out:
                    break
                self.sent += len(out)
                back = self.carry(out, self.now)
                self.got += len(back)
                self._take(self.tablet.receive_data(back, self.now))
            found = [e for e in self.events if isinstance(e, done)]
            if found:
                self.events.clear()
                return found[-1]
            if any(isinstance(e, SessionEnded) for e in self.events):
                self.events.clear()
                raise LinkDied
            due = self.tablet.next_timeout()
            assert due is not None, "the tablet waits for nothing"
            self.now = max(self.now, due)
            self._take(self.tablet.handle_timeout(self.now))

    def _take(self, events):
        self.events += events

    def connect(self):
        self.tablet.connect(self.now)
        self.handshake = self._run(SessionOpened).handshake_hash
        return self

    def ask(self, message):
        self.tablet.request(message, self.now)
        return self._run(Received).message

    def status(self):
        return self.ask(GetStatus())

    def stage_message(self, txid, status, new):
        if isinstance(new, Program):
            return StageProgram(txid=txid, base_epoch=status.epoch, program=new, annex=bytes(32))
        volume, discrepancy = new
        return StageRefill(
            txid=txid,
            base_epoch=status.epoch,
            program_digest=program_digest(status.program),
            reservoir_nl=volume,
            discrepancy=discrepancy,
            annex=bytes(32),
        )

    def order(self, new, signer=PHYSICIAN, txid=None, head=bytes(16)):
        """Stage, read back, present, sign, commit; the pump's last answer."""
        txid = txid or new_txid()
        status = self.status()
        stage = self.stage_message(txid, status, new)
        staged = self.ask(stage)
        if type(staged).__name__ == "Refused":
            return staged
        report = self.ask(ReadBack(txid=txid))
        presented = self.present(signer)
        if type(presented).__name__ == "Refused":
            return presented
        return self.ask(self.commit(stage, staged, report, status, signer, head))

    def present(self, signer, position=0):
        """Show the tablet's credential, then the person's whole one; the pump's last answer."""
        shown = self.ask(Present(position=2, credential=tablet_credential(self.status().pump_time_s)))
        return self.ask(Present(position=position, credential=CREDENTIAL[signer])) if shown.OP == 22 else shown

    def commit(self, stage, staged, report, status, signer, head=bytes(16), **changes):
        content = Content.of(stage, status.program)
        order = Order(
            Realm.SIMULATED,
            "VP-0007",
            stage.txid,
            staged.token,
            content,
            program_digest(status.program),
            status.epoch + 1,
            stage.annex,
            report.staged_at_s,
            self.handshake,
            head,
        )
        signature = sign(signer, order.bytes_for(0, ed_public(signer)))
        fields = {
            "txid": stage.txid,
            "token": staged.token,
            "digest": staged.digest,
            "head": head,
            "signatures": (signature,),
        }
        return Commit(**{**fields, **changes})


def refill(volume=20_000_000, discrepancy=Discrepancy.NONE):
    return volume, discrepancy
