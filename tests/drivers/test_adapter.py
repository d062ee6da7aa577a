"""The adapter a person chose: found again by its USB serial number, and no other device is ever opened."""

import os
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from drivers.adapter import Adapter
from drivers.discovery import PortInfo, info_of, list_ports
from drivers.errors import BadAddress, ListingRefused, OpeningCancelled, PortError, PortLost, PortNotFound
from drivers.opening import Opening
from drivers.port import MemoryPort, Port, memory_pair
from drivers.runner import MAX_WAIT_MS, PortLostEvent, PortRunner, monotonic_ms
from drivers.serial_port import OPENING, open_port
from drivers.virtual.profiles import load_profile
from drivers.virtual.server import Server
from programmer.visit.line import LineLost, PortGone, PortLine
from protocol.events import EndReason
from protocol.link import LinkTiming
from protocol.messages import GetStatus, Status
from protocol.session import Pairing, TabletKeys
from tests.bench import PSK, PUMP_PRIVATE, SERIAL, TABLET_ID, TABLET_PRIVATE, provision, public_x25519, stream
from tests.drivers.test_runner import Echo

WATCHDOG_S = 2.0


def usb(url: str, serial: str | None, pid: int = 0x6001) -> PortInfo:
    return PortInfo(url, "Wand", 0x0403, pid, serial)


class World:
    """What is plugged in, and which names were opened."""

    def __init__(self, *present: PortInfo) -> None:
        self.present = list(present)
        self.opened: list[str] = []

    def open(self, url: str) -> Port:
        self.opened.append(url)
        return memory_pair()[0]

    def adapter(self, url: str) -> Adapter:
        return Adapter(url, open_=self.open, ports=lambda: self.present)


W1, W2 = usb("/dev/ttyUSB0", "W-1"), usb("/dev/ttyUSB1", "W-2")


@pytest.mark.parametrize(
    ("now", "opens", "word"),
    [
        ([W1, W2], "/dev/ttyUSB0", ""),
        ([usb("/dev/ttyUSB7", "W-1"), W2], "/dev/ttyUSB7", ""),
        ([], None, "W-1 is not plugged in"),
        ([usb("/dev/ttyUSB0", "W-2"), usb("/dev/ttyUSB1", "W-1")], "/dev/ttyUSB1", ""),  # the two changed places
        ([usb("/dev/ttyUSB0", "W-9")], None, "not plugged in"),  # a foreign device has the old name
        ([usb("/dev/ttyUSB0", None)], None, "not plugged in"),
        ([usb("/dev/ttyUSB0", "W-1", pid=0x7523)], None, "not plugged in"),  # same number, another maker's product
        ([usb("/dev/ttyUSB3", "W-1"), usb("/dev/ttyUSB4", "W-1")], None, "several devices"),
        ([usb("/dev/ttyUSB0", "w-1")], None, "not plugged in"),  # compared raw
    ],
)
def test_after_a_replug_the_identity_decides(now: list[PortInfo], opens: str | None, word: str) -> None:
    world = World(W1, W2)
    adapter = world.adapter("/dev/ttyUSB0?baud=57600")
    adapter.open()
    world.present = now
    if opens is None:
        with pytest.raises(PortNotFound, match=word):
            adapter.open()
        assert world.opened == ["/dev/ttyUSB0?baud=57600"]
    else:
        adapter.open()
        assert world.opened == ["/dev/ttyUSB0?baud=57600", f"{opens}?baud=57600"]


@pytest.mark.parametrize(
    ("now", "opened"),
    [
        ([usb("/dev/ttyUSB0", None)], True),
        ([usb("/dev/ttyUSB0", None, pid=0x7523)], False),
        ([usb("/dev/ttyUSB0", "W-1")], False),
        ([usb("/dev/ttyUSB5", None)], True),  # nothing has the name: the system says that it is not there
    ],
)
def test_a_device_without_serial_number_is_known_by_all_the_rest(now: list[PortInfo], opened: bool) -> None:
    world = World(usb("/dev/ttyUSB0", None))
    adapter = world.adapter("/dev/ttyUSB0")
    adapter.open()
    world.present = now
    if opened:
        adapter.open()
    else:
        with pytest.raises(PortNotFound, match="another device has this name now"):
            adapter.open()
    assert set(world.opened) == {"/dev/ttyUSB0"}


def test_an_address_without_identity_is_opened_as_it_is() -> None:
    world = World(W1)
    for url in ("socket://127.0.0.1:7", "rfc2217://h:7?baud=9600", "/dev/pts/3"):
        adapter = world.adapter(url)
        adapter.open()
        adapter.open()
    assert world.opened == [
        url for url in ("socket://127.0.0.1:7", "rfc2217://h:7?baud=9600", "/dev/pts/3") for _ in "12"
    ]
    with pytest.raises(BadAddress):
        world.adapter("/dev/ttyUSB0?baud=1")


