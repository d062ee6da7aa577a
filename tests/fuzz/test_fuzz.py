"""The fuzz targets hold on their corpus, on what hypothesis makes, and for a while of the seeded search; planted bugs
are found."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.virtual import host as host_module
from protocol import framing, participant, wire_model
from protocol.errors import NoiseError
from protocol.framing import FrameDecoder
from protocol.messages import MESSAGES
from protocol.noise import HandshakeState
from tests.fuzz import __main__ as command
from tests.fuzz import scene
from tests.fuzz.parsers import Broken, Target, message_seeds, one_of_each
from tests.fuzz.scene import copied
from tests.fuzz.search import Find, Search, fault, for_seconds, shortened
from tests.fuzz.targets import TARGETS, starts_of_pump

LOCAL, FULL = 60, 1_500
COUNTS = {"frames": 200, "cbor": 2_000, "messages": 2_000, "clear": 1_000, "handshake": 200}
"""Executions of the seeded search in the local tier; 60 of the others, and fifty times as many in the full tier."""


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Any bytes, and altered seeds."""
    seeds = list(target.seeds())
    altered = st.builds(
        lambda number, seed: target.mutate(Random(number), seed), st.integers(0, 2**64 - 1), st.sampled_from(seeds)
    )
    return st.binary(max_size=600) | altered | st.sampled_from(seeds)


def test_the_corpus_is_what_the_command_writes() -> None:
    committed = {path.name: path.read_text(encoding="ascii") for path in scene.CORPUS.iterdir()}
    assert committed == scene.corpus_texts(), "run: python -m tests.fuzz.scene"


def test_the_corpus_holds_a_whole_dose_change() -> None:
    host = copied(scene.fresh())
    for way, data in scene.corpus("routine.txt"):
        if way == ">":
            answer = host.feed(data, scene.NOW_MS)
        else:
            assert answer == data
    assert host.state.participant.memory.epoch == scene.fresh().state.participant.memory.epoch + 1
    assert host.state.record is not None
    assert host.state.record.program.dose_ng_per_day == scene.DOSE_AFTER


def test_there_is_a_seed_for_every_message() -> None:
    assert {type(message) for message in one_of_each()} == set(MESSAGES.values())
    assert len(message_seeds()) > len(MESSAGES)


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_holds(name: str) -> None:
    target = TARGETS[name]
    outcomes = {target.run(seed) for seed in target.seeds()}
    assert outcomes


def test_genuine_sessions_get_all_the_way() -> None:
    assert any(TARGETS["pump"].run(seed).endswith("CHANGED") for seed in TARGETS["pump"].seeds())
    assert any("Committed" in TARGETS["orders"].run(seed) for seed in TARGETS["orders"].seeds())
    assert any("SessionOpened" in TARGETS["tablet"].run(seed) for seed in TARGETS["tablet"].seeds())
    assert any("TabletArrived" in TARGETS["connection"].run(seed) for seed in TARGETS["connection"].seeds())
    assert {TARGETS["handshake"].run(seed) for seed in TARGETS["handshake"].seeds()} == {"read"}


def hold(name: str, count: int) -> None:
    target = TARGETS[name]

    @given(inputs(target))
    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(data: bytes) -> None:
        target.run(data)

    holds()


@pytest.mark.parametrize("name", TARGETS)
def test_what_hypothesis_makes_holds(name: str) -> None:
    hold(name, LOCAL)


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_more_of_what_hypothesis_makes_holds(name: str) -> None:
    hold(name, FULL)


@pytest.mark.parametrize("name", TARGETS)
def test_a_short_search_finds_nothing(name: str) -> None:
    search = Search(TARGETS[name], seed=7)
    assert search.run(COUNTS.get(name, LOCAL)) is None
    assert len(search.tally.outcomes) > 1


@pytest.mark.full
@pytest.mark.parametrize("name", TARGETS)
def test_a_long_search_finds_nothing(name: str) -> None:
    assert Search(TARGETS[name], seed=8).run(50 * COUNTS.get(name, LOCAL)) is None


@pytest.mark.parametrize("length", [1_022, 1_023, 1_024, 1_025, 1_026, 2_050])
def test_a_frame_behind_noise_counts_the_same_whole_and_byte_by_byte(length: int) -> None:
    start, rest = starts_of_pump()[5]
    stream = b"\x41" * length + rest[0].strip(b"\x00") + b"\x00" + rest[0]
    whole, single = copied(start), copied(start)
    answer = whole.feed(stream, scene.NOW_MS)
    assert b"".join(single.feed(bytes([value]), scene.NOW_MS) for value in stream) == answer
    assert single.state == whole.state
    assert len(FrameDecoder().feed(answer)) == 1


def test_a_megabyte_of_noise_takes_no_memory() -> None:
    host = copied(starts_of_pump()[5][0])
    tablet = scene.new_tablet()
    noise = b"\x41" * 4_096
    host.feed(noise, scene.NOW_MS)
    tracemalloc.start()
    try:
        for _ in range(256):
            host.feed(noise, scene.NOW_MS)
            tablet.receive_data(noise, scene.NOW_MS)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 65_536
    assert host.feed(b"\x00", scene.NOW_MS) == b""


