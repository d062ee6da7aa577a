"""The input rules of the calculator: grammar, order of checks, batch, printing. Hand-written answers."""

import io
import json
import time
from typing import Any

import pytest

from programmer.cli import calc
from programmer.clinical.calculator import FUNCTIONS
from tests.vectors import vectors


def run(argv: list[str], text: str) -> tuple[int, str]:
    out = io.StringIO()
    return calc.run(argv, io.StringIO(text), out), out.getvalue()


def ask(function: str, text: str) -> tuple[int, Any]:
    status, printed = run([function], text)
    assert printed.count("\n") == 1
    return status, json.loads(printed)


def bad(field: str) -> tuple[int, dict[str, str]]:
    return 1, {"error": "BAD_INPUT", "field": field}


def outside(field: str) -> tuple[int, dict[str, str]]:
    return 1, {"error": "OUT_OF_DOMAIN", "field": field}


MALFORMED = [
    "",
    " 1",
    "1 ",
    "+1",
    "-1",
    "1e3",
    "1_000",
    "1,5",
    "1,000",
    "01",
    "00",
    ".5",
    "5.",
    "1.",
    "0x1",
    "١",
    "１",
    "²",
    "1\n",
    "\n1",
    "1\r",
    "1\u00a0",
    "1.1234567890123",
    "1234567890123",
    "NaN",
    "inf",
    "1/2",
    "1.2.3",
    "--1",
    "1\u0000",
    "½",
    "0.1.",
    "1.0e0",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_decimals(text: str) -> None:
    assert ask("mcg_per_hour", json.dumps({"dose_mcg_per_day": text})) == bad("dose_mcg_per_day")


@pytest.mark.parametrize("raw", ["240", "240.0", "2.4e2", "true", "null", "[]", "{}", '["240"]'])
def test_other_json_where_a_decimal_is_documented(raw: str) -> None:
    assert ask("mcg_per_hour", f'{{"dose_mcg_per_day":{raw}}}') == bad("dose_mcg_per_day")


@pytest.mark.parametrize(
    "text, printed",
    [
        ("0", "0"),
        ("0.0", "0"),
        ("24.000", "1"),
        ("999999999999.999999999999", "41666666666.666666666666625"),
        ("0.000000000024", "0.000000000001"),
        ("3.0", "0.125"),
        ("3", "0.125"),
    ],
)
def test_well_formed_decimals(text: str, printed: str) -> None:
    assert ask("mcg_per_hour", json.dumps({"dose_mcg_per_day": text})) == (0, {"dose_mcg_per_hour": printed})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '"x"',
        "5",
        "null",
        "{}x",
        "NaN",
        '{"dose_mcg_per_day":NaN}',
        "[" * 100_000,
        "\ufeff{}",
        '{"dose_mcg_per_day":"1"}{}',
        "\x00",
    ],
)
def test_input_that_is_no_json_object(text: str) -> None:
    assert ask("mcg_per_hour", text) == bad("")


def test_a_name_given_twice() -> None:
    twice = '{"dose_mcg_per_day":"1","dose_mcg_per_day":"1"}'
    assert ask("mcg_per_hour", twice) == bad("dose_mcg_per_day")
    assert ask("mcg_per_hour", '{"zz":1,"dose_mcg_per_day":"1","zz":1}') == bad("zz")
    nested = '{"steps":[{"start":"00:00","start":"00:00","end":"24:00"}],"max_steps":13}'
    assert ask("flex_validate", nested) == bad("steps")


