"""The adapter that a person chose: opened by the name it has now, known by the USB serial number it always has.

Theory of operation. Before a device is opened for the first time its USB identity is looked up; the look-up opens
nothing. From then on the identity decides and the name does not:

=======================================  ============================================================
what is plugged in now                   what is opened
=======================================  ============================================================
one device with the same identity        that device, whatever its name
none with it                             nothing: ``PortNotFound``, even where another has the old name
several with it                          nothing: nobody can tell which is the wand
=======================================  ============================================================

A device that tells no serial number is known by its maker, its product and its name together. Pseudo-terminals, TCP
and rfc2217 have no identity; there the address is all there is. Opening a device that is not ours may reset it.
"""

import contextlib
import threading
from collections.abc import Callable

from drivers.address import PortAddress, parse_address
from drivers.discovery import PortInfo, find_again, info_of, list_ports
from drivers.errors import OpeningCancelled, PortNotFound
from drivers.opening import OPEN_WITHIN_S, Opening
from drivers.port import Port
from drivers.serial_port import open_port


class Adapter:
    """Opens one configured adapter, as often as it is plugged in again. Raises ``BadAddress``."""

    def __init__(
        self,
        url: str,
        *,
        open_: Callable[[str], Port] = open_port,
        ports: Callable[[], list[PortInfo]] = list_ports,
        within_s: float = OPEN_WITHIN_S,
    ) -> None:
        self.text = url
        self._address: PortAddress = parse_address(url)
        self._open, self._ports, self._within_s = open_, ports, within_s
        self._known: PortInfo | None = None
        self._lock = threading.Lock()
        self._opening: Opening | None = None
        self._cancels = 0

    @property
    def timing_baud(self) -> int | None:
        """See ``PortAddress.timing_baud``."""
        return self._address.timing_baud

    def open(self) -> Port:
        """Open the adapter where it is now.

        Raises:
            PortError: it is not there, is held by another program, or was given up.
        """
        with self._lock:
            before = self._cancels
        where = self._where()
        with self._lock:
            if self._cancels != before:
                raise OpeningCancelled(self.text)
            opening = self._opening = Opening(where, self._open)
        return opening.wait(self._within_s)

    def cancel(self) -> None:
        """Let an ``open`` that is under way end at once, without a port. From any thread."""
        with self._lock:
            self._cancels += 1
            opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()

    def _where(self) -> str:
        """The address to open; what is plugged in now decides."""
        if not self._address.is_device or self._address.is_pseudo_terminal:
            return self.text
        present: list[PortInfo] = []
        with contextlib.suppress(OSError):  # a device that goes while it is looked up
            present = self._ports()
        if self._known is None:
            self._known = info_of(self._address.url, present)
            return self.text
        if self._known.serial_number:
            same = [port for port in present if _usb(port) == _usb(self._known)]
            found = find_again(self._known.serial_number, same)
            if found is None and same:
                raise PortNotFound(self.text, f"several devices say that they are {self._known.serial_number}")
            if found is None:
                raise PortNotFound(self.text, f"{self._known.serial_number} is not plugged in")
            return self._address.under(found.url)
        now = info_of(self._address.url, present)
        if now is not None and _usb(now) != _usb(self._known):
            raise PortNotFound(self.text, "another device has this name now")
        return self.text


def _usb(port: PortInfo) -> tuple[int | None, int | None, str | None]:
    """Maker, product and serial number, raw."""
    return port.vid, port.pid, port.serial_number
