"""What the journal holds of a change, and what is still open when the tablet starts.

Record types: ``staging`` (a proposal is about to leave), ``intent`` (COMMIT is about to leave), ``in-doubt``,
``committed``, ``aborted``, ``unresolved`` (verdicts of the pump), ``injected`` (drug is in the patient's pump, not yet
in its memory; a committed refill ends it) and ``closed`` (the log has it; nothing is open any more).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from protocol import cbor
from protocol.coordinator import State, Stored, Transaction
from protocol.messages import MESSAGES, Commit, Committed, Message, Stage, StageProgram, StageRefill

_STATE: dict[str, State] = {
    Stored.STAGING.value: State.DANGLING,
    Stored.INTENT.value: State.IN_DOUBT,
    Stored.IN_DOUBT.value: State.IN_DOUBT,
    Stored.COMMITTED.value: State.COMMITTED,
    Stored.ABORTED.value: State.ABORTED,
    Stored.UNRESOLVED.value: State.UNRESOLVED,
}


def pack(message: Message) -> str:
    """A message as text for the journal."""
    return cbor.encode([message.OP, message.to_wire()]).hex()


def unpack(text: str) -> Message:
    """The message of ``pack``."""
    value = cbor.decode(bytes.fromhex(text))
    assert isinstance(value, list)
    op, body = value
    assert isinstance(op, int)
    return MESSAGES[op].from_wire(body)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A change that the journal holds without its end: which pump, whose, where it stands."""

    transaction: Transaction
    serial: str
    patient: str
    kind: str
    was_ng_per_day: int
    started_utc: str
    author: str
    intent_logged: bool

    @property
    def now_ng_per_day(self) -> int:
        """The daily dose that the change would bring."""
        stage = self.transaction.stage
        return stage.program.dose_ng_per_day if isinstance(stage, StageProgram) else self.was_ng_per_day


def _stage(record: Mapping[str, object]) -> Stage:
    message = unpack(str(record["stage"]))
    assert isinstance(message, StageProgram | StageRefill)
    return message


def unfinished(records: Iterable[Mapping[str, object]]) -> list[Unfinished]:
    """Every change without a ``closed`` record, oldest first."""
    found: dict[str, Unfinished] = {}
    for record in records:
        txid, kind = str(record.get("txid", "")), str(record["type"])
        if kind == Stored.STAGING.value:
            found[txid] = Unfinished(
                Transaction(_stage(record), State.DANGLING),
                str(record["serial"]),
                str(record["patient"]),
                str(record["kind"]),
                int(str(record["was_ng_per_day"])),
                str(record["utc"]),
                str(record["author"]),
                False,
            )
        elif kind == "closed":
            found.pop(txid, None)
        elif kind in _STATE and txid in found:
            found[txid] = _advanced(found[txid], kind, record)
    return list(found.values())


def _advanced(known: Unfinished, kind: str, record: Mapping[str, object]) -> Unfinished:
    before = known.transaction
    commit = unpack(str(record["commit"])) if "commit" in record else before.commit
    committed = unpack(str(record["committed"])) if "committed" in record else before.committed
    assert commit is None or isinstance(commit, Commit)
    assert committed is None or isinstance(committed, Committed)
    transaction = Transaction(before.stage, _STATE[kind], commit=commit, committed=committed)
    return Unfinished(
        transaction,
        known.serial,
        known.patient,
        known.kind,
        known.was_ng_per_day,
        known.started_utc,
        known.author,
        known.intent_logged or kind == Stored.INTENT.value,
    )


@dataclass(frozen=True, slots=True)
class NotWritten:
    """Drug that is in a patient's pump while the pump's memory does not hold it yet."""

    serial: str
    patient: str
    since_utc: str


def not_written(records: Iterable[Mapping[str, object]]) -> list[NotWritten]:
    """Every injection after which no refill of the same pump was committed, oldest first, one for each pump."""
    waiting: dict[str, NotWritten] = {}
    refills: dict[str, str] = {}
    for record in records:
        match record["type"]:
            case "injected":
                serial = str(record["serial"])
                waiting.setdefault(serial, NotWritten(serial, str(record["patient"]), str(record["utc"])))
            case Stored.STAGING.value if isinstance(_stage(record), StageRefill):
                refills[str(record["txid"])] = str(record["serial"])
            case Stored.COMMITTED.value:
                waiting.pop(refills.get(str(record["txid"]), ""), None)
            case _:
                pass
    return list(waiting.values())


def open_records(records: Iterable[Mapping[str, object]]) -> list[Mapping[str, object]]:
    """The records of what is still open, in their order; all others may be forgotten."""
    every = list(records)
    open_changes = {item.transaction.txid.hex() for item in unfinished(every)}
    waiting = {(item.serial, item.since_utc) for item in not_written(every)}
    return [
        record
        for record in every
        if str(record.get("txid", "")) in open_changes
        or (record["type"] == "injected" and (str(record["serial"]), str(record["utc"])) in waiting)
    ]
