"""Discovery: a wand is known by its USB serial number, and nothing it says reaches the terminal raw."""

from dataclasses import dataclass

from drivers.discovery import PortInfo, find_again, list_ports, printable


@dataclass
class Found:
    device: str
    description: str | None = None
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None


def test_usb_ports_come_first() -> None:
    ports = list_ports(
        lambda: [
            Found("/dev/ttyS0", "n/a"),
            Found("/dev/ttyUSB1", "Wand", 0x403, 0x6001, "W-2"),
            Found("/dev/ttyS1"),
        ]
    )
    assert [port.url for port in ports] == ["/dev/ttyUSB1", "/dev/ttyS0", "/dev/ttyS1"]
    assert ports[0] == PortInfo("/dev/ttyUSB1", "Wand", 0x403, 0x6001, "W-2")
    assert [port.usb_id for port in ports] == ["0403:6001", "", ""]
    assert ports[0].label == "/dev/ttyUSB1  0403:6001  W-2  Wand"


def test_listing_this_machine_works() -> None:
    assert isinstance(list_ports(), list)


def test_a_wand_is_found_again_under_another_name() -> None:
    ports = [PortInfo("/dev/ttyUSB7", "", 1, 2, "W-1"), PortInfo("/dev/ttyUSB8", "", 1, 2, "W-2")]
    assert find_again("W-1", ports) is ports[0]
    assert find_again("W-3", ports) is None
    assert find_again("W-1", [*ports, PortInfo("/dev/ttyUSB9", "", 1, 2, "W-1")]) is None


def test_device_text_is_made_harmless_but_compared_raw() -> None:
    port = PortInfo("/dev/x", "a\x1b]0;b\x07", 1, 2, "W\x1b[2J")
    assert port.label == "/dev/x  0001:0002  W?[2J  a?]0;b?"
    assert find_again("W?[2J", [port]) is None
    assert printable("plain text äé") == "plain text äé"
    assert printable("‮abc\u200b") == "?abc?"
