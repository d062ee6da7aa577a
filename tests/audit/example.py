"""The example log of the shared vectors, rebuilt by the project's own code."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from programmer.audit.log import AuditLog, Draft, MemoryLogStore, Seal, Stamp
from programmer.audit.note import parse_vkey, unb64
from tests.vectors import vectors


@dataclass(frozen=True, slots=True)
class TestKey:
    """A signer made from a seed that is known to everybody."""

    __test__ = False

    name: str
    role: str
    seed: bytes
    vkey: str

    @property
    def key_id(self) -> str:
        return parse_vkey(self.vkey).id

    def sign(self, data: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(data)


def example() -> dict[str, Any]:
    """The parsed file."""
    found: dict[str, Any] = vectors("audit/example_log.json")
    return found


def keys(data: dict[str, Any]) -> dict[str, TestKey]:
    """Signers by name."""
    return {
        row["name"]: TestKey(row["name"], row["role"], bytes.fromhex(row["seed"]), row["vkey"]) for row in data["keys"]
    }


def texts(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The parsed entries."""
    return [json.loads(row["note"].split("\n\n\u2014")[0]) for row in data["entries"]]


def rebuild(data: dict[str, Any]) -> tuple[AuditLog, MemoryLogStore]:
    """The log, appended entry by entry from keys, bodies and plain texts."""
    signers, store, entries = keys(data), MemoryLogStore(), texts(data)
    stamps: Iterator[Stamp] = iter([Stamp(e["utc"], e["boot"], e["boot_us"]) for e in entries])
    log = AuditLog(
        store, origin=data["origin"], realm="simulated", device=signers[data["origin"]],
        stamp=lambda: next(stamps), policy="1", software="0.1.0",
    )  # fmt: skip
    first = entries[0]["body"]
    log.create(first["roots"], first["witnesses"], first["quorum"], first["reason"])
    seals = {(row["idx"], row["path"]): row for row in data["sealed"]}
    for entry in entries[1:]:
        body = dict(entry["body"])
        for field in body:
            row = seals.get((entry["idx"], f"body.{field}"))
            if row is not None:
                body[field] = Seal(
                    bytes.fromhex(row["plaintext_hex"]), bytes.fromhex(data["patient"]["key"]),
                    data["patient"]["kid"], unb64(row["sealed"]["nonce"]),
                )  # fmt: skip
        second = entry["second"]
        log.append(
            Draft(
                entry["type"],
                body,
                signers[entry["actor"]["id"]],
                None if second is None else signers[second["id"]],
                entry["patient"],
                entry["pump"],
            )
        )
    return log, store
