"""Profiles are signed data: every number with its source, every byte what was signed."""

import tomllib
from collections.abc import Callable

import pytest

from drivers.virtual import profiles, signed_file
from drivers.virtual.profiles import ProfileError, load_catheter, load_profile, parse_catheter, parse_profile
from drivers.virtual.signed_file import SignatureError, verified
from tests.virtual.maker import FOLDER, PUBLIC, SEED, signature

FILES = sorted(FOLDER.rglob("*.toml"))
CHILD = (FOLDER / "child-20.toml").read_bytes()
CATHETER = (FOLDER / "catheters" / "catheter-89.toml").read_bytes()


def test_the_files_that_come_with_the_pump():
    assert profiles.profile_names() == ("adult-20", "adult-40", "child-20")
    assert profiles.catheter_names() == ("catheter-104", "catheter-89")
    assert [path.name for path in FILES if not path.with_name(path.name + ".sig").exists()] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_is_signed_by_the_maker(path):
    assert path.with_name(path.name + ".sig").read_bytes() == signature(path.read_bytes())
    assert signed_file.MAKER == PUBLIC


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_number_has_unit_tolerance_source_and_version(path):
    for name, datum in tomllib.loads(path.read_text(encoding="utf-8"))["datum"].items():
        assert set(datum) == {"value", "unit", "tolerance", "source", "version"}, name


def test_published_numbers():
    small, large = load_profile("child-20"), load_profile("adult-40")
    assert (small.capacity_nl, large.capacity_nl) == (20_000_000, 40_000_000)
    assert (small.alarm_recommended_nl, large.alarm_recommended_nl) == (2_600_000, 5_100_000)
    assert (small.pocket_threshold_nl, large.pocket_threshold_nl) == (1_000_000, 2_000_000)
    for profile in (small, large):
        assert (profile.tubing_nl, profile.dead_volume_nl, profile.flex_steps_max) == (140_000, 1_400_000, 13)
        assert (profile.flow_min_nl_day, profile.flow_max_nl_day, profile.minimum_rate_nl_day) == (
            48_000,
            24_000_000,
            6_000,
        )
        assert dict(profile.data)["accuracy_band"].value == 145_000
    # 80 cm at 0.0022 mL/cm are 0.176 mL; with the tubing 0.316
    assert load_catheter("catheter-89").volume_nl(90) == 176_000


@pytest.mark.parametrize("trimmed", [-1, 591])
def test_a_cut_beyond_the_catheter_is_refused(trimmed):
    with pytest.raises(ProfileError, match="590"):
        load_catheter("catheter-89").volume_nl(trimmed)


@pytest.mark.parametrize("load, known", [(load_profile, "adult-20"), (load_catheter, "catheter-104")])
def test_unknown_names(load: Callable, known):
    with pytest.raises(ProfileError, match=f"choose one of {known}"):
        load("no-such")


def flipped(raw, step):
    for at in range(0, len(raw), step):
        yield raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :]


def refused(raw, signed):
    with pytest.raises(SignatureError):
        verified(raw, signed, signed_file.maker_check)


def test_a_flipped_byte_is_refused():
    good = signature(CHILD)
    assert verified(CHILD, good, signed_file.maker_check) is CHILD
    for raw in flipped(CHILD, 31):
        refused(raw, good)
    for signed in (*flipped(good, 1), b"", good[:-1], good + b"\0"):
        refused(CHILD, signed)
    refused(CATHETER, good)


@pytest.mark.full
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_flipped_byte_is_refused(path):
    for raw in flipped(path.read_bytes(), 1):
        refused(raw, signature(path.read_bytes()))


def test_a_signature_without_the_word_of_the_simulation_is_refused():
    refused(CHILD, signed_file_signature(b"data/1 clinical"))


def signed_file_signature(domain):
    import hashlib

    from protocol.order import sign

    return sign(SEED, domain + b"\x00" + hashlib.sha256(CHILD).digest())


def test_another_maker_is_trusted_only_where_that_is_said():
    with pytest.raises(ProfileError, match="no valid signature"):
        load_profile("child-20", signed_file.by(bytes([9]) * 32))
    assert load_profile("child-20", signed_file.by(b"\x01" + bytes(31), PUBLIC)) == load_profile("child-20")


BAD = (
    (b"schema = 2", b"schema = 1"),
    (b'kind = "pump"', b'kind = "catheter"'),
    (b'kind = "pump"', b'kind = "pump"\nmore = 1'),
    (b"value = 20000000\n", b"value = 20000000.0\n"),
    (b"value = 20000000\n", b'value = "20000000"\n'),
    (b"value = 20000000\n", b"value = -1\n"),
    (b"value = 20000000\n", b""),
    (b'unit = "nL/day"', b'unit = "mL/day"'),
    (b'tolerance = "setting"', b'tolerance = "about"'),
    (b'tolerance = "+-145000 ppm"', b'tolerance = "+-0 ppm"'),
    (b"[datum.reserve]", b"[datum.reserves]"),
    (b'limit_row = "child_4_11"\n', b""),
)


@pytest.mark.parametrize("old, new", BAD)
def test_files_that_are_not_to_the_letter(old, new):
    assert old in CHILD
    with pytest.raises(ProfileError):
        parse_profile(CHILD.replace(old, new, 1))


def test_files_of_another_kind():
    for parse in (parse_profile, parse_catheter):
        for raw in (b"\xff", b"", b"=", CATHETER if parse is parse_profile else CHILD):
            with pytest.raises(ProfileError):
                parse(raw)
    with pytest.raises(ProfileError, match="more than the whole"):
        parse_catheter(CATHETER.replace(b"value = 590", b"value = 891"))
