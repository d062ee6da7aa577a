"""The virtual pump as a process of its own, and the control channel that only quality assurance uses."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

START_LIMIT_S = 15


class PumpProcessFailed(Exception):
    """The virtual pump did not start, or its control channel refused."""

    exit_code = 2


class Control:
    """The control channel of a virtual pump: one JSON object a line, one answer a line."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("socket://").rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), timeout=START_LIMIT_S)
        except (OSError, ValueError) as error:
            raise PumpProcessFailed(
                f"No virtual pump listens for control at {url}. Start one with 'programmer virtual-pump --control'."
            ) from error
        self._file = self._socket.makefile("rwb")

    def send(self, op: str, **fields: Any) -> dict[str, Any]:
        """Send one command; its answer. Raises ``PumpProcessFailed`` where the pump refuses it."""
        self._file.write(json.dumps({"op": op, **fields}).encode() + b"\n")
        self._file.flush()
        line = self._file.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"ok": False, "error": "the virtual pump is gone"}
        if not answer.get("ok"):
            raise PumpProcessFailed(f"The virtual pump refused '{op}': {answer.get('error')}")
        return answer

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()


class PumpProcess:
    """A running virtual pump; ``wand`` is the address of its wand."""

    def __init__(self, process: "subprocess.Popen[str]", ready: dict[str, str]) -> None:
        self._process = process
        self.wand = ready["wand"]
        self.serial = ready["serial"]
        self.control = Control(ready["control"])

    @classmethod
    def start(cls, provision: Path, state: Path, listen: str | None = None) -> Self:
        """Start the pump; pseudo terminal where the platform has one, else TCP on this machine.

        Raises:
            PumpProcessFailed: it did not become ready.
        """
        where = listen or ("pty" if os.name == "posix" else "tcp:127.0.0.1:0")
        process = subprocess.Popen(
            [
                sys.executable, "-m", "programmer", "virtual-pump", "--listen", where,
                "--provision", str(provision), "--state", str(state), "--control", "tcp:127.0.0.1:0", "--with-parent",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if not line:
            raise PumpProcessFailed(process.stderr.read().strip() or "the virtual pump did not start")
        return cls(process, json.loads(line))

    def stop(self) -> None:
        """End the process; its memory stays in the state file."""
        self.control.close()
        self._process.terminate()
        try:
            self._process.wait(START_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
