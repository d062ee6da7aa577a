"""Somebody on the line, a second tablet, a pump that lies: the tool's last word stays true, and one order acts once.

Every frame of STAGE..COMMITTED is flipped, shortened, dropped, repeated and delayed, one at a time. The judge looks at
the pump's memory and at the tool's word, and again after late frames had time to arrive.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from drivers.pipe import Delay, Direction, Drop, Duplicate, Fault, Flip
from programmer.visit.desk import OtherPump, PumpRefused, ReadBackDiffers
from programmer.visit.line import LineFault, Opened
from programmer.visit.machine import Phase, Word
from programmer.visit.proposal import Proposal
from programmer.visit.shell import VisitShell
from protocol.messages import Aborted, Committed, Discrepancy, Message, Mode, OrderKind, ReadBackReport
from tests.bench import DOCTOR, OTHER_ID, Bench, dose, refill

OLD, NEW = 100_000, 115_000
STRIDE = 43
LATE_MS = 20_000


def prepared(proposal: Proposal | None = None) -> tuple[Bench, VisitShell]:
    bench = Bench(peers=(OTHER_ID,))
    shell = bench.shell()
    shell.read()
    shell.propose(proposal or dose(NEW))
    return bench, shell


def change(shell: VisitShell) -> None:
    try:
        shell.check(DOCTOR)
        shell.sign_and_send(DOCTOR)
    except LineFault:
        assert shell.visit.phase is not Phase.REVIEW


@dataclass(frozen=True)
class FrameAt:
    """A frame of the exchange: direction, first byte and size, counted from the beginning of the exchange."""

    way: Direction
    first: int
    size: int


def frames() -> list[FrameAt]:
    """Every frame of the exchange, measured on a whole line."""
    bench, shell = prepared()
    start = dict(bench.pipe.offered)
    found: list[FrameAt] = []
    write = bench.pipe.write

    def noted(way: Direction, data: bytes, now_ms: int) -> None:
        found.append(FrameAt(way, bench.pipe.offered[way] - start[way], len(data)))
        write(way, data, now_ms)

    bench.pipe.write = noted  # type: ignore[method-assign]
    change(shell)
    assert shell.visit.word is Word.APPLIED
    return found


def faults(frame: FrameAt, stride: int) -> list[Fault]:
    """Every kind of harm to one frame; flips and single drops at every ``stride``-th byte."""
    way, first, size = frame.way, frame.first, frame.size
    bytes_ = range(first, first + size, stride)
    return [
        *(Flip(way, byte, 1 << byte % 8) for byte in bytes_),
        *(Drop(way, byte) for byte in bytes_),
        Drop(way, first, size),
        Duplicate(way, first, size),
        *(Delay(way, first, size, ms) for ms in (200, 1_200, 10_000)),
    ]


def judge(fault: Fault) -> Word:
    """One harmed frame; the settled word after late frames arrived."""
    bench, shell = prepared()
    bench.pipe.arm(fault)
    change(shell)
    word = shell.visit.word
    given = bench.pump.running().dose_ng_per_day
    assert word is not Word.APPLIED or given == NEW, fault
    assert word is not Word.NOT_APPLIED or given == OLD, fault
    shell.read()
    given = bench.pump.running().dose_ng_per_day
    settled = shell.visit.word
    assert settled is (Word.APPLIED if given == NEW else Word.NOT_APPLIED), fault
    shell.desk.line.idle(LATE_MS)  # type: ignore[attr-defined]
    assert bench.pump.running().dose_ng_per_day == given, (fault, "nothing acts later")
    assert bench.pump.state.participant.memory.epoch == (given == NEW), (fault, "at most once")
    return settled


def harm_every_frame(stride: int) -> int:
    every = [fault for frame in frames() for fault in faults(frame, stride)]
    for fault in every:
        settled = judge(fault)
        lost_for_good = isinstance(fault, Delay) and fault.ms > 1_000
        assert settled is Word.APPLIED or lost_for_good, (fault, "a retry repairs one harmed frame")
    return len(every)


def test_each_frame_is_harmed_once() -> None:
    assert len(frames()) == 16
    assert harm_every_frame(STRIDE) >= 16 * 5


@pytest.mark.full
def test_each_frame_is_harmed_at_every_byte() -> None:
    assert harm_every_frame(1) >= 2 * sum(frame.size for frame in frames())


# -- a second tablet --------------------------------------------------------------------------------------------------


def beside(first: Bench) -> Bench:
    """A second tablet with its own line, journal and log at the same pump."""
    other = Bench(clock=first.clock, tablet_id=OTHER_ID)
    other.pump = first.pump
    other.starts = first.starts + 10  # draws of its own
    return other


def test_of_two_tablets_on_one_reading_exactly_one_wins_and_the_other_is_told() -> None:
    bench, early = prepared()
    late = beside(bench).shell()
    late.read()
    late.propose(dose(NEW))
    change(late)
    early.opened = early.desk.line.connect()  # a fresh session on the old reading
    with pytest.raises(PumpRefused, match="EPOCH"):
        early.check(DOCTOR)
    assert late.visit.word is Word.APPLIED
    assert early.visit.word is Word.NOT_APPLIED
    assert bench.pump.state.participant.memory.epoch == 1
    assert early.read().dose_ng_per_day == NEW


def test_a_second_session_ends_what_the_first_one_staged() -> None:
    bench, early = prepared()
    early.check(DOCTOR)
    late = beside(bench).shell()
    assert not late.read().staged, "a new session finds nothing staged"
    assert early.sign_and_send(DOCTOR) is Phase.DANGLING, "nothing was signed that the pump still holds"
    assert early.visit.word is Word.NOT_APPLIED
    assert early.read().dose_ng_per_day == OLD
    assert early.visit.word is Word.NOT_APPLIED
    assert early.unfinished == []


# -- a pump that lies -------------------------------------------------------------------------------------------------


def altered(shell: VisitShell, kind: type[Message], change_it: Callable[[Message], Message]) -> Callable[[], None]:
    """Let every answer of ``kind`` be altered on its way to the tablet's mind; gives the way back."""
    line, ask = shell.desk.line, shell.desk.line.exchange

    def lying(message: Message) -> Message:
        answer = ask(message)
        return change_it(answer) if isinstance(answer, kind) else answer

    line.exchange = lying  # type: ignore[method-assign]

    def honest() -> None:
        line.exchange = ask  # type: ignore[method-assign]

    return honest


