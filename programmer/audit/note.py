"""Signed notes, verifier keys, checkpoints and cosignatures: one strict parser for all of them.

Source: C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0, tlog-cosignature v1.0.1. Stricter than these texts: a
repeated signature line (same name and key id), base64 with spare bits and a key id in capitals are refused; a
checkpoint has exactly three lines; a note has at most 16,384 bytes.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from programmer.audit.strict import Verdict, WeakKey, check_key, verify

MAX_NOTE = 16_384
MAX_LINES = 100
ED25519 = 0x01
COSIGNER = 0x04
_DASH = "— ".encode()


class NoteMalformed(ValueError):
    """The bytes are no signed note; the message says what is wrong. Take the original bytes."""


class VKeyMalformed(ValueError):
    """The text is no verifier key; the message says what is wrong. Copy the whole key again."""


def b64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def unb64(text: str) -> bytes:
    """Strict base64: padding complete, spare bits zero. Raises ValueError."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if b64(data) != text:
        raise ValueError("base64 with spare bits set")
    return data


def valid_name(name: str) -> bool:
    """A key name: not empty, no white space, no plus sign, no control character."""
    return bool(name) and not any(c.isspace() or c == "+" or ord(c) < 0x20 or c == "\x7f" for c in name)


def key_id(name: str, kind: int, key: bytes) -> str:
    """Eight small hex digits: SHA-256(name, newline, type, key), first four bytes."""
    return sha256(name.encode("utf-8") + b"\n" + bytes([kind]) + key).digest()[:4].hex()


@dataclass(frozen=True, slots=True)
class VKey:
    """A verifier key: who (name), which kind (0x01 person or device, 0x04 witness), 32 public bytes."""

    name: str
    kind: int
    key: bytes

    @property
    def id(self) -> str:
        """The key id, eight hex digits."""
        return key_id(self.name, self.kind, self.key)

    def __str__(self) -> str:
        return f"{self.name}+{self.id}+{b64(bytes([self.kind]) + self.key)}"


def parse_vkey(text: str) -> VKey:
    """Read ``NAME+KEYID+BASE64``. Raises VKeyMalformed. Weakness of the key is a separate question."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not valid_name(parts[0]):
        raise VKeyMalformed("a verifier key is NAME+KEYID+BASE64: copy the whole key")
    try:
        data = unb64(parts[2])
    except ValueError as error:
        raise VKeyMalformed(f"the key is {error}: copy the whole key") from None
    if len(data) != 33:
        raise VKeyMalformed("the key has not 32 bytes: copy the whole key")
    if data[0] not in (ED25519, COSIGNER):
        raise VKeyMalformed("the key is of an unknown type: only Ed25519 keys are read")
    if key_id(parts[0], data[0], data[1:]) != parts[1]:
        raise VKeyMalformed("the key id does not match name and key: copy the whole key")
    return VKey(parts[0], data[0], data[1:])


@dataclass(frozen=True, slots=True)
class Line:
    """One signature line: name, key id (eight hex digits), signature bytes without the id."""

    name: str
    key: str
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {b64(bytes.fromhex(self.key) + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A note: ``text`` (with its final newline) is what is signed; ``raw`` are the exact bytes."""

    text: bytes
    lines: tuple[Line, ...]
    raw: bytes


def parse_note(raw: bytes) -> Note:
    """Read a signed note. Raises NoteMalformed. Nothing is verified here."""
    if len(raw) > MAX_NOTE:
        raise NoteMalformed(f"a note has at most {MAX_NOTE} bytes")
    try:
        decoded = raw.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise NoteMalformed("a note is UTF-8 text") from None
    if any(c < " " and c != "\n" for c in decoded):
        raise NoteMalformed("a note has no control characters but the newline")
    place = raw.rfind(b"\n\n")
    if place < 0:
        raise NoteMalformed("a note has an empty line before its signatures")
    text, tail = raw[: place + 1], raw[place + 2 :]
    if not tail.endswith(b"\n"):
        raise NoteMalformed("a note ends with a signature line and its newline")
    rows = tail[:-1].split(b"\n")
    if len(rows) > MAX_LINES:
        raise NoteMalformed(f"a note has at most {MAX_LINES} signature lines")
    lines = tuple(_line(row) for row in rows)
    if len({(line.name, line.key) for line in lines}) != len(lines):
        raise NoteMalformed("a signature line is repeated")
    return Note(text, lines, raw)


