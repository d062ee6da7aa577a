"""Errors of the protocol layers.

::

    ProtocolError
    +-- MalformedMessage     bytes that are no message of this protocol: drop them, end the session, audit it
    +-- VersionMismatch      no common protocol version: update the tablet or use another one
"""


class ProtocolError(Exception):
    """Root of every error that the wire can cause."""


class MalformedMessage(ProtocolError):
    """Bytes that decrypted well but are no message of this protocol; ``reason`` says in which way."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The other side sent something that is no message of this protocol ({reason}). "
            "Close the visit, read the pump again, and report it if it comes back."
        )
        self.reason = reason


class VersionMismatch(ProtocolError):
    """Tablet and pump share no protocol version."""

    def __init__(self) -> None:
        super().__init__("This pump speaks another version of the protocol. Update this tablet or use another one.")
