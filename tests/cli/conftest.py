import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from programmer.identity.keyfile import Cost
from programmer.identity.tablet import Identity
from programmer.qa import demo_clinic
from tests.cli.clinic import Desk, copied

CHEAP = Cost(1, 64, 1)


def _cheap(*_: object, **__: object) -> Cost:
    return CHEAP


@pytest.fixture(scope="package")
def quick() -> Iterator[None]:
    """Tablets that take the least work per guess; what a guess costs is tested with the key files.

    Only for this folder: other tests open tablets in processes of their own, which know nothing of it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo_clinic, "calibrate", _cheap)
        for way in (Identity.create, Identity.open):
            patch.setitem(way.__func__.__kwdefaults__, "floor", CHEAP)
        yield


@pytest.fixture(scope="package")
def made(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """One clinic, made once."""
    folder = tmp_path_factory.mktemp("clinic")
    demo_clinic.create(folder / "data", folder / "state")
    return folder


@pytest.fixture
def desk(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    """A tablet of its own, with nobody at the terminal."""
    data, state = copied(made, tmp_path)
    monkeypatch.setenv("PROGRAMMER_DATA", str(data))
    monkeypatch.setenv("PROGRAMMER_STATE", str(state))
    opened = Desk(data, state, capsys)
    with open("/dev/null", encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        yield opened
        opened.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A person at the terminal who keys these answers, one after another, and this secret."""
    from programmer.cli import talk

    def sit(*answers: str, secret: str) -> None:
        left = list(answers)
        monkeypatch.setattr(talk, "at_terminal", lambda: True)
        monkeypatch.setattr(talk, "ask", lambda _: left.pop(0))
        monkeypatch.setattr("getpass.getpass", lambda *_, **__: secret)

    return sit
