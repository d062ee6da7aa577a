"""The pump's own clock against true time, and what temperature does to flow. Exact, with no remainder lost.

The clock counts true time x (1,000,000 + ppm) in millionths of a ms; the fraction of a ms is carried over every
change of rate, so that a clock that is looked at or trimmed often runs no slower than one left alone.
Source: quartz clocks drift by some ppm; flow of a pump is given at body temperature, its change per kelvin is an
assumption of the profile, to be confirmed by the clinic.
Units: ms; ppm; temperature in thousandths of a kelvin from body temperature.
"""

from __future__ import annotations

from dataclasses import dataclass

PPM = 1_000_000


class ClockError(ValueError):
    """The clock cannot do that: true time does not run backwards, and no oscillator runs below standstill."""


@dataclass(frozen=True, slots=True)
class PumpClock:
    """At true time `origin_ms` the pump's clock stood at `micro` millionths of a ms; it runs `ppm` fast."""

    origin_ms: int
    micro: int
    ppm: int = 0

    @classmethod
    def started(cls, true_ms: int, clock_ms: int, ppm: int = 0) -> PumpClock:
        """A clock that shows `clock_ms` at `true_ms`."""
        if ppm < -PPM:
            raise ClockError("a clock does not run backwards; give a drift of -1,000,000 ppm or more")
        return cls(true_ms, clock_ms * PPM, ppm)

    def _micro(self, true_ms: int) -> int:
        if true_ms < self.origin_ms:
            raise ClockError("true time does not run backwards; ask for an instant after the last change")
        return self.micro + (true_ms - self.origin_ms) * (PPM + self.ppm)

    def at(self, true_ms: int) -> int:
        """What the clock shows, whole ms."""
        return self._micro(true_ms) // PPM

    def reaches(self, clock_ms: int) -> int | None:
        """The first true ms at which the clock shows `clock_ms` or more; None if it stands still before."""
        missing = clock_ms * PPM - self.micro
        if missing <= 0:
            return self.origin_ms
        return None if self.ppm == -PPM else self.origin_ms - (-missing // (PPM + self.ppm))

    def running(self, ppm: int, true_ms: int) -> PumpClock:
        """The same clock at another speed from now on; its fraction of a ms is kept."""
        if ppm < -PPM:
            raise ClockError("a clock does not run backwards; give a drift of -1,000,000 ppm or more")
        return PumpClock(true_ms, self._micro(true_ms), ppm)

    def moved(self, ms: int) -> PumpClock:
        """The clock set forward (or back) by `ms`; its speed and its fraction of a ms stay."""
        return PumpClock(self.origin_ms, self.micro + ms * PPM, self.ppm)


def temperature_ppm(milli_kelvin: int, ppm_per_kelvin: int) -> int:
    """Change of flow at a temperature so far from body temperature, in ppm, floored once."""
    return milli_kelvin * ppm_per_kelvin // 1000
