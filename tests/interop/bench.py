"""A virtual pump in a process of its own, provisioned with a clinic that only these tests have."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.interop import card, noise, orders
from tests.interop.client import Client, Known, Person
from tests.interop.line import open_port

ROOT = Path(__file__).resolve().parents[2]
START_S, DAY_S = 1_795_424_400, 86_400
SERIAL, TABLET_ID, STRANGER_ID = "VP-000777", "T-0900", "T-0901"
CLINIC, DOCTOR, SECOND, NURSE, RECEIPT = (bytes([n]) * 32 for n in (0x71, 0x72, 0x73, 0x74, 0x75))
PUMP_STATIC, TABLET_STATIC, PSK, CARD_SECRET = (bytes([n]) * 32 for n in (0x76, 0x77, 0x78, 0x79))
NEW_STATIC, OTHER_STATIC = b"\x7a" * 32, b"\x7b" * 32
OTHER_ID, OTHER_PSK = "T-0902", b"\x7c" * 32
CARD = card.read(card.write("SIMULATED", SERIAL, noise.public(PUMP_STATIC), CARD_SECRET))
KNOWN = Known(SERIAL, noise.public(PUMP_STATIC), PSK, orders.public(RECEIPT))
DOSE_NG = 100_000


def person(seed: bytes, role: int, name: str) -> Person:
    """A person with a credential of this clinic."""
    until = START_S + 400 * DAY_S
    return Person(seed, orders.credential(CLINIC, "clinician", orders.public(seed), name, role, until, 1))


PRESCRIBER = person(DOCTOR, orders.PRESCRIBER, "dr-x")
OTHER_PRESCRIBER = person(SECOND, orders.PRESCRIBER, "dr-y")
REFILL_NURSE = person(NURSE, orders.REFILL_NURSE, "rn-z")


def tablet_credential(tablet_id: str, static: bytes) -> bytes:
    """A tablet's credential, good in the days that these tests play in."""
    until = START_S + 40 * DAY_S
    return orders.credential(CLINIC, "tablet", noise.public(static), tablet_id, orders.PRESCRIBER, until, 1)


def provision() -> dict[str, Any]:
    """What the factory and the clinic write into the pump."""
    return {
        "schema": 2, "realm": "simulated", "serial": SERIAL, "profile": "child-20",
        "static_private": PUMP_STATIC.hex(), "receipt_seed": RECEIPT.hex(), "card_secret": CARD_SECRET.hex(),
        "call_number": "555 0100", "patient_tag": "5a" * 8,
        "tablets": [
            {"id": name, "public": noise.public(static).hex(), "psk": psk.hex()}
            for name, static, psk in ((TABLET_ID, TABLET_STATIC, PSK), (OTHER_ID, OTHER_STATIC, OTHER_PSK))
        ],
        "roots": [orders.public(CLINIC).hex()],
        "program": {"dose_ng_per_day": DOSE_NG, "concentration_ng_per_ml": 500_000, "alarm_nl": 2_000_000},
        "fill_nl": 20_000_000, "start_s": START_S,
    }  # fmt: skip


class Pump:
    """The process, the address of its wand, and its control channel."""

    def __init__(self, folder: Path, listen: str) -> None:
        (folder / "provision.json").write_text(json.dumps(provision()))
        command = [sys.executable, "-m", "programmer", "virtual-pump", "--listen", listen, "--with-parent"]
        command += ["--provision", str(folder / "provision.json"), "--state", str(folder / "state.json")]
        self.process = subprocess.Popen(
            [*command, "--control", "tcp:127.0.0.1:0"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert self.process.stdout is not None
        ready = json.loads(self.process.stdout.readline())
        self.wand: str = ready["wand"]
        host, _, port = ready["control"].removeprefix("socket://").rpartition(":")
        self._control = socket.create_connection((host, int(port)), 10)
        self._lines = self._control.makefile("rwb")

    def control(self, op: str, **fields: object) -> dict[str, Any]:
        """One word to the control channel; its answer."""
        self._lines.write(json.dumps({"op": op, **fields}).encode() + b"\n")
        self._lines.flush()
        answer: dict[str, Any] = json.loads(self._lines.readline())
        assert answer["ok"], answer
        return answer

    @property
    def true_dose_ng(self) -> int:
        """The dose that the pump really gives."""
        dose: int = self.control("status")["dose_ng_per_day"]
        return dose

    @contextmanager
    def client(self, tablet_id: str = TABLET_ID, static: bytes = TABLET_STATIC) -> Iterator[Client]:
        """A tablet on this pump's wand."""
        port = open_port(self.wand)
        try:
            yield Client(port, tablet_id, static)
        finally:
            port.close()

    def stop(self) -> None:
        """End the process."""
        self._lines.close()
        self._control.close()
        self.process.terminate()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def running_pump(folder: Path, listen: str) -> Iterator[Pump]:
    """A pump that has delivered for two weeks."""
    pump = Pump(folder, listen)
    try:
        pump.control("advance", days=14)
        yield pump
    finally:
        pump.stop()
