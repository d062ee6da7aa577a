"""Both ends of the line at every stage of a session, ready to be copied; and the sessions that make the corpus.

``python -m tests.fuzz.scene`` writes the corpus anew: real frames of whole sessions, in hex, ``>`` to the pump and
``<`` from the pump. All keys and draws are fixed, so the same program writes the same files.
"""

import copy
import hashlib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from drivers.virtual.host import VirtualPumpHost
from programmer.visit.machine import Word
from protocol.connection import TabletConnection
from protocol.events import Received
from protocol.link import LinkTiming
from protocol.messages import Close, GetEvents, GetStatus, KeepAlive, Message, Pair, encode_message
from protocol.session import ImplantCard, Pairing, SessionKind, TabletKeys
from tests.bench import (
    DOCTOR,
    PSK,
    PUMP_PRIVATE,
    SERIAL,
    TABLET_ID,
    TABLET_PRIVATE,
    Bench,
    PumpEnd,
    dose,
    provision,
    public_x25519,
)

CORPUS = Path(__file__).parent / "corpus"
CARD_SECRET = b"\x25" * 32
CARD = ImplantCard(SERIAL, public_x25519(PUMP_PRIVATE), CARD_SECRET)
CARD_KINDS = (SessionKind.BREAK_GLASS, SessionKind.PAIRING)
DOSE_BEFORE, DOSE_AFTER = 100_000, 115_000
NOW_MS = 1_000


class Draws:
    """A named stream of bytes that can be copied in the middle."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return hashlib.shake_256(f"{self.name} {self.count}".encode()).digest(size)


def new_host(end: PumpEnd) -> VirtualPumpHost:
    """The pump of ``end`` with an implant card, the wand long in place, and a window in which to pair a tablet."""
    host = VirtualPumpHost(
        end.host.firmware,
        end.host.state,
        private=PUMP_PRIVATE,
        tablets=provision().paired(),
        entropy=Draws("pump"),
        now_ms=NOW_MS,
        clock_ms=end.host.clock_ms(NOW_MS) - 60_000,
        card_secret=CARD_SECRET,
        call_number="+00 000 000",
    )
    host.advance(60_000, NOW_MS)
    host.press(NOW_MS)
    return host


def new_tablet() -> TabletConnection:
    """The tablet's end, paired with the pump."""
    pairing = Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)
    keys = TabletKeys(TABLET_ID, TABLET_PRIVATE)
    return TabletConnection(keys, {SERIAL: pairing}, LinkTiming(None), Draws("tablet 1"))


def copied(thing: Any) -> Any:
    """An independent copy of a host, a connection or an ``Ends``; what is immutable is shared."""
    host = thing if isinstance(thing, VirtualPumpHost) else getattr(thing, "host", None)
    memo = {} if host is None else {id(host.firmware): host.firmware, id(host.state): host.state}
    return copy.deepcopy(thing, memo)


@dataclass
class Ends:
    """The tablet and the pump at one moment of a session."""

    tablet: TabletConnection
    host: VirtualPumpHost


@dataclass
class Recording:
    """A whole session: its frames in order, what was asked in clear, and copies of both ends along the way."""

    frames: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[tuple[int, Message]] = field(default_factory=list)
    answered: list[tuple[int, Message]] = field(default_factory=list)
    before_request: list[Ends] = field(default_factory=list)
    before_frame: list[Ends] = field(default_factory=list)
    before_answer: list[Ends] = field(default_factory=list)

    @property
    def requests(self) -> list[bytes]:
        """The plaintexts of the requests."""
        return [encode_message(number, message) for number, message in self.asked]

    @property
    def answers(self) -> list[bytes]:
        """The plaintexts of the answers."""
        return [encode_message(number, message) for number, message in self.answered]

    def stream(self, way: str) -> list[bytes]:
        """The frames of one direction."""
        return [data for which, data in self.frames if which == way]

    def text(self, title: str) -> str:
        """The corpus file."""
        return f"# {title}\n" + "".join(f"{way} {data.hex()}\n" for way, data in self.frames)


