"""Errors of the ports, each with the sentence that tells a person what to do.

.. code-block:: text

    PortError
    ├── PortNotFound     no such device, address or listener
    ├── PortBusy         another program holds the port
    ├── PortDenied       this user may not open the port
    └── PortLost         an open port stopped working: unplugged, hung up, or it takes no data
"""

from typing import ClassVar


class PortError(Exception):
    """Root of the tree. ``url`` names the port, ``detail`` says what the system reported."""

    exit_code: ClassVar[int] = 3
    advice: ClassVar[str] = "Check the wand and its cable, then connect again."

    def __init__(self, url: str, detail: str = "") -> None:
        self.url = url
        self.detail = detail
        found = f" ({detail})" if detail else ""
        super().__init__(f"{self.what} {url}{found}. {self.advice}")

    what: ClassVar[str] = "Trouble with port"


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
