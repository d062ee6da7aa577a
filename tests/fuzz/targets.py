"""What is fuzzed, and what must hold whatever comes in.

A target takes an input and gives a short outcome, which tells kinds of behaviour apart; it raises ``Broken`` where a
promise does not hold. Any other exception that comes out of a target is a find as well: errors of the project's own
trees are caught where a caller must expect them, and nowhere else.
"""

from collections.abc import Callable, Sequence
from functools import cache
from random import Random
from typing import Any

from drivers.virtual.eventlog import CAPACITY
from drivers.virtual.host import LONGEST_PIECE, VirtualPumpHost
from protocol import messages
from protocol.connection import TabletConnection
from protocol.errors import ProtocolError
from protocol.events import Received, SessionEnded
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import Address, Kind, address_type
from protocol.messages import Commit, decode_message
from protocol.session import SLOTS, SessionKind
from tests.fuzz import mutate, scene
from tests.fuzz.parsers import (
    FRAME_BUFFER,
    Target,
    chosen,
    clear_seeds,
    frame_seeds,
    handshake_starts,
    message_seeds,
    must,
    recordings,
    run_cbor,
    run_clear,
    run_frames,
    run_handshake,
    run_message,
)
from tests.fuzz.scene import NOW_MS, Ends, copied

PUMP_DATA = address_type(Address.PUMP, Kind.DATA)
PUMP_REPLY = address_type(Address.PUMP, Kind.DATA_REPLY)


# Streams at the two connections


def _bounded(decoder: FrameDecoder) -> None:
    must(decoder.pending <= FRAME_BUFFER, "a connection holds at most one frame")


def tablet_starts() -> list[tuple[TabletConnection, list[bytes]]]:
    """The tablet before each answer of each session, and the answers that would follow."""
    return [
        (ends.tablet, recording.stream("<")[number:])
        for recording in recordings()
        for number, ends in enumerate(recording.before_answer)
    ]


def pump_starts() -> list[tuple[VirtualPumpHost, list[bytes]]]:
    """The pump before each request of each session, and the requests that would follow."""
    return [
        (ends.host, recording.stream(">")[number:])
        for recording in recordings()
        for number, ends in enumerate(recording.before_frame)
    ]


starts_of_tablet = cache(tablet_starts)
starts_of_pump = cache(pump_starts)


def stream_seeds(starts: Callable[[], Sequence[tuple[Any, list[bytes]]]]) -> list[bytes]:
    """The genuine rest of a session after each start; the first byte says which start."""
    return [bytes([number]) + b"".join(rest) for number, (_, rest) in enumerate(starts())]


