"""What a scenario expects, one row for each key: what was found, and whether it is what was written down."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from drivers.virtual.pump import PumpState
from programmer.qa.quantities import bounds, exact, ratio
from programmer.qa.scenario import Expect
from programmer.qa.scenario_judges import true_flow
from programmer.qa.world_tablet import View, WorldTablet
from programmer.visit.logbook import alarm_names
from programmer.visit.machine import Word
from protocol.messages import Alarm

WORDS = {Word.APPLIED: "applied", Word.NOT_APPLIED: "not-applied", Word.IN_DOUBT: "in-doubt", None: "none"}
VERDICTS = {"applied": "committed", "not_applied": "not-applied", "in_doubt": "in-doubt"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What an expectation looks at: the tablet, the pump's truth and memory, and the epoch at the start."""

    tablet: WorldTablet
    truth: dict[str, Any]
    memory: PumpState
    first_epoch: int

    @property
    def view(self) -> View:
        """What the person sees."""
        return self.tablet.view


class _Unread(Exception):
    """The tablet has not read the pump, so there is nothing to compare: let the scenario read it first."""

    exit_code = 1


def check(expect: Expect, scene: Scene) -> list[str]:
    """Sentences on what is not as expected; none when all is. A refusal that nobody expects is one too."""
    wrong = []
    for name in sorted(expect.model_fields_set):
        wanted = getattr(expect, name)
        try:
            found = _FOUND[name](scene)
        except _Unread:
            wrong.append(f"{_key(name)}: expected {wanted!r}, but this tablet has not read the pump")
            continue
        if not _JUDGE.get(name, _equal)(wanted, found):
            wrong.append(f"{_key(name)}: expected {wanted!r}, found {_show(name, found)}")
    if not scene.view.claimed and "refused" not in expect.model_fields_set:
        wrong.append(unexpected(scene.view))
    scene.view.claimed = True
    scene.view.sent.clear()
    return wrong


def unexpected(view: View) -> str:
    """The sentence on a refusal that no expectation names."""
    return f"the last act was refused by the {view.refused_by} with {', '.join(view.refused)}: {view.says[-2:]}"


def _key(name: str) -> str:
    return "class" if name == "class_" else name


def _show(name: str, found: Any) -> str:
    unit = _UNIT.get(name)
    return repr(found) if unit is None else f"'{_decimal(Fraction(found, unit[0]))} {unit[1]}'"


