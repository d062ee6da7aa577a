"""The virtual wand adapter: answers who it is and how well it couples; relays pump frames unread, holds no keys."""

from __future__ import annotations

from protocol.errors import MalformedMessage
from protocol.framing import Frame
from protocol.link import REPLY_TO, Address, Kind, Repeat, Request, Secondary
from protocol.wand import Coupling, GetCoupling, Identify, Identity, WandMessage, decode_wand, encode_wand

MODEL = "VIRTUAL-WAND"
FIRMWARE = 1
STRENGTH = 5
BATTERY_PERCENT = 100


class VirtualWand:
    """The Secondary at the wand's address. `serial` is the adapter's, not the pump's."""

    def __init__(self, serial: str) -> None:
        self._serial = serial
        self.strength = STRENGTH
        self._link = Secondary(Address.WAND, handshake=False)

    def receive(self, frame: Frame, simulated_time_s: int) -> bytes:
        """Wire bytes of the answer to a frame; empty for a frame that is not for the wand."""
        taken = self._link.receive(frame)
        if isinstance(taken, Repeat):
            return taken.reply or b""
        if not isinstance(taken, Request):
            return b""
        try:
            answer = self._answer(decode_wand(taken.payload), simulated_time_s)
        except MalformedMessage:
            return b""
        if answer is None:
            return b""
        return self._link.reply(REPLY_TO[Kind(taken.kind)], taken.seq, encode_wand(answer))

    def _answer(self, message: WandMessage, simulated_time_s: int) -> WandMessage | None:
        if isinstance(message, Identify):
            return Identity(
                model=MODEL,
                serial=self._serial,
                firmware=FIRMWARE,
                virtual=True,
                simulated_time_s=simulated_time_s,
            )
        if isinstance(message, GetCoupling):
            return Coupling(strength=self.strength, battery_percent=BATTERY_PERCENT)
        return None
