"""Each command on its usual way: data on standard output, the word, the exit code, the log behind it."""

from dataclasses import replace

import pytest

from programmer.qa.demo_clinic import DOSE_NG, SERIAL
from programmer.visit.tablet import Tablet
from programmer.visit.unfinished import pack, unpack
from tests.cli.clinic import DOCTOR, NURSE

NOTICE = "not a cleared medical device; for simulation, training and research"


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_status_needs_no_user_and_says_what_the_pump_is(desk):
    said = desk.run("status", "--port", desk.pump.wand)
    assert (said.code, said.err) == (0, "")
    text = plain(said.out)
    assert text.splitlines()[0] == f"SIMULATION  {NOTICE}"
    for part in (
        "100 mcg/day", "0.2 mL/day", "~17.2 mL of 20 mL (computed)", "the alarm will NOT sound then",
        "no active alarm", "session opened", "0 s ago", "battery", "refill by",
    ):  # fmt: skip
        assert part in text
    assert "INCONSISTENT" not in text
    desk.log_is_whole()


def test_status_as_one_document(desk):
    found = desk.run("status", "--port", desk.pump.wand, "--json").data
    assert found["schema"] == "programmer/status/1"
    assert (found["serial"], found["realm"], found["notice"]) == (SERIAL, "simulated", NOTICE)
    assert (found["dose_ng_per_day"], found["reservoir_basis"]) == (DOSE_NG, "computed")
    assert found["alarm_date_guarded"] < found["alarm_date"]
    assert (found["unfinished"], found["inconsistent"], found["alarms"]) == ([], [], [])


def test_a_dose_is_read_back_confirmed_signed_sent_and_verified(desk):
    said = desk.dose("115 mcg/day")
    text = plain(said.out)
    assert said.code == 0
    assert text.splitlines()[-1] == "APPLIED"
    assert "dose           100 mcg/day           115 mcg/day" in text
    assert "+15 mcg, +15 %, ×1.15" in text
    assert "patient   S. Sample, born 2016-05-02, record 000-TEST" in text
    assert "evenly day and night: 15 mcg more than now (15 % more than now)" in text
    assert desk.pump.dose_ng == 115_000
    assert desk.types()[-4:] == ["pump.anchor", "change.intent", "change.outcome", "pump.read"]
    again = desk.dose("120 mcg/day")
    again.sentence(1, "--reason INCREASE_TOO_SOON=TEXT", "Nothing was sent.")
    with_reason = desk.dose("120 mcg/day", "--reason", "INCREASE_TOO_SOON=ward round, spasms")
    assert with_reason.code == 0
    assert "Reason: ward round, spasms." in with_reason.out
    assert desk.pump.dose_ng == 120_000
    desk.log_is_whole()


def test_a_person_at_the_terminal_keys_the_dose_again(desk, terminal):
    words = ("dose", "--port", desk.pump.wand, "--dose", "115 mcg/day", "--user", DOCTOR[0])
    terminal("116", secret=DOCTOR[1])
    other = desk.run(*words)
    other.sentence(1, "not what the pump read back")
    assert other.out.splitlines()[-1] == "NOT APPLIED"
    assert desk.pump.dose_ng == DOSE_NG
    terminal("115", "no", secret=DOCTOR[1])
    assert desk.run(*words).code == 1
    terminal("115", "yes", secret=DOCTOR[1])
    assert desk.run(*words).out.splitlines()[-1] == "APPLIED"
    assert desk.pump.dose_ng == 115_000
    desk.log_is_whole()


def test_a_hard_limit_has_no_way_past_it(desk):
    said = desk.dose("1199 mcg/day", "--reason", "STEP_UP=wanted")
    said.sentence(1, "cannot be signed")
    desk.nothing_changed()


def test_a_reason_that_nobody_asked_for_is_not_swallowed(desk):
    desk.dose("115 mcg/day", "--reason", "STEP_UP=wanted").sentence(2, "No limit asks for the reason STEP_UP")
    desk.nothing_changed()


