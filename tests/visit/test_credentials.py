"""Which of its own credentials a tablet shows to a pump."""

import pytest

from programmer.qa import demo_clinic
from programmer.visit.credentials import Credentials
from protocol.credential import TABLET_LIFE_S, parse
from tests.credentials import tablet

NOW, DAY = 1_795_424_400, 86_400
ENDS = {days: tablet("T-1", bytes([9]) + bytes(31), NOW + days * DAY) for days in (0, 15, 30, 45, 60)}
OWN = Credentials.of(ENDS.values())


@pytest.mark.parametrize(
    "days, ends",
    [(-20, 0), (-1, 15), (0, 30), (14, 30), (15, 45), (29, 45), (30, 60), (59, 60), (70, 60)],
)
def test_the_one_that_holds_longest_of_those_that_a_pump_takes(days: int, ends: int) -> None:
    assert OWN.tablet_at(NOW + days * DAY) == ENDS[ends]


def test_the_first_one_where_all_lie_too_far_ahead_and_none_where_there_is_none() -> None:
    assert OWN.tablet_at(NOW - 90 * DAY) == ENDS[0]
    assert Credentials().tablet_at(NOW) is None


def test_a_fresh_clinic_shows_none_that_is_about_to_end(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    kept: list[bytes] = []
    monkeypatch.setattr(demo_clinic.Tablet, "keep_credentials", lambda _, every: kept.extend(every))
    monkeypatch.setattr(demo_clinic, "_admit", lambda *_: None)
    demo_clinic.create(tmp_path / "data", tmp_path / "state")
    own = Credentials.of(kept)
    first = min(parse(data)[0].not_after_s for data in own.tablets) - TABLET_LIFE_S // 2
    for day in range(3 * 365):
        shown = own.tablet_at(first + day * DAY)
        assert shown is not None
        left = parse(shown)[0].not_after_s - (first + day * DAY)
        assert TABLET_LIFE_S // 2 <= left <= TABLET_LIFE_S or day > 3 * 360 - 15
