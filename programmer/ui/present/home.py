"""Views outside the dose and refill paths: unlock, connect, identity, status, alarms, audit."""

from collections.abc import Sequence

from programmer.audit.log import Entry
from programmer.clinical import display
from programmer.clinical.alarms import ALARMS, worst_first
from programmer.identity.roles import Allowed, check
from programmer.ui.model import Model
from programmer.ui.present.frame import age_words, role_words
from programmer.ui.present.views import (
    ActionView,
    AlarmLine,
    AlarmsView,
    AuditView,
    CardView,
    Line,
    PickView,
    Priority,
    StatusView,
    TileView,
    Tone,
    UnlockView,
)
from programmer.ui.present.wrap import NARROW, wrapped
from programmer.visit.consistency import alarm_reached, contradictions, delivers
from programmer.visit.history import mcg, ml, pump_day
from programmer.visit.planning import plan_of
from programmer.visit.tablet import SOFTWARE
from programmer.visit.unfinished import NotWritten, Unfinished
from protocol.messages import Alarm, Discrepancy, Mode

MODE_WORDS = {
    Mode.SIMPLE: "RUNNING, simple",
    Mode.STOPPED: "STOPPED, no drug",
    Mode.MINIMUM_RATE: "MINIMUM RATE",
    Mode.SAFE_STATE: "SAFE STATE",
}


def unlock(
    model: Model, waiting: Sequence[Unfinished], injected: Sequence[NotWritten] = (), message: str = ""
) -> UnlockView:
    """Who are you; the clinic's unfinished visits first, without patient data."""
    notices = [Line(f"!  UNFINISHED  pump {item.serial}: read it first", Tone.BAD) for item in waiting]
    notices += [Line(f"!  REFILL NOT WRITTEN  pump {item.serial}", Tone.BAD) for item in injected]
    if model.tablet.journal.torn is not None:
        notices.append(Line("!  A SAVED STEP WAS CUT OFF: read the pump", Tone.BAD))
    notices += [line for hint in model.hints for line in wrapped(hint, Tone.NOTE, NARROW)]
    library = model.tablet.library
    users = tuple(TileView(user.id, user.name, role_words(user.role)) for user in model.tablet.identity.users())
    realm = "[[ SIMULATED CLINIC ]]  " if model.tablet.simulated else ""
    return UnlockView(
        f"{realm}WHO ARE YOU?   software {SOFTWARE}   library {library.version}",
        users,
        tuple(notices),
        Line(message, Tone.BAD) if message else None,
    )


def connect(virtual: Sequence[str], real: Sequence[tuple[str, str]], problem: str = "", busy: str = "") -> PickView:
    """Ports to choose from; virtual wands apart from real ones."""
    lines = [Line("Hold the wand over the pump, then pick its port.")]
    if problem:
        lines += wrapped(problem, Tone.BAD)
    if busy:
        lines.append(Line(busy, Tone.NOTE))
    tiles = [TileView(f"v{n}", url, "[[ SIMULATED ]] wand") for n, url in enumerate(virtual)]
    tiles += [TileView(f"r{n}", url, f"serial adapter  {label}") for n, (url, label) in enumerate(real)]
    if not tiles:
        lines.append(Line("No port found. Plug the wand in, then RESCAN.", Tone.NOTE))
    actions = (ActionView("back", "BACK  Esc"), ActionView("rescan", "RESCAN  R"))
    return PickView("CONNECT   pick the wand", tuple(lines), tuple(tiles), actions)


def identity(model: Model) -> PickView:
    """Two identifiers and the pump's serial number against the chart; nothing is preset."""
    assert model.chart is not None
    assert model.shell is not None
    assert model.shell.opened is not None
    chart = model.chart.chart
    lines = (
        Line("Ask the patient or the family, and compare with the chart:"),
        Line(""),
        Line(f"NAME            {chart.name}", Tone.STRONG),
        Line(f"DATE OF BIRTH   {chart.born}", Tone.STRONG),
        Line(f"RECORD          {chart.record}", Tone.STRONG),
        Line(f"PUMP            {model.shell.opened.pump.serial}, as in the chart", Tone.STRONG),
    )
    actions = (ActionView("other", "NOT THE SAME"), ActionView("same", "SAME PATIENT"))
    return PickView("IDENTITY   is this the patient?", lines, (), actions)


