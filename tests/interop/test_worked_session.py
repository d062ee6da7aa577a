"""The whole session of section 11, taken apart with the keys printed there."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop import cbor, frames, messages, noise, orders, session

SPEC = Path(__file__).resolve().parents[2] / "protocol" / "SPEC.md"


@dataclass(frozen=True)
class Step:
    """One frame of section 11."""

    to_pump: bool
    title: str
    wire: bytes
    payload: bytes
    plain: bytes

    @property
    def frame(self) -> frames.Frame:
        return frames.read(self.wire.strip(b"\0"))

    @property
    def body(self) -> messages.Body:
        return messages.read(self.plain)[2]


def _hex(block: str, label: str) -> bytes:
    found = re.search(rf"^    {label:<7} ((?:[0-9a-f]{{2}} ?)+(?:\n +(?:[0-9a-f]{{2}} ?)+)*)$", block, re.MULTILINE)
    return bytes.fromhex("".join(found[1].split())) if found else b""


def _steps(text: str) -> list[Step]:
    found = []
    for block in re.split(r"\n(?=\d+\. (?:tablet to|from) )", text)[1:]:
        title = block.splitlines()[0]
        found.append(
            Step(
                "tablet to" in title,
                title.split(": ")[1],
                *(_hex(block, word) for word in ("wire", "payload", "plain")),
            )
        )
    return found


SECTION = SPEC.read_text().partition("\n## 11. ")[2]
STEPS = _steps(SECTION)
KEYS = dict(re.findall(r"^    (.+?) +([0-9a-f]{64})$", SECTION, re.MULTILINE))
SERIAL, TABLET_ID = "VP-000421", "T-0042"


def key(name: str) -> bytes:
    return bytes.fromhex(KEYS[name])


def step(title: str, which: int = 0) -> Step:
    return [one for one in STEPS if one.title.endswith(title)][which]


def bodies(name: str) -> list[messages.Body]:
    return [one.body for one in STEPS if one.plain and messages.read(one.plain)[0] == name]


def test_every_frame_is_written_and_read_byte_for_byte() -> None:
    assert len(STEPS) == 30
    for one in STEPS:
        frame = one.frame
        lead = b"\0" if one.to_pump else b""
        assert frame.payload == one.payload
        assert lead + frames.write(frame) == one.wire
        assert cbor.encode(cbor.decode(one.plain)) == one.plain if one.plain else frame.seq >= 0xFC


def test_the_greeting_has_the_tags_and_the_hellos_their_fields() -> None:
    hello = messages.unpack("HELLO_TABLET", cbor.decode(step("HELLO", 1).payload))
    reply = messages.unpack("HELLO_PUMP", cbor.decode(step("HELLO_REPLY", 1).payload))
    nonces = hello["nonce"], reply["nonce"]
    tags = [reply["tags"][n : n + 8] for n in range(0, 64, 8)]
    psk = key("pairwise key (PSK)")
    assert session.tag(psk, session.PUMP, *nonces) in tags
    assert session.tag(psk, session.TABLET, *nonces) == step("HANDSHAKE").payload[:8]


def test_the_handshake_gives_the_printed_bytes_hash_and_keys_on_both_sides() -> None:
    about = session.prologue(0, SERIAL, TABLET_ID, step("HELLO", 1).payload, step("HELLO_REPLY", 1).payload)
    tablet, pump = (
        noise.Handshake(
            "KKpsk0", about, key("pairwise key (PSK)"), key(f"{mine} X25519 private"), key(f"{other} X25519 public"),
            mine == "tablet", key(f"{mine} ephemeral private"),
        )
        for mine, other in (("tablet", "pump"), ("pump", "tablet"))
    )  # fmt: skip
    first, second = step("HANDSHAKE").payload[8:], step("HANDSHAKE_REPLY").payload
    assert tablet.write() == first
    pump.read(first)
    assert pump.write() == second
    tablet.read(second)
    for side in (tablet, pump):
        assert side.hash == key("handshake hash")
        assert side.split() == (key("key to the pump"), key("key from the pump"))


def test_every_sealed_payload_opens_and_seals_to_the_same_bytes() -> None:
    keys = key("key to the pump"), key("key from the pump")
    reading, writing = session.Session.of(keys), session.Session.of(keys)
    for one in (one for one in STEPS if one.plain):
        frame = one.frame
        opens, seals = ((s.to_pump if one.to_pump else s.from_pump) for s in (reading, writing))
        assert opens.open(frame.address_type, frame.payload) == one.plain
        assert seals.seal(frame.address_type, one.plain) == (frame.seq, frame.payload)
        if one.title.endswith("COMMITTED"):
            reading.committed()
            writing.committed()


def test_every_message_reads_and_writes_to_the_same_bytes() -> None:
    numbers = []
    for one in (one for one in STEPS if one.plain):
        name, number, body = messages.read(one.plain)
        assert one.title.split()[-1] in (name, name.removesuffix("_PROGRAM"))
        assert messages.write(name, number, body) == one.plain
        numbers.append(number)
    assert numbers == [number for n in range(1, 13) for number in (n, n)]
    assert [body["reasons"] for body in bodies("REFUSED")] == [[22], [9]]
    assert [(body["epoch"], body["dose_ng_per_day"]) for body in bodies("STATUS")] == [(0, 100_000), (1, 115_000)]


def test_each_witness_record_is_signed() -> None:
    for asked, told in zip(bodies("ANCHOR"), bodies("ANCHORED"), strict=True):
        orders.check_anchor(key("receipt key, Ed25519"), SERIAL, asked["nonce"], told)
        with pytest.raises(orders.NotGenuine):
            orders.check_anchor(key("receipt key, Ed25519"), SERIAL, bytes(16), told)


def test_each_credential_is_signed_by_the_root_and_named_by_its_digest() -> None:
    shown = [body["credential"] for body in bodies("PRESENT")]
    by_digest, tablet, again, person = shown
    root = key("clinic root, Ed25519")
    for whole in (tablet, person):
        *said, signature = cbor.decode(whole)
        orders.verify(root, signature, cbor.encode(said))
        assert said[6] == orders.root_id(root)
    assert by_digest == again == orders.credential_digest(person)
    assert cbor.decode(tablet)[:4] == ["tablet/1 simulated", key("tablet X25519 public"), TABLET_ID, 1]
    assert cbor.decode(person)[:4] == ["clinician/1 simulated", key("prescriber, Ed25519"), "dr-a", 1]


def test_order_receipt_and_chain_are_what_section_6_says() -> None:
    (stage,), (staged,), (report,) = bodies("STAGE_PROGRAM"), bodies("STAGED"), bodies("READ_BACK_REPORT")
    (commit,), (done,) = bodies("COMMIT"), bodies("COMMITTED")
    order = orders.Order(
        serial=SERIAL, txid=stage["txid"], token=staged["token"], content=orders.content(report),
        previous_digest=report["previous_digest"], epoch=report["base_epoch"] + 1, annex=stage["annex"],
        staged_at_s=report["staged_at_s"], handshake_hash=key("handshake hash"), head=commit["head"],
    )  # fmt: skip
    assert report["program"] == stage["program"]
    assert order.digest == staged["digest"] == commit["digest"] == done["digest"]
    signed = order.to_sign(key("prescriber, Ed25519"))
    assert commit["signatures"] == [orders.sign(key("prescriber seed, Ed25519"), signed)]
    orders.check_receipt(key("receipt key, Ed25519"), SERIAL, done, commit["signatures"])
    order_hash = order.hash([signed], commit["signatures"])
    assert done["chain"] == orders.next_chain(orders.NO_CHAIN, done["epoch"], order_hash, TABLET_ID)
    before, after = (body["program_digest8"] for body in bodies("STATUS"))
    assert before == report["previous_digest"][:8]
    assert after == orders.program_digest(report["program"])[:8]
    assert messages.pack("CLOSE", bodies("CLOSE")[0]) == {0: 12}
