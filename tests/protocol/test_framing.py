"""Framing: what goes in comes out, whatever the line does; damage is dropped, never delivered."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import FieldOutOfRange, PayloadTooLong
from protocol.framing import (
    MAX_PAYLOAD,
    MAX_WIRE,
    Discarded,
    DiscardReason,
    Frame,
    FrameDecoder,
    encode_frame,
)

FRAMES = st.builds(Frame, st.integers(0, 255), st.integers(0, 255), st.binary(max_size=MAX_PAYLOAD))

# Bytes worked out by hand from COBS and CRC-32 (IEEE 802.3): the checksum of "123456789" is CBF43926.
GOLDEN = [
    (Frame(0x31, 0x32, b"3456789"), "0e313233343536373839cbf4392600"),
    (Frame(0x00, 0x00, b""), "01010541d912ff00"),
]


@pytest.mark.parametrize("frame, wire", GOLDEN)
def test_golden_bytes(frame: Frame, wire: str) -> None:
    assert encode_frame(frame).hex() == wire
    assert encode_frame(frame, idle_line=True).hex() == "00" + wire
    assert FrameDecoder().feed(bytes.fromhex(wire)) == [frame]


@given(st.lists(st.tuples(FRAMES, st.booleans()), max_size=5), st.data())
@settings(max_examples=60, deadline=None)
def test_frames_survive_any_split(items: list[tuple[Frame, bool]], data: st.DataObject) -> None:
    wire = b"".join(encode_frame(frame, idle_line=idle) for frame, idle in items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    decoder, found = FrameDecoder(), []
    for start, end in itertools.pairwise([0, *cuts, len(wire)]):
        found += decoder.feed(wire[start:end])
    assert found == [frame for frame, _ in items]


def test_every_split_of_the_longest_frame() -> None:
    frame = Frame(0xFF, 0xFF, bytes(range(1, 249)))
    wire = encode_frame(frame, idle_line=True)
    assert len(wire) <= MAX_WIRE
    for cut in range(len(wire) + 1):
        decoder = FrameDecoder()
        assert decoder.feed(wire[:cut]) + decoder.feed(wire[cut:]) == [frame]
    decoder = FrameDecoder()
    assert [found for byte in wire for found in decoder.feed(bytes([byte]))] == [frame]


@given(st.binary(max_size=600), FRAMES)
@settings(max_examples=100, deadline=None)
def test_after_any_noise_the_next_frame_arrives(noise: bytes, frame: Frame) -> None:
    decoder = FrameDecoder()
    before = decoder.feed(noise)
    assert all(isinstance(item, Discarded) for item in before)
    assert decoder.feed(encode_frame(frame, idle_line=True))[-1] == frame


@given(st.lists(st.binary(max_size=700), max_size=6))
@settings(max_examples=60, deadline=None)
def test_the_buffer_is_bounded(pieces: list[bytes]) -> None:
    decoder = FrameDecoder()
    for piece in pieces:
        decoder.feed(piece)
        assert decoder.pending <= MAX_WIRE


@pytest.mark.parametrize("payload", [b"", b"\x00" * 20, bytes(range(100, 160)), b"\xff" * MAX_PAYLOAD])
def test_every_single_bit_error_is_harmless(payload: bytes) -> None:
    frame = Frame(0x10, 0x07, payload)
    wire = encode_frame(frame)
    for bit in range(len(wire) * 8):
        damaged = bytearray(wire)
        damaged[bit // 8] ^= 1 << bit % 8
        found = FrameDecoder().feed(bytes(damaged) + b"\x00")
        assert found
        # A damaged delimiter after a body of 254 bytes is only a longer stuffing of the same frame.
        assert all(isinstance(item, Discarded) or item == frame for item in found), bit
        assert bit // 8 == len(wire) - 1 or frame not in found


def test_random_errors_of_three_and_four_bits_are_detected() -> None:
    chance = random.Random(20_240_601)
    wire = encode_frame(Frame(0x10, 0x07, bytes(range(40))))
    for count in (3, 4):
        for _ in range(3_000):
            damaged = int.from_bytes(wire, "big")
            for bit in chance.sample(range(8 * len(wire)), count):
                damaged ^= 1 << bit
            found = FrameDecoder().feed(damaged.to_bytes(len(wire), "big") + b"\x00")
            assert all(isinstance(item, Discarded) for item in found)


@pytest.mark.parametrize(
    "wire, reason, size",
    [
        ("0611223344550" + "0", DiscardReason.TOO_SHORT, 5),
        ("0102" + "00", DiscardReason.BAD_STUFFING, 2),
        ("0a1100", DiscardReason.BAD_STUFFING, 2),
        ("0f313233343536373839cbf439270100", DiscardReason.BAD_CHECKSUM, 14),
        ("0e313233343536373839cbf4392700", DiscardReason.BAD_CHECKSUM, 13),
        ("ff" + "11" * 254 + "0211" + "00", DiscardReason.TOO_LONG, 257),
        ("ff" + "11" * 254 + "01" + "00", DiscardReason.BAD_CHECKSUM, 254),
        ("11" * 1000 + "00", DiscardReason.TOO_LONG, 1000),
    ],
)
def test_reasons(wire: str, reason: DiscardReason, size: int) -> None:
    assert FrameDecoder().feed(bytes.fromhex(wire)) == [Discarded(reason, size)]


def test_an_overrun_is_reported_once_with_its_size() -> None:
    decoder = FrameDecoder()
    assert [decoder.feed(b"\x11" * 100) for _ in range(5)] == [[]] * 5
    assert decoder.feed(b"\x11\x00") == [Discarded(DiscardReason.TOO_LONG, 501)]


def test_delimiters_alone_are_silent_and_reset_forgets() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"\x00" * 50) == []
    decoder.feed(b"\x05half")
    decoder.reset()
    assert decoder.pending == 0
    assert decoder.feed(encode_frame(Frame(1, 2, b"x"))) == [Frame(1, 2, b"x")]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PayloadTooLong):
        Frame(0, 0, bytes(MAX_PAYLOAD + 1))
    for numbers in ((256, 0), (-1, 0), (0, 256), (0, -1)):
        with pytest.raises(FieldOutOfRange):
            Frame(*numbers, b"")