def _may(model: Model, action: str) -> str:
    """Why this person may not do it; blank where they may."""
    answer = check(model.signer.role, action, realm=model.tablet.clinic.realm)
    return "" if isinstance(answer, Allowed) else answer.reason.replace(f"The role {model.signer.role}", "Your role")


def running_dose(model: Model) -> str:
    """The dose of the last reading."""
    return display.mcg_per_day(mcg(model.known.dose_ng_per_day))


def status(model: Model) -> StatusView:
    """The home page of a visit."""
    now = model.known
    flow = ml(now.flow_nl_per_day)
    library = model.tablet.library
    plan = plan_of(now, flow, model.profile, library) if flow else None
    sounding = alarm_reached(now)
    dose = CardView(
        "DOSE",
        (
            Line(display.mcg_per_day(mcg(now.dose_ng_per_day)), Tone.DOSE),
            Line(MODE_WORDS[now.mode]),
            Line(display.mcg_per_ml(mcg(now.concentration_ng_per_ml))),
            Line(display.ml_per_day(flow)),
        ),
    )
    volume = f"{display.ml_syringe(ml(now.reservoir_nl))} of {display.ml_syringe(ml(now.capacity_nl))}"
    alarm = "alarm is ON now" if sounding else f"alarm  {display.day(plan.alarm_nominal)}" if plan else "alarm  never"
    reservoir = CardView(
        "RESERVOIR",
        (
            Line(volume, Tone.DOSE),
            Line("computed only"),
            Line(alarm),
            Line(f"low?   {display.day(plan.low_guarded)}" if plan else ""),
        ),
    )
    battery = CardView(
        "BATTERY",
        (
            Line(f"{(1000 - now.battery_used_permille) // 10} % left, computed", Tone.STRONG),
            Line(f"{now.battery_mv} mV"),
            Line("indicator RAISED" if now.alarms & Alarm.ERI else "indicator not raised"),
            Line(""),
        ),
    )
    lines = []
    if plan is not None and not sounding:
        reserve = display.ml_syringe(model.profile.reserve_ml)
        lines.append(
            Line(
                f"TRUE VOLUME  may reach {reserve}: {display.day(plan.low_guarded)}; the alarm will NOT sound then",
                Tone.NOTE,
            )
        )
    if plan is not None:
        by = f"at the latest {display.day(plan.refill_by)}" if plan.refill_by else str(plan.not_computable)
        lines.append(Line(f"NEXT REFILL  {by}"))
    difference = round_s(now.pump_time_s - int(model.now.timestamp()) + (model.age_s or 0))
    lines.append(Line(f"PUMP CLOCK   {difference}.   EVENTS  {now.events_next - now.events_first} in the pump's log"))
    lines += [line for text in contradictions(now) for line in wrapped(f"CONTRADICTION  {text}", Tone.BAD)]
    if model.visit.injected:
        lines.append(Line("REFILL NOT WRITTEN: drug went in that the pump does not know. Record it now.", Tone.BAD))
    since = f"DOSE SINCE   {display.day(pump_day(now.since_s))}"
    word = model.visit.word
    lines.append(Line(since) if word is None else Line(f"{since}.   LAST CHANGE  {word.value}", Tone.STRONG))
    if model.shell is not None and model.shell.not_saved:
        lines += wrapped(model.shell.not_saved, Tone.BAD)
    return StatusView((dose, reservoir, battery), tuple(lines), _status_actions(model))


def round_s(seconds: int) -> str:
    """A clock difference in words."""
    if abs(seconds) <= 1:
        return "agrees with this tablet"
    return f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} this tablet"


