"""Small windows, wrong secrets, the lock, and a store that is damaged: each says a sentence."""

import os

import pytest

from tests.e2e.conftest import Ward
from tests.e2e.people import NURSE, PHYSICIAN, ROOMY, SMALL, Hands


@pytest.mark.full
def test_a_window_too_small_shows_no_number_and_loses_nothing(ward: Ward) -> None:
    person = Hands(ward.open(60, 20))
    glass = person.at
    glass.see("WINDOW TOO SMALL", "This window is 60 x 20; at least 80 x 24 is needed.")
    glass.resize(*ROOMY)
    person.log_in(PHYSICIAN)
    person.read_the_pump()
    person.choose("CHANGE DOSE")
    glass.page("NEW DAILY DOSE")
    glass.digits("11")
    glass.resize(60, 20)
    glass.see("WINDOW TOO SMALL", "the visit goes on")
    assert "mcg" not in glass.text, "no number may be cut, so none is shown"
    glass.press("5")
    glass.look(0.2)
    glass.resize(*SMALL)
    glass.see("NEW DAILY DOSE", "11 mcg/day")
    assert "115 mcg" not in glass.text, "what nobody sees is not keyed"


@pytest.mark.full
def test_a_wrong_secret_says_so_and_the_lock_hides_the_patient_and_comes_back(ward: Ward) -> None:
    person = Hands(ward.open(*SMALL))
    glass = person.at
    person.log_in((NURSE[0], "99999999"))
    glass.see("The secret does not open this key", "WHO ARE YOU", "nobody signed in")
    person.secret(NURSE[1])
    glass.press("enter")
    person.read_the_pump()
    person.choose("RECORD REFILL  W")
    glass.page("[ 1 VIAL ]")
    glass.press("f9")
    glass.page("WHO ARE YOU", "nobody signed in")
    assert "SAMPLE" not in glass.text.upper()
    glass.press("ctrl+q")
    glass.see("A visit is open behind this lock: unlock first.")
    assert glass.process.poll() is None, "the visit behind the lock is not quit"
    person.log_in(NURSE)
    glass.page("[ 1 VIAL ]", "S. SAMPLE", "N. ITO")


@pytest.mark.full
@pytest.mark.parametrize(
    ("file", "told"),
    [("store.db", "store.db is damaged, or the key is not its key: do not"), ("clinic.json", "clinic.json")],
    ids=["store", "clinic"],
)
def test_the_demo_on_a_damaged_clinic_says_a_sentence(ward: Ward, file: str, told: str) -> None:
    ward.pump.stop()
    (ward.data / file).write_bytes(os.urandom(4096))
    glass = ward.run(["demo", "--data", str(ward.data)], *SMALL)
    assert glass.ended() in (2, 4, 7), glass.text
    assert glass.text.startswith("programmer: "), glass.text
    assert told in glass.text
    assert "Traceback" not in glass.text


@pytest.mark.full
def test_a_step_that_a_power_cut_left_half_saved_is_said_on_the_first_page(ward: Ward) -> None:
    with (ward.state / "journal").open("ab") as journal:
        journal.write(b'1 29 e803682b {"txid"')
    glass = ward.open(*SMALL)
    glass.page("WHO ARE YOU", "A SAVED STEP WAS CUT OFF: read the pump")
    glass.press("ctrl+q")
    assert glass.ended() == 0
