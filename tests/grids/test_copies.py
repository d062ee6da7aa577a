"""The grids rest on copies of worlds: nothing that changes is shared, a copy goes the way the first one went, and the
least tablet of the grids asks what the whole shell asks.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass, replace
from enum import Enum
from types import FunctionType, MappingProxyType
from typing import Any

import pytest
from pydantic import BaseModel

from drivers.virtual import physics
from drivers.virtual.firmware import Firmware
from programmer.visit.machine import Word
from protocol.connection import TabletConnection
from protocol.messages import Message
from tests.bench import DOCTOR, Bench, dose
from tests.grids.faults import Fault
from tests.grids.fork import CHANGEABLE, names_of
from tests.grids.pilot import CHANGE
from tests.grids.test_line_faults import Case, cases
from tests.grids.world import Memory, fork_of, prepared, recorded

FIXED = (int, str, bytes, type(None), Enum, frozenset, FunctionType, Firmware, type, MappingProxyType)


def reached(value: Any, seen: dict[int, Any]) -> None:
    """Every object that can be reached from a value."""
    if id(value) in seen or isinstance(value, FIXED):
        return
    seen[id(value)] = value
    if isinstance(value, BaseModel):
        parts = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, Mapping):
        parts = list(value.values())
    elif isinstance(value, list | tuple):
        parts = list(value)
    else:
        parts = [getattr(value, name) for name in names_of(value)]
    for part in parts:
        reached(part, seen)


def is_frozen(value: Any) -> bool:
    """Whether an object cannot change."""
    if isinstance(value, BaseModel):
        return bool(value.model_config.get("frozen"))
    if is_dataclass(value):
        return bool(type(value).__dataclass_params__.frozen)  # type: ignore[attr-defined]
    return isinstance(value, tuple)


def test_whatever_can_change_is_copied() -> None:
    for moment in recorded(prepared())[::5]:
        seen: dict[int, Any] = {}
        reached(moment.world, seen)
        copied: dict[int, Any] = {}
        reached(fork_of(moment), copied)
        for key, value in seen.items():
            assert is_frozen(value) or type(value) in CHANGEABLE, type(value)
            assert type(value) not in CHANGEABLE or key not in copied, "nothing that changes is shared"


def test_a_copy_goes_the_same_way_and_leaves_the_first_alone() -> None:
    whole = recorded(prepared())
    for moment in whole[::4]:
        world = fork_of(moment)
        world.moments = []
        world.send(moment.way, moment.data)
        world.run()
        assert world.pilot.word is Word.APPLIED
        rest = [item.data for item in world.moments]
        assert rest == [item.data for item in whole[whole.index(moment) :]]
    again = recorded(prepared())
    assert [item.data for item in again] == [item.data for item in whole]


def test_a_case_ends_the_same_whether_its_rest_is_known_or_run() -> None:
    moments, memory = recorded(prepared()), Memory()
    picked = [case for kind in ("cut", "deaf", "drop", "delay") for case in list(cases(moments, (kind,)))[::397]]
    known = [memory.run(lambda case=case: case.run(memory)) for case in picked + picked]  # type: ignore[misc]
    run = [Memory().run(lambda case=case: case.run(Memory())) for case in picked]  # type: ignore[misc]
    assert known == run + run


def test_the_least_tablet_asks_what_the_shell_asks() -> None:
    asked: list[str] = []
    request = TabletConnection.request

    def noted(core: TabletConnection, message: Message, now_ms: int) -> int:
        asked.append(type(message).__name__)
        return request(core, message, now_ms)

    bench = Bench()
    earlier = bench.shell()
    earlier.read()
    earlier.propose(dose(105_000))
    earlier.check(DOCTOR)
    earlier.sign_and_send(DOCTOR)
    bench.power_off()
    shell, world = bench.shell(), prepared((105_000,))
    TabletConnection.request = noted  # type: ignore[method-assign]
    try:
        shell.read()
        shell.propose(dose(115_000))
        shell.check(DOCTOR)
        shell.sign_and_send(DOCTOR)
        shell.read()
        whole, asked[:] = tuple(asked), []
        world.go(CHANGE)
    finally:
        TabletConnection.request = request  # type: ignore[method-assign]
    assert whole == tuple(asked)
    assert shell.visit.word is world.pilot.word is Word.APPLIED


def test_the_judge_finds_a_pump_that_gives_something_else() -> None:
    """A planted fault: a pump that changes its flow without an order is found in the first case that meets it."""
    moment = recorded(prepared())[0]
    world = fork_of(moment)
    state = world.host.state
    world.host.state = replace(state, physics=physics.set_rate(state.physics, 1))
    bad = type(moment)(world, moment.way, moment.data, moment.stale)
    with pytest.raises(AssertionError):
        Case(bad, Fault("cut", 3), False, False).run(Memory())
