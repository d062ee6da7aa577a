"""A port with a virtual pump behind a virtual adapter, on a clock that jumps; and a relay that can be made wrong."""

import zlib
from collections.abc import Callable

from cobs import cobs

from drivers.virtual.firmware import Firmware
from drivers.virtual.host import VirtualPumpHost
from programmer.qa import conformance_cases
from programmer.qa.conformance import Report, chosen, run
from programmer.qa.conformance_line import Bench, Line, Material
from protocol.link import LinkTiming
from protocol.noise import public_key
from protocol.session import ImplantCard, Pairing, TabletKeys
from tests.virtual.clinic import TABLET, entropy, key, provision

CARD_SECRET = key("card secret")
SERIAL = "VP-0007"
MATERIAL = Material(
    TabletKeys(TABLET, key("tablet")),
    (Pairing(SERIAL, public_key(key("pump static")), key("psk")),),
    {SERIAL: provision().identity().receipt_public},
    ImplantCard(SERIAL, public_key(key("pump static")), CARD_SECRET),
)


class Relay:
    """What lies between the port and a good device: nothing. Subclasses do one thing wrong."""

    def __init__(self, host: VirtualPumpHost) -> None:
        self.host = host

    def to_device(self, piece: bytes) -> bytes:
        """One delimited piece on its way to the device."""
        return piece

    def to_tablet(self, data: bytes) -> bytes:
        """An answer on its way back."""
        return data

    def idle(self, ms: int) -> bytes:
        """Bytes that come unasked while the tablet has waited so long."""
        return b""


class HostPort:
    """``drivers.port.Port`` around a virtual pump's host; a read that waits lets the clock jump."""

    url = "memory"

    def __init__(self, host: VirtualPumpHost, relay: Relay) -> None:
        self.host, self.relay, self.ms = host, relay, 1_000
        self._waiting, self._partial = b"", b""

    def clock_ms(self) -> int:
        return self.ms

    def write(self, data: bytes) -> None:
        *pieces, self._partial = (self._partial + data).split(b"\x00")
        for piece in pieces:
            sent = self.relay.to_device(piece + b"\x00")
            self._waiting += self.relay.to_tablet(self.host.feed(sent, self.ms)) if sent else b""

    def read(self, timeout_s: float) -> bytes:
        if not self._waiting:
            waited = max(1, round(timeout_s * 1000))
            self.ms += waited
            self._waiting = self.host.tick(self.ms) + self.relay.idle(waited)
        data, self._waiting = self._waiting, b""
        return data

    def wake(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


def new_host() -> VirtualPumpHost:
    made = provision(card_secret=CARD_SECRET.hex())
    firmware = Firmware(made.identity())
    start_ms = (made.start_s or 0) * 1_000
    state = firmware.manufacture(clock_ms=start_ms, program=made.first_program(), fill_nl=made.fill_nl)
    host = VirtualPumpHost(
        firmware,
        state,
        private=key("pump static"),
        tablets=made.paired(),
        entropy=entropy("pump"),
        now_ms=1_000,
        clock_ms=start_ms,
        card_secret=CARD_SECRET,
    )
    host.advance(14 * 86_400_000, 1_000)
    return host


def report_of(
    role: str,
    relay: Callable[[VirtualPumpHost], Relay] = Relay,
    *,
    material: Material = MATERIAL,
    slow: bool = False,
    only: str = "",
) -> tuple[Report, VirtualPumpHost]:
    """The report on a virtual device behind this relay."""
    host = new_host()
    port = HostPort(host, relay(host))
    line = Line(port, port.clock_ms, LinkTiming(None), 20)
    bench = Bench(line, material, entropy("conformance"), slow=slow)
    return run(bench, role, chosen(conformance_cases.of(role), only)), host


def body_of(piece: bytes) -> bytes:
    """The body of a delimited piece; empty where the stuffing is wrong."""
    try:
        return cobs.decode(piece.rstrip(b"\x00"))
    except cobs.DecodeError:
        return b""


def framed(covered: bytes, crc: int | None = None) -> bytes:
    """A delimited piece around these bytes."""
    number = zlib.crc32(covered) if crc is None else crc
    return cobs.encode(covered + number.to_bytes(4, "big")) + b"\x00"
