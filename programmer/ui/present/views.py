"""Views of the frame and of the screens: finished texts and flags, nothing to compute.

A view is made by ``present`` functions from the visit's model and handed to a screen with ``show``. Every
number in it was already written by the one formatter; a screen never formats, parses or compares.
"""

from dataclasses import dataclass
from enum import StrEnum

from programmer.clinical.entry import EntryProfile


class Priority(StrEnum):
    """Alarm priority with its sign, so that colour is never alone."""

    NONE = ""
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"

    @property
    def stars(self) -> str:
        """The sign of the priority, as wide for each."""
        return {Priority.HIGH: "***", Priority.MEDIUM: "** ", Priority.LOW: "*  "}.get(self, "   ")


class Tone(StrEnum):
    """How a line is set apart, by word and place as well as by colour."""

    PLAIN = "plain"
    STRONG = "strong"
    DOSE = "dose"
    OK = "ok"
    NOTE = "note"
    BAD = "bad"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text. ``roomy`` lines are left out where the window is small."""

    text: str
    tone: Tone = Tone.PLAIN
    roomy: bool = False


@dataclass(frozen=True, slots=True)
class HeaderView:
    """The three rows above every screen. ``simulated`` is None while no pump is connected."""

    connection: str = "NOT CONNECTED"
    coupling: str = ""
    reading: str = "not read"
    pump: str = "no pump"
    simulated: bool | None = None
    patient: str = ""
    record: str = ""
    user: str = ""
    role: str = ""
    clock: str = ""


@dataclass(frozen=True, slots=True)
class AlarmBarView:
    """The worst alarm with what to do, and the counts."""

    priority: Priority = Priority.NONE
    text: str = "no active alarm"
    high: int = 0
    medium: int = 0
    low: int = 0
    sound: str = ""
    action: str = ""


@dataclass(frozen=True, slots=True)
class FrameView:
    """Header, alarm bar and the live keys of the footer."""

    header: HeaderView = HeaderView()
    alarm: AlarmBarView = AlarmBarView()
    keys: str = "F1 help  F4 alarms"


@dataclass(frozen=True, slots=True)
class ActionView:
    """A button. ``why`` is the reason in words where not ``enabled``; ``hold`` asks for a 1.5 s press."""

    id: str
    label: str
    enabled: bool = True
    why: str = ""
    hold: bool = False


@dataclass(frozen=True, slots=True)
class TileView:
    """One item of a list to pick from: two lines, never preselected."""

    id: str
    title: str
    detail: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class CardView:
    """A boxed group of lines under a title."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One parameter: in the pump, in the proposal as the pump reads it, and the change."""

    name: str
    old: str
    new: str
    change: str
    changed: bool = True


@dataclass(frozen=True, slots=True)
class StepPoint:
    """From ``at`` minutes on (relative to now) the value is ``value`` in thousandths of the unit."""

    at: int
    value: int


@dataclass(frozen=True, slots=True)
class StepChartView:
    """A step curve: given until now and new from now on. Values are integers in thousandths of ``unit``."""

    title: str
    unit: str
    start_min: int
    end_min: int
    old: tuple[StepPoint, ...]
    new: tuple[StepPoint, ...]
    ticks: tuple[tuple[int, str], ...]
    table: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LimitBarView:
    """Where a value lies: shares in thousandths of the bar, labels finished."""

    low_label: str
    high_label: str
    soft_from: int
    soft_to: int
    value: int | None = None
    value_label: str = ""


@dataclass(frozen=True, slots=True)
class UnlockView:
    """Who may sign in. Nobody is preselected."""

    title: str
    users: tuple[TileView, ...]
    notices: tuple[Line, ...] = ()
    message: Line | None = None
    actions: tuple[ActionView, ...] = ()


@dataclass(frozen=True, slots=True)
class PickView:
    """A page with lines, tiles to pick from and actions: connect, identity, causes, patients."""

    title: str
    lines: tuple[Line, ...] = ()
    tiles: tuple[TileView, ...] = ()
    actions: tuple[ActionView, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusView:
    """The home page of a visit."""

    cards: tuple[CardView, ...]
    lines: tuple[Line, ...]
    actions: tuple[ActionView, ...]


@dataclass(frozen=True, slots=True)
class EntryView:
    """A page with one number field: lines above, live lines below, the field's profile, two actions.

    ``running`` is the value that stays in force when the entry is left, in words.
    """

    title: str
    above: tuple[Line, ...]
    profile: EntryProfile
    running: str
    confirm_label: str
    back_label: str = "BACK  Esc"
    live: tuple[Line, ...] = ()
    bar: LimitBarView | None = None
    confirm_enabled: bool = True
    confirm_why: str = ""
    checks: tuple[TileView, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveView:
    """What stands beside the keyed text: words, flow, change, findings, dates."""

    lines: tuple[Line, ...]
    bar: LimitBarView | None = None


@dataclass(frozen=True, slots=True)
class ReviewView:
    """Old and new side by side from the pump's own read-back."""

    title: str
    rows: tuple[DiffRow, ...]
    sentence: tuple[str, ...]
    findings: tuple[Line, ...]
    actions: tuple[ActionView, ...]
    chart: StepChartView | None = None
    same_rows: tuple[DiffRow, ...] = ()


@dataclass(frozen=True, slots=True)
class SignView:
    """What is signed, by whom, and how it is sent. ``rekey`` is the field that can stand in for the hold."""

    title: str
    lines: tuple[Line, ...]
    send_label: str
    rekey: EntryProfile | None = None
    message: Line | None = None


@dataclass(frozen=True, slots=True)
class TransferStep:
    """One step of a transfer with its time and state in words."""

    text: str
    state: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class TransferView:
    """A transfer under way or ended. ``verdict`` is empty before the end."""

    title: str
    steps: tuple[TransferStep, ...]
    verdict: Line | None = None
    lines: tuple[Line, ...] = ()
    actions: tuple[ActionView, ...] = ()


@dataclass(frozen=True, slots=True)
class RefillView:
    """A page of the refill wizard without a number field: ``step`` counts from 1 to 5."""

    step: int
    nothing_sent: str
    lines: tuple[Line, ...]
    actions: tuple[ActionView, ...]
    tiles: tuple[TileView, ...] = ()
    rows: tuple[DiffRow, ...] = ()


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One alarm with value and limit, clocks, state, what to do now and whom to call."""

    priority: Priority
    code: str
    text: str
    state: str
    since: str
    now: str


@dataclass(frozen=True, slots=True)
class AlarmsView:
    """The alarm list, highest first, then newest."""

    title: str
    alarms: tuple[AlarmLine, ...]
    actions: tuple[ActionView, ...]
    empty: str = "No active alarm."


@dataclass(frozen=True, slots=True)
class AuditView:
    """A page of the log, newest first, with the verifier's word."""

    title: str
    head: tuple[Line, ...]
    rows: tuple[str, ...]
    actions: tuple[ActionView, ...]


@dataclass(frozen=True, slots=True)
class PageView:
    """A page of lines and actions: in doubt, recovery, done, errors."""

    title: Line
    lines: tuple[Line, ...]
    actions: tuple[ActionView, ...]
    wide_first: bool = False
