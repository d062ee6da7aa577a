"""No binary floating point on a dose path: no float literal, no float(), no round(), no float annotation."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("programmer/clinical", "protocol", "drivers/virtual")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
FORBIDDEN_NAMES = {"float", "round", "Decimal"}
FORBIDDEN_MODULES = {"numpy", "random", "cmath"}
MATH_ALLOWED = {"ceil", "floor", "gcd", "lcm", "isqrt", "comb"}


def floats_in(source: str) -> list[str]:
    """What of ``source`` is or makes a binary float (or a context-rounded decimal), with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=float() | complex() as value):
                found.append(f"line {node.lineno}: the literal {value!r}")
            case ast.Name(id=name) if name in FORBIDDEN_NAMES:
                found.append(f"line {node.lineno}: the name {name}")
            case ast.Import(names=names) if any(n.name.split(".")[0] in FORBIDDEN_MODULES for n in names):
                found.append(f"line {node.lineno}: a forbidden module")
            case ast.Attribute(value=ast.Name(id="math"), attr=attr) if attr not in MATH_ALLOWED:
                found.append(f"line {node.lineno}: math.{attr}")
            case ast.ImportFrom(module="math", names=names):
                found += [f"line {node.lineno}: math.{n.name}" for n in names if n.name not in MATH_ALLOWED]
            case ast.Attribute(attr="total_seconds"):
                found.append(f"line {node.lineno}: total_seconds gives a float")
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_no_float_on_a_dose_path(path: Path) -> None:
    assert floats_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "planted",
    [
        "x = 0.145",
        "x = float(y)",
        "x = round(y)",
        "def f(x: float) -> int: ...",
        "import numpy",
        "from math import sqrt",
        "import math\nx = math.exp(1)",
        "x = 1e3",
        "s = delta.total_seconds()",
    ],
)
def test_a_planted_float_is_found(planted: str) -> None:
    assert floats_in(planted)


def test_there_is_something_to_scan() -> None:
    assert len(FILES) > 20
