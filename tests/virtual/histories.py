"""Random lives of a pump, played on the closed form and on the one-second ticker alike. All times are whole seconds."""

import random

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS, Accumulator
from drivers.virtual.battery import BatteryModel
from drivers.virtual.bolus import Bolus, Cause
from drivers.virtual.fluid import Outlet
from drivers.virtual.line import amount_of
from drivers.virtual.schedule import EVERY_DAY, ScheduledBolus, Stage, Step, flex, with_boluses
from tests.golden.tick_oracle import Flex, Simple, TickPump

SECOND = 1000
NL_A_SECOND = 86_400
STRENGTHS = (0, 50_000, 500_000, 2_000_000, 333_333)


def small_battery(rng):
    """Half of them end within a history, on whole seconds; the others draw more with flow and only reach ERI."""
    lead = rng.randrange(1, 200) * SECOND
    life = rng.randrange(50, 900) * SECOND
    if rng.random() < 0.5:
        return BatteryModel(7 * (life + lead), 7, 0, 0, lead)
    far = 10**9 * SECOND
    return BatteryModel(7 * (life * 50 + far), 7, 500 * NL_A_SECOND, 1, far)


def some_rate(rng):
    return rng.choice((0, 1, 7, NL_A_SECOND, 864_001, rng.randrange(1_000 * NL_A_SECOND)))


def some_program(rng):
    """(law of the closed form, the same in the ticker's words)."""
    if rng.random() < 0.4:
        rate = some_rate(rng)
        return Accumulator.constant(rate), Simple(rate)
    conc = rng.choice(STRENGTHS[1:])
    masks = rng.choice(((EVERY_DAY,), (0x1F, 0x60), (0x01, 0x7E), (0x40, 0x3F)))
    steps = []
    for mask in masks:
        minutes = {0, *(rng.choice((1, 2, 3, 720, 1437, 1438, 1439)) for _ in range(3))}
        steps += [(mask, minute, rng.randrange(40 * NL_A_SECOND)) for minute in sorted(minutes)]
    rng.shuffle(steps)
    boluses = []
    if rng.random() < 0.5:
        mask, minute = rng.choice((0x7F, 0x40, 0x02)), rng.choice((0, 2, 1438, 1439))
        boluses = [(mask, minute, rng.randrange(900 * NL_A_SECOND), rng.randrange(1, 300))]
    law = with_boluses(
        flex(tuple(Step(*step) for step in steps), conc),
        tuple(ScheduledBolus(mask, minute, rate, seconds * SECOND) for mask, minute, rate, seconds in boluses),
    )
    return law, Flex(steps, conc, boluses)


def _set_program(rng, at):
    law, words = some_program(rng)
    stages, then = [], at
    for _ in range(rng.choice((0, 0, 1, 2))):
        then += rng.randrange(1, 200) * SECOND
        stages.append((then, *some_program(rng)))

    def closed(state):
        return physics.set_flow(state, law, tuple(Stage(t, flow) for t, flow, _ in stages))

    return closed, lambda pump: pump.set_program(words, [(t, program) for t, _, program in stages])


def _give(rng, at):
    ends, rate = at + rng.randrange(1, 300) * SECOND, rng.randrange(1, 500 * NL_A_SECOND)
    cause = rng.choice(tuple(Cause))

    def closed(state):
        if state.bolus is not None or state.ended:
            return state
        return physics.give(state, Bolus(cause, ends, rate))

    return closed, lambda pump: pump.give(ends, rate)


