"""The frame of the command line: what is imported, how help looks, which error ends with which code."""

import errno
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import drivers
import programmer
import protocol
from programmer.cli import faults, main
from programmer.cli.exits import Exit
from programmer.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


def imported(words: list[str]) -> set[str]:
    """Top packages that a command has imported when it ends."""
    code = (
        f"import io,sys; sys.stdin=io.StringIO('{{}}')\nfrom programmer.cli.main import main\nmain({words!r})\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words, never",
    [
        (["calc", "flow_ml_per_day"], {"textual", "cryptography", "apsw", "serial"}),
        (["status", "--json", "--port", "socket://127.0.0.1:1", "--data", "nowhere"], {"textual"}),
        (["--help"], {"textual", "pydantic", "cryptography", "apsw", "serial"}),
        (["dose", "--help"], {"textual", "pydantic", "cryptography", "apsw", "serial"}),
    ],
)
def test_a_command_imports_only_what_it_needs(words, never):
    assert imported(words) & never == set()


@pytest.mark.parametrize("name", ["ports", "status", "dose", "refill", "recover", "audit", "emergency"])
def test_help_shows_examples_first_and_fits(name, capsys):
    assert main.main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "examples:"
    assert lines[1].startswith(f"  programmer {name}")
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("usage: programmer") for line in lines)


def test_the_overview_names_every_command_and_fits(capsys):
    assert main.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in COMMANDS)
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", faults.CODES)
def test_every_row_of_the_table_names_an_exception(name):
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(import_module(module), kind), Exception)


DEFECTS = {
    "programmer.audit.entries.SchemaError",
    "programmer.clinical.inputs.Malformed",
    "protocol.coordinator.OutOfTurn",
}
"""Errors that only a defect of the program raises: they end as internal faults, with a report."""


def test_no_error_of_the_program_is_without_a_code():
    """Screens and the virtual pump's own process have their own ends."""
    without = set()
    for package in (programmer, drivers, protocol):
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.startswith(("programmer.ui", "drivers.virtual")) or found.name.endswith("__main__"):
                continue
            for kind in vars(import_module(found.name)).values():
                if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == found.name:
                    name = f"{kind.__module__}.{kind.__qualname__}"
                    without |= {name} if faults.exit_of(_raised(name)) is None else set()
    assert without == DEFECTS


def _raised(name: str) -> Exception:
    module, _, kind = name.rpartition(".")
    error = getattr(import_module(module), kind)
    return error.__new__(error)


@pytest.mark.parametrize(
    "name, code",
    [
        ("programmer.identity.tablet.Locked", Exit.NOT_ALLOWED),
        ("programmer.identity.keyfile.WrongSecret", Exit.NOT_ALLOWED),
        ("programmer.identity.secrets.TabletSecretOpen", Exit.NOT_ALLOWED),
        ("programmer.visit.line.NoPump", Exit.NO_LINK),
        ("drivers.errors.PortBusy", Exit.NO_LINK),
        ("protocol.errors.MalformedMessage", Exit.NO_LINK),
        ("programmer.records.errors.DiskFull", Exit.NOT_STORED),
        ("programmer.records.errors.StoreDamaged", Exit.INTEGRITY),
        ("programmer.records.errors.EntryUnreadable", Exit.FAULT),
        ("programmer.visit.journal.JournalDiskFull", Exit.NOT_STORED),
        ("programmer.visit.journal.JournalDamaged", Exit.INTEGRITY),
        ("programmer.audit.log.LogDamaged", Exit.INTEGRITY),
        ("programmer.audit.log.EntryTooLong", Exit.NOT_STORED),
        ("programmer.visit.machine.NotNow", Exit.REFUSED),
        ("programmer.visit.desk.StaleReading", Exit.REFUSED),
        ("programmer.visit.desk.ReadBackDiffers", Exit.INTEGRITY),
        ("programmer.visit.planning.Stopped", Exit.REFUSED),
        ("programmer.clinical.files.DataFileError", Exit.USAGE),
        ("programmer.visit.tablet.NoClinic", Exit.USAGE),
        ("builtins.ValueError", None),
        ("builtins.AssertionError", None),
    ],
)
def test_each_error_has_its_code(name, code):
    assert faults.exit_of(_raised(name)) == code


@pytest.mark.parametrize(
    "number, code", [(errno.ENOSPC, 7), (errno.EFBIG, 7), (errno.EROFS, 7), (errno.EACCES, 7), (errno.EIO, None)]
)
def test_the_system_s_own_errors(number, code):
    error = OSError(number, "system", "/place")
    assert faults.exit_of(error) == code
    if code:
        assert faults.sentence(error).endswith(".")


def test_an_unforeseen_fault_leaves_a_report_without_values(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fails() -> None:
        raise RuntimeError("S. Sample, born 2016-05-02")

    monkeypatch.setattr("drivers.discovery.list_ports", fails)
    assert main.main(["ports"]) == Exit.FAULT
    said = capsys.readouterr().err
    (report,) = tmp_path.iterdir()
    assert str(report) in said
    assert "Sample" not in said + report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_an_interruption_says_to_read_the_pump(monkeypatch, capsys):
    def stops() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("drivers.discovery.list_ports", stops)
    assert main.main(["ports"]) == Exit.INTERRUPTED
    assert "read the pump now" in capsys.readouterr().err
