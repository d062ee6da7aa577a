"""A hostile bus changes nothing: every harm to one recorded session, and whole recordings played to other pumps."""

import time
from itertools import islice

import pytest

from tests.adversary.bus import TO_PUMP, Bus, harms, two_sessions
from tests.adversary.world import Draw, copied, facts, fresh_host

LOCAL_STEP = 25


def attacked(step: int, recover_every: int) -> Bus:
    earlier, session = two_sessions()
    assert session.size >= 2_000
    bus = Bus(session, recover_every)
    began = time.perf_counter()
    ends: dict[str, int] = {}
    for harm in islice(harms(session, earlier), 0, None, step):
        end = bus.do(harm)
        ends[end] = ends.get(end, 0) + 1
    seconds = time.perf_counter() - began
    total = sum(ends.values())
    print(f"\nadversary bus: {total} variants of {session.size} bytes, {seconds:.1f} s, {total / seconds:.0f}/s")
    print(f"  followed to the end: {bus.followed}; ends: {ends}; {dict(bus.counts)}")
    assert {"in its own session", "committed, told later", "not applied"} <= ends.keys()
    return bus


def test_a_part_of_all_harms() -> None:
    assert sum(attacked(LOCAL_STEP, 10).counts.values()) >= 5_000


@pytest.mark.full
@pytest.mark.grid
def test_all_harms() -> None:
    assert sum(attacked(1, 2).counts.values()) >= 100_000


@pytest.mark.parametrize("pump", ["the same", "another day", "new"])
def test_recordings_and_splices_of_them_played_without_a_tablet_change_nothing(pump: str) -> None:
    earlier, session = two_sessions()
    first, second = ([wire for way, wire in each.frames if way == TO_PUMP] for each in (earlier, session))
    assert earlier.end is not None and session.end is not None  # noqa: PT018
    host = {"the same": session.end.host, "another day": earlier.end.host, "new": fresh_host("new pump")}[pump]
    host = copied(host)
    host._entropy = host._connection._entropy = Draw("later")
    before = facts(host.state.image), host.state.log, host.state.uses
    now = session.end.now
    for one, other in ((first, second), (second, first)):
        for cut in range(len(one) + 1):
            for start in range(len(other) + 1):
                now += 3_000
                for wire in one[:cut] + other[start:]:
                    host.feed(wire, now)
    assert (facts(host.state.image), host.state.log, host.state.uses) == before
    assert host.state.session is None
