"""Golden vectors of greeting, handshakes and sealed frames, from fixed keys."""

from typing import Any

from protocol import messages as m
from protocol import noise
from protocol.errors import NoiseError
from protocol.framing import Frame, encode_frame
from protocol.link import Address, Kind, address_type
from protocol.noise import CipherState, HandshakeState, public_key
from protocol.session import (
    NOISE_NAME,
    ROLES,
    Channel,
    Direction,
    ImplantCard,
    PairedTablet,
    Pairing,
    PumpKeys,
    SessionKind,
    TabletKeys,
    card_handshake,
    carded_handshake,
    derive,
    greeting_tag,
    prologue,
    pump_handshake,
    pump_tags,
    tablet_handshake,
)
from tests.house.vector_inputs import (
    CARD_SECRET,
    PSK,
    PUMP_EPHEMERAL,
    PUMP_NONCE,
    PUMP_STATIC,
    SERIAL,
    TABLET_EPHEMERAL,
    TABLET_ID,
    TABLET_NONCE,
    TABLET_STATIC,
    key,
)

CARD = ImplantCard(SERIAL, public_key(PUMP_STATIC), CARD_SECRET)
DATA, REPLY = address_type(Address.PUMP, Kind.DATA), address_type(Address.PUMP, Kind.DATA_REPLY)
LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""Public keys that force the shared secret to zero. Source: RFC 7748 section 6.1; cr.yp.to/ecdh.html."""


def psk_of(kind: SessionKind) -> bytes:
    """The pre-shared key of a kind of session."""
    return PSK if kind is SessionKind.ROUTINE else CARD.psk(kind)


def hello_tablet(kind: SessionKind) -> bytes:
    """The tablet's greeting."""
    return m.HelloTablet(
        min_version=1, max_version=1, capabilities=0, link_kind=1, nonce=TABLET_NONCE, kind=kind
    ).encode()  # fmt: skip


def hello_pump(kind: SessionKind) -> bytes:
    """The pump's greeting: one tag that means something, seven that do not."""
    filler = iter(key(f"filler {number}")[:8] for number in range(8))
    tags = pump_tags([psk_of(kind)], TABLET_NONCE, PUMP_NONCE, lambda _: next(filler))
    return m.HelloPump(version=1, capabilities=0, nonce=PUMP_NONCE, tags=tags).encode()


def hello() -> dict[str, Any]:
    """Both greetings of every kind and the tags in them."""
    found = []
    for kind in SessionKind:
        psk = psk_of(kind)
        found.append(
            {
                "kind": int(kind),
                "psk": psk.hex(),
                "psk_from": None
                if kind is SessionKind.ROUTINE
                else {"card_secret": CARD_SECRET.hex(), "info": "pair" if kind is SessionKind.PAIRING else "emergency"},
                "greeting_key": derive(psk, b"greeting/1").hex(),
                "tablet_nonce": TABLET_NONCE.hex(),
                "pump_nonce": PUMP_NONCE.hex(),
                "tag_of_tablet": greeting_tag(psk, Direction.TO_PUMP, TABLET_NONCE, PUMP_NONCE).hex(),
                "tag_of_pump": greeting_tag(psk, Direction.FROM_PUMP, TABLET_NONCE, PUMP_NONCE).hex(),
                "hello_tablet": hello_tablet(kind).hex(),
                "hello_pump": hello_pump(kind).hex(),
                "hello_frame": encode_frame(Frame(0x12, 0xFE, hello_tablet(kind)), idle_line=True).hex(),
                "hello_reply_frame": encode_frame(Frame(0x13, 0xFE, hello_pump(kind))).hex(),
            }
        )
    return {"section": "3", "greetings": found}


