"""``protocol/`` is sans-IO: no clock, no lots, no waiting, no line, and no float where a dose passes."""

import ast
from pathlib import Path

import pytest

import protocol

FILES = sorted(Path(protocol.__file__).parent.glob("*.py"))
FORBIDDEN = frozenset(
    [
        "asyncio",
        "threading",
        "multiprocessing",
        "subprocess",
        "socket",
        "select",
        "selectors",
        "serial",
        "time",
        "random",
        "secrets",
        "signal",
        "textual",
        "drivers",
        "programmer",
    ]
)
METHODS = frozenset(["sleep", "urandom", "monotonic", "time_ns", "perf_counter", "today", "utcnow"])
FUNCTIONS = METHODS | {"open", "input", "print"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_input_output_clock_or_lots(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN & {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in FORBIDDEN
        elif isinstance(node, ast.Call):
            place = f"{path.name}:{node.lineno}"
            if isinstance(node.func, ast.Attribute):
                assert node.func.attr not in METHODS, place
            elif isinstance(node.func, ast.Name):
                assert node.func.id not in FUNCTIONS, place


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant):
            assert not isinstance(node.value, float), f"{path.name}:{node.lineno}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "float", f"{path.name}:{node.lineno}"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)), f"{path.name}:{node.lineno}"


def test_the_rule_finds_something() -> None:
    assert {"framing.py", "link.py", "noise.py", "units.py"} <= {path.name for path in FILES}
