"""The byte counts of the wire stay within their limits; ``python -m tests.perf.bench_wire`` prints times too."""

import pytest

from tests.perf.bench_wire import (
    CHANGE_LIMIT,
    CONNECT_LIMIT,
    INTERROGATION_LIMIT,
    LATE,
    Row,
    change_bytes,
    connect_bytes,
    interrogation_bytes,
    main,
    on_the_host,
    rows,
)


def test_one_interrogation_at_maximal_values_is_one_exchange_within_its_limit() -> None:
    assert 150 < interrogation_bytes() <= INTERROGATION_LIMIT


def test_a_cold_connect_is_within_its_limit() -> None:
    assert 200 < connect_bytes() <= CONNECT_LIMIT


def test_a_dose_change_is_within_its_limit() -> None:
    change, present = change_bytes()
    assert 600 < change <= CHANGE_LIMIT
    assert present <= 100


def test_nothing_costs_more_late_in_a_long_session() -> None:
    assert interrogation_bytes(LATE) == interrogation_bytes()
    assert change_bytes(LATE) == change_bytes()


def test_the_first_presentation_is_a_row_of_its_own() -> None:
    found = {row.name: row for row in rows()}
    assert len(found) == 7
    first = found["first presentation of credentials to a pump"]
    assert first.limit is None
    assert "not counted" in first.told()
    assert Row("x", 96, 100).told().split()[-3:] == ["100.0", "16.7", "8.3"], "ms at 9,600, 57,600 and 115,200 baud"


def test_a_ratio_is_measured_on_the_bytes_that_passed() -> None:
    found = on_the_host(3)
    assert found.size <= INTERROGATION_LIMIT
    assert found.ratio > 0


@pytest.mark.full
def test_the_benchmark_prints_each_figure_beside_its_limit(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    printed = capsys.readouterr().out
    assert all(f"limit {limit}" in printed for limit in (INTERROGATION_LIMIT, CONNECT_LIMIT, CHANGE_LIMIT))
    assert "over a pty" in printed
