"""How signed clinical data files are read: strict, frozen, exact, with a digest over their bytes."""

import tomllib
from datetime import date
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError

from programmer.clinical.decimals import parse_decimal
from programmer.clinical.service import parse_date


class DataFileError(Exception):
    """A clinical data file that cannot be used; the text names the file, the place and the cure."""


def _exact(value: object) -> Fraction:
    parsed = parse_decimal(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError('write a plain decimal in quotes, for example "0.145"')
    return parsed


def _day(value: object) -> date:
    parsed = parse_date(value) if isinstance(value, str) else None
    if parsed is None:
        raise ValueError('write a date in quotes, for example "2027-12-31"')
    return parsed


Model = TypeVar("Model", bound=BaseModel)

Exact = Annotated[Fraction, PlainValidator(_exact)]
Day = Annotated[date, PlainValidator(_day)]


class Strict(BaseModel):
    """A part of a data file: unknown names, wrong types and later changes are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def packaged(name: str) -> bytes:
    """Bytes of a data file that comes with the programme."""
    return (files("programmer.clinical") / "data" / name).read_bytes()


def file_bytes(path: Path) -> bytes:
    """Bytes of a data file of the site."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataFileError(f"{path.name}: cannot be read ({error.strerror}); check the file") from None


def digest(raw: bytes) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    return sha256(raw).hexdigest()


def _refuse_float(text: str) -> Any:
    raise ValueError(f"{text} is a bare number with a point; write it in quotes")


def read(raw: bytes, model: type[Model], source: str) -> Model:
    """The file as ``model``; ``source`` names it in messages."""
    try:
        data = tomllib.loads(raw.decode("utf-8"), parse_float=_refuse_float)
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataFileError(f"{source}: {place or 'file'}: {first['msg']}; correct the file") from None
    except ValueError as error:
        raise DataFileError(f"{source}: {error}; correct the file") from None
