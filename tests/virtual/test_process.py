"""The pump as a process: the same bytes over a pseudo terminal and TCP, restart, refusals in one sentence."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

import pytest
import serial

from drivers.virtual import state as state_file
from drivers.virtual.__main__ import _parser, _stop, build, main
from drivers.virtual.provision import ProvisionError, default_provision, load_provision, parse_provision
from drivers.virtual.server import ListenError, Server, entropy_source, tcp_address
from protocol.messages import Committed, NotApplied, Query
from tests.virtual.clinic import PHYSICIAN, START_S, LinkDied, Visit, ed_public, key, program, provision, tx_named

TX = tx_named("process tx")


class Process:
    """`python -m drivers.virtual` with its control channel."""

    def __init__(self, tmp_path, listen, *more, given=True):
        file = tmp_path / "provision.json"
        file.write_text(provision().model_dump_json(by_alias=True))
        arguments = ["--provision", str(file)] if given else []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "drivers.virtual",
                "--listen",
                listen,
                "--control",
                "tcp:127.0.0.1:0",
                "--state",
                str(tmp_path / "pump.state"),
                *arguments,
                *more,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ready = json.loads(self.process.stdout.readline())
        host, port = self.ready["control"].removeprefix("socket://").split(":")
        self.control = socket.create_connection((host, int(port)))
        self.lines = self.control.makefile("rw")
        self.open(self.ready["wand"])

    def open(self, wand):
        self.port = serial.serial_for_url(wand, timeout=0)

    def say(self, **command):
        self.lines.write(json.dumps(command) + "\n")
        self.lines.flush()
        return json.loads(self.lines.readline())

    def carry(self, data, now_ms):
        """Write, and read until the line has been quiet for 60 ms."""
        self.port.write(data)
        got, deadline = b"", time.monotonic() + 1
        while time.monotonic() < deadline:
            more = self.port.read(512)
            got += more
            if more and got.endswith(b"\0"):
                deadline = time.monotonic() + 0.03
            elif not more:
                select.select([self.port.fileno() if hasattr(self.port, "fd") else self.port._socket], [], [], 0.01)
        return got

    def stop(self, how=signal.SIGTERM):
        self.lines.close()
        self.control.close()
        self.port.close()
        self.process.send_signal(how)
        code = self.process.wait(10)
        self.process.stdout.close()
        return code


def test_killed_and_started_again_the_program_is_there(tmp_path):
    pump = Process(tmp_path, "pty", "--seed", "3")
    assert pump.ready["wand"].startswith("/dev/")
    visit = Visit(pump.carry).connect()
    assert isinstance(visit.order(program(), txid=TX), Committed)
    assert pump.say(op="advance", days=10)["ok"]
    before = pump.say(op="status")
    assert (before["dose_ng_per_day"], before["epoch"], before["ok"]) == (115_000, 1, True)
    assert 17_690_000 < before["true_reservoir_nl"] <= 17_700_000
    assert pump.stop(signal.SIGKILL) == -signal.SIGKILL

    again = Process(tmp_path, "pty", "--seed", "3", given=False)
    visit = Visit(again.carry).connect()
    status = visit.status()
    assert (status.dose_ng_per_day, status.epoch, status.resets) == (115_000, 1, 1)
    assert 0 <= status.pump_time_s - before["pump_time_s"] < 10
    assert visit.ask(Query(txid=TX, base_epoch=0)).epoch == 1
    assert again.stop() == 0


class Served:
    """The server in this process, turned by hand: no waiting, every line of it measured."""

    def __init__(self, *arguments):
        self.server = build(_parser().parse_args([*arguments]))
        self.ready = self.server.ready()
        self.open(self.ready["wand"])

    def open(self, wand):
        self.port = serial.serial_for_url(wand, timeout=0.02)

    def carry(self, data, now_ms):
        self.port.write(data)
        got = b""
        for _ in range(3):  # the kernel hands bytes over a moment later
            self.server.turn(20)
            got += self.port.read(1024)
            if got.endswith(b"\0"):
                break
        return got

    def control(self):
        host, port = self.ready["control"].removeprefix("socket://").split(":")
        return socket.create_connection((host, int(port)), timeout=5)

    def say(self, line, text):
        line.sendall(text)
        for _ in range(3):
            self.server.turn(5)
        return json.loads(line.recv(65_536))


def _serve(tmp_path, listen, *more):
    file = tmp_path / "provision.json"
    file.write_text(provision().model_dump_json(by_alias=True))
    return Served(
        "--listen",
        listen,
        "--control",
        "tcp:127.0.0.1:0",
        "--provision",
        str(file),
        "--state",
        str(tmp_path / "pump.state"),
        *more,
    )


@pytest.mark.parametrize("listen", ["pty", "tcp:127.0.0.1:0"])
def test_the_same_visit_over_each_line(tmp_path, listen):
    served = _serve(tmp_path, listen)
    done = Visit(served.carry).connect().order(program(), txid=TX)
    assert done.epoch == 1
    line = served.control()
    assert served.say(line, b'{"op":"nonsense"}\n')["ok"] is False
    assert served.say(line, b'{"op":"advance","days":10}\n')["ok"] is True
    assert served.say(line, b'{"op":"status"}\n')["epoch"] == 1
    line.close()
    served.server.turn(0)
    again = _serve(tmp_path, listen, "--catch-up")
    assert Visit(again.carry).connect().ask(Query(txid=TX, base_epoch=0)) == done


@pytest.mark.parametrize("listen", ["pty", "tcp:127.0.0.1:0"])
@pytest.mark.parametrize("at_once", [True, False])
def test_unplug_and_the_query_settles_the_doubt(tmp_path, listen, at_once):
    served = _serve(tmp_path, listen)
    line = served.control()
    fault = (
        b'{"op":"fault","id":"F-L12"}\n'
        if at_once
        else (b'{"op":"fault","id":"F-L12","when":"rx:COMMITTED","byte":17}\n')
    )
    visit = Visit(served.carry).connect()
    visit.status()
    answer = served.say(line, fault)
    if not at_once:
        with pytest.raises((LinkDied, OSError)):
            visit.order(program(), txid=TX)
        answer = served.say(line, b'{"op":"status"}\n')
    served.port.close()
    served.open(answer["wand"])
    verdict = Visit(served.carry).connect().ask(Query(txid=TX, base_epoch=0))
    assert isinstance(verdict, NotApplied if at_once else Committed)


def test_one_programmer_at_a_time_owns_the_line_and_the_next_may_follow(tmp_path):
    served = _serve(tmp_path, "tcp:127.0.0.1:0")
    first = Visit(served.carry).connect()
    first.status()
    host, port = served.ready["wand"].removeprefix("socket://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as second:
        served.server.turn(0)
        assert second.recv(1) == b""
    assert first.status().epoch == 0
    served.port.close()
    served.open(served.ready["wand"])
    served.server.turn(0)
    assert Visit(served.carry).connect().status().epoch == 0


def test_without_provisioning_the_pump_only_greets(tmp_path, monkeypatch):
    path = str(tmp_path / "x.state")
    first = Served("--listen", "pty", "--seed", "5", "--state", path, "--profile", "adult-40")
    assert first.ready["control"] is None
    again = Served("--listen", "pty", "--seed", "5", "--state", path)
    assert again.server.host.firmware.identity.profile.name == "adult-40"


def test_main_serves_until_it_is_interrupted(tmp_path, monkeypatch, capsys):
    def interrupt(self, longest_ms=0):
        _stop(signal.SIGTERM, None)

    monkeypatch.setattr(Server, "turn", interrupt)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["--listen", "pty", "--state", str(tmp_path / "m.state")]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert json.loads(capsys.readouterr().out)["serial"] == "VP-0001"
    assert state_file.load(tmp_path / "m.state") is not None


def test_a_full_disk_ends_the_pump_with_a_sentence(tmp_path, monkeypatch, capsys):
    def full(self, longest_ms=0):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Server, "turn", full)
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert main(["--listen", "pty"]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "make room" in capsys.readouterr().err


def _refused(capsys, *arguments):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


def test_what_cannot_begin_says_why_and_exits_2(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert "choose another port" in _refused(capsys, "--listen", f"tcp:127.0.0.1:{port}")
    assert "choose one of adult-20" in _refused(capsys, "--listen", "pty", "--profile", "no-such")
    bad = tmp_path / "bad.state"
    bad.write_text("{}")
    assert "start with a new file" in _refused(capsys, "--listen", "pty", "--state", str(bad))
    nowhere = str(tmp_path / "no" / "folder.state")
    assert "No such file" in _refused(capsys, "--listen", "pty", "--state", nowhere)
    _, _, _, path = _saved(tmp_path, image="AAAA")
    assert "damaged" in _refused(capsys, "--listen", "pty", "--state", str(path), "--seed", "1")
    assert "another seed" in _refused(capsys, "--listen", "pty", "--state", str(path))
    given = tmp_path / "p.json"
    given.write_text(provision().model_dump_json(by_alias=True))
    assert "was provisioned with profile child-20" in _refused(
        capsys, "--listen", "pty", "--provision", str(given), "--profile", "adult-40"
    )


def _saved(tmp_path, **changes):
    from drivers.virtual.firmware import Firmware
    from drivers.virtual.profiles import load_profile

    made = provision()
    state = Firmware(made.identity()).manufacture(
        clock_ms=START_S * 1000, program=made.first_program(), fill_nl=made.fill_nl
    )
    profile = load_profile("child-20")
    file = state_file.capture(state, provision=made, profile=profile, seed=1, clock_ms=START_S * 1000, wall_ms=5)
    path = tmp_path / "a.state"
    state_file.save(path, file.model_copy(update=changes))
    return state, profile, state_file.load(path), path


def test_state_file_round_trip_is_exact_and_private(tmp_path):
    state, profile, found, path = _saved(tmp_path)
    again = found.state(profile)
    assert (again.image, again.physics, again.log, again.history) == (
        state.image,
        state.physics,
        state.log,
        state.history,
    )
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert state_file.load(tmp_path / "none") is None


@pytest.mark.parametrize(
    "changes, word",
    [
        ({"model_version": 9}, "model version"),
        ({"profile": "adult-20"}, "profile"),
        ({"profile_digest": "00"}, "profile data"),
        ({"seed": 2}, "seed"),
        ({"provision": provision(serial="OTHER")}, "serial number"),
    ],
)
def test_a_state_file_of_another_pump_is_refused(tmp_path, changes, word):
    _, profile, found, _ = _saved(tmp_path, **changes)
    with pytest.raises(state_file.StateError, match=word):
        state_file.check(found, profile=profile, seed=1, serial="VP-0007")


def test_a_damaged_image_is_refused(tmp_path):
    _, profile, found, _ = _saved(tmp_path, image="AAAA")
    with pytest.raises(ValueError, match="size"):
        found.state(profile)


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": "lower case"},
        {"realm": "clinical"},
        {"static_private": "00"},
        {"fill_nl": 1.5},
        {"extra": 1},
        {"tablets": [{"id": "A", "public": "00" * 32, "psk": "00" * 32}] * 2},
        {"roots": [ed_public(PHYSICIAN).hex()] * 2},
        {"roots": ["01" + "00" * 31]},
        {"roots": [ed_public(key(f"root {n}")).hex() for n in range(5)]},
        {"two_persons": ["everything"]},
    ],
)
def test_provisioning_is_strict(tmp_path, changes):
    data = {**json.loads(provision().model_dump_json(by_alias=True)), **changes}
    path = tmp_path / "p.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ProvisionError):
        load_provision(path)


def test_provisioning_needs_a_file_and_has_a_default(tmp_path):
    with pytest.raises(ProvisionError, match="cannot be read"):
        load_provision(tmp_path / "none.json")
    with pytest.raises(ProvisionError, match="file"):
        parse_provision("not json")
    assert default_provision("adult-40", bytes(96)).fill_nl == 40_000_000


@pytest.mark.parametrize("text", ["", "udp:h:1", "tcp:1", "tcp::1", "tcp:h:x", "tcp:h:65536"])
def test_addresses_that_are_none(text):
    with pytest.raises(ListenError):
        tcp_address(text)


def test_a_seed_decides_all_random_bytes():
    a, b = entropy_source(7, "x"), entropy_source(7, "x")
    assert [a(8), a(8)] == [b(8), b(8)]
    assert entropy_source(8, "x")(8) != entropy_source(7, "x")(8)
    assert len(entropy_source(None, "x")(16)) == 16
