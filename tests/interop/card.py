"""Section 4: the implant card, three lines of text."""

import hashlib
from dataclasses import dataclass

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
KEY_LETTERS, CHECK_LETTERS = 52, 4


class NotACard(ValueError):
    """The text is no implant card, or a letter of it is wrong."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the card tells about a pump."""

    realm: str
    serial: str
    key: bytes
    secret: bytes


def read(text: str) -> Card:
    """The card of this text; raises ``NotACard``."""
    lines = [line.strip() for line in text.strip().splitlines()]
    words = lines[0].split() if len(lines) == 3 else []
    if len(words) != 4 or words[:2] != ["ITB-CARD", "1"] or words[2] not in ("SIMULATED", "CLINICAL"):
        raise NotACard("the first line")
    return Card(words[2], words[3], _key(lines[0], "KEY", lines[1]), _key(lines[0], "SECRET", lines[2]))


def _bits(letters: str) -> int:
    value = 0
    for letter in letters:
        value = value << 5 | LETTERS.index(letter)
    return value


def _key(head: str, label: str, line: str) -> bytes:
    word, _, rest = line.partition(" ")
    letters = rest.replace("-", "").replace(" ", "")
    if word != label or len(letters) != KEY_LETTERS + CHECK_LETTERS or set(letters) - set(LETTERS):
        raise NotACard(f"the line {label}")
    bits = _bits(letters[:KEY_LETTERS])
    key = (bits >> 4).to_bytes(32, "big")
    digest = hashlib.sha256(f"{head}\n{label}\n".encode() + key).digest()
    if bits & 15 or int.from_bytes(digest[:3], "big") >> 4 != _bits(letters[KEY_LETTERS:]):
        raise NotACard(f"a wrong letter in the line {label}")
    return key


def write(realm: str, serial: str, key: bytes, secret: bytes) -> str:
    """The text of a card."""
    head = f"ITB-CARD 1 {realm} {serial}"
    lines = [head]
    for label, value in (("KEY", key), ("SECRET", secret)):
        digest = hashlib.sha256(f"{head}\n{label}\n".encode() + value).digest()
        bits = int.from_bytes(value, "big") << 24 | int.from_bytes(digest[:3], "big") >> 4
        count = KEY_LETTERS + CHECK_LETTERS
        lines.append(f"{label} " + "".join(LETTERS[bits >> 5 * (count - 1 - n) & 31] for n in range(count)))
    return "\n".join(lines) + "\n"
