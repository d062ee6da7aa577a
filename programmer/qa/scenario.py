"""The scenario file: a story of steps in TOML, read strictly, with the line of whatever is wrong.

An unknown key, a bare number, a missing unit and an unknown fault are each refused by name.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from drivers.virtual.faults import TABLE
from programmer.qa.quantities import (
    Dose,
    Flows,
    GainText,
    Moment,
    Ratios,
    Span,
    Strength,
    Volume,
    Volumes,
    moment,
)
from programmer.qa.scenario_lines import line_of

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
CONDITIONS = {"F-A01": "low reservoir", "F-A02": "empty", "F-A07": "sound comes back after a pause"}
"""Faults that the pump's own state raises; they fire when the pump raises the alarm."""
JUDGES = (
    "wrong-word",
    "mixed-program",
    "double-commit",
    "audit-gap",
    "silent-stop",
    "unsigned-change",
    "clamped-value",
)
PEOPLE = ("nurse", "physician", "second")
Judge = Literal[
    "wrong-word", "mixed-program", "double-commit", "audit-gap", "silent-stop", "unsigned-change", "clamped-value"
]
Signer = Literal["nurse.a", "dr.b", "dr.c"]
Outcome = Literal["applied", "not-applied", "in-doubt"]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class ScenarioInvalid(Exception):
    """The file is no scenario; ``line`` is where, 0 where the whole file is meant."""

    exit_code = 2

    def __init__(self, source: str, line: int, what: str) -> None:
        super().__init__(f"{source}:{line}: {what}" if line else f"{source}: {what}")
        self.line = line


class _PumpOf(BaseModel):
    """The pump at the start: profile, fill and the program that runs."""

    model_config = _STRICT
    profile: Literal["child-20", "adult-20", "adult-40"]
    fill: Volume
    conc: Strength
    dose: Dose
    alarm: Volume
    two_persons: list[Literal["program", "refill", "increase"]] = []


class _ProgrammerOf(BaseModel):
    """The rows of the drug library that count for this patient."""

    model_config = _STRICT
    library: Literal["child", "adult"] = "child"
    phase: Literal["titration", "maintenance"] = "titration"


class Stage(BaseModel):
    """Judge a new dose, and let the pump read it back if nothing forbids it."""

    model_config = _STRICT
    mode: Literal["simple"] = "simple"
    dose: Dose
    reasons: dict[str, str] = {}


class Refill(BaseModel):
    """Empty the pump, fill it, and let it read the refill back. ``syringe``: what there is, read to 0.1 mL."""

    model_config = _STRICT
    withdrawn: Literal["syringe"] | Volume
    injected: Volume
    lot: str
    expires: Day
    cause: str = ""


class EmergencyUse(BaseModel):
    """Break-glass with the implant card."""

    model_config = _STRICT
    act: Literal["read", "stop", "minimum", "resume"]
    name: str = "Dr E. Mergency"
    reason: str = "drowsy"
    phone: str = "555 0100"


class Decision(BaseModel):
    """A prescriber's word on a change that the pump no longer remembers."""

    model_config = _STRICT
    verdict: Literal["applied", "not_applied"]
    reason: str


class Act(BaseModel):
    """What one person does: exactly one act; ``sign`` (and ``approve``) only with ``confirm`` and ``leave``."""

    model_config = _STRICT
    read: Literal[True] | None = None
    stage: Stage | None = None
    refill: Refill | None = None
    confirm: Literal[True] | None = None
    drop: Literal[True] | None = None
    silence: str | None = None
    leave: Literal[True] | str | None = None
    reconcile: Decision | None = None
    emergency: EmergencyUse | None = None
    sign: Signer | None = None
    approve: Signer | None = None

    @model_validator(mode="after")
    def _one(self) -> "Act":
        if len(self.names) != 1:
            raise ValueError(f"a person does exactly one act in a step: one of {', '.join(ACTS)}")
        if (self.sign is None) is (self.confirm is True) or (self.approve is not None and self.confirm is None):
            raise ValueError("'confirm' needs 'sign', who signs; 'sign' and 'approve' belong to 'confirm' only")
        return self

    @property
    def names(self) -> list[str]:
        """The acts that are given."""
        return [name for name in ACTS if getattr(self, name) is not None]


