"""What the wire costs: ``python -m tests.perf.bench_wire``.

Byte counts are exact and have limits; times are ratios within one run, medians, and have none, since a busy machine is
no fault of the program. The wire time is that of the same bytes at 8N1, 10 bits a byte.
"""

import json
import platform
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from drivers.serial_port import open_port
from drivers.virtual.firmware import Reply
from programmer.qa.pump_process import PumpProcess
from programmer.visit.line import PortLine
from programmer.visit.machine import Word
from programmer.visit.shell import VisitShell
from protocol.link import LinkTiming
from protocol.messages import GetStatus, KeepAlive, Message, Status
from protocol.session import Pairing, TabletKeys
from tests.bench import (
    DOCTOR,
    PSK,
    PUMP_PRIVATE,
    SERIAL,
    TABLET_ID,
    TABLET_PRIVATE,
    Bench,
    BenchLine,
    PumpEnd,
    dose,
    provision,
    public_x25519,
    stream,
)
from tests.protocol.make import LARGEST_STATUS

BAUD, BITS_A_BYTE = 115_200, 10
BAUDS = (9_600, 57_600, BAUD)
INTERROGATION_LIMIT, CONNECT_LIMIT, CHANGE_LIMIT = 210, 400, 760
LATE = 300
"""So many requests before make a session long: more than one byte can number."""
ROUNDS = 60


class LargestStatus:
    """A pump's firmware whose status report has every field at the value that takes the most bytes."""

    def __init__(self, firmware: Any) -> None:
        self._firmware = firmware

    def __getattr__(self, name: str) -> Any:
        return getattr(self._firmware, name)

    def step(self, *arguments: Any) -> tuple[Any, tuple[Any, ...]]:
        """As the firmware, but for the answer."""
        state, effects = self._firmware.step(*arguments)
        return state, tuple(map(_largest, effects))


def _largest(effect: Any) -> Any:
    if isinstance(effect, Reply) and isinstance(effect.message, Status):
        return replace(effect, message=LARGEST_STATUS)
    return effect


def interrogation_bytes(requests_before: int = 0) -> int:
    """Wire bytes of one interrogation both ways at maximal values, sealed, through both real connections.

    ``requests_before`` it were made in the same session.
    """
    bench = Bench()
    line = BenchLine(bench.pump, bench.pipe, stream("bench"))
    line.connect()
    bench.pump.host.firmware = LargestStatus(bench.pump.host.firmware)  # type: ignore[assignment]
    for _ in range(requests_before):
        line.exchange(KeepAlive())
    before = sum(bench.pipe.offered.values())
    assert line.exchange(GetStatus()) == LARGEST_STATUS
    return sum(bench.pipe.offered.values()) - before


def connect_bytes() -> int:
    """Wire bytes from silence to an open session: wand, greeting, handshake."""
    bench = Bench()
    BenchLine(bench.pump, bench.pipe, stream("bench")).connect()
    return sum(bench.pipe.offered.values())


def introduction_bytes() -> int:
    """Wire bytes of the first presentation to a pump that has verified nothing: digest, tablet, digest, person."""
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(105_000))
    shell.check(DOCTOR)
    counts = counted(bench, shell)
    shell.sign_and_send(DOCTOR)
    assert shell.visit.word is Word.APPLIED
    return counts["Present"]


def digest_bytes() -> int:
    """Wire bytes of showing, in a new session, a credential that the pump has verified in an earlier one."""
    bench = Bench()
    for amount in (105_000, 115_000):
        shell = bench.shell()
        shell.read()
        shell.propose(dose(amount))
        shell.check(DOCTOR)
        counts = counted(bench, shell)
        shell.sign_and_send(DOCTOR)
        assert shell.visit.word is Word.APPLIED
        bench.power_off()
    return counts["Present"]


def counted(bench: Bench, shell: VisitShell) -> Counter[str]:
    """Wire bytes by kind of request, from now on."""
    counts: Counter[str] = Counter()
    ask = shell.desk.line.exchange

    def exchange(message: Message) -> Message:
        before = sum(bench.pipe.offered.values())
        answer = ask(message)
        counts[type(message).__name__] += sum(bench.pipe.offered.values()) - before
        return answer

    shell.desk.line.exchange = exchange  # type: ignore[method-assign]
    return counts


def change_bytes(requests_before: int = 0) -> tuple[int, int]:
    """Wire bytes of a dose change from STAGE to COMMITTED, without QUERY; and those of showing a credential.

    The limit is on the first. The credential is one that the pump has verified before: its digest stands for it, and
    within the session in which it was shown it is not shown again. ANCHOR before it is counted apart.
    ``requests_before`` it were made in the same session: it must not cost more late than early.
    """
    bench = Bench()
    shell = bench.shell()
    shell.read()
    shell.propose(dose(105_000))
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)  # the pump has verified the credentials once
    shell.read()
    shell.propose(dose(115_000))
    for _ in range(requests_before):
        shell.desk.line.exchange(KeepAlive())
    counts = counted(bench, shell)
    shell.check(DOCTOR)
    shell.sign_and_send(DOCTOR)
    assert shell.visit.word is Word.APPLIED
    assert set(counts) - {"Present"} == {"Anchor", "StageProgram", "ReadBack", "Commit"}
    counts.pop("Anchor")
    present = counts.pop("Present", 0)
    return sum(counts.values()), present


