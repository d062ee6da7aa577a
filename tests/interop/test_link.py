"""Repeats, losses and forgeries on the line, and that the client stands on its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop import cbor, frames, orders
from tests.interop.bench import KNOWN, PRESCRIBER, TABLET_ID, TABLET_STATIC, Pump, running_pump, tablet_credential
from tests.interop.client import Client
from tests.interop.frames import DATA, PUMP, Frame
from tests.interop.line import LinkLost, Port, timeout_ms

FOREIGN = {"protocol", "drivers", "programmer"}


@pytest.fixture(scope="module")
def pump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pump]:
    with running_pump(tmp_path_factory.mktemp("pump"), "tcp:127.0.0.1:0") as running:
        yield running


@pytest.fixture
def client(pump: Pump) -> Iterator[Client]:
    with pump.client() as one:
        one.connect(KNOWN)
        yield one


class Losing:
    """A line that loses the next replies."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self.lose = 0

    def write(self, data: bytes) -> None:
        self._port.write(data)

    def read(self, seconds: float) -> bytes:
        data = self._port.read(seconds)
        if data and self.lose:
            self.lose -= 1
            return b""
        return data

    def close(self) -> None:
        self._port.close()


def test_a_lost_reply_is_asked_for_again_and_the_order_counts_once(pump: Pump, client: Client) -> None:
    line = Losing(client.link._port)
    client.link._port = line
    client.present(orders.TABLET, tablet_credential(TABLET_ID, TABLET_STATIC))
    client.present(orders.AUTHOR, PRESCRIBER.credential)
    one = client.stage(115_000)
    tell = client.tell

    def losing(name: str, expect: str, /, **body: object) -> dict[str, object]:
        line.lose = 3 if name == "COMMIT" else 0
        return tell(name, expect, **body)

    client.tell = losing  # type: ignore[method-assign]
    with client.link.brief(DATA, 150):
        done = client.commit(one, [PRESCRIBER], KNOWN.receipt_key)
    status = pump.control("status")
    assert (line.lose, done["epoch"], status["epoch"], status["dose_ng_per_day"]) == (0, 1, 1, 115_000)


def test_the_same_frame_gets_the_same_reply_and_executes_nothing(client: Client) -> None:
    client.status()
    wire = client.link.sent
    frame = frames.read(wire.strip(b"\0"))
    first, second = client.link.again(frame), client.link.again(frame)
    assert first == second
    assert client.status()["pump_time_s"] > 0
    with client.link.brief(DATA), pytest.raises(LinkLost):  # it is no longer the last request
        client.link.again(frame, wire)
    client.close()


def test_a_wrong_number_and_an_old_hello_have_no_effect(pump: Pump, client: Client) -> None:
    hello = frames.write(Frame(PUMP, frames.HELLO, 0xFE, client.greet(0)[0]))
    with client.link.brief(DATA), pytest.raises(LinkLost):
        client.link.request(Frame(PUMP, DATA, 77, bytes(40)))
    client.connect(KNOWN)
    client.status()
    with client.link.brief(DATA), pytest.raises(LinkLost):
        client.link.request(Frame(PUMP, DATA, 77, bytes(40)))
    assert client.link.again(Frame(PUMP, frames.HELLO, 0xFE, b""), hello) != b""  # not the last HELLO: a new greeting


def test_the_last_hello_once_more_does_not_disturb_the_session(client: Client) -> None:
    sent: list[bytes] = []
    request = client.link.request

    def kept(frame: Frame) -> bytes:
        answer = request(frame)
        if frame.kind == frames.HELLO:
            sent.append(client.link.sent)
        return answer

    client.link.request = kept  # type: ignore[method-assign]
    client.connect(KNOWN)
    client.status()
    with client.link.brief(frames.HELLO), pytest.raises(LinkLost):
        client.link.again(Frame(PUMP, frames.HELLO, 0xFE, b""), sent[-1])
    assert client.status()["staged"] is False
    client.close()


def test_a_forged_payload_ends_the_session_without_an_answer(client: Client) -> None:
    client.status()
    with client.link.brief(DATA), pytest.raises(LinkLost):
        client.link.request(Frame(PUMP, DATA, 1, bytes(40)))
    with client.link.brief(DATA), pytest.raises(LinkLost):
        client.status()
    client.connect(KNOWN)
    client.close()


def test_both_directions_take_new_keys_every_256_frames(client: Client) -> None:
    for _ in range(300):
        client.tell("KEEP_ALIVE", "ALIVE")
    assert client.status()["epoch"] in (0, 1)
    client.close()


# -- the small parts ----------------------------------------------------------------------------------------------


def test_the_example_of_section_1_and_stuffing_of_every_length() -> None:
    hello = Frame(PUMP, frames.HELLO, 0xFE, b"")
    assert frames.write(hello).hex(" ") == "07 12 fe 63 28 bd 37 00"
    for size in range(249):
        for fill in (b"\0", b"\1", b"\0\1\2"):
            frame = Frame(PUMP, DATA, 0, (fill * size)[:size])
            wire = frames.write(frame)
            assert 0 not in wire[:-1]
            assert len(wire) + 1 <= 258
            assert frames.read(wire[:-1]) == frame


def test_the_timeout_of_section_2() -> None:
    assert [timeout_ms(size, baud) for size, baud in ((258, 57_600), (40, 9_600), (100, None))] == [400, 650, 300]


@pytest.mark.parametrize(
    "data", ["1800", "5f", "a20100", "a2010001", "a201000100", "f6", "20", "fb", "c000", "818181818100", "6180", "0000"]
)
def test_what_is_not_canonical_is_refused(data: str) -> None:
    with pytest.raises(cbor.NotCanonical):
        cbor.decode(bytes.fromhex(data))


def test_the_client_stands_on_its_own() -> None:
    for path in sorted(Path(__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = {
                ast.Import: lambda node: [alias.name for alias in node.names],
                ast.ImportFrom: lambda node: [node.module or ""],
            }.get(type(node), lambda _: [])(node)
            assert not {name.partition(".")[0] for name in names} & FOREIGN, path.name
            assert all(not name.startswith("tests.") or name.startswith("tests.interop") for name in names), path.name