def test_a_device_is_known_by_its_links_too(tmp_path: object) -> None:
    device, link = f"{tmp_path}/ttyUSB0", f"{tmp_path}/by-id"
    os.symlink(device, link)
    assert info_of(link, [usb(device, "W-1")]) == usb(device, "W-1")
    assert info_of(link, [W1]) is None


def test_listing_that_fails_does_not_keep_a_port_from_opening() -> None:
    def fails() -> list[PortInfo]:
        raise OSError(19, "No such device")

    world = World()
    Adapter("/dev/ttyUSB0", open_=world.open, ports=fails).open()
    assert world.opened == ["/dev/ttyUSB0"]


def test_ports_are_never_listed_while_a_device_is_being_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """In both orders, and the source is not even asked."""
    entered, go, asked = threading.Event(), threading.Event(), []

    def slow(url: str, **_: object) -> object:
        entered.set()
        assert go.wait(WATCHDOG_S)
        raise OSError(2, "No such file or directory")

    monkeypatch.setattr("serial.serial_for_url", slow)
    opening = Opening("/dev/ttyUSB0", open_port)
    assert entered.wait(WATCHDOG_S)
    with pytest.raises(ListingRefused, match="Wait until it is open"):
        list_ports(lambda: asked.append(1) or [], wait_s=0.02)
    assert asked == []
    go.set()
    with pytest.raises(PortNotFound):
        opening.wait(WATCHDOG_S)
    assert list_ports(lambda: asked.append(OPENING.locked()) or []) == []
    assert asked == [True]
    assert not OPENING.locked()


def test_listing_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr("serial.Serial.open", opened.append)
    monkeypatch.setattr("serial.serial_for_url", opened.append)
    list_ports()
    assert opened == []


