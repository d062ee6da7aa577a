"""With the implant card: what each kind of session may do, and what no trace of it can do."""

from itertools import product

import pytest

from drivers.virtual.breakglass import RIGHTS
from drivers.virtual.rules import achieved_rate
from protocol import messages as m
from protocol.connection import TabletConnection
from protocol.events import BeaconHeard, PumpNotPaired, SessionOpened
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import HANDSHAKE_SEQ, HELLO_SEQ, Address, Kind, LinkTiming, address_type
from protocol.session import ImplantCard, SessionKind, TabletKeys
from tests.virtual.clinic import TABLET, Visit, entropy, key, make_host, provision, x_public

SECRET = key("card")
CARD = ImplantCard("VP-0007", x_public(key("pump static")), SECRET)


def host():
    made = make_host()
    made._connection._keys = type(made._connection._keys)("VP-0007", key("pump static"), SECRET)
    return made


class CardVisit(Visit):
    """A tablet that this pump does not know, with the patient's card."""

    def __init__(self, pump, now_ms=0, card=CARD):
        super().__init__(pump.feed, now_ms)
        self.card = card
        self.tablet = TabletConnection(TabletKeys("NEW-1", key("new")), {}, LinkTiming(115_200), entropy("new"))

    def open(self, kind):
        self.tablet.connect_with_card(self.card, kind, self.now)
        return self._run((SessionOpened, PumpNotPaired))


def emergency(act):
    return m.Emergency(act=act, name="R. Doe", reason="overdose", phone="112")


def test_every_request_of_the_wire_has_its_kind_of_session():
    requests = {kind for kind in m.MESSAGES.values() if kind.REQUEST}
    assert set().union(*RIGHTS.values()) == requests
    therapy = {kind for kind in RIGHTS[SessionKind.BREAK_GLASS] if kind.AFFECTS_THERAPY}
    assert therapy == {m.Emergency}
    assert not any(kind.AFFECTS_THERAPY for kind in RIGHTS[SessionKind.PAIRING])


@pytest.mark.parametrize("ms", [19_999, 20_000])
def test_a_contact_of_twenty_seconds_is_answered_without_drug_or_identity(ms):
    pump = host()
    pump.advance(ms, 0)
    visit = CardVisit(pump)
    visit.tablet.listen(0)
    heard = []
    for _ in range(4):
        heard += visit.tablet.receive_data(pump.feed(visit.tablet.data_to_send(), 0), 0)
    found = [event.beacon for event in heard if isinstance(event, BeaconHeard)]
    assert [beacon.alarm for beacon in found] == ([False] if ms == 20_000 else [])


def test_break_glass_reads_all_and_is_refused_everything_else():
    pump = host()
    visit = CardVisit(pump)
    assert visit.open(SessionKind.BREAK_GLASS).kind is SessionKind.BREAK_GLASS
    assert visit.status().dose_ng_per_day == 100_000
    for message in (m.Query(txid=bytes(16), base_epoch=0), m.SilenceAlarm(alarm=1), m.Pair(tablet_id="NEW-1")):
        assert visit.ask(message).reasons == (m.Refusal.NOT_IN_THIS_SESSION,)
    assert visit.ask(emergency(m.EmergencyAct.STOP)).reasons == (m.Refusal.CONTACT_TOO_SHORT,)


def test_the_wrong_card_opens_nothing():
    visit = CardVisit(host(), card=ImplantCard("VP-0007", CARD.pump_public, key("other")))
    assert visit.open(SessionKind.BREAK_GLASS) == PumpNotPaired()


def test_stop_and_resume_twice_a_day_and_not_after_two_days():
    pump = host()
    visit = CardVisit(pump)
    visit.open(SessionKind.BREAK_GLASS)
    pump.advance(60_000, 0)
    stop, resume = emergency(m.EmergencyAct.STOP), emergency(m.EmergencyAct.RESUME)
    for left in (1, 0):
        assert (visit.ask(stop).left, pump.truth(0)["flow_nl_per_day"]) == (left, 0)
        assert (visit.ask(resume).left, pump.truth(0)["dose_ng_per_day"]) == (left, 100_000)
    assert visit.ask(stop).reasons == (m.Refusal.TOO_OFTEN,)
    pump.advance(86_400_000, 0)
    assert visit.ask(stop).mode is m.Mode.STOPPED
    assert visit.status().mode is m.Mode.STOPPED
    pump.advance(2 * 86_400_000 + 1, 0)
    assert visit.ask(resume).reasons == (m.Refusal.GAP_TOO_LONG,)


