"""Canonical JSON: one value, one byte string."""

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from programmer.audit.canon import NonCanonical, decode, encode

SAMPLES: tuple[tuple[Any, str], ...] = (
    ({"b": 1, "a": [True, None, "\u00e9"]}, '{"a":[true,null,"\u00e9"],"b":1}'),
    ({"t": 'quote " back \\ line\n'}, '{"t":"quote \\" back \\\\ line\\n"}'),
    ({"n": -(2**53) + 1}, '{"n":-9007199254740991}'),
    ([], "[]"),
)


@pytest.mark.parametrize("value, text", SAMPLES)
def test_known_texts(value: Any, text: str) -> None:
    assert encode(value) == text.encode()
    assert decode(text.encode()) == value


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}', '{"b":1,"a":2}', '{"a":1.0}', '{"a":1e3}', '{"a":NaN}', '{"a":Infinity}', '{"a":-0}',
        '{"a":"\\u0041"}', '{"a":"\\/"}', '{"a": 1}', '{"a":1}\n', "\ufeff{}", '{"a":9007199254740992}',
        '{"a":"e\u0301"}', '{"a":"\\u0007"}', '{"\u00e9":1}', '{"a":"\\ud800"}', '{"a":"\u0085"}', "", "{", "[1,]",
        '{"a":' + "1" * 5000 + "}", "[" * 100_000,
    ],
    ids=range(23),
)  # fmt: skip
def test_what_would_be_written_differently_is_refused(text: str) -> None:
    with pytest.raises(NonCanonical):
        decode(text.encode("utf-8"))


def test_bytes_that_are_not_utf8_are_refused() -> None:
    with pytest.raises(NonCanonical):
        decode(b'{"a":"\xff"}')


@pytest.mark.parametrize("value", [1.5, {"a": b"x"}, {1: 2}, 2**53, "e\u0301", "\x00", {"\u00e9": 1}])
def test_what_has_no_canonical_form_is_not_written(value: Any) -> None:
    with pytest.raises(NonCanonical):
        encode(value)


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Z", "S")), max_size=20).filter(
    lambda text: unicodedata.is_normalized("NFC", text)
)
KEY = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(VALUE)
def test_every_value_has_one_text_and_comes_back(value: Any) -> None:
    data = encode(value)
    assert decode(data) == value
    assert encode(decode(data)) == data
    assert json.loads(data) == value


@settings(max_examples=100, deadline=None)
@given(VALUE)
def test_any_other_spelling_is_refused(value: Any) -> None:
    other = json.dumps(value, indent=1, sort_keys=True).encode()
    if other != encode(value):
        with pytest.raises(NonCanonical):
            decode(other)


def test_the_text_is_that_of_rfc_8785() -> None:
    rfc8785 = pytest.importorskip("rfc8785", reason="not run here: the package rfc8785 is not installed")
    for value, _ in SAMPLES:
        assert encode(value) == rfc8785.dumps(value)
