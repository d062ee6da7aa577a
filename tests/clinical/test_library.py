"""Data files: values of the specification, and every way a file is refused."""

from datetime import date
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pytest

from programmer.clinical.files import DataFileError, packaged
from programmer.clinical.library import POPULATIONS, baclofen, load_library, parse_library
from programmer.clinical.profiles import PACKAGED, load_profile, parse_profile, profile

RAW = packaged("library-baclofen.toml")
PROFILE = packaged("profile-child-20.toml")

# id: (soft_low, soft_high, hard_low, hard_high) of adult_spinal, adult_cerebral, child_4_11, child_12_17
TABLE = {
    "dose_high": ["-/1000 -/2000", "-/1000 -/2000", "-/500 -/1200", "-/800 -/2000"],
    "dose_low": ["1.25/- 1/-"] * 4,
    "flow": ["-/- 0.048/24"] * 4,
    "step_up_titration": ["-/30 -/50", "-/15 -/30", "-/15 -/30", "-/15 -/30"],
    "step_up_maintenance": ["-/40 -/50", "-/20 -/40", "-/20 -/40", "-/20 -/40"],
    "step_down": ["-/20 -/50"] * 4,
    "increase_interval_h": ["24/- -/-"] * 4,
    "change_24h_titration": ["-/30 -/50", "-/15 -/30", "-/15 -/30", "-/15 -/30"],
    "change_24h_maintenance": ["-/40 -/50", "-/20 -/40", "-/20 -/40", "-/20 -/40"],
    "change_7d": ["-/100 -/200", "-/50 -/100", "-/50 -/100", "-/50 -/100"],
    "single_bolus": ["-/50 -/100", "-/50 -/100", "-/25 -/50", "-/50 -/100"],
    "bolus_share": ["-/25 -/-"] * 4,
    "scheduled_per_day": ["-/8 -/24"] * 4,
    "patient_per_day": ["-/4 -/12", "-/4 -/12", "-/- -/0", "-/4 -/12"],
    "patient_lockout_h": ["-/- 1/-"] * 4,
    "window_24h": ["-/- -/2000", "-/- -/2000", "-/- -/1200", "-/- -/2000"],
    "window_1h": ["-/- -/150", "-/- -/150", "-/- -/75", "-/- -/150"],
    "bridge_hours": ["-/72 -/168"] * 4,
    "alarm_volume_low": ["-/- 1/-"] * 4,
    "lead_days": ["7/14 -/-"] * 4,
    "gap_h": ["-/2 -/48"] * 4,
    "return_to_dose": ["-/14 -/-"] * 4,
    "mixed_strength": ["-/- -/5"] * 4,
}


def test_the_packaged_library_is_the_table() -> None:
    library = baclofen()
    assert len(library.limits) == len(TABLE) * 4
    for limit_id, cells in TABLE.items():
        for population, cell in zip(POPULATIONS, cells, strict=True):
            row = library.limit(limit_id, population)
            bounds = [None if b == "-" else Fraction(b) for pair in cell.split() for b in pair.split("/")]
            assert [row.soft_low, row.soft_high, row.hard_low, row.hard_high] == bounds, (
                limit_id,
                population,
            )
            assert row.basis
            assert row.version
    assert library.digest == sha256(RAW).hexdigest()
    assert library.strengths_mcg_per_ml == (500, 1000, 2000)
    assert library.in_pump_days == 180
    assert not library.expired(date(2027, 12, 31))
    assert library.expired(date(2028, 1, 1))


FIRST = 'id = "dose_high"\npopulation = "adult_spinal"\nunit = "mcg/day"'


