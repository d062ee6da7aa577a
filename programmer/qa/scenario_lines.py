"""Where in a TOML file a value stands: the standard reader gives none of its lines away."""

import re
from collections.abc import Sequence


def line_of(text: str, place: Sequence[object]) -> int:
    """The line (from 1) of the step or the top-level key that ``place`` begins with; 0 where there is none."""
    if not place:
        return 0
    if place[0] == "steps" and len(place) > 1 and isinstance(place[1], int):
        lines = step_lines(text)
        return lines[place[1]] if place[1] < len(lines) else 0
    key = re.compile(rf"\s*(?:\[+\s*)?{re.escape(str(place[0]))}\s*(?:=|\]|\.)")
    return next((number for number, line in enumerate(text.splitlines(), 1) if key.match(line)), 0)


def step_lines(text: str) -> list[int]:
    """The line on which each step begins, in either form: ``steps = [{...}, ...]`` or ``[[steps]]``."""
    tables = [n for n, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*steps\s*\]\]", line)]
    begin = re.search(r"^\s*steps\s*=\s*\[", text, re.MULTILINE)
    if tables or begin is None:
        return tables
    found: list[int] = []
    depth, line = 0, text.count("\n", 0, begin.end()) + 1
    for token in re.finditer(r'"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}\n]', text[begin.end() :]):
        match token[0]:
            case "\n":
                line += 1
            case "{" | "[":
                if depth == 0:
                    found.append(line)
                depth += 1
            case "}" | "]":
                depth -= 1
        if depth < 0:
            break
    return found
