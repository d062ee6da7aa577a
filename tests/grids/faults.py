"""What can happen to one byte of a frame on the line: one function for each kind."""

from collections.abc import Callable
from dataclasses import dataclass

from drivers.pipe import Direction

LATE_MS = 400
"""Later than the first retry (300 ms in memory), earlier than the second."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that arrive, perhaps late."""

    data: bytes
    late_ms: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """This kind of fault at this byte of the frame."""

    kind: str
    byte: int


Rule = Callable[[bytes, int, bytes], tuple[Piece, ...]]


def _now(change: Callable[[bytes, int, bytes], bytes]) -> Rule:
    return lambda data, at, stale: (Piece(change(data, at, stale)),)


def _flip(bit: int) -> Rule:
    return _now(lambda data, at, _: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


FLIPS = tuple(f"flip bit {bit}" for bit in range(8))
LINE: dict[str, Rule] = {
    "cut": _now(lambda data, at, _: data[:at]),
    "deaf": _now(lambda data, at, _: data[:at]),
    "drop": _now(lambda data, at, _: data[:at] + data[at + 1 :]),
    "drop four": _now(lambda data, at, _: data[:at] + data[at + 4 :]),
    "drop rest": _now(lambda data, at, _: data[:at]),
    "duplicate": _now(lambda data, at, _: data[: at + 1] + data[at:]),
    "begin again": _now(lambda data, at, _: data[:at] + data),
    "delay": lambda data, at, _: (Piece(data[:at]), Piece(data[at:], LATE_MS)),
    "insert zero": _now(lambda data, at, _: data[:at] + b"\x00" + data[at:]),
    "insert noise": _now(lambda data, at, _: data[:at] + b"\xa5" + data[at:]),
    "stuck low": _now(lambda data, at, _: data[:at] + bytes(len(data) - at)),
    "stuck high": _now(lambda data, at, _: data[:at] + b"\xff" * (len(data) - at)),
    "swap": _now(lambda data, at, _: data[:at] + data[at : at + 2][::-1] + data[at + 2 :]),
    "stale frame": _now(lambda data, at, stale: data[:at] + stale + data[at:]),
}
"""``cut``: nothing passes any more, either way. ``deaf``: nothing passes in this direction, the other is open."""
RULES: dict[str, Rule] = LINE | {name: _flip(bit) for bit, name in enumerate(FLIPS)}
ENDING = frozenset({"cut", "deaf"})
"""Kinds after which the line does not come back by itself."""


def strike(fault: Fault, way: Direction, data: bytes, stale: bytes) -> tuple[tuple[Piece, ...], tuple[Direction, ...]]:
    """What of ``data`` arrives, and which directions are dead then."""
    dead: tuple[Direction, ...] = ()
    if fault.kind in ENDING:
        dead = tuple(Direction) if fault.kind == "cut" else (way,)
    return RULES[fault.kind](data, fault.byte, stale), dead


def places(kind: str, size: int) -> range:
    """The bytes of a frame of this size at which the kind makes sense; a cut may also come after the last."""
    if kind == "cut":
        return range(size + 1)
    return range(size - 1) if kind == "swap" else range(size)
