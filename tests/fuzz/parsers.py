"""Promises, and the targets that take bytes apart: frames, CBOR, messages, what goes in clear, Noise messages."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from protocol import cbor, messages, wand
from protocol.errors import HandshakeMisuse, NoiseError, ProtocolError
from protocol.framing import Discarded, Frame, FrameDecoder, encode_frame
from protocol.link import Address, Kind
from protocol.messages import decode_message, encode_message
from protocol.noise import HandshakeState, public_key
from protocol.session import NOISE_NAME, SessionKind
from protocol.wire_model import WireModel
from tests.fuzz import scene
from tests.fuzz.scene import Recording, copied
from tests.protocol import make

FRAME_BUFFER = 258


class Broken(AssertionError):
    """A promise that an input breaks."""


def must(holds: bool, promise: str) -> None:
    """``Broken`` unless it holds."""
    if not holds:
        raise Broken(promise)


@dataclass(frozen=True)
class Target:
    """A name, what runs an input, inputs to begin with, and how to alter one."""

    name: str
    run: Callable[[bytes], str]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[Random, bytes], bytes]


def chosen(data: bytes, starts: Sequence[Any]) -> tuple[Any, bytes]:
    number, rest = (data[0], data[1:]) if data else (0, b"")
    return starts[number % len(starts)], rest


def recordings() -> list[Recording]:
    """The sessions of the corpus."""
    return [scene.routine(), *(scene.with_card(kind) for kind in scene.CARD_KINDS), scene.beacon()]


# Frames


def run_frames(data: bytes) -> str:
    """Whole, byte by byte and in two pieces: the same frames, never more than one frame held back."""
    whole = FrameDecoder()
    found = whole.feed(data)
    for size in (1, max(1, len(data) // 2)):
        pieces, again = FrameDecoder(), []
        for at in range(0, len(data), size):
            again += pieces.feed(data[at : at + size])
            must(pieces.pending <= FRAME_BUFFER, "the frame decoder holds at most one frame")
        must(again == found, "the same frames whole and in pieces")
        must(pieces.pending == whole.pending, "the same rest whole and in pieces")
    for item in found:
        if isinstance(item, Frame):
            must(FrameDecoder().feed(encode_frame(item)) == [item], "a frame comes back")
    return "+".join(sorted({item.reason.name if isinstance(item, Discarded) else "frame" for item in found}))


def frame_seeds() -> list[bytes]:
    """Every frame of the corpus, each session's streams, and noise."""
    recorded = [scene.corpus(name) for name in scene.RECORDINGS]
    single = [data for frames in recorded for _, data in frames]
    streams = [b"".join(data for which, data in frames if which == way) for frames in recorded for way in "<>"]
    return [*single, *streams, b"", b"\x00" * 9, b"\x01" * 300 + b"\x00"]


# Messages


def _refusal(error: ProtocolError) -> str:
    """The kind of an error and its reason, without what the input put into it."""
    reason = re.sub(" op .*", " op", getattr(error, "reason", ""), flags=re.DOTALL)
    return f"{type(error).__name__} {re.sub('[0-9]+', 'N', reason)}"[:64]


def run_cbor(data: bytes) -> str:
    """Refused as malformed, or exactly the canonical bytes of what was read."""
    try:
        value = cbor.decode(data)
    except ProtocolError as error:
        return _refusal(error)
    must(cbor.encode(value) == data, "what is read is written the same")
    return type(value).__name__


def run_message(data: bytes) -> str:
    """Refused as malformed, or a message that is written and read the same."""
    try:
        number, message = decode_message(data)
    except ProtocolError as error:
        return _refusal(error)
    if len(data) <= messages.MAX_MESSAGE_BYTES:
        again = encode_message(number, message)
        must(again == data or message.OPEN, "a closed message is written the same")
        must(decode_message(again) == (number, message), "a message comes back")
    return type(message).__name__


CLEAR: tuple[Callable[[bytes], Any], ...] = (
    messages.HelloTablet.decode,
    messages.HelloPump.decode,
    messages.Beacon.decode,
    wand.decode_wand,
)


