"""The naive pump: one second after the other, in plain words. It stays for ever and is never made clever.

Each second: fluid leaves the reservoir, energy leaves the battery, then every threshold is looked at. The
closed-form physics must agree with it in every volume, and in every event time rounded up to the second.
"""

SECOND = 1000
PPM = 1_000_000
NL = 86_400_000


class TickPump:
    """Everything is a plain integer in the base units of the physics: ms, nL/day, u, pW x ms."""

    def __init__(self, fill_nl, alarm_nl, rate, gain, base_pw, eri_threshold, lead_ms):
        self.now = 0
        self.model = fill_nl * NL
        self.true = fill_nl * NL * PPM
        self.alarm = alarm_nl * NL
        self.rate = rate
        self.gain = gain
        self.base_pw = base_pw
        self.eri_threshold = eri_threshold
        self.lead_ms = lead_ms
        self.energy = 0
        self.programmed = 0
        self.delivered = 0
        self.filled = self.true
        self.withdrawn = 0
        self.low = self.empty = self.ended = False
        self.eri_at = None
        self.seen = []

    def look(self):
        if not self.low and self.model <= self.alarm:
            self.low = True
            self.seen.append(("LOW_RESERVOIR", self.now))
        if not self.empty and self.model <= 0:
            self.empty = True
            self.seen.append(("EMPTY", self.now))
        if self.eri_at is None and self.energy >= self.eri_threshold:
            self.eri_at = self.now
            self.seen.append(("ERI", self.now))
        if self.eri_at is not None and not self.ended and self.now >= self.eri_at + self.lead_ms:
            self.ended = True
            self.rate = 0
            self.seen.append(("EOS", self.now))

    def second(self):
        leaves = self.rate * SECOND
        self.programmed += leaves
        self.model = max(0, self.model - leaves)
        out = min(self.true, leaves * (PPM + self.gain))
        self.true -= out
        self.delivered += out
        self.energy += self.base_pw * SECOND
        self.now += SECOND
        self.look()

    def run_to(self, at):
        self.look()
        while self.now < at:
            self.second()

    def unlatch(self):
        if self.model > self.alarm:
            self.low = False
        if self.model > 0:
            self.empty = False

    def set_rate(self, rate):
        self.rate = 0 if self.ended else rate

    def set_gain(self, gain):
        self.gain = gain

    def set_alarm(self, alarm_nl):
        self.alarm = alarm_nl * NL
        self.unlatch()

    def refill(self, volume_nl):
        self.withdrawn += self.true
        self.true = volume_nl * NL * PPM
        self.filled += self.true
        self.model = volume_nl * NL
        self.unlatch()