@pytest.mark.parametrize(
    "old, new, says",
    [
        ('hard_high = "2000"\nbasis', 'hard_high = "999"\nbasis', "hard limit lies inside a soft one"),
        ('hard_high = "2000"\nbasis', "basis", "a hard upper limit is missing"),
        (FIRST, FIRST.replace("dose_high", "dose_heigh"), "unknown limit 'dose_heigh'"),
        (FIRST, FIRST.replace("adult_spinal", "adult"), "unknown population"),
        (FIRST, FIRST.replace("mcg/day", "mg/day"), "the unit is 'mcg/day'"),
        (FIRST, FIRST.replace("adult_spinal", "child_4_11"), "stands twice"),
        ('hard_high = "2000"', "hard_high = 2000", "plain decimal in quotes"),
        ('hard_high = "2000"', "hard_high = 2000.0", "bare number with a point"),
        ('hard_high = "2000"', 'hard_high = "2e3"', "plain decimal in quotes"),
        ('hard_high = "2000"', 'hard_higher = "2000"', "Extra inputs"),
        ('version = "1"\nissued', "issued", "version"),
        ('expires = "2027-12-31"', 'expires = "2027-02-30"', "write a date in quotes"),
        ('expires = "2027-12-31"', 'expires = "2020-12-31"', "expires before"),
        ('["500", "1000", "2000"]', '["500", "0"]', "above 0"),
        ('["500", "1000", "2000"]', "[]", "above 0"),
        ('in_pump_days = "180"', 'in_pump_days = "0.5"', "whole number of days"),
        ('name = "baclofen"', "name = ", "correct the file"),
    ],
)
def test_a_library_that_cannot_be_used(old: str, new: str, says: str) -> None:
    text = RAW.decode()
    assert old in text
    with pytest.raises(DataFileError, match=says):
        parse_library(text.replace(old, new, 1).encode(), "site.toml")


def test_a_missing_row_is_named() -> None:
    text = RAW.decode()
    cut = text[: text.rindex("[[limits]]")]
    with pytest.raises(DataFileError, match="mixed_strength for child_12_17 is missing"):
        parse_library(cut.encode(), "site.toml")
    with pytest.raises(DataFileError, match="correct the file"):
        parse_library(b"\xff", "site.toml")


@pytest.mark.parametrize(
    "name, reservoir, alarm", [("child-20", 20, "2.6"), ("adult-20", 20, "2.6"), ("adult-40", 40, "5.1")]
)
def test_packaged_profiles(name: str, reservoir: int, alarm: str) -> None:
    pump = profile(name)
    assert name in PACKAGED
    assert (pump.name, pump.reservoir_ml, pump.recommended_alarm_ml) == (name, reservoir, Fraction(alarm))
    assert (pump.accuracy_fraction, pump.tubing_ml) == (Fraction("0.145"), Fraction("0.14"))
    assert (pump.min_flow_ml_per_day, pump.max_flow_ml_per_day) == (Fraction("0.048"), 24)
    assert (pump.max_steps, pump.eri_to_eos_days, pump.service_cap_years) == (13, 90, 7)
    assert all(pump.basis.values())


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("[data.tubing_ml]", "[data.tube_ml]", "unknown tube_ml"),
        ('value = "0.14"\nunit = "mL"', 'value = "0.14"\nunit = "uL"', "the unit is 'mL'"),
        ('value = "13"', 'value = "13.5"', "whole number"),
        ('value = "0.048"', 'value = "0"', "least flow"),
        ('value = "0.145"', 'value = "1"', "out of range"),
        ('value = "0.145"', "value = 0.145", "bare number"),
    ],
)
def test_a_profile_that_cannot_be_used(old: str, new: str, says: str) -> None:
    text = PROFILE.decode()
    assert old in text
    with pytest.raises(DataFileError, match=says):
        parse_profile(text.replace(old, new, 1).encode(), "pump.toml")


def test_missing_datum_and_unknown_profile(tmp_path: Path) -> None:
    text = PROFILE.decode()
    with pytest.raises(DataFileError, match="missing syringe_resolution_ml"):
        parse_profile(text[: text.index("[data.syringe_resolution_ml]")].encode(), "pump.toml")
    with pytest.raises(DataFileError, match="choose one of child-20"):
        profile("../secret")
    with pytest.raises(DataFileError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")
    path = tmp_path / "site.toml"
    path.write_bytes(RAW)
    assert load_library(path) == baclofen()
    path.write_bytes(PROFILE)
    assert load_profile(path) == profile("child-20")
