"""A change that the pump has forgotten: what the prescriber sees, what a nurse cannot do, what is signed."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from programmer.ui.flows.enter import IdentityFlow, LeaveFlow
from programmer.ui.flows.settle import SettleFlow
from programmer.visit.machine import Phase
from tests.bench import DOCTOR, NURSE
from tests.ui.test_flows import model_of, said
from tests.visit.test_reconcile import forgotten


class Stage:
    """In the place of the program: keeps the page that is shown and the flow that was begun."""

    def __init__(self, signer: Any) -> None:
        bench, shell = forgotten()
        self.model = model_of(bench, shell=shell)
        self.model.user = SimpleNamespace(
            role=signer.role, public_key=signer.public_key, name=signer.name, key_id=signer.key_id, vkey=signer.vkey,
            sign=signer.sign, user=SimpleNamespace(name="Dr A", role=signer.role, id="dr-a"),
        )  # fmt: skip
        self.bridge = SimpleNamespace(call=self._call)
        self.page: Any = None
        self.begun: Any = None
        self.log = shell.desk.log

    async def _call(self, work: Any) -> Any:
        return work()

    async def show(self, screen: Any) -> None:
        self.page = screen.view

    async def start_flow(self, flow: Any) -> None:
        self.begun = flow

    def ways(self) -> dict[str, bool]:
        return {action.id: action.enabled for action in self.page.actions}

    def text(self) -> str:
        return f"{self.page.title.text}\n{said(self.page.lines)}"


def play(stage: Stage, *actions: str) -> None:
    async def go() -> None:
        flow = SettleFlow(stage)  # type: ignore[arg-type]
        await flow.begin()
        for action in actions:
            await flow.acted(action)

    asyncio.run(go())


def test_both_doses_and_what_the_pump_runs_stand_beside_each_other() -> None:
    stage = Stage(DOCTOR)
    play(stage)
    assert "THE PUMP CANNOT TELL THE OUTCOME" in stage.text()
    assert "EITHER 100 mcg/day OR 115 mcg/day" in stage.text()
    assert "The pump runs 115 mcg/day now" in stage.text()
    assert stage.ways() == {"applied": True, "not_applied": True, "leave": True}
    assert max(len(line.text) for line in stage.page.lines) <= 78, "whole in the smallest window"


def test_a_nurse_may_only_leave_it_open() -> None:
    stage = Stage(NURSE)
    play(stage)
    assert stage.ways() == {"applied": False, "not_applied": False, "leave": True}
    play(stage, "leave")
    assert isinstance(stage.begun, LeaveFlow)


@pytest.mark.parametrize("verdict, word", [("applied", "APPLIED"), ("not_applied", "NOT APPLIED")])
def test_verdict_then_reason_then_the_log_has_it(verdict: str, word: str) -> None:
    stage = Stage(DOCTOR)
    play(stage, verdict)
    assert stage.text().startswith(f"YOU SIGN: {word}. Why?")
    assert list(stage.log.entries())[-1].type != "change.reconciled", "a verdict alone signs nothing"
    play(stage, verdict, "r0")
    assert stage.text().startswith(f"SIGNED BY HAND: {word}")
    last = list(stage.log.entries())[-1]
    assert (last.type, last.body["verdict"]) == ("change.reconciled", verdict)
    assert stage.model.visit.phase is Phase.READ
    assert stage.model.shell is not None


def test_back_from_the_reason_signs_nothing_and_going_on_asks_who_the_patient_is() -> None:
    stage = Stage(DOCTOR)
    play(stage, "applied", "back")
    assert stage.ways() == {"applied": True, "not_applied": True, "leave": True}
    assert stage.model.visit.phase is Phase.UNRESOLVED
    play(stage, "applied", "r1", "home")
    assert isinstance(stage.begun, IdentityFlow)
