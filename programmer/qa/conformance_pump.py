"""Cases for a pump: greeting, handshake, sealed link, encoding, silence. Nothing here changes therapy."""

from __future__ import annotations

from programmer.qa.conformance import PUMP, Failed, NotRun, Suite, require
from programmer.qa.conformance_adapter import harmed, wire
from programmer.qa.conformance_golden import load
from programmer.qa.conformance_line import PUMP_DATA, PUMP_HANDSHAKE, PUMP_HELLO, Bench, Talk
from protocol import messages as m
from protocol.errors import ProtocolError
from protocol.framing import Frame
from protocol.link import BEACON_SEQ, HANDSHAKE_SEQ, HELLO_SEQ, Address, Kind, address_type
from protocol.session import SLOTS, VERSION, SessionKind

SUITE = Suite(PUMP)
case = SUITE.case
PUMP_BEACON = address_type(Address.PUMP, Kind.BEACON)
SILENCE_MS = 5_000
LOW_ORDER = ("00" * 32, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")
"""Public keys that force the shared secret to zero. Source: RFC 7748 section 6.1; cr.yp.to/ecdh.html."""


def goes_on(talk: Talk, after: str) -> None:
    """The session must still be answered."""
    require(talk.lives(), f"the session is not answered any more after {after}")


def is_over(talk: Talk, after: str) -> None:
    """The session must not be answered any more."""
    talk.over = True
    require(talk.line.silent(wire(talk.sealed(m.KeepAlive()))), f"the session goes on after {after}")


@case("hello-reply", "3", "HELLO is answered with version 1, a nonce and 8 tags, in canonical form")
def _(bench: Bench) -> None:
    pump = bench.read_hello(bench.say_hello(bench.hello().encode()))
    require(pump.version == VERSION, f"the pump offers version {pump.version}")


@case("hello-unlinkable", "3", "two greetings have neither nonce nor tag in common")
def _(bench: Bench) -> None:
    seen: set[bytes] = set()
    for _ in range(3):
        pump = bench.read_hello(bench.say_hello(bench.hello().encode()))
        parts = [pump.nonce, *(pump.tags[8 * slot : 8 * slot + 8] for slot in range(SLOTS))]
        require(len(set(parts)) == len(parts), "two parts of one greeting are alike")
        require(not seen & set(parts), "a part of an earlier greeting came again")
        seen |= set(parts)


@case("hello-tag", "3", "the greeting has the tag of the tablet's key among its 8")
def _(bench: Bench) -> None:
    bench.greet()


@case("hello-repeat", "2", "a repeated HELLO gets the same reply; a stale copy of it gets none")
def _(bench: Bench) -> None:
    hello = Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode())
    bench.pace()
    first = bench.line.ask(hello)
    bench.read_hello(first)
    require(bench.line.ask(hello) == first, "the repeat got no reply, or another one")
    bench.line.silent(wire(Frame(PUMP_HANDSHAKE, HANDSHAKE_SEQ, bench.entropy(56))))
    require(bench.line.silent(wire(hello)), "a copy of the last HELLO after a HANDSHAKE was answered")


@case("hello-malformed", "3", "a HELLO that is not canonical, or not complete, is not answered")
def _(bench: Bench) -> None:
    bench.read_hello(bench.say_hello(bench.hello().encode()))
    good = bench.hello().encode()
    for payload in (b"", good[:-1], good + b"\x00", b"\xbf" + good[1:] + b"\xff"):
        bench.pace()
        require(bench.line.silent(wire(Frame(PUMP_HELLO, HELLO_SEQ, payload))), f"{payload[:12].hex()} was answered")


@case("hello-version", "3", "a tablet that speaks no version of the pump's cannot open a session")
def _(bench: Bench) -> None:
    good = bench.greet()
    hello = bench.hello(low=VERSION + 1, high=VERSION + 1)
    answer = bench.say_hello(hello.encode())
    if answer is None:
        return
    good.nonce, good.hello, good.answer, good.pump = (
        hello.nonce,
        hello.encode(),
        answer.payload,
        bench.read_hello(answer),
    )
    message = bench.handshake(good).write_message(b"")
    require(bench.shake(good.tag + message) is None, "a handshake of version 2 was answered")


@case("hello-unknown-kind", "3", "a kind of session that does not exist gets no tag that fits")
def _(bench: Bench) -> None:
    good = bench.greet()
    hello = bench.hello(9)
    answer = bench.say_hello(hello.encode())
    if answer is None:
        return
    good.nonce, good.hello, good.answer, good.pump = (
        hello.nonce,
        hello.encode(),
        answer.payload,
        bench.read_hello(answer),
    )
    message = bench.handshake(good).write_message(b"")
    require(bench.shake(good.tag + message) is None, "a handshake of an unknown kind was answered")


