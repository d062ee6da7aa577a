"""What the pages of the flows say, from a reading of a pump: pure functions, expected values written by hand.

The pump: 20 mL filled 14 days ago, 500 mcg/mL, 100 mcg/day (0.2 mL/day), so 17.2 mL are left on 2026-12-07; a child
of 4 to 11 in titration: 15 % up and 20 % down without question, 30 % up and 50 % down at most.
"""

from datetime import timedelta
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from programmer.clinical.library import baclofen
from programmer.clinical.profiles import profile
from programmer.ui.model import Model
from programmer.ui.present import change, dose, frame, home, refill
from programmer.ui.present.views import Priority, Tone
from programmer.visit.machine import Word
from programmer.visit.planning import judge_refill
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import PatientChart
from tests import bench
from tests.bench import DOCTOR, Bench


class PowerFailed(BaseException):
    """The tablet went dark."""


def model_of(
    desk: Bench,
    *,
    phase: str = "titration",
    role: str = "prescriber",
    propose: int | None = None,
    shell: VisitShell | None = None,
) -> Model:
    """A model after the pump of the desk was read, and a dose proposed where one is given."""
    if shell is None:
        shell = desk.shell()
        shell.read()
    if propose is not None:
        shell.propose(bench.dose(propose))
        shell.check(DOCTOR)
    tablet = SimpleNamespace(
        library=baclofen(),
        store=SimpleNamespace(dose_history=lambda ref: ()),
        profile_of=lambda status: profile("child-20"),
        journal=SimpleNamespace(records=tuple, torn=None),
        clinic=SimpleNamespace(realm="simulated"),
        simulated_offset=timedelta(),
    )
    chart = PatientChart.model_validate(
        {"name": "S. Sample", "born": "2016-05-02", "record": "000-TEST", "population": "child_4_11", "phase": phase}
    )
    user: Any = SimpleNamespace(role=role, user=SimpleNamespace(name="Dr A", role=role, id="dr-a"))
    opened: Any = SimpleNamespace(chart=chart, ref=bench.PATIENT)
    stand_in: Any = tablet
    return Model(stand_in, user=user, shell=shell, chart=opened, identified=True)


def said(lines: Any) -> str:
    """Lines of a view as one text with plain spaces."""
    return "\n".join(line.text for line in lines).replace("\xa0", " ")


@pytest.mark.parametrize(
    ("running_ng", "phase", "hard_min", "soft_min", "soft_max", "hard_max"),
    [
        (100_000, "titration", "50", "80", "115", "130"),
        (100_000, "maintenance", "50", "80", "120", "140"),
        (99_900, "titration", "50", "80", "114.8", "129.8"),
        (40_000, "titration", "24", "32", "46", "52"),
    ],
)
def test_the_range_of_the_dose_field_follows_the_running_dose(
    running_ng: int, phase: str, hard_min: str, soft_min: str, soft_max: str, hard_max: str
) -> None:
    field = dose.profile(model_of(Bench(dose_ng=running_ng), phase=phase))
    found = (field.hard_min, field.soft_min, field.soft_max, field.hard_max)
    assert found == tuple(Fraction(text) for text in (hard_min, soft_min, soft_max, hard_max))


def test_what_stands_beside_a_keyed_dose() -> None:
    model = model_of(Bench())
    field = dose.profile(model)
    text = said(dose.live(dose.judge(model, Fraction(115)), field).lines)
    for part in (
        "One hundred fifteen micrograms a day",
        "0.23 mL/day",
        "+15 mcg/day   +15 %   ×1.15",
        "Alarm on   Thu 2027-02-11 (Sun 2027-02-21)",
        "May be low Mon 2027-02-01, NO alarm then",
    ):
        assert part in text
    assert dose.judge(model, Fraction(116)).soft
    assert not dose.judge(model, Fraction(116)).hard
    assert dose.judge(model, Fraction("130.1")).hard


def test_the_review_shows_the_old_program_beside_the_pumps_own_read_back() -> None:
    model = model_of(Bench(), propose=115_000)
    transaction = model.visit.transaction
    assert transaction is not None
    assert transaction.read_back is not None
    view = dose.review(model, transaction.read_back, 102)
    rows = [tuple(part.replace("\xa0", " ") for part in (r.name, r.old, r.new, r.change)) for r in view.rows]
    assert rows == [
        ("Daily dose", "100 mcg/day", "115 mcg/day", "+15 mcg/day, +15 %"),
        ("Flow", "0.2 mL/day", "0.23 mL/day", "+0.03 mL/day"),
        ("Alarm sounds on", "Sun 2027-02-21", "Thu 2027-02-11", "10 days earlier"),
        ("May be low, silently", "Tue 2027-02-09", "Mon 2027-02-01", "8 days earlier"),
    ]
    assert "NOT IN FORCE. The pump still runs 100 mcg/day." in view.title.replace("\xa0", " ")
    assert "102 s" in view.title
    assert all(len(line) <= 78 for line in view.sentence)


