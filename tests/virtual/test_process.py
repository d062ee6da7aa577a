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
from drivers.virtual.provision import ProvisionError, default_provision, load_provision, parse_provision
from drivers.virtual.server import ListenError, entropy_source, tcp_address
from protocol.messages import Committed, Query
from tests.virtual.clinic import START_S, LinkDied, Visit, key, program, provision

TX = key("process tx")[:16]


class Process:
    """`python -m drivers.virtual` with its control channel."""

    def __init__(self, tmp_path, listen, *more, given=True):
        file = tmp_path / "provision.json"
        file.write_text(provision().model_dump_json(by_alias=True))
        arguments = ["--provision", str(file)] if given else []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "drivers.virtual", "--listen", listen, "--control", "tcp:127.0.0.1:0",
             "--state", str(tmp_path / "pump.state"), *arguments, *more],
            stdout=subprocess.PIPE, text=True)
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


@pytest.mark.parametrize("listen", ["pty", "tcp:127.0.0.1:0"])
def test_dose_change_advance_and_restart_over_a_real_line(tmp_path, listen):
    pump = Process(tmp_path, listen, "--seed", "3")
    assert pump.ready["wand"].startswith("/dev/" if listen == "pty" else "socket://")
    visit = Visit(pump.carry).connect()
    assert isinstance(visit.order(program(), txid=TX), Committed)
    assert pump.say(op="advance", days=10)["ok"]
    before = pump.say(op="status")
    assert (before["dose_ng_per_day"], before["epoch"], before["ok"]) == (115_000, 1, True)
    assert 17_690_000 < before["true_reservoir_nl"] <= 17_700_000
    assert not pump.say(op="nonsense")["ok"]
    assert pump.stop(signal.SIGKILL) == -signal.SIGKILL

    again = Process(tmp_path, listen, "--seed", "3", given=False)
    visit = Visit(again.carry).connect()
    status = visit.status()
    assert (status.dose_ng_per_day, status.epoch, status.resets) == (115_000, 1, 1)
    assert 0 <= status.pump_time_s - before["pump_time_s"] < 10
    assert visit.ask(Query(txid=TX, base_epoch=0)).epoch == 1
    assert again.stop() == 0


def test_unplug_gives_a_new_port_and_the_query_settles_the_doubt(tmp_path):
    pump = Process(tmp_path, "pty")
    visit = Visit(pump.carry).connect()
    pump.say(op="fault", id="F-L12", when="rx:COMMITTED", byte=17)
    with pytest.raises((LinkDied, OSError)):
        visit.order(program(), txid=TX)
    pump.port.close()
    status = pump.say(op="status")
    assert status["wand"] != pump.ready["wand"] or status["fired"] == ["F-L12"]
    pump.open(status["wand"])
    assert Visit(pump.carry).connect().ask(Query(txid=TX, base_epoch=0)).epoch == 1
    pump.stop()


def _refused(*arguments):
    done = subprocess.run([sys.executable, "-m", "drivers.virtual", *arguments], capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_what_cannot_begin_says_why_and_exits_2(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert "choose another port" in _refused("--listen", f"tcp:127.0.0.1:{port}")
    assert "choose one of adult-20" in _refused("--listen", "pty", "--profile", "no-such")
    bad = tmp_path / "bad.state"
    bad.write_text("{}")
    assert "start with a new file" in _refused("--listen", "pty", "--state", str(bad))


def _saved(tmp_path, **changes):
    from drivers.virtual.firmware import Firmware
    from drivers.virtual.profiles import load_profile

    made = provision()
    state = Firmware(made.identity()).manufacture(
        clock_ms=START_S * 1000, program=made.first_program(), fill_nl=made.fill_nl)
    profile = load_profile("child-20")
    file = state_file.capture(state, provision=made, profile=profile, seed=1, clock_ms=START_S * 1000, wall_ms=5)
    path = tmp_path / "a.state"
    state_file.save(path, file.model_copy(update=changes), durable=True)
    return state, profile, state_file.load(path), path


def test_state_file_round_trip_is_exact_and_private(tmp_path):
    state, profile, found, path = _saved(tmp_path)
    again = found.state(profile)
    assert (again.image, again.physics, again.log, again.history) == (
        state.image, state.physics, state.log, state.history)
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert state_file.load(tmp_path / "none") is None


@pytest.mark.parametrize("changes, word", [
    ({"model_version": 9}, "model version"), ({"profile": "adult-20"}, "profile"),
    ({"profile_digest": "00"}, "profile data"), ({"seed": 2}, "seed"),
    ({"provision": provision(serial="OTHER")}, "serial number")])
def test_a_state_file_of_another_pump_is_refused(tmp_path, changes, word):
    _, profile, found, _ = _saved(tmp_path, **changes)
    with pytest.raises(state_file.StateError, match=word):
        state_file.check(found, profile=profile, seed=1, serial="VP-0007")


def test_a_damaged_image_is_refused(tmp_path):
    _, profile, found, _ = _saved(tmp_path, image="AAAA")
    with pytest.raises(ValueError, match="size"):
        found.state(profile)


@pytest.mark.parametrize("changes", [
    {"serial": "lower case"}, {"realm": "clinical"}, {"static_private": "00"}, {"fill_nl": 1.5}, {"extra": 1},
    {"tablets": [{"id": "A", "public": "00" * 32, "psk": "00" * 32}] * 2},
    {"clinicians": [{"public_key": "00" * 32, "role": "prescriber"}] * 2},
    {"clinicians": [{"public_key": "00" * 32, "role": "king"}]}])
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
