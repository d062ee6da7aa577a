"""The wire is cut at every byte of STAGE..COMMITTED, both ways, with and without a restart of the tablet.

The judge stands apart from both sides: it compares the pump's memory with the tool's last word, before the cut is
healed and after the next reading. "In doubt" must end there, in the truth.
"""

from collections import Counter
from dataclasses import dataclass

import pytest

from drivers.pipe import Cut, Direction
from programmer.visit.line import LineFault
from programmer.visit.machine import Phase, Word
from programmer.visit.shell import VisitShell
from tests.bench import DOCTOR, Bench, dose

pytestmark = pytest.mark.grid

OLD, NEW = 100_000, 115_000


def change(shell: VisitShell) -> None:
    """Stage, read back, sign and commit, as far as the line allows."""
    try:
        shell.check(DOCTOR)
        shell.sign_and_send(DOCTOR)
    except LineFault:
        assert shell.visit.phase is not Phase.REVIEW


def prepared() -> tuple[Bench, VisitShell]:
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(NEW))
    return bench, shell


def exchange_bytes() -> dict[Direction, int]:
    """How many bytes the exchange takes in each direction, measured on a whole line."""
    bench, shell = prepared()
    before = dict(bench.pipe.offered)
    change(shell)
    assert shell.visit.word is Word.APPLIED
    return {way: bench.pipe.offered[way] - before[way] for way in Direction}


@dataclass(frozen=True)
class Case:
    way: Direction
    byte: int
    restart: bool


def judge(case: Case) -> tuple[Word, Word]:
    """Run one case; the tool's word before the cut was healed, and its word after the next reading."""
    bench, shell = prepared()
    bench.pipe.arm(Cut(case.way, case.byte))
    change(shell)
    begun = shell.visit.word is not None
    word = shell.visit.word or Word.NOT_APPLIED  # cut while the pump was asked for its record: no change was begun
    assert begun or shell.visit.phase in (Phase.PROPOSED, Phase.UNREAD), case
    given = bench.pump.running().dose_ng_per_day
    assert given in (OLD, NEW), case
    assert word is not Word.APPLIED or given == NEW, case
    assert word is not Word.NOT_APPLIED or given == OLD, case
    if case.restart:
        bench.power_off()
        shell = bench.shell()
    assert bool(shell.unfinished) == (begun and word is not Word.APPLIED), case
    bench.pipe.heal()
    status = shell.read()
    assert shell.unfinished == [], case
    if word is not Word.IN_DOUBT:
        assert bench.pump.running().dose_ng_per_day == given, (case, "nothing acts later")
    given = bench.pump.running().dose_ng_per_day  # an order without its last byte may be completed by the reading
    assert status.dose_ng_per_day == given, case
    assert bench.pump.state.participant.memory.epoch == (given == NEW), (case, "at most once")
    settled = shell.visit.word or word
    assert settled is (Word.APPLIED if given == NEW else Word.NOT_APPLIED), case
    verdicts = [entry.body["verdict"] for entry in shell.desk.log.entries() if entry.type == "change.outcome"]
    final = [verdict for verdict in verdicts if verdict != "in_doubt"]
    assert final == (["applied"] if given == NEW else final), case
    assert "applied" not in final or given == NEW, case
    return word, settled


def run(stride: int) -> tuple[int, Counter[Word], Counter[Word]]:
    words: Counter[Word] = Counter()
    settled: Counter[Word] = Counter()
    sizes = exchange_bytes()
    for way, size in sizes.items():
        for restart in (False, True):
            for byte in range(0, size, stride):
                first, last = judge(Case(way, byte, restart))
                words[first] += 1
                settled[last] += 1
    return sum(words.values()), words, settled


def told(cases: int, words: Counter[Word], settled: Counter[Word]) -> str:
    """The counts in one line."""
    return (
        f"\ncut: {cases} cases; first word {', '.join(f'{word.value} {words[word]}' for word in Word)}; "
        f"after reading {', '.join(f'{word.value} {settled[word]}' for word in Word)}"
    )


def test_cut_at_every_thirty_seventh_byte(capsys: pytest.CaptureFixture[str]) -> None:
    cases, words, settled = run(37)
    with capsys.disabled():
        print(told(cases, words, settled))
    assert all((words + settled)[word] > 0 for word in Word)
    assert settled[Word.IN_DOUBT] == 0


@pytest.mark.full
def test_cut_at_every_byte(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = exchange_bytes()
    cases, words, settled = run(1)
    with capsys.disabled():
        print(f"\nexchange: {sum(sizes.values())} bytes", told(cases, words, settled))
    assert cases == 2 * sum(sizes.values())
    assert all((words + settled)[word] > 0 for word in Word)
    assert settled[Word.IN_DOUBT] == 0
