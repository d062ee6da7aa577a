"""The one abstraction under the pump's physics: a periodic accumulator.

A schedule is a period (a day or a week) cut into segments of constant rate. What has been accumulated
by an instant, and the first instant at which an amount is reached, are closed forms over integers: no
ticking, no rounding, no drift. Source: the definition of the integral of a step function.

Units: time in ms; a rate is any integer "amount per day-unit", and the accumulated amount is
rate x ms, so that nL/day gives u (1 nL = 86,400,000 u) and pW gives pW x ms.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS


class ScheduleError(ValueError):
    """The segments do not make a schedule: start the first at 0, order them, keep rates >= 0."""


@dataclass(frozen=True, slots=True)
class Accumulator:
    """Rates over a repeating period; `starts` (ms within the period, first 0) and `rates` run parallel."""

    period_ms: int
    starts: tuple[int, ...]
    rates: tuple[int, ...]
    prefix: tuple[int, ...]

    @classmethod
    def of(cls, period_ms: int, segments: tuple[tuple[int, int], ...]) -> Accumulator:
        """Build from (start ms, rate) pairs. Raises ScheduleError for anything but an ordered cover."""
        starts = tuple(start for start, _ in segments)
        rates = tuple(rate for _, rate in segments)
        if not starts or starts[0] != 0 or starts[-1] >= period_ms:
            raise ScheduleError("a schedule starts at 0 and its last segment starts inside the period")
        if any(a >= b for a, b in pairwise(starts)) or min(rates) < 0:
            raise ScheduleError("segment starts must rise and rates must not be negative")
        ends = (*starts[1:], period_ms)
        prefix = [0]
        for start, end, rate in zip(starts, ends, rates, strict=True):
            prefix.append(prefix[-1] + rate * (end - start))
        return cls(period_ms, starts, rates, tuple(prefix))

    @classmethod
    def constant(cls, rate: int) -> Accumulator:
        """One rate, all day."""
        return cls.of(DAY_MS, ((0, rate),))

    def mapped(self, amounts: tuple[int, ...]) -> Accumulator:
        """The same segments with other rates (volume to power, for instance)."""
        return Accumulator.of(self.period_ms, tuple(zip(self.starts, amounts, strict=True)))

    def cum(self, t: int) -> int:
        """Amount accumulated over [0, t), t in ms; negative for t < 0."""
        periods, rest = divmod(t, self.period_ms)
        i = bisect_right(self.starts, rest) - 1
        return periods * self.prefix[-1] + self.prefix[i] + self.rates[i] * (rest - self.starts[i])

    def between(self, start: int, end: int) -> int:
        """Amount accumulated over [start, end)."""
        return self.cum(end) - self.cum(start)

    def rate_at(self, t: int) -> int:
        """The rate in force from the instant t on."""
        return self.rates[bisect_right(self.starts, t % self.period_ms) - 1]

    def first_reach(self, amount: int, start: int = 0) -> int | None:
        """The first t >= start (ms) with between(start, t) >= amount; start itself if amount <= 0; None if never."""
        return start if amount <= 0 else self.reach(self.cum(start) + amount)

    def reach(self, target: int) -> int | None:
        """The first t (ms) with cum(t) >= target, for a target that is not there at once; None if never."""
        total = self.prefix[-1]
        if total == 0:
            return None
        periods, rest = divmod(target, total)
        if rest == 0:  # reached within the period before, perhaps well before its end
            periods, rest = periods - 1, total
        i = bisect_left(self.prefix, rest) - 1
        need = rest - self.prefix[i]
        return periods * self.period_ms + self.starts[i] - (-need // self.rates[i])

    @property
    def mean(self) -> int:
        """The mean rate over the period, floored: what a pattern runs at when the clock is lost."""
        return self.prefix[-1] // self.period_ms

    def raised(self, rate: int) -> Accumulator:
        """The same segments with `rate` added to each."""
        return _raised(self, rate)


@lru_cache(maxsize=64)
def _raised(law: Accumulator, rate: int) -> Accumulator:
    return law.mapped(tuple(r + rate for r in law.rates))