def test_an_empty_pump_is_shown_refused_for_a_dose_and_can_be_refilled(desk):
    desk.pump.control.send("advance", days=95)
    text = plain(desk.run("status", "--port", desk.pump.wand).out)
    assert "low reservoir, reservoir empty" in text
    assert "alarm date     reached: the pump is low or empty NOW" in text
    assert "not delivered  9 days without the programmed dose" in text
    desk.dose("115 mcg/day").sentence(1, "reservoir empty", "therapy-gap rule", "Nothing was sent.")
    desk.nothing_changed()
    said = refill(desk, "0 mL")
    assert said.code == 0
    assert "the therapy-gap rule decides" in said.out
    assert "alarm date     reached before" in said.out
    assert "no active alarm" in desk.run("status", "--port", desk.pump.wand).out


def test_a_nurse_is_refused_before_anything_is_staged(desk):
    desk.dose("115 mcg/day", who=NURSE).sentence(5, "may not sign a program", "Nothing was sent.")
    assert "change.refused" not in desk.types()
    desk.nothing_changed()


def refill(desk, withdrawn="17.2 mL", injected="20 mL", conc="500 mcg/mL", *more):
    return desk.run(
        "refill", "--port", desk.pump.wand, "--withdrawn", withdrawn, "--injected", injected, "--lot", "A-123",
        "--expires", "2199-12-31", "--conc", conc, "--user", NURSE[0], "--confirm", *more, secret=NURSE[1],
    )  # fmt: skip


def test_a_refill_is_reconciled_signed_and_verified(desk):
    said = refill(desk)
    text = plain(said.out)
    assert said.code == 0
    assert text.splitlines()[-1] == "APPLIED"
    for part in ("class          within", "20 mL read back by the pump", "Within the limits", "will NOT sound then"):
        assert part in text
    assert desk.run("status", "--port", desk.pump.wand, "--json").data["reservoir_nl"] > 19_999_000
    assert {"refill.measured", "refill.recorded"} <= set(desk.types())
    desk.log_is_whole()


def test_a_refill_beyond_tolerance_needs_a_cause_and_blocks_increases(desk):
    refill(desk, "12 mL").sentence(1, "--cause TEXT")
    said = refill(desk, "12 mL", "20 mL", "500 mcg/mL", "--cause", "air in the syringe")
    assert said.code == 0
    assert "The discrepancy is OPEN" in said.out
    desk.dose("115 mcg/day").sentence(1, "discrepancy")
    desk.nothing_changed()


def test_drug_that_the_pump_does_not_know_of_is_shown_until_it_is_written(desk):
    desk.pump.control.send("fault", id="F-L12", when="tx:STAGE", byte=0)
    said = refill(desk)
    assert (said.code, said.out.splitlines()[-1]) == (3, "NOT APPLIED")
    assert "Record this refill before the patient leaves" in said.err
    assert "REFILL NOT WRITTEN" in desk.run("recover", "--port", desk.pump.wand).out
    assert "REFILL NOT WRITTEN" in desk.run("status", "--port", desk.pump.wand).out.splitlines()[0]
    assert refill(desk).code == 0
    assert desk.run("status", "--port", desk.pump.wand, "--json").data["not_written"] == []
    desk.log_is_whole()


def test_another_concentration_is_another_way(desk):
    refill(desk, conc="2000 mcg/mL").sentence(1, "bridge", "Nothing was sent.")
    refill(desk, injected="40 mL").sentence(1, "Plan a smaller volume.")
    desk.nothing_changed()


def test_a_lost_answer_is_in_doubt_until_the_pump_is_read(desk):
    with desk.unplugged("rx:COMMITTED"):
        said = desk.dose("115 mcg/day")
    assert (said.code, said.out.splitlines()[-1]) == (6, "IN DOUBT")
    assert "programmer recover" in said.err
    lost = desk.run("recover", "--port", "socket://127.0.0.1:1")
    assert lost.code == 3
    assert "Unfinished: dose of pump VP-000421" in lost.err
    found = desk.run("recover", "--port", desk.pump.wand, "--json")
    assert found.code == 0
    assert [row["word"] for row in found.data["changes"]] == ["APPLIED"]
    assert found.data["dose_ng_per_day"] == desk.pump.dose_ng == 115_000
    assert desk.run("recover", "--port", desk.pump.wand).out.startswith("Nothing is unfinished.")
    desk.log_is_whole()


