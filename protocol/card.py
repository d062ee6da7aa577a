"""The implant card as text: what a wedge scanner reads from its QR code, and what a person can type instead.

Three lines: head, the pump's public key, the card's secret. Keys are written in Crockford's base 32 (the letters I, L
and O are read as the digits that they look like, case and separators do not matter), with four check characters that
cover the head as well, so that lines of two cards never fit each other::

    ITB-CARD 1 SIMULATED VP-000421
    KEY 4AXT-...-QQQQ
    SECRET 9G3P-...-QQQQ
"""

import hashlib
import re
from typing import Final

from protocol.errors import CardRefused
from protocol.messages import Realm
from protocol.session import ImplantCard

ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: https://www.crockford.com/base32.html."""
_VALUE: Final = {letter: value for value, letter in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}
KEY_CHARS: Final = 52
CHECK_CHARS: Final = 4
_HEAD: Final = re.compile(r"ITB-CARD 1 (SIMULATED|CLINICAL) ([A-Z0-9-]{1,16})")


def _letters(number: int, count: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(count)))


def _check(head: str, label: str, key: bytes) -> str:
    digest = hashlib.sha256(f"{head}\n{label}\n".encode() + key).digest()
    return _letters(int.from_bytes(digest[:4], "big") >> 12, CHECK_CHARS)


def _line(head: str, label: str, key: bytes) -> str:
    text = _letters(int.from_bytes(key, "big") << 4, KEY_CHARS) + _check(head, label, key)
    return f"{label} " + "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def card_text(card: ImplantCard) -> str:
    """The three lines of a card, each with its end of line."""
    head = f"ITB-CARD 1 {card.realm.name} {card.serial}"
    return "\n".join((head, _line(head, "KEY", card.pump_public), _line(head, "SECRET", card.secret), ""))


def parse_card(text: str) -> ImplantCard:
    """The card that was scanned or typed.

    Raises:
        CardRefused: a line that is not there, or that was not copied as it stands; it names the line.
    """
    lines = [" ".join(line.upper().split()) for line in text.splitlines() if line.strip()]
    head = _HEAD.fullmatch(lines[0]) if lines else None
    if head is None:
        raise CardRefused("the first line must read ITB-CARD 1, the realm and the pump's serial number")
    if len(lines) != 3:
        raise CardRefused(f"a card has three lines, and here are {len(lines)}")
    public, secret = _key(lines[0], "KEY", lines[1]), _key(lines[0], "SECRET", lines[2])
    return ImplantCard(head[2], public, secret, Realm[head[1]])


def _key(head: str, label: str, line: str) -> bytes:
    found, _, rest = line.partition(" ")
    if found != label:
        raise CardRefused(f"the line {label} is not where it should be")
    text = re.sub(r"[ -]", "", rest)
    values = [_VALUE.get(letter) for letter in text]
    if len(text) != KEY_CHARS + CHECK_CHARS or None in values:
        raise CardRefused(
            f"the line {label} must have {KEY_CHARS + CHECK_CHARS} letters and digits, U never among them"
        )
    number = 0
    for value in values[:KEY_CHARS]:
        number = number << 5 | (value or 0)
    key = (number >> 4).to_bytes(32, "big")
    check = "".join(ALPHABET[value or 0] for value in values[KEY_CHARS:])
    if number & 15 or check != _check(head, label, key):
        raise CardRefused(f"the line {label} does not fit its check letters: compare it with the card")
    return key
