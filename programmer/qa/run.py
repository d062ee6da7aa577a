"""The runner: one scenario in, one verdict out, and on failure a folder with everything that is needed to look.

Theory of operation. A run is a world, then the steps in their order. After each step the judges look at pump and
tablets. A fault that did not fire, a fault that fired and is not covered, and a refusal that no expectation names fail
the run. The same runner serves the command line and the tests.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drivers.virtual.faults import WAYS, FaultError, arm
from drivers.virtual.provision import ProvisionError
from programmer.qa import scenario_judges as judges
from programmer.qa.quantities import exact, moment
from programmer.qa.scenario import CONDITIONS, PEOPLE, Planted, Scenario, ScenarioInvalid, Step, parse
from programmer.qa.scenario_acts import ActImpossible, Actors
from programmer.qa.scenario_artefacts import keep
from programmer.qa.scenario_expect import Scene, check, event_words, unexpected
from programmer.qa.scenario_lines import step_lines
from programmer.qa.transcript import Recorder, Transcript, first_difference
from programmer.qa.world import Clinic
from programmer.qa.world_pump import ControlRefused, MemoryPump, ProcessPump, WorldPump
from programmer.qa.world_tablet import WorldTablet

VIA = ("simulation", "tcp", "pty")
LONG_MS = 3_600_000
"""After so much time nobody holds the wand any more: the session ends and the next act is another visit."""
LATE_MS = 600_000
WAND = {"lifted": 0, "placed": 5}
RAISED = {"ALARM_RAISED:LOW_RESERVOIR": "F-A01", "ALARM_RAISED:EMPTY": "F-A02"}
RESOUNDED = "ALARM_RESOUNDED:"


class StepFailed(Exception):
    """A step did not come out as the scenario says."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict. ``failure`` is empty where all held; times in ms of the world; ``cases`` above 1 for every byte."""

    title: str
    name: str
    source: str
    seed: int
    covers: tuple[str, ...]
    fired: tuple[str, ...]
    failure: str
    duration_ms: int
    digest: str
    lines: tuple[str, ...]
    artefacts: Path | None = None
    cases: int = 1

    @property
    def passed(self) -> bool:
        """Whether the scenario holds."""
        return not self.failure


