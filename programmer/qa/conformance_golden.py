"""The golden vectors: read from the package, and held against this program before it judges another."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import protocol
from programmer.qa.conformance import Suite, require
from programmer.qa.conformance_line import Bench
from protocol import cbor
from protocol import messages as m
from protocol import wand as w
from protocol.credential import parse
from protocol.errors import MalformedMessage, ProtocolError
from protocol.framing import Discarded, Frame, FrameDecoder, encode_frame
from protocol.noise import CipherState, HandshakeState
from protocol.order import verifies
from protocol.session import Channel, Direction


@cache
def load(name: str) -> Any:
    """One file of vectors, by its name without the ending."""
    assert protocol.__file__ is not None
    return json.loads((Path(protocol.__file__).parent / "vectors" / f"{name}.json").read_text(encoding="utf-8"))


def _frames(_: Bench) -> None:
    for vector in load("framing")["encode"]:
        frame = Frame(vector["address_type"], vector["seq"], bytes.fromhex(vector["payload"]))
        require(encode_frame(frame, idle_line=True).hex() == vector["wire"], vector["name"])
    for vector in load("framing")["decode"]:
        found: list[dict[str, Any]] = []
        for item in FrameDecoder().feed(bytes.fromhex(vector["wire"])):
            if isinstance(item, Discarded):
                found.append({"discarded": item.reason.value, "size": item.size})
            else:
                plain = {"address_type": item.address_type, "seq": item.seq, "payload": item.payload.hex()}
                found.append({"frame": plain})
        require(found == vector["items"], vector["name"])


def _encoding(_: Bench) -> None:
    for vector in load("cbor")["valid"]:
        data = bytes.fromhex(vector["bytes"])
        require(cbor.encode(cbor.decode(data)) == data, vector["bytes"])
    for vector in load("cbor")["refused"]:
        require(_refuses(cbor.decode, vector["bytes"]), vector["name"])
    for entry in load("messages")["messages"]:
        for vector in entry["cases"]:
            data = bytes.fromhex(vector["bytes"])
            require(m.encode_message(*m.decode_message(data)) == data, f"{entry['name']} {vector['name']}")
        for vector in entry["refused"]:
            require(_refuses(m.decode_message, vector["bytes"]), f"{entry['name']}: {vector['name']}")
    for vector in load("wand")["refused"]:
        require(_refuses(w.decode_wand, vector["bytes"]), vector["name"])


def _refuses(decode: Any, data: str) -> bool:
    try:
        decode(bytes.fromhex(data))
    except MalformedMessage:
        return True
    return False


def _keys(_: Bench) -> None:
    for vector in load("handshakes")["handshakes"]:
        one = HandshakeState(
            vector["name"],
            initiator=True,
            prologue=bytes.fromhex(vector["prologue"]),
            e=bytes.fromhex(vector["tablet_ephemeral"]),
            s=None if vector["tablet_static"] is None else bytes.fromhex(vector["tablet_static"]),
            rs=None if vector["kind"] == 2 else bytes.fromhex(vector["pump_static_public"]),
            psks=(bytes.fromhex(vector["psk"]),),
        )
        for message in vector["messages"]:
            if one.my_turn:
                require(one.write_message(b"").hex() == message, f"{vector['name']}: a message of the tablet")
            else:
                one.read_message(bytes.fromhex(message))
        require(one.handshake_hash.hex() == vector["h"], f"{vector['name']}: h")
        keys = [(cipher.k or b"").hex() for cipher in one.split()]
        require(keys == [vector["key_to_pump"], vector["key_from_pump"]], f"{vector['name']}: keys")
    opens = load("sealed")["opens"]
    for vector in load("sealed")["refused_in_its_place"]:
        channel = Channel(CipherState(bytes.fromhex(opens["key"])), Direction.TO_PUMP)
        try:
            channel.open(opens["address_type"], bytes.fromhex(vector["sealed"]))
        except ProtocolError:
            continue
        require(False, vector["name"])


def _signatures(_: Bench) -> None:
    order = load("orders")
    for row in order["signatures"]:
        key, signed, signature = (bytes.fromhex(row[name]) for name in ("public_key", "signed_bytes", "signature"))
        require(verifies(key, signed, signature), f"signature {row['position']}")
    author = order["signatures"][0]
    for row in order["not_signed_by_the_author"]:
        key, signature = bytes.fromhex(author["public_key"]), bytes.fromhex(author["signature"])
        require(not verifies(key, bytes.fromhex(row["signed_bytes"]), signature), row["name"])
    for row in load("credentials")["credentials"]:
        credential, signature = parse(bytes.fromhex(row["bytes"]))
        key = bytes.fromhex(load("credentials")["root_key"])
        require(verifies(key, credential.signed_bytes(), signature), row["name"])


def suite(role: str) -> Suite:
    """The cases that come before every run."""
    made = Suite(role)
    for name, section, says, run in (
        ("golden-frames", "1", "this program encodes and decodes the golden frames", _frames),
        ("golden-encoding", "5", "this program reads and refuses the golden messages", _encoding),
        ("golden-keys", "4", "this program makes the golden handshakes and refuses the golden forgeries", _keys),
        ("golden-signatures", "6", "this program verifies the golden orders and credentials", _signatures),
    ):
        made.case(name, section, says)(run)
    return made
