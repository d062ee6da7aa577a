"""X25519 at its edges, reflection in every spelling, and the three names that a session may have.

A public key is the u-coordinate of a point of Curve25519 or of its twist. The points whose order divides 8 have
u = 0, 1, -1 and two more (cr.yp.to/ecdh.html); multiplied by any private key, whose bits are clamped to a multiple of
8, they give zero. RFC 7748 section 5 masks the top bit and reduces what is not less than 2^255 - 19, so each of them
has further spellings.
"""

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import noise
from protocol.errors import NoiseError, ReflectedKey, UnknownPattern, WeakKey
from protocol.noise import HASHES, PATTERNS, HandshakeState, public_key
from protocol.session import (
    NOISE_NAME,
    ImplantCard,
    PairedTablet,
    Pairing,
    PumpKeys,
    SessionKind,
    TabletKeys,
    card_handshake,
    carded_handshake,
    prologue,
    pump_handshake,
    tablet_handshake,
)
from tests.protocol.test_noise import E_I, E_R, KK, NK, PSK, S_I, S_R, XX, pair, run

P = 2**255 - 19
TOP = 2**255
ORDER_8 = (
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
)
SMALL = (0, 1, P - 1, *(int.from_bytes(bytes.fromhex(key), "little") for key in ORDER_8))


def spellings(u: int) -> list[bytes]:
    """Every 32-byte string that RFC 7748 reads as ``u``."""
    reduced = [value for value in (u, u + P) if value < TOP]
    return [(value + top).to_bytes(32, "little") for value in reduced for top in (0, TOP)]


LOW_ORDER = [key for u in SMALL for key in spellings(u)]
NON_CANONICAL = [key for u in (*range(2, 19), 9 * 2**200, P - 2) for key in spellings(u)[1:]]
PRIVATE = [S_I, S_R, E_I, bytes(32), b"\xff" * 32, bytes(range(32))]


def attempts(key: bytes) -> list[Callable[[], object]]:
    """Each place where a public key of the other side comes in."""
    card = ImplantCard("VP-1", key, PSK)
    hellos = b"one", b"two"

    def known(name: str, *, initiator: bool, **keys: Any) -> Callable[[], object]:
        def attempt() -> None:
            side = HandshakeState(name, initiator=initiator, prologue=b"", e=E_I, psks=(PSK,), **keys)
            # A responder with a known weak key reads the first message of an honest initiator.
            side.write_message(b"") if initiator else side.read_message(key + bytes(16))

        return attempt

    def ephemeral(name: str) -> Callable[[], object]:
        def attempt() -> None:
            one, two = pair(name)
            if name == XX:
                two.read_message(one.write_message(b""))
                one.read_message(key + bytes(64))
            else:
                two.read_message(key + bytes(16))

        return attempt

    return [
        lambda: noise.dh(S_I, key),
        known(KK, initiator=True, s=S_I, rs=key),
        known(KK, initiator=False, s=S_R, rs=key),
        known(NK, initiator=True, rs=key),
        *(ephemeral(name) for name in (KK, NK, XX)),
        lambda: tablet_handshake(
            TabletKeys("T-1", S_I), Pairing("VP-1", key, PSK), E_I, *hellos
        ).write_message(b""),
        lambda: pump_handshake(
            PumpKeys("VP-1", S_R), PairedTablet("T-1", key, PSK), E_R, *hellos
        ).read_message(key + bytes(16)),
        lambda: card_handshake(SessionKind.BREAK_GLASS, card, S_I, E_I, *hellos).write_message(b""),
        lambda: carded_handshake(SessionKind.BREAK_GLASS, PumpKeys("VP-1", S_R), PSK, E_R, *hellos).read_message(
            key + bytes(16)
        ),
    ]  # fmt: skip


def test_there_are_fourteen_spellings_of_the_points_of_small_order() -> None:
    assert len(set(LOW_ORDER)) == 14
    library = []
    for key, private in itertools.product(LOW_ORDER, PRIVATE):
        with pytest.raises(ValueError):
            X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(key))
        library.append(key)
        with pytest.raises(WeakKey):
            noise.dh(private, key)
    assert len(library) == 84


@pytest.mark.parametrize("key", LOW_ORDER + NON_CANONICAL, ids=bytes.hex)
def test_a_weak_or_non_canonical_key_is_refused_wherever_it_comes_in(key: bytes) -> None:
    for attempt in attempts(key):
        with pytest.raises(WeakKey):
            attempt()


def test_a_weak_static_key_inside_a_pairing_message_is_refused() -> None:
    for key in LOW_ORDER + NON_CANONICAL:
        one, two = pair(XX)
        one._public["s"] = key  # a dishonest tablet: it seals this key well
        two.read_message(one.write_message(b""))
        one.read_message(two.write_message(b""))
        message = one.write_message(b"")
        with pytest.raises(WeakKey):
            two.read_message(message)


