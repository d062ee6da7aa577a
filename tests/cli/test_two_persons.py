"""Two persons at the command line: the tablet's table, the pump's own demand, and a second reading without the dose."""

import json
import shutil
from pathlib import Path

import pytest

from programmer.qa import demo_clinic
from programmer.qa.demo_clinic import DOSE_NG, DemoUser, provision_path
from tests.cli.clinic import DOCTOR, NURSE, Desk, Said

LEE, KIM = ("dr-lee", "16180339"), ("dr-kim", "14142135")
MORE = (DemoUser(LEE[0], "Dr B. Lee", "implanter", LEE[1]), DemoUser(KIM[0], "Dr C. Kim", "prescriber", KIM[1]))


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """A clinic with an implanter and a second prescriber, made once."""
    folder = tmp_path_factory.mktemp("larger")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_clinic, "USERS", (*demo_clinic.USERS, *MORE))
        demo_clinic.create(folder / "data", folder / "state")
    return folder


@pytest.fixture
def team(larger: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A desk of that clinic."""
    for name in ("data", "state"):
        shutil.rmtree(desk.data.parent / name)
        shutil.copytree(larger / name, desk.data.parent / name)
    return desk


def demanding(desk: Desk) -> None:
    """The pump of a child whose increases two persons must sign."""
    path = provision_path(desk.data)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"two_persons": ["increase"]}))


def dose(desk: Desk, who: tuple[str, str], second: tuple[str, str], *more: str, reckoned: str = "115 mcg/day") -> Said:
    return desk.run(
        "dose", "--port", desk.pump.wand, "--dose", "115 mcg/day", "--confirm", "115 mcg/day", "--user", who[0],
        "--second", second[0], "--second-confirm", reckoned, *more, secret=who[1], second_secret=second[1],
    )  # fmt: skip


def test_the_pump_demands_a_second_person_and_takes_two(team: Desk) -> None:
    demanding(team)
    team.dose("115 mcg/day").sentence(5, "second person")
    assert team.pump.dose_ng == DOSE_NG
    said = dose(team, DOCTOR, KIM)
    assert said.code == 0, said.err
    assert team.pump.dose_ng == 115_000
    team.log_is_whole()


def test_an_implanter_is_a_second_person_and_no_author_alone(team: Desk) -> None:
    team.dose("115 mcg/day", who=LEE).sentence(5, "needs a second person", "--second")
    said = dose(team, DOCTOR, LEE)
    assert said.code == 0, said.err
    assert team.pump.dose_ng == 115_000


def test_the_second_person_reads_other_units_and_never_the_dose(team: Desk) -> None:
    text = dose(team, DOCTOR, KIM).out.replace("\xa0", " ")
    seconds = text[text.index("SECOND PERSON") :].split("APPLIED")[0]
    assert "0.23 mL/day of 500 mcg/mL" in seconds
    assert "115" not in seconds


def test_a_wrong_reckoning_signs_nothing(team: Desk) -> None:
    dose(team, DOCTOR, KIM, reckoned="151 mcg/day").sentence(1, "nothing was signed")
    team.nothing_changed()


@pytest.mark.parametrize(
    "who, second, words",
    [(DOCTOR, DOCTOR, "another one than the author"), (DOCTOR, NURSE, "may not sign as second person")],
)
def test_who_cannot_be_the_second(team: Desk, who: tuple[str, str], second: tuple[str, str], words: str) -> None:
    dose(team, who, second).sentence(5, words, "Nothing was sent.")
    team.nothing_changed()


def test_without_a_terminal_the_second_reckons_beforehand(team: Desk) -> None:
    said = team.run(
        "dose", "--port", team.pump.wand, "--dose", "115 mcg/day", "--confirm", "115 mcg/day", "--user", DOCTOR[0],
        "--second", KIM[0], secret=DOCTOR[1], second_secret=KIM[1],
    )  # fmt: skip
    said.sentence(2, "--second-confirm", "Nothing was sent.")
