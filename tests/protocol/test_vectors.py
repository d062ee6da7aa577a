"""The golden vectors: read back through the decoders, computed by other means, equal to what the generator makes."""

import hashlib
import hmac
import zlib
from typing import Any

import cbor2
import pytest
from cobs import cobs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from protocol import messages as m
from protocol import wand as w
from protocol.cbor import decode, encode
from protocol.errors import MalformedMessage, NoiseError, TagFailure
from protocol.framing import Discarded, Frame, FrameDecoder, encode_frame
from protocol.link import Ignored, Repeat, Request, Secondary
from protocol.noise import CipherState
from protocol.session import Channel, Direction, SessionKind
from tests.house.spec import PARTS
from tests.house.vector_session import sides
from tests.house.vectors import FILES, FOLDER, text
from tests.protocol import noise_by_hand as hand
from tests.protocol.golden import VECTORS, named, raw, value


@pytest.mark.parametrize("name", FILES)
def test_files_are_those_of_the_generator(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == text(name), "run python -m tests.house.vectors"


def test_the_list_of_files_is_complete() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FILES)
    assert all(f"`{name}.json`" in readme for name in FILES)


@named(VECTORS["framing"]["encode"])
def test_frames_are_encoded(case: Any) -> None:
    covered = bytes([case["address_type"], case["seq"]]) + raw(case, "payload")
    by_hand = b"\x00" + cobs.encode(covered + zlib.crc32(covered).to_bytes(4, "big")) + b"\x00"
    assert by_hand.hex() == case["wire"]
    frame = Frame(case["address_type"], case["seq"], raw(case, "payload"))
    assert encode_frame(frame, idle_line=True) == by_hand
    assert FrameDecoder().feed(by_hand) == [frame]


def told(piece: bytes) -> Any:
    """What one piece between zeros is, by the words of the specification."""
    if len(piece) > 256:
        return {"discarded": "too long", "size": len(piece)}
    try:
        body = cobs.decode(piece)
    except cobs.DecodeError:
        return {"discarded": "bad stuffing", "size": len(piece)}
    if not 6 <= len(body) <= 254:
        return {"discarded": "too short" if len(body) < 6 else "too long", "size": len(body)}
    if zlib.crc32(body[:-4]).to_bytes(4, "big") != body[-4:]:
        return {"discarded": "bad checksum", "size": len(body)}
    return {"frame": {"address_type": body[0], "seq": body[1], "payload": body[2:-4].hex()}}


@named(VECTORS["framing"]["decode"])
@pytest.mark.parametrize("step", [1, 1000])
def test_streams_are_decoded(case: Any, step: int) -> None:
    wire = raw(case, "wire")
    assert [told(piece) for piece in wire.split(b"\x00")[:-1] if piece] == case["items"]
    decoder = FrameDecoder()
    found = [item for start in range(0, len(wire), step) for item in decoder.feed(wire[start : start + step])]
    assert case["items"] == [
        {"discarded": item.reason.value, "size": item.size}
        if isinstance(item, Discarded)
        else {"frame": {"address_type": item.address_type, "seq": item.seq, "payload": item.payload.hex()}}
        for item in found
    ]


def test_every_reason_to_discard_has_a_vector() -> None:
    said = {item.get("discarded") for case in VECTORS["framing"]["decode"] for item in case["items"]}
    assert said == {None, "too short", "too long", "bad stuffing", "bad checksum"}


@named(VECTORS["link"]["secondary"])
def test_the_secondary_follows_its_script(case: Any) -> None:
    end, sent = Secondary(case["address"], handshake=case["address"] == 1), []
    for step in case["steps"]:
        (frame,) = FrameDecoder().feed(raw(step, "receives"))
        assert isinstance(frame, Frame)
        taken = end.receive(frame)
        match taken:
            case Request():
                (answer,) = FrameDecoder().feed(raw(step, "sends"))
                assert isinstance(answer, Frame)
                assert (step["is"], answer.seq, answer.address_type) == ("executed", frame.seq, frame.address_type + 1)
                sent.append(end.reply(answer.address_type & 15, answer.seq, answer.payload))
                assert sent[-1].hex() == step["sends"]
            case Repeat():
                assert (step["is"], raw(step, "sends"), taken.reply) == ("repeated", sent[-1], sent[-1])
            case Ignored():
                assert (step["is"], step["sends"], step["why"]) == ("ignored", "", taken.reason)


