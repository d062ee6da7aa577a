"""A minimal tablet: it pairs, reads, programs and asks what became of it, with nothing but SPEC.md behind it."""

from dataclasses import dataclass, field

from tests.interop import cbor, messages, orders
from tests.interop.card import Card
from tests.interop.frames import BEACON, DATA, HANDSHAKE, HANDSHAKE_END, HELLO, PUMP, SEQ, WAND, Frame
from tests.interop.line import Link, LinkLost, Port, fresh
from tests.interop.messages import Body
from tests.interop.noise import Handshake, HandshakeFailed
from tests.interop.session import BREAK_GLASS, PAIRING, PATTERN, ROUTINE, Session, derive, prologue, tag
from tests.interop.session import PUMP as FROM_PUMP
from tests.interop.session import TABLET as FROM_TABLET

PUMP_DATA, PUMP_DATA_REPLY = PUMP << 4 | DATA, PUMP << 4 | DATA + 1
SIMPLE, BACLOFEN = 1, 1
STOP, MINIMUM, RESUME = 1, 2, 3


class NotMyPump(Exception):
    """No tag of the pump's greeting fits the key."""


class Refused(Exception):
    """The pump refused; ``reasons`` are the names of section 7."""

    def __init__(self, body: Body) -> None:
        self.reasons = [messages.REFUSALS[code] for code in body["reasons"]]
        self.op = body["op"]
        super().__init__(f"op {self.op}: {', '.join(self.reasons)}")


@dataclass(frozen=True)
class Known:
    """A pump that this tablet is paired with."""

    serial: str
    pump_key: bytes
    psk: bytes
    receipt_key: bytes


@dataclass(frozen=True)
class Person:
    """Who signs orders."""

    seed: bytes
    credential: bytes


@dataclass
class Staged:
    """An order on its way: what was proposed, and what the pump said of it."""

    txid: bytes
    base_epoch: int
    annex: bytes
    staged: Body
    report: Body = field(default_factory=dict)
    head: bytes = b""
    signatures: list[bytes] = field(default_factory=list)


