"""Alters inputs: bytes blindly, and frames with their stuffing and checksum made right again.

Every change follows from the generator handed in, so a run is repeated by its seed.
"""

import zlib
from collections.abc import Callable, Sequence
from random import Random

from cobs import cobs

from protocol.framing import Discarded, Frame, decode_body, encode_frame

TOKENS = [
    *(bytes([value]) for value in b"\x00\xff\x7f\x80\x17\x18\x20\x40\x5f\x60\x78\x9f\xa0\xbf\xc0\xf4\xf5\xf6\xf7"),
    *map(bytes.fromhex, ("1818", "1900ff", "1a00010000", "1affffffff", "1b0000000100000000", "1bffffffffffffffff")),
    *map(bytes.fromhex, ("3bffffffffffffffff", "58ff", "5bffffffffffffffff", "61ff", "78ff", "98ff")),
    *map(bytes.fromhex, ("9bffffffffffffffff", "b8ff", "c24101", "d81c81d81d00", "d81e820100", "f8ff", "f90000")),
    *map(bytes.fromhex, ("fb7ff0000000000000", "0000", "00000000", "c482200a", "d9010280", "8181818180")),
]
"""Single bytes of interest and heads of CBOR items: limits of lengths, tags, floats, indefinite lengths, break."""


LENGTHS = (254, 255, 256, 257, 258, 259, 512, 513, 1_023, 1_024, 1_025, 1_500, 4_096)


def _place(rng: Random, data: bytes) -> int:
    return rng.randrange(len(data) + 1)


def flip(rng: Random, data: bytes) -> bytes:
    """One bit."""
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def put(rng: Random, data: bytes) -> bytes:
    """One byte anew."""
    at = _place(rng, data)
    return data[:at] + rng.randbytes(1) + data[at + 1 :]


def step(rng: Random, data: bytes) -> bytes:
    """One byte a little more or less."""
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([(data[at] + rng.choice((-2, -1, 1, 2))) % 256]) + data[at + 1 :]


def insert(rng: Random, data: bytes) -> bytes:
    """A few bytes more."""
    at = _place(rng, data)
    return data[:at] + rng.randbytes(rng.choice((1, 1, 2, 4, 16))) + data[at:]


def token(rng: Random, data: bytes) -> bytes:
    """A token in the place of something, or between."""
    at = _place(rng, data)
    return data[:at] + rng.choice(TOKENS) + data[at + rng.choice((0, 1, 1, 2, 5)) :]


def remove(rng: Random, data: bytes) -> bytes:
    """A stretch less."""
    at = _place(rng, data)
    return data[:at] + data[at + rng.choice((1, 1, 2, 8, 64)) :]


def cut(rng: Random, data: bytes) -> bytes:
    """Only the beginning."""
    return data[: _place(rng, data)]


def double(rng: Random, data: bytes) -> bytes:
    """A stretch twice."""
    at = _place(rng, data)
    return data[:at] + data[at : at + rng.choice((1, 8, 64))] + data[at:]


def swell(rng: Random, data: bytes) -> bytes:
    """A long stretch of one byte, about as long as a frame or a buffer, or longer."""
    at = rng.choice((0, _place(rng, data)))
    return data[:at] + bytes([rng.choice((1, 2, 0x41, 0xFE, 0xFF))]) * rng.choice(LENGTHS) + data[at:]


BLIND: Sequence[Callable[[Random, bytes], bytes]] = (flip, put, step, insert, token, token, remove, cut, double)


def blind(rng: Random, data: bytes) -> bytes:
    """One to four blind changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = rng.choice(BLIND)(rng, data)
    return data


def _reframed(rng: Random, piece: bytes) -> bytes:
    """A stuffed frame with its header, payload or length altered, and stuffing and checksum right."""
    try:
        frame = decode_body(cobs.decode(piece))
    except cobs.DecodeError:
        return blind(rng, piece)
    if isinstance(frame, Discarded):
        return blind(rng, piece)
    kind, seq, payload = frame.address_type, frame.seq, frame.payload
    match rng.randrange(6):
        case 0:
            kind = rng.choice((rng.randrange(256), kind ^ 1, kind ^ 0x10, 0x10 | rng.randrange(10)))
        case 1:
            seq = rng.choice((seq - 1, seq + 1, 0, 0xFC, 0xFD, 0xFE, 0xFF)) % 256
        case 2:
            body = (bytes((kind, seq)) + payload + rng.randbytes(255))[: rng.choice((0, 1, 2, 3, 249, 250, 251, 256))]
            stuffed: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(4, "big"))
            return stuffed
        case _:
            payload = blind(rng, payload)[:248]
    return encode_frame(Frame(kind, seq, payload))[:-1]


def frames(rng: Random, data: bytes) -> bytes:
    """One to three changes to a stream of frames: order, number, header, payload, or the bytes as they are."""
    pieces = data.split(b"\x00")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        at = rng.randrange(len(pieces))
        match rng.randrange(9):
            case 0:
                del pieces[at]
            case 1:
                pieces.insert(at, pieces[at])
            case 2:
                other = rng.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                del pieces[at + 1 :]
            case 4:
                pieces[at] = swell(rng, pieces[at])
            case 5:
                pieces[at] = blind(rng, pieces[at])
            case _:
                pieces[at] = _reframed(rng, pieces[at])
        pieces = pieces or [b""]
    return b"\x00".join(pieces)


def packed(parts: Sequence[bytes]) -> bytes:
    """Several plaintexts as one input: each with its length in one byte before it."""
    return b"".join(bytes([len(part)]) + part for part in parts)


def unpacked(data: bytes) -> list[bytes]:
    """The plaintexts of an input; a last one that is cut short is taken as it is."""
    parts = []
    while data:
        parts.append(data[1 : 1 + data[0]])
        data = data[1 + data[0] :]
    return parts


def plaintexts(rng: Random, data: bytes) -> bytes:
    """One to three changes to a series of plaintexts."""
    parts = unpacked(data) or [b""]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(parts))
        match rng.randrange(6):
            case 0:
                parts.insert(at, parts[at])
            case 1:
                other = rng.randrange(len(parts))
                parts[at], parts[other] = parts[other], parts[at]
            case _:
                parts[at] = blind(rng, parts[at])[:232]
    return packed(parts)