def sides(kind: SessionKind, hellos: tuple[bytes, bytes] | None = None) -> tuple[HandshakeState, HandshakeState]:
    """Tablet and pump at the beginning of a handshake."""
    both = hellos or (hello_tablet(kind), hello_pump(kind))
    keys = PumpKeys(SERIAL, PUMP_STATIC, CARD_SECRET)
    if kind is SessionKind.ROUTINE:
        pairing = Pairing(SERIAL, public_key(PUMP_STATIC), PSK)
        tablet = PairedTablet(TABLET_ID, public_key(TABLET_STATIC), PSK)
        return (
            tablet_handshake(TabletKeys(TABLET_ID, TABLET_STATIC), pairing, TABLET_EPHEMERAL, *both),
            pump_handshake(keys, tablet, PUMP_EPHEMERAL, *both),
        )
    return (
        card_handshake(kind, CARD, TABLET_STATIC, TABLET_EPHEMERAL, *both),
        carded_handshake(kind, keys, psk_of(kind), PUMP_EPHEMERAL, *both),
    )


def _run(one: HandshakeState, two: HandshakeState) -> list[bytes]:
    messages = []
    while not one.complete:
        writer, reader = (one, two) if one.my_turn else (two, one)
        messages.append(writer.write_message(b""))
        reader.read_message(messages[-1])
    return messages


def _refused(kind: SessionKind, first: bytes) -> list[dict[str, str]]:
    """What the pump must not answer in place of the first message."""

    def flipped(place: int) -> bytes:
        changed = bytearray(first)
        changed[place] ^= 0x01
        return bytes(changed)

    tries = {"a bit of the ephemeral key": flipped(0), "a bit of the tag": flipped(len(first) - 1)}
    tries |= {"one byte less": first[:-1], "one byte more": first + b"\x00", "nothing": b""}
    tries |= {
        f"low-order ephemeral key {number}": bytes.fromhex(low) + first[32:] for number, low in enumerate(LOW_ORDER)
    }
    found = []
    for name, message in tries.items():
        try:
            sides(kind)[1].read_message(message)
        except NoiseError as error:
            found.append({"name": name, "message": message.hex(), "reason": type(error).__name__})
    return found


def handshakes() -> dict[str, Any]:
    """Every key, byte and hash of the three handshakes."""
    found = []
    for kind in SessionKind:
        one, two = sides(kind)
        messages = _run(one, two)
        tag = greeting_tag(psk_of(kind), Direction.TO_PUMP, TABLET_NONCE, PUMP_NONCE)
        payloads = [tag + messages[0], *messages[1:]]
        places = [(0x14, 0xFF, True), (0x15, 0xFF, False), (0x16, 0xFC, True)]
        sending, receiving = one.split()
        name = TABLET_ID if kind is SessionKind.ROUTINE else ""
        bound = prologue(SERIAL, name, hello_tablet(kind), hello_pump(kind), kind)
        changed = hello_tablet(kind).replace(bytes([1, 1, 1]), bytes([1, 1, 2]), 1)
        downgraded = sides(kind, (changed, hello_pump(kind)))[1]
        found.append(
            {
                "kind": int(kind),
                "name": NOISE_NAME[kind],
                "serial": SERIAL,
                "tablet_id": name,
                "roles": ROLES.hex(),
                "prologue": bound.hex(),
                "hello_tablet": hello_tablet(kind).hex(),
                "hello_pump": hello_pump(kind).hex(),
                "psk": psk_of(kind).hex(),
                "pump_static": PUMP_STATIC.hex(),
                "pump_static_public": public_key(PUMP_STATIC).hex(),
                "pump_ephemeral": PUMP_EPHEMERAL.hex(),
                "tablet_static": None if kind is SessionKind.BREAK_GLASS else TABLET_STATIC.hex(),
                "tablet_static_public": None if kind is SessionKind.BREAK_GLASS else public_key(TABLET_STATIC).hex(),
                "tablet_ephemeral": TABLET_EPHEMERAL.hex(),
                "messages": [item.hex() for item in messages],
                "frames": [
                    encode_frame(Frame(where, seq, payload), idle_line=idle).hex()
                    for (where, seq, idle), payload in zip(places, payloads, strict=False)
                ],
                "h": one.handshake_hash.hex(),
                "key_to_pump": (sending.k or b"").hex(),
                "key_from_pump": (receiving.k or b"").hex(),
                "refused": [*_refused(kind, messages[0]), _downgrade(downgraded, messages[0])],
            }
        )
    return {"section": "4", "handshakes": found}


