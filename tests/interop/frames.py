"""Section 1: COBS, CRC-32 and the frame."""

import binascii
from dataclasses import dataclass

WAND, PUMP = 0, 1
DATA, HELLO, HANDSHAKE, HANDSHAKE_END, BEACON = 0, 2, 4, 6, 8
SEQ = {HELLO: 0xFE, HANDSHAKE: 0xFF, HANDSHAKE_END: 0xFC, BEACON: 0xFD}
SHORTEST, LONGEST = 6, 254


class NotAFrame(ValueError):
    """The bytes are noise."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What lies between two zero bytes."""

    address: int
    kind: int
    seq: int
    payload: bytes

    @property
    def address_type(self) -> int:
        """Address in the high nibble, kind in the low one."""
        return self.address << 4 | self.kind


def stuff(body: bytes) -> bytes:
    """COBS of at most 254 bytes, without the zero byte that ends it."""
    return b"".join(bytes([len(block) + 1]) + block for block in body.split(b"\0"))


def unstuff(wire: bytes) -> bytes:
    """The bytes that COBS held."""
    body, at = b"", 0
    while at < len(wire):
        code = wire[at]
        block = wire[at + 1 : at + code]
        if code == 0 or 0 in block or len(block) != code - 1:
            raise NotAFrame("not COBS")
        at += code
        body += block + (b"\0" if code < 255 and at < len(wire) else b"")
    return body


def write(frame: Frame) -> bytes:
    """The frame on the wire, without the zero byte that the tablet sends before it."""
    body = bytes([frame.address_type, frame.seq]) + frame.payload
    body += binascii.crc32(body).to_bytes(4, "big")
    if not SHORTEST <= len(body) <= LONGEST:
        raise NotAFrame("too long")
    return stuff(body) + b"\0"


def read(wire: bytes) -> Frame:
    """The frame of what lay between two zero bytes."""
    body = unstuff(wire)
    if not SHORTEST <= len(body) <= LONGEST:
        raise NotAFrame("length")
    if binascii.crc32(body[:-4]) != int.from_bytes(body[-4:], "big"):
        raise NotAFrame("checksum")
    return Frame(body[0] >> 4, body[0] & 15, body[1], body[2:-4])


class Reader:
    """Frames out of whatever the line brings."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The whole frames so far; what fails its checksum is noise."""
        *whole, self._rest = (self._rest + data).split(b"\0")
        found = []
        for wire in whole:
            try:
                found.append(read(wire))
            except NotAFrame:
                continue
        return found
