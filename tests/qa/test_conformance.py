"""The conformance suite passes a good device and finds, in a broken one, exactly what is broken."""

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

from programmer.cli.main import main
from programmer.qa import conformance_cases
from programmer.qa.conformance import ROLES, EchoHeard, NothingAnswers, Outcome
from programmer.qa.conformance_line import Material
from protocol import responder
from protocol.messages import MESSAGES
from protocol.noise import CipherState
from protocol.participant import Memory
from protocol.responder import PumpConnection
from protocol.session import Channel
from protocol.wand import Coupling, Identify, encode_wand
from tests.qa.bench_port import Relay, body_of, framed, report_of


def details(report: Any) -> str:
    return "\n".join(report.lines())


@pytest.mark.parametrize("role", ROLES)
def test_the_virtual_device_conforms(role: str) -> None:
    report, host = report_of(role, slow=True)
    assert report.failures() == set(), details(report)
    assert {result.case.id for result in report.results if result.outcome is Outcome.NOT_RUN} == set(), details(report)
    assert report.passed
    assert host.state.participant.memory.epoch == 0
    assert host.state.participant.proposal is None


@pytest.mark.parametrize("role", ROLES)
def test_ids_are_unique_and_every_case_names_its_section(role: str) -> None:
    cases = conformance_cases.of(role)
    assert len({case.id for case in cases}) == len(cases)
    assert all(case.section in "12345678" and case.says for case in cases)


def test_without_keys_what_needs_them_is_not_run_and_says_so() -> None:
    report, _ = report_of("pump", material=Material())
    assert report.failures() == set(), details(report)
    left = {result.case.id: result.detail for result in report.results if result.outcome is Outcome.NOT_RUN}
    assert "--data" in left["handshake"]
    assert "--card" in left["break-glass"]
    assert "--slow" in left["silence-ends"]
    assert {"hello-reply", "hello-unlinkable", "hello-malformed", "hello-repeat"}.isdisjoint(left)


def test_an_adapter_without_a_pump_is_judged_for_itself() -> None:
    class NoPump(Relay):
        def to_device(self, piece: bytes) -> bytes:
            body = body_of(piece)
            return b"" if body and body[0] >> 4 == 1 else piece

    report, _ = report_of("adapter", NoPump)
    assert report.failures() == set(), details(report)
    left = {result.case.id for result in report.results if result.outcome is Outcome.NOT_RUN}
    assert left == {case.id for case in conformance_cases.of("adapter") if case.id.startswith("relay-")}


def test_nothing_on_the_port_is_no_report() -> None:
    class Dead(Relay):
        def to_device(self, piece: bytes) -> bytes:
            return b""

    with pytest.raises(NothingAnswers, match="115,200 baud"):
        report_of("adapter", Dead)


def test_a_line_that_echoes_is_named() -> None:
    class Echoes(Relay):
        heard = b""

        def to_device(self, piece: bytes) -> bytes:
            self.heard = piece
            return piece

        def to_tablet(self, data: bytes) -> bytes:
            return self.heard + data

    with pytest.raises(EchoHeard, match="echo=cancel"):
        report_of("adapter", Echoes)


class DropsRepeats(Relay):
    """Takes a repeated frame for an echo and swallows it."""

    last = b""

    def to_device(self, piece: bytes) -> bytes:
        repeated, self.last = piece == self.last and len(piece) > 1, piece if len(piece) > 1 else self.last
        return b"" if repeated else piece


class RepairsChecksums(Relay):
    """Makes a new checksum for every frame that it relays."""

    def to_device(self, piece: bytes) -> bytes:
        body = body_of(piece)
        return framed(body[:-4]) if len(body) >= 6 else piece


