"""The table of alarms as a tablet shows them: priority, words, what to do now and whom to call; data, not code."""

import tomllib
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from programmer.clinical.files import packaged

PRIORITIES: Final = ("HIGH", "MEDIUM", "LOW")


class AlarmText(BaseModel):
    """One row."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    priority: Literal["HIGH", "MEDIUM", "LOW"]
    text: str
    now: str
    call: str


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    version: str
    alarm: dict[str, AlarmText]


ALARMS: Final = _Table.model_validate(tomllib.loads(packaged("alarms.toml").decode())).alarm


def worst_first(codes: list[str]) -> list[str]:
    """The codes, highest priority first; the order of the table within one priority."""
    order = list(ALARMS)
    return sorted(codes, key=lambda code: (PRIORITIES.index(ALARMS[code].priority), order.index(code)))
