"""Rules of the house: the README runs, the lock is closed, nothing of one machine is in the tree."""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from programmer.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("programmer", "drivers", "protocol", "tests", "docs", ".ci")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
RUN = ROOT / ".ci" / "run"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def tree() -> Iterator[tuple[str, str]]:
    """(relative path, text) of every text file that belongs to the project."""
    files = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for room in ROOMS:
        for folder, folders, names in os.walk(ROOT / room):
            folders[:] = [name for name in folders if name != "__pycache__"]
            files += [Path(folder) / name for name in names]
    for path in files:
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def shell_blocks() -> list[str]:
    """The commands that the README gives, one to a block."""
    return re.findall(r"^```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)


def requirements() -> dict[str, tuple[str, int]]:
    """Name to (version, number of hashes) of the lock."""
    found = {}
    for block in re.split(r"\n(?=[a-z0-9])", LOCK)[1:]:
        requirement = Requirement(block.split("\\")[0].strip())
        (pin,) = requirement.specifier
        assert pin.operator == "==", block
        found[canonicalize_name(requirement.name)] = (pin.version, block.count("--hash=sha256:"))
    return found


def test_the_readme_gives_two_lines_that_set_up_and_run() -> None:
    demo, tests = shell_blocks()
    for line in (demo, tests):
        assert "\n" not in line
        assert line.startswith("python3.11 -m venv .venv && ")
        assert "--require-hashes -r requirements.lock" in line
        assert "--no-deps --no-build-isolation -e ." in line
    assert demo.endswith("programmer demo")
    assert tests.endswith("pytest")
    assert demo.rpartition(" && ")[0] == tests.rpartition(" && ")[0]


def test_the_script_runs_the_readmes_test_command_and_no_other() -> None:
    script = RUN.read_text(encoding="utf-8")
    (pattern,) = re.findall(r"grep -E '([^']+)' README\.md", script)
    assert [line for line in README.splitlines() if re.search(pattern, line)] == [shell_blocks()[1]]
    assert 'bash -euo pipefail -c "${commands[0]}"' in script
    assert "pip install" not in script


@pytest.mark.skipif(os.name == "nt", reason="bash and file modes are not at hand on Windows")
def test_the_script_is_executable_and_parses() -> None:
    assert os.access(RUN, os.X_OK)
    subprocess.run(["bash", "-n", str(RUN)], check=True)


def test_the_readme_names_every_command() -> None:
    for name in set(COMMANDS) - {"ui"}:
        assert f"`programmer {name}" in README
    assert "`programmer`" in README


def test_links_between_the_papers_lead_somewhere() -> None:
    for name, text in tree():
        if name.endswith(".md"):
            for target in re.findall(r"\]\(([^)#\s]+)\)", text):
                if "://" not in target:
                    assert (ROOT / name).parent.joinpath(target).exists(), f"{name}: {target}"


def test_the_lock_names_no_place() -> None:
    for word in ("://", "file:", "--index-url", "--extra-index-url", "--find-links", "--trusted-host", "-e ", "@ "):
        assert word not in LOCK, word


def test_the_lock_pins_everything_that_is_asked_for() -> None:
    locked = requirements()
    assert all(hashes >= 1 for _, hashes in locked.values())
    project = PROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"], *PROJECT["build-system"]["requires"]]
    for line in asked:
        requirement = Requirement(line)
        version, _ = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), line


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_can_be_run(name: str) -> None:
    assert callable(import_module(COMMANDS[name][0]).run)


def test_nothing_is_left_undone() -> None:
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "HA" + "CK")) + r")\b")
    found = [name for name, text in tree() if words.search(text)]
    assert found == []


def test_no_file_holds_a_path_of_one_machine() -> None:
    tops = "|".join(("ho" + "me", "ro" + "ot", "wo" + "rk", "Us" + "ers"))
    paths = re.compile(rf"(?<![\w.~-])/({tops})/[\w.]")
    found = [f"{name}: {hit.group()}" for name, text in tree() for hit in paths.finditer(text)]
    assert found == []


def test_every_test_that_is_not_run_says_why() -> None:
    for name, text in tree():
        if not name.startswith("tests/") or not name.endswith(".py") or not re.search("skip|xfail", text):
            continue
        for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
            if ast.unparse(call.func) in ("pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "pytest.skip"):
                reasons = [word for word in call.keywords if word.arg == "reason"]
                assert reasons or (ast.unparse(call.func) == "pytest.skip" and call.args), f"{name}:{call.lineno}"


def test_the_licence_is_apache_2() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0, January 2004" in text


def test_what_it_is_not_is_said_first() -> None:
    assert "Not a cleared medical device" in "\n".join(README.splitlines()[:8])
    assert "not a cleared medical device" in PROJECT["project"]["description"]
