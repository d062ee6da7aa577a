"""No key and nonce seal two plaintexts: the true connections over a line that loses, repeats, holds back, restarts.

Every sealing of every cipher in the process is kept. The curve alone is replaced by a cheap commutative function, so
that many sessions fit; keys stay different for each session. Retries send stored bytes: nothing is sealed a second
time at all, not even the same text.
"""

import hashlib
import time
from collections.abc import Iterator
from random import Random

import pytest

from protocol import connection, noise
from protocol import messages as m
from protocol.connection import Phase, TabletConnection
from protocol.errors import LinkBusy
from protocol.events import Event, Received, SessionOpened
from protocol.link import LinkTiming
from protocol.noise import CipherState
from protocol.responder import Bucket, PumpConnection
from protocol.session import PairedTablet, Pairing, PumpKeys, TabletKeys
from tests.adversary.world import Draw, frames_of
from tests.virtual.clinic import TABLET, key

COMMITTED = m.Committed(txid=bytes(16), epoch=1, digest=bytes(32), effective_at_s=0, chain=bytes(32), receipt=bytes(64))


class Seals:
    """Every (key, nonce) that has sealed, and what."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}

    def note(self, cipher: CipherState, data: bytes) -> None:
        place = hash((cipher.k, cipher.n))
        assert place not in self.seen, f"nonce {cipher.n} of a key seals a second time"
        self.seen[place] = hash(data)


def cheap_public(private: bytes) -> bytes:
    """In place of the curve: the private key itself, below 2^254 as a canonical key is."""
    return private[:31] + bytes((private[31] & 0x3F,))


def cheap_dh(private: bytes, public: bytes) -> bytes:
    """The same from either side, another one for each pair of keys."""
    return hashlib.sha256(b"".join(sorted((cheap_public(private), public)))).digest()


@pytest.fixture
def seals(monkeypatch: pytest.MonkeyPatch) -> Seals:
    found = Seals()
    encrypt = CipherState.encrypt_with_ad

    def noted(self: CipherState, ad: bytes, plaintext: bytes) -> bytes:
        if self.k is not None:
            found.note(self, ad + plaintext)
        return encrypt(self, ad, plaintext)

    monkeypatch.setattr(CipherState, "encrypt_with_ad", noted)
    monkeypatch.setattr(noise, "public_key", cheap_public)
    monkeypatch.setattr(noise, "dh", cheap_dh)
    return found


class Line:
    """A pump and a tablet; each frame may vanish, come twice, or come after the next ones."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = 0
        self.sessions = self.exchanges = self.restarts = 0
        self.held: list[tuple[bool, bytes]] = []
        self.draw = Draw(f"pump {seed}")
        self.pump = self._pump()
        keys = TabletKeys(TABLET, key("tablet"))
        pairing = Pairing("VP-0007", cheap_public(key("pump static")), key("psk"))
        self.tablet = TabletConnection(keys, {"VP-0007": pairing}, LinkTiming(None), Draw(f"tablet {seed}"))

    def _pump(self) -> PumpConnection:
        paired = {TABLET: PairedTablet(TABLET, cheap_public(key("tablet")), key("psk"))}
        made = PumpConnection(PumpKeys("VP-0007", key("pump static")), paired, self.draw)
        made._greetings = Bucket(10**9, 1)
        return made

    def begin(self) -> None:
        if self.random.random() < 0.05:
            self.pump, self.restarts = self._pump(), self.restarts + 1
        self.tablet.connect(self.now)
        self.tablet._wand.cancel()
        self.tablet._ask_pump(self.now)

    def _arriving(self, to_pump: bool, data: bytes) -> Iterator[tuple[bool, bytes]]:
        for wire in frames_of(data):
            luck = self.random.random()
            if luck < 0.06:
                continue
            if luck < 0.12:
                self.held.append((to_pump, wire))
                continue
            yield to_pump, wire
            if luck < 0.18:
                yield to_pump, wire
        if self.held and self.random.random() < 0.3:
            yield self.held.pop(self.random.randrange(len(self.held)))

    def turn(self) -> list[Event]:
        """What lies on the line, or the next timeout."""
        events: list[Event] = []
        out = self.tablet.data_to_send()
        if not out:
            self.now = max(self.now, self.tablet.next_timeout() or self.now)
            return self.tablet.handle_timeout(self.now)
        back = b""
        late: list[bytes] = []
        for to_pump, wire in self._arriving(True, out):
            if not to_pump:
                late.append(wire)
                continue
            for event in self.pump.receive_data(wire, self.now):
                if isinstance(event, Received):
                    self.pump.reply(COMMITTED if self.random.random() < 0.2 else m.Alive())
            back += self.pump.data_to_send()
        for wire in late:
            events += self.tablet.receive_data(wire, self.now)
        for to_pump, wire in self._arriving(False, back):
            if to_pump:
                self.pump.receive_data(wire, self.now)
                self.pump.data_to_send()
            else:
                events += self.tablet.receive_data(wire, self.now)
        return events

    def session(self, requests: int) -> None:
        """Greet until the line gives up or a few requests are answered, or the tablet thinks better of it."""
        self.begin()
        while self.tablet.phase is not Phase.CLOSED:
            for event in self.turn():
                self.sessions += isinstance(event, SessionOpened)
                self.exchanges += isinstance(event, Received)
                if isinstance(event, SessionOpened | Received) and self.tablet.phase is Phase.OPEN:
                    requests -= 1
                    if requests < 0:
                        return
                    try:
                        self.tablet.request(m.GetStatus(), self.now)
                    except LinkBusy:
                        return


