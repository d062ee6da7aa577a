"""The golden vectors of ``protocol/vectors``, read by the independent client."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop import cbor, frames, messages, noise, orders, session

FOLDER = Path(__file__).resolve().parents[2] / "protocol" / "vectors"
KINDS = {noise.NAME.format(pattern): pattern for pattern in noise.PATTERNS}


def load(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def value(told: Any) -> Any:
    """A value as the vectors write it."""
    if isinstance(told, list):
        return [value(item) for item in told]
    if isinstance(told, dict):
        return bytes.fromhex(told["hex"]) if "hex" in told else {key: value(item) for key, item in told["map"]}
    return told


def raw(case: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(case[name] or "")


def test_frames_are_written_and_streams_are_read_alike() -> None:
    told = load("framing")
    for case in told["encode"]:
        address, kind = divmod(case["address_type"], 16)
        frame = frames.Frame(address, kind, case["seq"], raw(case, "payload"))
        assert b"\0" + frames.write(frame) == raw(case, "wire"), case["name"]
    for case in told["decode"]:
        expected = [item["frame"] for item in case["items"] if "frame" in item]
        for pieces in ([raw(case, "wire")], [bytes([byte]) for byte in raw(case, "wire")]):
            reader = frames.Reader()
            found = [frame for piece in pieces for frame in reader.feed(piece)]
            got = [{"address_type": f.address_type, "seq": f.seq, "payload": f.payload.hex()} for f in found]
            assert got == expected, case["name"]


def test_cbor_is_canonical_or_refused() -> None:
    told = load("cbor")
    for case in told["valid"]:
        assert cbor.decode(raw(case, "bytes")) == value(case["value"])
        assert cbor.encode(value(case["value"])) == raw(case, "bytes")
    for case in (*told["refused"], *told["messages"]):
        with pytest.raises(cbor.NotCanonical):
            cbor.decode(raw(case, "bytes"))


def test_greetings_have_these_tags() -> None:
    for case in load("hello")["greetings"]:
        nonces = raw(case, "tablet_nonce"), raw(case, "pump_nonce")
        psk = raw(case, "psk")
        assert session.tag(psk, session.TABLET, *nonces) == raw(case, "tag_of_tablet")
        assert session.tag(psk, session.PUMP, *nonces) == raw(case, "tag_of_pump")
        if case["psk_from"]:
            assert session.derive(raw(case["psk_from"], "card_secret"), case["psk_from"]["info"]) == psk


def sides(case: dict[str, Any], heard: bytes | None = None) -> tuple[noise.Handshake, noise.Handshake]:
    """Tablet and pump with the keys of a vector; ``heard`` is the HELLO as the pump heard it."""
    hello, reply = raw(case, "hello_tablet"), raw(case, "hello_pump")
    about = session.prologue(case["kind"], case["serial"], case["tablet_id"], hello, reply)
    assert about == raw(case, "prologue")
    pumps = session.prologue(case["kind"], case["serial"], case["tablet_id"], heard or hello, reply)
    known = case["kind"] != session.PAIRING
    pattern, psk = KINDS[case["name"]], raw(case, "psk")
    pump_key, tablet_key = raw(case, "pump_static_public"), raw(case, "tablet_static_public")
    tablet = noise.Handshake(
        pattern, about, psk, raw(case, "tablet_static") or None, pump_key if known else None, True,
        raw(case, "tablet_ephemeral"),
    )  # fmt: skip
    pump = noise.Handshake(
        pattern, pumps, psk, raw(case, "pump_static"), (tablet_key or None) if known else None, False,
        raw(case, "pump_ephemeral"),
    )  # fmt: skip
    return tablet, pump


def test_handshakes_give_these_bytes_and_keys_on_both_sides() -> None:
    for case in load("handshakes")["handshakes"]:
        tablet, pump = sides(case)
        for number, message in enumerate(case["messages"]):
            writer, reader = (tablet, pump) if number % 2 == 0 else (pump, tablet)
            assert writer.write().hex() == message
            reader.read(bytes.fromhex(message))
        for side in (tablet, pump):
            assert side.hash == raw(case, "h")
            assert side.split() == (raw(case, "key_to_pump"), raw(case, "key_from_pump"))
        for refused in case["refused"]:
            told = cbor.decode(raw(case, "hello_tablet"))
            heard = cbor.encode(told | {1: 2}) if "largest version 2" in refused["name"] else None
            with pytest.raises(noise.HandshakeFailed):
                _hear(sides(case, heard)[1], case, refused)


def _hear(pump: noise.Handshake, case: dict[str, Any], refused: dict[str, Any]) -> None:
    """The pump hears the altered first message, and goes on with the true ones."""
    pump.read(raw(refused, "message"))
    pump.write()
    for message in case["messages"][2::2]:
        pump.read(bytes.fromhex(message))


def test_sealed_frames_across_new_keys() -> None:
    told = load("sealed")
    for stream in told["streams"]:
        frames_of = {frame["number"]: frame for frame in stream["frames"]}
        way = session.Way(stream["direction"], raw(stream, "first_key"))
        for number in range(max(frames_of) + 1):
            case = frames_of.get(number)
            address_type = 16 if stream["direction"] == session.TO_PUMP else 17
            seq, sealed = way.seal(address_type, raw(case, "plaintext") if case else b"")
            if case:
                assert (seq, sealed.hex(), way.key.hex()) == (case["seq"], case["sealed"], case["key"])
            if number in stream["rekey_also_after"]:
                way.key = noise.rekey(way.key)
    opens = told["opens"]
    for case in told["refused_in_its_place"]:
        with pytest.raises(session.SessionOver):
            session.Way(opens["direction"], raw(opens, "key")).open(opens["address_type"], raw(case, "sealed"))


def test_messages_of_every_size_come_back() -> None:
    met = 0
    for about in load("messages")["messages"]:
        if about["name"] not in messages.BODIES:
            continue
        for case in about["cases"]:
            name, number, body = messages.read(raw(case, "bytes"))
            assert (name, number) == (about["name"], case["request_id"])
            assert messages.write(name, number, body) == raw(case, "bytes")
            met += 1
    assert met >= 60


def test_credentials_have_this_form() -> None:
    told = load("credentials")
    assert orders.root_id(raw(told, "root_key")).hex() == told["root_id"]
    for case in told["credentials"]:
        made = orders.credential(
            raw(told, "root_seed"), case["holder"], raw(case, "public_key"), case["subject"], case["role"],
            case["not_after_s"], case["revocation_epoch"], case["realm"],
        )  # fmt: skip
        assert (made.hex(), orders.credential_digest(made).hex()) == (case["bytes"], case["digest"])


def test_orders_receipts_and_the_witness_record() -> None:
    told, after = load("orders"), load("receipts")
    fields = told["fields"]
    for case in told["contents"]:
        assert orders.content_digest(value(case["value"])).hex() == case["digest"]
    order = orders.Order(
        fields["serial"], raw(fields, "txid"), raw(fields, "token"), value(told["contents"][0]["value"]),
        raw(told, "running_digest"), fields["epoch"], raw(fields, "annex"), fields["staged_at_s"],
        raw(fields, "handshake_hash"), raw(fields, "log_head"),
    )  # fmt: skip
    for case in told["signatures"]:
        assert orders.signer_id(raw(case, "public_key")).hex() == case["signer_id"]
        assert order.to_sign(raw(case, "public_key"), case["meaning"]).hex() == case["signed_bytes"]
        assert orders.sign(raw(case, "seed"), raw(case, "signed_bytes")).hex() == case["signature"]
    signed, signatures = ([raw(case, name) for case in told["signatures"]] for name in ("signed_bytes", "signature"))
    assert order.hash(signed, signatures).hex() == told["order_hash"]

    chain, key = after["chain"], raw(after, "receipt_key")
    now = orders.next_chain(raw(chain, "before"), chain["epoch"], raw(chain, "order_hash"), chain["tablet_id"])
    assert (now.hex(), orders.tablet_tag(chain["tablet_id"]).hex()) == (chain["after"], chain["tablet_tag"])
    orders.check_receipt(key, fields["serial"], messages.read(raw(after, "committed"))[2], signatures)
    anchored = messages.read(raw(after["anchor"], "anchored"))[2]
    orders.check_anchor(key, fields["serial"], raw(after["anchor"], "nonce"), anchored)
