"""The golden vectors, loaded once, and how they are read."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.house.vectors import FILES, FOLDER

VECTORS: dict[str, Any] = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in FILES}


def named(cases: list[Any], key: str = "name") -> Any:
    return pytest.mark.parametrize("case", cases, ids=[str(case[key]) for case in cases])


def raw(case: Any, key: str = "bytes") -> bytes:
    return bytes.fromhex(case[key])


def value(noted: Any) -> Any:
    """The decoded value that the JSON stands for."""
    if isinstance(noted, dict) and "hex" in noted:
        return bytes.fromhex(noted["hex"])
    if isinstance(noted, dict):
        return {key: value(item) for key, item in noted["map"]}
    return [value(item) for item in noted] if isinstance(noted, list) else noted


def signed_by(public: bytes, data: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except InvalidSignature:
        return False
    return True


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()