def test_order_of_checks() -> None:
    # unknown function before anything; malformed before undocumented; undocumented before domain
    assert ask("hourly_dose", "not json") == (1, {"error": "UNKNOWN_FUNCTION"})
    both = {"dose_mcg_per_day": "x", "conc_mcg_per_ml": "x", "aa": 1}
    assert ask("flow_ml_per_day", json.dumps(both)) == bad("dose_mcg_per_day")
    assert ask("flow_ml_per_day", json.dumps({"aa": 1, "conc_mcg_per_ml": "0"})) == bad("dose_mcg_per_day")
    zero = {"dose_mcg_per_day": "1", "conc_mcg_per_ml": "0", "zz": "1", "aa": "1"}
    assert ask("flow_ml_per_day", json.dumps(zero)) == bad("aa")
    del zero["zz"], zero["aa"]
    assert ask("flow_ml_per_day", json.dumps(zero)) == outside("conc_mcg_per_ml")
    # a later malformed input goes before an earlier one outside its domain
    late = {"stock_mcg_per_ml": "0", "target_mcg_per_ml": "1", "final_ml": "x"}
    assert ask("dilution", json.dumps(late)) == bad("final_ml")
    # the domain goes before the function's own refusal
    own = {"stock_mcg_per_ml": "1", "target_mcg_per_ml": "2", "final_ml": "0"}
    assert ask("dilution", json.dumps(own)) == outside("final_ml")


@pytest.mark.parametrize(
    "inputs, field",
    [({"removed_cm": None}, "removed_cm"), ({"removed_cm": "-1"}, "removed_cm"), ({}, None)],
)
def test_optional_inputs_are_absent_never_null(inputs: dict[str, Any], field: str | None) -> None:
    given = {"length_cm": "80", "ml_per_cm": "0.0022", **inputs}
    answer = ask("catheter_volume_ml", json.dumps(given))
    assert answer == (bad(field) if field else (0, {"volume_ml": "0.176"}))


LEAD = {"fill_date": "2026-11-23", "days_display_floor": 30, "lead_days": [7]}


@pytest.mark.parametrize(
    "change, answer",
    [
        ({"lead_days": []}, bad("lead_days")),
        ({"lead_days": 7}, bad("lead_days")),
        ({"lead_days": ["7"]}, bad("lead_days")),
        ({"lead_days": [True]}, bad("lead_days")),
        ({"lead_days": [-1]}, outside("lead_days")),
        ({"days_display_floor": -1}, outside("days_display_floor")),
        ({"days_display_floor": 10**30}, outside("days_display_floor")),
        ({"fill_date": "2026-02-29"}, bad("fill_date")),
        ({"fill_date": "2026-2-01"}, bad("fill_date")),
        ({"fill_date": "1899-12-31"}, bad("fill_date")),
        ({"fill_date": "2200-01-01"}, bad("fill_date")),
        ({"fill_date": "2026-11-23T00:00"}, bad("fill_date")),
        (
            {"lead_days": [0, 30]},
            (0, {"alarm_date": "2026-12-23", "refill_by": ["2026-12-23", "2026-11-23"]}),
        ),
    ],
)
def test_lists_integers_and_dates(change: dict[str, Any], answer: Any) -> None:
    assert ask("refill_dates", json.dumps({**LEAD, **change})) == answer


def test_an_integer_written_with_a_point_is_malformed() -> None:
    text = '{"fill_date":"2026-11-23","days_display_floor":3.0,"lead_days":[0]}'
    assert ask("refill_dates", text) == bad("days_display_floor")


@pytest.mark.parametrize(
    "steps",
    [
        [{"start": "00:00", "mcg_per_h": "1", "dose_mcg": "1"}],
        [{"start": "00:00"}],
        [{"start": "00:00", "mcg_per_h": "1"}, {"start": "01:00", "dose_mcg": "1"}],
        [{"start": "24:00", "mcg_per_h": "1"}],
        [{"start": "0:00", "mcg_per_h": "1"}],
        [{"start": "00:60", "mcg_per_h": "1"}],
        [{"start": "00:00", "mcg_per_h": "1", "end": "24:00"}],
        ["00:00"],
        [],
        {},
    ],
)
def test_rows_that_are_malformed(steps: Any) -> None:
    assert ask("flex_total", json.dumps({"steps": steps})) == bad("steps")


def test_a_row_outside_its_domain_counts_for_the_list() -> None:
    asked = {"segments_tip_first": [{"volume_ml": "0", "conc_mcg_per_ml": "0"}], "flow_ml_per_day": "0"}
    assert ask("line_at_flow", json.dumps(asked)) == outside("segments_tip_first")


