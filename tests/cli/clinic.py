"""A simulated clinic of its own for each test, copied from one that was made once, and a virtual pump beside it."""

import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drivers.errors import PortNotFound
from drivers.serial_port import SerialPort
from drivers.virtual.profiles import load_profile
from drivers.virtual.provision import load_provision
from drivers.virtual.server import Server
from programmer.cli.main import main
from programmer.qa.demo_clinic import DOSE_NG, provision_path, state_path
from programmer.qa.pump_process import Control
from programmer.visit import tablet

DOCTOR, NURSE = ("dr-rivera", "27182818"), ("n-ito", "31415926")


class Pump:
    """A virtual pump that answers in a thread of this process."""

    def __init__(self, data: Path, listen: str) -> None:
        provision = load_provision(provision_path(data))
        self.server = Server(
            listen=listen, control="tcp:127.0.0.1:0", provision=provision, profile=load_profile(provision.profile),
            seed=None, path=state_path(data), catch_up=False,
        )  # fmt: skip
        self._going = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self.control = Control(str(self.server.ready()["control"]))
        self.control.send("advance", days=14)

    def _run(self) -> None:
        while self._going:
            self.server.turn(20)

    @property
    def wand(self) -> str:
        return str(self.server.ready()["wand"])

    @property
    def dose_ng(self) -> int:
        """The dose that the pump really gives, whatever anybody says."""
        return self.server.host.firmware.running(self.server.host.state).dose_ng_per_day

    def stop(self) -> None:
        self.control.close()
        self._going = False
        self._thread.join()


@dataclass
class Said:
    """The end of a command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    def sentence(self, code: int, *parts: str) -> None:
        """It ended with this code and a sentence that holds these parts, and with no traceback."""
        assert (self.code, "Traceback" in self.err) == (code, False), self.err
        assert all(part in self.err for part in parts), self.err
        assert self.err.rstrip().endswith(("`", ".", "'", "again", "first", "check the id")), self.err


@dataclass
class Desk:
    """One tablet at the command line."""

    data: Path
    state: Path
    capture: Any
    listen: str = "tcp:127.0.0.1:0"
    pumps: list[Pump] = field(default_factory=list)

    @property
    def pump(self) -> Pump:
        """The pump, started at its first use."""
        if not self.pumps:
            self.pumps.append(Pump(self.data, self.listen))
        return self.pumps[0]

    def run(self, *words: str, secret: str | None = None, second_secret: str | None = None) -> Said:
        """``programmer WORDS``; each secret goes through an open file."""
        self.capture.readouterr()
        handles: list[int] = []
        more: list[str] = []
        for option, given in (("--secret-fd", secret), ("--second-secret-fd", second_secret)):
            if given is not None:
                reading, writing = os.pipe()
                os.write(writing, given.encode() + b"\n")
                os.close(writing)
                handles.append(reading)
                more += [option, str(reading)]
        try:
            code = main([*words, *more])
        finally:
            for handle in handles:
                os.close(handle)
        said = self.capture.readouterr()
        return Said(code, said.out, said.err)

    def dose(self, dose: str, *more: str, who: tuple[str, str] = DOCTOR, confirm: str | None = None) -> Said:
        """``programmer dose`` without a terminal."""
        words = ["dose", "--port", self.pump.wand, "--dose", dose, "--confirm", confirm or dose, "--user", who[0]]
        return self.run(*words, *more, secret=who[1])

    @contextmanager
    def unplugged(self, when: str) -> Iterator[None]:
        """The wand is pulled out at that frame and stays out while the block lasts."""
        self.pump.control.send("fault", id="F-L12", when=when, byte=0)
        real = tablet.open_port
        opened: list[str] = []

        def once(url: str) -> SerialPort:
            if opened:
                raise PortNotFound(url, "unplugged")
            opened.append(url)
            return real(url)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tablet, "open_port", once)
            yield

    def log_is_whole(self) -> None:
        """The log verifies, from its first entry to its last."""
        folder = self.data.parent / f"export-{len(list(self.data.parent.iterdir()))}"
        assert self.run("audit", "export", str(folder)).code == 0
        findings = self.run("audit", "verify", str(folder), "--json").data["findings"]
        assert [row["code"] for row in findings] == ["UNWITNESSED"]

    def nothing_changed(self) -> None:
        """Dose as before, log whole."""
        assert self.pump.dose_ng == DOSE_NG
        self.log_is_whole()

    def types(self) -> list[str]:
        """Types of the log's entries."""
        return [row["type"] for row in self.run("audit", "show", "--json").data["entries"]]

    def close(self) -> None:
        for pump in self.pumps:
            pump.stop()


def copied(made: Path, where: Path) -> tuple[Path, Path]:
    """A copy of a clinic: data and state folder."""
    for name in ("data", "state"):
        shutil.copytree(made / name, where / name)
    return where / "data", where / "state"