class _Run:
    """One run of one scenario."""

    def __init__(self, scenario: Scenario, seed: int, via: str, folder: Path) -> None:
        self.scenario, self.file, self._folder = scenario, scenario.file, folder
        self.recorder = Recorder()
        self.clinic = Clinic(scenario.file, seed)
        self.pump: WorldPump = (
            MemoryPump(self.clinic, self.recorder)
            if via == "simulation"
            else ProcessPump(self.clinic, self.recorder, folder, via)
        )
        self.tablets: dict[str, WorldTablet] = {}
        self.actors = Actors(self.clinic, self.pump)
        self.planted: list[str] = []
        self._gain: str | None = None
        self._hands = "A"
        first = self.pump.memory()
        self._epoch = first.participant.memory.epoch
        self.case = judges.Case(first, exact("dose", self.file.pump.dose), (), self.actors.keyed)
        self._lines = step_lines(scenario.text)

    def play(self) -> str:
        """All steps; the first failure as a sentence, or nothing."""
        for number, step in enumerate(self.file.steps):
            line = self._lines[number] if number < len(self._lines) else 0
            where = f"{self.scenario.source}:{line}: step {number + 1} ({step.actor})"
            try:
                self._step(step)
            except (StepFailed, ControlRefused, ActImpossible, FaultError) as error:
                return "; ".join([f"{where}: {error}", *self._unfired()])
            wrong = self._judge(judges.EVERY_STEP)
            if wrong:
                return f"{where}: {'; '.join(wrong)}"
        return "; ".join(self._at_the_end())

    def _step(self, step: Step) -> None:
        if step.at is not None:
            self._until(moment(step.at))
        if step.advance is not None:
            self._pass(exact("time", step.advance))
        self.recorder.add(self.pump.now_ms(), "-", "step", step.actor)
        match step.actor:
            case "expect":
                self._expect(step)
            case "fault":
                assert step.fault is not None
                self._plant(step.fault)
            case "clear":
                self._clear(str(step.clear))
            case "restart":
                self._restart(step)
            case "qa":
                assert step.qa is not None
                self.pump.control("wand", strength=WAND[step.qa.wand])
            case actor if actor in PEOPLE:
                self._act(step, actor)

    def _until(self, at_ms: int) -> None:
        left = at_ms - self.pump.now_ms()
        if left < -LATE_MS:
            raise StepFailed("this moment has passed already: the steps before it took longer")
        if left > 0:
            self._pass(-(-left // 1_000) * 1_000)

    def _pass(self, ms: int) -> None:
        if ms >= LONG_MS:
            for tablet in self.tablets.values():
                tablet.put_away()
        self.pump.advance(ms)

    def tablet(self, letter: str) -> WorldTablet:
        """The tablet, made when it is first taken up."""
        if letter not in self.tablets:
            self.tablets[letter] = WorldTablet(letter, self.clinic, self.pump, self._folder / f"tablet-{letter}")
            self.case.tablets = tuple(self.tablets.values())
        return self.tablets[letter]

    def _act(self, step: Step, actor: str) -> None:
        act = getattr(step, actor)
        tablet = self.tablet(step.tablet)
        self._nothing_unclaimed()
        if step.tablet != self._hands and self._hands in self.tablets:
            self.tablets[self._hands].put_away()
        self._hands = step.tablet
        self.actors.do(actor, act, tablet)

    def _nothing_unclaimed(self) -> None:
        for tablet in self.tablets.values():
            if not tablet.view.claimed:
                raise StepFailed(unexpected(tablet.view))

    def _expect(self, step: Step) -> None:
        assert step.expect is not None
        scene = Scene(self.tablet(step.tablet), self._truth(), self.pump.memory(), self._epoch)
        wrong = check(step.expect, scene)
        if wrong:
            raise StepFailed("; ".join(wrong))

    def _truth(self) -> dict[str, Any]:
        return self.pump.control("status")

    def _plant(self, fault: Planted) -> None:
        fields: dict[str, Any] = {"id": fault.id}
        if fault.gain is not None:
            fields["gain_ppm"] = exact("gain", fault.gain)
            self._gain = fault.gain
        if fault.when is not None:
            fields |= {"when": fault.when, "byte": int(fault.byte)}
        self.pump.control("fault", **fields)
        self.planted.append(fault.id)

    def _clear(self, fault: str) -> None:
        if fault not in self.planted:
            raise StepFailed(f"{fault} was not planted, so it cannot be cleared")
        if fault not in self._fired():
            raise StepFailed(f"{fault} is cleared and has not fired: move the fault, or its 'when' and 'byte'")
        self.pump.control("clear")
        if fault == "F-M05":
            self._gain = None
        elif self._gain is not None:
            self.pump.control("fault", id="F-M05", gain_ppm=exact("gain", self._gain))

    def _restart(self, step: Step) -> None:
        if step.restart == "pump":
            self.pump.restart()
        else:
            self.tablet(step.tablet).restart()

    def _fired(self) -> list[str]:
        return [*self.pump.fired, *self._truth()["fired"]]

    def _unfired(self) -> list[str]:
        fired = self._fired()
        return [
            f"the fault {fault} was planted and did not fire"
            for fault in dict.fromkeys(self.planted)
            if fired.count(fault) < self.planted.count(fault)
        ]

    def fired(self) -> list[str]:
        """Ids of all faults that happened, those that the pump's own state raised included."""
        words = event_words(self.pump.memory())
        raised = [RAISED[word] for word in words if word in RAISED]
        raised += ["F-A07" for word in words if word.startswith(RESOUNDED)]
        return sorted({*self._fired(), *raised})

    def _judge(self, rules: dict[str, judges.Rule]) -> list[str]:
        self.case.now(self.pump.memory(), self._truth())
        return judges.judge(self.case, rules)

    def _at_the_end(self) -> list[str]:
        wrong = [unexpected(tablet.view) for tablet in self.tablets.values() if not tablet.view.claimed]
        wrong += self._judge(judges.AT_THE_END)
        fired, covers = set(self.fired()), {item for item in self.file.covers if not item.startswith("hazard:")}
        wrong += self._unfired()
        for fault in sorted(covers - fired - set(self.planted)):
            wrong.append(f"'covers' names {fault}, which did not happen")
        for fault in sorted(fired - covers):
            named = f" ({CONDITIONS[fault]})" if fault in CONDITIONS else ""
            wrong.append(f"{fault}{named} happened and 'covers' does not name it")
        return wrong

    def close(self) -> None:
        """Give everything back."""
        for tablet in self.tablets.values():
            tablet.close()
        self.pump.close()


def run(
    scenario: Scenario, *, seed: int | None = None, via: str = "simulation", artefacts: Path | None = None
) -> Result:
    """Run one scenario, over each byte where it says so. Raises ``ScenarioInvalid``."""
    if not scenario.every_byte:
        return _once(scenario, seed, via, artefacts)
    first = _byte(scenario, 0)
    result = _once(first, seed, via, artefacts)
    count = 1
    while result.passed:
        later = _once(_byte(scenario, count), seed, via, None)
        if (not later.passed and "did not fire" in later.failure) or "has not fired" in later.failure:
            break
        result, count = later, count + 1
    if not result.passed and artefacts is not None and count > 1:
        result = _once(_byte(scenario, count - 1), seed, via, artefacts)
    return replace(result, title=scenario.title, cases=count)


def _planted(scenario: Scenario) -> set[str]:
    return {step.fault.id for step in scenario.file.steps if step.fault is not None}


def _byte(scenario: Scenario, byte: int) -> Scenario:
    vary = tuple((name, str(byte) if (name, value) == ("byte", "every") else value) for name, value in scenario.vary)
    return parse(scenario.text, scenario.source, vary)


def _once(scenario: Scenario, seed: int | None, via: str, artefacts: Path | None) -> Result:
    seed = scenario.file.seed if seed is None else seed
    _fire_points(scenario)
    with tempfile.TemporaryDirectory(prefix="scenario-") as folder:
        try:
            play = _Run(scenario, seed, via, Path(folder))
        except ProvisionError as error:
            raise ScenarioInvalid(scenario.source, 0, f"the pump cannot be made so: {error}") from error
        try:
            failure = play.play()
            play.recorder.add(play.pump.now_ms(), "-", "end", "failed" if failure else "passed")
            kept = None
            if failure and artefacts is not None:
                kept = keep(artefacts / scenario.title, scenario, seed, failure, play.recorder, play.pump, play.tablets)
            return Result(
                scenario.title,
                scenario.file.name,
                scenario.source,
                seed,
                tuple(scenario.file.covers),
                tuple(play.fired()),
                failure,
                play.pump.now_ms(),
                play.recorder.digest,
                tuple(play.recorder.lines),
                kept,
            )
        finally:
            play.close()


def _fire_points(scenario: Scenario) -> None:
    """Every fire point exists. Raises ``ScenarioInvalid`` with the line of the step."""
    lines = step_lines(scenario.text)
    for number, step in enumerate(scenario.file.steps):
        if step.fault is None or (step.fault.when is None and step.fault.id not in WAYS):
            continue
        if step.fault.when is None and step.fault.id == "F-L12":
            continue
        try:
            arm(step.fault.id, step.fault.when or "", int(step.fault.byte))
        except FaultError as error:
            line = lines[number] if number < len(lines) else 0
            raise ScenarioInvalid(scenario.source, line, f"steps.{number}.fault: {error}") from error


def run_all(
    scenarios: Sequence[Scenario],
    *,
    seed: int | None = None,
    via: str = "simulation",
    artefacts: Path | None = None,
    told: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Run them in their order; ``told`` hears of each."""
    results = []
    for scenario in scenarios:
        results.append(run(scenario, seed=seed, via=via, artefacts=artefacts))
        told(results[-1])
    return results


def replay(recorded: Transcript) -> str | None:
    """Run a recorded scenario again; a sentence on the first line that differs, or None."""
    result = run(parse(recorded.scenario, recorded.source, recorded.vary), seed=recorded.seed)
    return first_difference(recorded.lines, result.lines)
