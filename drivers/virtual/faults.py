"""The faults that can be planted, each by a stable id; a table in a file, and one armed fault at a time."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

from protocol.messages import MESSAGES, Message

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
Way = Literal["tx", "rx"]


class FaultError(ValueError):
    """The fault cannot be planted; the sentence names what is known."""


class _Fault(BaseModel):
    model_config = _STRICT
    name: str
    trigger: str
    effect: str


class _Table(BaseModel):
    model_config = _STRICT
    version: int
    fault: dict[str, _Fault]


TABLE = _Table.model_validate(
    tomllib.loads(files("drivers.virtual").joinpath("faults.toml").read_text(encoding="utf-8"))
)
WAYS: dict[str, tuple[Way, ...]] = {"F-L01": ("tx",), "F-L02": ("rx",), "F-L12": ("tx", "rx")}


def message_name(kind: type[Message]) -> str:
    """Name of a message in fire points: READ_BACK for ReadBack; STAGE for both proposals."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()
    return "STAGE" if name.startswith("STAGE_") else name


NAMES = frozenset(message_name(kind) for kind in MESSAGES.values())


@dataclass(frozen=True, slots=True)
class WireFault:
    """An armed fault of the line: `way`, the message and the byte before which the line ends."""

    id: str
    way: Way
    message: str
    byte: int


def arm(fault_id: str, when: str, byte: int) -> WireFault:
    """The armed wire fault. Raises FaultError for an unknown id, fire point or byte."""
    if fault_id not in WAYS:
        raise FaultError(f"unknown wire fault {fault_id!r}; known are {', '.join(sorted(WAYS))}")
    way, _, message = when.partition(":")
    for known in WAYS[fault_id]:
        if way == known and message in NAMES and byte >= 0:
            return WireFault(fault_id, known, message, byte)
    ways = " or ".join(WAYS[fault_id])
    raise FaultError(f"{fault_id} fires at {ways}:MESSAGE with a byte of 0 or more, for instance tx:COMMIT")