def test_a_change_of_another_pump_stays_in_doubt(desk):
    with desk.unplugged("tx:COMMIT"):
        assert desk.dose("115 mcg/day").code == 6
    with Tablet.open(desk.data, desk.state) as tablet:
        for record in tablet.journal.records():
            stage = unpack(str(record["stage"])) if "stage" in record else None
            other = {"stage": pack(stage.model_copy(update={"txid": bytes(16)}))} if stage else {}
            tablet.journal.append({**record, **other, "txid": bytes(16).hex(), "serial": "VP-000999"})
    said = desk.run("recover", "--port", desk.pump.wand)
    assert said.code == 6
    assert [line.partition(":")[0] for line in said.out.splitlines()[:2]] == ["NOT APPLIED", "IN DOUBT"]
    assert "Read pump VP-000999 too" in said.err
    assert desk.run("status", "--port", desk.pump.wand).code == 6
    assert desk.dose("115 mcg/day").code == 0


def forget_outcomes(desk):
    """The pump as it is after so many more orders that it does not know the outcome any more."""
    host = desk.pump.server.host
    memory = replace(host.state.participant.memory, outcomes=())
    host.state = replace(host.state, participant=replace(host.state.participant, memory=memory))


@pytest.mark.parametrize("verdict, word", [("applied", "APPLIED"), ("not_applied", "NOT APPLIED")])
def test_a_prescriber_signs_what_became_of_a_forgotten_change(desk, verdict, word):
    with desk.unplugged("rx:COMMITTED"):
        assert desk.dose("115 mcg/day").code == 6
    forget_outcomes(desk)
    port = ("recover", "--port", desk.pump.wand)
    said = desk.run(*port)
    assert said.code == 6
    assert "It gives 115\xa0mcg/day. Compare that with the change" in said.err
    desk.run(*port, "--settle", verdict).sentence(2, "a prescriber signs what holds")
    why = ("--settle", verdict, "--reason", "compared", "--user")
    assert desk.run(*port, *why, NURSE[0], secret=NURSE[1]).code == 5
    said = desk.run(*port, *why, DOCTOR[0], secret=DOCTOR[1])
    assert said.code == 0, said.err
    assert said.out.startswith(f"{word}: dose of pump VP-000421")
    assert desk.types()[-1] == "change.reconciled"
    assert desk.run(*port).out.startswith("Nothing is unfinished.")
    desk.log_is_whole()


def test_status_shows_and_settles_an_unfinished_change_first(desk):
    with desk.unplugged("tx:COMMIT"):
        assert desk.dose("115 mcg/day").code == 6
    said = desk.run("status", "--port", desk.pump.wand)
    assert said.code == 0
    assert said.out.startswith("UNFINISHED CHANGE  NOT APPLIED: dose of pump VP-000421")
    desk.nothing_changed()


def test_the_log_is_shown_and_exported_once(desk, tmp_path):
    rows = desk.run("audit", "show", "--last", "2").out.splitlines()
    assert [row.split()[2] for row in rows] == ["user.enrolled", "pump.linked"]
    assert desk.run("audit", "export", str(tmp_path / "log")).code == 0
    desk.run("audit", "export", str(tmp_path / "log")).sentence(2, "not overwritten")
    tile = next((tmp_path / "log" / "tile" / "entries").rglob("*.p/*"))
    raw = bytearray(tile.read_bytes())
    raw[len(raw) // 2] ^= 1
    tile.write_bytes(raw)
    assert desk.run("audit", "verify", str(tmp_path / "log")).code == 4
    assert desk.run("audit", "verify", str(tmp_path / "log"), "--json").code == 4
    desk.run("audit", "verify", str(tmp_path / "none"), "--json").sentence(2, "cannot be read")


def test_ports_are_listed_without_opening_one(desk):
    found = desk.run("ports", "--json").data
    assert found["schema"] == "programmer/ports/1"
    assert desk.run("ports").code == 0