def _status_actions(model: Model) -> tuple[ActionView, ...]:
    not_dose = _may(model, "program")
    not_refill = _may(model, "refill")
    unchecked = "" if model.identified else "Check the patient's identity first."
    if contradictions(model.known):
        unchecked = unchecked or "The pump's report contradicts itself: read again, do not program, report it."
    halted = "" if delivers(model.known) else "The pump does not give its program: the therapy-gap rule comes first."
    not_dose = not_dose or halted
    return (
        ActionView("read", "READ PUMP  R"),
        ActionView("dose", "CHANGE DOSE  D", not (not_dose or unchecked), not_dose or unchecked),
        ActionView("refill", "RECORD REFILL  W", not (not_refill or unchecked), not_refill or unchecked),
        ActionView("alarms", "ALARMS  F4"),
        ActionView("audit", "AUDIT LOG"),
        ActionView("emergency", "EMERGENCY  F7"),
        ActionView("lock", "LOCK  F9"),
        ActionView("close", "CLOSE VISIT"),
    )


def alarms(model: Model) -> AlarmsView:
    """The list, highest first, with what to do and whom to call."""
    now = model.status
    lines = []
    for code in worst_first(model.alarm_codes()):
        row = ALARMS[code]
        text = row.text
        if code == "LOW_RESERVOIR" and now is not None:
            volume, limit = display.ml_syringe(ml(now.reservoir_nl)), display.ml_syringe(ml(now.alarm_nl))
            text = f"{volume}, limit {limit}, computed"
        bit = Alarm.__members__.get(code)
        silenced = bool(now and bit and now.silenced & bit)
        sound = "the pump's sound is paused" if silenced else "the pump sounds" if bit else "this tablet only"
        lines.append(
            AlarmLine(
                Priority(row.priority),
                code,
                text,
                "ACTIVE",
                f"{sound}; list {age_words(model)}",
                f"{row.now}. CALL {row.call}",
            )
        )
    return AlarmsView(
        f"ALARMS   list {age_words(model)}   {len(lines)} shown",
        tuple(lines),
        (
            ActionView("acknowledge", "ACKNOWLEDGE  K", bool(lines), "No alarm is active."),
            ActionView("silence", "PAUSE SOUND  S", bool(now and now.alarms), "The pump raises no alarm."),
            *_closing(model),
            ActionView("back", "BACK  Esc"),
        ),
    )


def _closing(model: Model) -> tuple[ActionView, ...]:
    """The way to decide an open discrepancy, for those who may."""
    if model.status is None or model.status.discrepancy is not Discrepancy.OPEN:
        return ()
    why = _may(model, "close-discrepancy") or ("" if model.identified else "Check the patient's identity first.")
    return (ActionView("decide", "DECIDE DISCREPANCY", not why, why),)


def audit(entries: Sequence[Entry], size: int, root: bytes, word: Line | None) -> AuditView:
    """The newest entries and the verifier's word; nothing here edits or deletes."""
    rows = []
    for entry in reversed(entries):
        actor = str(entry.content["actor"]["id"]).rsplit("/", 1)[-1]
        who = "this tablet" if entry.content["actor"]["role"] == "device" else actor
        rows.append(f"{entry.idx:>5}  {str(entry.content['utc'])[:19]}  {entry.type:<18} {who}  {_gist(entry)}")
    head = [Line(f"{size} entries, head {root.hex()[:16]}", Tone.STRONG)]
    if word is not None:
        head.append(word)
    actions = (ActionView("verify", "VERIFY"), ActionView("back", "BACK  Esc"))
    return AuditView("AUDIT LOG   newest first", tuple(head), tuple(rows), actions)


def _gist(entry: Entry) -> str:
    """The most telling word of an entry."""
    body = entry.body
    for key in ("verdict", "kind", "class", "name", "cause", "code"):
        if isinstance(body.get(key), str):
            return str(body[key])
    return ""