def behind_first(change: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """Alter what follows the first byte, seldom that byte."""

    def altered(rng: Random, data: bytes) -> bytes:
        first = data[:1] or b"\x00"
        return (rng.randbytes(1) if rng.randrange(20) == 0 else first) + change(rng, data[1:])

    return altered


def run_tablet(data: bytes) -> str:
    """The tablet's end: typed events, whole and byte by byte the same, nothing but the answer it waits for counts."""
    (start, _), stream = chosen(data, starts_of_tablet())
    whole, single = copied(start), copied(start)
    for end in (whole, single):
        end.data_to_send()
    events = whole.receive_data(stream, NOW_MS)
    again = []
    for value in stream:
        again += single.receive_data(bytes([value]), NOW_MS)
        _bounded(single._decoder)
    must(again == events, "the same events whole and byte by byte")
    must(single.phase == whole.phase, "the same phase whole and byte by byte")
    must(single.data_to_send() == whole.data_to_send(), "the same bytes to send whole and byte by byte")
    return _told(events) or f"quiet {whole.phase.name} {min(whole.discarded, 2)}"


def run_connection(data: bytes) -> str:
    """The pump's end of the wire alone: greeting, handshake and frames, whole and byte by byte the same."""
    (host, _), stream = chosen(data, starts_of_pump())
    start = host._connection
    whole, single = copied(start), copied(start)
    events = whole.receive_data(stream, NOW_MS)
    again = []
    for value in stream:
        again += single.receive_data(bytes([value]), NOW_MS)
        _bounded(single._decoder)
    must(again == events, "the same events whole and byte by byte")
    must(single.data_to_send() == whole.data_to_send(), "the same answers whole and byte by byte")
    return _told(events) or "quiet"


def _told(events: Sequence[Any]) -> str:
    names = []
    for event in events:
        extra = ""
        if isinstance(event, SessionEnded):
            extra = event.reason.name
        elif isinstance(event, Received):
            extra = type(event.message).__name__
        names.append(type(event).__name__ + extra)
    return " ".join(names[:4])


# The whole firmware


def therapy(host: VirtualPumpHost) -> tuple[Any, ...]:
    """What no garbage may change: the record, the counter, an emergency act, who is paired."""
    state = host.state
    return state.record, state.participant.memory.epoch, state.override, state.paired


def _within(host: VirtualPumpHost) -> None:
    must(len(host._partial) <= LONGEST_PIECE, "the pump's line buffer is bounded")
    _bounded(host._decoder)
    _bounded(host._connection._decoder)
    must(len(host.state.log.entries) <= CAPACITY, "the pump's log is a ring")
    must(len(host._tablets) <= SLOTS and len(host.state.uses) <= CAPACITY, "the pump's lists are bounded")


@cache
def genuine_commit() -> bytes:
    """The stuffed frame that puts the recorded change in force."""
    recording = scene.routine()
    first = recording.before_frame[0].host.state.participant.memory.epoch
    number = next(n for n, e in enumerate(recording.before_frame) if e.host.state.participant.memory.epoch > first)
    return recording.stream(">")[number - 1].strip(b"\x00")


def run_pump(data: bytes) -> str:
    """Bytes into the whole pump: typed, bounded, whole and byte by byte the same, therapy unchanged by garbage."""
    (start, _), stream = chosen(data, starts_of_pump())
    before = therapy(start)
    whole, single = copied(start), copied(start)
    out = whole.feed(stream, NOW_MS)
    _within(whole)
    again = b""
    for value in stream:
        again += single.feed(bytes([value]), NOW_MS)
        _within(single)
    must(again == out, "the pump answers the same whole and byte by byte")
    must(single.state == whole.state, "the pump's state is the same whole and byte by byte")
    changed = therapy(whole) != before
    if changed:
        must(genuine_commit() in stream.split(b"\x00"), "only a genuine order changes therapy")
        record, epoch, override, paired = therapy(whole)
        must(record.program.dose_ng_per_day == scene.DOSE_AFTER, "the change is the one that was ordered")
        must((epoch, override, paired) == (before[1] + 1, *before[2:]), "exactly one change")
    answered = [item for item in FrameDecoder().feed(out) if isinstance(item, Frame)]
    kinds = "".join(f"{item.address_type:02x}" for item in answered[:4])
    session = "open" if whole._connection.in_session else "shut"
    return f"{kinds} {session} {'CHANGED' if changed else ''}".strip()


# Sealed well, but with any content


def request_starts() -> list[tuple[Ends, list[bytes]]]:
    """Both ends with a session open before each request, and the plaintexts that would follow."""
    return [
        (ends, recording.requests[number:])
        for recording in recordings()
        for number, ends in enumerate(recording.before_request)
    ]


def answer_starts() -> list[tuple[Ends, list[bytes]]]:
    """Both ends with a request on its way, and the plaintext of the genuine answer."""
    return [
        (ends, [plain])
        for recording in recordings()
        if recording.answers
        for ends, plain in zip(recording.before_answer[-len(recording.answers) :], recording.answers, strict=True)
    ]


starts_of_request = cache(request_starts)
starts_of_answer = cache(answer_starts)


def packed_seeds(starts: Callable[[], Sequence[tuple[Any, list[bytes]]]]) -> list[bytes]:
    """The genuine rest of a session after each start, as plaintexts."""
    return [bytes([number]) + mutate.packed(rest) for number, (_, rest) in enumerate(starts())]


def run_orders(data: bytes) -> str:
    """A tablet that holds the keys and says anything: the pump answers each request or ends the session, and without
    the genuine signed order therapy stays; from a card session delivery is never above the signed program."""
    (start, _), rest = chosen(data, starts_of_request())
    ends: Ends = copied(start)
    host, before = ends.host, therapy(start.host)
    sending, receiving = ends.tablet._sending, ends.tablet._receiving
    assert sending is not None
    assert receiving is not None
    told = []
    signed = False
    for plain in mutate.unpacked(rest)[:24]:
        seq = sending.seq
        out = host.feed(encode_frame(Frame(PUMP_DATA, seq, sending.seal(PUMP_DATA, plain[:232]))), NOW_MS)
        _within(host)
        signed = signed or _is_genuine(plain)
        if not out:
            told.append("no answer")
            break
        (frame,) = FrameDecoder().feed(out)
        assert isinstance(frame, Frame)
        must((frame.address_type, frame.seq) == (PUMP_REPLY, seq), "the pump answers the request")
        number, answer = decode_message(receiving.open(PUMP_REPLY, frame.payload))
        must(number == decode_message(plain)[0] and not answer.REQUEST, "the answer names its request")
        reasons = getattr(answer, "reasons", ())
        told.append(reasons[0].name if reasons else type(answer).__name__)
        if isinstance(answer, messages.Committed):
            sending.rekey()
            receiving.rekey()
        if isinstance(answer, messages.Closed):
            break
    session = start.host.state.session
    by_card = session is not None and session.kind is SessionKind.BREAK_GLASS
    record, epoch, override, _ = therapy(host)
    if signed and (record, epoch) != before[:2]:
        must(record.program.dose_ng_per_day == scene.DOSE_AFTER, "the change is the one that was signed")
    else:
        must((record, epoch) == before[:2], "only the genuine signature changes the program")
    must(override == before[2] or by_card or session is None, "an emergency act needs the card")
    running = host.firmware.running(host.state)
    must(running.dose_ng_per_day <= record.program.dose_ng_per_day, "never above the signed program")
    return " ".join(told[:3]) or "nothing asked"


def _is_genuine(plain: bytes) -> bool:
    genuine = next(message for _, message in scene.routine().asked if isinstance(message, Commit))
    try:
        return decode_message(plain)[1] == genuine
    except ProtocolError:
        return False


def run_answers(data: bytes) -> str:
    """A pump that holds the keys and says anything: the tablet reports the answer or ends the session."""
    (start, _), rest = chosen(data, starts_of_answer())
    ends: Ends = copied(start)
    sealing = ends.tablet._receiving  # the same key and nonce with which the pump would seal
    assert sealing is not None
    plain = (mutate.unpacked(rest) or [b""])[0][:232]
    seq = sealing.seq
    sealed = copied(sealing).seal(PUMP_REPLY, plain)
    events = ends.tablet.receive_data(encode_frame(Frame(PUMP_REPLY, seq, sealed)), NOW_MS)
    must(len(events) >= 1, "an authentic answer is reported, or ends the session")
    must(isinstance(events[0], Received | SessionEnded), "an answer or an end")
    return _told(events)


TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("frames", run_frames, frame_seeds, mutate.frames),
        Target("cbor", run_cbor, message_seeds, mutate.blind),
        Target("messages", run_message, message_seeds, mutate.blind),
        Target("clear", run_clear, clear_seeds, mutate.blind),
        Target("handshake", run_handshake, lambda: stream_seeds(handshake_starts), behind_first(mutate.blind)),
        Target("tablet", run_tablet, lambda: stream_seeds(starts_of_tablet), behind_first(mutate.frames)),
        Target("connection", run_connection, lambda: stream_seeds(starts_of_pump), behind_first(mutate.frames)),
        Target("pump", run_pump, lambda: stream_seeds(starts_of_pump), behind_first(mutate.frames)),
        Target("orders", run_orders, lambda: packed_seeds(starts_of_request), behind_first(mutate.plaintexts)),
        Target("answers", run_answers, lambda: packed_seeds(starts_of_answer), behind_first(mutate.plaintexts)),
    )
}
