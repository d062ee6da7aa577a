"""Which ports there are, and which of them is the wand that was plugged in before.

A wand is known by its USB serial number, never by the name of its port, which may change at each plug.
Listing opens nothing: opening a device that is not ours may reset it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from serial.tools.list_ports import comports

from drivers.serial_port import OPENING


@dataclass(frozen=True, slots=True)
class PortInfo:
    """One port. ``vid``, ``pid``, ``serial_number`` are raw from the USB device, else ``None``."""

    url: str
    description: str
    vid: int | None
    pid: int | None
    serial_number: str | None

    @property
    def usb_id(self) -> str:
        """``VID:PID`` in hexadecimal, empty for what is not on USB."""
        return "" if self.vid is None or self.pid is None else f"{self.vid:04X}:{self.pid:04X}"

    @property
    def label(self) -> str:
        """One line for a person, free of control characters that a device might have sent."""
        parts = (self.url, self.usb_id, self.serial_number or "", self.description)
        return printable("  ".join(part for part in parts if part))


def printable(text: str) -> str:
    """``text`` with everything that could steer a terminal replaced by ``?``.

    >>> printable("wand\\x1b[2J")
    'wand?[2J'
    """
    return "".join(char if char.isprintable() else "?" for char in text)


def list_ports(source: Callable[[], Iterable[Any]] = comports) -> list[PortInfo]:
    """The serial ports of this machine by name, USB ones first."""
    with OPENING:
        found = [
            PortInfo(port.device, port.description or "", port.vid, port.pid, port.serial_number) for port in source()
        ]
    return sorted(found, key=lambda port: (port.vid is None, port.url))


def find_again(serial_number: str, ports: Iterable[PortInfo]) -> PortInfo | None:
    """The one port with this USB serial number; ``None`` if there is none, or more than one claims it."""
    same = [port for port in ports if port.serial_number == serial_number]
    return same[0] if len(same) == 1 else None