class Client:
    """One tablet on one port."""

    def __init__(self, port: Port, tablet_id: str, static: bytes) -> None:
        self.link = Link(port)
        self.tablet_id, self.static = tablet_id, static
        self.serial = ""
        self.handshake_hash = b""
        self._session: Session | None = None
        self._number = 0

    # -- greeting and handshake ---------------------------------------------------------------------------

    def identify(self) -> Body:
        """The wand's name."""
        hello = cbor.encode([1, {0: fresh(8)}])
        op, body = cbor.decode(self.link.request(Frame(WAND, HELLO, SEQ[HELLO], hello)))
        assert op == 2
        return messages.unpack("IDENTITY", body)

    def beacon(self) -> Body:
        """Who lies under the wand, without any key."""
        told = self.link.request(Frame(PUMP, BEACON, SEQ[BEACON], fresh(8)))
        return messages.unpack("BEACON", cbor.decode(told))

    def greet(self, kind: int, nonce: bytes | None = None) -> tuple[bytes, bytes, Body, bytes]:
        """HELLO and its reply: both payloads, the pump's words, this tablet's nonce."""
        nonce = nonce or fresh(8)
        said = {"min_version": 1, "max_version": 1, "capabilities": 0, "link_kind": 1, "nonce": nonce, "kind": kind}
        hello = cbor.encode(messages.pack("HELLO_TABLET", said))
        reply = self.link.request(Frame(PUMP, HELLO, SEQ[HELLO], hello))
        return hello, reply, messages.unpack("HELLO_PUMP", cbor.decode(reply)), nonce

    def _open(self, kind: int, serial: str, pump_key: bytes | None, psk: bytes, noise_psk: bytes | None = None) -> None:
        hello, reply, pump, nonce = self.greet(kind)
        tags = [pump["tags"][at : at + 8] for at in range(0, 64, 8)]
        if pump["version"] != 1 or tag(psk, FROM_PUMP, nonce, pump["nonce"]) not in tags:
            raise NotMyPump(serial)
        about = prologue(kind, serial, self.tablet_id, self.altered(hello), reply)
        static = None if kind == BREAK_GLASS else self.static
        key = pump_key if kind != PAIRING else None
        noise = Handshake(PATTERN[kind], about, noise_psk or psk, static, key)
        mine = tag(psk, FROM_TABLET, nonce, pump["nonce"])
        noise.read(self.link.request(Frame(PUMP, HANDSHAKE, SEQ[HANDSHAKE], mine + noise.write())))
        if kind == PAIRING:
            if noise.remote_static != pump_key:
                raise HandshakeFailed("not the pump of the card")
            if self.link.request(Frame(PUMP, HANDSHAKE_END, SEQ[HANDSHAKE_END], noise.write())):
                raise HandshakeFailed("the last reply is not empty")
        self._session, self.handshake_hash, self.serial = Session.of(noise.split()), noise.hash, serial
        self._number = 0

    def altered(self, hello: bytes) -> bytes:
        """The HELLO as this side binds it; a test lets somebody on the line alter it."""
        return hello

    def connect(self, known: Known) -> None:
        """A routine session. Raises ``NotMyPump``, ``LinkLost``, ``HandshakeFailed``."""
        self._open(ROUTINE, known.serial, known.pump_key, known.psk)

    def break_glass(self, card: Card) -> None:
        """A break-glass session, with the implant card."""
        self._open(BREAK_GLASS, card.serial, card.key, derive(card.secret, "emergency"))

    def start_pairing(self, card: Card) -> None:
        """A pairing session, with the implant card."""
        self._open(PAIRING, card.serial, card.key, derive(card.secret, "pair"))

    # -- messages -----------------------------------------------------------------------------------------

    def ask(self, name: str, /, **body: object) -> tuple[str, Body]:
        """One message and its answer. Raises ``Refused``, ``LinkLost``, ``SessionOver``."""
        assert self._session is not None
        self._number += 1
        seq, sealed = self._session.to_pump.seal(PUMP_DATA, messages.write(name, self._number, body))
        reply = self.link.request(Frame(PUMP, DATA, seq, sealed))
        answer, number, told = messages.read(self._session.from_pump.open(PUMP_DATA_REPLY, reply))
        if number != self._number:
            raise LinkLost("an answer to another question")
        if answer == "COMMITTED":
            self._session.committed()
        if answer == "REFUSED":
            raise Refused(told)
        return answer, told

    def tell(self, name: str, expect: str, /, **body: object) -> Body:
        """One message that has one good answer."""
        answer, told = self.ask(name, **body)
        assert answer == expect, answer
        return told

    def status(self) -> Body:
        """The whole interrogation."""
        return self.tell("GET_STATUS", "STATUS")

    def events(self) -> list[tuple[int, int, int]]:
        """The pump's whole event log: time, code, argument."""
        found: list[tuple[int, int, int]] = []
        cursor = self.status()["events_first"]
        while True:
            page = self.tell("GET_EVENTS", "EVENTS", cursor=cursor)
            if not page["items"]:
                return found
            found += [tuple(item) for item in page["items"]]
            cursor = page["first"] + len(page["items"])

    def anchor(self, receipt_key: bytes) -> Body:
        """The pump's witness record, verified."""
        nonce = fresh(16)
        told = self.tell("ANCHOR", "ANCHORED", nonce=nonce)
        orders.check_anchor(receipt_key, self.serial, nonce, told)
        return told

    def close(self) -> None:
        """End the session in good order."""
        count = self._number + 1
        assert self.tell("CLOSE", "CLOSED", requests=count) == {"requests": count}
        self._session = None

    # -- pairing ------------------------------------------------------------------------------------------

    def pair(self) -> int:
        """Ask to become a tablet of this pump; how long it waits for the pattern."""
        seconds: int = self.tell("PAIR", "LISTEN", tablet_id=self.tablet_id)["seconds"]
        return seconds

    def confirm(self, card: Card, beeps: bytes) -> Known:
        """Tell the pattern; the key of this pairing."""
        paired = self.tell("CONFIRM_PATTERN", "PAIRED", pattern=beeps)
        return Known(card.serial, card.key, paired["psk"], paired["receipt_key"])

    # -- orders -------------------------------------------------------------------------------------------

    def stage(self, dose_ng_per_day: int, txid: bytes | None = None) -> Staged:
        """Propose another daily dose, everything else as it runs; and read back what the pump understood."""
        now = self.status()
        program = self._program(now) | {"mode": SIMPLE, "dose_ng_per_day": dose_ng_per_day}
        one, report = self._stage("STAGE_PROGRAM", now, txid, program=program)
        assert report["program"] == program
        return one

    def stage_refill(self, reservoir_nl: int, discrepancy: int = 0) -> Staged:
        """Propose another reservoir volume; and read back what the pump understood."""
        now = self.status()
        running = orders.program_digest(self._program(now))
        about = {"program_digest": running, "reservoir_nl": reservoir_nl, "discrepancy": discrepancy}
        one, report = self._stage("STAGE_REFILL", now, None, **about)
        assert (report["reservoir_nl"], report["previous_digest"]) == (reservoir_nl, running)
        return one

    def _program(self, now: Body) -> Body:
        return {name: now[name] for name in ("mode", "dose_ng_per_day", "concentration_ng_per_ml", "alarm_nl", "drug")}

    def _stage(self, name: str, now: Body, txid: bytes | None, **about: object) -> tuple[Staged, Body]:
        txid = txid or now["pump_time_s"].to_bytes(4, "big") + fresh(12)
        annex, epoch = fresh(32), now["epoch"]
        staged = self.tell(name, "STAGED", txid=txid, base_epoch=epoch, annex=annex, **about)
        assert staged["txid"] == txid
        report = self.tell("READ_BACK", "READ_BACK_REPORT", txid=txid)
        assert (report["txid"], report["base_epoch"]) == (txid, epoch)
        assert orders.content_digest(orders.content(report)) == staged["digest"]
        return Staged(txid, epoch, annex, staged, report), report

    def present(self, position: int, credential: bytes) -> int:
        """Show a credential, by its digest where the pump knows it; the role that the pump saw."""
        for shown in (orders.credential_digest(credential), credential):
            try:
                told = self.tell("PRESENT", "PRESENTED", position=position, credential=shown)
            except Refused as refused:
                if refused.reasons != ["SIGNER_UNKNOWN"]:
                    raise
            else:
                role: int = told["role"]
                return role
        raise AssertionError("a whole credential is never unknown")

    def order(self, one: Staged) -> orders.Order:
        """What the signature of this order covers."""
        return orders.Order(
            self.serial, one.txid, one.staged["token"], orders.content(one.report), one.report["previous_digest"],
            one.base_epoch + 1, one.annex, one.report["staged_at_s"], self.handshake_hash, one.head,
        )  # fmt: skip

    def commit(self, one: Staged, signers: list[Person], receipt_key: bytes, sign: Staged | None = None) -> Body:
        """Sign the order (or ``sign`` in its place), put it in force, verify the receipt."""
        one.head = (sign or one).head = fresh(16)
        order = self.order(sign or one)
        signed = [order.to_sign(orders.public(who.seed), meaning) for meaning, who in enumerate(signers, 1)]
        one.signatures = [orders.sign(who.seed, data) for who, data in zip(signers, signed, strict=True)]
        before = self.anchor(receipt_key)["chain"]
        done = self.tell(
            "COMMIT", "COMMITTED", txid=one.txid, token=one.staged["token"], digest=one.staged["digest"],
            head=one.head, signatures=one.signatures,
        )  # fmt: skip
        assert (done["txid"], done["epoch"], done["digest"]) == (one.txid, one.base_epoch + 1, one.staged["digest"])
        orders.check_receipt(receipt_key, self.serial, done, one.signatures)
        order_hash = order.hash(signed, one.signatures)
        if done["chain"] != orders.next_chain(before, done["epoch"], order_hash, self.tablet_id):
            raise orders.NotGenuine("the pump's chain holds another order")
        return done

    def query(self, one: Staged) -> tuple[str, Body]:
        """What became of an order."""
        return self.ask("QUERY", txid=one.txid, base_epoch=one.base_epoch)
