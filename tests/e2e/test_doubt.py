"""The answer to a sent order is lost and the tablet dies: nothing is guessed, and reading the pump settles it."""

import pytest

from tests.e2e.conftest import Ward
from tests.e2e.people import PHYSICIAN, SMALL, Hands


@pytest.mark.full
def test_a_lost_answer_and_a_dead_tablet_are_settled_by_reading_the_pump(ward: Ward) -> None:
    person = Hands(ward.open(*SMALL))
    glass = person.at
    person.log_in(PHYSICIAN)
    person.read_the_pump()
    person.choose("CHANGE DOSE")
    glass.page("NEW DAILY DOSE")
    person.number("115", "CHECK WITH PUMP")
    glass.page("REVIEW", "NOT IN FORCE")
    ward.pump.control.send("fault", id="F-L02", when="rx:COMMITTED")
    person.choose("SIGN 115 mcg/day")
    person.send(PHYSICIAN, "115")
    glass.page("IN DOUBT. The order was sent; the answer did not arrive.", "OUTCOME UNKNOWN", "HIGH 1")
    assert "APPLIED" not in glass.text

    person.choose("READ THE PUMP")
    glass.page("EITHER 100 mcg/day OR 115 mcg/day. Neither is confirmed.", "READ THE PUMP")
    glass.press("ctrl+q")
    glass.page("LEAVE UNFINISHED: why?", "The reason is signed with your key.")
    assert glass.process.poll() is None, "nothing quits without a signed reason"
    glass.press("esc")
    glass.page("Neither is confirmed.")

    glass.kill()
    ward.pump.control.send("clear")
    person = Hands(ward.open(*SMALL))
    glass = person.at
    glass.see("WHO ARE YOU", "UNFINISHED  pump VP-000421: read it first", "OUTCOME UNKNOWN", "HIGH 1")
    assert "SAMPLE" not in glass.text.upper(), "no patient before somebody unlocked"
    person.log_in(PHYSICIAN)
    glass.page("OUTCOME UNKNOWN: read the pump now", "EITHER 100 mcg/day OR 115 mcg/day", "HIGH 1")
    assert "CHANGE DOSE" not in glass.text
    glass.press("ctrl+q")
    glass.page("LEAVE UNFINISHED: why?")
    glass.press("esc")
    glass.page("OUTCOME UNKNOWN: read the pump now")

    person.choose("READ THE PUMP")
    glass.page("SETTLED BY READING THE PUMP: APPLIED", "The pump runs 115 mcg/day.", "HIGH 0")
    assert ward.truth()["dose_ng_per_day"] == 115_000
    person.choose("GO ON")
    glass.page("IDENTITY", "S. Sample")
    person.choose("SAME PATIENT")
    glass.page("CHANGE DOSE", "115 mcg/day", "LAST CHANGE  APPLIED")


@pytest.mark.full
def test_leaving_what_is_unfinished_takes_a_signed_reason_and_keeps_it_first(ward: Ward) -> None:
    person = Hands(ward.open(*SMALL))
    glass = person.at
    person.log_in(PHYSICIAN)
    person.read_the_pump()
    person.choose("CHANGE DOSE")
    glass.page("NEW DAILY DOSE")
    person.number("90", "CHECK WITH PUMP")
    glass.page("REVIEW", "NOT IN FORCE")
    ward.pump.control.send("fault", id="F-L01", when="tx:COMMIT")
    person.choose("SIGN 90 mcg/day")
    person.send(PHYSICIAN, "90")
    glass.page("IN DOUBT. The order was sent; the answer did not arrive.")
    glass.press("ctrl+q")
    glass.page("LEAVE UNFINISHED: why?")
    person.choose("A COLLEAGUE WILL READ THE PUMP")
    glass.page("WHO ARE YOU", "UNFINISHED  pump VP-000421: read it first", "OUTCOME UNKNOWN")

    ward.pump.control.send("clear")
    person.log_in(PHYSICIAN)
    glass.page("OUTCOME UNKNOWN: read the pump now", "EITHER 100 mcg/day OR 90 mcg/day")
    person.choose("READ THE PUMP")
    glass.page("SETTLED BY READING THE PUMP: NOT APPLIED", "The pump runs 100 mcg/day.")
    assert ward.truth()["dose_ng_per_day"] == 100_000