def _decimal(value: Fraction) -> str:
    """At most six decimals, cut: for messages only."""
    whole, rest = divmod(abs(value.numerator) * 10**6 // value.denominator, 10**6)
    return f"{'-' if value < 0 else ''}{whole}.{rest:06d}".rstrip("0").rstrip(".")


def _status(scene: Scene) -> Any:
    if scene.view.status is None:
        raise _Unread
    return scene.view.status


def _equal(wanted: Any, found: Any) -> bool:
    return bool(wanted == found)


def _same(wanted: list[str], found: Iterable[str]) -> bool:
    return sorted(wanted) == sorted(found)


def _holds(wanted: list[str], found: Iterable[str]) -> bool:
    return set(wanted) <= set(found)


def _lacks(wanted: list[str], found: Iterable[str]) -> bool:
    return not set(wanted) & set(found)


def _says(wanted: list[str], found: list[str]) -> bool:
    text = "\n".join(found)
    return all(words in text for words in wanted)


def _never_says(wanted: list[str], found: list[str]) -> bool:
    text = "\n".join(found)
    return not any(words in text for words in wanted)


def _within(dimension: str) -> Callable[[Any, Any], bool]:
    def judge(wanted: str | list[str], found: int | None) -> bool:
        low, high = bounds(wanted, lambda text: exact(dimension, text))
        return found is not None and low <= found <= high

    return judge


def _ratio(wanted: str | list[str], found: Fraction | None) -> bool:
    low, high = bounds(wanted, ratio)
    return found is not None and low <= found <= high


def _tail(wanted: list[str], found: list[str]) -> bool:
    return found[-len(wanted) :] == wanted if wanted else not found


def _audit(scene: Scene) -> list[str]:
    words = []
    for entry in scene.tablet.log.entries():
        if entry.type == "change.intent":
            words.append("intent")
        elif entry.type == "change.outcome":
            words.append(VERDICTS[entry.body["verdict"]])
        elif entry.type in ("change.refused", "change.dropped", "change.reconciled"):
            words.append(entry.type.partition(".")[2])
    return words


def _found_says(scene: Scene) -> list[str]:
    """Every blank counts as a blank, whether a line may break there or not."""
    return [re.sub(r"\s", " ", text) for text in scene.view.says if text]


def _day(name: str) -> Callable[[Scene], str | None]:
    def found(scene: Scene) -> str | None:
        day = getattr(scene.view.plan, name) if scene.view.plan is not None else None
        return None if day is None else str(day.isoformat())

    return found


def _log(scene: Scene) -> list[str]:
    return event_words(scene.memory)


def _reconciled(name: str) -> Callable[[Scene], Any]:
    return lambda scene: None if scene.view.reconciliation is None else getattr(scene.view.reconciliation, name)


def _withdrawn(scene: Scene) -> int | None:
    found = scene.view.reconciliation
    return None if found is None else int(found.withdrawn_ml * 1_000_000)


_FOUND: dict[str, Callable[[Scene], Any]] = {
    "outcome": lambda s: WORDS[s.view.word],
    "program": lambda s: _status(s).dose_ng_per_day,
    "mode": lambda s: _status(s).mode.name.lower(),
    "flow": lambda s: _status(s).flow_nl_per_day,
    "reservoir": lambda s: _status(s).reservoir_nl,
    "alarms": lambda s: alarm_names(int(_status(s).alarms)),
    "epoch": lambda s: f"+{_status(s).epoch - s.first_epoch}",
    "read_back": lambda s: s.view.read_back.program.dose_ng_per_day if s.view.read_back else None,
    "findings": lambda s: list(s.view.findings),
    "refused": lambda s: list(s.view.refused),
    "refused_by": lambda s: s.view.refused_by or None,
    "says": _found_says,
    "never_says": _found_says,
    "sent": lambda s: s.view.sent,
    "never_sent": lambda s: s.view.sent,
    "withdrawn": _withdrawn,
    "ratio": _reconciled("ratio"),
    "class_": _reconciled("klass"),
    "alarm_nominal": _day("alarm_nominal"),
    "low_guarded": _day("alarm_guarded"),
    "refill_by": _day("refill_by"),
    "can_close": lambda s: s.tablet.can_close(),
    "audit_tail": _audit,
    "true_reservoir": lambda s: s.truth["true_reservoir_nl"],
    "true_program": lambda s: s.truth["dose_ng_per_day"],
    "true_mode": lambda s: str(s.truth["mode"]).lower(),
    "true_flow": lambda s: true_flow(s.memory),
    "sounding": lambda s: s.truth["sounding"],
    "staged": lambda s: s.truth["staged"],
    "log_has": _log,
    "log_lacks": _log,
}
_JUDGE: dict[str, Callable[[Any, Any], bool]] = {
    "program": _within("dose"),
    "true_program": _within("dose"),
    "read_back": _within("dose"),
    "flow": _within("flow"),
    "true_flow": _within("flow"),
    "reservoir": _within("volume"),
    "true_reservoir": _within("volume"),
    "withdrawn": _within("volume"),
    "ratio": _ratio,
    "alarms": _same,
    "sounding": _same,
    "findings": _same,
    "refused": _same,
    "says": _says,
    "never_says": _never_says,
    "sent": _holds,
    "never_sent": _lacks,
    "audit_tail": _tail,
    "log_has": _holds,
    "log_lacks": _lacks,
}
_ML, _DOSE = (1_000_000, "mL"), (1_000, "mcg/day")
_UNIT: dict[str, tuple[int, str]] = {
    **dict.fromkeys(("reservoir", "true_reservoir"), _ML),
    **dict.fromkeys(("flow", "true_flow"), (1_000_000, "mL/day")),
    **dict.fromkeys(("program", "true_program"), _DOSE),
}


def event_words(memory: PumpState) -> list[str]:
    """The pump's log as words: ``ALARM_RAISED:LOW_RESERVOIR`` for alarms, the code's name for the rest."""
    return [
        f"{entry.code.name}:{Alarm(entry.value).name}" if entry.code.name.startswith("ALARM_") else entry.code.name
        for entry in memory.log.entries
    ]
