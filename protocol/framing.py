"""Frames on a byte line: COBS stuffing, 0x00 delimiter, CRC-32.

.. code-block:: text

    wire    [0x00]  COBS(body)  0x00
    body    address_type(1) | seq(1) | payload(0..248) | crc32(4, big-endian, over all before it)

COBS (Cheshire and Baker, "Consistent Overhead Byte Stuffing", IEEE/ACM Transactions on Networking 7(2), 1999)
keeps 0x00 out of the frame, so a receiver finds the next frame after any damage. The checksum is CRC-32 as in
IEEE 802.3, because a 16-bit CRC loses its Hamming distance once bytes are stuffed. A frame that fails its
checksum is noise: it is dropped and sent again, never interpreted.
"""

import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cobs import cobs

from protocol.errors import FieldOutOfRange, PayloadTooLong

DELIMITER: Final = 0x00
CRC_SIZE: Final = 4
HEADER_SIZE: Final = 2
MIN_BODY: Final = HEADER_SIZE + CRC_SIZE
"""Shortest body: header and checksum around an empty payload, 6 bytes."""
MAX_BODY: Final = 254
"""Longest body in bytes, the most that costs at most two bytes of stuffing."""
MAX_PAYLOAD: Final = MAX_BODY - MIN_BODY
"""Longest payload: 248 bytes, a message of 232 bytes with its 16-byte tag."""
MAX_WIRE: Final = 258
"""Most bytes one frame takes on the wire, with both delimiters; also the bound of the receive buffer."""
_MAX_STUFFED: Final = MAX_WIRE - 2


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: ``address_type`` (address in the high nibble, kind in the low one), ``seq`` and ``payload``.

    Both numbers are 0..255, the payload 0..248 bytes. Raises ``FieldOutOfRange`` or ``PayloadTooLong``.
    """

    address_type: int
    seq: int
    payload: bytes

    def __post_init__(self) -> None:
        for name, value in (("address/type", self.address_type), ("seq", self.seq)):
            if not 0 <= value <= 0xFF:
                raise FieldOutOfRange(f"{name} {value} does not fit one byte")
        if len(self.payload) > MAX_PAYLOAD:
            raise PayloadTooLong(f"{len(self.payload)} bytes of payload, at most {MAX_PAYLOAD} fit one frame")


class DiscardReason(Enum):
    """Why received bytes were dropped."""

    TOO_SHORT = "too short"
    TOO_LONG = "too long"
    BAD_STUFFING = "bad stuffing"
    BAD_CHECKSUM = "bad checksum"


@dataclass(frozen=True, slots=True)
class Discarded:
    """Received bytes that are no frame: the reason, and their number without the delimiter."""

    reason: DiscardReason
    size: int


def encode_frame(frame: Frame, *, idle_line: bool = False) -> bytes:
    """The bytes of ``frame`` on the wire.

    ``idle_line`` puts one 0x00 before it, which ends whatever noise an idle line left at the receiver.

    >>> encode_frame(Frame(0x12, 0xFE, b"")).hex()
    '0712fe6328bd3700'
    """
    covered = bytes((frame.address_type, frame.seq)) + frame.payload
    stuffed: bytes = cobs.encode(covered + zlib.crc32(covered).to_bytes(CRC_SIZE, "big"))
    return (b"\x00" if idle_line else b"") + stuffed + b"\x00"


def decode_body(body: bytes) -> Frame | Discarded:
    """The frame in an unstuffed ``body``, or why it is none."""
    if len(body) < MIN_BODY:
        return Discarded(DiscardReason.TOO_SHORT, len(body))
    if len(body) > MAX_BODY:
        return Discarded(DiscardReason.TOO_LONG, len(body))
    covered, received = body[:-CRC_SIZE], body[-CRC_SIZE:]
    if zlib.crc32(covered).to_bytes(CRC_SIZE, "big") != received:
        return Discarded(DiscardReason.BAD_CHECKSUM, len(body))
    return Frame(covered[0], covered[1], covered[HEADER_SIZE:])


class FrameDecoder:
    """Finds frames in a stream of bytes that may be cut anywhere and damaged anyhow.

    Holds at most 258 bytes whatever arrives: what grows longer is dropped up to the next delimiter and
    reported once, with its whole size. Empty space between delimiters is silent.
    """

    __slots__ = ("_buffer", "_overrun")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._overrun = 0

    @property
    def pending(self) -> int:
        """Bytes held back for a frame that is not complete yet, 0..258."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Discarded]:
        """Take ``data``; return the frames and the discarded pieces that it completes, in wire order."""
        found: list[Frame | Discarded] = []
        *ended, rest = data.split(b"\x00")
        for piece in ended:
            self._hold(piece)
            result = self._finish()
            if result is not None:
                found.append(result)
        self._hold(rest)
        return found

    def reset(self) -> None:
        """Forget a frame that is not complete yet, as after the line was opened anew."""
        self._buffer.clear()
        self._overrun = 0

    def _hold(self, piece: bytes) -> None:
        if self._overrun:
            self._overrun += len(piece)
        elif len(self._buffer) + len(piece) > _MAX_STUFFED:
            self._overrun = len(self._buffer) + len(piece)
            self._buffer.clear()
        else:
            self._buffer += piece

    def _finish(self) -> Frame | Discarded | None:
        overrun, stuffed = self._overrun, bytes(self._buffer)
        self.reset()
        if overrun:
            return Discarded(DiscardReason.TOO_LONG, overrun)
        if not stuffed:
            return None
        try:
            body = cobs.decode(stuffed)
        except cobs.DecodeError:
            return Discarded(DiscardReason.BAD_STUFFING, len(stuffed))
        return decode_body(body)