@case("beacon", "3", "BEACON is answered with no identity, and only after a contact of 20 s")
def _(bench: Bench) -> None:
    bench.pace()
    answer = bench.line.ask(Frame(PUMP_BEACON, BEACON_SEQ, bench.entropy(8)))
    if answer is None:
        raise NotRun("no answer: the contact is shorter than 20 s, or the wand is not in place")
    try:
        m.Beacon.decode(answer.payload)
    except ProtocolError as error:
        raise Failed("the answer is no beacon") from error


@case("handshake", "4", "a paired tablet opens a session and is answered in it")
def _(bench: Bench) -> None:
    talk = bench.open()
    require(isinstance(talk.ask(m.GetStatus()), m.Status), "GET_STATUS was not answered by STATUS")


@case("handshake-repeat", "2", "a repeated HANDSHAKE gets the same reply")
def _(bench: Bench) -> None:
    greeted = bench.greet()
    payload = greeted.tag + bench.handshake(greeted).write_message(b"")
    first = bench.shake(payload)
    require(first is not None, "a good HANDSHAKE was not answered")
    require(bench.shake(payload) == first, "the repeat got no reply, or another one")


@case("handshake-tag", "3", "a HANDSHAKE whose tag fits no key is not answered")
def _(bench: Bench) -> None:
    greeted = bench.greet()
    message = bench.handshake(greeted).write_message(b"")
    require(bench.shake(bench.entropy(8) + message) is None, "a wrong tag was answered")


@case("handshake-altered", "4", "a Noise message with one changed bit is not answered")
def _(bench: Bench) -> None:
    for place in (0, -1):
        greeted = bench.greet()
        message = bytearray(bench.handshake(greeted).write_message(b""))
        message[place] ^= 0x01
        require(bench.shake(greeted.tag + bytes(message)) is None, f"a changed bit in byte {place} was answered")


@case("handshake-weak-key", "4", "an ephemeral key of low order is not answered")
def _(bench: Bench) -> None:
    for key in LOW_ORDER:
        greeted = bench.greet()
        message = bench.handshake(greeted).write_message(b"")
        require(bench.shake(greeted.tag + bytes.fromhex(key) + message[32:]) is None, f"key {key[:8]}... was answered")


@case("handshake-downgrade", "4", "a HANDSHAKE bound to another HELLO than the pump heard is not answered")
def _(bench: Bench) -> None:
    greeted = bench.greet()
    other = bench.hello(high=VERSION + 1).model_copy(update={"nonce": greeted.nonce}).encode()
    message = bench.handshake(greeted, other).write_message(b"")
    require(bench.shake(greeted.tag + message) is None, "the changed greeting went unnoticed")


@case("handshake-replay", "4", "a HANDSHAKE of an earlier greeting is not answered")
def _(bench: Bench) -> None:
    greeted = bench.greet()
    payload = greeted.tag + bench.handshake(greeted).write_message(b"")
    require(bench.shake(payload) is not None, "a good HANDSHAKE was not answered")
    bench.greet()
    require(bench.shake(payload) is None, "the replay was answered")


@case("data-needs-handshake", "2", "DATA straight after HELLO is not answered")
def _(bench: Bench) -> None:
    bench.greet()
    frame = Frame(PUMP_DATA, 0, bench.entropy(20))
    require(bench.line.silent(wire(frame)), "DATA without a handshake was answered")


@case("link-repeat", "2", "a repeated request gets its cached reply, byte for byte, and is not executed again")
def _(bench: Bench) -> None:
    talk = bench.session()
    frame = talk.sealed(m.GetStatus())
    first, second, third = (bench.line.ask(frame) for _ in range(3))
    require(second is not None, "the repeat was not answered")
    require(first == second == third, "the repeat got another reply")
    talk.opened(first)
    goes_on(talk, "a repeat")


@case("link-changed", "2", "the last number with other bytes has no effect")
def _(bench: Bench) -> None:
    talk = bench.session()
    frame = talk.sealed(m.KeepAlive())
    talk.opened(bench.line.ask(frame))
    other = Frame(frame.address_type, frame.seq, bytes([frame.payload[0] ^ 1]) + frame.payload[1:])
    require(bench.line.silent(wire(other)), "other bytes under the last number were answered")
    goes_on(talk, "them")


@case("link-order", "2", "a number that is neither the last nor the next has no effect")
def _(bench: Bench) -> None:
    talk = bench.session()
    seq = talk.sending.seq
    for wrong in ((seq + 1) % 256, (seq + 100) % 256, (seq + 254) % 256):
        frame = Frame(PUMP_DATA, wrong, bench.entropy(20))
        require(bench.line.silent(wire(frame)), f"number {wrong} in place of {seq} was answered")
    goes_on(talk, "wrong numbers")


@case("link-checksum", "1", "a frame with a wrong checksum is noise: ignored, and the session goes on")
def _(bench: Bench) -> None:
    talk = bench.session()
    frame = talk.sealed(m.KeepAlive())
    require(bench.line.silent(harmed(frame)), "a frame with a wrong checksum was answered")
    talk.opened(bench.line.ask(frame))
    goes_on(talk, "a wrong checksum")