# Planted bugs


def _unbounded(self: FrameDecoder, piece: bytes) -> None:
    self._buffer += piece


def _no_minimum(body: bytes) -> Any:
    covered, received = body[:-4], body[-4:]
    if framing.zlib.crc32(covered).to_bytes(4, "big") != received:
        return framing.Discarded(framing.DiscardReason.BAD_CHECKSUM, len(body))
    return framing.Frame(covered[0], covered[1], covered[2:])


def _half_a_frame_is_taken(self: Any, data: bytes, now_ms: int) -> bytes:
    """Noise is forgotten as soon as it is too long, and what follows counts as a frame."""
    out = b""
    *frames, self._partial = (self._partial + data).split(b"\x00")
    if len(self._partial) > host_module.LONGEST_PIECE:
        self._partial = b""
    for stuffed in frames:
        out += self._on_wire(stuffed + b"\x00", now_ms)
    return out


def _no_lengths(self: HandshakeState, token: str, rest: bytes) -> bytes:
    """Reads a key without looking whether it is all there: the first byte of nothing is an IndexError."""
    if token not in ("e", "s"):
        self._mix_token(token)
        return rest
    assert rest[31] is not None
    return READ_TOKEN(self, token, rest)


READ_TOKEN = HandshakeState._read_token


def _reads_on(self: HandshakeState, message: bytes) -> bytes:
    """A failed handshake may go on."""
    try:
        return READ_MESSAGE(self, message)
    except NoiseError:
        self._failed = False
        self._step = max(1, self._step)
        raise


READ_MESSAGE = HandshakeState.read_message

Plant = tuple[str, Any, str, Any]
PLANTS: dict[str, Plant] = {
    "a number outside an enumeration raises ValueError": (
        "messages", wire_model, "_enum", lambda kind, value: kind(value)
    ),
    "a body without header raises IndexError": ("frames", framing, "decode_body", _no_minimum),
    "the receive buffer grows without bound": ("frames", FrameDecoder, "_hold", _unbounded),
    "the pump forgets that noise was too long": (
        "pump", host_module.VirtualPumpHost, "feed", _half_a_frame_is_taken
    ),
    "a short handshake message raises IndexError": ("handshake", HandshakeState, "_read_token", _no_lengths),
    "a failed handshake goes on": ("handshake", HandshakeState, "read_message", _reads_on),
    "the pump takes any signature": ("orders", participant, "_commit_refusals", lambda *_: ()),
}  # fmt: skip


SLOW = "the pump forgets that noise was too long"


@pytest.mark.parametrize("plant", [pytest.param(name, marks=[pytest.mark.full] * (name == SLOW)) for name in PLANTS])
def test_planted_bugs_are_found(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, owner, attribute, wrong = PLANTS[plant]
    target = TARGETS[name]
    target.seeds()  # what the target begins with is made by the sound program
    monkeypatch.setattr(owner, attribute, wrong)
    found = Search(target, seed=3).run(20_000)
    assert found is not None, plant
    monkeypatch.undo()
    assert fault(target, found.data) is None


# The command


def _broken_by(byte: int | None) -> Callable[[bytes], str]:
    def run(data: bytes) -> str:
        if byte is not None and byte in data:
            raise Broken("no such byte")
        return str(len(data) // 8)

    return run


def _toy(byte: int | None) -> Target:
    return Target("toy", _broken_by(byte), lambda: [b"seed"], lambda rng, data: data + rng.randbytes(9))


def test_a_find_is_made_short() -> None:
    assert shortened(_toy(0x7F), b"ab" * 40 + b"\x7f" + b"cd" * 40) == b"\x7f"


def test_the_command_reports_keeps_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(TARGETS, "cbor", Target("cbor", *list(vars(_toy(0x7F)).values())[1:]))
    keep = tmp_path / "finds"
    assert command.main(["--seconds", "20", "--seed", "1", "--target", "cbor", "--keep", str(keep)]) == 1
    printed = capsys.readouterr().out
    assert "FIND cbor: Broken: no such byte\n7f\n" in printed
    assert "in all" in printed
    saved = keep / "cbor-0.hex"
    assert saved.read_text(encoding="ascii") == "7f\n"
    assert command.main(["--target", "cbor", "--again", str(saved)]) == 1
    saved.write_text("61\n", encoding="ascii")
    assert command.main(["--target", "cbor", "--again", str(saved)]) == 0
    assert command.main(["--seconds", "0.2", "--seed", "1", "--target", "frames", "--target", "clear"]) == 0


def test_one_seed_is_one_run() -> None:
    def tally(seed: int) -> tuple[dict[str, int], list[Find]]:
        search = Search(TARGETS["messages"], seed)
        found = search.run(300)
        return search.tally.outcomes, [] if found is None else [found]

    assert tally(5) == tally(5)
    assert tally(5) != tally(6)


def test_a_target_with_a_find_is_left() -> None:
    ticks = iter(range(1_000_000))
    searches = [Search(_toy(0x73), 1), Search(_toy(None), 1)]
    finds = for_seconds(searches, 50, now=lambda: next(ticks))
    assert [find.data for find in finds] == [b"s"]
    assert searches[1].tally.executions > 100