def wire_s(count: int, baud: int = BAUD) -> float:
    """Seconds that these bytes take on the wire."""
    return count * BITS_A_BYTE / baud


@dataclass(frozen=True)
class Row:
    """One line of the table: bytes both ways, and their limit (None: not counted)."""

    name: str
    size: int
    limit: int | None

    def told(self) -> str:
        """The line: bytes, limit, and pure wire times in milliseconds."""
        limit = "not counted" if self.limit is None else f"limit {self.limit}"
        times = "".join(f"{wire_s(self.size, baud) * 1e3:11.1f}" for baud in BAUDS)
        return f"{self.name:52} {self.size:5} {limit:>12} {times}"


def rows() -> list[Row]:
    """The table of wire costs, early and late in a long session."""
    (early_change, _), (late_change, _) = change_bytes(), change_bytes(LATE)
    return [
        Row("interrogation, maximal values, early in a session", interrogation_bytes(), INTERROGATION_LIMIT),
        Row("interrogation, maximal values, late in a session", interrogation_bytes(LATE), INTERROGATION_LIMIT),
        Row("cold connect: wand, greeting, handshake", connect_bytes(), CONNECT_LIMIT),
        Row("dose change, STAGE to COMMITTED, early in a session", early_change, CHANGE_LIMIT),
        Row("dose change, STAGE to COMMITTED, late in a session", late_change, CHANGE_LIMIT),
        Row("first presentation of credentials to a pump", introduction_bytes(), None),
        Row("presentation in a later session, by digest", digest_bytes(), None),
    ]


class Counted:
    """A port that counts the bytes that pass it."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def read(self, timeout_s: float) -> bytes:
        """See ``Port.read``."""
        data: bytes = self._port.read(timeout_s)
        self.count += len(data)
        return data

    def write(self, data: bytes) -> None:
        """See ``Port.write``."""
        self._port.write(data)
        self.count += len(data)


@dataclass(frozen=True)
class Times:
    """Medians over many interrogations, in seconds, and the wire time of one."""

    rounds: int
    size: int
    median_s: float

    @property
    def ratio(self) -> float:
        """Measured time over wire time."""
        return self.median_s / wire_s(self.size)


def over_a_pty(rounds: int = ROUNDS) -> Times:
    """Interrogations of a virtual pump process over a pseudo terminal, end to end: both programs and the kernel."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "provision.json"
        file.write_text(provision().model_dump_json(by_alias=True))
        with PumpProcess.start(file, Path(folder) / "state.json") as pump:
            port = Counted(open_port(pump.wand))
            line = PortLine(
                port,
                TabletKeys(TABLET_ID, TABLET_PRIVATE),
                {SERIAL: Pairing(SERIAL, public_x25519(PUMP_PRIVATE), PSK)},
                LinkTiming(None),
                lambda: time.monotonic_ns() // 1_000_000,
                stream(str(time.time_ns())),
            )
            try:
                line.connect()
                line.exchange(GetStatus())
                before, taken = port.count, []
                for _ in range(rounds):
                    start = time.perf_counter()
                    line.exchange(GetStatus())
                    taken.append(time.perf_counter() - start)
                return Times(rounds, (port.count - before) // rounds, median(taken))
            finally:
                line.close()


def on_the_host(rounds: int = ROUNDS) -> Times:
    """The tablet's share alone: encode, seal and frame the request, then unframe, open and decode the answer."""
    bench = Bench()
    line = BenchLine(PumpEnd(bench.clock), bench.pipe, stream("bench"))
    line.connect()
    host, core, taken, size = line.pump.host, line.connection, [], 0
    for _ in range(rounds):
        now = line.clock.ms
        start = time.perf_counter()
        core.request(GetStatus(), now)
        out = core.data_to_send()
        middle = time.perf_counter()
        answer = host.feed(out, now)
        again = time.perf_counter()
        core.receive_data(answer, now)
        taken.append(middle - start + time.perf_counter() - again)
        size = len(out) + len(answer)
    return Times(rounds, size, median(taken))


def main() -> None:
    """Print each figure beside its limit, then the same as one JSON line."""
    table = rows()
    bauds = "".join(f"{baud:>11,}" for baud in BAUDS)
    print(f"{'wire costs, both ways (8N1: 10 bits a byte)':52} {'bytes':>5} {'':>12} {bauds} baud, ms")
    for row in table:
        print(row.told())
    pty, host = over_a_pty(), on_the_host()
    for label, found in (("over a pty, end to end", pty), ("tablet's share alone", host)):
        print(
            f"interrogation {label:23} {found.median_s * 1e3:6.2f} ms   {found.ratio:5.2f} x its wire time of "
            f"{wire_s(found.size) * 1e3:.2f} ms ({found.size} bytes at {BAUD:,} baud, median of {found.rounds})"
        )
    print("times have no limit: they are ratios within this run")
    figures = {
        "bytes": {row.name: row.size for row in table},
        "host_ratio": round(host.ratio, 3),
        "machine": platform.machine(),
        "pty_ratio": round(pty.ratio, 3),
        "python": platform.python_version(),
    }
    print(json.dumps(figures, sort_keys=True))


if __name__ == "__main__":
    main()
