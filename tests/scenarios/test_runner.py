"""The runner is honest: what is wrong fails, and says where and why; both doors and all lines give one verdict."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from programmer.cli.main import main
from programmer.qa.run import run
from programmer.qa.scenario import ScenarioInvalid, parse, variants
from programmer.qa.scenario_lines import step_lines

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*.toml"))
DOSE = (HERE / "dose-change.toml").read_text(encoding="utf-8")
LOST = (HERE / "cut-before-commit.toml").read_text(encoding="utf-8")
VIA = ["tcp", *([] if sys.platform == "win32" else ["pty"])]
SHIPPED = [scenario for path in FILES for scenario in variants(path) if "full" not in scenario.file.tags]


def failure(text: str, old: str, new: str) -> str:
    assert old in text
    return run(parse(text.replace(old, new), "changed.toml")).failure


def test_at_least_ten_are_shipped_each_with_a_story_and_requirements() -> None:
    assert len(FILES) >= 10
    assert len({scenario.file.name for path in FILES for scenario in variants(path)}) == len(FILES)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('true_program="115 mcg/day"', 'true_program="114 mcg/day"', "expected '114 mcg/day', found '115 mcg/day'"),
        ('outcome="applied"', 'outcome="not-applied"', "outcome: expected 'not-applied', found 'applied'"),
        ('"13.97 mL", "13.98 mL"', '"13.99 mL", "14 mL"', "reservoir: expected ['13.99 mL', '14 mL']"),
        ('refused=["STEP_ABOVE_BAND"], refused_by="tablet", ', "", "was refused by the tablet with STEP_ABOVE_BAND"),
        ('never_sent=["STAGE"]', 'sent=["STAGE"]', "sent: expected ['STAGE'], found []"),
        ('sent=["STAGE", "READ_BACK"]', 'never_sent=["STAGE"]', "never_sent: expected ['STAGE']"),
        ('says=["20 % more than now"]', 'never_says=["20 % more"]', "never_says"),
        ('audit_tail=["intent",', 'epoch="+1", audit_tail=["intent",', "epoch: expected '+1', found '+0'"),
        ("covers = []", 'covers = ["F-A01"]', "'covers' names F-A01, which did not happen"),
        ('  {at="+28d"', '  {fault={id="F-M05", gain="1 ppm"}},\n  {at="+28d"', "'covers' does not name it"),
    ],
)  # fmt: skip
def test_a_wrong_expectation_fails_with_what_was_found(old: str, new: str, words: str) -> None:
    found = failure(DOSE, old, new)
    assert words in found


def test_the_line_of_a_failed_step_is_named() -> None:
    found = failure(DOSE, 'true_program="115 mcg/day"', 'true_program="114 mcg/day"')
    line = next(n for n, text in enumerate(DOSE.splitlines(), 1) if 'true_program="115 mcg/day"' in text)
    assert found.startswith(f"changed.toml:{line}: step 8 (expect)")


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("byte=9", "byte=5000", "F-L01"),
        ('  {clear="F-L01"},\n', "", ""),
        ('tx:COMMIT"', 'tx:SILENCE_ALARM"', "F-L01"),
    ],
)
def test_a_fault_that_did_not_fire_fails_the_run(old: str, new: str, words: str) -> None:
    found = failure(LOST, old, new)
    assert bool(words) is bool(found)
    assert words in found


def test_a_planted_fault_that_waits_for_ever_fails_at_the_end() -> None:
    last = '  {at="+28d", nurse={read=true}},\n'
    found = failure(DOSE, last, '  {fault={id="F-L02", when="rx:SILENCED", byte=0}},\n' + last)
    assert "the fault F-L02 was planted and did not fire" in found


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('outcome="applied"', 'outcomes="applied"', "unknown key 'outcomes'"),
        ("schema = 1\n", "schema = 1\ncolour = 1\n", "unknown key 'colour'"),
        ('dose="115 mcg/day"', 'dose="115"', "'115' is no dose"),
        ('dose="115 mcg/day"', "dose=115", "valid string"),
        ('dose="115 mcg/day"', 'dose="115 mL"', "'115 mL' is no dose"),
        ('fill="20 mL"', 'fill="20.0000001 mL"', "finer than the pump can count"),
        ('at="+14d"', 'at="14d"', "'14d' is no moment"),
        ('at="+28d"', 'at="+2d"', "time does not run backwards"),
        ("covers = []", 'covers = ["F-Z99"]', "unknown fault 'F-Z99'"),
        ("{physician={confirm=true, sign=", "{physician={confirm=true, drop=true, sign=", "exactly one act"),
        ("physician={read=true}},", "physician={read=true}, nurse={read=true}},", "a step has one actor"),
        ("[always]", "[always]\nconserve = false", "conserve"),
        ('story = "', 'storey = "', "unknown key 'storey'"),
        ("steps = [", "steps = ", "no TOML"),
    ],
)
def test_what_is_no_scenario_is_refused_by_name(old: str, new: str, words: str) -> None:
    with pytest.raises(ScenarioInvalid) as refused:
        parse(DOSE.replace("conserve = true\n", "").replace(old, new, 1), "changed.toml")
    assert words in str(refused.value)
    assert refused.value.line > 0
    assert str(refused.value).startswith(f"changed.toml:{refused.value.line}: ")


def test_a_fault_that_has_no_such_fire_point_is_refused() -> None:
    with pytest.raises(ScenarioInvalid, match=r"changed\.toml:\d+: .*F-L01 fires at tx:MESSAGE"):
        run(parse(LOST.replace("tx:COMMIT", "tx:NONSENSE"), "changed.toml"))


def test_lines_of_steps_are_found_in_both_forms() -> None:
    assert step_lines('a = 1\nsteps = [\n  {a="}{"}, # {\n  {b={c=[1,\n 2]}},\n  {d=1},\n]\n') == [3, 4, 6]
    assert step_lines("[[steps]]\nat = 1\n[[ steps ]]\n") == [1, 3]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_the_same_verdict() -> None:
    scenario = parse(DOSE, "same.toml")
    one, two, other = run(scenario), run(scenario), run(scenario, seed=99)
    assert one.digest == two.digest != other.digest
    assert one.passed
    assert other.passed


@pytest.mark.parametrize("via", VIA)
@pytest.mark.parametrize("name", ["wand-unplugged"])
def test_a_real_line_gives_the_same_verdict(name: str, via: str) -> None:
    assert run(variants(HERE / f"{name}.toml")[0], via=via).failure == ""


@pytest.mark.full
@pytest.mark.parametrize("via", VIA)
@pytest.mark.parametrize("scenario", SHIPPED, ids=lambda scenario: scenario.title)
def test_every_scenario_holds_over_a_real_line_too(scenario, via: str) -> None:
    assert run(scenario, via=via).failure == ""


def test_the_command_records_replays_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text(DOSE.replace('true_program="115 mcg/day"', 'true_program="114 mcg/day"'), encoding="utf-8")
    good, log, junit, kept = HERE / "dose-change.toml", tmp_path / "v.jsonl", tmp_path / "o.xml", tmp_path / "kept"
    assert main(["qa", "run", str(good), "--record", str(log)]) == 0
    assert main(["qa", "replay", str(log)]) == 0
    lines = log.read_text(encoding="utf-8").splitlines()
    wire = next(n for n, line in enumerate(lines) if '"rx"' in line)
    row = json.loads(lines[wire])
    row["hex"] = "00" + row["hex"][2:]
    lines[wire] = json.dumps(row, sort_keys=True, separators=(",", ":"))
    log.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["qa", "replay", str(log)]) == 1
    assert f"line {wire + 1} differs" in capsys.readouterr().out
    assert main(["qa", "run", str(good), str(bad), "--junit", str(junit), "--artefacts", str(kept)]) == 1
    root = ElementTree.parse(junit).getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    verdicts = {case.get("name"): case.find("failure") is None for case in root.iter("testcase")}
    assert verdicts == {"dose-change": True, "bad": False}
    assert {item.name for item in (kept / "bad").iterdir()} == {
        "failure.txt", "transcript.jsonl", "trace.jsonl", "wire.jsonl", "state.json", "tablet-A.json", "log-A",
    }  # fmt: skip
    assert main(["qa", "replay", str(kept / "bad" / "transcript.jsonl")]) == 0
    assert main(["qa", "run", str(log)]) == 2


def test_the_schema_names_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["qa", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert {"schema", "name", "story", "requirements", "covers", "seed", "pump", "steps"} <= set(schema["properties"])
    assert schema["additionalProperties"] is False