class WrongChecksums(Relay):
    """Answers with a checksum that is one too large."""

    def to_tablet(self, data: bytes) -> bytes:
        out = b""
        for piece in data.split(b"\x00")[:-1]:
            body = body_of(piece)
            own = body[0] >> 4 == 0
            out += framed(body[:-4], (int.from_bytes(body[-4:], "big") + 1) & 0xFFFF_FFFF) if own else piece + b"\x00"
        return out


class ExecutesRepeats(Relay):
    """The pump greets anew where a HELLO is repeated, and its wand names itself anew."""

    last = b""

    def to_device(self, piece: bytes) -> bytes:
        body = body_of(piece)
        if piece == self.last and body and body[0] == 0x12:
            self.host._connection._link.reset()
        self.last = piece if len(piece) > 1 else self.last
        return piece


class AltersLongFrames(Relay):
    """Loses bit 7 of the last byte of frames beyond 200 bytes, as a line of seven bits would, and hides it."""

    def to_device(self, piece: bytes) -> bytes:
        body = body_of(piece)
        return framed(body[:-5] + bytes([body[-5] ^ 0x80])) if len(body) > 200 else piece


class Chatters(Relay):
    """Sends a byte of its own each time the line was idle for a second."""

    def idle(self, ms: int) -> bytes:
        return b"\x55" if ms >= 1_000 else b""


class AnswersUnknown(Relay):
    """Answers frames to addresses that nobody has."""

    def to_tablet(self, data: bytes) -> bytes:
        return data + self.extra

    extra = b""

    def to_device(self, piece: bytes) -> bytes:
        body = body_of(piece)
        good = len(body) >= 6 and framed(body[:-4]) == piece
        self.extra = framed(bytes([body[0] ^ 1, body[1]])) if good and body[0] >> 4 > 1 else b""
        return piece


BROKEN: list[tuple[type[Relay], str, set[str]]] = [
    (DropsRepeats, "adapter", {"adapter-repeat", "relay-repeat"}),
    (DropsRepeats, "pump", {"hello-repeat", "handshake-repeat", "link-repeat"}),
    (RepairsChecksums, "adapter", {"adapter-checksum", "relay-checksum"}),
    (RepairsChecksums, "pump", {"link-checksum"}),
    (ExecutesRepeats, "adapter", {"relay-repeat"}),
    (ExecutesRepeats, "pump", {"hello-repeat"}),
    (AltersLongFrames, "adapter", {"relay-bytes"}),
    (Chatters, "adapter", {"adapter-idle"}),
    (AnswersUnknown, "adapter", {"adapter-unknown"}),
]


@pytest.mark.parametrize(("relay", "role", "expected"), BROKEN, ids=[f"{row[0].__name__}-{row[1]}" for row in BROKEN])
def test_a_broken_relay_is_found_by_the_cases_for_it(relay: type[Relay], role: str, expected: set[str]) -> None:
    report, _ = report_of(role, relay)
    assert report.failures() == expected, details(report)
    assert not report.passed


def test_an_adapter_whose_own_checksums_are_wrong_answers_nothing() -> None:
    with pytest.raises(NothingAnswers):
        report_of("adapter", WrongChecksums)


def test_a_pump_that_reads_any_cbor_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes) -> Any:
        op, number, body = cbor2.loads(data)
        return int(number), MESSAGES[op].from_wire(body)

    monkeypatch.setattr(responder, "decode_message", decode)
    report, _ = report_of("pump", only="enc")
    assert report.failures() == {"encoding"}


def test_a_pump_that_never_falls_silent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "SILENCE_MS", 60_000)
    report, _ = report_of("pump", slow=True, only="silence")
    assert report.failures() == {"silence-ends"}


def test_a_pump_whose_session_outlives_a_malformed_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PumpConnection, "_end", lambda self, reason: [])
    report, _ = report_of("pump")
    assert report.failures() == {"encoding", "envelope", "closed-body", "refuse-fifth"}, details(report)