def test_no_trace_of_acts_delivers_more_than_the_last_signed_program():
    for acts in product(m.EmergencyAct, repeat=4):
        pump = host()
        visit = CardVisit(pump)
        visit.open(SessionKind.BREAK_GLASS)
        pump.advance(60_000, 0)
        signed = pump.truth(0)["flow_nl_per_day"]
        for act in acts:
            visit.ask(emergency(act))
            running = pump.firmware.running(pump.state)
            assert achieved_rate(running, pump.firmware.identity.profile) <= signed, acts
            assert pump.truth(0)["flow_nl_per_day"] <= signed, acts
        assert pump.state.participant.memory.epoch == 0


def paired(pump, pattern=None):
    visit = CardVisit(pump)
    opened = visit.open(SessionKind.PAIRING)
    if opened == PumpNotPaired():
        return visit, None
    first = visit.ask(m.Pair(tablet_id="NEW-1"))
    assert isinstance(first, m.Listen)
    heard = bytes(pump.truth(0)["beeps"]) if pattern is None else pattern
    return visit, visit.ask(m.ConfirmPattern(pattern=heard))


def test_pairing_by_presence_gives_a_random_key():
    pump = host()
    pump.advance(20_000, 0)
    pump.press(0)
    _, answer = paired(pump)
    assert len(answer.psk) == 32
    assert pump.truth(0)["tablets"] == ["NEW-1", TABLET]
    assert pump.state.paired[0].public == x_public(key("new"))


@pytest.mark.parametrize("missing", ["contact", "presence", "window over"])
def test_each_condition_of_pairing_is_needed(missing):
    pump = host()
    pump.advance(0 if missing == "contact" else 20_000, 0)
    if missing != "presence":
        pump.press(0)
    if missing == "window over":
        pump.advance(120_000, 0)
    assert paired(pump)[1] is None


def test_a_wrong_pattern_is_refused_and_closes_the_window():
    pump = host()
    pump.advance(20_000, 0)
    pump.press(0)
    visit, answer = paired(pump, b"\x09" * 6)
    assert answer.reasons == (m.Refusal.WRONG_PATTERN,)
    assert pump.window_ms(0) == 0
    assert visit.ask(m.ConfirmPattern(pattern=b"\x01" * 6)).reasons == (m.Refusal.WINDOW_CLOSED,)
    assert pump.truth(0)["tablets"] == [TABLET]


def test_a_thousand_forged_handshakes_leave_the_memory_and_let_a_tablet_in():
    pump, draw = host(), entropy("forger")
    before = pump.state.image, pump.state.log
    for _ in range(1_000):
        hello = m.HelloTablet(min_version=1, max_version=1, capabilities=0, link_kind=1, nonce=draw(8), kind=0)
        for kind, seq, payload in ((Kind.HELLO, HELLO_SEQ, hello.encode()), (Kind.HANDSHAKE, HANDSHAKE_SEQ, draw(56))):
            pump.feed(encode_frame(Frame(address_type(Address.PUMP, kind), seq, payload)), 0)
    assert (pump.state.image, pump.state.log) == before
    assert pump._connection.curve_work == 0, "a forged tag costs no curve work"
    assert Visit(pump.feed, 1_000).connect().status().interrupted == 0


def tags_of(wire):
    """Nonces and tags of both greetings on a line."""
    for frame in FrameDecoder().feed(wire):
        if isinstance(frame, Frame) and frame.address_type == address_type(Address.PUMP, Kind.HELLO):
            yield m.HelloTablet.decode(frame.payload).nonce
        if isinstance(frame, Frame) and frame.address_type == address_type(Address.PUMP, Kind.HELLO_REPLY):
            hello = m.HelloPump.decode(frame.payload)
            yield hello.nonce
            yield from (hello.tags[at : at + 8] for at in range(0, 64, 8))


def test_two_sessions_share_no_identifier_on_the_wire():
    pump, wires = host(), []
    for now in (0, 10_000):
        wire = []

        def carry(data, at, wire=wire):
            back = pump.feed(data, at)
            wire.append(data + back)
            return back

        visit = Visit(carry, now).connect()
        visit.status()
        wires.append(b"".join(wire[1:]))  # the wand's own greeting apart: it names the adapter, not the pump
    names = (b"VP-0007", TABLET.encode(), bytes.fromhex(provision().patient_tag))
    assert not any(name in wire for name in names for wire in wires)
    first, second = ({bytes(tag) for tag in tags_of(wire)} for wire in wires)
    assert len(first) == len(second) == 10, "8 tags and both nonces"
    assert not first & second
