"""Which ports there are, and which of them is the wand that was plugged in before.

A wand is known by its USB serial number, never by the name of its port, which may change at each plug.
Listing opens nothing: opening a device that is not ours may reset it.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from serial.tools.list_ports import comports

from drivers.errors import ListingRefused, printable
from drivers.serial_port import OPENING

__all__ = ["PortInfo", "find_again", "info_of", "list_ports", "printable"]

LIST_WAIT_S: Final = 3.0
"""Longest wait for a device that is being opened."""


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


def list_ports(source: Callable[[], Iterable[Any]] = comports, wait_s: float = LIST_WAIT_S) -> list[PortInfo]:
    """The serial ports of this machine by name, USB ones first.

    Raises ``ListingRefused`` where a device is still being opened after ``wait_s`` seconds.
    """
    if not OPENING.acquire(timeout=wait_s):
        raise ListingRefused("this tablet")
    try:
        found = [
            PortInfo(port.device, port.description or "", port.vid, port.pid, port.serial_number) for port in source()
        ]
    finally:
        OPENING.release()
    return sorted(found, key=lambda port: (port.vid is None, port.url))


def info_of(url: str, ports: Iterable[PortInfo]) -> PortInfo | None:
    """What is known of the device ``url``, also where it is another name of it, as by a link; else ``None``."""
    real = os.path.realpath(url)
    return next((port for port in ports if port.url == url or os.path.realpath(port.url) == real), None)


def find_again(serial_number: str, ports: Iterable[PortInfo]) -> PortInfo | None:
    """The one port with this USB serial number; ``None`` if there is none, or more than one claims it."""
    same = [port for port in ports if port.serial_number == serial_number]
    return same[0] if len(same) == 1 else None
