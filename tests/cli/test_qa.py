"""``programmer qa conformance`` with the keys of a clinic and the card of its patient, against its virtual pump."""

import json

import pytest

from programmer.qa import demo_clinic


@pytest.mark.parametrize("role, only", [("adapter", "relay"), ("pump", "refuse"), ("pump", "break")])
def test_the_demo_clinics_pump_conforms_and_is_left_as_it_was(desk, tmp_path, role, only):
    file = tmp_path / "report.json"
    card = str(demo_clinic.card_path(desk.data))
    words = ("--port", desk.pump.wand, "--role", role, "--card", card, "--quiet-ms", "10", "--json", str(file))
    words = (*words, "--only", only)
    said = desk.run("qa", "conformance", *words)
    assert said.code == 0, said.out
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["conforms"]
    left = {case["id"]: case["detail"] for case in report["cases"] if case["outcome"] == "not run"}
    assert all(detail == "takes its time: give --slow" for detail in left.values()), left
    desk.nothing_changed()


def test_it_says_what_is_wrong_with_its_options(desk, tmp_path):
    (tmp_path / "card.txt").write_text("no card", encoding="utf-8")
    where = ("qa", "conformance", "--port", "socket://127.0.0.1:9")
    desk.run(*where, "--card", str(tmp_path / "card.txt")).sentence(2, "The card cannot be read", "another --card FILE")
    desk.run(*where, "--card", str(tmp_path / "none.txt")).sentence(2, "no such place")
    desk.run(*where, "--only", "no-such-case").sentence(2, "No case of the adapter begins with")
    desk.run(*where, "--quiet-ms", "1").sentence(2, "10 to 10,000 ms")
    assert desk.run(*where).code == 3