def test_percent_is_open_on_both_sides() -> None:
    for percent in ("0", "100", "100.5"):
        asked = {"start_mcg_per_day": "600", "percent": percent, "stop_below_mcg_per_day": "100"}
        assert ask("taper", json.dumps(asked)) == outside("percent")


def test_equal_strengths_need_no_bridge_and_print_nothing_else() -> None:
    asked = {
        "path_ml": "0.3",
        "old_conc_mcg_per_ml": "500",
        "new_conc_mcg_per_ml": "500.0",
        "bridge_dose_mcg_per_day": "1",
        "min_flow_ml_per_day": "1",
    }
    assert ask("bridge_bolus", json.dumps(asked)) == (0, {"bridge_required": False})


def test_non_terminating_values_and_details_carry_their_fraction() -> None:
    assert run(["mcg_per_hour"], '{"dose_mcg_per_day":"100"}')[1] == (
        '{"dose_mcg_per_hour":"4.166666666667","exact_fraction":{"dose_mcg_per_hour":"25/6"}}\n'
    )
    history = {
        "fill_date": "2026-11-23",
        "reservoir_ml": "8",
        "alarm_ml": "2",
        "reserve_ml": "2",
        "flow_ml_per_day": "0.000001",
        "accuracy_fraction": "0.145",
        "lead_days": 7,
        "in_pump_days": 1,
    }
    assert ask("refill_by", json.dumps(history)) == outside("flow_ml_per_day")
    steps = {
        "steps": [
            {"start": "00:00", "dose_mcg": "1"},
            {"start": "03:00", "dose_mcg": "1.0"},
            {"start": "05:00", "dose_mcg": "38"},
        ]
    }
    answer = ask("flex_total", json.dumps(steps))[1]
    assert answer["mcg_per_h_by_step"] == ["0.333333333333", "0.5", "2"]
    assert answer["exact_fraction"] == {"mcg_per_h_by_step": ["1/3", "1/2", "2/1"]}


def test_a_long_answer_is_printed_in_full_and_fast() -> None:
    asked = {"start_mcg_per_day": "100", "percent": "12.345678901234"[:15], "steps": 1000}
    begun = time.monotonic()
    status, answer = ask("compounded_titration", json.dumps(asked))
    assert status == 0
    assert len(answer["final_mcg_per_day"].partition(".")[2]) > 10_000
    assert ask("compounded_titration", json.dumps({**asked, "steps": 10**9})) == outside("steps")
    slow = {"start_mcg_per_day": "999999999999", "percent": "0.000000000001", "stop_below_mcg_per_day": "1"}
    assert ask("taper", json.dumps(slow)) == outside("percent")
    huge = '{"steps":[{"start":"00:00","end":"24:00"}],"max_steps":1' + "0" * 5000 + "}"
    assert ask("flex_validate", huge) == (0, {"valid": True, "n_steps": 1})
    assert time.monotonic() - begun < 20


def test_batch_answers_every_line_in_order() -> None:
    lines = [
        '{"id":1,"function":"mcg_per_hour","inputs":{"dose_mcg_per_day":"24"}}',
        "not json",
        '{"id":"é","function":"nothing","inputs":{}}',
        "",
        '{"id":null,"function":"mcg_per_hour"}',
        '{"id":1.50,"function":7,"inputs":{}}',
        '{"id":2,"function":"mcg_per_hour","inputs":{"dose_mcg_per_day":"1","dose_mcg_per_day":"1"}}',
        '{"id":3,"id":4,"function":"mcg_per_hour","inputs":{}}',
        "[]",
        '{"function":"eos_date","inputs":{"eri_date":"2027-12-15","eri_to_eos_days":90}}',
    ]
    status, printed = run(["--batch"], "\n".join(lines) + "\n")
    assert status == 0
    assert printed.splitlines() == [
        '{"id":1,"dose_mcg_per_hour":"1"}',
        '{"error":"BAD_INPUT","field":""}',
        '{"id":"\\u00e9","error":"UNKNOWN_FUNCTION"}',
        '{"error":"BAD_INPUT","field":""}',
        '{"id":null,"error":"BAD_INPUT","field":""}',
        '{"id":1.50,"error":"BAD_INPUT","field":"function"}',
        '{"id":2,"error":"BAD_INPUT","field":"dose_mcg_per_day"}',
        '{"id":4,"error":"BAD_INPUT","field":"id"}',
        '{"error":"BAD_INPUT","field":""}',
        '{"eos_date":"2028-03-14"}',
    ]