class Slow:
    """An opener that waits until it is let go."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.near, self.far = memory_pair()

    def open(self, url: str) -> Port:
        self.entered.set()
        assert self.go.wait(WATCHDOG_S)
        return self.near

    def closed_late(self) -> bool:
        """Let it open after all; whether the port was closed again."""
        self.go.set()
        try:
            self.far.read(WATCHDOG_S)
        except PortLost:
            return True
        return False


def in_thread(work: Callable[[], object]) -> "queue.Queue[object]":
    ended: queue.Queue[object] = queue.Queue()

    def run() -> None:
        try:
            ended.put(work())
        except Exception as error:
            ended.put(error)

    threading.Thread(target=run, daemon=True).start()
    return ended


def test_a_pending_open_is_given_up_at_once_and_closed_when_it_comes() -> None:
    slow = Slow()
    adapter = Adapter("socket://h:1", open_=slow.open)
    ended = in_thread(adapter.open)
    assert slow.entered.wait(WATCHDOG_S)
    adapter.cancel()
    assert isinstance(ended.get(timeout=WATCHDOG_S), OpeningCancelled)  # while the opener still waits
    assert slow.closed_late()
    again = in_thread(adapter.open)  # the person may try again
    assert again.get(timeout=WATCHDOG_S) is slow.near


def test_giving_up_while_the_device_is_looked_up_opens_nothing() -> None:
    world = World()

    def look() -> list[PortInfo]:
        adapter.cancel()
        return []

    adapter = Adapter("/dev/ttyUSB0", open_=world.open, ports=look)
    with pytest.raises(OpeningCancelled):
        adapter.open()
    assert world.opened == []


def test_an_open_that_takes_too_long_is_closed_when_it_comes() -> None:
    slow = Slow()
    with pytest.raises(PortNotFound, match=r"no answer in 0\.02 s"):
        Opening("socket://h:1", slow.open).wait(0.02)
    assert slow.closed_late()


def test_an_open_that_is_interrupted_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    opening = Opening("socket://h:1", slow.open)

    def ctrl_c(_: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(opening._ended, "wait", ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        opening.wait()
    assert slow.closed_late()


@pytest.mark.parametrize("error", [PortNotFound("x"), PortLost("x"), ZeroDivisionError()])
def test_what_the_opener_raises_comes_to_who_waits(error: Exception) -> None:
    def fails(url: str) -> Port:
        raise error

    with pytest.raises(type(error)) as raised:
        Opening("x", fails).wait(WATCHDOG_S)
    assert raised.value is error


def test_giving_up_an_open_port_leaves_it_to_its_owner() -> None:
    near, far = memory_pair()
    opening = Opening("x", lambda url: near)
    port = opening.wait(WATCHDOG_S)
    opening.cancel()
    port.write(b"still mine")
    assert far.read(1) == b"still mine"


class Counting(MemoryPort):
    """Counts the reads that end after the plug was pulled."""

    polls = 0

    def read(self, timeout_s: float) -> bytes:
        assert timeout_s * 1000 <= MAX_WAIT_MS <= 50
        self.polls += 1
        return super().read(timeout_s)


def test_a_pulled_plug_is_told_at_the_next_poll() -> None:
    """Polls are at most 50 ms apart, so one poll is well within 100 ms."""
    port, events = Counting("counting"), queue.Queue[object]()
    runner = PortRunner(port, Echo(), on_event=events.put)
    runner.start()
    while port.polls < 3:
        pass
    before = port.polls
    port.hang_up()
    assert isinstance(events.get(timeout=WATCHDOG_S), PortLostEvent)
    assert port.polls <= before + 1
    runner.stop()


class Desk:
    """A virtual pump on a pseudo-terminal, served by one thread, which also pulls its plug."""

    def __init__(self) -> None:
        made = provision()
        self.server = Server(
            listen="pty", control=None, provision=made, profile=load_profile(made.profile), seed=1, path=None,
            catch_up=False,
        )  # fmt: skip
        self._acts: queue.Queue[Callable[[], None]] = queue.Queue()
        self._going = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._going:
            self.server.turn(10)
            while not self._acts.empty():
                self._acts.get()()

    @property
    def name(self) -> str:
        return self.server.line.name

    def unplug(self) -> None:
        self._acts.put(self.server.line.unplug)

    def close(self) -> None:
        self._going = False
        self._thread.join(WATCHDOG_S)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_a_wand_pulled_and_plugged_in_elsewhere_goes_on_under_its_new_name(desk: Desk) -> None:
    """A real pseudo-terminal that comes back under another name; the device tree is the only thing that is made up."""
    plugged, opened, notices = [True], list[str](), list[object]()
    world = {"/dev/ttyUSB0": desk.name}

    def present() -> list[PortInfo]:
        name = next(iter(world)) if world else ""
        return [usb(name, "W-1"), usb("/dev/ttyUSB9", "W-2")] if plugged[0] else [usb("/dev/ttyUSB0", "W-2")]

    def open_(url: str) -> Port:
        opened.append(url)
        return open_port(world[url])

    adapter = Adapter("/dev/ttyUSB0", open_=open_, ports=present)
    line = PortLine(
        adapter.open(), TabletKeys(TABLET_ID, TABLET_PRIVATE),
        {SERIAL: Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)}, LinkTiming(None), monotonic_ms,
        stream("tablet"), notices.append, lambda _: None, adapter.open, adapter.cancel,
    )  # fmt: skip
    line.connect()
    assert isinstance(line.exchange(GetStatus()), Status)

    old = desk.name
    told = threading.Event()
    line._notice = lambda event: (notices.append(event), told.set())
    desk.unplug()
    assert told.wait(WATCHDOG_S)  # told without anybody asking
    assert notices[-1] is EndReason.PORT_LOST
    with pytest.raises(LineLost):
        line.exchange(GetStatus())
    assert desk.name != old

    plugged[0] = False
    with pytest.raises(PortGone, match="W-1 is not plugged in"):
        line.connect()

    plugged[0] = True
    world.clear()
    world["/dev/ttyUSB4"] = desk.name
    line.connect()
    assert isinstance(line.exchange(GetStatus()), Status)
    assert opened == ["/dev/ttyUSB0", "/dev/ttyUSB4"]
    line.close()


def test_closing_the_line_gives_up_a_port_that_is_being_opened_again() -> None:
    slow, (near, far) = Slow(), memory_pair()
    ports = iter([lambda url: near, slow.open])
    adapter = Adapter("socket://h:1", open_=lambda url: next(ports)(url))
    line = PortLine(
        adapter.open(), TabletKeys(TABLET_ID, TABLET_PRIVATE), {}, LinkTiming(None), monotonic_ms, stream("t"),
        reopen=adapter.open, give_up=adapter.cancel,
    )  # fmt: skip
    far.close()
    line._runner._thread.join(WATCHDOG_S)
    ended = in_thread(line.connect)
    assert slow.entered.wait(WATCHDOG_S)
    line.close()
    gone = ended.get(timeout=WATCHDOG_S)
    assert isinstance(gone, PortGone)
    assert "cancelled" in str(gone)
    assert slow.closed_late()


def test_no_sentence_steers_the_terminal() -> None:
    for kind in (PortError, *PortError.__subclasses__()):
        error = kind("/dev/tty\x1b[2J", "W\x1b]0;owned\x07")
        assert str(error).isprintable()
        assert error.url == "/dev/tty\x1b[2J"  # raw, for comparing
