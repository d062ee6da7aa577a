"""The tablet's process is killed with signal 9 at every named point of a change, on a real line to a real pump process.

At the next start the change whose end is not known is shown before the pump is asked; one reading then tells the truth:
the pump's memory, the tool's word and the signed log say the same.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from programmer.audit.export import export_log
from programmer.audit.verify import verify_files
from programmer.cli.main import main
from programmer.identity.keyfile import FLOOR
from programmer.qa import demo_clinic
from programmer.qa.pump_process import PumpProcess
from programmer.visit.machine import Phase, Word
from programmer.visit.tablet import Tablet
from programmer.visit.unfinished import unfinished
from protocol.coordinator import State
from tests.crash.tablet_process import DOSES

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork and no signal 9")

SETTLED = "settled at the start"
REFUSED, NOT_APPLIED, APPLIED = [("change.refused", None)], "not_applied", "applied"


@dataclass(frozen=True)
class Point:
    """Where the process dies, how the change is shown at the next start, and how it ends."""

    name: str
    shown: State | str
    applied: bool | None
    signed: bool


POINTS = (
    Point("journal staging", State.DANGLING, False, False),
    Point("sent StageProgram", State.DANGLING, False, False),
    Point("after Staged", State.DANGLING, False, False),
    Point("sent ReadBack", State.DANGLING, False, False),
    Point("after ReadBackReport", State.DANGLING, False, False),
    Point("before intent row", State.DANGLING, False, False),
    Point("after intent row", State.DANGLING, False, True),
    Point("journal intent", State.IN_DOUBT, False, True),
    Point("sent Commit", State.IN_DOUBT, None, True),
    Point("after Committed", State.IN_DOUBT, True, True),
    Point("journal committed", SETTLED, True, True),
    Point("before outcome row", SETTLED, True, True),
    Point("after outcome row", SETTLED, True, True),
)
"""``sent Commit`` leaves to the pump whether the order arrived whole; whatever it did has to be found."""


@dataclass
class Clinic:
    """A demo clinic on disk, its pump as a process, and the tablet that dies."""

    data: Path
    state: Path
    pump: PumpProcess
    dying: "subprocess.Popen[str]"

    def kill_at(self, point: str) -> int:
        """Let a tablet die; how its process ended."""
        assert self.dying.stdin is not None
        assert self.dying.stdout is not None
        self.dying.stdin.write(point + "\n")
        self.dying.stdin.flush()
        ended = json.loads(self.dying.stdout.readline())["ended"]
        assert isinstance(ended, int)
        return ended


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    data, state = tmp_path_factory.mktemp("clinic"), tmp_path_factory.mktemp("tablet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_clinic, "calibrate", lambda clock_ns: FLOOR)  # the least cost that a key may have
        demo_clinic.create(data, state)
    with PumpProcess.start(demo_clinic.provision_path(data), demo_clinic.state_path(data)) as pump:
        dying = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.tablet_process", str(data), str(state), pump.wand],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with dying:
            assert dying.stdout is not None
            assert dying.stdin is not None
            assert json.loads(dying.stdout.readline()) == {"ready": True}
            yield Clinic(data, state, pump, dying)
            dying.stdin.close()


def told(tablet: Tablet, txid: str) -> list[tuple[str, object]]:
    """What the log says of one change: types of entries, with the verdict of an outcome."""
    return [
        (entry.type, entry.body.get("verdict"))
        for entry in tablet.log.entries()
        if entry.type.startswith("change.") and entry.body["txid"] == txid
    ]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_killed_there_the_change_is_shown_first_and_ends_in_the_truth(clinic: Clinic, point: Point) -> None:
    before = clinic.pump.control.send("status")
    old = before["dose_ng_per_day"]
    new = DOSES[old == DOSES[0]]
    with Tablet.open(clinic.data, clinic.state) as tablet:
        size = tablet.log.size
    assert clinic.kill_at(point.name) == -signal.SIGKILL, "the point was reached"
    with Tablet.open(clinic.data, clinic.state) as tablet:
        (left,) = unfinished(tablet.journal.records())
        txid = left.transaction.txid.hex()
        shell = tablet.visit(clinic.pump.wand)
        if point.shown == SETTLED:
            assert shell.unfinished == []
            assert told(tablet, txid)[-1] == ("change.outcome", "applied"), "the log learns it without the pump"
        else:
            (shown,) = shell.unfinished
            assert (shown.transaction.state, shown.serial) == (point.shown, clinic.pump.serial)
            assert (shown.was_ng_per_day, shown.now_ng_per_day) == (old, new)
        status = shell.read()
        truth = clinic.pump.control.send("status")
        applied = truth["dose_ng_per_day"] == new
        assert point.applied in (None, applied)
        assert (status.dose_ng_per_day, status.epoch) == (truth["dose_ng_per_day"], truth["epoch"])
        assert (truth["dose_ng_per_day"], truth["epoch"] - before["epoch"]) == ((new, 1) if applied else (old, 0))
        assert not truth["staged"], "nothing is left in the pump that could act later"
        assert shell.visit.word is (Word.APPLIED if applied else Word.NOT_APPLIED)
        assert shell.visit.phase is (Phase.VERIFIED if applied else Phase.READ)
        verdict = APPLIED if applied else NOT_APPLIED
        signed = [("change.intent", None), ("change.outcome", verdict)]
        assert told(tablet, txid) == (signed if point.signed else REFUSED)
        assert [entry.type for entry in tablet.log.entries(size)].count("change.outcome") == int(point.signed)
        assert tablet.store.open_intents() == ()
        assert shell.unfinished == []
        shell.leave()
        assert tablet.journal.records() == (), "nothing is open, nothing is kept"
        found = verify_files(export_log(tablet.log))
        assert {item.code for item in found} <= {"UNWITNESSED"}, found
    clinic.pump.control.send("advance", days=1)


@pytest.mark.parametrize("point, sent", [("before intent row", False), ("after Committed", True)])
def test_the_command_line_says_the_unfinished_change_first(
    clinic: Clinic, point: str, sent: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROGRAMMER_STATE", str(clinic.state))
    assert clinic.kill_at(point) == -signal.SIGKILL
    code = main(["status", "--port", clinic.pump.wand, "--data", str(clinic.data)])
    word = "APPLIED" if sent else "NOT APPLIED"
    assert (code, capsys.readouterr().out.splitlines()[0].split(":")[0]) == (0, f"UNFINISHED CHANGE  {word}")
    assert main(["recover", "--port", clinic.pump.wand, "--data", str(clinic.data)]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "Nothing is unfinished."
    clinic.pump.control.send("advance", days=1)


def test_a_process_that_lives_passes_every_point(clinic: Clinic) -> None:
    assert clinic.kill_at("no such point") == 0
