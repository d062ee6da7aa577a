"""The naive pump: one second after the other, in plain words. It stays for ever and is never made clever.

Each second: fluid leaves the chamber and moves through the tubes as one more parcel, energy leaves the battery, then
every threshold is looked at. The day of the week comes from the calendar, the tubes are lists of parcels. The
closed-form physics must agree with it in every volume, every amount of drug, and in every event time rounded up to
the second. Everything is a plain integer in the base units of the physics: ms, nL/day, u, pW x ms.
"""

from datetime import UTC, datetime, timedelta

SECOND = 1000
PPM = 1_000_000
NL = 86_400_000
TRUE = NL * PPM
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Simple:
    """One rate, always."""

    def __init__(self, rate):
        self.rate = rate

    def at(self, wall_ms):
        return self.rate


class Flex:
    """Steps [weekday mask, minute, dose rate] of one strength, and scheduled boluses [mask, minute, rate, seconds]."""

    def __init__(self, steps, conc, boluses=()):
        self.steps = steps
        self.conc = conc
        self.boluses = boluses

    def at(self, wall_ms):
        now = EPOCH + timedelta(milliseconds=wall_ms)
        minute = now.hour * 60 + now.minute
        begun = [(m, dose) for mask, m, dose in self.steps if mask & (1 << now.weekday()) and m <= minute]
        rate = max(begun)[1] * 1_000_000 // self.conc
        for mask, m, more, seconds in self.boluses:
            for days_ago in range(3):
                day = now - timedelta(days=days_ago)
                start = day.replace(hour=m // 60, minute=m % 60, second=0, microsecond=0)
                if mask & (1 << day.weekday()) and start <= now < start + timedelta(seconds=seconds):
                    rate += more
        return rate


class Batch:
    """A mixed chamberful; what left up to v holds floor(mass x v / volume)."""

    def __init__(self, volume, mass):
        self.volume = volume
        self.mass = mass

    def drug(self, first, last):
        if self.volume == 0:
            return 0
        return self.mass * last // self.volume - self.mass * first // self.volume


def drug_of(parcels):
    return sum(batch.drug(first, last) for batch, first, last in parcels)


def volume_of(parcels):
    return sum(last - first for _, first, last in parcels)


def push(tube, parcels):
    """Put parcels into the far end of a tube; what comes out of the near end, parcel by parcel."""
    wanted, out = volume_of(parcels), []
    tube.extend(parcels)
    while wanted > 0:
        batch, first, last = tube.pop(0)
        if last - first > wanted:
            tube.insert(0, (batch, first + wanted, last))
            last = first + wanted
        out.append((batch, first, last))
        wanted -= last - first
    return out


class TickPump:
    def __init__(self, *, start, fill, alarm, program, conc, dead, tubing, catheter, battery):
        self.now = start
        self.phase = 0
        self.model = fill * NL
        self.alarm = alarm * NL
        self.program = program
        self.stages = []
        self.bolus = None
        self.gain = self.temperature = 0
        self.stalled = False
        self.outlet = "open"
        self.dead = dead * TRUE
        size = (fill + dead) * TRUE
        self.chamber = Batch(size, size * conc)
        self.drawn = 0
        self.tubing, self.catheter = [], []
        for tube, nl in ((self.tubing, tubing), (self.catheter, catheter)):
            if nl:
                tube.append((Batch(nl * TRUE, nl * TRUE * conc), 0, nl * TRUE))
        self.tip, self.leaked, self.withdrawn, self.pocket = [], [], [], (0, 0)
        self.battery = battery
        self.energy = self.programmed = 0
        self.low = self.empty = self.dry = self.ended = False
        self.eri_at = None
        self.seen = []

    @property
    def left(self):
        return self.chamber.volume - self.dead - self.drawn

    def once(self, name, flag, holds):
        if holds and not getattr(self, flag):
            setattr(self, flag, True)
            self.seen.append((name, self.now))

    def look(self):
        self.once("LOW_RESERVOIR", "low", self.model <= self.alarm)
        self.once("EMPTY", "empty", self.model <= 0)
        self.once("DRY", "dry", self.left <= 0)
        if self.bolus is not None and self.now >= self.bolus[0]:
            self.bolus = None
            self.seen.append(("BOLUS_END", self.now))
        while self.stages and self.now >= self.stages[0][0]:
            self.program = self.stages.pop(0)[1]
            self.seen.append(("STAGE_END", self.now))
        if self.eri_at is None and self.energy >= self.battery.eri_threshold:
            self.eri_at = self.now
            self.seen.append(("ERI", self.now))
        if self.eri_at is not None and not self.ended and self.now >= self.eri_at + self.battery.lead_ms:
            self.ended = True
            self.program, self.stages, self.bolus = Simple(0), [], None
            self.seen.append(("EOS", self.now))

    def second(self):
        rate = self.program.at(self.now + self.phase) + (self.bolus[1] if self.bolus else 0)
        leaves = rate * SECOND
        self.programmed += leaves
        self.model = max(0, self.model - leaves)
        if not self.stalled and self.outlet != "closed":
            factor = (PPM + self.gain) * (PPM + self.temperature) // PPM
            self.move(min(self.left, leaves * factor))
        above = max(0, rate - self.battery.flat_to_nl_day)
        self.energy += (self.battery.base_pw + self.battery.slope_pw_per_ul_day * above // 1000) * SECOND
        self.now += SECOND
        self.look()

    def move(self, volume):
        if volume == 0:
            return
        parcel = (self.chamber, self.drawn, self.drawn + volume)
        self.drawn += volume
        out = push(self.tubing, [parcel])
        if self.outlet == "leaking":
            self.leaked += out
        else:
            self.tip += push(self.catheter, out)

    def run_to(self, at):
        self.look()
        while self.now < at:
            self.second()

    def unlatch(self):
        self.low = self.low and self.model <= self.alarm
        self.empty = self.empty and self.model <= 0
        self.dry = self.dry and self.left <= 0

    # -- events ------------------------------------------------------------------------------------------------------

    def set_program(self, program, stages=()):
        self.bolus = None
        self.program, self.stages = (Simple(0), []) if self.ended else (program, list(stages))

    def give(self, ends, rate):
        if self.bolus is None and not self.ended:
            self.bolus = (ends, rate)

    def set_alarm(self, alarm_nl):
        self.alarm = alarm_nl * NL
        self.unlatch()

    def refill(self, volume_nl, conc, pocket_nl):
        self.withdrawn.append((self.chamber, self.drawn, self.drawn + self.left))
        self.drawn += self.left
        rest = self.chamber.drug(self.drawn, self.chamber.volume)
        into = (volume_nl - pocket_nl) * TRUE
        self.pocket = (self.pocket[0] + pocket_nl * TRUE, self.pocket[1] + pocket_nl * TRUE * conc)
        if into:
            self.chamber = Batch(self.dead + into, rest + into * conc)
            self.drawn = 0
        self.model = volume_nl * NL
        self.unlatch()

    def state(self):
        """Everything that the closed form has to agree with."""
        rest = [(self.chamber, self.drawn, self.chamber.volume)]
        by_strength = {}
        for batch, first, last in self.tip:
            label = batch.mass // batch.volume
            volume, mass = by_strength.get(label, (0, 0))
            by_strength[label] = (volume + last - first, mass + batch.drug(first, last))
        return {
            "model": self.model,
            "left": self.left,
            "chamber": drug_of(rest),
            "tubing": (volume_of(self.tubing), drug_of(self.tubing)),
            "catheter": (volume_of(self.catheter), drug_of(self.catheter)),
            "tip": by_strength,
            "leaked": (volume_of(self.leaked), drug_of(self.leaked)),
            "withdrawn": (volume_of(self.withdrawn), drug_of(self.withdrawn)),
            "pocket": self.pocket,
            "programmed": self.programmed,
            "energy": self.energy,
            "latched": (self.low, self.empty, self.dry, self.ended),
        }
