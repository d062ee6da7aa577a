"""The fault pipe: the same plan gives the same bytes, and every byte is accounted for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.pipe import Cut, Delay, Direction, Drop, Duplicate, Fault, Flip, Pipe

TO, FROM = Direction.TO_PUMP, Direction.FROM_PUMP


def test_bytes_cross_both_ways_and_are_counted() -> None:
    pipe = Pipe()
    pipe.write(TO, b"abc", 0)
    pipe.write(FROM, b"de", 0)
    assert (pipe.read(TO, 0), pipe.read(FROM, 0)) == (b"abc", b"de")
    assert pipe.offered == {TO: 3, FROM: 2} == pipe.passed
    assert pipe.read(TO, 10**9) == b""
    assert pipe.next_arrival() is None


@pytest.mark.parametrize("direction, other", [(TO, FROM), (FROM, TO)])
def test_a_cut_after_every_byte(direction: Direction, other: Direction) -> None:
    for byte in range(7):
        pipe = Pipe([Cut(direction, byte)])
        pipe.write(direction, b"abcdef", 0)
        assert pipe.read(direction, 0) == b"abcdef"[:byte]
        assert pipe.is_cut == (byte <= 6)
        pipe.write(other, b"reply", 0)
        assert pipe.read(other, 0) == b""
        assert (pipe.offered[direction], pipe.passed[direction], pipe.passed[other]) == (6, byte, 0)
        pipe.heal()
        pipe.write(other, b"again", 5)
        assert pipe.read(other, 5) == b"again"


def test_a_cut_beyond_what_is_sent_does_nothing() -> None:
    pipe = Pipe([Cut(TO, 7)])
    pipe.write(TO, b"abcdef", 0)
    pipe.write(FROM, b"reply", 0)
    assert not pipe.is_cut
    assert (pipe.read(TO, 0), pipe.read(FROM, 0)) == (b"abcdef", b"reply")


@pytest.mark.parametrize(
    "fault, expected",
    [
        (Drop(TO, 2), b"abdef"),
        (Drop(TO, 2, 3), b"abf"),
        (Drop(FROM, 2), b"abcdef"),
        (Flip(TO, 0, 0x03), b"bbcdef"),
        (Duplicate(TO, 0, 6), b"abcdefabcdef"),
        (Duplicate(TO, 4, 2), b"abcdefef"),
        (Duplicate(TO, 4, 3), b"abcdef"),
        (Delay(TO, 1, 2, 10), b"adefbc"),
        (Delay(TO, 0, 6, 10), b"abcdef"),
    ],
)
def test_each_fault(fault: Fault, expected: bytes) -> None:
    pipe = Pipe([fault])
    pipe.write(TO, b"abcdef", 0)
    assert pipe.read(TO, 100) == expected


def test_faults_count_from_the_moment_they_are_armed() -> None:
    pipe = Pipe()
    pipe.write(TO, b"abcdef", 0)
    pipe.arm(Drop(TO, 1))
    pipe.write(TO, b"ghi", 0)
    assert pipe.read(TO, 0) == b"abcdefgi"
    pipe.cut()
    pipe.write(TO, b"gone", 0)
    assert pipe.read(TO, 0) == b""


def test_a_delay_holds_bytes_back_to_the_millisecond() -> None:
    pipe = Pipe([Delay(TO, 0, 3, 25)])
    pipe.write(TO, b"abc", 100)
    assert pipe.next_arrival() == 125
    assert pipe.read(TO, 124) == b""
    assert pipe.read(TO, 125) == b"abc"


@pytest.mark.parametrize("baud, size, last_ms", [(9_600, 96, 100), (115_200, 230, 20), (1_000, 1, 10)])
def test_pacing_is_ten_bits_a_byte(baud: int, size: int, last_ms: int) -> None:
    pipe = Pipe(baud=baud)
    pipe.write(TO, bytes(size), 0)
    assert len(pipe.read(TO, last_ms - 1)) < size
    assert pipe.next_arrival() == last_ms
    pipe.read(TO, last_ms)
    assert pipe.next_arrival() is None


@given(st.lists(st.tuples(st.sampled_from(Direction), st.binary(max_size=9)), max_size=12), st.integers(0, 40))
@settings(max_examples=80, deadline=None)
def test_a_cut_passes_exactly_its_bytes(writes: list[tuple[Direction, bytes]], byte: int) -> None:
    pipe, passed = Pipe([Cut(TO, byte)]), {TO: b"", FROM: b""}
    expected = {TO: b"", FROM: b""}
    for way, data in writes:
        pipe.write(way, data, 0)
        for value in data:
            if len(expected[TO]) < byte:
                expected[way] += bytes([value])
    for way in Direction:
        passed[way] = pipe.read(way, 0)
    assert passed == expected


class ByteAfterByte(Pipe):
    """A pipe that looks at every byte by itself."""

    def _is_untouched(self, direction: Direction, size: int, now_ms: int) -> bool:
        return False


WAYS = st.sampled_from(Direction)
BYTES = st.integers(0, 30)
FAULTS = st.lists(
    st.one_of(
        st.builds(Cut, WAYS, BYTES),
        st.builds(Drop, WAYS, BYTES, st.integers(1, 4)),
        st.builds(Flip, WAYS, BYTES, st.integers(1, 255)),
        st.builds(Duplicate, WAYS, BYTES, st.integers(1, 4)),
        st.builds(Delay, WAYS, BYTES, st.integers(1, 4), st.integers(0, 30)),
    ),
    max_size=3,
)


@given(
    FAULTS,
    st.lists(st.tuples(WAYS, st.binary(max_size=9), st.integers(0, 9), st.booleans()), max_size=12),
    st.sampled_from([None, 9_600, 115_200]),
)
@settings(max_examples=150, deadline=None)
def test_bytes_that_pass_at_once_arrive_as_byte_after_byte(
    faults: list[Fault], writes: list[tuple[Direction, bytes, int, bool]], baud: int | None
) -> None:
    told = []
    for kind in (Pipe, ByteAfterByte):
        pipe, now, seen = kind(faults, baud=baud), 0, []
        for way, data, later_ms, heals in writes:
            now += later_ms
            pipe.write(way, data, now)
            if heals:
                pipe.heal()
            seen.append((pipe.read(way, now), pipe.next_arrival(), pipe.is_cut, dict(pipe.offered), dict(pipe.passed)))
        seen.append((pipe.read(TO, 10**6), pipe.read(FROM, 10**6), None, {}, {}))
        told.append(seen)
    assert told[0] == told[1]
