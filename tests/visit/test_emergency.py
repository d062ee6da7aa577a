"""An emergency visit believes nothing but the answer to its own question, and is in the log before it acts."""

from typing import Any

import pytest

from programmer.visit.emergency import WHY, ActRefused, EmergencyVisit, OddAnswer, Operator
from programmer.visit.line import OtherRealm
from protocol import messages as m
from protocol.session import ImplantCard, SessionKind
from tests.bench import DEVICE, Bench
from tests.protocol.make import LARGEST_STATUS

CARD = ImplantCard("VP-000421", bytes(32), bytes(32), m.Realm.SIMULATED)
WHO = Operator("Dr B. Lee", "drowsy", "555 0100")
EVENTS = m.Events(first=0, next=0, lost=0, items=())
DONE = m.EmergencyDone(act=m.EmergencyAct.STOP, at_s=1, mode=m.Mode.STOPPED, flow_nl_per_day=0, left=1)


class Scripted:
    """A line that gives these answers, one after the other."""

    def __init__(self, *answers: m.Message) -> None:
        self.answers, self.asked, self.kind = list(answers), [], None

    def connect_with_card(self, card: ImplantCard, kind: SessionKind) -> Any:
        self.kind = kind

    def exchange(self, message: m.Message) -> m.Message:
        self.asked.append(message)
        return self.answers.pop(0)

    def close(self) -> None:
        """Nothing to give back."""


def visit(*answers: m.Message) -> tuple[EmergencyVisit, Scripted, Bench]:
    bench, line = Bench(), Scripted(*answers)
    found = EmergencyVisit(line, CARD, bench.shell().desk.log, DEVICE)
    found.open()
    return found, line, bench


def test_the_log_has_it_before_the_pump_is_asked() -> None:
    found, line, _ = visit(m.Refused(op=m.Emergency.OP, txid=b"", reasons=(m.Refusal.TOO_OFTEN,)))
    with pytest.raises(ActRefused, match="twice within 24 hours"):
        found.act(m.EmergencyAct.STOP, WHO)
    used = [(e.body["level"], e.body["act"]) for e in found._log.entries() if e.type == "emergency.used"]
    assert used == [("E1", "read"), ("E2", "stop")]
    assert line.kind is SessionKind.BREAK_GLASS


def test_reading_asks_for_the_last_events_and_closing_counts_the_requests() -> None:
    found, line, _ = visit(LARGEST_STATUS, EVENTS, m.Closed(requests=3))
    status, events = found.read()
    found.close()
    assert (status, events) == (LARGEST_STATUS, EVENTS)
    assert line.asked[1:] == [m.GetEvents(cursor=2**32 - 1), m.Close(requests=3)]


def test_a_pump_of_another_realm_is_not_believed() -> None:
    found, _, _ = visit(LARGEST_STATUS.model_copy(update={"realm": m.Realm.CLINICAL}))
    with pytest.raises(OtherRealm):
        found.read()


@pytest.mark.parametrize("answers", [(m.Alive(),), (LARGEST_STATUS, m.Alive())])
def test_an_answer_of_another_kind_is_no_report(answers: tuple[m.Message, ...]) -> None:
    found, _, _ = visit(*answers)
    with pytest.raises(OddAnswer, match="Alive"):
        found.read()


@pytest.mark.parametrize("answer", [m.Alive(), DONE.model_copy(update={"act": m.EmergencyAct.RESUME})])
def test_another_act_than_the_one_asked_for_is_not_taken_for_done(answer: m.Message) -> None:
    found, _, _ = visit(answer)
    with pytest.raises(OddAnswer, match="Read the pump again"):
        found.act(m.EmergencyAct.STOP, WHO)
    found, _, _ = visit(DONE)
    assert found.act(m.EmergencyAct.STOP, WHO) == DONE


def test_every_reason_of_the_pump_has_its_sentence() -> None:
    for reason in (*WHY, m.Refusal.MALFORMED):
        assert str(ActRefused((reason,))).endswith(".")
    assert str(ActRefused((m.Refusal.TOO_OFTEN, m.Refusal.TOO_OFTEN))).count("twice") == 1
