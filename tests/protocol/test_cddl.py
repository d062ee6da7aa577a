"""``protocol/pump.cddl`` and the code agree, by a checker that knows nothing of this code (cddl-verifier, RFC 8610)."""

from typing import Any

import cbor2
import pytest
from cddl_verifier import Validator
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import messages as m
from protocol import wand as w
from protocol.cbor import encode
from protocol.credential import parse
from protocol.errors import MalformedMessage
from protocol.messages import decode_message
from protocol.session import SessionKind, prologue
from protocol.wand import decode_wand
from protocol.wire_model import WireModel
from tests.house.cddl import CDDL, rule_name, text
from tests.house.spec import PARTS
from tests.house.vector_inputs import CREDENTIALS, ORDER, PEOPLE, RECEIPT, SERIAL, WITNESS, largest, smallest, wrong
from tests.protocol.make import any_of

FILE = CDDL.read_text(encoding="utf-8")
WHOLE: dict[str, type[WireModel]] = {rule_name(kind): kind for kind in m.MESSAGES.values()} | {
    rule_name(kind): kind for kind in w.WAND_MESSAGES.values()
}


CHECKER = Validator(FILE)


def fits(rule: str, data: bytes) -> bool:
    return CHECKER.validate(data, root_type=rule).valid


def enveloped(kind: type[WireModel], body: Any) -> bytes:
    head = [kind.OP] if issubclass(kind, w.WandMessage) else [kind.OP, 7]  # type: ignore[attr-defined]
    return cbor2.dumps([*head, body], canonical=True)


def decodes(kind: type[WireModel], data: bytes) -> bool:
    try:
        message = decode_wand(data) if issubclass(kind, w.WandMessage) else decode_message(data)[1]
    except MalformedMessage:
        return False
    assert isinstance(message, kind)
    return True


def test_the_file_is_that_of_the_code() -> None:
    assert text() == FILE, "run python -m tests.house.cddl"


def test_lines_fit() -> None:
    assert [line for line in FILE.splitlines() if len(line) > 120] == []


@pytest.mark.parametrize("rule", sorted(WHOLE))
def test_every_message_fits_its_rule_and_the_whole(rule: str) -> None:
    kind = WHOLE[rule]

    @settings(max_examples=6, deadline=None)
    @given(any_of(kind))
    def check(message: WireModel) -> None:
        data = enveloped(kind, message.to_wire())
        assert fits(rule, data)
        assert decodes(kind, data)

    check()
    for message in (smallest(kind), largest(kind)):
        data = enveloped(kind, message.to_wire())
        assert fits(rule, data)
        assert fits("wire", data)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: rule_name(part))
def test_every_part_fits_its_rule(part: type[WireModel]) -> None:
    for value in (smallest(part), largest(part)):
        assert fits(rule_name(part), value.encode())


@pytest.mark.parametrize("rule", sorted(WHOLE))
def test_what_the_code_refuses_the_rule_refuses(rule: str) -> None:
    kind = WHOLE[rule]
    for name, body, good in wrong(kind):
        data = enveloped(kind, body)
        assert decodes(kind, data) is good, name
        assert fits(rule, data) is good, name


@pytest.mark.parametrize("op", [0, 9, 62, 255])
def test_an_op_that_does_not_exist_fits_nothing(op: int) -> None:
    assert not fits("message", cbor2.dumps([op, 1, {}]))


@pytest.mark.parametrize("envelope", [[3], [3, 1], [3, 1, {}, 0], [3, 65536, {}], [3, -1, {}], {0: 3}, 3])
def test_the_envelope_is_exact(envelope: Any) -> None:
    assert not fits("message", cbor2.dumps(envelope))


def test_what_is_signed_fits_its_rule() -> None:
    assert fits("content", encode(ORDER.content.to_wire()))
    for position, person in enumerate(PEOPLE):
        assert fits("order", ORDER.bytes_for(position, person.public))
    assert fits("receipt", RECEIPT.encode())
    assert fits("witness-record", encode(WITNESS.encode()))
    for data in CREDENTIALS.values():
        assert fits("credential", data)
        assert fits("credential-signed", parse(data)[0].signed_bytes())


@pytest.mark.parametrize("kind", list(SessionKind))
def test_the_prologue_fits_its_rule(kind: SessionKind) -> None:
    hello = largest(m.HelloTablet).encode(), largest(m.HelloPump).encode()
    name = "T-0042" if kind is SessionKind.ROUTINE else ""
    data = prologue(SERIAL, name, *hello, kind)
    assert fits("prologue", data)
    items = cbor2.loads(data)
    for place in range(len(items)):
        changed = [*items]
        changed[place] = None
        assert not fits("prologue", cbor2.dumps(changed))


@given(st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_noise_fits_only_where_it_decodes(data: bytes) -> None:
    try:
        decode_message(data)
    except MalformedMessage:
        return
    assert fits("message", data)