def _refill(rng, at):
    volume, conc = rng.choice((0, rng.randrange(200_000), rng.randrange(200_000))), rng.choice(STRENGTHS)
    pocket = rng.choice((0, 0, 0, volume // 3))

    def closed(state):
        state, _ = physics.needle(state, withdraw_nl=None, inject_nl=volume, conc_ng_ml=conc, pocket_nl=pocket)
        return physics.set_model(state, volume)

    return closed, lambda pump: pump.refill(volume, conc, pocket)


def _attribute(rule, name, value):
    return lambda state: rule(state, value), lambda pump: setattr(pump, name, value)


def _set_gain(rng, at):
    value = rng.choice((0, 25_000, -30_000, -1_000_000, rng.randrange(-200_000, 200_000)))
    return _attribute(physics.set_gain, "gain", value)


def _set_temperature(rng, at):
    return _attribute(physics.set_temperature, "temperature", rng.randrange(-5_000, 5_000))


def _set_stalled(rng, at):
    return _attribute(physics.set_stalled, "stalled", rng.random() < 0.5)


def _set_phase(rng, at):
    return _attribute(physics.set_phase, "phase", rng.choice((0, 3_600_000, -60_000, 5 * DAY_MS, 59_000)))


def _set_outlet(rng, at):
    outlet = rng.choice(tuple(Outlet))
    return lambda state: physics.set_outlet(state, outlet), lambda pump: setattr(pump, "outlet", outlet.value)


def _set_alarm(rng, at):
    value = rng.randrange(100_000)
    return lambda state: physics.set_alarm(state, value), lambda pump: pump.set_alarm(value)


ACTS = (
    *(_set_program, _give, _refill) * 3,
    _set_gain, _set_temperature, _set_stalled, _set_phase, _set_outlet, _set_alarm,
)  # fmt: skip


class Life:
    """One random history: the two pumps before it, its acts and its end."""

    def __init__(self, seed, seconds=900):
        rng = self.rng = random.Random(seed)
        midnight = rng.randrange(4, 11) * DAY_MS
        self.start = midnight - rng.randrange(0, 240) * SECOND
        battery = small_battery(rng)
        law, words = some_program(rng)
        size = {"conc": rng.choice(STRENGTHS), "dead": rng.choice((0, 1_400)), "tubing": rng.choice((0, 9_000))}
        fill, alarm, catheter = rng.randrange(200_000), rng.randrange(100_000), rng.choice((0, 17_600))
        state = physics.initial(
            battery, at_ms=self.start, fill_nl=fill, alarm_nl=alarm, rate_nl_day=0, conc_ng_ml=size["conc"],
            dead_nl=size["dead"], tubing_nl=size["tubing"], catheter_nl=catheter,
        )  # fmt: skip
        self.state = physics.set_flow(state, law)
        self.ticker = TickPump(
            start=self.start, fill=fill, alarm=alarm, program=words, catheter=catheter, battery=battery, **size
        )
        at, self.acts = self.start, []
        for _ in range(rng.randrange(0, 8)):
            at += rng.randrange(0, seconds // 5) * SECOND
            self.acts.append((at, *rng.choice(ACTS)(rng, at)))
        self.end = at + rng.randrange(0, seconds // 3) * SECOND

    def closed(self, stops=(), between=lambda state: state, judge=lambda state: None):
        """(state, crossings) of the closed form; `stops` are further instants at which the run is cut."""
        state, seen = self.state, []
        for at, act, _ in [*self.acts, (self.end, lambda state: state, None)]:
            for stop in sorted(stop for stop in stops if state.now_ms <= stop <= at):
                state, more = physics.run_to(state, stop)
                seen += more
                state = between(state)
            state, more = physics.run_to(state, at)
            seen += more
            judge(state)
            state = act(state)
            judge(state)
        state, more = physics.run_to(state, self.end)  # what the last act made due at once
        return state, seen + list(more)

    def ticked(self):
        """The ticker after the same history."""
        pump = self.ticker
        for at, _, act in self.acts:
            pump.run_to(at)
            act(pump)
        pump.run_to(self.end)
        return pump


def summary(state):
    """A state of the closed form in the ticker's words."""
    r = physics.read(state)
    f = r.fluid
    return {
        "model": r.model_u,
        "left": f.left,
        "chamber": f.in_chamber.mass,
        "tubing": amount_of(f.tubing),
        "catheter": amount_of(f.catheter),
        "tip": {share.conc_ng_ml: (share.volume, share.mass) for share in f.tip},
        "leaked": f.leaked,
        "withdrawn": f.withdrawn,
        "pocket": f.pocket,
        "programmed": r.programmed_u,
        "energy": r.energy,
        "latched": (state.low, state.empty, state.dry, state.ended),
    }
