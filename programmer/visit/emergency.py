"""Emergency access with the implant card: read, and the three acts that never raise delivery.

There is no person of the clinic in it and no order. The pump keeps who acted, why and under which phone number; the
tablet's log keeps that it was used, without that text, since no patient's key is open.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from programmer.audit.log import AuditLog, Draft, Signer
from programmer.visit.line import Opened, OtherRealm
from protocol.messages import (
    Close,
    Emergency,
    EmergencyAct,
    EmergencyDone,
    Events,
    GetEvents,
    GetStatus,
    Message,
    Refusal,
    Refused,
    Status,
)
from protocol.session import ImplantCard, SessionKind

EVENTS_SHOWN: Final = 8

WITHDRAWAL: Final = (
    "Without baclofen, withdrawal can begin within hours and can kill within days: itching, rising spasticity, fever, "
    "confusion. Give baclofen by mouth or by injection as the emergency plan says, and call the clinic that implanted "
    "the pump. The pump does not start again by itself."
)
NO_FULL_ACCESS: Final = (
    "Full programming by a clinic that the pump does not know is not offered. With the card the pump can be read, "
    "lowered, stopped, or brought back to its last signed program. For anything more call the clinic that implanted "
    "the pump, or have an administrator of this clinic pair this tablet at the patient, with the card."
)

WHY: Final = MappingProxyType(
    {
        Refusal.CONTACT_TOO_SHORT: "The wand has not been in place for 60 seconds. Hold it still and try again.",
        Refusal.TOO_OFTEN: "This was done twice within 24 hours already. Call the clinic that implanted the pump.",
        Refusal.GAP_TOO_LONG: (
            "Delivery ended more than 48 hours ago, or since when is not known: the old dose may be too much now. "
            "A prescriber must sign a new one. Treat withdrawal meanwhile, and call the clinic."
        ),
        Refusal.NOT_LOWER: "The pump gives no more than that already. Read the pump to see what it gives.",
        Refusal.SESSION_OVER: "Too many commands were refused: the pump has closed the session. Open it again.",
        Refusal.NOTHING_TO_RESUME: "The pump runs its last signed program: there is nothing to resume.",
        Refusal.SAFE_STATE: (
            "The pump has lost its program and cannot do this. Treat withdrawal, and call the clinic that implanted it."
        ),
    }
)


class ActRefused(Exception):
    """The pump refused an emergency act; nothing was changed."""

    exit_code = 1

    def __init__(self, reasons: tuple[Refusal, ...]) -> None:
        unknown = "The pump refused it. Read the pump, and call the clinic that implanted it."
        super().__init__(" ".join(dict.fromkeys(WHY.get(reason, unknown) for reason in reasons)))
        self.reasons = reasons


class OddAnswer(Exception):
    """The pump answered with something that does not belong to the question."""

    exit_code = 4

    def __init__(self, answer: Message) -> None:
        super().__init__(
            f"The pump answered {type(answer).__name__}, which does not belong to what was asked. What it did is not "
            "known. Read the pump again before anything else."
        )


class CardLine(Protocol):
    """What an emergency needs of a line."""

    def connect_with_card(self, card: ImplantCard, kind: SessionKind) -> Opened:
        """Open a session with the card; raises ``LineFault``."""

    def exchange(self, message: Message) -> Message:
        """Send one request and give its answer; raises ``LineLost``."""

    def close(self) -> None:
        """Give the port back."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, why, and under which number that person can be called back; the pump keeps it."""

    name: str
    reason: str
    phone: str


class EmergencyVisit:
    """One break-glass session."""

    def __init__(self, line: CardLine, card: ImplantCard, log: AuditLog, device: Signer) -> None:
        self._line, self._card, self._log, self._device = line, card, log, device
        self._asked = 0

    def open(self) -> Opened:
        """Open the session; raises ``LineFault``. It is logged before anything else is asked."""
        opened = self._line.connect_with_card(self._card, SessionKind.BREAK_GLASS)
        self._note("E1", "read")
        return opened

    def read(self) -> tuple[Status, Events]:
        """What the pump reports, and its last events. Raises ``LineFault`` or ``OddAnswer``."""
        status = self._ask(GetStatus())
        if not isinstance(status, Status):
            raise OddAnswer(status)
        if status.realm is not self._card.realm:
            raise OtherRealm
        events = self._ask(GetEvents(cursor=max(status.events_first, status.events_next - EVENTS_SHOWN)))
        if not isinstance(events, Events):
            raise OddAnswer(events)
        return status, events

    def act(self, act: EmergencyAct, operator: Operator) -> EmergencyDone:
        """Lower, stop or resume; the log has it before the pump is asked.

        Raises:
            ActRefused: the pump refused; nothing was changed.
            LineLost: no answer came: read the pump to learn what it does.
            OddAnswer: an answer of another kind.
        """
        self._note("E2", act.name.lower())
        message = Emergency(act=act, name=operator.name, reason=operator.reason, phone=operator.phone)
        answer = self._ask(message)
        if isinstance(answer, Refused):
            raise ActRefused(answer.reasons)
        if not isinstance(answer, EmergencyDone) or answer.act is not act:
            raise OddAnswer(answer)
        return answer

    def close(self) -> None:
        """End the session in form; the port is given back by its owner."""
        self._ask(Close(requests=self._asked + 1))

    def _ask(self, message: Message) -> Message:
        self._asked += 1
        return self._line.exchange(message)

    def _note(self, level: str, act: str) -> None:
        body = {"level": level, "act": act, "operator": None, "reason": None, "phone": None}
        self._log.append(Draft("emergency.used", body, self._device))
