"""The state file of a virtual pump: memory image, physics, alarms, log; one atomic file, mode 0600.

It names schema, model version, profile with digest, and seed; a file that does not fit is refused, never
converted. Every save replaces the whole file, so that memory and physics always belong together, and is
synchronised to the disk: a save for the sake of an answer is durable before the answer leaves.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drivers.virtual import nvm
from drivers.virtual.alarms import Active, AlarmBook
from drivers.virtual.eventlog import Entry, EventLog
from drivers.virtual.limits import Past
from drivers.virtual.physics_file import PhysicsFile
from drivers.virtual.profiles import Profile
from drivers.virtual.provision import Provision
from drivers.virtual.pump import Counters, PumpState, Use
from protocol.event_codes import EventCode
from protocol.messages import EmergencyAct, Mode
from protocol.participant import Memory, Participant
from protocol.session import PairedTablet

MODEL_VERSION = 4
_STRICT = ConfigDict(strict=True, frozen=True, extra="forbid")


class StateError(ValueError):
    """The state file cannot be used: take another file, or start afresh with a new name."""


class StateFile(BaseModel):
    """The file as it stands. `clock_ms` is the pump's clock at the save, `wall_ms` the host's."""

    model_config = _STRICT
    schema_: Literal[1] = Field(alias="schema")
    model_version: int
    profile: str
    profile_digest: str
    seed: int | None
    provision: Provision
    clock_ms: int
    wall_ms: int
    image: str
    staged: str | None
    physics: PhysicsFile
    alarms: list[tuple[str, int, int | None]]
    log_next: int
    log: list[tuple[int, int, int, int]]
    history: list[tuple[int, int]]
    interrupted: int
    resets: int
    slot_bad: bool
    stopped_ms: int | None
    hands: bool
    override: int | None = None
    uses: list[tuple[int, int, str, str, str]] = []
    paired: list[tuple[str, str, str]] = []

    def state(self, profile: Profile) -> PumpState:
        """The pump as it was saved, not yet booted."""
        image = b64decode(self.image, validate=True)
        if len(image) != nvm.IMAGE_SIZE:
            raise ValueError("the memory image has a wrong size")
        return PumpState(
            image=image,
            record=None,
            participant=Participant(memory=Memory()),
            physics=self.physics.build(profile.battery),
            alarms=AlarmBook(tuple(Active(*item) for item in self.alarms)),
            log=EventLog(
                tuple(Entry(seq, at, EventCode(code), value) for seq, at, code, value in self.log),
                self.log_next,
            ),
            history=tuple(Past(*item) for item in self.history),
            counters=Counters(self.interrupted, self.resets, self.slot_bad, self.stopped_ms),
            hands=self.hands,
            override=None if self.override is None else Mode(self.override),
            uses=tuple(
                Use(at, EmergencyAct(act) if act else None, name, reason, phone)
                for at, act, name, reason, phone in self.uses
            ),
            paired=tuple(PairedTablet(name, bytes.fromhex(key), bytes.fromhex(psk)) for name, key, psk in self.paired),
        )


def capture(
    state: PumpState, *, provision: Provision, profile: Profile, seed: int | None, clock_ms: int, wall_ms: int
) -> StateFile:
    """The file for a state."""
    proposal = state.participant.proposal
    return StateFile(
        schema=1,
        model_version=MODEL_VERSION,
        profile=profile.name,
        profile_digest=profile.digest.hex(),
        seed=seed,
        provision=provision,
        clock_ms=clock_ms,
        wall_ms=wall_ms,
        image=b64encode(state.image).decode(),
        staged=None if proposal is None else proposal.stage.txid.hex(),
        physics=PhysicsFile.of(state.physics),
        alarms=[(a.code, a.since_ms, a.silenced_until_ms) for a in state.alarms.active],
        log_next=state.log.next_seq,
        log=[(e.seq, e.at_ms, int(e.code), e.value) for e in state.log.entries],
        history=[(past.at_ms, past.dose_ng_day) for past in state.history],
        interrupted=state.counters.interrupted,
        resets=state.counters.resets,
        slot_bad=state.counters.slot_bad,
        stopped_ms=state.counters.stopped_ms,
        hands=state.hands,
        override=None if state.override is None else int(state.override),
        uses=[(u.at_ms, int(u.act or 0), u.name, u.reason, u.phone) for u in state.uses],
        paired=[(t.tablet_id, t.public.hex(), t.psk.hex()) for t in state.paired],
    )


def load(path: Path) -> StateFile | None:
    """Read a state file; None if there is none yet. Raises StateError."""
    try:
        return StateFile.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StateError(f"the state file {path} is damaged or of another kind; start with a new file") from error


def check(found: StateFile, *, profile: Profile, seed: int | None, serial: str) -> None:
    """Refuse a file that belongs to another model, profile, seed or pump. Raises StateError."""
    wants = {
        "model version": (found.model_version, MODEL_VERSION),
        "profile": (found.profile, profile.name),
        "profile data": (found.profile_digest, profile.digest.hex()),
        "seed": (found.seed, seed),
        "serial number": (found.provision.serial, serial),
    }
    for what, (has, want) in wants.items():
        if has != want:
            raise StateError(f"the state file has another {what} ({has} instead of {want}); use its own, or a new file")


def save(path: Path, file: StateFile) -> None:
    """Replace the file as a whole; it and its name are on the disk before this returns."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:
        out.write(file.model_dump_json(by_alias=True))
        out.flush()
        os.fsync(out.fileno())
    os.replace(fresh, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
