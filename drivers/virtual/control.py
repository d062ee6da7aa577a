"""The control channel's words: one JSON object a line in, one out. Never on the wand's line.

{"op": "status"}                                      the truth: both reservoirs, program, alarms, events
{"op": "advance", "days": 20} or {"seconds": 60}      let the pump's clock jump ahead
{"op": "fault", "id": "F-L02", "when": "rx:COMMITTED", "byte": 17}
{"op": "fault", "id": "F-L12"}                        unplug at once
{"op": "fault", "id": "F-M05", "gain_ppm": 25000}
{"op": "clear"}                                       disarm, mend the line, gain 0
{"op": "needle", "withdraw_nl": null, "inject_nl": 20000000}    hands at the port (null: all);
                                                      "conc_ng_ml" when the vial is not the program's strength
{"op": "wand", "strength": 0}                         lift the wand; 3 and more is a contact, 5 the best
{"op": "presence"}                                    somebody present lets a tablet be paired, for two minutes
{"op": "save"}                                        write the state file now
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from drivers.virtual.accumulator import DAY_MS
from drivers.virtual.faults import FaultError, arm
from drivers.virtual.host import VirtualPumpHost
from drivers.virtual.physics import PPM, PhysicsError
from drivers.virtual.pump import Gain, Needle

_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")
TEN_YEARS_S = 10 * 366 * 86_400


class ControlError(ValueError):
    """The line is no command of the control channel; the sentence says what is wrong."""


class _Status(BaseModel):
    model_config = _STRICT
    op: Literal["status"]


class _Advance(BaseModel):
    model_config = _STRICT
    op: Literal["advance"]
    seconds: int | None = Field(default=None, ge=0, le=TEN_YEARS_S)
    days: int | None = Field(default=None, ge=0, le=TEN_YEARS_S // 86_400)

    @model_validator(mode="after")
    def _one(self) -> _Advance:
        if (self.seconds is None) == (self.days is None):
            raise ValueError("give either seconds or days")
        return self

    @property
    def ms(self) -> int:
        """The span in ms."""
        return (self.days or 0) * DAY_MS + (self.seconds or 0) * 1000


class _Fault(BaseModel):
    model_config = _STRICT
    op: Literal["fault"]
    id: str
    when: str | None = None
    byte: int = 0
    gain_ppm: int | None = Field(default=None, ge=-PPM, le=10 * PPM)


class _Clear(BaseModel):
    model_config = _STRICT
    op: Literal["clear"]


class _Needle(BaseModel):
    model_config = _STRICT
    op: Literal["needle"]
    withdraw_nl: int | None = Field(default=None, ge=0)
    inject_nl: int = Field(ge=0, le=0xFFFF_FFFF)
    conc_ng_ml: int | None = Field(default=None, ge=0, le=0xFFFF_FFFF)


class _Wand(BaseModel):
    model_config = _STRICT
    op: Literal["wand"]
    strength: int = Field(ge=0, le=5)


class _Presence(BaseModel):
    model_config = _STRICT
    op: Literal["presence"]


class _Save(BaseModel):
    model_config = _STRICT
    op: Literal["save"]


_Command = Annotated[
    _Status | _Advance | _Fault | _Clear | _Needle | _Wand | _Presence | _Save, Field(discriminator="op")
]
_ADAPTER: TypeAdapter[_Status | _Advance | _Fault | _Clear | _Needle | _Wand | _Presence | _Save] = TypeAdapter(
    _Command
)


def obey(host: VirtualPumpHost, line: bytes, now_ms: int) -> dict[str, object]:
    """Carry out one line. Raises ControlError; nothing has happened then."""
    try:
        command = _ADAPTER.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        raise ControlError(f"no such command: {first['msg']}") from error
    try:
        match command:
            case _Status():
                return host.truth(now_ms)
            case _Advance():
                host.advance(command.ms, now_ms)
            case _Fault():
                _plant(host, command, now_ms)
            case _Clear():
                host.fault, host.dead = None, False
                host.act(Gain(0), now_ms)
            case _Needle():
                host.act(Needle(command.withdraw_nl, command.inject_nl, command.conc_ng_ml), now_ms)
            case _Wand():
                host.place(command.strength, now_ms)
            case _Presence():
                host.press(now_ms)
            case _Save():
                pass  # the server saves after every command
    except (FaultError, PhysicsError) as error:
        raise ControlError(str(error)) from error
    return {}


def _plant(host: VirtualPumpHost, command: _Fault, now_ms: int) -> None:
    if command.id == "F-M05":
        if command.gain_ppm is None or command.when is not None:
            raise FaultError("F-M05 takes effect at once and needs gain_ppm")
        host.act(Gain(command.gain_ppm), now_ms)
        host.fired.append(command.id)
    elif command.id == "F-L12" and command.when is None:
        host.unplugged = True
        host.fired.append(command.id)
    else:
        host.fault = arm(command.id, command.when or "", command.byte)
