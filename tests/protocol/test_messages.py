"""Every message: its bytes, its bounds, its size."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import cbor
from protocol import messages as m
from protocol.errors import MalformedMessage
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import Address, Kind, address_type
from protocol.session import (
    Channel,
    Direction,
    PairedTablet,
    Pairing,
    PumpKeys,
    TabletKeys,
    pump_handshake,
    tablet_handshake,
)
from tests.protocol.make import LARGEST_STATUS, PROGRAM, any_of

OPEN = {m.Status, m.Events}
REQUESTS = {
    m.Emergency, m.Pair, m.ConfirmPattern,
    m.KeepAlive, m.GetStatus, m.GetEvents, m.Anchor, m.StageProgram, m.StageRefill, m.ReadBack, m.Present, m.Commit,
    m.Query, m.Abort, m.SilenceAlarm, m.Close,
}  # fmt: skip
KINDS = list(m.MESSAGES.values())
TX = "50" + "11" * 16  # byte string of 16 bytes


def test_op_codes_are_as_published_and_never_change() -> None:
    assert {kind.__name__: op for op, kind in m.MESSAGES.items()} == {
        "KeepAlive": 1, "Alive": 2, "GetStatus": 3, "Status": 4, "GetEvents": 5, "Events": 6, "Anchor": 7,
        "Anchored": 8, "StageProgram": 16, "StageRefill": 17, "Staged": 18, "ReadBack": 19, "ReadBackReport": 20,
        "Present": 21, "Presented": 22, "Commit": 23, "Committed": 24, "Query": 25, "NotApplied": 26,
        "Indeterminate": 27, "Abort": 28, "Aborted": 29, "SilenceAlarm": 32, "Silenced": 33, "Close": 40,
        "Closed": 41, "Refused": 48, "Emergency": 56, "EmergencyDone": 57, "Pair": 58, "Listen": 59,
        "ConfirmPattern": 60, "Paired": 61,
    }  # fmt: skip
    assert {kind for kind in KINDS if kind.REQUEST} == REQUESTS
    assert {kind for kind in KINDS if kind.OPEN} == OPEN
    assert all(not (kind.OPEN and kind.AFFECTS_THERAPY) for kind in KINDS)
    assert {kind for kind in KINDS if kind.AFFECTS_THERAPY} == {
        m.StageProgram, m.StageRefill, m.Present, m.Commit, m.Emergency,
    }  # fmt: skip


# Put together by hand: array of three (83), op, request id, body.
GOLDEN: list[tuple[int, m.Message, str]] = [
    (1, m.KeepAlive(), "83 01 01 a0"),
    (24, m.Alive(), "83 02 1818 a0"),
    (0xFFFF, m.GetStatus(), "83 03 19ffff a0"),
    (2, m.GetEvents(cursor=70_000), "83 05 02 a1 00 1a00011170"),
    (
        3,
        m.Events(first=7, next=9, lost=0, items=(m.EventItem(time_s=1, code=14, argument=0),) * 2),
        "83 06 03 a4 00 07 01 09 02 00 03 82 83 01 0e 00 83 01 0e 00",
    ),
    (
        4,
        m.StageProgram(txid=b"\x11" * 16, base_epoch=6, program=PROGRAM, annex=b"\x22" * 32),
        f"83 10 04 a4 00 {TX} 01 06 02 a5 00 01 01 1a000186a0 02 1a001e8480 03 1a001e8480 04 01 03 5820 {'22' * 32}",
    ),
    (
        5,
        m.StageRefill(
            txid=b"\x11" * 16,
            base_epoch=6,
            program_digest=b"\x33" * 32,
            reservoir_nl=18_000_000,
            discrepancy=m.Discrepancy.OPEN,
            annex=b"\x22" * 32,
        ),
        f"83 11 05 a6 00 {TX} 01 06 02 5820 {'33' * 32} 03 1a0112a880 04 01 05 5820 {'22' * 32}",
    ),
    (
        6,
        m.Staged(txid=b"\x11" * 16, digest=b"\x44" * 32, token=b"\x55" * 8, expires_in_s=120, persons=1),
        f"83 12 06 a5 00 {TX} 01 5820 {'44' * 32} 02 48 {'55' * 8} 03 1878 04 01",
    ),
    (
        7,
        m.Commit(
            txid=b"\x11" * 16, token=b"\x55" * 8, digest=b"\x44" * 32, head=b"\x66" * 16, signatures=(b"\x77" * 64,)
        ),
        f"83 17 07 a5 00 {TX} 01 48 {'55' * 8} 02 5820 {'44' * 32} 03 50 {'66' * 16} 04 81 5840 {'77' * 64}",
    ),
    (8, m.Query(txid=b"\x11" * 16, base_epoch=24), f"83 1819 08 a2 00 {TX} 01 1818"),
    (9, m.NotApplied(txid=b"\x11" * 16), f"83 181a 09 a1 00 {TX}"),
    (
        10,
        m.Refused(op=23, txid=b"", reasons=(m.Refusal.LIMIT_DOSE_HIGH, m.Refusal.EPOCH)),
        "83 1830 0a a3 00 17 01 40 02 82 1820 02",
    ),
    (11, m.Close(requests=300), "83 1828 0b a1 00 19012c"),
]


@pytest.mark.parametrize(("number", "message", "text"), GOLDEN, ids=[type(item).__name__ for _, item, _ in GOLDEN])
def test_a_message_has_the_bytes_put_together_by_hand(number: int, message: m.Message, text: str) -> None:
    assert m.encode_message(number, message).hex() == text.replace(" ", "")
    assert m.decode_message(bytes.fromhex(text)) == (number, message)


def test_a_status_is_an_array_in_the_order_of_its_fields() -> None:
    wire = LARGEST_STATUS.model_copy(
        update=dict(zip(m.Status.wire_keys().values(), range(30), strict=True))
        | {"program_digest8": b"\1" * 8, "patient_tag": b"\2" * 8, "staged": False}
    )
    # a number stands at its own index; the digest stands at 9, the patient tag at 23, a boolean at 27
    digest, tag = "48" + "01" * 8, "48" + "02" * 8
    body = f"981e 000102030405060708 {digest} 0a0b0c0d0e0f10111213141516 {tag} 1818 1819 181a f4 181c 181d"
    assert m.encode_message(1, wire).hex() == ("830401" + body).replace(" ", "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_message_comes_back_as_it_was(kind: type[m.Message]) -> None:
    @settings(max_examples=25)
    @given(st.integers(0, 0xFFFF), any_of(kind))
    def check(number: int, message: m.Message) -> None:
        try:
            data = m.encode_message(number, message)
        except ValueError:
            assert kind is m.Events, "only a page that is too full does not fit"
            return
        back = m.decode_message(data)
        assert back == (number, message)
        assert type(back[1]) is kind

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_unknown_key_is_refused_where_therapy_hangs_on_it_and_ignored_in_a_report(kind: type[m.Message]) -> None:
    @settings(max_examples=5)
    @given(any_of(kind))
    def check(message: m.Message) -> None:
        body: Any = message.to_wire()
        if isinstance(body, list):
            body.append(b"from a newer pump")
        else:
            body[99] = b"from a newer pump"
        if kind in OPEN:
            assert kind.from_wire(body) == message
        else:
            with pytest.raises(MalformedMessage):
                kind.from_wire(body)

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_may_be_absent_and_none_may_be_of_another_kind(kind: type[m.Message]) -> None:
    @settings(max_examples=3)
    @given(any_of(kind))
    def check(message: m.Message) -> None:
        body: Any = message.to_wire()
        keys = range(len(body)) if isinstance(body, list) else list(body)
        for key in keys:
            wrong: list[cbor.Value] = [-1, 2**64, "text" * 25, [[]], {0: 0}]
            wrong += [1] if isinstance(body[key], bool) else [True]
            for value in wrong:
                changed: Any = list(body) if isinstance(body, list) else dict(body)
                changed[key] = value
                with pytest.raises(MalformedMessage):
                    kind.from_wire(changed)
            if isinstance(body, dict):
                with pytest.raises(MalformedMessage):
                    kind.from_wire({name: value for name, value in body.items() if name != key})
        if isinstance(body, list):
            with pytest.raises(MalformedMessage):
                kind.from_wire(body[:-1])

    check()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("80", "no op at all"),
        ("820101", "no body"),
        ("840101a000", "one element more"),
        ("a10001", "a map"),
        ("01", "a number"),
        ("830001a0", "op 0"),
        ("83182a01a0", "an op nobody declared"),
        ("83f501a0", "true as op"),
        ("83410101a0", "bytes as op"),
        ("8301f5a0", "true as request id"),
        ("83011a00010000a0", "request id 65,536"),
        ("83014101a0", "bytes as request id"),
        ("83010180", "an array where a map belongs"),
        ("830401a0", "a map where an array belongs"),
        ("83010101", "a number as body"),
        ("83050180", "no body of the event request"),
        ("830501a1001b0000000100000000", "a cursor of 2^32"),
        ("83182001a1001a00010000", "an alarm of 2^16"),
        ("83183001a3001701400280", "a refusal without a reason"),
        ("83183001a30017014002811863", "a reason nobody declared"),
        ("83183001a300170140028141" + "00", "bytes as a reason"),
        ("83183001a300170151" + "00" * 17 + "028101", "a transaction id of 17 bytes"),
        ("83181901a2004f" + "11" * 15 + "0101", "a transaction id of 15 bytes"),
        ("83060" + "1a40000010002000381" + "820100", "an event of two elements"),
        ("83060" + "1a40000010002000381" + "8401000000", "an event of four elements"),
        ("83060" + "1a40000010002000301", "a number as events"),
    ],
)
def test_what_is_no_message_is_refused(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage):
        m.decode_message(bytes.fromhex(text))


@pytest.mark.parametrize("count", [0, 3])
def test_a_commit_has_one_or_two_signatures(count: int) -> None:
    body: dict[int, cbor.Value] = {0: b"t" * 16, 1: b"k" * 8, 2: b"d" * 32, 3: b"h" * 16, 4: [b"s" * 64] * count}
    with pytest.raises(MalformedMessage):
        m.Commit.from_wire(body)


def test_a_commit_with_two_signatures_fits_one_frame() -> None:
    commit = m.Commit(
        txid=b"t" * 16, token=b"k" * 8, digest=b"d" * 32, head=b"h" * 16, signatures=(b"s" * 64, b"u" * 64)
    )
    # 83, op, id in three bytes; map; 1+17, 1+9, 1+34, 1+17; key and array of two times 2+64
    assert len(m.encode_message(0xFFFF, commit)) == 1 + 1 + 3 + 1 + 18 + 10 + 35 + 18 + 2 + 2 * 66 <= 232


def test_a_page_of_events_is_refused_by_size_and_not_cut() -> None:
    full = m.EventItem(time_s=2**32 - 1, code=255, argument=2**32 - 1)
    page = m.Events(first=2**32 - 2, next=2**32 - 1, lost=2**32 - 1, items=(full,) * 15)
    # 83, op, id; map; three numbers of 1+5; key, array of 15; each item 1 + 5 + 2 + 5
    assert len(m.encode_message(0xFFFF, page)) == 1 + 1 + 3 + 1 + 18 + 2 + 15 * 13
    with pytest.raises(ValueError, match="of 232 bytes"):
        m.encode_message(0xFFFF, page.model_copy(update={"items": (full,) * 17}))


def public(secret: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def test_one_interrogation_takes_at_most_210_bytes_both_ways_at_the_largest_values() -> None:
    tablet = TabletKeys("T-1", b"\x11" * 32)
    pump = PumpKeys("VP-1", b"\x22" * 32)
    ours = tablet_handshake(tablet, Pairing("VP-1", public(pump.private), b"\x33" * 32), b"\x44" * 32, b"a", b"b")
    theirs = pump_handshake(pump, PairedTablet("T-1", public(tablet.private), b"\x33" * 32), b"\x55" * 32, b"a", b"b")
    theirs.read_message(ours.write_message(b""))
    ours.read_message(theirs.write_message(b""))
    to_pump, from_pump = ours.split()
    to_pump_theirs, from_pump_theirs = theirs.split()
    sealed = {
        Kind.DATA: Channel(to_pump, Direction.TO_PUMP).seal(
            address_type(Address.PUMP, Kind.DATA), m.encode_message(0xFFFF, m.GetStatus())
        ),
        Kind.DATA_REPLY: Channel(from_pump_theirs, Direction.FROM_PUMP).seal(
            address_type(Address.PUMP, Kind.DATA_REPLY), m.encode_message(0xFFFF, LARGEST_STATUS)
        ),
    }
    wire = {kind: encode_frame(Frame(address_type(Address.PUMP, kind), 0, data)) for kind, data in sealed.items()}
    total = sum(map(len, wire.values())) + 1  # the request starts with one 0x00 on an idle line
    assert total <= 210, f"{total} bytes"
    (frame,) = FrameDecoder().feed(wire[Kind.DATA_REPLY])
    assert isinstance(frame, Frame)
    opened = Channel(from_pump, Direction.FROM_PUMP).open(frame.address_type, frame.payload)
    assert m.decode_message(opened) == (0xFFFF, LARGEST_STATUS)
    request = Channel(to_pump_theirs, Direction.TO_PUMP).open(0x10, sealed[Kind.DATA])
    assert m.decode_message(request) == (0xFFFF, m.GetStatus())


def test_the_status_names_the_running_program() -> None:
    status = LARGEST_STATUS.model_copy(
        update={
            "mode": m.Mode.SIMPLE,
            "dose_ng_per_day": 100_000,
            "concentration_ng_per_ml": 2_000_000,
            "alarm_nl": 2_000_000,
        }
    )
    assert status.program == PROGRAM


HELLO = m.HelloTablet(min_version=1, max_version=1, capabilities=0, link_kind=1, nonce=b"n" * 8, kind=0)


@pytest.mark.parametrize("name", ["", "t-1", "T 1", "T\x1b1", "T" * 17, "TÄ1"])
def test_a_name_is_one_to_sixteen_plain_characters(name: str) -> None:
    with pytest.raises(MalformedMessage):
        m.Pair.from_wire({0: name})


def test_hello_has_the_bytes_put_together_by_hand() -> None:
    assert HELLO.encode().hex() == "a6" + "0001" + "0101" + "0200" + "0301" + "0448" + "6e" * 8 + "0500"
    pump = m.HelloPump(version=1, capabilities=0, nonce=b"n" * 8, tags=bytes(64))
    assert pump.encode().hex() == "a4" + "0001" + "0100" + "0248" + "6e" * 8 + "035840" + "00" * 64
    assert m.HelloPump.decode(pump.encode()) == pump
