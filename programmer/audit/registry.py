"""Who may sign in a log, learnt from the log alone: genesis names device, roots and witnesses, grants name users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from programmer.audit import canon
from programmer.audit.entries import KINDS, PERSONS
from programmer.audit.findings import Finding
from programmer.audit.note import (
    COSIGNER,
    BadSignature,
    NoteMalformed,
    VKey,
    VKeyMalformed,
    parse_note,
    parse_vkey,
    strong_vkey,
    verified_by,
)
from programmer.audit.strict import WeakKey

GRANT_FIELDS = frozenset({"user", "vkey", "role", "not_before", "not_after", "v"})


class WeakGrant(WeakKey):
    """A root has granted a weak key; ``vkey`` is that key. Have the root grant a new one."""

    def __init__(self, reason: str, vkey: VKey) -> None:
        super().__init__(reason)
        self.vkey = vkey


class GrantRefused(ValueError):
    """A grant that no clinic root has signed, or that is not one: have the root sign a new one."""


@dataclass(slots=True)
class Grant:
    """A user's key with its role and term; ``first`` and ``end`` are the indexes between which it may sign."""

    user: str
    vkey: VKey
    role: str
    not_before: str
    not_after: str
    first: int = -1
    end: int | None = None


def parse_grant(text: str, roots: Sequence[VKey]) -> Grant:
    """Read a grant note signed by one of ``roots``. Raises GrantRefused or WeakGrant."""
    try:
        note = parse_note(text.encode("utf-8"))
        if not verified_by(note, roots):
            raise GrantRefused("no clinic root has signed the grant")
        row = canon.decode(note.text[:-1])
        if not isinstance(row, dict) or set(row) != GRANT_FIELDS or row["v"] != 1 or row["role"] not in PERSONS:
            raise GrantRefused("the grant has not the fields of a grant")
        if not all(isinstance(row[name], str) for name in GRANT_FIELDS - {"v"}):
            raise GrantRefused("the grant has not the fields of a grant")
        if not (KINDS["utc"](row["not_before"]) and KINDS["utc"](row["not_after"])):
            raise GrantRefused("the grant's term is not two times")
        vkey = parse_vkey(row["vkey"])
        strong_vkey(row["vkey"])
    except WeakKey as error:
        raise WeakGrant(str(error), vkey) from None
    except (NoteMalformed, BadSignature, VKeyMalformed, canon.NonCanonical, TypeError) as error:
        raise GrantRefused(f"the grant is not valid: {error}") from None
    if vkey.name != row["user"]:
        raise GrantRefused("the grant's key has another user's name")
    return Grant(row["user"], vkey, row["role"], row["not_before"], row["not_after"])


@dataclass(slots=True)
class Registry:
    """Keys of one log. ``device`` is None when the genesis is not readable; then no signature is judged."""

    device: VKey | None = None
    roots: list[VKey] = field(default_factory=list)
    witnesses: list[VKey] = field(default_factory=list)
    grants: list[Grant] = field(default_factory=list)
    weak: set[tuple[str, str]] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def learn(self, idx: int, entry: Mapping[str, Any]) -> None:
        """Take in one well-formed entry, in order of place."""
        body, kind = entry["body"], entry["type"]
        if kind == "log.genesis" and idx == 0:
            device = self._vkeys([body["device"]], 0x01)
            self.device = device[0] if device else None
            self.roots = self._vkeys(body["roots"], 0x01)
            self.witnesses = self._vkeys(body["witnesses"], COSIGNER)
        elif kind in ("user.enrolled", "user.key_replaced"):
            self._enrol(idx, kind, body)
        elif kind == "user.revoked":
            self._end(idx, body["user"], body["key"])

    def find(self, name: str, key: str) -> list[Grant]:
        """All grants of this name and key id."""
        return [grant for grant in self.grants if grant.user == name and grant.vkey.id == key]

    def _enrol(self, idx: int, kind: str, body: Mapping[str, Any]) -> None:
        try:
            grant = parse_grant(body["grant"], self.roots)
        except WeakGrant as error:
            self.weak.add((error.vkey.name, error.vkey.id))
            self.findings.append(Finding("WEAK_KEY", f"idx:{idx}", str(error)))
            return
        except GrantRefused as error:
            self.findings.append(Finding("UNKNOWN_ACTOR", f"idx:{idx}", str(error)))
            return
        if kind == "user.key_replaced":
            if grant.user != body["user"]:
                self.findings.append(Finding("UNKNOWN_ACTOR", f"idx:{idx}", "the grant names another user"))
                return
            self._end(idx, grant.user, None)
        grant.first = idx
        self.grants.append(grant)

    def _end(self, idx: int, user: str, key: str | None) -> None:
        for grant in self.grants:
            if grant.user == user and grant.end is None and key in (None, grant.vkey.id):
                grant.end = idx

    def _vkeys(self, texts: Sequence[str], kind: int) -> list[VKey]:
        found: list[VKey] = []
        for text in texts:
            try:
                found.append(strong_vkey(text, kind))
            except WeakKey as error:
                self.findings.append(Finding("WEAK_KEY", "idx:0", str(error)))
            except VKeyMalformed as error:
                self.findings.append(Finding("SCHEMA_UNKNOWN", "idx:0", str(error)))
        return found
