"""Header and alarm bar from the model."""

from programmer.clinical import display
from programmer.clinical.alarms import ALARMS, PRIORITIES, worst_first
from programmer.ui.model import Model
from programmer.ui.present.views import AlarmBarView, FrameView, HeaderView, Priority
from programmer.visit.tablet import monotonic_ms

_BARS = ("none", "#....", "##...", "###..", "####.", "#####")
FRAME_KEYS = "F1 help  F4 alarms  F9 lock"


def role_words(role: str) -> str:
    """A role as people say it."""
    return role.replace("-", " ")


def age_words(model: Model) -> str:
    """How old the last reading is; a word where there is none."""
    age = model.age_s
    if age is None:
        return "not read"
    return f"read {display.age(age)}"


def header(model: Model) -> HeaderView:
    """The three rows above every screen."""
    chart = model.chart if model.user is not None else None
    pump = model.shell.opened.pump.serial if model.shell is not None and model.shell.opened is not None else ""
    coupling = "" if model.coupling is None else f"coupling {model.coupling} of 5  {_BARS[model.coupling]}"
    return HeaderView(
        connection=model.link,
        coupling=coupling,
        reading=age_words(model),
        pump=f"PUMP {pump}" if pump else "no pump",
        simulated=model.simulated,
        patient=f"{chart.chart.name.upper()}  born {chart.chart.born}" if chart else "",
        record=f"{chart.chart.record}, {'identity checked' if model.identified else 'NOT CHECKED'}" if chart else "",
        user=model.user.user.name.upper() if model.user else "",
        role=role_words(model.user.role) if model.user else "",
        clock=model.now.strftime("%Y-%m-%d %H:%M"),
    )


def alarm_bar(model: Model) -> AlarmBarView:
    """The worst alarm with its action, and the counts."""
    codes = worst_first(model.alarm_codes())
    counts = {name: sum(ALARMS[code].priority == name for code in codes) for name in PRIORITIES}
    left = (model.paused_until_ms - monotonic_ms() + 999) // 1_000
    if not codes:
        return AlarmBarView(sound="pump silent")
    worst = ALARMS[codes[0]]
    return AlarmBarView(
        Priority(worst.priority),
        f"{codes[0]}: {worst.text}",
        counts["HIGH"],
        counts["MEDIUM"],
        counts["LOW"],
        f"sound paused {left} s" if left > 0 else "",
        worst.now,
    )


def frame(model: Model) -> FrameView:
    """All of it."""
    return FrameView(header(model), alarm_bar(model), FRAME_KEYS)
