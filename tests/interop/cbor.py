"""The canonical CBOR of section 5: unsigned integers, byte strings, text, booleans, arrays, maps with unsigned keys."""

from typing import Any

UNSIGNED, BYTES, TEXT, ARRAY, MAP, SIMPLE = 0, 2, 3, 4, 5, 7
FALSE, TRUE = 0xF4, 0xF5
DEEPEST = 4
WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


class NotCanonical(ValueError):
    """The bytes are not the one canonical encoding of a value."""


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes([major << 5 | value])
    code, width = next((code, width) for code, width in WIDTHS.items() if value < 256**width)
    return bytes([major << 5 | code]) + value.to_bytes(width, "big")


def encode(value: Any) -> bytes:
    """The canonical bytes of ``value``."""
    match value:
        case bool():
            return bytes([TRUE if value else FALSE])
        case int() if 0 <= value < 2**64:
            return _head(UNSIGNED, value)
        case bytes():
            return _head(BYTES, len(value)) + value
        case str():
            data = value.encode()
            return _head(TEXT, len(data)) + data
        case list() | tuple():
            return _head(ARRAY, len(value)) + b"".join(encode(item) for item in value)
        case dict():
            rows = sorted(value.items())
            return _head(MAP, len(rows)) + b"".join(encode(key) + encode(item) for key, item in rows)
    raise NotCanonical(f"{value!r} cannot be written")


def decode(data: bytes) -> Any:
    """The value of ``data``; anything but the canonical encoding of one value is refused."""
    value, end = _item(data, 0, 1)
    if end != len(data):
        raise NotCanonical("bytes are left after the value")
    return value


def _take(data: bytes, start: int, size: int) -> bytes:
    if start + size > len(data):
        raise NotCanonical("the bytes end within a value")
    return data[start : start + size]


def _argument(data: bytes, start: int) -> tuple[int, int, int]:
    first = _take(data, start, 1)[0]
    major, short = first >> 5, first & 31
    if short < 24:
        return major, short, start + 1
    if short not in WIDTHS:
        raise NotCanonical("a length that is not definite")
    width = WIDTHS[short]
    value = int.from_bytes(_take(data, start + 1, width), "big")
    if value < (24 if width == 1 else 256 ** (width // 2)):
        raise NotCanonical("a number that is longer than needed")
    return major, value, start + 1 + width


def _item(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    if _take(data, start, 1)[0] in (FALSE, TRUE):
        return data[start] == TRUE, start + 1
    major, count, at = _argument(data, start)
    if major == UNSIGNED:
        return count, at
    if major in (BYTES, TEXT):
        raw = _take(data, at, count)
        try:
            return (raw if major == BYTES else raw.decode()), at + count
        except UnicodeDecodeError as error:
            raise NotCanonical("text that is not UTF-8") from error
    if major not in (ARRAY, MAP) or depth > DEEPEST:
        raise NotCanonical("a kind of value that has no place here")
    if major == ARRAY:
        items = []
        for _ in range(count):
            item, at = _item(data, at, depth + 1)
            items.append(item)
        return items, at
    table: dict[int, Any] = {}
    last = -1
    for _ in range(count):
        key, at = _item(data, at, DEEPEST + 1)
        if type(key) is not int or key <= last:
            raise NotCanonical("keys that are not unsigned or not in order")
        table[key], at = _item(data, at, depth + 1)
        last = key
    return table, at
