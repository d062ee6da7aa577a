"""A physician raises the dose from 100 to 115 mcg/day, in a real terminal, and the pump does what was signed."""

import pytest

from tests.e2e.conftest import Ward
from tests.e2e.people import PHYSICIAN, ROOMY, SMALL, Hands


def raise_the_dose(ward: Ward, size: tuple[int, int], mouse: bool) -> None:
    """The whole journey; every word that a person must see on the way is looked for."""
    person = Hands(ward.open(*size), mouse)
    glass = person.at
    person.log_in(PHYSICIAN)
    person.read_the_pump()
    glass.see("100 mcg/day", "500 mcg/mL", "0.2 mL/day", "RUNNING, simple", "~17.2 mL of 20 mL")

    person.choose("CHANGE DOSE")
    glass.page("NEW DAILY DOSE", "Now in pump   100 mcg/day", "key a number")
    glass.see("80 to 115 without question", "50 to 130 at most today")
    person.number("115", "CHECK WITH PUMP")

    glass.page("REVIEW", "NOT IN FORCE", "still runs 100 mcg/day")
    row = next(line for line in glass.text.splitlines() if "Daily dose" in line)
    assert row.replace("mcg/day", "").split() == [">", "Daily", "dose", "100", "115", "+15", ",", "+15", "%"]
    glass.see("pump's answer equals what was keyed")
    assert ward.truth()["dose_ng_per_day"] == 100_000, "a proposal changes nothing"

    person.choose("SIGN 115 mcg/day")
    person.send(PHYSICIAN, "115")
    glass.page("APPLIED, and verified", "The pump gives 115 mcg/day.", "GO ON")
    truth = ward.truth()
    assert (truth["dose_ng_per_day"], truth["mode"], truth["staged"]) == (115_000, "SIMPLE", False)

    person.choose("GO ON")
    glass.page("LAST CHANGE  APPLIED", "115 mcg/day", "0.23 mL/day")
    person.choose("CLOSE VISIT")
    glass.page("WHO ARE YOU", "NOT CONNECTED", "nobody signed in")
    assert "SAMPLE" not in glass.text.upper(), "no patient on the locked page"
    glass.press("ctrl+q")
    assert glass.ended() == 0


def test_with_keys_in_the_tablets_window(ward: Ward) -> None:
    raise_the_dose(ward, ROOMY, mouse=False)


@pytest.mark.full
def test_with_keys_in_the_smallest_window(ward: Ward) -> None:
    raise_the_dose(ward, SMALL, mouse=False)


@pytest.mark.full
def test_with_the_mouse_alone(ward: Ward) -> None:
    raise_the_dose(ward, ROOMY, mouse=True)


@pytest.mark.full
def test_she_may_take_her_time_over_the_review(ward: Ward) -> None:
    person = Hands(ward.open(*ROOMY))
    glass = person.at
    person.log_in(PHYSICIAN)
    person.read_the_pump()
    person.choose("CHANGE DOSE")
    glass.page("NEW DAILY DOSE", "key a number")
    person.number("115", "CHECK WITH PUMP")
    glass.page("REVIEW", "NOT IN FORCE")
    glass.see("read 20 s ago", patience_s=40)
    glass.see("read 2 s ago", "NOT IN FORCE", patience_s=20)
    person.choose("SIGN 115 mcg/day")
    person.send(PHYSICIAN, "115")
    glass.page("APPLIED, and verified")
    assert ward.truth()["dose_ng_per_day"] == 115_000
