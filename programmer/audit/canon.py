"""Canonical JSON, written and read: the one byte string that an entry can be.

The format is RFC 8785 (JSON Canonicalization Scheme) restricted to integers with |n| < 2**53, ASCII keys and
NFC strings without control characters other than the line feed. Under these restrictions sorting keys by code
point and the standard library's compact output are RFC 8785. The reader refuses whatever would be written differently.
"""

import json
import re
import unicodedata
from typing import Any, NoReturn

LIMIT = 2**53
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # a note in a field (a grant) has line breaks
_SURROGATE = re.compile("[\ud800-\udfff]")


class NonCanonical(ValueError):
    """The bytes are not canonical JSON; the message says what differs. Do not repair them: refuse them."""


def encode(value: Any) -> bytes:
    """The canonical bytes of ``value`` (dict, list, str, int, bool, None), without a newline.

    Raises NonCanonical for a float, an integer outside (-2**53, 2**53), a key that is not ASCII, or a string
    that is not NFC or has a control character.
    """
    _check(value, "$")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def decode(data: bytes) -> Any:
    """The value of canonical bytes. Raises NonCanonical for anything that ``encode`` would write differently."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise NonCanonical("the text is not UTF-8: take the original bytes") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=_float, parse_constant=_float, parse_int=_integer
        )
    except NonCanonical:
        raise
    except (ValueError, RecursionError):
        raise NonCanonical("the text is not JSON: take the original bytes") from None
    try:
        again = encode(value)
    except RecursionError:
        raise NonCanonical("the JSON is nested too deeply: take the original bytes") from None
    if again != data:
        raise NonCanonical("the JSON is not in canonical form (order of keys, blanks or escapes)")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NonCanonical(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _float(text: str) -> NoReturn:
    raise NonCanonical(f"{text} is not an integer: quantities are integers in base units")


def _integer(text: str) -> int:
    if len(text) > 17:
        raise NonCanonical("an integer has more digits than 2**53")
    return int(text)


def _check(value: Any, where: str) -> None:
    kind = type(value)
    if value is None or kind is bool:
        return
    if kind is int:
        if not -LIMIT < value < LIMIT:
            raise NonCanonical(f"{where}: an integer must lie between -2**53 and 2**53")
    elif kind is str:
        _string(value, where)
    elif kind is list or kind is tuple:
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]")
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                raise NonCanonical(f"{where}: a key must be ASCII text")
            _string(key, where)
            _check(item, f"{where}.{key}")
    else:
        raise NonCanonical(f"{where}: {kind.__name__} is not allowed, only text, integers, truth values and null")


def _string(value: str, where: str) -> None:
    if _SURROGATE.search(value):
        raise NonCanonical(f"{where}: the text has half of a surrogate pair")
    if not value.isascii() and not unicodedata.is_normalized("NFC", value):
        raise NonCanonical(f"{where}: the text is not in Unicode form NFC")
    if _CONTROL.search(value):
        raise NonCanonical(f"{where}: the text has a control character")
