"""Emergency access with the card at the command line, against a virtual pump in a process of its own."""

from collections.abc import Callable
from typing import Any

import pytest

from programmer.cli.exits import Exit
from programmer.qa import demo_clinic
from protocol.card import card_text, parse_card
from protocol.messages import Realm
from protocol.session import ImplantCard
from tests.cli.clinic import Desk, Said

WHO = ("--name", "Dr B. Lee", "--reason", "drowsy, breathing shallow", "--phone", "555 0100")
MINUTE, HOUR = 60, 3_600


@pytest.fixture
def card(desk: Desk) -> str:
    return str(demo_clinic.card_path(desk.data))


def held(desk: Desk, seconds: int = MINUTE) -> None:
    """Hold the wand in place for so long."""
    desk.pump.control.send("advance", seconds=seconds)


def emergency(desk: Desk, act: str, card: str, *more: str) -> Said:
    return desk.run("emergency", act, "--port", desk.pump.wand, "--card", card, *more)


def truth(desk: Desk) -> dict[str, Any]:
    return desk.pump.control.send("status")


def test_a_stranger_reads_with_the_card(desk: Desk, card: str) -> None:
    said = emergency(desk, "read", card)
    assert said.code == Exit.DONE, said.err
    assert "SIMULATION" in said.out
    assert "100 mcg/day" in said.out.replace("\xa0", " ")
    assert "emergency access with the implant card" in said.out
    said = emergency(desk, "read", card, "--json")
    assert said.code == Exit.DONE, said.err
    assert said.data["serial"] == "VP-000421"


def test_stop_takes_contact_a_second_act_and_a_name(desk: Desk, card: str) -> None:
    said = emergency(desk, "stop", card, "--confirm", "stop")
    assert said.code == Exit.USAGE, said.err
    assert "--name (1 to 40 letters), --reason" in said.err
    said = emergency(desk, "stop", card, *WHO)
    assert said.code == Exit.USAGE, said.err
    assert "Nothing was done" in said.err
    assert "can kill within days" in said.err
    said = emergency(desk, "stop", card, *WHO, "--confirm", "minimum")
    assert said.code == Exit.USAGE, said.err
    for strength in (0, 5):
        desk.pump.control.send("wand", strength=strength)
    said = emergency(desk, "stop", card, *WHO, "--confirm", "stop")
    assert said.code == Exit.REFUSED, said.err
    assert "has not been in place for 60 seconds" in said.err
    assert truth(desk)["mode"] == "SIMPLE"
    held(desk)
    said = emergency(desk, "stop", card, *WHO, "--confirm", "stop")
    assert said.code == Exit.DONE, said.err
    assert "STOPPED: no drug is delivered" in said.out
    true = truth(desk)
    assert (true["mode"], true["flow_nl_per_day"]) == ("STOPPED", 0)
    assert true["uses"][-1] | {"at_ms": 0} == {
        "at_ms": 0, "act": "STOP", "name": "Dr B. Lee", "reason": "drowsy, breathing shallow", "phone": "555 0100",
    }  # fmt: skip


def test_resume_brings_back_the_signed_program_within_two_days(desk: Desk, card: str) -> None:
    held(desk)
    said = emergency(desk, "resume", card, *WHO, "--confirm", "resume")
    assert said.code == Exit.REFUSED, said.err
    assert "nothing to resume" in said.err
    said = emergency(desk, "minimum", card, *WHO, "--confirm", "minimum")
    assert said.code == Exit.DONE, said.err
    held(desk, 47 * HOUR)
    said = emergency(desk, "resume", card, *WHO, "--confirm", "resume")
    assert said.code == Exit.DONE, said.err
    assert desk.pump.dose_ng == demo_clinic.DOSE_NG
    said = emergency(desk, "stop", card, *WHO, "--confirm", "stop")
    assert said.code == Exit.DONE, said.err
    held(desk, 49 * HOUR)
    said = emergency(desk, "resume", card, *WHO, "--confirm", "resume")
    assert said.code == Exit.REFUSED, said.err
    assert "A prescriber must sign a new one" in said.err


def test_it_stands_in_the_log_and_names_nobody(desk: Desk, card: str) -> None:
    held(desk)
    said = emergency(desk, "stop", card, *WHO, "--confirm", "stop")
    assert said.code == Exit.DONE, said.err
    desk.log_is_whole()
    said = desk.run("audit", "show", "--json")
    assert said.code == Exit.DONE, said.err
    assert "emergency.used" in said.out
    assert "Lee" not in said.out


def test_full_programming_is_refused_with_what_to_do(desk: Desk) -> None:
    said = desk.run("emergency", "full", "--port", "socket://127.0.0.1:1")
    assert said.code == Exit.NOT_ALLOWED, said.err
    assert "call the clinic that implanted the pump" in said.err


def test_a_card_of_another_pump_or_realm_opens_nothing(desk: Desk, card: str, tmp_path: object) -> None:
    own = parse_card(demo_clinic.card_path(desk.data).read_text(encoding="utf-8"))
    other = desk.data / "other.txt"
    other.write_text(card_text(ImplantCard(own.serial, own.pump_public, bytes(32))), encoding="utf-8")
    said = emergency(desk, "read", str(other))
    assert said.code == Exit.NO_LINK, said.err
    assert "does not open to this card" in said.err
    other.write_text(card_text(ImplantCard(own.serial, own.pump_public, own.secret, Realm.CLINICAL)), encoding="utf-8")
    said = emergency(desk, "read", str(other))
    assert said.code == Exit.REFUSED, said.err
    assert "the card of a REAL pump" in said.err
    other.write_text(card_text(own)[:-4], encoding="utf-8")
    said = emergency(desk, "read", str(other))
    assert said.code == Exit.USAGE, said.err
    assert "SECRET" in said.err
    said = emergency(desk, "read", str(desk.data / "none.txt"))
    assert said.code == Exit.USAGE, said.err


def test_a_person_at_the_terminal_keys_the_word(desk: Desk, card: str, terminal: Callable[..., None]) -> None:
    held(desk)
    terminal("no", secret="")
    said = emergency(desk, "stop", card, *WHO)
    assert said.code == Exit.USAGE, said.err
    terminal("stop", secret="")
    said = emergency(desk, "stop", card, *WHO)
    assert said.code == Exit.DONE, said.err
