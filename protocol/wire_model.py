"""How a message class becomes bytes: each field is declared once, with its key, unit and range.

A field is written ``reservoir_nl: Annotated[U32, Wire(3, "nL")]``. A message is a map from key to value, or, where the
class says so, an array in the order of the keys. Therapy messages are closed: an unknown key is refused. Reports are
open: an unknown key, or a further element of the array, is ignored, so that a newer pump can still be read.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from protocol import cbor
from protocol.errors import MalformedMessage

U8 = Annotated[int, Field(ge=0, le=0xFF)]
U16 = Annotated[int, Field(ge=0, le=0xFFFF)]
U32 = Annotated[int, Field(ge=0, le=0xFFFF_FFFF)]
U64 = Annotated[int, Field(ge=0, le=0xFFFF_FFFF_FFFF_FFFF)]
Bytes8 = Annotated[bytes, Field(min_length=8, max_length=8)]
Bytes16 = Annotated[bytes, Field(min_length=16, max_length=16)]
Bytes32 = Annotated[bytes, Field(min_length=32, max_length=32)]
Bytes64 = Annotated[bytes, Field(min_length=64, max_length=64)]


@dataclass(frozen=True, slots=True)
class Wire:
    """The place of a field on the wire: its CBOR key (or array index) and the unit of its value."""

    key: int
    unit: str = ""


class WireModel(BaseModel):
    """A value with a fixed form on the wire; immutable, strict, no coercion."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    POSITIONAL: ClassVar[bool] = False
    OPEN: ClassVar[bool] = False

    @classmethod
    def wire_keys(cls) -> dict[int, str]:
        """Field name of every key of this class, in the order of the keys."""
        keys = {
            item.key: name
            for name, field in cls.model_fields.items()
            for item in field.metadata
            if isinstance(item, Wire)
        }
        return dict(sorted(keys.items()))

    def to_wire(self) -> cbor.Value:
        """The value that is encoded for this object."""
        items = {
            key: _outgoing(value)
            for key, name in self.wire_keys().items()
            if (value := getattr(self, name)) is not None
        }
        return list(items.values()) if self.POSITIONAL else items

    @classmethod
    def from_wire(cls, value: cbor.Value) -> Self:
        """The object for a decoded value.

        Raises:
            MalformedMessage: a field is missing, unknown, of the wrong kind or outside its range.
        """
        keys = cls.wire_keys()
        if cls.POSITIONAL:
            if not isinstance(value, list) or (len(value) > len(keys) and not cls.OPEN):
                raise MalformedMessage(f"{cls.__name__} is no array of its fields")
            value = dict(zip(keys, value, strict=False))
        if not isinstance(value, dict):
            raise MalformedMessage(f"{cls.__name__} is no map")
        unknown = set(value) - set(keys)
        if unknown and not cls.OPEN:
            raise MalformedMessage(f"{cls.__name__} has an unknown key")
        named = {keys[key]: cls._incoming(keys[key], item) for key, item in value.items() if key in keys}
        try:
            return cls.model_validate(named)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise MalformedMessage(f"{cls.__name__}.{where} is missing or out of range") from error

    @classmethod
    def _incoming(cls, name: str, value: cbor.Value) -> object:
        kind = cls.model_fields[name].annotation
        if isinstance(kind, type) and issubclass(kind, WireModel):
            return kind.from_wire(value)
        if isinstance(kind, type) and issubclass(kind, IntEnum):
            return _enum(kind, value)
        item = getattr(kind, "__args__", (None,))[0]
        if isinstance(value, list) and isinstance(item, type) and issubclass(item, WireModel):
            return tuple(item.from_wire(part) for part in value)
        if isinstance(value, list) and isinstance(item, type) and issubclass(item, IntEnum):
            return tuple(_enum(item, part) for part in value)
        if isinstance(value, list):
            return tuple(value)
        return value

    def encode(self) -> bytes:
        """Canonical CBOR of this object alone."""
        return cbor.encode(self.to_wire())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The object of ``encode``'s bytes.

        Raises:
            MalformedMessage: as ``from_wire``, or not canonical CBOR.
        """
        return cls.from_wire(cbor.decode(data))


def _enum(kind: type[IntEnum], value: cbor.Value) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedMessage(f"{kind.__name__} is no number")
    try:
        return kind(value)
    except ValueError as error:
        raise MalformedMessage(f"{kind.__name__} has no value {value}") from error


def _outgoing(value: object) -> cbor.Value:
    if isinstance(value, WireModel):
        return value.to_wire()
    if isinstance(value, tuple):
        return [_outgoing(item) for item in value]
    if isinstance(value, IntEnum):
        return int(value)
    return cast(cbor.Value, value)
