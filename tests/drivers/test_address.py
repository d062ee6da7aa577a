"""Addresses of ports: what a person may write, and the sentence for what cannot be read."""

import pytest

from drivers.address import PortAddress, parse_address
from drivers.errors import BadAddress


@pytest.mark.parametrize(
    ("text", "expected", "timing_baud"),
    [
        ("/dev/ttyUSB0", PortAddress("/dev/ttyUSB0"), 115_200),
        ("COM3?baud=9600", PortAddress("COM3", baud=9_600), 9_600),
        ("/dev/ttyUSB0?echo=cancel", PortAddress("/dev/ttyUSB0", cancel_echo=True), 115_200),
        ("/dev/ttyUSB0?echo=keep&baud=57600", PortAddress("/dev/ttyUSB0", baud=57_600), 57_600),
        ("/dev/pts/7", PortAddress("/dev/pts/7"), None),
        ("socket://10.0.0.7:4000", PortAddress("socket://10.0.0.7:4000", "socket"), None),
        ("RFC2217://h:1?baud=57600", PortAddress("RFC2217://h:1", "rfc2217", 57_600), 57_600),
        ("rfc2217://h:1?ign_set_control", PortAddress("rfc2217://h:1", "rfc2217", ignore_control=True), 115_200),
        ("", PortAddress(""), 115_200),
    ],
)
def test_an_address_is_taken_apart(text: str, expected: PortAddress, timing_baud: int | None) -> None:
    found = parse_address(text)
    assert found == expected
    assert found.timing_baud == timing_baud


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("/dev/ttyUSB0?baud=9601", "115200"),
        ("/dev/ttyUSB0?baud=", "speeds are"),
        ("/dev/ttyUSB0?baud=-9600", "speeds are"),
        ("/dev/ttyUSB0?baud=٩٦٠٠", "speeds are"),
        ("/dev/ttyUSB0?baud=" + "9" * 5_000, "speeds are"),
        ("/dev/ttyUSB0?baud=9600&baud=9600", "given twice"),
        ("/dev/ttyUSB0?echo=yes", "no option 'echo=yes'"),
        ("/dev/ttyUSB0?", "no option ''"),
        ("/dev/ttyUSB0?ign_set_control", "no option"),
        ("rfc2217://h:1?logging=debug", "no option"),
        ("rfc2217://h:1?timeout=900", "no option"),
        ("/dev/x?\x1b[2J", "no option"),
    ],
)
def test_what_cannot_be_read_is_said_before_anything_is_opened(text: str, word: str) -> None:
    with pytest.raises(BadAddress, match="Give a device") as refused:
        parse_address(text)
    assert word in str(refused.value)
    assert str(refused.value).isprintable()
    assert refused.value.exit_code == 2


def test_the_options_go_along_to_another_name() -> None:
    for options in ("", "?baud=57600", "?baud=9600&echo=cancel"):
        assert parse_address("/dev/ttyUSB0" + options).under("/dev/ttyUSB7") == "/dev/ttyUSB7" + options
