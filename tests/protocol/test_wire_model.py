"""A declared field has one place on the wire, and nothing is coerced on its way in or out."""

from enum import IntEnum
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

from protocol import cbor, wand
from protocol import messages as m
from protocol.errors import MalformedMessage
from protocol.wire_model import U8, U32, Bytes8, Wire, WireModel


class Colour(IntEnum):
    RED = 1


class Inner(WireModel):
    POSITIONAL: ClassVar[bool] = True
    number: Annotated[U8, Wire(0)]
    flag: Annotated[bool, Wire(1)]


class Closed(WireModel):
    later: Annotated[U8, Wire(7)]
    inner: Annotated[Inner, Wire(0)]
    tag: Annotated[Bytes8, Wire(2)]
    colours: Annotated[tuple[Colour, ...], Wire(3), Field(max_length=2)]
    inners: Annotated[tuple[Inner, ...], Wire(4)]
    maybe: Annotated[U32 | None, Wire(5)] = None


class Open(WireModel):
    POSITIONAL: ClassVar[bool] = True
    OPEN: ClassVar[bool] = True
    number: Annotated[U8, Wire(0)]


ONE = Closed(
    later=9,
    inner=Inner(number=1, flag=True),
    tag=b"12345678",
    colours=(Colour.RED,),
    inners=(Inner(number=2, flag=False),),
)
WIRE: dict[int, cbor.Value] = {0: [1, True], 2: b"12345678", 3: [1], 4: [[2, False]], 7: 9}


def test_keys_go_by_number_and_an_absent_value_has_no_key() -> None:
    assert list(Closed.wire_keys().items()) == [
        (0, "inner"), (2, "tag"), (3, "colours"), (4, "inners"), (5, "maybe"), (7, "later"),
    ]  # fmt: skip
    assert ONE.to_wire() == WIRE
    assert ONE.model_copy(update={"maybe": 0}).to_wire() == {**WIRE, 5: 0}
    assert ONE.encode().hex() == "a5 00 82 01 f5 02 48 3132333435363738 03 81 01 04 81 82 02 f4 07 09".replace(" ", "")
    assert Closed.decode(ONE.encode()) == ONE


@pytest.mark.parametrize(
    "change",
    [
        {9: 0},
        {0: [1]},
        {0: [1, True, 0]},
        {0: {0: 1, 1: True}},
        {0: 5},
        {0: [256, True]},
        {0: [True, True]},
        {0: [1, 1]},
        {2: b"1234567"},
        {2: "12345678"},
        {3: [2]},
        {3: [True]},
        {3: 1},
        {3: [1, 1, 1]},
        {4: [[2]]},
        {4: [2]},
        {5: True},
        {5: 2**32},
        {5: [1]},
        {7: [9]},
    ],
    ids=str,
)
def test_a_closed_map_takes_exactly_its_fields(change: dict[int, cbor.Value]) -> None:
    with pytest.raises(MalformedMessage):
        Closed.from_wire({**WIRE, **change})


@pytest.mark.parametrize("value", [[], 0, b"", [1, 2], True])
def test_a_map_is_a_map(value: cbor.Value) -> None:
    with pytest.raises(MalformedMessage, match="Closed is no map"):
        Closed.from_wire(value)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(MalformedMessage, match=r"Closed\.later"):
        Closed.from_wire({key: value for key, value in WIRE.items() if key != 7})


def test_an_open_array_may_be_longer_but_not_shorter() -> None:
    assert Open.from_wire([7, b"new", [1]]) == Open(number=7)
    with pytest.raises(MalformedMessage):
        Open.from_wire([])


def test_an_object_never_changes_and_takes_no_near_miss() -> None:
    with pytest.raises(ValidationError):
        ONE.later = 3
    for wrong in ("1", 1.0, True, -1, 256):
        with pytest.raises(ValidationError):
            Inner(number=wrong, flag=True)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Inner(number=1, flag=True, more=1)  # type: ignore[call-arg]


def test_every_quantity_on_the_wire_says_its_unit() -> None:
    suffixes = {
        "_s": "s",
        "_ng_per_day": "ng/day",
        "_ng_per_ml": "ng/mL",
        "_nl_per_day": "nL/day",
        "_mv": "mV",
        "_fg": "fg",
        "_nl": "nL",
    }
    kinds: list[type[WireModel]] = [*m.MESSAGES.values(), m.Program, m.EventItem, *wand.WAND_MESSAGES.values()]
    seen = 0
    for kind in kinds:
        for name, field in kind.model_fields.items():
            (wire,) = [item for item in field.metadata if isinstance(item, Wire)]
            for suffix, unit in suffixes.items():
                if name.endswith(suffix):
                    seen += 1
                    assert wire.unit.startswith(unit), f"{kind.__name__}.{name}"
    assert seen > 20


def test_keys_are_used_once_and_a_positional_class_has_no_holes() -> None:
    kinds: list[type[WireModel]] = [*m.MESSAGES.values(), m.Program, m.EventItem, m.HelloPump, m.HelloTablet]
    for kind in kinds:
        keys = [item.key for field in kind.model_fields.values() for item in field.metadata if isinstance(item, Wire)]
        assert sorted(keys) == list(range(len(kind.model_fields))), kind.__name__
