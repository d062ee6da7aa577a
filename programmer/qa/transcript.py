"""The transcript of a run: JSON lines, first a header, then steps, control words and every byte with its virtual time.

Keys are never written; they follow from the seed. A simulated run gives the same lines each time, so that a recorded
one can be played again and compared line by line.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from programmer.visit.tablet import SOFTWARE


class TranscriptInvalid(Exception):
    """The file is no transcript of a simulated run."""

    exit_code = 2


class _Header(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    transcript: Literal[1]
    software: str
    provenance: Literal["recorded", "hand-written"]
    engine: str
    source: str
    seed: int = Field(ge=0)
    vary: list[list[str]]
    profile: str
    scenario: str


@dataclass
class Recorder:
    """Lines in their order; ``digest`` names them all."""

    lines: list[str] = field(default_factory=list)

    def add(self, t_ms: int, direction: str, layer: str, op: str, **more: Any) -> None:
        """One line: ``direction`` is tx, rx or -, ``layer`` wire, control or step."""
        self.lines.append(_text({"t_ms": t_ms, "dir": direction, "layer": layer, "op": op, **more}))

    def wire(self, t_ms: int, direction: str, tablet: str, data: bytes) -> None:
        """Bytes on the line between a tablet and the wand."""
        self.add(t_ms, direction, "wire", tablet, hex=data.hex())

    @property
    def digest(self) -> str:
        """SHA-256 over all lines."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()

    def only(self, *layers: str) -> list[str]:
        """The lines of these layers."""
        return [line for line in self.lines if json.loads(line)["layer"] in layers]


def _text(row: Mapping[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recorded run: what it was made from, and its lines."""

    source: str
    seed: int
    vary: tuple[tuple[str, str], ...]
    scenario: str
    lines: tuple[str, ...]


def write(
    path: Path, scenario: str, source: str, seed: int, vary: Sequence[tuple[str, str]], profile: str, lines: list[str]
) -> None:
    """Write a transcript with its header."""
    header = {
        "transcript": 1,
        "software": SOFTWARE,
        "provenance": "recorded",
        "engine": "simulation",
        "source": source,
        "seed": seed,
        "vary": [list(item) for item in vary],
        "profile": profile,
        "scenario": scenario,
    }
    path.write_text("\n".join([_text(header), *lines]) + "\n", encoding="utf-8")


def read(path: Path) -> Transcript:
    """Read a transcript. Raises ``TranscriptInvalid``."""
    try:
        first, *lines = path.read_text(encoding="utf-8").splitlines()
        header = _Header.model_validate_json(first)
        for line in lines:
            if not isinstance(json.loads(line), dict):
                raise ValueError(line)
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptInvalid(f"{path} cannot be read: name a file that 'qa run --record' wrote.") from error
    except (ValueError, ValidationError) as error:
        raise TranscriptInvalid(f"{path} is no transcript: name a file that 'qa run --record' wrote.") from error
    if header.engine != "simulation" or any(len(item) != 2 for item in header.vary):
        raise TranscriptInvalid(f"{path} was not recorded in simulation, so its times cannot come back.")
    vary = tuple((item[0], item[1]) for item in header.vary)
    return Transcript(header.source, header.seed, vary, header.scenario, tuple(lines))


def first_difference(recorded: Sequence[str], now: Sequence[str]) -> str | None:
    """A sentence on the first line that differs, counted in the file with its header; None where none does."""
    for number, (old, new) in enumerate(zip(recorded, now, strict=False), 2):
        if old != new:
            return f"line {number} differs\n  recorded: {old}\n  now:      {new}"
    if len(recorded) != len(now):
        return f"line {min(len(recorded), len(now)) + 2}: {len(recorded)} lines were recorded, now there are {len(now)}"
    return None
