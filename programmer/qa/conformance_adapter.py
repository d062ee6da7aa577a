"""Cases for an adapter: its own control messages, and the relay of frames that are not its own."""

from __future__ import annotations

from programmer.qa.conformance import ADAPTER, Failed, NotRun, Suite, require
from programmer.qa.conformance_line import PUMP_HELLO, WAND_DATA, WAND_HELLO, Bench
from protocol import cbor
from protocol import messages as m
from protocol import wand as w
from protocol.errors import ProtocolError
from protocol.framing import Frame, encode_frame
from protocol.link import HELLO_SEQ

SUITE = Suite(ADAPTER)
case = SUITE.case
IDLE_MS = 1_500
LONGEST_FILLER = 203
"""Bytes of an unknown key that make a HELLO as long as one frame takes: 248 bytes."""


def wire(frame: Frame) -> bytes:
    """The bytes of a request on the line."""
    return encode_frame(frame, idle_line=True)


def harmed(frame: Frame) -> bytes:
    """The bytes of a request whose checksum is wrong: one stuffed byte has another bit."""
    data = bytearray(wire(frame))
    data[-3] ^= 0x02 if data[-3] ^ 0x02 else 0x03
    return bytes(data)


def named(answer: Frame | None) -> w.Identity:
    """The identity in a reply. Raises ``Failed``."""
    if answer is None:
        raise Failed("no reply to IDENTIFY")
    require((answer.address_type, answer.seq) == (WAND_HELLO + 1, HELLO_SEQ), f"the reply has header {header(answer)}")
    try:
        told = w.decode_wand(answer.payload)
    except ProtocolError as error:
        raise Failed("the reply to IDENTIFY is no control message in canonical form") from error
    if not isinstance(told, w.Identity):
        raise Failed(f"IDENTIFY was answered by {type(told).__name__}")
    return told


def header(frame: Frame) -> str:
    """First two bytes of a frame."""
    return f"{frame.address_type:02x} {frame.seq:02x}"


def coupling(bench: Bench, seq: int) -> Frame | None:
    """Ask for the coupling with this sequence number."""
    return bench.line.ask(Frame(WAND_DATA, seq, w.encode_wand(w.GetCoupling())))


def still_there(bench: Bench, after: str) -> None:
    """A fresh IDENTIFY must be answered."""
    require(bench.line.ask(bench.identify()) is not None, f"IDENTIFY is not answered after {after}")


@case("adapter-identify", "8", "IDENTIFY is answered by IDENTITY with the request's number")
def _(bench: Bench) -> None:
    named(bench.line.ask(bench.identify()))


@case("adapter-repeat", "2", "a request that is repeated byte for byte gets the same reply, byte for byte")
def _(bench: Bench) -> None:
    for frame in (bench.identify(), Frame(WAND_DATA, 0, w.encode_wand(w.GetCoupling()))):
        first, second = bench.line.ask(frame), bench.line.ask(frame)
        require(first is not None, "the request itself was not answered")
        require(second is not None, "the repeat was not answered")
        require(first == second, "the repeat got another reply")


@case("adapter-afresh", "2", "a HELLO with another nonce starts afresh at any time")
def _(bench: Bench) -> None:
    for _ in range(3):
        named(bench.line.ask(bench.identify()))
        require(coupling(bench, 0) is not None, "the first DATA after HELLO is number 0 and was not answered")


@case("adapter-coupling", "8", "GET_COUPLING is answered with a strength of 0 to 5 and the battery in percent")
def _(bench: Bench) -> None:
    named(bench.line.ask(bench.identify()))
    for seq in range(3):
        answer = coupling(bench, seq)
        if answer is None:
            raise Failed(f"no reply to GET_COUPLING number {seq}")
        require((answer.address_type, answer.seq) == (WAND_DATA + 1, seq), f"the reply has header {header(answer)}")
        try:
            told = w.decode_wand(answer.payload)
        except ProtocolError as error:
            raise Failed("the reply is no control message, or a number in it is out of range") from error
        require(isinstance(told, w.Coupling), f"GET_COUPLING was answered by {type(told).__name__}")


@case("adapter-order", "2", "a number that is neither the last nor the next has no effect")
def _(bench: Bench) -> None:
    named(bench.line.ask(bench.identify()))
    ask = w.encode_wand(w.GetCoupling())
    for seq in (1, 7, 255):
        require(bench.line.silent(wire(Frame(WAND_DATA, seq, ask))), f"number {seq} in place of 0 was answered")
    require(coupling(bench, 0) is not None, "number 0 was not answered after them")


@case("adapter-unknown", "2", "unknown kinds, reply kinds, foreign addresses and unknown control ops get no answer")
def _(bench: Bench) -> None:
    named(bench.line.ask(bench.identify()))
    for kind in (0x01, 0x03, 0x05, 0x0A, 0x0F, 0x20, 0x7E, 0xF2):
        frame = Frame(kind, HELLO_SEQ, w.encode_wand(w.Identify(nonce=bench.entropy(8))))
        require(bench.line.silent(wire(frame)), f"a frame with first byte {kind:02x} was answered")
    unknown = Frame(WAND_DATA, 0, cbor.encode([9, {}]))
    require(bench.line.silent(wire(unknown)), "control op 9 was answered")
    still_there(bench, "frames that nobody knows")


@case("adapter-checksum", "1", "a frame with a wrong checksum is dropped, and the next one is answered")
def _(bench: Bench) -> None:
    require(bench.line.silent(harmed(bench.identify())), "IDENTIFY with a wrong checksum was answered")
    still_there(bench, "a wrong checksum")


