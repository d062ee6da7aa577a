"""Golden vectors of frames, link, wand control and the encoding rules."""

import zlib
from typing import Any

import cbor2
from cobs import cobs

from protocol import wand as w
from protocol.framing import Discarded, Frame, FrameDecoder, encode_frame
from protocol.link import Address, Ignored, Kind, LinkTiming, Primary, Repeat, Request, Secondary, address_type
from tests.house.vector_inputs import PUMP_NONCE, TABLET_NONCE, largest, smallest, wrong

PATTERN = bytes(range(256))
PAYLOADS = {
    "empty": b"",
    "one zero": b"\x00",
    "no zero": b"\x11\x22\x33",
    "zeros only": bytes(8),
    "every byte value but the last eight": PATTERN[:248],
    "248 bytes of 0xff": b"\xff" * 248,
}


def _frame(frame: Frame) -> dict[str, Any]:
    return {"address_type": frame.address_type, "seq": frame.seq, "payload": frame.payload.hex()}


def _items(wire: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for item in FrameDecoder().feed(wire):
        if isinstance(item, Discarded):
            found.append({"discarded": item.reason.value, "size": item.size})
        else:
            found.append({"frame": _frame(item)})
    return found


def _body(covered: bytes) -> bytes:
    return covered + zlib.crc32(covered).to_bytes(4, "big")


def _streams() -> dict[str, bytes]:
    good = encode_frame(Frame(0x12, 0xFE, b"\x01\x02"))
    longest = encode_frame(Frame(0x10, 7, PATTERN[:248]))
    plain = cobs.decode(good[:-1])
    streams = {
        "one frame": good,
        "idle byte before it": b"\x00" + good,
        "two frames back to back": good + longest,
        "zeros between frames": good + b"\x00\x00\x00" + good,
        "noise ended by a zero, then a frame": b"\x99\x98\x97\x00" + good,
        "noise joined to a frame: both are lost": b"\x99" + good,
        "a frame after one that is lost": b"\x99" + good + good,
        "an unfinished frame": good[:-1],
        "a frame cut by a zero, then a frame": good[:4] + b"\x00" + good,
        "body of 5 bytes": cobs.encode(_body(b"\x12")) + b"\x00",
        "body of 6 bytes": cobs.encode(_body(b"\x12\xfe")) + b"\x00",
        "body of 254 bytes": longest,
        "body of 255 bytes": cobs.encode(_body(b"\x10\x07" + b"\x55" * 249)) + b"\x00",
        "300 bytes without a zero": b"\x55" * 300 + b"\x00" + good,
        "stuffing points beyond the frame": b"\x09\x11\x22\x00",
    }
    for place in range(len(plain)):
        flipped = bytearray(plain)
        flipped[place] ^= 0x01
        where = "checksum" if place >= len(plain) - 4 else "covered"
        streams[f"bit 0 of body byte {place} flipped ({where})"] = cobs.encode(bytes(flipped)) + b"\x00"
    return streams


def framing() -> dict[str, Any]:
    """COBS, delimiter, checksum, sizes."""
    encode = []
    for name, payload in PAYLOADS.items():
        frame = Frame(0x10, 0x00, payload)
        encode.append({"name": name, **_frame(frame), "wire": encode_frame(frame, idle_line=True).hex()})
    decode = [{"name": name, "wire": wire.hex(), "items": _items(wire)} for name, wire in _streams().items()]
    return {"section": "1", "encode": encode, "decode": decode}


H, S, E, B = Kind.HELLO, Kind.HANDSHAKE, Kind.HANDSHAKE_END, Kind.BEACON
HELLO, AGAIN = (H, 0xFE, b"hello"), (H, 0xFE, b"fresh")
SCRIPTS: dict[str, tuple[int, list[tuple[int, int, bytes]]]] = {
    "a hello, repeated, then a stale copy after a fresh one": (Address.PUMP, [HELLO, HELLO, AGAIN, HELLO]),
    "a repeat gets the cached reply and is not executed": (
        Address.PUMP,
        [HELLO, (S, 0xFF, b"hs"), (S, 0xFF, b"hs"), (Kind.DATA, 0, b"d"), (Kind.DATA, 0, b"d"), (Kind.DATA, 1, b"e")],
    ),
    "a number that is neither the last nor the next": (
        Address.PUMP,
        [HELLO, (S, 0xFF, b"hs"), (Kind.DATA, 1, b"d"), (Kind.DATA, 0, b"d"), (Kind.DATA, 2, b"e"),
         (Kind.DATA, 255, b"e")],
    ),
    "the last number with other bytes": (
        Address.PUMP, [HELLO, (S, 0xFF, b"hs"), (Kind.DATA, 0, b"d"), (Kind.DATA, 0, b"changed")],
    ),
    "data before a handshake, handshake before a hello": (
        Address.PUMP, [(Kind.DATA, 0, b"d"), (S, 0xFF, b"hs"), HELLO, (Kind.DATA, 0, b"d"), (S, 0xFF, b"hs")],
    ),
    "pairing has a third message": (
        Address.PUMP, [HELLO, (E, 0xFC, b"3"), (S, 0xFF, b"1"), (E, 0xFC, b"3"), (E, 0xFC, b"3"), (Kind.DATA, 0, b"d")],
    ),
    "a hello with a wrong number": (Address.PUMP, [(H, 0x00, b"hello"), HELLO]),
    "only a hello or a beacon follows a beacon": (
        Address.PUMP, [(B, 0xFD, b"8 bytes!"), (B, 0xFD, b"8 bytes!"), (S, 0xFF, b"hs"), (Kind.DATA, 0, b"d"), HELLO],
    ),
    "replies and unknown kinds are no requests": (
        Address.PUMP, [(Kind.HELLO_REPLY, 0xFE, b""), (Kind.DATA_REPLY, 0, b""), (10, 0, b""), (15, 0xFE, b"")],
    ),
    "the wand has no handshake": (
        Address.WAND, [HELLO, (S, 0xFF, b"hs"), (Kind.DATA, 0, b"c"), (Kind.DATA, 0, b"c"), (Kind.DATA, 1, b"c")],
    ),
}  # fmt: skip


def _script(address: int, frames: list[tuple[int, int, bytes]]) -> list[dict[str, Any]]:
    end, steps, executed = Secondary(address, handshake=address == Address.PUMP), [], 0
    for kind, seq, payload in frames:
        frame = Frame(address_type(address, kind), seq, payload)
        taken, sends = end.receive(frame), b""
        match taken:
            case Request():
                executed += 1
                sends = end.reply(kind + 1, seq, b"answer %d" % executed)
                word = "executed"
            case Repeat():
                sends, word = taken.reply or b"", "repeated"
            case Ignored():
                word = "ignored"
        step = {"receives": encode_frame(frame).hex(), "is": word, "sends": sends.hex()}
        steps.append({**step, "why": taken.reason} if isinstance(taken, Ignored) else step)
    return steps


def _retries() -> list[dict[str, Any]]:
    line, now, found = Primary(Address.PUMP, LinkTiming(115_200)), 0, []
    line.send(Kind.HELLO, 0xFE, b"hello", now)
    while (due := line.next_timeout()) is not None:
        found.append({"at_ms": now, "sends": line.data_to_send().hex()})
        now = due
        line.handle_timeout(now)
    return [*found, {"at_ms": now, "lost": True}]


def link() -> dict[str, Any]:
    """Who speaks when: requests, repeats, numbers, timeouts."""
    scripts = [
        {"name": name, "address": address, "steps": _script(address, frames)}
        for name, (address, frames) in SCRIPTS.items()
    ]
    timeouts = [
        {"baud": baud, "request_bytes": size, "timeout_ms": LinkTiming(baud).timeout_ms(size)}
        for baud in (9_600, 57_600, 115_200, None)
        for size in (9, 100, 258)
    ]
    return {"section": "2", "secondary": scripts, "timeouts": timeouts, "primary_at_115200": _retries()}


def wand() -> dict[str, Any]:
    """Control messages of the adapter."""
    messages, refused = [], []
    for op, kind in sorted(w.WAND_MESSAGES.items()):
        for name, value in (("smallest", smallest(kind)), ("largest", largest(kind))):
            data = w.encode_wand(value)
            messages.append({"name": f"{kind.__name__} {name}", "op": op, "bytes": data.hex()})
        for name, body, good in wrong(kind):
            data = cbor2.dumps([op, body], canonical=True)
            if not good:
                refused.append({"name": f"{kind.__name__}: {name}", "bytes": data.hex(), "reason": name})
    for name, value in (("no such op", [9, {}]), ("no body", [1]), ("too long", [3, {}, 0]), ("no array", {0: 1})):
        refused.append({"name": name, "bytes": cbor2.dumps(value, canonical=True).hex(), "reason": name})
    frames = [
        {"name": name, "wire": encode_frame(frame, idle_line=request).hex()}
        for name, frame, request in (
            ("IDENTIFY", Frame(0x02, 0xFE, w.encode_wand(w.Identify(nonce=TABLET_NONCE))), True),
            ("IDENTITY", Frame(0x03, 0xFE, w.encode_wand(largest(w.Identity))), False),
            ("GET_COUPLING", Frame(0x00, 0x00, w.encode_wand(w.GetCoupling())), True),
            ("COUPLING", Frame(0x01, 0x00, w.encode_wand(w.Coupling(strength=5, battery_percent=97))), False),
            ("IDENTIFY anew", Frame(0x02, 0xFE, w.encode_wand(w.Identify(nonce=PUMP_NONCE))), True),
        )
    ]
    return {"section": "8", "messages": messages, "refused": refused, "frames": frames}


VALID: list[Any] = [
    0, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**64 - 1, True, False, b"", b"\x00" * 24, "", "Ab-1",
    "\u00b5g", [], [1, [2, [3, [4]]]], {}, {0: 1, 23: 2, 24: 3, 255: 4, 256: 5, 65_536: 6, 2**32: 7},
    {1: {2: {3: {4: 5}}}}, [3, 1, {}], [1, b"x", "y", True, {0: [False]}],
]  # fmt: skip
REFUSED = [
    ("", "empty", "not CBOR"),
    ("ff", "a break alone", "not CBOR"),
    ("83", "an array that ends early", "truncated"),
    ("a100", "a map that ends early", "truncated"),
    ("430102", "bytes that end early", "truncated"),
    ("0000", "two items", "trailing bytes"),
    ("830301a000", "a byte after a message", "trailing bytes"),
    ("1800", "0 in two bytes", "not canonical"),
    ("1817", "23 in two bytes", "not canonical"),
    ("190001", "1 in three bytes", "not canonical"),
    ("1900ff", "255 in three bytes", "not canonical"),
    ("1a0000ffff", "65,535 in five bytes", "not canonical"),
    ("1b00000000ffffffff", "2^32 - 1 in nine bytes", "not canonical"),
    ("580141", "bytes with a long head", "not canonical"),
    ("780141", "text with a long head", "not canonical"),
    ("980101", "array with a long head", "not canonical"),
    ("b8010001", "map with a long head", "not canonical"),
    ("a201000000", "keys in descending order", "not canonical"),
    ("a20000180001", "a key in two bytes", "not canonical"),
    ("a200010002", "a key twice", "repeated key"),
    ("a3000101020103", "a key twice among three", "repeated key"),
    ("5f4101ff", "bytes of indefinite length", "indefinite length"),
    ("7f6141ff", "text of indefinite length", "indefinite length"),
    ("9f01ff", "array of indefinite length", "indefinite length"),
    ("bf0001ff", "map of indefinite length", "indefinite length"),
    ("f93c00", "1.0 as half", "float"),
    ("fa3f800000", "1.0 as single", "float"),
    ("fb3ff0000000000000", "1.0 as double", "float"),
    ("f97e00", "not a number", "float"),
    ("a100f93c00", "a float inside a map", "float"),
    ("c11a00000000", "an epoch time", "tag"),
    ("c249010000000000000000", "2^64 as a big number", "tag"),
    ("c24101", "1 as a big number", "tag"),
    ("d9d9f700", "the self-described tag", "tag"),
    ("20", "-1", "negative number"),
    ("3bffffffffffffffff", "-2^64", "negative number"),
    ("a12000", "a negative key", "key that is no unsigned integer"),
    ("a1614100", "a key of text", "key that is no unsigned integer"),
    ("a1410000", "a key of bytes", "key that is no unsigned integer"),
    ("a1f500", "a key that is true", "key that is no unsigned integer"),
    ("f6", "null", "null or simple value"),
    ("f7", "undefined", "null or simple value"),
    ("e0", "simple value 0", "null or simple value"),
    ("f8ff", "simple value 255", "null or simple value"),
    ("a100f6", "null inside a map", "null or simple value"),
    ("818181818100", "five arrays", "too deep"),
    ("a101a101a101a101a10100", "five maps", "too deep"),
    ("62c328", "text that is not UTF-8", "not UTF-8"),
    ("1c", "a reserved head", "not CBOR"),
]


MEANT = [
    ("98030301a0", "the envelope's head in two bytes", "not canonical"),
    ("83180301a0", "the op in two bytes", "not canonical"),
    ("8303190001a0", "the request id in three bytes", "not canonical"),
    ("8303c24101a0", "the request id as a big number", "tag"),
    ("8303f93c00a0", "the request id as a float", "float"),
    ("9f0301a0ff", "an envelope of indefinite length", "indefinite length"),
    ("830301bfff", "a body of indefinite length", "indefinite length"),
    ("d9d9f7830301a0", "the self-described tag", "tag"),
    ("830301a000", "a byte after it", "trailing bytes"),
    ("830501a200000000", "GET_EVENTS with its key twice", "repeated key"),
    ("830501a1180000", "GET_EVENTS with its key in two bytes", "not canonical"),
    ("831819" + "01a2010000" + "50" + "00" * 16, "QUERY with its keys in descending order", "not canonical"),
]
"""Messages that mean something to a lax reader, in other than the canonical bytes."""


def cbor() -> dict[str, Any]:
    """What is canonical, and what is refused."""
    valid = [{"bytes": cbor2.dumps(value, canonical=True).hex(), "value": noted(value)} for value in VALID]
    refused = [{"name": name, "bytes": data, "reason": reason} for data, name, reason in REFUSED]
    meant = [{"name": name, "bytes": data, "reason": reason} for data, name, reason in MEANT]
    return {"section": "5", "valid": valid, "refused": refused, "messages": meant}


def noted(value: Any) -> Any:
    """A decoded value in JSON: bytes as {"hex": ...}, maps as {"map": [[key, value], ...]}, the rest as it is."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {"map": [[key, noted(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [noted(item) for item in value]
    return value
