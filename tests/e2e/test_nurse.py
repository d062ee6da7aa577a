"""A refill nurse: no way to a dose, and a refill with 0.4 mL less in the pump than was computed."""

import re

import pytest

from tests.e2e.conftest import Ward
from tests.e2e.people import NURSE, ROOMY, SMALL, Hands

WEEKDAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d"


def refill_with_a_discrepancy(ward: Ward, size: tuple[int, int], mouse: bool) -> None:
    """20 mL on the first day, 14 days at 0.2 mL/day: 17.2 mL expected, 16.8 mL withdrawn."""
    person = Hands(ward.open(*size), mouse)
    glass = person.at
    person.log_in(NURSE)
    person.read_the_pump()

    person.choose("CHANGE DOSE  D")
    glass.see("Your role may not sign a program.")
    if not mouse:
        glass.press("d")
        glass.look(0.3)
    assert "NEW DAILY DOSE" not in glass.text, "a nurse reaches no dose field"

    person.choose("RECORD REFILL  W")
    glass.page("[ 1 VIAL ]", "In the pump now: 500 mcg/mL", "nothing sent")
    person.choose("Baclofen 1,000 mcg/mL")
    glass.see("The pump holds 500 mcg/mL. Another strength is a prescriber's change")
    person.choose("Baclofen 500 mcg/mL")
    glass.page("Scan or type the lot")
    person.choose("LOT NOT READ")

    glass.page("[ 2 WITHDRAWN ]", "Expected ~17.2 mL")
    person.number("16.8", "COMPARE")
    glass.page("[ 3 COMPARE ]", "Withdrawn     16.8 mL", "Discrepancy   ~-0.4 mL", "WITHIN")

    person.choose("ACCEPT, GO ON")
    glass.page("[ 4 INJECTED ]", "The reservoir holds 20 mL.")
    person.number("20", "CHECK WITH PUMP")
    glass.see('Tick "Aspirated: the needle is in the port" first, or stop injecting.')
    person.choose("[ ] Aspirated: the needle is in the port")
    glass.see("[x] Aspirated: the needle is in the port")
    person.choose("[ ] Aspirated again after 5 mL")
    glass.see("[x] Aspirated again after 5 mL")
    assert ward.truth()["reservoir_nl"] < 17_200_001, "nothing was written yet"
    person.choose("CHECK WITH PUMP")

    glass.page("[ 5 WRITE ]", "not in force", "Daily dose", "the alarm will NOT sound then")
    assert re.search(rf"Alarm sounds on\s+{WEEKDAY}\s+{WEEKDAY}", glass.text), "old and new date of the alarm"
    assert re.search(rf"May be low, silently\s+{WEEKDAY}\s+{WEEKDAY}", glass.text), "and of the guarded one"
    person.choose("SIGN 20 mL")
    person.send(NURSE, "20", unit=" mL")
    glass.page("APPLIED, and verified", "Discrepancy ~-0.4 mL: within.", "GO ON")
    assert re.search(rf"The alarm sounds on {WEEKDAY}\. The pump may be low from {WEEKDAY};", glass.text)
    glass.see("the alarm will NOT sound then.")
    truth = ward.truth()
    assert 19_990_000 < truth["reservoir_nl"] <= 20_000_000
    assert truth["dose_ng_per_day"] == 100_000, "the dose stays"


@pytest.mark.full
@pytest.mark.parametrize("size", [ROOMY, SMALL], ids=["98x27", "80x24"])
def test_with_keys(ward: Ward, size: tuple[int, int]) -> None:
    refill_with_a_discrepancy(ward, size, mouse=False)


@pytest.mark.full
def test_with_the_mouse_alone(ward: Ward) -> None:
    refill_with_a_discrepancy(ward, ROOMY, mouse=True)
