"""Ports at the command line: a pump behind a terminal server, addresses that cannot be read, text from devices."""

import socket

import pytest

from drivers.adapter import Adapter
from drivers.discovery import PortInfo
from drivers.errors import PortNotFound
from drivers.serial_port import open_port
from programmer.visit import tablet
from tests.cli.clinic import Desk
from tests.drivers.rfc2217_server import TerminalServer

pytestmark = pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5 itself


class Relay:
    """Bytes to a pump that listens on TCP, and back."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("socket://").partition(":")
        self._line = socket.create_connection((host, int(port)))
        self._line.settimeout(0.3)

    def __call__(self, data: bytes) -> bytes:
        self._line.sendall(data)
        answer = b""
        try:
            while not answer.endswith(b"\x00"):
                answer += self._line.recv(4_096)
        except TimeoutError:
            pass
        return answer

    def close(self) -> None:
        self._line.close()


def test_status_through_a_terminal_server(desk: Desk) -> None:
    relay = Relay(desk.pump.wand)
    with TerminalServer(relay, speed=57_600) as server:
        said = desk.run("status", "--port", server.url + "?baud=57600", "--json")
        assert said.code == 0, said.err
        assert said.data["schema"] == "programmer/status/1"
        assert server.settings.baudrate == 57_600
        assert desk.run("status", "--port", server.url).code == 3  # at 115,200 nothing answers
    relay.close()
    desk.run("status", "--port", "rfc2217://127.0.0.1:1").sentence(3, "There is no port", "Plug in the wand")


@pytest.mark.parametrize("port", ["/dev/ttyUSB0?baud=9601", "rfc2217://h:1?logging=debug", "socket://h:1?echo=on"])
def test_an_address_that_cannot_be_read(desk: Desk, port: str) -> None:
    desk.run("status", "--port", port).sentence(2, "no address of a port", "baud=57600")


def test_what_a_device_calls_itself_cannot_steer_the_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    nasty = PortInfo("/dev/ttyUSB0", "Wand\x1b[2J\u202e", 0x403, 0x6001, "W\x07\r\n-1")
    monkeypatch.setattr("drivers.discovery.list_ports", lambda: [nasty])
    plain, document = desk.run("ports"), desk.run("ports", "--json")
    assert (plain.code, document.code) == (0, 0)
    assert plain.out == "/dev/ttyUSB0  0403:6001  W???-1  Wand?[2J?\n"
    assert document.data["ports"][0]["usb_serial"] == "W???-1"


def test_the_adapter_stays_the_same_from_visit_to_visit_until_a_person_chooses(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"/dev/ttyUSB0": "W-1"}
    opened: list[str] = []

    def present() -> list[PortInfo]:
        return [PortInfo(name, "Wand", 0x403, 0x6001, serial) for name, serial in names.items()]

    def open_(url: str) -> object:
        opened.append(url)
        return open_port(desk.pump.wand)

    monkeypatch.setattr(tablet, "Adapter", lambda url, open_: Adapter(url, open_=open_, ports=present))
    monkeypatch.setattr(tablet, "open_port", open_)
    with tablet.Tablet.open(desk.data, desk.state) as opened_tablet:

        def visit() -> None:
            shell = opened_tablet.visit("/dev/ttyUSB0")
            shell.read()
            shell.hang_up()

        visit()
        names.clear()
        names.update({"/dev/ttyUSB4": "W-1", "/dev/ttyUSB0": "W-2"})
        visit()
        del names["/dev/ttyUSB4"]
        with pytest.raises(PortNotFound, match="W-1 is not plugged in"):
            visit()
        opened_tablet.choose_port()
        visit()
    assert opened == ["/dev/ttyUSB0", "/dev/ttyUSB4", "/dev/ttyUSB0"]
