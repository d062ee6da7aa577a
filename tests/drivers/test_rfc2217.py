"""rfc2217: a whole interrogation through a terminal server, and each way in which that ends."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from drivers.adapter import Adapter
from drivers.errors import PortLost, PortNotFound
from drivers.runner import monotonic_ms
from drivers.serial_port import WRITE_TIMEOUT_S, SerialPort, open_port
from programmer.visit.line import LineLost, NoPump, PortLine
from protocol.events import EndReason
from protocol.link import LinkTiming
from protocol.messages import GetStatus, Status
from protocol.session import Pairing, TabletKeys
from tests.bench import PSK, PUMP_PRIVATE, SERIAL, TABLET_ID, TABLET_PRIVATE, Clock, PumpEnd, public_x25519, stream
from tests.drivers.rfc2217_server import TerminalServer

pytestmark = [
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),  # pyserial 3.5 itself
    pytest.mark.usefixtures("hasty"),
]
WATCHDOG_S = 2.0
QUICK = LinkTiming(None, device_ms=0, host_slack_ms=40, granularity_ms=1, attempts=2)


def pump() -> PumpEnd:
    return PumpEnd(Clock())


@pytest.fixture
def server() -> Iterator[TerminalServer]:
    end = pump()
    with TerminalServer(lambda data: end.host.feed(data, end.clock.ms), speed=57_600) as made:
        yield made


def line_over(adapter: Adapter, timing: LinkTiming, notices: list[object] | None = None) -> PortLine:
    pairing = Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)
    return PortLine(
        adapter.open(), TabletKeys(TABLET_ID, TABLET_PRIVATE), {SERIAL: pairing}, timing, monotonic_ms,
        stream("tablet"), ([] if notices is None else notices).append, lambda _: None, adapter.open, adapter.cancel,
    )  # fmt: skip


def test_an_interrogation_and_another_after_the_terminal_server_came_back(server: TerminalServer) -> None:
    adapter = Adapter(server.url + "?baud=57600")
    assert adapter.timing_baud == 57_600
    notices: list[object] = []
    line = line_over(adapter, LinkTiming(adapter.timing_baud), notices)
    line.connect()
    assert server.settings.baudrate == 57_600
    assert (server.settings.bytesize, server.settings.parity, server.settings.stopbits) == (8, "N", 1)
    assert (server.settings.xonxoff, server.settings.rtscts) == (False, False)
    before = line.exchange(GetStatus())
    assert isinstance(before, Status)

    server.hang_up()
    with pytest.raises(LineLost):
        line.exchange(GetStatus())
    assert notices.count(EndReason.PORT_LOST) == 1

    line.connect()
    after = line.exchange(GetStatus())
    assert isinstance(after, Status)
    assert after.program == before.program
    assert server.clients == 2
    line.close()


def test_the_speed_that_was_asked_for_is_the_speed_behind(server: TerminalServer) -> None:
    """The pump behind speaks 57,600; without that option the terminal server is set to 115,200, and nothing answers."""
    line = line_over(Adapter(server.url), QUICK)
    with pytest.raises(NoPump, match="the port and its speed"):
        line.connect()
    assert server.settings.baudrate == 115_200
    line.close()


def test_bytes_that_cannot_be_read_are_told_as_another_speed() -> None:
    with TerminalServer(lambda data: data[::-1] + b"\x55", speed=9_600) as noise:
        line = line_over(Adapter(noise.url), QUICK)
        with pytest.raises(NoPump, match=r"No pump answers at this speed.*\?baud="):
            line.connect()
        line.close()


def test_every_byte_value_passes_escaped_both_ways() -> None:
    seen = bytearray()

    def echo(data: bytes) -> bytes:
        seen.extend(data)
        return data

    everything = bytes(range(256)) + b"\xff\xff\xff\x00\xff"
    with TerminalServer(echo) as server:
        port = open_port(server.url)
        port.write(everything)
        got = b""
        begin = time.monotonic()
        while len(got) < len(everything) and time.monotonic() - begin < WATCHDOG_S:
            got += port.read(0.5)
        assert (got, bytes(seen)) == (everything, everything)
        port.close()


def test_all_that_waits_is_read_in_one_go() -> None:
    """pyserial hands out one byte for each read; a frame must not cost one turn of the I/O thread for each byte."""
    with TerminalServer(lambda data: bytes(500)) as server:
        port = open_port(server.url)
        port.write(b"x")
        pieces = []
        while sum(pieces) < 500:
            pieces.append(len(port.read(0.5)))
        assert len(pieces) < 60
        port.close()


class Reads:
    """Reads again and again, and counts."""

    def __init__(self, port: SerialPort) -> None:
        self.port, self.done = port, 0

    def until(self, most: int) -> None:
        while self.done < most:
            self.port.read(0.05)
            self.done += 1


def test_a_terminal_server_that_goes_is_a_lost_port() -> None:
    with TerminalServer(lambda data: data) as server:
        port = open_port(server.url)
        server.hang_up()
        reads = Reads(port)
        with pytest.raises(PortLost):
            reads.until(20)
        assert reads.done <= 2
        port.close()


def test_closing_asks_nothing_of_a_terminal_server_that_hangs(hasty: list[float]) -> None:
    """pyserial would send a purge and wait 3 s for the answer, then sleep; none of it happens."""
    with TerminalServer(lambda data: data) as server:
        port = open_port(server.url)
        purges = server.settings.purges
        server.deaf.set()
        port.write(b"x")
        hasty.clear()
        port.abort()
        port.close()
        assert hasty == []
        server.deaf.clear()
        assert server.settings.purges == purges
        assert not [thread for thread in threading.enumerate() if server.url in thread.name]


def test_a_write_that_nobody_takes_ends() -> None:
    """``rfc2217://`` has no write timeout of its own: it would wait for ever."""
    with TerminalServer(lambda data: b"") as server:
        port = open_port(server.url)
        assert port._line._socket.gettimeout() == WRITE_TIMEOUT_S  # of the whole write, as of each read
        server.deaf.set()
        with pytest.raises(PortLost):
            port.write(bytes(16_000_000))
        port.close()
        server.deaf.clear()


def test_a_listener_that_speaks_no_telnet_is_not_found() -> None:
    """It accepts and says nothing: the opening is bounded, and the sentence says what to choose."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        adapter = Adapter(f"rfc2217://127.0.0.1:{silent.getsockname()[1]}", within_s=0.1)
        with pytest.raises(PortNotFound, match=r"no answer in 0\.1 s"):
            adapter.open()


@pytest.mark.parametrize("url", ["rfc2217://127.0.0.1:1", "rfc2217://127.0.0.1", "rfc2217://"])
def test_what_is_not_there_is_not_found(url: str) -> None:
    with pytest.raises(PortNotFound):
        open_port(url)
