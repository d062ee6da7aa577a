"""The generated sections of ``protocol/SPEC.md``; ``python -m tests.house.spec`` writes them."""

import inspect
import re
from collections.abc import Iterator
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Any

from annotated_types import Ge, Le, MaxLen, MinLen

from protocol import messages as m
from protocol import wand as w
from protocol.event_codes import EventCode
from protocol.wire_model import Wire, WireModel
from tests.house import spec_session, spec_states

SPEC = Path(__file__).resolve().parents[2] / "protocol" / "SPEC.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
ENUMS: tuple[type[IntEnum] | type[IntFlag], ...] = (
    m.Realm, m.OrderKind, m.Mode, m.Drug, m.Discrepancy, m.Role, m.Alarm, m.Refusal, m.Device, m.EmergencyAct,
)  # fmt: skip
PARTS: tuple[type[WireModel], ...] = (m.HelloTablet, m.HelloPump, m.Beacon, m.Program, m.EventItem)


def capitals(name: str) -> str:
    """``StageRefill`` as STAGE_REFILL."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


def bounds(metadata: list[Any]) -> str:
    """Range or length of a field."""
    low = next((item.ge for item in metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in metadata if isinstance(item, Le)), None)
    least = next((item.min_length for item in metadata if isinstance(item, MinLen)), None)
    most = next((item.max_length for item in metadata if isinstance(item, MaxLen)), None)
    if high is not None:
        power = {0xFF: "255", 0xFFFF: "2^16 - 1", 0xFFFF_FFFF: "2^32 - 1", 2**64 - 1: "2^64 - 1"}
        return f"{low or 0} to {power.get(high, high)}"
    if most is not None:
        return f"length {most}" if least == most else f"length {least or 0} to {most}"
    return ""


def kind(annotation: Any) -> str:
    """The name of a field's type, without its module."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    if "EventItem" in text:
        return "array of EventItem"
    if "Refusal" in text and "tuple" in text:
        return "array of Refusal"
    if text.startswith("tuple") or "tuple[" in text:
        return "array of bytes"
    if "Optional" in text:
        return "uint, may be absent"
    return {"int": "uint", "str": "text"}.get(text, text)


def fields(model: type[WireModel]) -> Iterator[str]:
    """The rows of a body's table."""
    yield "| key | field | type | range | unit |"
    yield "|---|---|---|---|---|"
    for key, name in model.wire_keys().items():
        field = model.model_fields[name]
        unit = next(item.unit for item in field.metadata if isinstance(item, Wire))
        yield f"| {key} | {name} | {kind(field.annotation)} | {bounds(list(field.metadata))} | {unit} |"


def body(title: str, model: type[WireModel]) -> Iterator[str]:
    """One body: what it says and its fields."""
    marks = [word for word, holds in (("array", model.POSITIONAL), ("open", model.OPEN)) if holds]
    says = (model.__doc__ or "").strip().split("\n")[0]
    yield ""
    yield f"### {title}" + (f" ({', '.join(marks)})" if marks else "")
    yield says
    if model.wire_keys():
        yield ""
        yield from fields(model)


def events() -> Iterator[str]:
    """The codes of the event log, with what stands beside each in the code."""
    yield from ("", "Codes of the event log, and what the argument of an entry is:", "")
    yield from ("| code | event | argument |", "|---|---|---|")
    for line in inspect.getsource(EventCode).splitlines():
        found = re.match(r"    ([A-Z_]+) = (\d+)(?:  # (.+))?$", line)
        if found:
            yield f"| {found[2]} | {found[1]} | {found[3] or ''} |"


def sections() -> str:
    """Sections 7 to 11."""
    lines = ["", "## 7. Op codes and numbers", ""]
    lines += ["| op | message | direction | affects therapy |", "|---|---|---|---|"]
    for op, model in sorted(m.MESSAGES.items()):
        way = "to pump" if model.REQUEST else "from pump"
        lines.append(f"| {op} | {capitals(model.__name__)} | {way} | {'yes' if model.AFFECTS_THERAPY else ''} |")
    lines += ["", "To and from the wand adapter, in clear, as `[op, body]`:", "", "| op | message |", "|---|---|"]
    lines += [f"| {op} | {capitals(model.__name__)} |" for op, model in sorted(w.WAND_MESSAGES.items())]
    for numbers in ENUMS:
        items = ", ".join(f"{int(item)} {item.name}" for item in numbers)
        lines += ["", f"**{numbers.__name__}** ({'bits' if issubclass(numbers, IntFlag) else 'value'}): {items}."]
    lines += [*events(), "", "## 8. Bodies"]
    for part in PARTS:
        lines += body(part.__name__, part)
    for op, model in sorted(m.MESSAGES.items()):
        lines += body(f"{op} {capitals(model.__name__)}", model)
    for op, wand in sorted(w.WAND_MESSAGES.items()):
        lines += body(f"Wand {op} {capitals(wand.__name__)}", wand)
    return "\n".join([*lines, *spec_states.sections(), *spec_session.sections(), ""])


def split(text: str) -> tuple[str, str, str]:
    """(before, generated, after) of the specification."""
    before, _, rest = text.partition(BEGIN + "\n")
    generated, _, after = rest.partition(END)
    return before, generated, after


if __name__ == "__main__":
    first, _, last = split(SPEC.read_text(encoding="utf-8"))
    SPEC.write_text(f"{first}{BEGIN}\n{sections()}\n{END}{last}", encoding="utf-8")