def lossy(seals: Seals, count: int) -> None:
    began = time.perf_counter()
    line = Line(20_261_124)
    attempts = 0
    while line.sessions < count:
        attempts += 1
        assert attempts < 20 + 4 * count, "most attempts open a session"
        line.session(line.random.randrange(1, 5))
        if line.random.random() < 0.1:
            line.now += 6_000
            line.pump.handle_timeout(line.now)
    seconds = time.perf_counter() - began
    print(
        f"\n{line.sessions} lossy sessions, {line.exchanges} exchanges, {line.restarts} restarts, "
        f"{len(seals.seen)} sealings, {line.tablet.retries} retries, {seconds:.1f} s, {line.sessions / seconds:.0f}/s"
    )
    assert len(seals.seen) > 4 * count
    assert line.tablet.retries
    assert line.restarts


def test_no_key_and_nonce_seal_twice_in_a_thousand_lossy_sessions(seals: Seals) -> None:
    lossy(seals, 1_000)


@pytest.mark.full
def test_no_key_and_nonce_seal_twice_in_a_hundred_thousand_lossy_sessions(seals: Seals) -> None:
    lossy(seals, 100_000)


def test_the_watch_sees_a_nonce_that_is_used_again(seals: Seals) -> None:
    cipher = CipherState(key("k"))
    cipher.encrypt_with_ad(b"", b"one")
    cipher.n = 0
    with pytest.raises(AssertionError, match="a second time"):
        cipher.encrypt_with_ad(b"", b"two")


def test_the_watch_sees_a_retry_that_seals_anew(seals: Seals, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tablet that would seal again instead of sending what it stored is caught."""
    send = connection.TabletConnection._send

    def twice(self: TabletConnection, number: int, message: m.Message, poll: bool, now_ms: int) -> None:
        assert self._sending is not None
        again = CipherState(self._sending._cipher.k)
        again.n = self._sending._cipher.n
        send(self, number, message, poll, now_ms)
        again.encrypt_with_ad(b"", b"the same number, another text")

    monkeypatch.setattr(connection.TabletConnection, "_send", twice)
    with pytest.raises(AssertionError, match="a second time"):
        lossy(seals, 10)