ACTS = tuple(name for name in Act.model_fields if name not in ("sign", "approve"))


class Planted(BaseModel):
    """A fault and when it fires; without ``when`` at once."""

    model_config = _STRICT
    id: str
    when: str | None = None
    byte: int | str = 0
    gain: GainText | None = None

    @field_validator("id")
    @classmethod
    def _known(cls, value: str) -> str:
        if value not in TABLE.fault:
            raise ValueError(f"unknown fault '{value}'; known are {', '.join(sorted(TABLE.fault))}")
        return value

    @field_validator("byte")
    @classmethod
    def _number(cls, value: int | str) -> int | str:
        if isinstance(value, str) and not value.isdecimal():
            raise ValueError("the byte is a whole number, or the name of a 'vary' with $ before it")
        return value


class Hands(BaseModel):
    """What quality assurance asks of the wand without a person of the clinic."""

    model_config = _STRICT
    wand: Literal["lifted", "placed"]


class Expect(BaseModel):
    """What must be so now. Ranges are inclusive; nothing is compared by chance or rounding.

    Without a prefix it is the tablet's view, from its last reading and act; with ``true_`` the pump's own truth.
    """

    model_config = _STRICT
    outcome: Outcome | None = None
    program: Dose | None = None
    mode: str | None = None
    flow: Flows | None = None
    reservoir: Volumes | None = None
    alarms: list[str] | None = None
    epoch: Annotated[str, Field(pattern=r"^\+\d+$")] | None = None
    read_back: Dose | None = None
    findings: list[str] | None = None
    refused: list[str] | None = None
    refused_by: Literal["pump", "tablet", "line"] | None = None
    says: list[str] | None = None
    never_says: list[str] | None = None
    never_sent: list[str] | None = None
    sent: list[str] | None = None
    withdrawn: Volumes | None = None
    ratio: Ratios | None = None
    class_: str | None = Field(default=None, alias="class")
    alarm_nominal: Day | None = None
    low_guarded: Day | None = None
    refill_by: Day | None = None
    can_close: bool | None = None
    audit_tail: list[str] | None = None
    true_reservoir: Volumes | None = None
    true_program: Dose | None = None
    true_mode: str | None = None
    true_flow: Flows | None = None
    sounding: list[str] | None = None
    staged: bool | None = None
    log_has: list[str] | None = None
    log_lacks: list[str] | None = None

    @model_validator(mode="after")
    def _something(self) -> "Expect":
        if not self.model_fields_set:
            raise ValueError("an expectation must expect something")
        return self


class Step(BaseModel):
    """One step: one actor, or time alone. ``at`` counts from the start; ``tablet`` is whose hands it is in."""

    model_config = _STRICT
    at: Moment | None = None
    advance: Span | None = None
    tablet: Literal["A", "B"] = "A"
    nurse: Act | None = None
    physician: Act | None = None
    second: Act | None = None
    qa: Hands | None = None
    fault: Planted | None = None
    clear: str | None = None
    restart: Literal["pump", "programmer"] | None = None
    expect: Expect | None = None

    @model_validator(mode="after")
    def _one(self) -> "Step":
        given = [name for name in ACTORS if getattr(self, name) is not None]
        times = [name for name in ("at", "advance") if getattr(self, name) is not None]
        if len(given) > 1 or len(times) > 1 or not (given or times):
            raise ValueError(f"a step has one actor ({', '.join(ACTORS)}), or only 'at' or 'advance'")
        return self

    @property
    def actor(self) -> str:
        """Who acts; ``time`` where only time passes."""
        return next((name for name in ACTORS if getattr(self, name) is not None), "time")


ACTORS = (*PEOPLE, "qa", "fault", "clear", "restart", "expect")


class Always(BaseModel):
    """Judges that the file is about; all of them are on in every run, and none can be switched off."""

    model_config = _STRICT
    conserve: Literal[True] = True
    never: list[Judge] = []