@case("adapter-garbage", "1", "noise on the line, with and without zeros, harms no frame after it")
def _(bench: Bench) -> None:
    for noise in (b"\x55" * 40, bytes(range(1, 200)), b"\x00" * 64, b"\x00\x01\x00\x02\x11\x00", b"\xff" * 12):
        require(bench.line.silent(noise), "noise was answered")
        still_there(bench, f"{len(noise)} bytes of noise")


@case("adapter-oversize", "1", "more than a frame can hold is dropped up to the next zero")
def _(bench: Bench) -> None:
    for size in (255, 258, 300, 2_000):
        require(bench.line.silent(b"\x55" * size + b"\x00"), f"{size} bytes without a zero were answered")
        still_there(bench, f"{size} bytes without a zero")


@case("adapter-short", "1", "a body of fewer than 6 bytes is dropped")
def _(bench: Bench) -> None:
    for body in (b"\x02\x11\x00", b"\x05\x02\xfe\x11\x22\x00"):
        require(bench.line.silent(body), "a frame that is too short was answered")
    still_there(bench, "short frames")


@case("adapter-split", "1", "a frame that arrives byte by byte is a frame")
def _(bench: Bench) -> None:
    *most, last = wire(bench.identify())
    for byte in most:
        bench.line.send(bytes([byte]))
        require(not bench.line.pause(2), "a frame was answered before it was complete")
    named(bench.line.ask_bytes(bytes([last])))


@case("adapter-together", "1", "two frames in one write are two requests, answered in their order")
def _(bench: Bench) -> None:
    first, second = bench.identify(), Frame(WAND_DATA, 0, w.encode_wand(w.GetCoupling()))
    bench.line.send(wire(first) + wire(second))
    found = bench.line.frames(2 * bench.line.timing.timeout_ms(60), 2)
    headers = [header(frame) for frame in found]
    require(headers == ["03 fe", "01 00"], f"the replies have the headers {headers}")


@case("adapter-idle", "2", "it speaks only when asked: not a byte on an idle line")
def _(bench: Bench) -> None:
    before = bench.line.noise
    bench.line.pause(IDLE_MS)
    require(bench.line.noise == before, f"{bench.line.noise - before} bytes came unasked")


@case("adapter-timing", "2", "a reply comes within the time that the formula allows")
def _(bench: Bench) -> None:
    for _ in range(5):
        frame = bench.identify()
        require(bench.line.ask(frame) is not None, "no reply within the time limit")
    limit = bench.line.timing.timeout_ms(len(wire(frame)))
    require(bench.line.took_ms <= limit, f"{bench.line.took_ms} ms, at most {limit}")


@case("relay-hello", "3", "a HELLO to the pump reaches it, and its reply comes back under the pump's address")
def _(bench: Bench) -> None:
    answer = bench.say_hello(bench.hello().encode())
    bench.read_hello(answer)
    assert answer is not None
    require((answer.address_type, answer.seq) == (PUMP_HELLO + 1, HELLO_SEQ), f"the reply has header {header(answer)}")


def _relayed(bench: Bench) -> Frame:
    """A HELLO that a pump answers."""
    hello = Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode())
    bench.pace()
    if bench.line.ask(hello) is None:
        raise NotRun("no pump answers behind the adapter: hold it over one")
    return hello


@case("relay-repeat", "2", "a repeated frame is relayed again, and the pump's reply with it")
def _(bench: Bench) -> None:
    hello = Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode())
    bench.pace()
    first = bench.line.ask(hello)
    bench.read_hello(first)
    second = bench.line.ask(hello)
    require(second is not None, "the repeat was not answered: it was swallowed on its way")
    require(second == first, "the repeat got another reply")


@case("relay-checksum", "1", "a harmed frame is not repaired on its way to the pump")
def _(bench: Bench) -> None:
    _relayed(bench)
    bench.pace()
    harm = harmed(Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode()))
    require(bench.line.silent(harm), "a HELLO with a wrong checksum was answered")
    _relayed(bench)


@case("relay-bytes", "4", "every byte value in frames of the greatest length passes unchanged both ways")
def _(bench: Bench) -> None:
    filler = bytes(range(256))
    for extra in (filler[:LONGEST_FILLER], filler[::-1][:LONGEST_FILLER], b"\x00" * LONGEST_FILLER):
        bench.open(extra=extra)


@case("relay-split", "1", "a frame for the pump that arrives byte by byte is relayed whole")
def _(bench: Bench) -> None:
    _relayed(bench)
    bench.pace()
    *most, last = wire(Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode()))
    for byte in most:
        bench.line.send(bytes([byte]))
        bench.line.pause(2)
    require(bench.line.ask_bytes(bytes([last])) is not None, "the frame was not answered")


@case("relay-unknown", "2", "the adapter answers nothing in the pump's name")
def _(bench: Bench) -> None:
    _relayed(bench)
    for kind in (0x11, 0x13, 0x15, 0x1A, 0x1F):
        require(bench.line.silent(wire(Frame(kind, 0, b"x"))), f"a frame with first byte {kind:02x} was answered")


@case("relay-one-reply", "2", "each request to the pump brings one reply, and the adapter adds none")
def _(bench: Bench) -> None:
    talk = bench.open()
    for number in range(5):
        frame = talk.sealed(m.KeepAlive())
        bench.line.send(wire(frame))
        found = bench.line.frames(bench.line.quiet_ms)
        require(len(found) == 1, f"request {number} brought {len(found)} frames")
        talk.opened(found[0])


@case("relay-between", "2", "control messages between two requests to the pump do not disturb its session")
def _(bench: Bench) -> None:
    talk = bench.open()
    named(bench.line.ask(bench.identify()))
    for seq in range(3):
        require(coupling(bench, seq) is not None, "GET_COUPLING was not answered")
        require(talk.lives(), "the pump no longer answers in its session")
