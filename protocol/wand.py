"""Control messages of the wand adapter: who it is, and how well it couples.

The adapter relays pump frames unread and holds no keys. What it says of itself is shown, never trusted: a virtual
adapter is told apart from a real one by the pump's own word in the secure session.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from protocol import cbor
from protocol.errors import MalformedMessage
from protocol.wire_model import U8, U16, U32, Bytes8, Wire, WireModel

Label = Annotated[str, Field(min_length=1, max_length=24)]


class WandMessage(WireModel):
    """A control message; travels in clear as ``[op, body]``."""

    OP: ClassVar[int]


class Identify(WandMessage):
    """Ask the adapter who it is; the first message to it, so the nonce makes each one different."""

    OP = 1
    nonce: Annotated[Bytes8, Wire(0)]


class Identity(WandMessage):
    """The adapter's name. A virtual adapter also tells the simulated time, from which the tablet takes its clock."""

    OP = 2
    OPEN = True
    model: Annotated[Label, Wire(0)]
    serial: Annotated[Label, Wire(1)]
    firmware: Annotated[U16, Wire(2)]
    virtual: Annotated[bool, Wire(3)]
    simulated_time_s: Annotated[U32 | None, Wire(4, "s since 1970-01-01T00:00:00Z, virtual adapters only")] = None


class GetCoupling(WandMessage):
    """Ask how well the wand couples to the pump."""

    OP = 3


class Coupling(WandMessage):
    """Coupling strength, 0 (none) to 5, and the adapter's own battery."""

    OP = 4
    OPEN = True
    strength: Annotated[U8, Field(le=5), Wire(0)]
    battery_percent: Annotated[U8, Field(le=100), Wire(1, "%")]


WAND_MESSAGES: dict[int, type[WandMessage]] = {kind.OP: kind for kind in (Identify, Identity, GetCoupling, Coupling)}


def encode_wand(message: WandMessage) -> bytes:
    """The payload of a control frame."""
    return cbor.encode([message.OP, message.to_wire()])


def decode_wand(data: bytes) -> WandMessage:
    """The control message of a payload.

    Raises:
        MalformedMessage: no control message of this protocol.
    """
    value = cbor.decode(data)
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedMessage("no array of op and body")
    op, body = value
    if isinstance(op, bool) or not isinstance(op, int) or op not in WAND_MESSAGES:
        raise MalformedMessage(f"unknown control op {op!r}")
    return WAND_MESSAGES[op].from_wire(body)
