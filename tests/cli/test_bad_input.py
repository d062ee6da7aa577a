"""Whatever goes wrong: a sentence that says what to do, the right exit code, no traceback, nothing lost."""

import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import serial

from programmer.cli.main import main
from programmer.qa.demo_clinic import DOSE_NG
from programmer.records.store import Store
from programmer.visit.tablet import Tablet
from tests.cli.clinic import DOCTOR, NURSE, Said

ROOT = Path(__file__).parents[2]
NOWHERE = "socket://127.0.0.1:1"


def test_a_wrong_secret_and_an_unknown_user(desk):
    desk.dose("115 mcg/day", who=(DOCTOR[0], "31415927")).sentence(5, "does not open this key", "type it again")
    desk.dose("115 mcg/day", who=("dr-nobody", DOCTOR[1])).sentence(5, "dr-nobody")
    assert desk.dose("115 mcg/day", who=(DOCTOR[0], "")).code == 5
    desk.nothing_changed()


@pytest.mark.parametrize("url", [NOWHERE, "/dev/ttyNOTTHERE", "nothing://x", ""])
def test_a_wrong_port(desk, url):
    said = desk.run("status", "--port", url)
    said.sentence(3, "programmer ports")
    assert said.out == ""
    desk.log_is_whole()


def test_a_port_that_another_program_holds(desk):
    desk.listen = "pty"
    with serial.serial_for_url(desk.pump.wand, exclusive=True):
        desk.run("status", "--port", desk.pump.wand).sentence(3, "Another program uses port", "Close the other program")
    assert desk.run("status", "--port", desk.pump.wand).code == 0
    desk.nothing_changed()


def test_noise_on_the_line_is_no_wand(desk):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def babble() -> None:
            line, _ = server.accept()
            with line:
                try:
                    while line.recv(4_096):
                        line.sendall(os.urandom(700) + b"\0" + os.urandom(40) + b"\0")
                except OSError:
                    return

        thread = threading.Thread(target=babble)
        thread.start()
        said = desk.run("status", "--port", f"socket://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    said.sentence(3, "No pump answers at this speed", "none that can be read", "try again")
    desk.log_is_whole()


@pytest.fixture
def full_store() -> Iterator[pytest.MonkeyPatch]:
    """The database finds no room for another page, until this is undone."""
    opened = Store.open

    def full(*words: Any, **more: Any) -> Store:
        store = opened(*words, **more)
        ((pages,),) = store._db.execute("PRAGMA page_count")
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        return store

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("programmer.visit.tablet.Store.open", full)
        yield patch


def test_a_full_disk_stops_programming_and_not_reading(desk, full_store):
    for _ in range(12):
        status = desk.run("status", "--port", desk.pump.wand)
        assert "dose           100" in status.out
        if status.code:
            break
    status.sentence(7, "Not saved on this tablet", "The disk is full", "Free some space")
    said = desk.dose("115 mcg/day")
    said.sentence(7, "The disk is full", "No order has left")
    assert said.out.splitlines()[-1] == "NOT APPLIED"
    full_store.undo()
    desk.nothing_changed()
    assert desk.dose("115 mcg/day").code == 0
    desk.log_is_whole()


def test_a_file_that_may_not_grow_is_no_crash(desk):
    """As a process that may not make any file longer than a page."""
    limit = (4_096, 4_096)
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-m", "programmer", "status", "--port", desk.pump.wand], capture_output=True, text=True,
        cwd=ROOT, env=unmeasured, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )  # fmt: skip
    Said(done.returncode, done.stdout, done.stderr).sentence(7, "read the pump first")
    desk.nothing_changed()