RECEIPT = {
    "receipt": bytes(64),
    "chain": bytes(32),
    "digest": bytes(32),
    "epoch": 2,
    "effective_at_s": 1,
}


@pytest.mark.parametrize("name", RECEIPT)
def test_a_receipt_that_does_not_verify_is_in_doubt_and_never_applied(name: str) -> None:
    bench, shell = prepared()
    honest = altered(shell, Committed, lambda answer: answer.model_copy(update={name: RECEIPT[name]}))
    shell.check(DOCTOR)
    assert shell.sign_and_send(DOCTOR) is Phase.IN_DOUBT
    assert shell.visit.word is Word.IN_DOUBT
    shell.read()
    assert shell.visit.word is Word.IN_DOUBT, "asking again brings the same receipt"
    codes = [entry.body["code"] for entry in shell.desk.log.entries() if entry.type == "log.finding"]
    assert set(codes) == {"PUMP_RECEIPT_INVALID"}
    honest()
    shell.read()
    assert shell.visit.word is Word.APPLIED
    assert bench.pump.running().dose_ng_per_day == NEW


PROGRAM = dose(NEW).program
LIES: dict[str, list[object]] = {
    "txid": [bytes(16)],
    "kind": [OrderKind.REFILL],
    "base_epoch": [7],
    "program": [
        PROGRAM.model_copy(update={"dose_ng_per_day": 150_000}),
        PROGRAM.model_copy(update={"concentration_ng_per_ml": 2_000_000}),
        PROGRAM.model_copy(update={"alarm_nl": 1}),
        PROGRAM.model_copy(update={"mode": Mode.STOPPED}),
    ],
    "flow_nl_per_day": [300_000, 229_999],
    "total_24h_fg": [150_000_000_000],
    "reservoir_nl": [17_300_000, 17_199_000, 0],
    "discrepancy": [Discrepancy.OPEN],
    "staged_at_s": [1, 0xFFFF_FFFF],
    "previous_digest": [bytes(32)],
}
"""Field of the read-back to what a faulty pump could say instead of it, for a dose of 115 mcg/day at 500 mcg/mL."""


