"""What a person writes to name a port, and what it means.

``/dev/ttyUSB0``, ``COM3``, ``socket://HOST:PORT`` or ``rfc2217://HOST:PORT``. Options may follow after ``?``, joined
by ``&``: ``baud=57600`` for the speed of the line, ``echo=cancel`` for an adapter on a half-duplex line that hears
itself, ``ign_set_control`` for a terminal server that never acknowledges the control lines (rfc2217 only).
"""

import os
from dataclasses import dataclass
from typing import Final

from drivers.errors import BadAddress

DEFAULT_BAUD: Final = 115_200
BAUDS: Final = (1_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
"""Speeds that both ends of an 8N1 line can be set to, in symbols per second."""


@dataclass(frozen=True, slots=True)
class PortAddress:
    """An address taken apart. ``url`` is it without options; ``scheme`` is empty for a device."""

    url: str
    scheme: str = ""
    baud: int = DEFAULT_BAUD
    cancel_echo: bool = False
    ignore_control: bool = False

    @property
    def is_device(self) -> bool:
        """Whether it names a device of this machine, pseudo-terminals included."""
        return not self.scheme

    @property
    def is_pseudo_terminal(self) -> bool:
        """Whether it names a pseudo-terminal, which has neither speed nor latency."""
        return self.is_device and "/pts/" in os.path.realpath(self.url)

    @property
    def timing_baud(self) -> int | None:
        """The speed by which answers are waited for; ``None`` where bytes cost no time.

        Behind ``rfc2217://`` there is a real line, behind ``socket://`` there is none that we know of.
        """
        return None if self.scheme == "socket" or self.is_pseudo_terminal else self.baud

    def under(self, url: str) -> str:
        """The same options on another device name, as after a replug."""
        options = [f"baud={self.baud}"] if self.baud != DEFAULT_BAUD else []
        options += ["echo=cancel"] if self.cancel_echo else []
        options += ["ign_set_control"] if self.ignore_control else []
        return url + ("?" + "&".join(options) if options else "")


def parse_address(text: str) -> PortAddress:
    """Take ``text`` apart. Raises ``BadAddress`` for an option or a speed that does not exist.

    >>> parse_address("rfc2217://10.0.0.7:4000?baud=9600").baud
    9600
    """
    url, _, rest = text.partition("?")
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    baud, cancel_echo, ignore_control = DEFAULT_BAUD, False, False
    named: list[str] = []
    for option in rest.split("&") if "?" in text else []:
        name, _, value = option.partition("=")
        if name in named:
            raise BadAddress(text, f"{name} is given twice")
        named.append(name)
        if name == "baud":
            if not (value.isascii() and value.isdecimal() and len(value) < 8 and int(value) in BAUDS):
                raise BadAddress(text, "speeds are " + ", ".join(str(known) for known in BAUDS))
            baud = int(value)
        elif option in ("echo=cancel", "echo=keep"):
            cancel_echo = value == "cancel"
        elif option == "ign_set_control" and scheme == "rfc2217":
            ignore_control = True
        else:
            raise BadAddress(text, f"there is no option {option!r}")
    return PortAddress(url, scheme, baud, cancel_echo, ignore_control)
