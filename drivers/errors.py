"""Errors of the ports, each with the sentence that tells a person what to do.

.. code-block:: text

    PortError
    ├── BadAddress        the address of the port cannot be read
    ├── PortNotFound      no such device, address or listener
    ├── PortBusy          another program holds the port
    ├── PortDenied        this user may not open the port
    ├── PortLost          an open port stopped working: unplugged, hung up, or it takes no data
    ├── OpeningCancelled  the person gave up while the port was being opened
    └── ListingRefused    ports are not listed while one is being opened
"""

from typing import ClassVar


def printable(text: str) -> str:
    """``text`` with everything that could steer a terminal replaced by ``?``.

    >>> printable("wand\\x1b[2J")
    'wand?[2J'
    """
    return "".join(char if char.isprintable() else "?" for char in text)


class PortError(Exception):
    """Root of the tree. ``url`` names the port, ``detail`` says what the system reported.

    Both are kept raw; the sentence holds them free of control characters.
    """

    exit_code: ClassVar[int] = 3
    advice: ClassVar[str] = "Check the wand and its cable, then connect again."

    def __init__(self, url: str, detail: str = "") -> None:
        self.url = url
        self.detail = detail
        found = f" ({printable(detail)})" if detail else ""
        super().__init__(f"{self.what} {printable(url)}{found}. {self.advice}")

    what: ClassVar[str] = "Trouble with port"


class BadAddress(PortError):
    """The address of the port cannot be read."""

    exit_code = 2
    what = "This is no address of a port:"
    advice = "Give a device, socket://HOST:PORT or rfc2217://HOST:PORT; after it may stand ?baud=57600&echo=cancel."


class PortNotFound(PortError):
    """There is no such device, address or listener."""

    what = "There is no port"
    advice = "Plug in the wand, or choose one of the ports that `programmer ports` lists."


class PortBusy(PortError):
    """Another program holds the port."""

    what = "Another program uses port"
    advice = "Close the other program that talks to this wand, then connect again."


class PortDenied(PortError):
    """This user may not open the port."""

    what = "You are not allowed to open port"
    advice = "Ask the administrator for access to serial ports (on Linux: membership of the group dialout)."


class PortLost(PortError):
    """An open port stopped working."""

    what = "The link was lost on port"
    advice = "Plug the wand in again; nothing else is offered until an open change has been read back."


class OpeningCancelled(PortError):
    """The person gave up while the port was being opened."""

    what = "Nothing was sent: it was cancelled to open port"
    advice = "Connect again when the wand is ready."


class ListingRefused(PortError):
    """Listing may disturb a device that is being opened, so it waits, and then gives up."""

    what = "Ports cannot be listed while one is being opened on"
    advice = "Wait until it is open, or pull its plug, and list again."
