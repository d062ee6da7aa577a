"""The link: each request is executed at most once, whatever is lost, doubled or late."""

import itertools

import pytest

from protocol.errors import FieldOutOfRange, LinkBusy, NothingToAnswer
from protocol.framing import Frame, FrameDecoder
from protocol.link import (
    Address,
    Delivered,
    Ignored,
    Kind,
    LinkLost,
    LinkTiming,
    Primary,
    Repeat,
    Request,
    Retried,
    Secondary,
    address_type,
    next_data_seq,
)

TIMING = LinkTiming(None)
STEPS = [
    (Kind.HELLO, 0xFE, b"hello nonce 1"),
    (Kind.HANDSHAKE, 0xFF, b"handshake"),
    (Kind.DATA, 0x00, b"zero"),
    (Kind.DATA, 0x01, b"one"),
    (Kind.DATA, 0x02, b"two"),
]


def one_frame(wire: bytes) -> Frame:
    (frame,) = FrameDecoder().feed(wire)
    assert isinstance(frame, Frame)
    return frame


def request(kind: int, seq: int, payload: bytes, address: int = Address.PUMP) -> Frame:
    return Frame(address_type(address, kind), seq, payload)


def answered(secondary: Secondary, kind: int, seq: int, payload: bytes) -> bytes:
    assert secondary.receive(request(kind, seq, payload)) == Request(kind, seq, payload)
    return secondary.reply(kind + 1, seq, b"re " + payload)


@pytest.mark.parametrize(
    "baud, size, expected",
    [
        (115_200, 258, 350),
        (57_600, 258, 400),
        (9_600, 258, 850),
        (None, 258, 300),
        (9_600, 6, 600),
        (4_800, 258, 1400),
    ],
)
def test_timeouts_follow_the_wire(baud: int | None, size: int, expected: int) -> None:
    assert LinkTiming(baud).timeout_ms(size) == expected


@pytest.mark.parametrize("wrong", [{"baud": 0}, {"baud": -1}, {"baud": 1, "attempts": 0}])
def test_impossible_timing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(FieldOutOfRange):
        LinkTiming(**wrong)


class Line:
    """Both ends with a plan: the fate of the n-th frame on the line, ``ok`` where the plan is silent."""

    def __init__(self, plan: dict[int, str]) -> None:
        self.plan = plan
        self.number = 0
        self.now = 0
        self.primary = Primary(Address.PUMP, TIMING)
        self.secondary = Secondary(Address.PUMP)
        self.executed: list[tuple[int, int, bytes]] = []
        self.late: list[tuple[str, bytes]] = []
        self.delivered: list[Delivered] = []
        self.lost: list[LinkLost] = []

    def carry(self, wire: bytes, to: str) -> None:
        fate = self.plan.get(self.number, "ok")
        self.number += 1
        if fate == "late":
            self.late.append((to, wire))
        for _ in range({"ok": 1, "dup": 2}.get(fate, 0)):
            self.arrive(wire, to)

    def arrive(self, wire: bytes, to: str) -> None:
        frame = one_frame(wire)
        if to == "primary":
            outcome = self.primary.receive(frame, self.now)
            if isinstance(outcome, Delivered):
                self.delivered.append(outcome)
            return
        result = self.secondary.receive(frame)
        if isinstance(result, Request):
            self.executed.append((result.kind, result.seq, result.payload))
            self.carry(self.secondary.reply(result.kind + 1, result.seq, b"re " + result.payload), "primary")
        elif isinstance(result, Repeat) and result.reply is not None:
            self.carry(result.reply, "primary")

    def exchange(self, kind: int, seq: int, payload: bytes) -> None:
        self.primary.send(kind, seq, payload, self.now)
        while True:
            wire = self.primary.data_to_send()
            if wire:
                self.carry(wire, "secondary")
            due = self.primary.next_timeout()
            if due is None:
                return
            self.now = due
            overtaken, self.late = self.late, []
            outcome = self.primary.handle_timeout(self.now)
            if isinstance(outcome, LinkLost):
                self.lost.append(outcome)
            if self.primary.busy:
                wire = self.primary.data_to_send()
                if wire:
                    self.carry(wire, "secondary")
            for to, old in overtaken:
                self.arrive(old, to)


