"""``programmer calc``: the dosing arithmetic and the number entry, JSON in, JSON out.

    echo '{"dose_mcg_per_day":"300","conc_mcg_per_ml":"500"}' | programmer calc flow_ml_per_day
    programmer calc --batch < lines.jsonl
    programmer calc --list

Exit status 0 when a result was printed, 1 when the object carries ``error``, 2 for a wrong command
line. ``--batch`` answers every line and ends with 0. Nothing but the inputs takes part.
"""

import json
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, TextIO

from programmer.clinical import entry, entry_events, entry_grammar
from programmer.clinical.calculator import FUNCTIONS, calculate, refusal
from programmer.clinical.decimals import digits
from programmer.clinical.inputs import JsonReal, TwiceNamed

USAGE: Final = (
    "usage: programmer calc FUNCTION   (one JSON object on standard input)\n"
    "       programmer calc --batch    (JSON lines with id, function, inputs)\n"
    "       programmer calc --list     (names of the functions)\n"
)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            twice = TwiceNamed(pairs)
            twice.name = name
            return twice
        seen.add(name)
    return dict(pairs)


def _integer(text: str) -> int:
    """An integer of any length, read in blocks."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    value = 0
    for at in range(0, len(rest), 4000):
        block = rest[at : at + 4000]
        value = value * 10 ** len(block) + int(block)
    return sign * value


def _no_constant(text: str) -> Any:
    raise ValueError(text)


class _Unreadable:
    """What stands for text that is no JSON."""


def _parsed(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_float=JsonReal,
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        return _Unreadable()


def _written(value: object) -> str:
    """One JSON text in ASCII; integers of any length, numbers kept as they were written."""
    if isinstance(value, JsonReal):
        return value.text
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, int):
        return digits(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(k)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_written, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no printed form; give it one in the table of outputs")


def _entry_answer(result: Any) -> dict[str, object]:
    """What the number entry answers; words as text, absent values left out."""
    answers = ((name, getattr(result, name)) for name in ("outcome", "reason", "value", "base_value"))
    return {name: value.value if isinstance(value, Enum) else value for name, value in answers if value is not None}


def _texts(inputs: object, names: tuple[str, ...], kinds: tuple[type, ...]) -> dict[str, object] | None:
    """None if every named input is there in its type and nothing else; else the refusal."""
    if not isinstance(inputs, dict):
        return refusal("BAD_INPUT", field="")
    if isinstance(inputs, TwiceNamed):
        return refusal("BAD_INPUT", field=inputs.name)
    for name, kind in zip(names, kinds, strict=True):
        if not isinstance(inputs.get(name), kind):
            return refusal("BAD_INPUT", field=name)
    undocumented = sorted(set(inputs) - set(names))
    return refusal("BAD_INPUT", field=undocumented[0]) if undocumented else None


def _parse_entry(inputs: Any) -> dict[str, object]:
    refused = _texts(inputs, ("profile", "input"), (str, str))
    if refused:
        return refused
    try:
        return _entry_answer(entry.parse_entry(inputs["profile"], inputs["input"]))
    except entry_grammar.UnknownProfile:
        return refusal("BAD_INPUT", field="profile")


def _entry_keys(inputs: Any) -> dict[str, object]:
    refused = _texts(inputs, ("profile", "events"), (str, list))
    if refused:
        return refused
    if any(isinstance(event, TwiceNamed) for event in inputs["events"]):
        return refusal("BAD_INPUT", field="events")
    try:
        return _entry_answer(entry.run_keys(inputs["profile"], inputs["events"]))
    except entry_grammar.UnknownProfile:
        return refusal("BAD_INPUT", field="profile")
    except entry_events.BadEvents:
        return refusal("BAD_INPUT", field="events")


_ENTRY: Final[Mapping[str, Callable[[Any], dict[str, object]]]] = {
    "parse_entry": _parse_entry,
    "entry_keys": _entry_keys,
}


def answer(function: str, inputs: object) -> dict[str, object]:
    """The answer of a function of the calculator or of the number entry."""
    if isinstance(inputs, _Unreadable):
        inputs = None
    reading = _ENTRY.get(function)
    return reading(inputs) if reading else calculate(function, inputs)


def _batch_line(line: str) -> dict[str, object]:
    request = _parsed(line)
    if not isinstance(request, dict):
        return refusal("BAD_INPUT", field="")
    named = {"id": request["id"]} if "id" in request else {}
    if isinstance(request, TwiceNamed):
        return {**named, **refusal("BAD_INPUT", field=request.name)}
    function = request.get("function")
    if not isinstance(function, str):
        return {**named, **refusal("BAD_INPUT", field="function")}
    return {**named, **answer(function, request.get("inputs"))}


def _read(stdin: TextIO) -> list[str]:
    """Lines of the input, parted at line feeds only; undecodable bytes become unreadable JSON."""
    raw = getattr(stdin, "buffer", None)
    text = raw.read().decode("utf-8", "surrogateescape") if raw is not None else stdin.read()
    lines: list[str] = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line if all(not "\udc80" <= sign <= "\udcff" for sign in line) else "\0" for line in lines]


def run(argv: list[str], stdin: TextIO | None = None, stdout: TextIO | None = None) -> int:
    """Run ``programmer calc`` with ``argv`` (after the word calc) on the given streams; returns the exit status."""
    stdin, stdout = stdin or sys.stdin, stdout or sys.stdout
    match argv:
        case ["--list"]:
            stdout.write("".join(f"{name}\n" for name in (*FUNCTIONS, *_ENTRY)))
            status = 0
        case ["--batch"]:
            for line in _read(stdin):
                stdout.write(_written(_batch_line(line)) + "\n")
            status = 0
        case [function] if not function.startswith("-"):
            known = function in FUNCTIONS or function in _ENTRY
            result = answer(function, _parsed("\n".join(_read(stdin))) if known else None)
            stdout.write(_written(result) + "\n")
            status = 1 if "error" in result else 0
        case ["-h"] | ["--help"]:
            stdout.write(USAGE)
            status = 0
        case _:
            stdout.write(USAGE)
            status = 2
    stdout.flush()
    return status
