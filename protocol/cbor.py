"""Deterministic CBOR: the one encoding of every message, order, receipt and memory record.

Core deterministic encoding (RFC 8949 section 4.2.1) restricted to unsigned integers, byte strings, text, booleans,
arrays and maps whose keys are unsigned integers. With such keys the orders of RFC 7049 and RFC 8949 agree.
"""

from typing import TypeAlias

import cbor2

from protocol.errors import MalformedMessage

Value: TypeAlias = "int | bool | bytes | str | list[Value] | dict[int, Value]"

MAX_DEPTH = 4


def encode(value: Value) -> bytes:
    """The canonical bytes of ``value``."""
    return cbor2.dumps(value, canonical=True)


def decode(data: bytes) -> Value:
    """The value of ``data``; refuses every input that ``encode`` would not have produced.

    Raises:
        MalformedMessage: not CBOR, trailing bytes, tags, floats, negative or non-integer keys, repeated keys,
            indefinite lengths, null, more than four levels, or not canonical.
    """
    try:
        value = cbor2.loads(data)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError) as error:
        raise MalformedMessage("not CBOR") from error
    checked = _checked(value, MAX_DEPTH)
    if encode(checked) != data:
        raise MalformedMessage("not in canonical form")
    return checked


def _checked(value: object, depth: int) -> Value:
    if depth == 0 and isinstance(value, list | dict):
        raise MalformedMessage("nested too deeply")
    if isinstance(value, bool | bytes | str):
        return value
    if isinstance(value, int):
        if value < 0 or value >= 1 << 64:
            raise MalformedMessage("an integer outside 0 to 2^64 - 1")
        return value
    if isinstance(value, list):
        return [_checked(item, depth - 1) for item in value]
    if isinstance(value, dict):
        checked: dict[int, Value] = {}
        for key, item in value.items():
            if isinstance(key, bool) or not isinstance(key, int) or key < 0:
                raise MalformedMessage("a map key that is no unsigned integer")
            checked[key] = _checked(item, depth - 1)
        return checked
    raise MalformedMessage(f"a value of a kind not used here: {type(value).__name__}")
