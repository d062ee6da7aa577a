"""Copies of a world in the middle of its work: what can change is copied, what cannot is shared.

A case of a grid begins just before the faulted byte, so that the way there is gone once and not once for each case.
``CHANGEABLE`` names every class whose objects change; a test walks a whole world and finds no other.
"""

from typing import Any, TypeVar

from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.wand import VirtualWand
from protocol import link, responder
from protocol.connection import TabletConnection
from protocol.framing import FrameDecoder
from protocol.noise import CipherState, HandshakeState, SymmetricState
from protocol.responder import Bucket, PumpConnection
from protocol.session import Channel

T = TypeVar("T")

CHANGEABLE: set[type] = {
    Bucket,
    Channel,
    CipherState,
    FrameDecoder,
    HandshakeState,
    PumpConnection,
    SymmetricState,
    TabletConnection,
    VirtualPumpHost,
    VirtualWand,
    link.Primary,
    link.Secondary,
    link._InFlight,
    bytearray,
    dict,
    list,
    responder._Pending,  # itself frozen, but it holds a handshake
}
"""Classes whose objects are copied; ``changeable`` adds to it."""


def changeable(kind: type[T]) -> type[T]:
    """Class decorator: objects of this class are copied too."""
    CHANGEABLE.add(kind)
    return kind


_SLOTS: dict[type, tuple[str, ...]] = {}
_PLAIN = frozenset({bool, bytes, int, str, type(None)})


def names_of(value: object) -> tuple[str, ...]:
    """The attributes that an object has, in slots and in its dictionary."""
    return (*slots_of(type(value)), *getattr(value, "__dict__", ()))


def slots_of(kind: type) -> tuple[str, ...]:
    """The slots of a class and of those that it is made of."""
    if kind not in _SLOTS:
        _SLOTS[kind] = tuple(name for base in kind.__mro__ for name in getattr(base, "__slots__", ()))
    return _SLOTS[kind]


def fork(value: T) -> T:
    """A copy that lives on by itself."""
    return _copy(value, {})  # type: ignore[no-any-return]


def _copy(value: Any, done: dict[int, Any]) -> Any:
    kind = type(value)
    if kind not in CHANGEABLE:
        return value
    if id(value) in done:
        return done[id(value)]
    if kind is bytearray:
        return bytearray(value)
    if kind is list:
        done[id(value)] = copied = [_copy(item, done) for item in value]
        return copied
    if kind is dict:
        done[id(value)] = copied = {key: _copy(item, done) for key, item in value.items()}
        return copied
    done[id(value)] = copied = kind.__new__(kind)
    for name in names_of(value):
        object.__setattr__(copied, name, _copy(getattr(value, name), done))
    return copied


class Prints:
    """Fingerprints: two worlds with equal ones have the same future.

    Large values that never change are known by a number: equal ones have the same.
    """

    def __init__(self, large: tuple[type, ...], left_out: frozenset[str]) -> None:
        self._large, self._left_out = frozenset(large), left_out
        self._numbers: dict[Any, int] = {}
        self._by_id: dict[int, tuple[Any, int]] = {}

    def of(self, value: Any) -> tuple[Any, ...]:
        """All of ``value`` that can change, flat, in one order."""
        found: list[Any] = []
        self._add(value, found, {})
        return tuple(found)

    def _number(self, value: Any) -> int:
        known = self._by_id.get(id(value))
        if known is None:
            number = self._numbers.setdefault(value, len(self._numbers))
            known = self._by_id[id(value)] = (value, number)  # the value is kept, and with it its id
        return known[1]

    def _add(self, value: Any, found: list[Any], seen: dict[int, int]) -> None:
        kind = type(value)
        if kind in self._large:
            found.append(self._number(value))
        elif kind not in CHANGEABLE:
            found.append(value)
        elif kind is bytearray:
            found.append(bytes(value))
        elif id(value) in seen:
            found.append(("object", seen[id(value)]))
        else:
            seen[id(value)] = len(seen)
            found.append(kind)
            if kind is list:
                parts: Any = value
            elif kind is dict:
                found.append(tuple(value))
                parts = value.values()
            else:
                parts = [getattr(value, name) for name in slots_of(kind)]
                parts += [part for name, part in getattr(value, "__dict__", {}).items() if name not in self._left_out]
            found.append(len(parts))
            for part in parts:
                if type(part) in _PLAIN:
                    found.append(part)
                else:
                    self._add(part, found, seen)
