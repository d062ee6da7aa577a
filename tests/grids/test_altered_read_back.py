"""A pump that alters one field between STAGE and READ_BACK is caught before anybody signs, and the field is named.

Two kinds of pump: one alters what it has stored and reports that honestly, the other alters its report. Source of the
demand: a pump that showed the ordered dose while it delivered another (security research on infusion pumps, 2020-2021).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from drivers.pipe import Direction
from drivers.virtual.pump import Reply
from programmer.visit.desk import ReadBackDiffers
from programmer.visit.machine import STAGING_S, Phase
from protocol.coordinator import State
from protocol.messages import Discrepancy, Message, Mode, OrderKind, ReadBackReport, Staged
from tests.bench import DOCTOR, Bench, dose
from tests.grids.pilot import NEW, OLD
from tests.grids.world import Moment, World, fork_of, prepared, recorded

AT_LEAST = 500
TO_REVIEW = ("settle", "read", "anchor", "anchor", "check")
NAME = {
    "kind": "kind",
    "base_epoch": "base epoch",
    "flow_nl_per_day": "flow",
    "total_24h_fg": "total",
    "reservoir_nl": "reservoir volume",
    "discrepancy": "discrepancy",
    "staged_at_s": "time of staging",
    "previous_digest": "running program",
    "digest": "digest",
}
"""Field of the message, and the name under which the tablet shows it."""
MAX_FLOW = 0xFFFF_FFFF
UNSEEN_NL = 64
"""The pump gives on while it answers: a volume that is lower by less is no alteration (at 200 mcL/day, 25 s)."""


@dataclass(frozen=True)
class Change:
    """Another value in one field of what the pump stores or says; ``named`` is the tablet's name of it."""

    where: str
    field: str
    value: object
    named: str