def test_timeouts_follow_the_formula() -> None:
    for row in VECTORS["link"]["timeouts"]:
        bits = 0 if row["baud"] is None else -(-(row["request_bytes"] + 258) * 10_000 // row["baud"])
        assert row["timeout_ms"] == -(-(bits + 300) // 50) * 50


def test_a_request_is_sent_four_times_and_then_lost() -> None:
    steps = VECTORS["link"]["primary_at_115200"]
    assert len({step.get("sends") for step in steps[:4]}) == 1
    assert [step["at_ms"] for step in steps] == [0, 350, 700, 1050, 1400]
    assert steps[4] == {"at_ms": 1400, "lost": True}


@named(VECTORS["wand"]["messages"])
def test_control_messages_come_back(case: Any) -> None:
    op, body = cbor2.loads(raw(case))
    assert op == case["op"]
    assert cbor2.dumps([op, body], canonical=True) == raw(case)
    assert w.encode_wand(w.decode_wand(raw(case))) == raw(case)


@named(VECTORS["wand"]["refused"])
def test_control_messages_are_refused(case: Any) -> None:
    with pytest.raises(MalformedMessage):
        w.decode_wand(raw(case))


def test_control_frames_hold_what_they_are_named_for() -> None:
    for case in VECTORS["wand"]["frames"]:
        (frame,) = FrameDecoder().feed(raw(case, "wire"))
        assert isinstance(frame, Frame)
        name = type(w.decode_wand(frame.payload)).__name__.upper()
        assert name == case["name"].removesuffix(" anew").replace("_", "")


@named(VECTORS["cbor"]["valid"], "bytes")
def test_canonical_values_come_back(case: Any) -> None:
    expected = value(case["value"])
    assert cbor2.loads(raw(case)) == expected
    assert cbor2.dumps(expected, canonical=True) == raw(case)
    assert decode(raw(case)) == expected
    assert encode(expected) == raw(case)


@named(VECTORS["cbor"]["refused"])
def test_other_encodings_are_refused(case: Any) -> None:
    with pytest.raises(MalformedMessage):
        decode(raw(case))


@named(VECTORS["cbor"]["messages"])
def test_messages_in_other_bytes_are_refused(case: Any) -> None:
    with pytest.raises(MalformedMessage):
        m.decode_message(raw(case))
    if case["reason"] not in ("trailing bytes", "float"):
        op, number, body = cbor2.loads(raw(case))
        canonical = cbor2.dumps([op, number, body], canonical=True)
        assert m.decode_message(canonical)[1].OP in (3, 5, 25)


def test_every_message_has_its_vectors() -> None:
    assert [case["op"] for case in VECTORS["messages"]["messages"]] == sorted(m.MESSAGES)
    for case in VECTORS["messages"]["messages"]:
        assert case["fields"] == list(m.MESSAGES[case["op"]].wire_keys().values())


@named(VECTORS["messages"]["messages"])
def test_messages_come_back(case: Any) -> None:
    for item in case["cases"]:
        assert cbor2.loads(raw(item)) == [case["op"], item["request_id"], value(item["body"])]
        number, message = m.decode_message(raw(item))
        assert (number, message.OP, m.encode_message(number, message)) == (item["request_id"], case["op"], raw(item))
    for item in case["accepted_and_ignored"]:
        assert isinstance(m.decode_message(raw(item))[1], m.MESSAGES[case["op"]])
    for item in case["refused"]:
        with pytest.raises(MalformedMessage):
            m.decode_message(raw(item))


@named(VECTORS["messages"]["refused_envelopes"])
def test_envelopes_are_refused(case: Any) -> None:
    with pytest.raises(MalformedMessage):
        m.decode_message(raw(case))


def test_every_reason_of_refusal_has_its_vector() -> None:
    codes = VECTORS["refusals"]["codes"]
    assert [(case["code"], case["name"]) for case in codes] == [(int(item), item.name) for item in m.Refusal]
    for case in codes:
        op, _, body = cbor2.loads(raw(case))
        assert (op, body[2]) == (48, [case["code"]])
        message = m.decode_message(raw(case))[1]
        assert isinstance(message, m.Refused)
        assert message.reasons == (m.Refusal[case["name"]],)
    many = VECTORS["refusals"]["sixteen_at_once"]
    assert cbor2.loads(raw(many))[2][2] == many["codes"]
    with pytest.raises(MalformedMessage):
        m.decode_message(raw(VECTORS["refusals"]["refused"][0]))


@named(VECTORS["parts"]["parts"])
def test_parts_come_back(case: Any) -> None:
    (kind,) = (part for part in PARTS if part.__name__ == case["name"].split()[0])
    assert cbor2.loads(raw(case)) == value(case["value"])
    assert kind.decode(raw(case)).encode() == raw(case)


def hkdf(secret: bytes, info: str) -> bytes:
    extracted = hmac.new(bytes(32), secret, hashlib.sha256).digest()
    return hmac.new(extracted, info.encode() + b"\x01", hashlib.sha256).digest()


@named(VECTORS["hello"]["greetings"], "kind")
def test_greetings_and_tags(case: Any) -> None:
    psk = raw(case, "psk")
    if case["psk_from"]:
        assert psk == hkdf(bytes.fromhex(case["psk_from"]["card_secret"]), case["psk_from"]["info"])
    greeting = hkdf(psk, "greeting/1")
    assert greeting.hex() == case["greeting_key"]
    for sender, name in ((1, "tag_of_tablet"), (2, "tag_of_pump")):
        message = bytes([sender]) + raw(case, "tablet_nonce") + raw(case, "pump_nonce")
        assert hmac.new(greeting, message, hashlib.sha256).digest()[:8].hex() == case[name]
    tablet = cbor2.loads(raw(case, "hello_tablet"))
    assert tablet == {0: 1, 1: 1, 2: 0, 3: 1, 4: raw(case, "tablet_nonce"), 5: case["kind"]}
    pump = cbor2.loads(raw(case, "hello_pump"))
    assert (pump[0], pump[2], len(pump[3])) == (1, raw(case, "pump_nonce"), 64)
    assert raw(case, "tag_of_pump") in [pump[3][at : at + 8] for at in range(0, 64, 8)]
    for name, where in (("hello", 0x12), ("hello_reply", 0x13)):
        payload = raw(case, {"hello": "hello_tablet", "hello_reply": "hello_pump"}[name])
        assert FrameDecoder().feed(raw(case, f"{name}_frame")) == [Frame(where, 0xFE, payload)]


@named(VECTORS["handshakes"]["handshakes"])
def test_handshakes(case: Any) -> None:
    bound = [case["name"], 1, case["serial"], case["tablet_id"], 1, raw(case, "hello_tablet"), raw(case, "hello_pump"),
             b"\x01\x02", case["kind"] == 1]  # fmt: skip
    assert cbor2.dumps(bound, canonical=True) == raw(case, "prologue")
    private = {
        "is": case["tablet_static"] and raw(case, "tablet_static"),
        "ie": raw(case, "tablet_ephemeral"),
        "rs": raw(case, "pump_static"),
        "re": raw(case, "pump_ephemeral"),
    }
    wire, h, to_pump, from_pump = hand.handshake(case["name"], raw(case, "prologue"), raw(case, "psk"), private)
    assert [item.hex() for item in wire] == case["messages"]
    assert (h.hex(), to_pump.hex(), from_pump.hex()) == (case["h"], case["key_to_pump"], case["key_from_pump"])
    assert hand.public(private["rs"]).hex() == case["pump_static_public"]
    payloads = [FrameDecoder().feed(bytes.fromhex(item))[0] for item in case["frames"]]
    (greeting,) = (item for item in VECTORS["hello"]["greetings"] if item["kind"] == case["kind"])
    expected = [raw(greeting, "tag_of_tablet") + wire[0], *wire[1:]]
    assert [item.payload for item in payloads if isinstance(item, Frame)] == expected
    one, two = sides(SessionKind(case["kind"]))
    for message in wire:
        reader = two if one.my_turn else one
        writer = one if one.my_turn else two
        assert writer.write_message(b"") == message
        reader.read_message(message)
    assert one.handshake_hash == two.handshake_hash == h


@named(VECTORS["handshakes"]["handshakes"])
def test_handshakes_that_are_refused(case: Any) -> None:
    kind = SessionKind(case["kind"])
    assert len(case["refused"]) == 13
    for item in case["refused"][:-1]:
        with pytest.raises(NoiseError) as caught:
            sides(kind)[1].read_message(raw(item, "message"))
        assert type(caught.value).__name__ == item["reason"], item["name"]
    changed = raw(case, "hello_tablet").replace(b"\x01\x01\x01", b"\x01\x01\x02", 1)
    with pytest.raises(TagFailure):
        sides(kind, (changed, raw(case, "hello_pump")))[1].read_message(raw(case["refused"][-1], "message"))


@pytest.mark.parametrize("stream", VECTORS["sealed"]["streams"])
def test_sealed_frames(stream: Any) -> None:
    keys, kept = [raw(stream, "first_key")], {frame["number"]: frame for frame in stream["frames"]}
    channel = Channel(CipherState(keys[0]), Direction(stream["direction"]))
    for number in range(max(kept) + 1):
        if number and number % 256 == 0:
            keys.append(hand.rekeyed(keys[-1]))
        seq, address_type = number % 256, kept[0]["address_type"]
        plain = cbor2.dumps([1, number % 0xFFFF + 1, {}], canonical=True)
        bound = bytes([1, stream["direction"], address_type, seq]) + len(plain).to_bytes(2, "big")
        by_hand = ChaCha20Poly1305(keys[-1]).encrypt(hand.nonce(number), plain, bound)
        assert channel.open(address_type, by_hand) == plain
        if number in kept:
            frame = kept[number]
            assert (frame["seq"], frame["key"], frame["plaintext"]) == (seq, keys[-1].hex(), plain.hex())
            assert frame["sealed"] == by_hand.hex()
            assert FrameDecoder().feed(raw(frame, "wire")) == [Frame(address_type, seq, by_hand)]
        if number in stream["rekey_also_after"]:
            keys.append(hand.rekeyed(keys[-1]))
            channel.rekey()


def test_frames_that_do_not_open() -> None:
    opens = VECTORS["sealed"]["opens"]
    key, plain = raw(opens, "key"), raw(opens, "plaintext")
    bound = bytes([1, 1, opens["address_type"], 0]) + len(plain).to_bytes(2, "big")
    assert ChaCha20Poly1305(key).decrypt(hand.nonce(0), raw(opens, "sealed"), bound) == plain
    for case in VECTORS["sealed"]["refused_in_its_place"]:
        sealed = raw(case, "sealed")
        with pytest.raises(TagFailure):
            Channel(CipherState(key), Direction.TO_PUMP).open(opens["address_type"], sealed)
        if len(sealed) >= 16:
            bound = bytes([1, 1, opens["address_type"], 0]) + (len(sealed) - 16).to_bytes(2, "big")
            with pytest.raises(InvalidTag):
                ChaCha20Poly1305(key).decrypt(hand.nonce(0), sealed, bound)
