"""Errors of the wire, each with the sentence that tells a person what to do.

.. code-block:: text

    ProtocolError
    ├── QuantityError            a number that is not exactly one of our quantities
    │   ├── NotANumber           the text is not a plain decimal number
    │   ├── NotExact             the number falls between two base units
    │   ├── OutOfRange           below zero or above the largest value
    │   └── MixedQuantities      two different kinds of quantity met
    ├── FramingError
    │   ├── PayloadTooLong       a payload that does not fit one frame
    │   └── FieldOutOfRange      address, kind or sequence outside its byte
    ├── LinkError
    │   ├── LinkBusy             a request is still waiting for its reply
    │   ├── NotConnected         no session is open: connect first
    │   └── NothingToAnswer      a reply without the request it belongs to
    ├── MalformedMessage         bytes that are no message: drop them, end the session, audit it
    ├── CardRefused              not the text of an implant card: scan it again or type it as printed
    ├── VersionMismatch          no common protocol version: update the tablet or use another one
    └── NoiseError               the secure session cannot be made or go on
        ├── UnknownPattern       a protocol name outside the table
        ├── HandshakeMisuse      a step out of order, a missing or ill-sized key
        ├── MalformedHandshake   too short or too long to be a Noise message
        ├── TagFailure           the authentication tag does not fit: tampered or out of step
        ├── WeakKey              a public key that forces the shared secret to zero
        ├── ReflectedKey         the other side shows our own public key
        └── NonceExhausted       the cipher may seal nothing more under this key

A failing checksum is noise on the line and no exception: see ``framing.Discarded``.
"""

from typing import ClassVar


class ProtocolError(Exception):
    """Root of the tree. ``advice`` says what a person does; ``detail`` says what exactly was found."""

    advice: ClassVar[str] = "Close the session and connect again."

    def __init__(self, detail: str = "") -> None:
        self.detail = detail
        super().__init__(f"{detail}: {self.advice}" if detail else self.advice)


class QuantityError(ProtocolError):
    """A number that is not exactly one of the quantities."""

    advice = "Enter the number again."


class NotANumber(QuantityError):
    """Text that is not a plain decimal number such as ``115`` or ``0.5``."""

    advice = "Write the number with digits and at most one decimal point, such as 115 or 0.5."


class NotExact(QuantityError):
    """A number that falls between two base units; nothing is rounded silently."""

    advice = "Use fewer decimal places: the pump cannot hold this number exactly."


class OutOfRange(QuantityError):
    """A number below zero, above the largest value the wire can carry, or a division by zero."""

    advice = "Use a number within the range of this quantity."


class MixedQuantities(QuantityError):
    """Two kinds of quantity met in one sum or comparison."""

    advice = "Convert to one kind of quantity first: this is a fault of the program, please report it."


class FramingError(ProtocolError):
    """Something that cannot be put into a frame."""

    advice = "This is a fault of the program, please report it; nothing was sent."


class PayloadTooLong(FramingError):
    """A payload of more than ``framing.MAX_PAYLOAD`` bytes."""


class FieldOutOfRange(FramingError):
    """An address, kind or sequence number that does not fit its place."""


class LinkError(ProtocolError):
    """The stop-and-wait link was used out of turn."""

    advice = "This is a fault of the program, please report it; nothing was sent."


class LinkBusy(LinkError):
    """A second request while one is still waiting for its reply."""

    advice = "Wait for the answer to the last command, then try again."


class NotConnected(LinkError):
    """A request while no session is open; nothing was sent."""

    advice = "Hold the wand over the pump and read it again."


class NothingToAnswer(LinkError):
    """A reply for which no request is open."""


class MalformedMessage(ProtocolError):
    """Bytes that decrypted well but are no message of this protocol; ``reason`` says in which way."""

    advice = "Close the visit, read the pump again, and report it if it comes back."

    def __init__(self, reason: str) -> None:
        super().__init__(f"The other side sent something that is no message of this protocol ({reason})")
        self.reason = reason


class CardRefused(ProtocolError):
    """Text that is not what stands on an implant card; ``reason`` names the line."""

    advice = "Scan the card again, or type it line by line as it is printed."

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is not the text of an implant card: {reason}")
        self.reason = reason


class VersionMismatch(ProtocolError):
    """Tablet and pump share no protocol version."""

    advice = "This pump speaks another version of the protocol. Update this tablet or use another one."


class NoiseError(ProtocolError):
    """The secure session cannot be made, or cannot go on."""

    advice = "End this session and connect again; if it happens twice, check that this is the right pump."


class UnknownPattern(NoiseError):
    """A Noise protocol name that is not in the table."""

    advice = "Update the software of the tablet or the pump: they offer no secure session in common."


class HandshakeMisuse(NoiseError):
    """A handshake step out of order, or keys that do not fit the pattern."""


class MalformedHandshake(NoiseError):
    """A message too short or too long to be a Noise message of this step."""


class TagFailure(NoiseError):
    """The authentication tag does not fit: somebody changed the message, or the sides are out of step."""

    advice = "End this session, write it to the log and connect again; never repeat the command blindly."


class WeakKey(NoiseError):
    """A public key that would force the shared secret to zero."""

    advice = "Do not use this device: its key is unsafe. Pair again, and report it if it happens again."


class ReflectedKey(NoiseError):
    """The other side shows our own public key: an echo, not a pump."""

    advice = "Check the cable and the wand: the line sends back what the tablet sent."


class NonceExhausted(NoiseError):
    """The cipher may seal nothing more under this key."""

    advice = "Connect again to get fresh session keys."