FATES = ("lost", "dup", "late")


@pytest.mark.parametrize("count", [1, 2])
def test_every_fate_of_every_frame_executes_each_request_once(count: int) -> None:
    cases = 0
    for places in itertools.combinations(range(2 * len(STEPS)), count):
        for fates in itertools.product(FATES, repeat=count):
            line = Line(dict(zip(places, fates, strict=True)))
            for step in STEPS:
                line.exchange(*step)
            assert line.executed == STEPS, line.plan
            assert line.delivered == [Delivered(k + 1, s, b"re " + p) for k, s, p in STEPS], line.plan
            assert line.lost == []
            cases += 1
    assert cases == {1: 30, 2: 405}[count]


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_four_attempts_of_identical_bytes_then_link_lost(direction: str) -> None:
    primary, secondary = Primary(Address.PUMP, TIMING), Secondary(Address.PUMP)
    primary.send(Kind.HELLO, 0xFE, b"n", 1000)
    sent = [primary.data_to_send()]
    times, events = [], []
    while (due := primary.next_timeout()) is not None:
        times.append(due)
        assert primary.handle_timeout(due - 1) is None
        events.append(primary.handle_timeout(due))
        sent.append(primary.data_to_send())
    assert sent == [sent[0]] * 4 + [b""]
    assert times == [1300, 1600, 1900, 2200]
    assert events == [Retried(2), Retried(3), Retried(4), LinkLost(Kind.HELLO, 0xFE, 4)]
    if direction == "reply":
        outcomes = [secondary.receive(one_frame(wire)) for wire in sent[:4]]
        assert outcomes == [Request(Kind.HELLO, 0xFE, b"n")] + [Repeat(None)] * 3
    assert not primary.busy


def test_a_reply_after_link_lost_has_no_effect() -> None:
    primary = Primary(Address.PUMP, LinkTiming(None, attempts=1))
    primary.send(Kind.HELLO, 0xFE, b"", 0)
    assert isinstance(primary.handle_timeout(300), LinkLost)
    assert isinstance(primary.receive(Frame(0x13, 0xFE, b""), 301), Ignored)
    assert primary.handle_timeout(10_000) is None


def test_one_request_at_a_time() -> None:
    primary = Primary(Address.PUMP, TIMING)
    primary.send(Kind.HELLO, 0xFE, b"", 0)
    first = primary.data_to_send()
    with pytest.raises(LinkBusy):
        primary.send(Kind.DATA, 0, b"", 0)
    assert first[0] == 0
    assert primary.data_to_send() == b""
    primary.cancel()
    assert primary.next_timeout() is None
    primary.send(Kind.HELLO, 0xFE, b"", 0)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0x12, 0xFE, b"x"),  # our own request, echoed
        Frame(0x03, 0xFE, b"x"),  # the wand adapter
        Frame(0x11, 0xFE, b"x"),  # another kind
        Frame(0x13, 0xFD, b"x"),  # another number
    ],
)
def test_only_the_reply_in_question_counts(frame: Frame) -> None:
    primary = Primary(Address.PUMP, TIMING)
    primary.send(Kind.HELLO, 0xFE, b"x", 0)
    assert isinstance(primary.receive(frame, 1), Ignored)
    assert primary.receive(Frame(0x13, 0xFE, b"y"), 2) == Delivered(Kind.HELLO_REPLY, 0xFE, b"y")
    assert isinstance(primary.receive(Frame(0x13, 0xFE, b"y"), 3), Ignored)


@pytest.mark.parametrize("kind, seq", [(1, 0), (3, 0), (6, 0), (15, 0), (2, 0), (4, 0), (0, 256)])
def test_what_is_no_request_is_refused(kind: int, seq: int) -> None:
    primary = Primary(Address.PUMP, TIMING)
    with pytest.raises(FieldOutOfRange):
        primary.send(kind, seq, b"", 0)
    assert not primary.busy
    with pytest.raises(FieldOutOfRange):
        address_type(16, 0)