@pytest.mark.parametrize(
    ("withdrawn", "discrepancy", "word", "blocked"),
    [
        ("16.8", "~-0.4 mL   ratio ~1.143", "WITHIN", False),
        ("17.2", "0 mL   ratio 1", "WITHIN", False),
        ("14", "-3.2 mL", "", True),
    ],
)
def test_the_comparison_of_a_refill(withdrawn: str, discrepancy: str, word: str, blocked: bool) -> None:
    model = model_of(Bench())
    judged = judge_refill(model.known, Fraction(withdrawn), model.profile, model.tablet.library)
    view = refill.compare(judged, "")
    text = said(view.lines)
    assert discrepancy.replace("~-", "-") in text.replace("~-", "-")
    assert word in text
    go = next(action for action in view.actions if action.id == "go")
    assert go.enabled is not blocked
    assert bool(view.tiles) is blocked
    if blocked:
        assert next(a for a in refill.compare(judged, refill.CAUSES[0]).actions if a.id == "go").enabled
        assert "a prescriber closes it within 24 h" in text


@pytest.mark.parametrize("sent", [True, False])
def test_the_page_before_everything_else_names_both_doses_and_only_safe_ways_on(sent: bool) -> None:
    item: Any = SimpleNamespace(
        serial="VP-000421", kind="dose", was_ng_per_day=100_000, now_ng_per_day=115_000,
        started_utc="2026-12-07T09:00:00Z", intent_logged=sent,
    )  # fmt: skip
    view = change.doubt([item])
    text = said(view.lines)
    assert [action.id for action in view.actions] == ["read", "emergency", "leave"]
    assert ("OUTCOME UNKNOWN" in view.title.text) is sent
    assert ("The pump gives EITHER 100 mcg/day OR 115 mcg/day. Neither is confirmed." in text) is sent
    assert ("proposal never sent" in text) is not sent
    assert max(len(line.text) for line in view.lines) <= 78, "whole in the smallest window"


@pytest.mark.parametrize(
    ("word", "tone", "text", "way"),
    [
        (Word.APPLIED, Tone.OK, "APPLIED, and verified by reading the pump again.", "home"),
        (Word.NOT_APPLIED, Tone.NOTE, "NOT APPLIED. The pump's program is unchanged.", "home"),
        (Word.IN_DOUBT, Tone.BAD, "IN DOUBT. The order was sent; the answer did not arrive.", "doubt"),
    ],
)
def test_a_transfer_ends_in_one_of_three_words(word: Word, tone: Tone, text: str, way: str) -> None:
    view = change.ended([], word, [])
    assert view.verdict is not None
    assert (view.verdict.text, view.verdict.tone) == (text, tone)
    assert [action.id for action in view.actions] == [way]


@pytest.mark.parametrize(
    ("codes", "priority", "counts", "text", "action"),
    [
        ([], Priority.NONE, (0, 0, 0), "no active alarm", ""),
        (["LOW_RESERVOIR"], Priority.MEDIUM, (0, 1, 0), "LOW_RESERVOIR: the computed volume is at or below", "refill"),
        (["LOW_RESERVOIR", "IN_DOUBT"], Priority.HIGH, (1, 1, 0), "IN_DOUBT: OUTCOME UNKNOWN", "read the pump now"),
        (["ERI", "EMPTY", "STALL"], Priority.HIGH, (2, 1, 0), "", "withdrawal watch"),
    ],
)
def test_the_alarm_bar_shows_the_worst_and_counts_all(
    codes: list[str], priority: Priority, counts: tuple[int, int, int], text: str, action: str
) -> None:
    model: Any = SimpleNamespace(alarm_codes=lambda: codes, paused_until_ms=0)
    bar = frame.alarm_bar(model)
    assert bar.priority is priority
    assert (bar.high, bar.medium, bar.low) == counts
    assert text in bar.text
    assert action.lower() in bar.action.lower()


def test_a_nurses_status_page_offers_the_refill_and_says_why_not_the_dose() -> None:
    view = home.status(model_of(Bench(), role="refill-nurse"))
    by_id = {action.id: action for action in view.actions}
    assert not by_id["dose"].enabled
    assert by_id["dose"].why == "Your role may not sign a program."
    assert by_id["refill"].enabled


def test_the_status_page_of_a_running_pump() -> None:
    view = home.status(model_of(Bench()))
    cards = {card.title: said(card.lines) for card in view.cards}
    assert cards["DOSE"].splitlines() == ["100 mcg/day", "RUNNING, simple", "500 mcg/mL", "0.2 mL/day"]
    assert "17.2 mL of 20 mL" in cards["RESERVOIR"]
    assert "alarm  Sun 2027-02-21" in cards["RESERVOIR"]
    assert "may reach 2 mL: Tue 2027-02-09; the alarm will NOT sound then" in said(view.lines)
    assert max(len(line.text) for card in view.cards for line in card.lines) <= 21, "whole in the smallest window"
    assert max(len(line.text) for line in view.lines) <= 78


def test_an_unanswered_order_of_an_earlier_start_is_an_alarm_on_every_page() -> None:
    def fail(point: str) -> None:
        if point == "after Committed":
            raise PowerFailed

    desk = Bench(probe=fail)
    shell = desk.shell()
    shell.read()
    shell.propose(bench.dose(115_000))
    shell.check(DOCTOR)
    with pytest.raises(PowerFailed):
        shell.sign_and_send(DOCTOR)
    desk.power_off()
    restarted = desk.shell()
    journal: Any = restarted.desk.journal
    stand_in: Any = SimpleNamespace(journal=journal)
    assert Model(stand_in).alarm_codes() == ["IN_DOUBT"]
