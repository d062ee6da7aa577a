"""One whole session of the specification, byte by byte: a real tablet's end, a real pump's end, keys from this file."""

import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from drivers.pipe import Direction
from protocol.framing import Frame, FrameDecoder
from protocol.link import Address, Kind, split_address_type
from protocol.messages import Message, encode_message
from protocol.noise import HandshakeState
from tests.bench import (
    DOCTOR,
    PSK,
    PUMP_PRIVATE,
    RECEIPT,
    SERIAL,
    TABLET_ID,
    TABLET_PRIVATE,
    Bench,
    dose,
    public_ed25519,
    public_x25519,
)
from tests.credentials import ROOT
from tests.house.spec_states import capitals

WIDTH = 108


@dataclass
class Recorder:
    """What went over the line, and what stood in the sealed frames."""

    frames: list[tuple[Direction, bytes, Frame]]
    plain: list[tuple[str, bytes]]
    keys: list[tuple[str, bytes]]
    ephemeral: dict[str, bytes]


def record() -> Recorder:
    """Read, stage, read back, sign, commit, verify, close."""
    bench = Bench()
    shell = bench.shell()
    found = Recorder([], [], [], {})
    line: Any = shell.desk.line
    _listen(bench, found)
    _open_up(line, found)
    shell.read()
    shell.propose(dose(115_000))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    shell.refresh()
    shell.leave()
    return found


def _listen(bench: Bench, found: Recorder) -> None:
    write = bench.pipe.write
    ears = {Direction.TO_PUMP: FrameDecoder(), Direction.FROM_PUMP: FrameDecoder()}

    def heard(way: Direction, data: bytes, now_ms: int) -> None:
        for item in ears[way].feed(data):
            assert isinstance(item, Frame)
            found.frames.append((way, data, item))
        write(way, data, now_ms)

    bench.pipe.write = heard  # type: ignore[method-assign]


def _open_up(line: Any, found: Recorder) -> None:
    """Note the plain messages as they are asked and answered, and the keys when the session opens."""
    connection, exchange = line.connection, line.exchange
    split: Callable[[HandshakeState], Any] = HandshakeState.split

    def asked(message: Message) -> Message:
        number = connection._request_id + 1
        found.plain.append((capitals(type(message).__name__), encode_message(number, message)))
        answer: Message = exchange(message)
        found.plain.append((capitals(type(answer).__name__), encode_message(number, answer)))
        return answer

    def opened(handshake: HandshakeState) -> Any:
        ciphers = split(handshake)
        if not found.keys:
            found.keys.append(("handshake hash", handshake.handshake_hash))
            names = ("key to the pump", "key from the pump")
            found.keys += [(name, cipher.k) for name, cipher in zip(names, ciphers, strict=True)]
        return ciphers

    def begun(handshake: HandshakeState, *names: Any, **given: Any) -> None:
        begin(handshake, *names, **given)
        if not found.keys:
            found.ephemeral["tablet" if given["initiator"] else "pump"] = given["e"]

    line.exchange = asked
    HandshakeState.split = opened  # type: ignore[method-assign]
    begin: Callable[..., None] = HandshakeState.__init__
    HandshakeState.__init__ = begun  # type: ignore[method-assign]
    connect = line.connect

    def connected() -> Any:
        try:
            return connect()
        finally:
            HandshakeState.split = split  # type: ignore[method-assign]
            HandshakeState.__init__ = begin  # type: ignore[method-assign]

    line.connect = connected


def _hex(label: str, data: bytes) -> Iterator[str]:
    lead = f"    {label:<7} "
    yield from textwrap.wrap(data.hex(" "), WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))


def sections() -> list[str]:
    """Section 11."""
    found = record()
    lines = [
        "",
        "## 11. A whole session",
        "",
        "A routine session with these keys, all in hex. The pump has delivered 100 mcg/day at 500 mcg/mL for 14 days;",
        "a prescriber raises the dose to 115 mcg/day. `wire` is what the line carries, `payload` what the frame holds,",
        "`plain` what a sealed payload holds.",
        "",
        f"    pump serial              {SERIAL}",
        f"    tablet id                {TABLET_ID}",
    ]
    for name, data in (
        ("tablet X25519 private", TABLET_PRIVATE),
        ("tablet X25519 public", public_x25519(TABLET_PRIVATE)),
        ("pump X25519 private", PUMP_PRIVATE),
        ("pump X25519 public", public_x25519(PUMP_PRIVATE)),
        ("pairwise key (PSK)", PSK),
        ("clinic root, Ed25519", public_ed25519(ROOT)),
        ("prescriber seed, Ed25519", DOCTOR.seed),
        ("prescriber, Ed25519", DOCTOR.public_key),
        ("receipt key, Ed25519", public_ed25519(RECEIPT)),
        *((f"{side} ephemeral private", found.ephemeral[side]) for side in ("tablet", "pump")),
        *found.keys,
    ):
        lines.append(f"    {name:<24} {data.hex()}")
    plain = iter(found.plain)
    for number, (way, wire, frame) in enumerate(found.frames, 1):
        address, kind = split_address_type(frame.address_type)
        arrow = "tablet to " if way is Direction.TO_PUMP else "from "
        peer = "wand" if address == Address.WAND else "pump"
        sealed = address == Address.PUMP and kind in (Kind.DATA, Kind.DATA_REPLY)
        name, message = next(plain) if sealed else ("", b"")
        lines += ["", f"{number}. {arrow}{peer}: {Kind(kind).name} {name}".rstrip(), "", *_hex("wire", wire)]
        lines += _hex("payload", frame.payload) if frame.payload else []
        lines += _hex("plain", message) if message else []
    return lines
