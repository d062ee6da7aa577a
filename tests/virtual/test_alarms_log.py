"""Alarms are raised once, pause at most 120 s and are blind to reading; the log counts what it lost."""

import pytest

from drivers.virtual import alarms
from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.alarms import AlarmBook, Notice, SilenceError
from drivers.virtual.eventlog import EventLog, LogError
from protocol.event_codes import EventCode


def test_raised_once_and_cleared_once():
    book, notices = alarms.update(AlarmBook(), ["LOW_RESERVOIR"], 5)
    assert notices == (Notice(5, "RAISED", "LOW_RESERVOIR"),)
    for at in (6, 7):
        book, notices = alarms.update(book, ["LOW_RESERVOIR"], at)
        assert notices == ()
    book, notices = alarms.update(book, [], 8)
    assert (notices, book) == ((Notice(8, "CLEARED", "LOW_RESERVOIR"),), AlarmBook())


def test_two_at_one_instant_are_logged_in_the_fixed_order():
    _, notices = alarms.update(AlarmBook(), ["LOW_RESERVOIR", "EMPTY"], 1)
    assert [n.code for n in notices] == ["EMPTY", "LOW_RESERVOIR"]


@pytest.mark.parametrize("seconds", [0, -1, 121, 86_400])
def test_no_pause_outside_one_to_120_seconds(seconds):
    with pytest.raises(SilenceError):
        alarms.silence(AlarmBook(), seconds, 0)


def test_a_pause_ends_by_itself():
    book, _ = alarms.update(AlarmBook(), ["LOW_RESERVOIR"], 0)
    book, notices = alarms.silence(book, 120, 1_000)
    assert notices == (Notice(1_000, "SILENCED", "LOW_RESERVOIR"),)
    assert alarms.sounding(book, 120_999) == ()
    assert alarms.sounding(book, 121_000) == ("LOW_RESERVOIR",)
    assert alarms.run_to(book, 120_999) == (book, ())
    after, notices = alarms.run_to(book, 500_000)
    assert notices == (Notice(121_000, "RESOUNDED", "LOW_RESERVOIR"),)
    assert alarms.run_to(after, 600_000)[1] == ()


def test_a_higher_alarm_breaks_the_pause_and_a_lower_one_does_not():
    book, _ = alarms.update(AlarmBook(), ["LOW_RESERVOIR"], 0)
    book, _ = alarms.silence(book, 60, 0)
    lower, _ = alarms.update(book, ["LOW_RESERVOIR", "ERI"], 1)
    assert alarms.sounding(lower, 2) == ("ERI",)
    higher, _ = alarms.update(book, ["LOW_RESERVOIR", "EMPTY"], 1)
    assert alarms.sounding(higher, 2) == ("EMPTY", "LOW_RESERVOIR")


def test_one_alarm_is_paused_and_the_other_sounds_on():
    book, _ = alarms.update(AlarmBook(), ["LOW_RESERVOIR", "EMPTY"], 0)
    book, notices = alarms.silence(book, 10, 0, ["EMPTY"])
    assert (alarms.sounding(book, 1), len(notices)) == (("LOW_RESERVOIR",), 1)


def test_eri_becomes_high_for_the_last_thirty_days():
    book, _ = alarms.update(AlarmBook(), ["ERI"], 0)
    assert alarms.priority(book.active[0], 60 * DAY_MS - 1) == "MEDIUM"
    assert alarms.priority(book.active[0], 60 * DAY_MS) == "HIGH"


def test_every_condition_names_a_tone():
    assert {c.tone for c in alarms.TABLE.condition} <= set(alarms.TABLE.tones)
    assert alarms.tone("EMPTY") == "critical"
    with pytest.raises(KeyError):
        alarms.TABLE.order("NO_SUCH")


def test_ring_keeps_at_least_a_thousand_and_says_how_many_are_lost():
    log = EventLog()
    for n in range(1_100):
        log = log.add(n, EventCode.RESET, n)
    assert len(log.entries) == 1_024
    page = log.page(0, 10)
    assert (page.lost, page.entries[0].seq, page.next_cursor, page.more) == (76, 76, 86, True)
    page = log.page(1_095, 10)
    assert (page.lost, [e.value for e in page.entries], page.next_cursor, page.more) == (
        0,
        [1_095, 1_096, 1_097, 1_098, 1_099],
        1_100,
        False,
    )
    assert log.page(1_100, 5).entries == ()


def test_pages_cover_the_log_without_gap():
    log = EventLog()
    for n in range(57):
        log = log.add(n, EventCode.RESET)
    cursor, seen = 0, []
    while True:
        page = log.page(cursor, 8)
        seen += [e.seq for e in page.entries]
        cursor = page.next_cursor
        if not page.more:
            break
    assert seen == list(range(57))


@pytest.mark.parametrize("cursor, limit", [(-1, 1), (0, 0)])
def test_bad_page_requests(cursor, limit):
    with pytest.raises(LogError):
        EventLog().page(cursor, limit)
