"""What pyserial does to us, with a class that does it: each fault of a line is link loss, whatever it is raised as."""

import errno
import os
import pty
import struct
import termios

import pytest
import serial

from drivers.errors import PortBusy, PortDenied, PortError, PortLost, PortNotFound
from drivers.serial_port import WRITE_TIMEOUT_S, SerialPort, claim, open_port

TIOCGEXCL = 0x80045440


class Line:
    """A line as pyserial makes it, that fails as told."""

    fails: BaseException | None = None
    opening: BaseException | None = None
    latency: BaseException | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []
        self.is_open = False

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("write_timeout", "exclusive"):
            self.calls.append((name, value))
        object.__setattr__(self, name, value)

    def open(self) -> None:
        if self.opening:
            raise self.opening
        self.is_open = True

    def read(self, size: int) -> bytes:
        if self.fails:
            raise self.fails
        return b""

    def write(self, data: bytes) -> int:
        if self.fails:
            raise self.fails
        return len(data)

    def set_low_latency_mode(self, wanted: bool) -> None:
        self.calls.append(("low latency", wanted))
        if self.latency:
            raise self.latency

    def cancel_write(self) -> None:
        if self.fails:
            raise self.fails

    def reset_output_buffer(self) -> None:
        if self.fails:
            raise self.fails

    def close(self) -> None:
        self.calls.append(("close", None))
        if self.fails:
            raise self.fails


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    made = Line()

    def make(url: str, **options: object) -> Line:
        made.calls.append((url, tuple(sorted(options.items()))))
        return made

    monkeypatch.setattr(serial, "serial_for_url", make)
    return made


FAULTS = [
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ENXIO, "No such device or address"),
    OSError(errno.ENODEV, "No such device"),
    OSError(errno.EBADF, "Bad file descriptor"),
    BrokenPipeError(),
    ConnectionResetError(),
    TimeoutError("timed out"),
    serial.SerialException("device reports readiness to read but returned no data"),
    serial.SerialTimeoutException("Write timeout"),
    serial.PortNotOpenError(),
    termios.error(errno.EIO, "Input/output error"),
    TypeError("'NoneType' object cannot be interpreted as an integer"),
    ValueError("file descriptor cannot be a negative integer (-1)"),
    AttributeError("'NoneType' object has no attribute 'sendall'"),
    struct.error("unpack requires a buffer of 4 bytes"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_whatever_an_open_line_raises_is_link_loss_and_closing_never_fails(line: Line, fault: Exception) -> None:
    port = open_port("/dev/ttyUSB0")
    line.fails = fault
    with pytest.raises(PortLost, match="Plug the wand in again"):
        port.read(0)
    with pytest.raises(PortLost):
        port.write(b"x")
    port.abort()
    assert port.read(1) == b""
    port.close()
    port.close()
    assert line.calls.count(("close", None)) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (serial.SerialException(errno.EBUSY, "busy"), PortBusy),
        (serial.SerialException(errno.EAGAIN, "Could not exclusively lock port"), PortBusy),
        (serial.SerialException(errno.EACCES, "Permission denied"), PortDenied),
        (serial.SerialException(errno.ENOENT, "No such file"), PortNotFound),
        (serial.SerialException("could not open port 'COM3': PermissionError(13, 'Access is denied.')"), PortBusy),
        (termios.error(errno.EIO, "Input/output error"), PortNotFound),  # pulled out while being opened
        (NotImplementedError("write_timeout is currently not supported"), PortNotFound),
        (TypeError("'<=' not supported between instances of 'int' and 'NoneType'"), PortNotFound),
    ],
    ids=lambda value: getattr(value, "__name__", None) or type(value).__name__,
)
def test_whatever_opening_raises_has_its_sentence(line: Line, fault: Exception, kind: type[PortError]) -> None:
    line.opening = fault
    with pytest.raises(kind) as raised:
        open_port("/dev/ttyUSB0")
    assert type(raised.value) is kind
    assert raised.value.__cause__ is fault


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("/dev/ttyUSB0?baud=57600", {"write_timeout": WRITE_TIMEOUT_S, "exclusive": True, "low latency": True}),
        ("socket://h:1", {"write_timeout": WRITE_TIMEOUT_S}),
        ("rfc2217://h:1?baud=57600", {}),  # it would refuse the one, and has neither of the others
    ],
)
def test_each_kind_of_line_is_given_what_it_takes(line: Line, url: str, settings: dict[str, object]) -> None:
    port = open_port(url)
    (called, options), *rest = line.calls
    assert called == url.partition("?")[0]
    assert dict(options)["baudrate"] == (57_600 if "baud" in url else 115_200)  # type: ignore[call-overload]
    assert dict(options)["do_not_open"] is True  # type: ignore[call-overload]
    assert dict(rest) == settings
    port.close()


@pytest.mark.parametrize(
    "fault", [ValueError("Failed to update ASYNC_LOW_LATENCY flag"), OSError(25, "x"), NotImplementedError()]
)
def test_a_line_without_low_latency_mode_is_used_as_it_is(line: Line, fault: Exception) -> None:
    line.latency = fault
    port = open_port("/dev/ttyUSB0")
    port.write(b"x")
    assert ("low latency", True) in line.calls
    port.close()


def exclusive(fd: int) -> bool:
    import array
    import fcntl

    flag = array.array("i", [0])
    fcntl.ioctl(fd, TIOCGEXCL, flag)
    return bool(flag[0])


def test_a_real_device_is_claimed_from_programs_that_ask_for_no_lock() -> None:
    """pyserial's lock stops only those that lock as well. The administrator is let in by the system all the same."""
    leader, follower = pty.openpty()
    try:
        claim(follower, True)
        assert exclusive(follower)
        claim(follower, False)
        assert not exclusive(follower)
        opened = serial.Serial(os.ttyname(follower), timeout=0)
        port = SerialPort("/dev/ttyUSB0", opened, selectable=True, claim=True)
        assert exclusive(follower)
        port.close()
        assert not exclusive(follower)
    finally:
        os.close(leader)
        os.close(follower)
    claim(follower, True)  # of a device that is gone: no fault


def test_a_pseudo_terminal_is_not_claimed() -> None:
    """The pump holds its end open, so the claim of a tablet that was killed would stay for ever."""
    leader, follower = pty.openpty()
    port = open_port(os.ttyname(follower))
    assert not exclusive(follower)
    port.close()
    os.close(leader)
    os.close(follower)
