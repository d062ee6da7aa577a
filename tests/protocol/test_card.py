"""The card survives a person's typing, and nothing but its own text is taken for it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.card import ALPHABET, card_text, parse_card
from protocol.errors import CardRefused
from protocol.messages import Realm
from protocol.session import ImplantCard

CARD = ImplantCard("VP-000421", bytes(range(32)), bytes(range(32, 64)), Realm.SIMULATED)
KEYS = st.binary(min_size=32, max_size=32)


@given(KEYS, KEYS, st.sampled_from(Realm))
def test_what_is_printed_is_read_back(public: bytes, secret: bytes, realm: Realm) -> None:
    card = ImplantCard("VP-1", public, secret, realm)
    assert parse_card(card_text(card)) == card


def test_zero_bytes_are_fifty_two_zeros() -> None:
    line = card_text(ImplantCard("VP-1", bytes(32), b"\xff" * 32)).splitlines()[1]
    assert re.fullmatch(r"KEY (0000-){13}[0-9A-Z]{4}", line)


def test_what_the_eye_confuses_is_taken_as_meant() -> None:
    text = card_text(CARD)
    head, key, secret = text.splitlines()
    typed = key.replace("KEY ", "").replace("-", " ").replace("0", "o").replace("1", "l").lower()
    assert parse_card(f"{head.lower()}\n\n key  {typed}\n{secret}") == CARD


def test_every_single_slip_of_the_keys_is_noticed() -> None:
    lines = card_text(CARD).splitlines()
    tried = 0
    for row in (1, 2):
        start = lines[row].index(" ") + 1
        for place in range(start, len(lines[row])):
            for letter in ALPHABET:
                if lines[row][place] in ("-", letter):
                    continue
                slip = list(lines)
                slip[row] = lines[row][:place] + letter + lines[row][place + 1 :]
                tried += 1
                with pytest.raises(CardRefused, match=lines[row].split()[0]):
                    parse_card("\n".join(slip))
    assert tried == 2 * 56 * 31


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "first line"),
        ("ITB-CARD 2 SIMULATED VP-1\nKEY\nSECRET", "first line"),
        (card_text(CARD).replace("SIMULATED", "CLINICAL"), "KEY does not fit"),
        (card_text(CARD).replace("VP-000421", "VP-000422"), "KEY does not fit"),
        ("\n".join(card_text(CARD).splitlines()[:2]), "three lines"),
        ("\n".join(card_text(CARD).splitlines()[i] for i in (0, 2, 1)), "KEY is not where"),
        (card_text(CARD)[:-6] + "\n", "56 letters"),
        (card_text(CARD).replace("KEY 0", "KEY U"), "56 letters"),
    ],
)
def test_what_is_no_card_is_refused_with_its_line(text: str, reason: str) -> None:
    with pytest.raises(CardRefused, match=reason):
        parse_card(text)