def _downgrade(pump: HandshakeState, first: bytes) -> dict[str, str]:
    try:
        pump.read_message(first)
    except NoiseError as error:
        return {
            "name": "the pump heard another HELLO (largest version 2)",
            "message": first.hex(),
            "reason": type(error).__name__,
        }
    raise AssertionError("a changed greeting went unnoticed")


def _sealed(cipher_key: bytes, direction: Direction, count: int, commits: tuple[int, ...]) -> list[dict[str, Any]]:
    """Frames 0 to ``count`` of one direction; a rekey also after each frame number in ``commits``."""
    where = DATA if direction is Direction.TO_PUMP else REPLY
    cipher, found = CipherState(cipher_key), []
    channel = Channel(cipher, direction)
    kept = {0, 1, 255, 256, 257, 511, 512, 513, *commits, *(number + 1 for number in commits)}
    for number in range(count):
        seq, plain = channel.seq, m.encode_message(number % 0xFFFF + 1, m.KeepAlive())
        sealed = channel.seal(where, plain)
        if number in kept:
            found.append(
                {
                    "number": number,
                    "seq": seq,
                    "address_type": where,
                    "key": (cipher.k or b"").hex(),
                    "plaintext": plain.hex(),
                    "sealed": sealed.hex(),
                    "wire": encode_frame(
                        Frame(where, seq, sealed), idle_line=direction is Direction.TO_PUMP
                    ).hex(),
                }
            )  # fmt: skip
        if number in commits:
            channel.rekey()
    return found


def sealed() -> dict[str, Any]:
    """Frames of a session, with the keys in use."""
    to_pump, from_pump = key("sealing to pump"), key("sealing from pump")
    streams = [
        {
            "direction": int(direction),
            "first_key": start.hex(),
            "rekey_also_after": list(commits),
            "frames": _sealed(start, direction, count, commits),
        }
        for direction, start, count, commits in (
            (Direction.TO_PUMP, to_pump, 514, ()),
            (Direction.FROM_PUMP, from_pump, 514, ()),
            (Direction.TO_PUMP, to_pump, 8, (5,)),
            (Direction.FROM_PUMP, from_pump, 258, (5, 254)),
        )
    ]
    plain = m.encode_message(1, m.GetStatus())
    good = Channel(CipherState(to_pump), Direction.TO_PUMP).seal(DATA, plain)
    other = Channel(CipherState(to_pump), Direction.FROM_PUMP).seal(DATA, plain)
    moved = Channel(CipherState(to_pump), Direction.TO_PUMP).seal(REPLY, plain)
    late = CipherState(to_pump)
    late.n = 1
    second = noise.CipherState.encrypt_with_ad(late, bytes((1, 1, DATA, 1, 0, len(plain))), plain)
    tries = {
        "a bit of the ciphertext": bytes([good[0] ^ 1]) + good[1:],
        "a bit of the tag": good[:-1] + bytes([good[-1] ^ 0x80]),
        "one byte less": good[:-1],
        "one byte more": good + b"\x00",
        "shorter than a tag": good[:15],
        "sealed for the other direction": other,
        "sealed as a reply": moved,
        "sealed as the next frame": second,
    }
    refused = [{"name": name, "sealed": data.hex()} for name, data in tries.items()]
    return {
        "section": "4",
        "streams": streams,
        "opens": {"key": to_pump.hex(), "direction": 1, "address_type": DATA, "number": 0, "sealed": good.hex(),
                  "plaintext": plain.hex()},
        "refused_in_its_place": refused,
    }  # fmt: skip
