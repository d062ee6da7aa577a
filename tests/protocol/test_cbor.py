"""One value has one encoding, and nothing else is taken. Expectations: RFC 8949, sections 3, 4.2.1 and appendix A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import cbor
from protocol.errors import MalformedMessage

# value -> hex, copied from RFC 8949 appendix A or put together from its section 3
GOLDEN: list[tuple[cbor.Value, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65_535, "19ffff"),
    (65_536, "1a00010000"),
    (1_000_000, "1a000f4240"),
    (4_294_967_296, "1b0000000100000000"),
    (18_446_744_073_709_551_615, "1bffffffffffffffff"),
    (False, "f4"),
    (True, "f5"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("\u6c34", "63e6b0b4"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({10: 1, 9: 2, 300: 3, 24: 4}, "a409020a0118180419012c03"),
    (b"\x00" * 24, "5818" + "00" * 24),
    ([[[[]]]], "81818180"),
]


@pytest.mark.parametrize(("value", "text"), GOLDEN, ids=[text[:20] for _, text in GOLDEN])
def test_a_value_has_the_bytes_of_the_standard(value: cbor.Value, text: str) -> None:
    assert cbor.encode(value).hex() == text
    assert cbor.decode(bytes.fromhex(text)) == value


REFUSED = {
    "nothing at all": "",
    "a key twice": "a201020103",
    "a key twice, once as true": "a20102f503",
    "a key twice, once as 1.0": "a20102f93c0003",
    "map keys out of order": "a203040102",
    "array of indefinite length": "9f0102ff",
    "map of indefinite length": "bf0102ff",
    "bytes of indefinite length": "5f4101ff",
    "text of indefinite length": "7f6161ff",
    "break without a start": "ff",
    "half float": "f93c00",
    "single float": "fa3f800000",
    "double float": "fb3ff0000000000000",
    "not a number": "f97e00",
    "float deep inside": "8181f93c00",
    "minus one": "20",
    "least negative": "3bffffffffffffffff",
    "negative inside a map": "a10120",
    "negative key": "a12001",
    "text key": "a1616101",
    "bytes key": "a1416101",
    "true as key": "a1f501",
    "array as key": "a1810101",
    "null": "f6",
    "undefined": "f7",
    "simple value 255": "f8ff",
    "simple value in two bytes that fits one": "f818",
    "tag 0, date text": "c074323031332d30332d32315432303a30343a30305a",
    "tag 1, time": "c11a514b67b0",
    "tag 2, big number that fits": "c24101",
    "tag 2, big number": "c249010000000000000000",
    "tag 3, negative big number": "c349010000000000000000",
    "tag 4, decimal fraction": "c48221196ab3",
    "tag 5, big float": "c5822003",
    "tag 5, big float with a huge exponent": "c5821a7fffffff01",
    "tag 28 and 29, a list inside itself": "d81c81d81d00",
    "tag 30, division by zero": "d81e820100",
    "tag 35, broken expression": "d8236128",
    "tag 256, string table": "d9010063616263",
    "tag 258, a set": "d9010281" + "01",
    "tag 55799, self-described": "d9d9f700",
    "unknown tag": "d9fffe00",
    "23 in two bytes": "1817",
    "0 in two bytes": "1800",
    "255 in three bytes": "1900ff",
    "65535 in five bytes": "1a0000ffff",
    "2^32 - 1 in nine bytes": "1b00000000ffffffff",
    "length of bytes not shortest": "580101",
    "length of text not shortest": "780161",
    "length of an array not shortest": "980101",
    "length of a map not shortest": "b8010102",
    "key not shortest": "a1180102",
    "trailing byte": "0000",
    "trailing break": "80ff",
    "second message": "810181" + "01",
    "cut in a number": "19ff",
    "cut in bytes": "4401",
    "cut in an array": "8301",
    "cut in a map": "a101",
    "array of 2^64 - 1 items": "9bffffffffffffffff",
    "bytes of 2^64 - 1": "5bffffffffffffffff",
    "reserved length 28": "1c",
    "text that is no UTF-8": "61ff",
    "text with half a surrogate pair": "63eda080",
    "five levels of arrays": "8181818180",
    "five levels of maps": "a101a101a101a101a0",
    "a thousand levels": "81" * 1000 + "00",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused_with_the_same_kind_of_error(text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        cbor.decode(bytes.fromhex(text))
    assert caught.value.advice in str(caught.value)


def test_four_levels_are_taken_and_a_scalar_below_them() -> None:
    assert cbor.decode(bytes.fromhex("8181818107")) == [[[[7]]]]
    assert cbor.decode(bytes.fromhex("a101a101a101a10107")) == {1: {1: {1: {1: 7}}}}


U64 = st.integers(0, 2**64 - 1)
LEAF = U64 | st.booleans() | st.binary(max_size=40) | st.text(max_size=20)


def nested(levels: int) -> st.SearchStrategy[cbor.Value]:
    if levels == 0:
        return LEAF
    below = nested(levels - 1)
    return LEAF | st.lists(below, max_size=4) | st.dictionaries(U64, below, max_size=4)


@given(nested(4))
def test_every_value_comes_back_with_its_kind(value: cbor.Value) -> None:
    back = cbor.decode(cbor.encode(value))
    assert repr(back) == repr(sort(value)), "equal, and no boolean turned into a number"


def sort(value: cbor.Value) -> cbor.Value:
    if isinstance(value, dict):
        return {key: sort(value[key]) for key in sorted(value)}
    return [sort(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(U64, st.just(0), max_size=8))
def test_key_order_is_by_bytes_as_both_standards_say(value: dict[int, cbor.Value]) -> None:
    encoded = cbor.encode(value)
    parts = sorted(cbor.encode(key) for key in value)
    assert encoded[1:] == b"".join(part + b"\x00" for part in parts), "RFC 8949: bytewise"
    by_length = sorted(parts, key=lambda part: (len(part), part))
    assert parts == by_length, "RFC 7049: shorter first"


@given(st.binary(max_size=60))
def test_no_input_has_any_other_effect_than_a_value_or_a_refusal(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except MalformedMessage:
        return
    assert cbor.encode(value) == data


@given(nested(3), st.data())
def test_a_changed_byte_never_gives_a_second_encoding_of_the_same_value(value: cbor.Value, data: st.DataObject) -> None:
    good = cbor.encode(value)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    try:
        other = cbor.decode(bytes(bad))
    except MalformedMessage:
        return
    assert repr(other) != repr(sort(value))
