"""Nothing that a link, a power cut or a second tablet can do makes the journal lie or a program apply twice."""

from collections.abc import Callable

import pytest

from protocol import coordinator as c
from protocol import messages as m
from protocol import participant as p
from protocol.coordinator import State, Transaction
from tests.protocol.model import Model, Violation, rebased, without


@pytest.fixture(autouse=True)
def _signatures_carry_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the transaction have to hold by themselves, whatever a signature would have caught."""
    monkeypatch.setattr(p, "verifies", lambda *_: True)


def test_one_tablet_every_world() -> None:
    model = Model(repeats=2, tablets=1)
    worlds = model.explore(10**6)
    assert model.complete
    print(len(worlds), "distinct worlds")
    assert {1, 0} == {world.applied[0] for world in worlds}


def test_two_tablets() -> None:
    model = Model(repeats=2)
    worlds = model.explore(25_000)
    print(len(worlds), "distinct worlds")
    assert len(worlds) >= 20_000