@case("seal-tag", "4", "a tag that does not verify ends the session without a word")
def _(bench: Bench) -> None:
    talk = bench.open()
    frame = talk.sealed(m.KeepAlive())
    bad = Frame(frame.address_type, frame.seq, frame.payload[:-1] + bytes([frame.payload[-1] ^ 0x80]))
    require(bench.line.silent(wire(bad)), "a frame with a wrong tag was answered")
    is_over(talk, "a wrong tag")


@case("seal-rekey", "4", "both directions rekey before frame 256, and the session goes on")
def _(bench: Bench) -> None:
    talk = bench.open()
    for number in range(260):
        require(isinstance(talk.ask(m.KeepAlive()), m.Alive), f"request {number} was not answered by ALIVE")


@case("encoding", "5", "a message in other than canonical bytes is not executed: the session ends without a word")
def _(bench: Bench) -> None:
    for vector in load("cbor")["messages"]:
        talk = bench.open()
        answer = bench.line.silent(wire(talk.sealed_bytes(bytes.fromhex(vector["bytes"]))))
        require(answer, f"{vector['name']} ({vector['bytes']}) was answered")
        is_over(talk, vector["name"])


@case("envelope", "5", "an unknown op, or an envelope that is none, is not executed: the session ends")
def _(bench: Bench) -> None:
    for vector in load("messages")["refused_envelopes"][:6]:
        talk = bench.open()
        answer = bench.line.silent(wire(talk.sealed_bytes(bytes.fromhex(vector["bytes"]))))
        require(answer, f"{vector['name']} ({vector['bytes']}) was answered")
        is_over(talk, vector["name"])


@case("closed-body", "5", "a therapy message with an unknown key, or a number out of range, ends the session")
def _(bench: Bench) -> None:
    for entry in load("messages")["messages"]:
        if entry["to_pump"] and entry["affects_therapy"] and entry["op"] != m.Emergency.OP:
            vector = next(item for item in entry["refused"] if item["name"] == "an unknown key")
            talk = bench.open()
            sealed = talk.sealed_bytes(bytes.fromhex(vector["bytes"]))
            require(bench.line.silent(wire(sealed)), f"{entry['name']} with an unknown key was answered")
            is_over(talk, f"{entry['name']} with an unknown key")


@case("close", "4", "CLOSE is answered by CLOSED, and the session is over")
def _(bench: Bench) -> None:
    talk = bench.open()
    require(isinstance(talk.ask(m.Close(requests=2)), m.Closed), "CLOSE was not answered by CLOSED")
    is_over(talk, "CLOSE")


@case("pairing-closed", "4", "nobody is let in for pairing while no window is open")
def _(bench: Bench) -> None:
    try:
        greeted = bench.greet(SessionKind.PAIRING)
    except NotRun:
        if bench.material.card is None:
            raise
        return  # no tag of the card: the pump is closed for pairing, as it should be
    message = bench.handshake(greeted).write_message(b"")
    require(bench.shake(greeted.tag + message) is None, "a pairing session was opened with no window open")


@case("break-glass", "4", "the card's holder may read, and is refused everything that raises or stages")
def _(bench: Bench) -> None:
    talk = bench.open(SessionKind.BREAK_GLASS)
    status = talk.status()
    require(isinstance(talk.ask(m.GetEvents(cursor=status.events_first)), m.Events), "GET_EVENTS was not answered")
    for message in (m.Query(txid=bytes(16), base_epoch=0), m.Anchor(nonce=bench.entropy(16)), m.Pair(tablet_id="QA")):
        answer = talk.ask(message)
        said = [item.name for item in answer.reasons] if isinstance(answer, m.Refused) else type(answer).__name__
        require(said == ["NOT_IN_THIS_SESSION"], f"{type(message).__name__} was answered by {said}")


@case("silence-kept", "4", "a session lives through 4 s of silence", slow=True)
def _(bench: Bench) -> None:
    talk = bench.open()
    bench.line.pause(SILENCE_MS - 1_000)
    goes_on(talk, "4 s of silence")


@case("silence-ends", "4", "a session ends after 5 s of silence", slow=True)
def _(bench: Bench) -> None:
    talk = bench.open()
    bench.line.pause(SILENCE_MS + 300)
    is_over(talk, "5.3 s of silence")


@case("flood", "3", "a flood of greetings is answered at most 32 times at once, and again after a while", slow=True)
def _(bench: Bench) -> None:
    bench.line.pause(9_000)
    answered = 0
    for _ in range(40):
        bench.line.send(wire(Frame(PUMP_HELLO, HELLO_SEQ, bench.hello().encode())))
        answered += len(bench.line.frames(30, 1))
    bench.line.pause(9_000)
    require(bench.say_hello(bench.hello().encode()) is not None, "no greeting is answered 9 s after the flood")
    require(20 <= answered <= 38, f"{answered} of 40 greetings at once were answered")
