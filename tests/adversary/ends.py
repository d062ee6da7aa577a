"""The two connections joined by nothing but a function that may change a frame: for each kind of session."""

from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.connection import TabletConnection
from protocol.events import Event, Received, SessionOpened
from protocol.framing import Frame, FrameDecoder, encode_frame
from protocol.link import LinkTiming
from protocol.messages import Message
from protocol.responder import PumpConnection
from protocol.session import ImplantCard, PairedTablet, Pairing, PumpKeys, SessionKind, TabletKeys
from tests.adversary.world import Draw
from tests.virtual.clinic import TABLET, key, x_public

CARD = ImplantCard("VP-0007", x_public(key("pump static")), key("card"))
Change = Callable[[Frame], Frame | None]


def as_it_is(frame: Frame) -> Frame | None:
    return frame


@dataclass
class Ends:
    """A pump that answers each request with the same message, and a tablet."""

    answer: Callable[[Message], Message]
    kind: SessionKind = SessionKind.ROUTINE
    name: str = "1"
    change: Change = as_it_is
    now: int = 0
    tablet_events: list[Event] = field(default_factory=list)
    pump_events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        paired = {TABLET: PairedTablet(TABLET, x_public(key("tablet")), key("psk"))}
        keys = PumpKeys("VP-0007", key("pump static"), CARD.secret)
        self.pump = PumpConnection(keys, paired, Draw(f"pump {self.name}"))
        self.pump.pairing_open = True
        pairing = Pairing("VP-0007", x_public(key("pump static")), key("psk"))
        keys_of_tablet = TabletKeys(TABLET, key("tablet"))
        self.tablet = TabletConnection(keys_of_tablet, {"VP-0007": pairing}, LinkTiming(None), Draw(f"T {self.name}"))

    def begin(self) -> None:
        """Greet the pump at once, as if the wand had answered."""
        if self.kind is SessionKind.ROUTINE:
            self.tablet.connect(self.now)
        else:
            self.tablet.connect_with_card(CARD, self.kind, self.now)
        self.tablet._wand.cancel()
        self.tablet._ask_pump(self.now)

    def _changed(self, data: bytes) -> bytes:
        frames = [frame for frame in FrameDecoder().feed(data) if isinstance(frame, Frame)]
        return b"".join(encode_frame(made) for frame in frames if (made := self.change(frame)) is not None)

    def carry(self) -> bool:
        """What lies on the line to the pump, and its answers back; false when nothing lay there."""
        out = self.tablet.data_to_send()
        for event in self.pump.receive_data(self._changed(out), self.now):
            self.pump_events.append(event)
            if isinstance(event, Received):
                self.pump_events += self.pump.reply(self.answer(event.message))
        back = self._changed(self.pump.data_to_send())
        self.tablet_events += self.tablet.receive_data(back, self.now)
        return bool(out)

    def settle(self) -> None:
        """Until the line is quiet, waiting out every retry."""
        while self.carry() or self.tablet._pump.busy:
            due = self.tablet._pump.next_timeout()
            if due is not None and not self.tablet._pump._out:
                self.now = max(self.now, due)
                self.tablet_events += self.tablet.handle_timeout(self.now)

    def open(self) -> bool:
        """Whether the session opens."""
        self.begin()
        while self.carry():
            pass
        return any(isinstance(event, SessionOpened) for event in self.tablet_events)

    def ask(self, message: Message) -> None:
        """One exchange."""
        self.tablet.request(message, self.now)
        while self.carry():
            pass
