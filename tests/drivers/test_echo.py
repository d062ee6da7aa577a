"""The echo of a half-duplex line: taken out byte for byte, and nothing else is ever lost."""

import os
import pty
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.echo import EchoFilter, Heard, Listener
from drivers.port import memory_pair
from drivers.runner import monotonic_ms
from drivers.serial_port import open_port
from programmer.visit.line import NoPump, PortLine
from protocol.link import LinkTiming
from protocol.messages import GetStatus, Status
from protocol.session import Pairing, TabletKeys
from tests.bench import PSK, PUMP_PRIVATE, SERIAL, TABLET_ID, TABLET_PRIVATE, Clock, PumpEnd, public_x25519, stream

PIECES = st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("sent", "arrived", "read", "heard"),
    [
        ([b"ask"], [b"ask", b"answer"], b"answer", (9, 3)),
        ([b"ask"], [b"as", b"kans", b"wer"], b"answer", (9, 3)),
        ([b"ask", b"ask"], [b"askask", b"answer"], b"answer", (12, 6)),
        ([b"ask"], [b"answer"], b"answer", (6, 0)),  # no echo on this line
        ([b"ask"], [b"aXk", b"answer"], b"aXkanswer", (9, 0)),  # a damaged echo goes on, and framing drops it
        ([b"ask"], [b"ask", b"ask"], b"ask", (6, 3)),  # it came twice: once is echo
        ([], [b"noise"], b"noise", (5, 0)),
        ([b""], [b"noise"], b"noise", (5, 0)),
    ],
)
def test_what_goes_on_to_the_reader(
    sent: list[bytes], arrived: list[bytes], read: bytes, heard: tuple[int, int]
) -> None:
    taking, watching = EchoFilter(cancel=True), EchoFilter()
    for piece in sent:
        taking.sent(piece)
        watching.sent(piece)
    assert b"".join(taking.received(piece) for piece in arrived) == read
    assert b"".join(watching.received(piece) for piece in arrived) == b"".join(arrived)
    assert taking.heard == watching.heard == Heard(*heard)


@given(PIECES, st.binary(max_size=40), st.data())
@settings(max_examples=60, deadline=None)
def test_an_echo_in_any_pieces_vanishes_whole(sent: list[bytes], answer: bytes, data: st.DataObject) -> None:
    line, filter_ = b"".join(sent) + answer, EchoFilter(cancel=True)
    for piece in sent:
        filter_.sent(piece)
    read = b""
    while line:
        size = data.draw(st.integers(1, len(line)))
        read += filter_.received(line[:size])
        line = line[size:]
    assert read == answer
    assert filter_.heard == Heard(sum(map(len, sent)) + len(answer), sum(map(len, sent)))


@given(PIECES, PIECES)
@settings(max_examples=60, deadline=None)
def test_what_differs_from_the_first_byte_is_never_touched(sent: list[bytes], arrived: list[bytes]) -> None:
    """Frames to the pump begin with the idle delimiter 0x00 and answers do not: a line without echo loses nothing."""
    filter_, answers = EchoFilter(cancel=True), [b"\x01" + piece for piece in arrived]
    for piece in sent:
        filter_.sent(b"\x00" + piece)
    assert b"".join(filter_.received(piece) for piece in answers) == b"".join(answers)


def test_a_line_that_never_echoes_does_not_fill_the_memory() -> None:
    filter_ = EchoFilter(cancel=True)
    for _ in range(10_000):
        filter_.sent(bytes(250))
    assert len(filter_._owed) <= 64


class EchoingEnd:
    """A pseudo-terminal that returns each byte at once, then lets the pump answer, if there is one."""

    def __init__(self, pump: PumpEnd | None) -> None:
        self.leader, self.follower = pty.openpty()
        self.name = os.ttyname(self.follower)
        self._pump = pump
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while data := os.read(self.leader, 4_096):
                os.write(self.leader, data)
                if self._pump is not None:
                    os.write(self.leader, self._pump.host.feed(data, self._pump.clock.ms))
        except OSError:
            return  # the other end closed

    def close(self) -> None:
        os.close(self.follower)
        self._thread.join(2)
        os.close(self.leader)


def line_over(url: str, timing: LinkTiming) -> PortLine:
    pairing = Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)
    return PortLine(
        open_port(url), TabletKeys(TABLET_ID, TABLET_PRIVATE), {SERIAL: pairing}, timing, monotonic_ms, stream("t")
    )


@pytest.mark.parametrize("option", ["", "?echo=cancel"])
def test_a_pump_is_read_over_a_line_that_hears_itself(option: str) -> None:
    """With and without cancelling: the link drops its own frames, for a request is no reply."""
    end = EchoingEnd(PumpEnd(Clock()))
    line = line_over(end.name + option, LinkTiming(None))
    line.connect()
    for _ in range(3):
        assert isinstance(line.exchange(GetStatus()), Status)
    assert isinstance(line._port, Listener)
    assert line._port.heard.echoed > 100
    assert line.connection.retries == 0
    line.close()
    end.close()


@pytest.mark.parametrize("option", ["", "?echo=cancel"])
def test_a_line_that_only_echoes_is_named(option: str) -> None:
    end = EchoingEnd(None)
    line = line_over(end.name + option, LinkTiming(None, device_ms=0, host_slack_ms=30, granularity_ms=1, attempts=2))
    with pytest.raises(NoPump, match="only returns what was sent"):
        line.connect()
    line.close()
    end.close()


def test_a_port_in_memory_says_nothing_of_what_it_heard() -> None:
    near, far = memory_pair()
    assert not isinstance(near, Listener)
    begin = time.monotonic()
    line = PortLine(
        near, TabletKeys(TABLET_ID, TABLET_PRIVATE), {}, LinkTiming(None, 0, 20, 1, 1), monotonic_ms, stream("t")
    )
    with pytest.raises(NoPump, match="No wand answers"):
        line.connect()
    line.close()
    far.close()
    assert time.monotonic() - begin < 2