def test_a_repeat_gets_the_cached_reply() -> None:
    secondary = Secondary(Address.PUMP)
    for kind, seq, payload in STEPS:
        cached = answered(secondary, kind, seq, payload)
        assert [secondary.receive(request(kind, seq, payload)) for _ in range(3)] == [Repeat(cached)] * 3


def test_exactly_the_next_number_is_accepted() -> None:
    secondary = Secondary(Address.PUMP)
    for kind, seq, payload in STEPS:
        answered(secondary, kind, seq, payload)
    accepted = {(Kind.HELLO, 0xFE), (Kind.BEACON, 0xFD), (Kind.DATA, 3)}
    for number, seq in itertools.product(range(16), range(256)):
        if (number, seq) not in accepted:
            assert isinstance(secondary.receive(request(number, seq, b"other")), Ignored), (number, seq)
    assert isinstance(secondary.receive(request(Kind.DATA, 2, b"two")), Repeat)
    assert isinstance(secondary.receive(request(Kind.DATA, 3, b"")), Request)


def test_nothing_but_a_hello_comes_first() -> None:
    secondary = Secondary(Address.PUMP)
    for kind, seq, payload in STEPS[1:]:
        assert isinstance(secondary.receive(request(kind, seq, payload)), Ignored)
    answered(secondary, *STEPS[0])
    assert isinstance(secondary.receive(request(Kind.DATA, 0, b"")), Ignored)


def test_a_new_hello_starts_afresh_and_a_stale_copy_does_not() -> None:
    for steps in range(1, len(STEPS) + 1):
        secondary = Secondary(Address.PUMP)
        for step in STEPS[:steps]:
            answered(secondary, *step)
        if steps > 1:
            assert isinstance(secondary.receive(request(*STEPS[0])), Ignored)
            assert isinstance(secondary.receive(request(*STEPS[steps - 1])), Repeat)
        for step in [(Kind.HELLO, 0xFE, b"hello nonce 2"), *STEPS[1:]]:
            answered(secondary, *step)


def test_data_numbers_wrap_and_a_repeat_never_crosses_a_kind() -> None:
    secondary = Secondary(Address.PUMP)
    for step in STEPS[:2]:
        answered(secondary, *step)
    seq = 0
    for _ in range(600):
        answered(secondary, Kind.DATA, seq, b"same")
        seq = next_data_seq(seq)
    assert seq == 600 % 256


def test_the_wand_needs_no_handshake() -> None:
    secondary = Secondary(Address.WAND, handshake=False)
    hello = request(Kind.HELLO, 0xFE, b"n", Address.WAND)
    assert isinstance(secondary.receive(hello), Request)
    assert isinstance(secondary.receive(request(Kind.HANDSHAKE, 0xFF, b"", Address.WAND)), Ignored)
    assert isinstance(secondary.receive(request(Kind.DATA, 0, b"")), Ignored)
    assert isinstance(secondary.receive(request(Kind.DATA, 0, b"", Address.WAND)), Request)


def test_a_reply_needs_its_request() -> None:
    secondary = Secondary(Address.PUMP)
    with pytest.raises(NothingToAnswer):
        secondary.reply(Kind.HELLO_REPLY, 0xFE, b"")
    secondary.receive(request(*STEPS[0]))
    for kind, seq in ((Kind.DATA_REPLY, 0xFE), (Kind.HELLO_REPLY, 0), (Kind.HELLO, 0xFE)):
        with pytest.raises(NothingToAnswer):
            secondary.reply(kind, seq, b"")
    secondary.reply(Kind.HELLO_REPLY, 0xFE, b"")
    with pytest.raises(NothingToAnswer):
        secondary.reply(Kind.HELLO_REPLY, 0xFE, b"")
    secondary.reset()
    assert isinstance(secondary.receive(request(Kind.HANDSHAKE, 0xFF, b"")), Ignored)
    assert isinstance(secondary.receive(request(*STEPS[0])), Request)