@pytest.mark.parametrize("name, lie", [(name, lie) for name, lies in LIES.items() for lie in lies])
def test_a_read_back_that_says_something_else_is_never_signed(name: str, lie: object) -> None:
    bench, shell = prepared()
    altered(shell, ReadBackReport, lambda answer: answer.model_copy(update={name: lie}))
    with pytest.raises(ReadBackDiffers if name != "txid" else LineFault):
        shell.check(DOCTOR)
    assert shell.visit.word is Word.NOT_APPLIED
    assert bench.pump.running().dose_ng_per_day == OLD
    shell.read()
    assert shell.unfinished == []
    assert bench.pump.state.participant.proposal is None, "the proposal is withdrawn in the pump too"
    told = [entry for entry in shell.desk.log.entries() if entry.type == "change.refused"]
    assert len(told) == 1


def test_every_field_of_the_read_back_is_judged_or_signed() -> None:
    """A time of staging that could be true is under the signature, which the pump checks."""
    assert set(ReadBackReport.model_fields) == set(LIES)
    bench, shell = prepared()
    altered(shell, ReadBackReport, lambda answer: answer.model_copy(update={"staged_at_s": answer.staged_at_s + 5}))
    shell.check(DOCTOR)
    with pytest.raises(PumpRefused, match="SIGNATURE"):
        shell.sign_and_send(DOCTOR)
    assert shell.visit.word is Word.NOT_APPLIED
    assert bench.pump.running().dose_ng_per_day == OLD


@pytest.mark.parametrize("name, lie", [("reservoir_nl", 19_000_000), ("discrepancy", Discrepancy.OPEN)])
def test_a_read_back_of_a_refill_with_another_volume_is_caught(name: str, lie: object) -> None:
    _, shell = prepared(refill())
    altered(shell, ReadBackReport, lambda answer: answer.model_copy(update={name: lie}))
    with pytest.raises(ReadBackDiffers):
        shell.check(DOCTOR)


def test_another_pump_under_the_wand_settles_nothing_and_verifies_nothing() -> None:
    bench, shell = prepared()
    change(shell)
    assert shell.visit.phase is Phase.APPLIED
    bench.pipe.cut()
    with pytest.raises(LineFault):
        shell.read()
    bench.pipe.heal()
    connect = shell.desk.line.connect

    def other() -> Opened:
        opened = connect()
        return replace(opened, pump=replace(opened.pump, serial="VP-000999"))

    shell.desk.line.connect = other  # type: ignore[method-assign]
    with pytest.raises(OtherPump, match=r"VP-000999.*VP-000421"):
        shell.read()
    assert shell.visit.phase is Phase.APPLIED, "another pump's report verifies nothing"
    shell.desk.line.connect = connect  # type: ignore[method-assign]
    shell.read()
    assert shell.visit.phase is Phase.VERIFIED


def test_an_answer_of_another_kind_to_the_order_is_in_doubt() -> None:
    bench, shell = prepared()
    honest = altered(shell, Committed, lambda answer: Aborted(txid=answer.txid))  # type: ignore[attr-defined]
    shell.check(DOCTOR)
    assert shell.sign_and_send(DOCTOR) is Phase.IN_DOUBT
    honest()
    shell.read()
    assert shell.visit.word is Word.APPLIED
    assert bench.pump.running().dose_ng_per_day == NEW