def _line(row: bytes) -> Line:
    if not row.startswith(_DASH):
        raise NoteMalformed("a signature line begins with an em dash and a blank")
    name, blank, code = row[len(_DASH) :].decode("utf-8").partition(" ")
    if not blank or not valid_name(name):
        raise NoteMalformed("a signature line is: dash, name, blank, base64")
    try:
        data = unb64(code)
    except ValueError as error:
        raise NoteMalformed(f"a signature is {error}") from None
    if len(data) < 5:
        raise NoteMalformed("a signature is too short")
    return Line(name, data[:4].hex(), data[4:])


def signature_verdict(vkey: VKey, line: Line, text: bytes) -> Verdict:
    """What the line of this key over ``text`` is worth (the caller has matched name and key id)."""
    if vkey.kind == ED25519:
        return verify(vkey.key, line.signature, text)
    if len(line.signature) != 72:
        return Verdict.INVALID
    return verify(vkey.key, line.signature[8:], cosigned_bytes(int.from_bytes(line.signature[:8], "big"), text))


def cosigned_bytes(time: int, text: bytes) -> bytes:
    """What a witness signs at POSIX ``time`` for the checkpoint text."""
    return b"cosignature/v1\ntime " + str(time).encode("ascii") + b"\n" + text


class BadSignature(ValueError):
    """The line of a known key does not verify: the text or the line was altered."""


def verified_by(note: Note, vkeys: Iterable[VKey]) -> tuple[VKey, ...]:
    """The known keys that signed, in the order of their lines; unknown lines are ignored.

    Raises BadSignature when a known key's line fails.
    """
    known = {(vkey.name, vkey.id): vkey for vkey in vkeys}
    found: list[VKey] = []
    for line in note.lines:
        vkey = known.get((line.name, line.key))
        if vkey is None:
            continue
        if signature_verdict(vkey, line, note.text) is not Verdict.GOOD:
            raise BadSignature(f"the line of {line.name} does not verify")
        found.append(vkey)
    return tuple(found)


def sign_note(text: bytes, signers: Iterable[tuple[str, str, Callable[[bytes], bytes]]]) -> bytes:
    """The note over ``text`` (ends with a newline) with one line for each (name, key id, sign)."""
    lines = (str(Line(name, ident, sign(text))) for name, ident, sign in signers)
    return text + b"\n" + "".join(lines).encode("utf-8")


def strong_vkey(text: str, kind: int = ED25519) -> VKey:
    """A verifier key of this kind that may be enrolled. Raises VKeyMalformed or WeakKey."""
    vkey = parse_vkey(text)
    if vkey.kind != kind:
        raise VKeyMalformed("the key is of another kind (person or device 0x01, witness 0x04)")
    check_key(vkey.key)
    return vkey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Origin, number of entries and root of a log at one moment."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n".encode()


def parse_checkpoint(text: bytes) -> Checkpoint:
    """Read the text of a checkpoint note. Raises NoteMalformed."""
    rows = text.decode("utf-8").split("\n")
    if len(rows) != 4 or rows[3]:
        raise NoteMalformed("a checkpoint has exactly three lines: origin, size, root")
    origin, size, root = rows[:3]
    if not origin:
        raise NoteMalformed("a checkpoint begins with its origin")
    if not (size.isascii() and size.isdigit()) or len(size) > 19 or str(int(size)) != size:
        raise NoteMalformed("a checkpoint's size is a plain decimal number")
    try:
        data = unb64(root)
    except ValueError as error:
        raise NoteMalformed(f"a checkpoint's root is {error}") from None
    if len(data) != 32:
        raise NoteMalformed("a checkpoint's root has 32 bytes")
    return Checkpoint(origin, int(size), data)


__all__ = [
    "COSIGNER", "ED25519", "MAX_NOTE", "BadSignature", "Checkpoint", "Line", "Note", "NoteMalformed", "VKey",
    "VKeyMalformed", "WeakKey", "b64", "cosigned_bytes", "key_id", "parse_checkpoint", "parse_note",
    "parse_vkey", "sign_note", "signature_verdict", "strong_vkey", "unb64", "valid_name", "verified_by",
]  # fmt: skip