class ScenarioFile(BaseModel):
    """The whole file."""

    model_config = _STRICT
    schema_: Literal[1] = Field(alias="schema")
    name: Annotated[str, Field(min_length=1)]
    story: Annotated[str, Field(min_length=1)]
    requirements: Annotated[list[Annotated[str, Field(pattern=r"^[A-Z]{2,5}-\d{2}$")]], Field(min_length=1)]
    covers: list[str]
    seed: Annotated[int, Field(ge=0)]
    start: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")] = "2026-11-23T09:00:00Z"
    pump: _PumpOf
    programmer: _ProgrammerOf = _ProgrammerOf()
    vary: dict[str, list[str] | Literal["every"]] = {}
    tags: list[str] = []
    steps: Annotated[list[Step], Field(min_length=1)]
    always: Always = Always()

    @field_validator("covers")
    @classmethod
    def _covers(cls, ids: list[str]) -> list[str]:
        for fault in ids:
            if fault not in TABLE.fault and fault not in CONDITIONS and not fault.startswith("hazard:"):
                known = sorted({*TABLE.fault, *CONDITIONS})
                raise ValueError(f"unknown fault '{fault}'; known are {', '.join(known)}")
        return ids

    @field_validator("steps")
    @classmethod
    def _forward(cls, steps: list[Step]) -> list[Step]:
        moments = [moment(step.at) for step in steps if step.at is not None]
        if moments != sorted(moments):
            raise ValueError("time does not run backwards: 'at' rises from step to step")
        return steps


@dataclass(frozen=True, slots=True)
class Scenario:
    """One file with one choice of what it varies; ``text`` is the file as it stands."""

    file: ScenarioFile
    text: str
    source: str
    stem: str
    vary: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """Name of the test."""
        chosen = ",".join(f"{name}={value}" for name, value in self.vary)
        return f"{self.stem}[{chosen}]" if chosen else self.stem

    @property
    def every_byte(self) -> bool:
        """Whether this one stands for each byte of a frame."""
        return ("byte", "every") in self.vary


def parse(text: str, source: str, vary: tuple[tuple[str, str], ...] = ()) -> Scenario:
    """The scenario of a file's text. Raises ``ScenarioInvalid`` with the line."""
    data = _raw(text, source)
    chosen = {name: "0" if value == "every" else value for name, value in vary}
    try:
        file = ScenarioFile.model_validate(_replaced(data, chosen))
    except ValidationError as error:
        raise _invalid(error, text, source) from error
    return Scenario(file, text, source, Path(source).stem, vary)


def variants(path: Path) -> list[Scenario]:
    """One scenario for each choice of what the file varies. Raises ``ScenarioInvalid``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioInvalid(str(path), 0, "the file cannot be read; name a scenario file (.toml)") from error
    vary = _raw(text, str(path)).get("vary", {})
    choices: list[tuple[tuple[str, str], ...]] = [()]
    for name, values in vary.items() if isinstance(vary, dict) else ():
        options = values if isinstance(values, list) else [values]
        choices = [(*choice, (name, str(value))) for choice in choices for value in options]
    return [parse(text, str(path), choice) for choice in choices]


def _raw(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        raise ScenarioInvalid(source, int(found[1]) if found else 0, f"this is no TOML: {error}") from error


def _replaced(value: Any, chosen: dict[str, str]) -> Any:
    """The data with each ``$name`` replaced by its choice; 'vary' itself stays as it stands."""
    match value:
        case dict():
            return {key: item if key == "vary" else _replaced(item, chosen) for key, item in value.items()}
        case list():
            return [_replaced(item, chosen) for item in value]
        case str() if value[:1] == "$" and value[1:] in chosen:
            return chosen[value[1:]]
        case _:
            return value


def _invalid(error: ValidationError, text: str, source: str) -> ScenarioInvalid:
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    place = tuple(part for part in first["loc"] if not str(part).startswith(("function-", "list[", "literal[")))
    where = ".".join(str(part) for part in place)
    match first["type"]:
        case "extra_forbidden":
            what = f"unknown key '{place[-1]}' in {where}; take it out, or correct its name"
        case "missing":
            what = f"'{where}' is missing"
        case "value_error":
            what = f"{where}: {first['ctx']['error']}"
        case _:
            what = f"{where}: {first['msg']} (found {first['input']!r})"
    return ScenarioInvalid(source, line_of(text, place), what)