def test_a_pump_whose_session_outlives_a_wrong_tag_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgiving(CipherState):
        def decrypt_with_ad(self, ad: bytes, ciphertext: bytes) -> bytes:
            before = self.n
            try:
                return super().decrypt_with_ad(ad, ciphertext)
            finally:
                self.n = before + 1

    def forgiving(cipher: CipherState, direction: Any) -> Channel:
        return Channel(Forgiving(cipher.k), direction)

    monkeypatch.setattr(responder, "Channel", forgiving)
    monkeypatch.setattr(PumpConnection, "_end", lambda self, reason: [])
    report, _ = report_of("pump", only="seal")
    assert report.failures() == {"seal-tag"}, details(report)


def test_a_pump_that_does_not_rekey_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class NeverRekeyed(CipherState):
        def __init__(self, cipher: CipherState) -> None:
            super().__init__(cipher.k)
            self.n = cipher.n

        def rekey(self) -> None:
            """As a pump that forgets to."""

    def pump_channel(cipher: CipherState, direction: Any) -> Channel:
        return Channel(NeverRekeyed(cipher), direction)

    monkeypatch.setattr(responder, "Channel", pump_channel)
    report, _ = report_of("pump", only="seal")
    assert report.failures() == {"seal-rekey"}, details(report)


def test_a_pump_that_forgets_its_tombstones_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Memory, "buried", lambda self, txid: self)
    report, _ = report_of("pump")
    assert report.failures() == {
        "stage-abort", "query-is-final", "new-session-buries", "refuse-not-read-back", "refuse-token", "refuse-digest",
        "refuse-nobody",
    }  # fmt: skip


def test_the_report_says_what_was_seen(tmp_path: Path) -> None:
    report, _ = report_of("adapter", DropsRepeats)
    text = details(report)
    assert "DOES NOT CONFORM: 24 pass, 2 fail, 0 not run" in text
    assert "the repeat was not answered: it was swallowed on its way" in text
    data = json.loads(report.as_json())
    assert (data["schema"], data["role"], data["conforms"]) == ("programmer/conformance/1", "adapter", False)
    assert data["counts"] == {"pass": 24, "fail": 2, "not run": 0}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """A virtual pump that listens, in a thread of this process."""
    from drivers.virtual.profiles import load_profile
    from drivers.virtual.server import Server
    from tests.virtual.clinic import provision

    going, threads = [True], []

    def start(listen: str) -> str:
        made = provision()
        server = Server(
            listen=listen, control=None, provision=made, profile=load_profile(made.profile), seed=None, path=None,
            catch_up=False,
        )  # fmt: skip

        def serve() -> None:
            while going[0]:
                server.turn(20)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return str(server.ready()["wand"])

    yield start
    going[0] = False
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("listen", ["tcp:127.0.0.1:0", "pty"])
def test_the_command_over_a_real_port(served: Any, tmp_path: Path, capsys: Any, listen: str, monkeypatch: Any) -> None:
    if listen == "pty" and os.name != "posix":
        pytest.skip("this system has no pseudo terminals")
    monkeypatch.delenv("PROGRAMMER_DATA", raising=False)
    where, file = served(listen), tmp_path / "report.json"
    code = main(["qa", "conformance", "--port", where, "--quiet-ms", "15", "--only", "relay", "--json", str(file)])
    said = capsys.readouterr().out
    assert code == 0, said
    assert "CONFORMS: 5 pass, 0 fail, 3 not run" in said
    assert json.loads(file.read_text())["counts"]["fail"] == 0


def test_the_guide_names_cases_and_bytes_that_exist() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "adapter-guide.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:adapter|relay)-[a-z-]+[a-z])`", guide))
    assert len(named) > 5
    assert named <= {case.id for case in conformance_cases.of("adapter")}
    assert f"`{encode_wand(Coupling(strength=5, battery_percent=97)).hex(' ')}`" in guide
    assert f"`{encode_wand(Identify(nonce=bytes(8)))[:5].hex(' ')}` and 8 bytes" in guide
