"""A change that the pump no longer remembers is closed by a prescriber's signature, and by nothing less."""

import pytest

from programmer.visit.desk import NotSaved, NotYours
from programmer.visit.machine import NotNow, Phase, Word
from programmer.visit.shell import VisitShell
from protocol.messages import Committed, Indeterminate, Message
from tests.bench import DOCTOR, NURSE, Bench, dose
from tests.visit.test_adversary import altered

REASON = "program compared with the pump's own report"


def forgotten() -> tuple[Bench, VisitShell]:
    """A change in doubt, and a pump that has seen so many orders since that it cannot tell."""
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)

    def lost(answer: Message) -> Message:
        assert isinstance(answer, Committed)
        return Indeterminate(txid=answer.txid, oldest_epoch=40)

    altered(shell, Committed, lost)
    assert shell.sign_and_send(DOCTOR) in (Phase.IN_DOUBT, Phase.UNRESOLVED)
    shell.read()
    assert (shell.visit.phase, shell.visit.word) == (Phase.UNRESOLVED, Word.IN_DOUBT)
    return bench, shell


@pytest.mark.parametrize("verdict", ["applied", "not_applied"])
def test_a_prescriber_signs_what_holds_and_the_lock_opens(verdict: str) -> None:
    bench, shell = forgotten()
    with pytest.raises(NotNow):
        shell.leave()
    shell.reconcile(DOCTOR, verdict, REASON)
    assert shell.visit.transaction is None
    last = list(shell.desk.log.entries())[-1]
    assert last.type == "change.reconciled"
    assert (last.body["verdict"], last.body["epoch"]) == (verdict, 1 if verdict == "applied" else None)
    shell.leave()
    bench.power_off()
    again = bench.shell()
    again.read()
    assert again.visit.phase is Phase.READ, "nothing is unfinished any more, on a tablet started anew either"


@pytest.mark.parametrize("reason", ["", "   "])
def test_no_reason_no_decision(reason: str) -> None:
    _, shell = forgotten()
    with pytest.raises(NotNow):
        shell.reconcile(DOCTOR, "applied", reason)
    assert shell.visit.phase is Phase.UNRESOLVED


def test_a_nurse_cannot_decide_it() -> None:
    _, shell = forgotten()
    with pytest.raises(NotYours, match="prescriber"):
        shell.reconcile(NURSE, "applied", REASON)
    assert shell.visit.phase is Phase.UNRESOLVED


def test_nothing_unresolved_nothing_to_decide() -> None:
    shell = Bench().shell()
    shell.read()
    with pytest.raises(NotNow):
        shell.reconcile(DOCTOR, "applied", REASON)


def test_a_decision_that_is_not_saved_is_none() -> None:
    _, shell = forgotten()
    append, shell.desk.log.append = shell.desk.log.append, _full  # type: ignore[method-assign]
    with pytest.raises(NotSaved, match="stays unresolved"):
        shell.reconcile(DOCTOR, "applied", REASON)
    assert shell.visit.phase is Phase.UNRESOLVED
    shell.desk.log.append = append  # type: ignore[method-assign]
    shell.reconcile(DOCTOR, "applied", REASON)


def _full(*_: object) -> None:
    from programmer.audit.log import EntryTooLong

    raise EntryTooLong("the disk is full")