def test_bytes_that_are_no_utf8_are_refused_not_skipped() -> None:
    raw = io.TextIOWrapper(io.BytesIO(b'{"dose_mcg_per_day":"24",\n"\xff"\n:"1"}'), encoding="utf-8")
    out = io.StringIO()
    assert calc.run(["mcg_per_hour"], raw, out) == 1
    assert json.loads(out.getvalue()) == {"error": "BAD_INPUT", "field": ""}


def test_list_help_and_a_wrong_command_line() -> None:
    status, printed = run(["--list"], "")
    assert (status, printed.splitlines()) == (0, [*FUNCTIONS, "parse_entry", "entry_keys"])
    assert run(["--help"], "")[0] == 0
    for wrong in ([], ["--nothing"], ["bolus", "bolus"]):
        assert run(wrong, "") == (2, calc.USAGE)


@pytest.mark.parametrize(
    "function, inputs, field",
    [
        ("parse_entry", {"profile": "DAILY_DOSE"}, "input"),
        ("parse_entry", {"input": "1"}, "profile"),
        ("parse_entry", {"profile": 1, "input": "1"}, "profile"),
        ("parse_entry", {"profile": "DAILY_DOSE", "input": 1}, "input"),
        ("parse_entry", {"profile": "DAILY_DOSE", "input": "1", "more": 1}, "more"),
        ("parse_entry", {"profile": "no such profile", "input": "1"}, "profile"),
        ("entry_keys", {"profile": "DAILY_DOSE", "events": "1"}, "events"),
        ("entry_keys", {"profile": "DAILY_DOSE", "events": [{"nothing": 1}]}, "events"),
        ("entry_keys", {"profile": "DAILY_DOSE", "events": [1.5, True, None]}, "events"),
        ("entry_keys", {"profile": "no such profile", "events": []}, "profile"),
        ("entry_keys", [], ""),
    ],
)
def test_malformed_entry_requests(function: str, inputs: Any, field: str) -> None:
    assert ask(function, json.dumps(inputs)) == bad(field)


def test_names_given_twice_in_an_entry_request() -> None:
    assert ask("parse_entry", '{"profile":"DAILY_DOSE","input":"1","input":"1"}') == bad("input")
    twice = '{"profile":"DAILY_DOSE","events":[{"key":"1","key":"2"}]}'
    assert ask("entry_keys", twice) == bad("events")


@pytest.mark.parametrize(
    "function, inputs, answer",
    [
        (
            "parse_entry",
            {"profile": "DAILY_DOSE", "input": "100"},
            {"outcome": "ACCEPT", "reason": "OK", "value": "100", "base_value": 100000},
        ),
        (
            "entry_keys",
            {"profile": "DAILY_DOSE", "events": ["1", "0", "0", ",", "5", "ENTER"]},
            {"outcome": "LOCKED", "reason": "E_GROUPING"},
        ),
    ],
)
def test_every_outcome_of_an_entry_is_an_answer(function: str, inputs: Any, answer: dict[str, Any]) -> None:
    assert ask(function, json.dumps(inputs)) == (0, answer)


def test_the_shared_entry_cases_through_the_command() -> None:
    shared = vectors("number_entry/number_entry_cases.json")
    for case in (*shared["string_cases"], *shared["key_sequence_cases"]):
        text = "input" in case
        inputs = {"profile": case["profile"], **({"input": case["input"]} if text else {"events": case["events"]})}
        status, printed = ask("parse_entry" if text else "entry_keys", json.dumps(inputs))
        assert status == 0, case["id"]
        for key in ("outcome", "reason", "value", "base_value"):
            if key in case and case[key] is not None:
                assert printed[key] == case[key], (case["id"], key)
            elif key in ("value", "base_value"):
                assert key not in printed, (case["id"], key)
