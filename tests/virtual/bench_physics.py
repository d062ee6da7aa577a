"""How fast the closed form is beside a one-second ticker: ``python -m tests.virtual.bench_physics`` prints it.

Seven years of a flex program with 12 steps a day and 43 events: a refill every two months with a new fill, a bolus
on the way. The ticker runs one day of the same program and is scaled to seven years.
"""

import time

from drivers.virtual import physics
from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.bolus import Cause, single
from drivers.virtual.profiles import load_profile
from drivers.virtual.schedule import EVERY_DAY, Step, flex
from tests.golden.tick_oracle import Flex, TickPump

YEARS = 7
EVENTS = 43
STEPS = tuple((EVERY_DAY, minute * 120, 60_000 + 5_000 * minute) for minute in range(12))
CONC = 500_000


def pump():
    """The pump before its seven years."""
    profile = load_profile("adult-40")
    state = physics.initial(
        profile.battery, at_ms=0, fill_nl=profile.capacity_nl, alarm_nl=profile.alarm_default_nl, rate_nl_day=0,
        conc_ng_ml=CONC, dead_nl=profile.dead_volume_nl, tubing_nl=profile.tubing_nl, catheter_nl=176_000,
    )  # fmt: skip
    return physics.set_flow(state, flex(tuple(Step(*step) for step in STEPS), CONC))


def seven_years(state):
    """(state, crossings) after seven years with their events."""
    every = YEARS * 365 * DAY_MS // EVENTS
    seen = 0
    for n in range(1, EVENTS + 1):
        state, crossings = physics.run_to(state, n * every)
        seen += len(crossings)
        if n % 3:
            state, _ = physics.needle(state, withdraw_nl=None, inject_nl=40_000_000, conc_ng_ml=CONC)
            state = physics.set_model(state, 40_000_000)
        else:
            state = physics.give(state, single(Cause.SINGLE, volume_nl=50_000, duration_ms=600_000, at_ms=n * every))
    return physics.run_to(state, YEARS * 365 * DAY_MS + 1)[0], seen


def best(rounds, call):
    """The shortest time of a call, in seconds."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def main():
    start = pump()
    run = best(200, lambda: seven_years(start))
    idle, _ = physics.run_to(start, 30 * DAY_MS)
    read = best(2_000, lambda: physics.read(idle, YEARS * 365 * DAY_MS))
    ticker = TickPump(
        start=0, fill=40_000_000, alarm=2_000_000, program=Flex(STEPS, CONC), conc=CONC, dead=1_400_000,
        tubing=140_000, catheter=176_000, battery=load_profile("adult-40").battery,
    )  # fmt: skip
    day = best(1, lambda: ticker.run_to(DAY_MS))
    assert physics.read(start, DAY_MS).fluid.left == ticker.left
    print(f"seven years, 12 steps a day, {EVENTS} events, {seven_years(start)[1]} crossings: {run * 1e3:.2f} ms")
    print(f"simulated years a second: {YEARS / run:,.0f}")
    print(f"status after seven idle years: {read * 1e6:.0f} microseconds")
    print(f"one-second ticker, one day {day:.2f} s, seven years about {day * 365 * YEARS:,.0f} s")


if __name__ == "__main__":
    main()
