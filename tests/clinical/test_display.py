"""The one formatter: hand-written renderings."""

from datetime import date
from fractions import Fraction

import pytest

from programmer.clinical import display
from programmer.clinical.decimals import half_away

B = "\u00a0"


@pytest.mark.parametrize(
    "shown, expected",
    [
        (display.mcg_per_day(Fraction(115)), f"115{B}mcg/day"),
        (display.mcg_per_day(Fraction("115.5")), f"115.5{B}mcg/day"),
        (display.mcg_per_day(Fraction("0.5")), f"0.5{B}mcg/day"),
        (display.mcg_per_day(Fraction(1000)), f"1,000{B}mcg/day"),
        (display.mcg_per_day(Fraction(48000)), f"48,000{B}mcg/day"),
        (display.mcg_per_day(Fraction(999)), f"999{B}mcg/day"),
        (display.mcg_per_day(Fraction(1234567)), f"1,234,567{B}mcg/day"),
        (display.mcg_per_day(Fraction("99.95")), f"~100{B}mcg/day"),
        (display.mcg_per_day(Fraction("0.05")), f"~0.1{B}mcg/day"),
        (display.mcg_per_day(Fraction("0.049")), f"under 0.1{B}mcg/day"),
        (display.mcg_per_day(Fraction(0)), f"0{B}mcg/day"),
        (display.mcg_per_day(None), "not read"),
        (display.mcg_per_h(Fraction(25, 6)), f"~4.2{B}mcg/h"),
        (display.ml_per_day(Fraction("0.23")), f"0.23{B}mL/day"),
        (display.ml_line(Fraction("0.316")), f"0.316{B}mL"),
        (display.ml_line(Fraction("0.3165")), f"~0.317{B}mL"),
        (display.ml_syringe(Fraction("2.6")), f"2.6{B}mL"),
        (display.ml_syringe(Fraction(580, 229)), f"~2.5{B}mL"),
        (display.signed(Fraction("-0.4"), display.SYRINGE), f"-0.4{B}mL"),
        (display.signed(Fraction("0.4"), display.SYRINGE), f"+0.4{B}mL"),
        (display.signed(Fraction(1, 3), display.PERCENT), f"~+0.3{B}%"),
        (display.signed(Fraction(-1, 3), display.PERCENT), f"~-0.3{B}%"),
        (display.signed(Fraction(0), display.PERCENT), f"0{B}%"),
        (display.percent(Fraction(15)), f"15{B}%"),
        (display.mcg_per_ml(Fraction(2000)), f"2,000{B}mcg/mL"),
        (display.mcg(Fraction(158)), f"158{B}mcg"),
        (display.hours(Fraction("37.92")), f"~37.9{B}h"),
        (display.factor(Fraction(10)), "×10"),
        (display.factor(Fraction("1.15")), "×1.15"),
        (display.factor(Fraction(1, 3)), "×~0.33"),
        (display.factor(None), "not read"),
        (display.exact(Fraction("154.3301525634765625"), "mL"), f"154.3301525634765625{B}mL"),
        (display.exact(Fraction(1000), "mcg"), f"1,000{B}mcg"),
        (display.day(date(2026, 12, 25)), "Fri 2026-12-25"),
        (display.day(None), "not read"),
        (display.duration(0), f"0{B}s"),
        (display.duration(75), f"1{B}min 15{B}s"),
        (display.duration(86_400), f"1{B}day"),
        (display.duration(183_600), f"2{B}days 3{B}h"),
        (display.age(60), f"1{B}min ago"),
        (display.age(61), f"1{B}min 1{B}s ago, stale"),
        (display.age(None), "not read"),
        (display.dose_in_words(Fraction(115)), "One hundred fifteen micrograms a day"),
        (display.dose_in_words(Fraction(1)), "One microgram a day"),
        (display.dose_in_words(Fraction("41.7")), "Forty-one point seven micrograms a day"),
        (display.dose_in_words(Fraction("0.05")), "Zero point zero five micrograms a day"),
        (display.dose_in_words(Fraction(2000)), "Two thousand micrograms a day"),
        (display.dose_in_words(Fraction(48_012)), "Forty-eight thousand twelve micrograms a day"),
        (display.cardinal(1_000_020), "one million twenty"),
    ],
)
def test_rendering(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    "value, places, scaled",
    [
        (Fraction("0.25"), 1, 3),
        (Fraction("-0.25"), 1, -3),
        (Fraction("0.35"), 1, 4),
        (Fraction("0.249"), 1, 2),
        (Fraction("2.5"), 0, 3),
        (Fraction("-2.5"), 0, -3),
        (Fraction("1.5"), 0, 2),
        (Fraction("0.4"), 0, 0),
    ],
)
def test_half_away_from_zero(value: Fraction, places: int, scaled: int) -> None:
    assert half_away(value, places) == scaled


def test_rounded_values_never_pass_as_exact() -> None:
    with pytest.raises(ValueError, match="no end as a decimal"):
        display.exact(Fraction(1, 3), "mL")
    with pytest.raises(ValueError, match="no words"):
        display.dose_in_words(Fraction(1, 3))
    with pytest.raises(ValueError, match="no words"):
        display.cardinal(10**12)


def test_no_error_prone_text_in_any_rendering() -> None:
    shown = [
        text
        for value in (Fraction(1, 7), Fraction(10**7, 3), Fraction("0.5"), Fraction(1000), Fraction(-7, 3))
        for text in (
            display.show(value, quantity)
            for quantity in (
                display.DOSE,
                display.RATE,
                display.AMOUNT,
                display.STRENGTH,
                display.FLOW,
                display.LINE,
            )
        )
    ]
    for text in shown:
        number = text.split(B)[0].lstrip("~-")
        assert not number.startswith(".")
        assert "." not in number or number[-1] != "0"
        assert not any(bad in text for bad in ("µ", "ug", "U", "cc", "qd", " ."))
