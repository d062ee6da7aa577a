"""The whole shell, with journal and log, crashes at every point that it passes in a change; the pump restarts, or not.

The judge reads the pump's memory, the journal on the disk, and the outcomes in the log.
"""

from collections import Counter

import pytest

from drivers.virtual.host import VirtualPumpHost
from programmer.visit.machine import Word
from tests.bench import DOCTOR, PUMP_PRIVATE, Bench, dose, provision, stream
from tests.grids.pilot import NEW, OLD
from tests.visit.disk import Crash

pytestmark = pytest.mark.grid


class Probe:
    """Counts the points that a shell passes, and crashes at one of them."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.passed: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) - 1 == self.at:
            raise Crash


def change(at: int | None) -> tuple[Bench, Probe]:
    """One change from reading to reading, in which the tablet crashes at point number ``at``."""
    probe = Probe(at)
    bench = Bench(probe=probe)
    shell = bench.shell()
    try:
        shell.read()
        shell.propose(dose(NEW))
        shell.check(DOCTOR)
        shell.sign_and_send(DOCTOR)
        shell.read()
    except Crash:
        pass
    bench.probe = lambda _: None
    bench.power_off()
    return bench, probe


def restart_pump(bench: Bench) -> None:
    """The pump's power fails and comes back."""
    old, now = bench.pump.host, bench.clock.ms
    proposal = old.state.participant.proposal
    staged = None if proposal is None else proposal.stage.txid
    bench.pump.host = VirtualPumpHost(
        old.firmware,
        old.firmware.boot(old.state, old.clock_ms(now), staged),
        private=PUMP_PRIVATE,
        tablets=provision().paired(),
        entropy=stream("pump again"),
        now_ms=now,
        clock_ms=old.clock_ms(now),
    )


def judge(at: int, pump: bool) -> tuple[str, Word | None]:
    """The point of the crash, and the word after the next reading."""
    bench, probe = change(at)
    name = probe.passed[at]
    sent = "before Commit" in probe.passed[:at]
    assert bench.pump.running().dose_ng_per_day == (NEW if sent else OLD), name
    if pump:
        restart_pump(bench)
    shell = bench.shell()
    status = shell.read()
    given = bench.pump.running().dose_ng_per_day
    assert status.dose_ng_per_day == given == (NEW if sent else OLD), "nothing acts later"
    assert bench.pump.state.participant.memory.epoch == (given == NEW), "at most once"
    assert shell.unfinished == []
    assert shell.visit.word in (None, Word.APPLIED if sent else Word.NOT_APPLIED), name
    verdicts = [entry.body["verdict"] for entry in shell.desk.log.entries() if entry.type == "change.outcome"]
    signed = [entry.body["txid"] for entry in shell.desk.log.entries() if entry.type == "change.intent"]
    final = [verdict for verdict in verdicts if verdict != "in_doubt"]
    assert final == ["applied" if sent else "not_applied"] * len(signed), name
    return name, shell.visit.word


def run(stride: int) -> tuple[set[str], Counter[Word | None], str]:
    """Every ``stride``-th point; the points, the words after reading, and both in one line."""
    whole, probe = change(None)
    assert whole.pump.running().dose_ng_per_day == NEW
    cases = [(at, pump) for pump in (False, True) for at in range(len(probe.passed))][::stride]
    words = Counter(judge(at, pump)[1] for at, pump in cases)
    told = f"\ncrash of the whole shell at {len(probe.passed)} points, pump restarted or not: {len(cases)} cases; "
    told += ", ".join(f"{word.value} {count}" for word, count in words.items() if word is not None)
    return set(probe.passed), words, told


def test_the_shell_crashes_at_some_points_of_a_change() -> None:
    _, words, _ = run(6)
    assert words[Word.IN_DOUBT] == 0


@pytest.mark.full
def test_the_shell_crashes_at_every_point_of_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    points, words, told = run(1)
    with capsys.disabled():
        print(told)
    assert {"journal staging", "before intent row", "journal intent", "after outcome row"} <= points
    assert words[Word.APPLIED] > 0
    assert words[Word.NOT_APPLIED] > 0
    assert words[Word.IN_DOUBT] == 0
