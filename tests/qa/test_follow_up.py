"""The whole follow-up of ``programmer demo --headless``: over a real line, to a pump that is a process of its own."""

import re
import sys
from pathlib import Path

import pytest

from programmer.qa.follow_up import WrongOutcome, demand, play

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the demo's pump listens on a pseudo terminal")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def transcript(folders: tuple[Path, Path]) -> list[str]:
    said: list[str] = []
    play(*folders, said.append)
    return [re.sub(r"\s", " ", text) for text in said]


@pytest.mark.parametrize(
    "words",
    [
        ("100 mcg/day at 0.2 mL/day", "alarms: none"),
        ("QUESTIONED", "20 % more than now"),
        ("REFUSED", "11.5 times the present dose"),
        ("Nothing was sent to the pump.",),
        ("The pump reads back 115 mcg/day and still runs 100 mcg/day.",),
        ("APPLIED", "receipt of the pump verified"),
        ("IN DOUBT", "EITHER 115 mcg/day OR 125 mcg/day"),
        ("LOCKED", "Read the pump now."),
        ("APPLIED", "Reading the pump settled it: 125 mcg/day"),
        ("Expected ~10.3 mL, withdrawn 10.2 mL", "WITHIN"),
        ("APPLIED", "The program is unchanged."),
        ("MEDIUM", "LOW_RESERVOIR", "Refill today or tomorrow."),
        ("every signature and hash holds",),
    ],
)
def test_the_transcript_tells(transcript: list[str], words: tuple[str, ...]) -> None:
    assert any(all(word in line for word in words) for line in transcript)


def test_nothing_is_called_failed(transcript: list[str]) -> None:
    assert not any("failed" in line.lower() for line in transcript)


def test_the_secret_stays_out_of_the_data_folder(transcript: list[str], folders: tuple[Path, Path]) -> None:
    data, state = folders
    assert not list(data.rglob("*.secret"))
    assert list(state.rglob("*.secret"))


def test_a_step_that_comes_out_otherwise_ends_the_play() -> None:
    demand(True, "nothing")
    with pytest.raises(WrongOutcome, match="The demo failed: the dose is another"):
        demand(False, "the dose is another")