def run_clear(data: bytes) -> str:
    """What is said in clear: greetings, the beacon, the wand's control messages."""
    found = []
    for decode in CLEAR:
        try:
            found.append(type(decode(data)).__name__)
        except ProtocolError as error:
            found.append(_refusal(error))
    return "/".join(found)


def one_of_each() -> list[messages.Message]:
    """A message of every op, both ways: its fields as small as they may be."""
    return [smallest(kind) for kind in messages.MESSAGES.values()]


def smallest(kind: type[WireModel]) -> Any:
    """An object of a class with each field as small as it may be."""
    return kind(**{name: _smallest_field(kind, name) for name in kind.model_fields})


def _smallest_field(kind: type[WireModel], name: str) -> Any:
    if (kind, name) in make.LISTS:
        item, least, _ = make.LISTS[kind, name]
        one = bytes(64) if item == 64 else smallest(item) if item is messages.EventItem else min(item)
        return (one,) * max(1, least)
    declared, limits = kind.model_fields[name].annotation, make.bounds(kind, name)
    if isinstance(declared, type) and issubclass(declared, WireModel):
        return smallest(declared)
    if isinstance(declared, type) and hasattr(declared, "__members__"):
        return min(declared)
    size = limits.get("min_length", 0)
    return {bytes: bytes(size), str: "A" * size, bool: False}.get(declared, limits.get("ge", 0))


@cache
def message_seeds() -> list[bytes]:
    """One message of every op, both ways, and what was asked and answered in the corpus sessions."""
    return [encode_message(7, made) for made in one_of_each()] + [
        plain for recording in recordings() for plain in recording.requests + recording.answers
    ]


def clear_seeds() -> list[bytes]:
    """Payloads of the frames that go in clear."""
    found = []
    for name in scene.RECORDINGS:
        for item in FrameDecoder().feed(b"".join(data for _, data in scene.corpus(name))):
            assert isinstance(item, Frame)
            if item.address_type >> 4 == Address.WAND or item.address_type & 0xF != Kind.DATA:
                found.append(item.payload)
    return found


# Noise messages


@cache
def handshake_starts() -> list[tuple[HandshakeState, list[bytes]]]:
    """A side that waits for its next message, for each message of each session's handshake, and that message."""
    found = []
    for name, (mine, theirs) in HANDSHAKE_KEYS.items():
        common: dict[str, Any] = {"prologue": b"hello", "psks": (bytes([5]) * 32,)}
        one = HandshakeState(name, initiator=True, e=bytes([3]) * 32, **common, **mine)
        two = HandshakeState(name, initiator=False, e=bytes([4]) * 32, **common, **theirs)
        while not one.complete:
            writer, reader = (one, two) if one.my_turn else (two, one)
            message = writer.write_message(b"")
            found.append((copied(reader), [message]))
            reader.read_message(message)
    return found


STATIC = bytes([1]) * 32, bytes([2]) * 32
PUBLIC = tuple(public_key(private) for private in STATIC)
HANDSHAKE_KEYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    NOISE_NAME[SessionKind.ROUTINE]: ({"s": STATIC[0], "rs": PUBLIC[1]}, {"s": STATIC[1], "rs": PUBLIC[0]}),
    NOISE_NAME[SessionKind.PAIRING]: ({"s": STATIC[0]}, {"s": STATIC[1]}),
    NOISE_NAME[SessionKind.BREAK_GLASS]: ({"rs": PUBLIC[1]}, {"s": STATIC[1]}),
}


def run_handshake(data: bytes) -> str:
    """A Noise message of any bytes: refused with a typed error, which ends the handshake, or the genuine one."""
    (start, genuine), message = chosen(data, handshake_starts())
    side = copied(start)
    try:
        side.read_message(message)
    except NoiseError as error:
        try:
            side.write_message(b"")
        except HandshakeMisuse:
            return type(error).__name__
        raise Broken("a failed handshake does not go on") from error
    must(message == genuine[0], "only the genuine message is read")
    return "read"
