"""Runs targets for a time or a count, keeps what was new, and shortens what it finds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.parsers import Target

POOL = 4_096
SHORTENING_TRIES = 2_000


@dataclass(frozen=True)
class Find:
    """An input that breaks a promise, as short as could be made, and how."""

    target: str
    data: bytes
    why: str


@dataclass
class Tally:
    """What was run of one target."""

    executions: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)


def fault(target: Target, data: bytes) -> str | None:
    """How an input breaks the target; ``None``: it does not."""
    try:
        target.run(data)
    except Exception as error:  # every exception that comes out is a find
        return f"{type(error).__name__}: {error}"
    return None


def shortened(target: Target, data: bytes) -> bytes:
    """A shorter input with the same kind of fault: stretches are left out as long as it stays."""
    kind = (fault(target, data) or "").split(":")[0]
    tries, size = 0, max(1, len(data) // 2)
    while size and tries < SHORTENING_TRIES:
        at = 0
        while at < len(data) and tries < SHORTENING_TRIES:
            tries += 1
            shorter = data[:at] + data[at + size :]
            if (fault(target, shorter) or "").split(":")[0] == kind:
                data = shorter
            else:
                at += size
        size //= 2
    return data


class Search:
    """One target's inputs and tally. What shows a new outcome joins the inputs that are altered."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target, self.tally = target, Tally()
        self._rng = Random(f"{target.name} {seed}")
        self._fresh = list(target.seeds())
        self._pool = list(self._fresh)

    def once(self) -> Find | None:
        """Run one input: every seed first, then altered ones."""
        data = self._fresh.pop(0) if self._fresh else self.target.mutate(self._rng, self._rng.choice(self._pool))
        began = time.perf_counter()
        try:
            outcome = self.target.run(data)
        except Exception as error:
            short = shortened(self.target, data)
            return Find(self.target.name, short, fault(self.target, short) or f"{type(error).__name__}: {error}")
        took = time.perf_counter() - began
        tally = self.tally
        tally.executions += 1
        tally.seconds += took
        tally.slowest_ms = max(tally.slowest_ms, took * 1_000)
        if outcome not in tally.outcomes and len(self._pool) < POOL:
            self._pool.append(data)
        tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
        return None

    def run(self, executions: int) -> Find | None:
        """That many inputs, or up to the first find."""
        for _ in range(executions):
            found = self.once()
            if found is not None:
                return found
        return None


def for_seconds(searches: Sequence[Search], seconds: float, now: Callable[[], float] = time.monotonic) -> list[Find]:
    """Share the time among the targets; a target that has a find is not run on."""
    ends, finds, left = now() + seconds, [], list(searches)
    while left and now() < ends:
        search = min(left, key=lambda s: s.tally.seconds)
        found = search.run(20)
        if found is not None:
            finds.append(found)
            left.remove(search)
    return finds