def other_numbers(value: int, bits: int) -> list[int]:
    """Each bit flipped, one more, one less, ten times more and less."""
    near = {value + 1, max(0, value - 1), value * 10, value // 10, value * 2, value // 2}
    return sorted(item for item in {value ^ 1 << bit for bit in range(bits)} | near if 0 < item < 1 << bits)


def other_bytes(value: bytes) -> list[bytes]:
    """One bit flipped in each byte; nothing but zeros."""
    flipped = [value[:at] + bytes([value[at] ^ 1 << at % 8]) + value[at + 1 :] for at in range(len(value))]
    return [*flipped, bytes(len(value))]


def others(name: str, value: Any) -> list[Any]:
    """Other values for a field."""
    match value:
        case Mode() | Discrepancy() | OrderKind():
            return [item for item in type(value) if item is not value]
        case bytes():
            return other_bytes(value)
        case _:
            found = other_numbers(value, 64 if name == "total_24h_fg" else 32)
            if name == "staged_at_s":
                return [item for item in found if not 0 <= item - value <= STAGING_S]
            if name == "reservoir_nl":
                return [item for item in found if not 0 <= value - item <= UNSEEN_NL]
            return found


def in_program(where: str, program: Any) -> Iterator[Change]:
    for name in ("mode", "dose_ng_per_day", "concentration_ng_per_ml", "alarm_nl"):
        for value in others(name, getattr(program, name)):
            other = program.model_copy(update={name: value})
            if where == "stored" and other.dose_ng_per_day * 1_000_000 // other.concentration_ng_per_ml > MAX_FLOW:
                continue  # a flow that the message cannot hold
            yield Change(where, "program", other, "program")


def changes(report: ReadBackReport, staged: Staged) -> Iterator[Change]:
    """Every alteration."""
    for name in ("kind", "base_epoch", "flow_nl_per_day", "total_24h_fg", "reservoir_nl", "discrepancy", "staged_at_s",
                 "previous_digest"):  # fmt: skip
        for value in others(name, getattr(report, name)):
            yield Change("said", name, value, NAME[name])
    yield from in_program("said", report.program)
    for value in others("digest", staged.digest):
        yield Change("said of STAGE", "digest", value, "digest")
    yield from in_program("stored", report.program)
    for name in ("base_epoch", "previous_digest", "staged_at_s", "kind"):
        for value in others(name, getattr(report, name)):
            yield Change("stored", name, value, NAME[name])


class Altering:
    """A pump's firmware that says something else in one kind of answer."""

    def __init__(self, firmware: Any, kind: type[Message], update: dict[str, object]) -> None:
        self._firmware, self._kind, self._update = firmware, kind, update

    def __getattr__(self, name: str) -> Any:
        return getattr(self._firmware, name)

    def step(self, *arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        """As the firmware, but for the answer."""
        state, effects = self._firmware.step(*arguments)
        return state, tuple(map(self._altered, effects))

    def _altered(self, effect: Any) -> Any:
        if isinstance(effect, Reply) and isinstance(effect.message, self._kind):
            return Reply(effect.message.model_copy(update=self._update))
        return effect


def store(world: World, change: Change) -> None:
    """Alter what the pump has stored of the proposal."""
    participant = world.host.state.participant
    proposal = participant.proposal
    assert proposal is not None
    match change.field:
        case "program" | "kind":
            altered = replace(proposal, content=replace(proposal.content, **{change.field: change.value}))
        case "base_epoch":
            altered = replace(proposal, stage=proposal.stage.model_copy(update={"base_epoch": change.value}))
        case name:
            altered = replace(proposal, **{name: change.value})
    world.host.state = replace(world.host.state, participant=replace(participant, proposal=altered))


KIND: dict[str, type[Message]] = {"said": ReadBackReport, "said of STAGE": Staged}


def alter(host: Any, change: Change) -> None:
    host.firmware = Altering(host.firmware, KIND[change.where], {change.field: change.value})


@cache
def moments() -> tuple[Moment, Moment]:
    """Just before STAGE reaches the pump, and just before READ_BACK does."""
    every = recorded(prepared(), TO_REVIEW)
    held = [moment.world.host.state.participant.proposal is not None for moment in every]
    stage, read_back = held.index(True) - 1, held.index(True) + 1
    assert every[stage].way is every[read_back].way is Direction.TO_PUMP
    return every[stage], every[read_back]


def after(moment: Moment, prepare: Callable[[World], None]) -> World:
    """The world when the tablet has its answer."""
    world = fork_of(moment)
    prepare(world)
    world.deliver(moment.way, moment.data)
    world.run()
    return world


@cache
def honest() -> tuple[ReadBackReport, Staged]:
    """What an honest pump says; it is accepted."""
    world = after(moments()[1], lambda _: None)
    tx = world.pilot.visit.transaction
    assert world.pilot.visit.phase is Phase.REVIEW
    assert world.pilot.visit.mismatch == ()
    assert tx is not None
    assert tx.read_back is not None
    assert tx.staged is not None
    assert tx.read_back.program.dose_ng_per_day == NEW
    return tx.read_back, tx.staged


def test_every_alteration_between_stage_and_read_back_is_caught_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    every = list(changes(*honest()))
    for change in every:
        if change.where == "stored":
            world = after(moments()[1], lambda world, change=change: store(world, change))  # type: ignore[misc]
        else:
            moment = moments()[0] if change.where == "said of STAGE" else moments()[1]
            world = after(moment, lambda world, change=change: alter(world.host, change))  # type: ignore[misc]
        visit = world.pilot.visit
        assert visit.transaction is not None
        assert change.named in visit.mismatch, change
        assert visit.transaction.state is State.ABORTED, change
        assert visit.transaction.commit is None, change
        assert world.running.dose_ng_per_day == OLD
        assert world.host.state.participant.proposal is None, "it is dropped in the pump too"
    fields = {(change.where, change.field) for change in every}
    with capsys.disabled():
        print(f"\naltered read-backs: {len(every)} of {len(every)} caught, in {len(fields)} places")
    assert len(every) >= AT_LEAST
    assert len(set(every)) == len(every)


def test_the_whole_shell_refuses_them_with_the_name_of_the_field() -> None:
    first: dict[tuple[str, str], Change] = {}
    for change in changes(*honest()):
        if change.where == "said":
            first.setdefault((change.where, change.field), change)
    for change in first.values():
        bench = Bench()
        shell = bench.shell()
        shell.read()
        shell.propose(dose(NEW))
        alter(bench.pump.host, change)
        with pytest.raises(ReadBackDiffers, match=change.named):
            shell.check(DOCTOR)
        assert bench.pump.running().dose_ng_per_day == OLD
