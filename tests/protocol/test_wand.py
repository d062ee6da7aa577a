"""The wand adapter's own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import wand
from protocol.errors import MalformedMessage
from tests.protocol.make import any_of

LABEL = st.text("ABCabc019 .-", min_size=1, max_size=24)
ANY = st.one_of(
    any_of(wand.Identify),
    st.builds(
        wand.Identity,
        model=LABEL,
        serial=LABEL,
        firmware=st.integers(0, 0xFFFF),
        virtual=st.booleans(),
        simulated_time_s=st.none() | st.integers(0, 2**32 - 1),
    ),
    st.just(wand.GetCoupling()),
    any_of(wand.Coupling),
)


@given(ANY)
def test_every_message_comes_back_as_it_was(message: wand.WandMessage) -> None:
    back = wand.decode_wand(wand.encode_wand(message))
    assert back == message
    assert type(back) is type(message)


def test_bytes_put_together_by_hand() -> None:
    assert wand.encode_wand(wand.Identify(nonce=b"n" * 8)).hex() == "8201a10048" + "6e" * 8
    assert wand.encode_wand(wand.GetCoupling()).hex() == "8203a0"
    assert wand.encode_wand(wand.Coupling(strength=5, battery_percent=100)).hex() == "8204a20005011864"
    identity = wand.Identity(model="W", serial="1", firmware=258, virtual=True)
    assert wand.encode_wand(identity).hex() == "8202a4" + "006157" + "016131" + "02190102" + "03f5"
    timed = identity.model_copy(update={"simulated_time_s": 1})
    assert wand.encode_wand(timed).hex() == "8202a5" + "006157" + "016131" + "02190102" + "03f5" + "0401"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("8204a2000601183c", "strength 6"),
        ("8204a20005011865", "battery 101 %"),
        ("8204a10005", "no battery"),
        ("8203a10000", "a request with an unknown key"),
        ("8201a10047" + "6e" * 7, "a nonce of seven bytes"),
        ("8205a0", "an op nobody declared"),
        ("82f5a0", "true as op"),
        ("824101a0", "bytes as op"),
        ("8101", "no body"),
        ("830103a0", "one element more"),
        ("a10103", "a map"),
        ("", "nothing"),
    ],
)
def test_what_is_no_message_is_refused(text: str, what: str) -> None:
    with pytest.raises(MalformedMessage):
        wand.decode_wand(bytes.fromhex(text))


def test_a_newer_adapter_may_say_more() -> None:
    assert wand.decode_wand(bytes.fromhex("8204a300040118630900")) == wand.Coupling(strength=4, battery_percent=99)