def test_a_damaged_store_is_not_opened_and_not_touched(desk):
    store = desk.data / "store.db"
    raw = bytearray(store.read_bytes())
    for at in range(len(raw) // 2, len(raw), 997):
        raw[at] ^= 0x40
    store.write_bytes(raw)
    desk.run("status", "--port", NOWHERE).sentence(4, "is damaged", "Restore the backup")
    assert desk.dose("115 mcg/day").code == 4
    assert store.read_bytes() == bytes(raw)
    assert desk.pump.dose_ng == DOSE_NG


def test_files_that_are_damaged_or_gone(desk):
    def spoiled(path: Path, code: int, *parts: str, text: bytes | None = b"{}") -> None:
        kept = path.read_bytes()
        path.unlink() if text is None else path.write_bytes(text)
        desk.run("audit", "show").sentence(code, *parts)
        path.write_bytes(kept)
        path.chmod(0o600)

    spoiled(desk.data / "clinic.json", 4, "clinic.json is damaged", "Restore it")
    spoiled(desk.data / "clinic.json", 2, "There is no clinic in", "--data", "programmer demo", text=None)
    spoiled(desk.state / "tablet.secret", 5, text=None)
    spoiled(desk.data / "store.db", 7, "There is no database", text=None)
    desk.log_is_whole()


def test_a_damaged_journal_stops_everything(desk):
    with desk.unplugged("rx:COMMITTED"):
        assert desk.dose("115 mcg/day").code == 6
    journal = desk.state / "journal"
    raw = bytearray(journal.read_bytes())
    raw[40] ^= 1
    journal.write_bytes(raw)
    desk.run("status", "--port", desk.pump.wand).sentence(4, "journal")
    assert journal.read_bytes() == bytes(raw)
    assert desk.pump.dose_ng == 115_000


def test_a_store_that_another_program_holds(desk):
    with Tablet.open(desk.data, desk.state, owner="programmer ui"):
        desk.run("audit", "show").sentence(7, "in use by programmer ui", "close that program")
    desk.log_is_whole()


@pytest.mark.parametrize(
    "dose, code, part",
    [
        ("115", 2, "unit mcg/day"),
        ("115 mg/day", 2, "unit mcg/day"),
        ("115 mcg", 2, "unit mcg/day"),
        ("115 mcg/d", 2, "unit mcg/day"),
        ("115 µg/day", 2, "unit mcg/day"),
        ("115mcg/day", 2, "unit mcg/day"),
        ("115  mcg/day", 2, "unit mcg/day"),
        ("115,5 mcg/day", 2, "use a point"),
        ("1,150 mcg/day", 2, "use a point"),
        ("115.0 mcg/day", 2, "No zero at the end"),
        ("115.25 mcg/day", 2, "nothing is rounded"),
        (".5 mcg/day", 2, "as in 0.5"),
        ("5. mcg/day", 2, "after the point"),
        ("0115 mcg/day", 2, "without it"),
        ("1e2 mcg/day", 2, "No exponent"),
        ("-5 mcg/day", 2, "ERASE it"),
        ("\x1b[2J mcg/day", 2, "?[2J"),
        ("11500 mcg/day", 2, "At most 4 digits"),
        ("0 mcg/day", 1, "Zero is not a value"),
        ("9999 mcg/day", 1, "2000 mcg/day"),
    ],
)
def test_a_number_that_is_not_plain_is_refused_before_the_line_is_opened(desk, dose, code, part):
    words = ("dose", "--port", NOWHERE, "--confirm", dose, "--user", DOCTOR[0])
    said = desk.run(*words, f"--dose={dose}", secret=DOCTOR[1])
    said.sentence(code, part, "Nothing was sent.")
    assert said.out == ""
    assert "\x1b" not in said.err


def test_without_a_terminal_secret_and_dose_are_never_guessed(desk):
    words = ("dose", "--port", NOWHERE, "--dose", "115 mcg/day", "--user", DOCTOR[0])
    desk.run(*words).sentence(2, "--confirm", "Nothing was sent.")
    desk.run(*words, "--confirm", "115 mcg/day").sentence(2, "--secret-fd", "never taken from the command line")
    desk.run(*words, "--confirm", "115 mcg/day", "--secret-fd", "987").sentence(2, "open file 987")
    assert desk.run(*words, "--secret", DOCTOR[1]).code == 2
    other = desk.dose("115 mcg/day", confirm="151 mcg/day")
    other.sentence(1, "not what the pump read back")
    assert other.out.splitlines()[-1] == "NOT APPLIED"
    desk.nothing_changed()


@pytest.mark.parametrize(
    "change, code, part",
    [
        ({"--withdrawn": "4,6 mL"}, 2, "use a point"),
        ({"--withdrawn": "4.6 ml"}, 2, "unit mL"),
        ({"--injected": "0 mL"}, 1, "Zero is not a value"),
        ({"--conc": "500 mg/mL"}, 2, "unit mcg/mL"),
        ({"--lot": "A\n1"}, 2, "--lot"),
        ({"--expires": "2020-01-01"}, 1, "Use another vial"),
    ],
)
def test_a_refill_with_a_wrong_word_is_refused(desk, change, code, part):
    words = {
        "--port": desk.pump.wand, "--withdrawn": "17.2 mL", "--injected": "20 mL", "--lot": "A1",
        "--expires": "2199-12-31", "--conc": "500 mcg/mL", "--user": NURSE[0], **change,
    }  # fmt: skip
    said = desk.run("refill", "--confirm", *(word for pair in words.items() for word in pair), secret=NURSE[1])
    said.sentence(code, part)
    assert said.out == ""
    assert "refill.recorded" not in desk.types()


@pytest.mark.parametrize(
    "words, part",
    [
        (["doze"], "Did you mean 'dose'?"),
        (["status"], "--port"),
        (["audit"], "ACT"),
        (["audit", "show", "--last", "-1"], "whole number"),
        (["refill", "--expires", "31.12.2027"], "2027-06-30"),
        (["dose", "--port", NOWHERE, "--dose", "1 mcg/day", "--user", "x", "--reason", "because"], "CODE=TEXT"),
    ],
)
def test_a_wrong_command_line(desk, words, part):
    said = desk.run(*words)
    assert said.code == 2
    assert part in said.err
    assert "Traceback" not in said.err


def test_a_virtual_pump_of_an_unknown_profile():
    done = subprocess.run(
        [sys.executable, "-m", "programmer", "virtual-pump", "--listen", "tcp:127.0.0.1:0", "--profile", "horse-90"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "horse-90" in done.stderr
    assert "child-20" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text, code, answer",
    [
        ("not json", 1, "BAD_INPUT"),
        ('{"dose_mcg_per_day":"300,5","conc_mcg_per_ml":"500"}', 1, "error"),
        ('{"dose_mcg_per_day":"300","conc_mcg_per_ml":"500"}', 0, '"0.6"'),
    ],
)
def test_calc_answers_in_json_whatever_comes(monkeypatch, capsys, text, code, answer):
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main(["calc", "flow_ml_per_day"]) == code
    assert answer in capsys.readouterr().out


def test_calc_answers_every_line_of_a_batch(monkeypatch, capsys):
    import io

    line = '{"id":1,"function":"flow_ml_per_day","inputs":{"dose_mcg_per_day":"300","conc_mcg_per_ml":"500"}}'
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{line}\nrubbish\n"))
    assert main(["calc", "--batch"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["calc"]) == 2