class Line:
    """Carries bytes between the ends, a frame at a time, and records them."""

    def __init__(self, ends: Ends) -> None:
        self.ends, self.recording = ends, Recording()

    def carry(self) -> list[Any]:
        """Until nothing lies on the line; the events at the tablet."""
        found: list[Any] = []
        while out := self.ends.tablet.data_to_send():
            recording = self.recording
            recording.before_frame.append(copied(self.ends))
            recording.frames.append((">", out))
            answer = self.ends.host.feed(out, NOW_MS)
            recording.before_answer.append(copied(self.ends))
            recording.frames.append(("<", answer))
            found += self.ends.tablet.receive_data(answer, NOW_MS)
        return found

    def ask(self, message: Message) -> None:
        """One request and its answer."""
        self.recording.before_request.append(copied(self.ends))
        self.recording.asked.append((self.ends.tablet.request(message, NOW_MS), message))
        events = self.carry()
        self.recording.answered += [(e.request_id, e.message) for e in events if isinstance(e, Received)]


@cache
def fresh() -> VirtualPumpHost:
    """The pump before anything was said; copy it before use."""
    return new_host(PumpEnd(Bench().clock, dose_ng=DOSE_BEFORE))


@cache
def routine() -> Recording:
    """Connect, read, stage, read back, present the signer's key, commit, read, close: the orders of a real visit."""
    ends = Ends(new_tablet(), copied(fresh()))
    line = Line(ends)
    for message in _orders():
        if not line.recording.asked:
            ends.tablet.connect(NOW_MS)
            line.carry()
        line.ask(message)
    assert ends.host.state.participant.memory.epoch == fresh().state.participant.memory.epoch + 1
    return line.recording


@cache
def with_card(kind: SessionKind) -> Recording:
    """A break-glass or a pairing session that opens, asks and closes without any deed."""
    ends = Ends(new_tablet(), copied(fresh()))
    line = Line(ends)
    ends.tablet.connect_with_card(CARD, kind, NOW_MS)
    line.carry()
    first = Pair(tablet_id="T-0043") if kind is SessionKind.PAIRING else GetStatus()
    for message in (first, KeepAlive(), Close(requests=3)):
        line.ask(message)
    return line.recording


@cache
def beacon() -> Recording:
    """A tablet that knows nothing of the pump asks what implant this is."""
    ends = Ends(new_tablet(), copied(fresh()))
    line = Line(ends)
    ends.tablet.listen(NOW_MS)
    line.carry()
    return line.recording


def _orders() -> list[Message]:
    """The requests of a whole dose change, taken from a visit."""
    bench = Bench(dose_ng=DOSE_BEFORE)
    bench.pump.host = new_host(bench.pump)
    shell = bench.shell()
    line: Any = shell.desk.line
    line.connection = new_tablet()
    sent: list[Message] = []
    exchange = line.exchange

    def ask(message: Message) -> Message:
        sent.append(message)
        return exchange(message)  # type: ignore[no-any-return]

    line.exchange = ask
    shell.read()
    shell.propose(dose(DOSE_AFTER))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    assert shell.visit.word is Word.APPLIED
    return [*sent, GetEvents(cursor=0), GetStatus(), Close(requests=len(sent) + 3)]


RECORDINGS = {
    "routine.txt": ("a dose change: read, stage, read back, present, commit, read, close", routine),
    "break-glass.txt": ("a session with the implant card", lambda: with_card(SessionKind.BREAK_GLASS)),
    "pairing.txt": ("a pairing session up to the beeps", lambda: with_card(SessionKind.PAIRING)),
    "beacon.txt": ("what an unknown implant says of itself", beacon),
}


def corpus_texts() -> dict[str, str]:
    """What the corpus files must hold."""
    return {name: record().text(title) for name, (title, record) in RECORDINGS.items()}


def corpus(name: str) -> list[tuple[str, bytes]]:
    """The frames of a committed corpus file, each with its direction."""
    lines = (CORPUS / name).read_text(encoding="ascii").splitlines()
    return [(line[0], bytes.fromhex(line[2:])) for line in lines if not line.startswith("#")]


if __name__ == "__main__":
    for name, text in corpus_texts().items():
        (CORPUS / name).write_text(text, encoding="ascii")
        print(f"{name}: {text.count(chr(10)) - 1} frames")