@given(st.integers(19, P - 20), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=60, deadline=None)
def test_every_other_key_is_used_as_the_library_uses_it(u: int, factor: int) -> None:
    key = (u * factor % P).to_bytes(32, "little")
    if key in LOW_ORDER:
        return
    theirs = X25519PrivateKey.from_private_bytes(S_I).exchange(X25519PublicKey.from_public_bytes(key))
    assert noise.dh(S_I, key) == theirs
    with pytest.raises(WeakKey):
        noise.dh(S_I, (int.from_bytes(key, "little") + TOP).to_bytes(32, "little"))


@pytest.mark.parametrize("top", [0, TOP])
def test_our_own_static_key_in_either_spelling_is_refused(top: int) -> None:
    echoed = (int.from_bytes(public_key(S_I), "little") + top).to_bytes(32, "little")
    refused: type[Exception] = WeakKey if top else ReflectedKey
    hellos = b"one", b"two"
    with pytest.raises(refused):
        HandshakeState(KK, initiator=True, prologue=b"", e=E_I, s=S_I, rs=echoed, psks=(PSK,))
    with pytest.raises(refused):
        HandshakeState(KK, initiator=False, prologue=b"", e=E_R, s=S_I, rs=echoed, psks=(PSK,))
    with pytest.raises(refused):
        tablet_handshake(TabletKeys("T-1", S_I), Pairing("VP-1", echoed, PSK), E_I, *hellos)
    with pytest.raises(refused):
        pump_handshake(PumpKeys("VP-1", S_I), PairedTablet("T-1", echoed, PSK), E_R, *hellos)


def test_an_echo_of_the_ephemeral_key_is_refused_in_all_three_sessions() -> None:
    for name in (KK, NK, XX):
        one, _ = pair(name)
        echo = one.write_message(b"")
        with pytest.raises(ReflectedKey):
            one.read_message(echo + bytes(48))


def test_a_static_key_that_is_the_ephemeral_one_is_refused() -> None:
    with pytest.raises(ReflectedKey):
        HandshakeState(NK, initiator=True, prologue=b"", e=E_I, rs=public_key(E_I), psks=(PSK,))


def test_a_session_has_one_of_three_names() -> None:
    assert dict(NOISE_NAME) == {
        SessionKind.ROUTINE: "Noise_KKpsk0_25519_ChaChaPoly_SHA256",
        SessionKind.BREAK_GLASS: "Noise_NKpsk0_25519_ChaChaPoly_SHA256",
        SessionKind.PAIRING: "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
    }
    with pytest.raises(TypeError):
        NOISE_NAME[SessionKind.ROUTINE] = "Noise_KK_25519_ChaChaPoly_SHA256"  # type: ignore[index]


def engine_names() -> list[str]:
    """Every protocol name that the engine takes, with up to two pre-shared keys."""
    modifiers = ["", *(f"psk{n}" for n in range(4)), *(f"psk{a}+psk{b}" for a in range(4) for b in range(4) if a < b)]
    names = [
        f"Noise_{pattern}{modifier}_25519_ChaChaPoly_{hash_name}"
        for pattern, modifier, hash_name in itertools.product(PATTERNS, modifiers, HASHES)
    ]
    found = []
    for name in names:
        with contextlib.suppress(UnknownPattern):
            noise.parse_name(name)
            found.append(name)
    return found


def test_no_other_name_of_the_engine_can_talk_to_a_session() -> None:
    hellos = b"one", b"two"
    keys, tablet = PumpKeys("VP-1", S_R), PairedTablet("T-1", public_key(S_I), PSK)
    pumps = {
        SessionKind.ROUTINE: lambda: pump_handshake(keys, tablet, E_R, *hellos),
        SessionKind.BREAK_GLASS: lambda: carded_handshake(SessionKind.BREAK_GLASS, keys, PSK, E_R, *hellos),
        SessionKind.PAIRING: lambda: carded_handshake(SessionKind.PAIRING, keys, PSK, E_R, *hellos),
    }
    refused = accepted = 0
    for name, kind in itertools.product(engine_names(), SessionKind):
        pattern = noise.parse_name(name)[0]
        known: dict[str, Any] = {} if name.startswith("Noise_NK") else {"s": S_I}
        known |= {} if name.startswith("Noise_XX") else {"rs": public_key(S_R)}
        one = HandshakeState(
            name,
            initiator=True,
            prologue=prologue("VP-1", "T-1" if kind is SessionKind.ROUTINE else "", *hellos, kind),
            e=E_I,
            psks=(PSK,) * sum(tokens.count("psk") for tokens in pattern.messages),
            **known,
        )
        two = pumps[kind]()
        try:
            run(one, two)
        except NoiseError:
            refused += 1
        else:
            accepted += 1
            assert name == NOISE_NAME[kind]
    assert accepted == 3
    assert refused == 3 * len(engine_names()) - 3
    assert len(engine_names()) == 50
