"""Views as the wireframes have them. The figures illustrate; they do not advise."""

from programmer.clinical.entry import EntryProfile
from programmer.ui.present.views import (
    ActionView,
    AlarmBarView,
    AlarmLine,
    AlarmsView,
    AuditView,
    CardView,
    DiffRow,
    EntryView,
    FrameView,
    HeaderView,
    LimitBarView,
    Line,
    LiveView,
    PageView,
    PickView,
    Priority,
    RefillView,
    ReviewView,
    SignView,
    StatusView,
    StepChartView,
    StepPoint,
    TileView,
    Tone,
    TransferStep,
    TransferView,
    UnlockView,
)
from programmer.ui.screens.base import FrameScreen
from programmer.ui.screens.keyed import EntryScreen
from programmer.ui.screens.pages import (
    AlarmsScreen,
    AuditScreen,
    PageScreen,
    PickScreen,
    ReviewScreen,
    StatusScreen,
    TransferScreen,
)
from programmer.ui.screens.refill import RefillScreen, step_title
from programmer.ui.screens.sign import SignScreen
from programmer.ui.screens.unlock import UnlockScreen

HEADER = HeaderView(
    connection="CONNECTED  ttyUSB0",
    coupling="coupling 4 of 5  ####.",
    reading="read 12:03:52, 38 s ago",
    pump="PUMP VP-000421",
    simulated=True,
    patient="S. SAMPLE  born 2016-05-02",
    record="000-TEST, identity checked",
    user="DR A. RIVERA",
    role="prescriber",
    clock="2026-11-23 12:04",
)
FRAME = FrameView(HEADER, AlarmBarView(sound="pump silent"), "F1 help  F4 alarms")
STALL = AlarmBarView(Priority.HIGH, "MOTOR STALLED", 1, 2, 0, "paused 96 s", "no drug flows")
ALARMED = FrameView(HEADER, STALL, "F1 help  F4 alarms")

DOSE = EntryProfile.of(
    "mcg/day",
    int_digits=4,
    decimals=1,
    hard_min=50,
    soft_min=80,
    soft_max=115,
    hard_max=130,
    base_per_unit=1000,
)
VOLUME = EntryProfile.of(
    "mL",
    int_digits=2,
    decimals=1,
    hard_min=0,
    soft_min=0,
    soft_max=25,
    hard_max="99.9",
    base_per_unit=1_000_000,
    zero_allowed=True,
)

LIVE = LiveView(
    (
        Line("One hundred fifteen micrograms a day"),
        Line("0.23 mL/day   ~4.8 mcg/h", Tone.STRONG),
        Line("+15 mcg/day   +15 %   x 1.15", Tone.STRONG),
        Line('OK  inside library "child 4-11" 2026-10', Tone.OK),
        Line("Alarm on Sun 2026-12-20 (Fri 2026-12-25)"),
        Line("May reach 2 mL Thu 2026-12-17, no alarm"),
        Line("(was Sun 2026-12-20)", roomy=True),
    ),
    LimitBarView("24", "1,200", 48, 90, 77, "115"),
)

UNLOCK = UnlockView(
    "WHO ARE YOU?   software 0.1.0   library 2026-10",
    (
        TileView("rivera", "Dr A. Rivera", "prescriber"),
        TileView("ito", "N. Ito", "refill nurse"),
        TileView("klein", "Dr B. Klein", "prescriber"),
        TileView("admin", "M. Admin", "administrator"),
    ),
    (
        Line("SIMULATION. Demo secrets stand in", Tone.NOTE),
        Line("the demo's own list.", Tone.NOTE, roomy=True),
    ),
)
CONNECT = PickView(
    "CONNECT   pick the wand",
    (Line("Real adapters: none configured."), Line("Virtual pumps, in a list apart:")),
    (
        TileView("p0", "socket://127.0.0.1:4001", "SIMULATED wand, demo"),
        TileView("p1", "pty", "SIMULATED wand, serial line"),
    ),
    (
        ActionView("back", "BACK  Esc"),
        ActionView("rescan", "RESCAN  R"),
        ActionView("connect", "CONNECT", False, "pick a wand"),
    ),
)
STATUS = StatusView(
    (
        CardView(
            "DOSE",
            (
                Line("100 mcg/day", Tone.DOSE),
                Line("RUNNING 500 mcg/mL"),
                Line("0.2 mL/day, simple"),
                Line("since Mon 2026-11-09"),
            ),
        ),
        CardView(
            "RESERVOIR",
            (
                Line("8.4 mL of 20 mL", Tone.DOSE),
                Line("computed"),
                Line("alarm  Fri 2026-12-25"),
                Line("low?   Sun 2026-12-20"),
            ),
        ),
        CardView(
            "BATTERY",
            (
                Line("STOPS about 2029-08", Tone.STRONG),
                Line("in 32 months"),
                Line("indicator not up"),
                Line("calculators agree"),
            ),
        ),
    ),
    (
        Line("TRUE VOLUME  may reach 2 mL: Sun 2026-12-20; the alarm will NOT sound then", Tone.NOTE),
        Line("NEXT REFILL  from Fri 2026-12-11, at the latest Fri 2026-12-18"),
        Line("PUMP CLOCK   9 s behind this tablet.   EVENTS  3 new, none lost"),
        Line("LAST VISIT   Mon 2026-11-09, Dr A. Rivera: 90 to 100 mcg/day"),
    ),
    tuple(
        ActionView(i, t)
        for i, t in (
            ("read", "READ PUMP"),
            ("dose", "CHANGE DOSE"),
            ("refill", "RECORD REFILL"),
            ("trends", "TRENDS"),
            ("alarms", "ALARMS  F4"),
            ("audit", "AUDIT"),
            ("emergency", "EMERGENCY F7"),
            ("close", "CLOSE VISIT"),
        )
    ),
)
DOSE_ENTRY = EntryView(
    "NEW DAILY DOSE, SIMPLE CONTINUOUS",
    (
        Line("Now in pump   100 mcg/day   0.2 mL/day", Tone.DOSE),
        Line("80 to 115 without question, 50 to 130 at"),
        Line("most today; library 24 to 1,200 mcg/day"),
    ),
    DOSE,
    "100 mcg/day",
    "CHECK WITH PUMP",
    live=LIVE.lines,
    bar=LIVE.bar,
)
CURVE = StepChartView(
    "mcg/h at the catheter tip  now 4.2, new 4.8",
    "mcg/h",
    -720,
    1440,
    (StepPoint(-720, 4167),),
    (StepPoint(0, 4792),),
    ((-720, "-12 h"), (0, "now"), (720, "+12 h"), (1440, "+24 h")),
    (("until now", "4.2 mcg/h"), ("from now on", "4.8 mcg/h")),
)
ROWS = (
    DiffRow("Daily dose", "100 mcg/day", "115 mcg/day", "+15 mcg/day, +15 %"),
    DiffRow("Flow", "0.2 mL/day", "0.23 mL/day", "+0.03 mL/day"),
    DiffRow("Alarm sounds on", "Fri 2026-12-25", "Sun 2026-12-20", "5 days earlier"),
    DiffRow("May reach 2 mL, silently", "Sun 2026-12-20", "Thu 2026-12-17", "3 days earlier"),
)
REVIEW = ReviewView(
    "REVIEW   NOT IN FORCE. The pump still runs 100 mcg/day.   102 s left",
    ROWS,
    (
        "From sending on, the pump gives 115 micrograms each 24 hours, evenly day and",
        "night: 15 more than now (15 % more). No other setting changes.",
    ),
    (
        Line("OK  pump's answer equals what was keyed", Tone.OK),
        Line("OK  pump's 24 h total: 115 mcg", Tone.OK),
        Line('OK  limits of library "child 4-11"', Tone.OK),
        Line("OK  step +15 % inside the 15 % band", Tone.OK),
        Line("!   refill date moves: tell the family", Tone.NOTE),
    ),
    (
        ActionView("back", "BACK, DROP"),
        ActionView("second", "SECOND READER", False, "not needed"),
        ActionView("sign", "SIGN 115 mcg/day"),
    ),
    CURVE,
    (DiffRow("Concentration", "500 mcg/mL", "500 mcg/mL", "same", changed=False),),
)
SIGN = SignView(
    "SIGN AND SEND",
    (
        Line("115 mcg/day in place of 100 mcg/day", Tone.DOSE),
        Line("signed by Dr A. Rivera, prescriber"),
    ),
    "SEND 115",
    DOSE,
)
TRANSFER = TransferView(
    "SENDING TO THE PUMP",
    (
        TransferStep("intent written to the log", "done", "12:07:38"),
        TransferStep("order sent", "done", "12:07:41"),
        TransferStep("pump's answer", "waiting, repeat 1 of 3", "12:07:42"),
    ),
)
TRANSFER_END = TransferView(
    "SENT",
    (*TRANSFER.steps[:2], TransferStep("pump's answer", "done", "12:07:43")),
    Line("APPLIED.  The pump gives 115 mcg/day since 12:07:43, read back.", Tone.OK),
    (Line("The new alarm date is Sun 2026-12-20."),),
    (ActionView("done", "GO ON"),),
)
VIAL = RefillView(
    1,
    "nothing sent",
    (Line("Which vial do you hold? Read lot and expiry from its label."),),
    (ActionView("back", "BACK  Esc"), ActionView("next", "GO ON", False, "pick the vial")),
    (
        TileView("v0", "500 mcg/mL   20 mL", "lot SIM-2201   expires 2027-08"),
        TileView("v1", "2,000 mcg/mL   20 mL", "lot SIM-2202   expires 2027-08"),
    ),
)
COMPARE = RefillView(
    3,
    "nothing sent",
    (
        Line("Expected     5 mL      20 mL on 2026-10-29 less 25 days at 0.6 mL/day"),
        Line("Withdrawn    4.6 mL    keyed by N. Ito at 12:09", Tone.DOSE),
        Line("Discrepancy  -0.4 mL   15.4 mL given for 15 mL programmed: ratio ~1.027"),
        Line("WITHIN                 ratio 0.855 to 1.145, discrepancy up to 2 mL", Tone.OK),
        Line(""),
        Line("A normal residual does not exclude a leak or a blocked catheter."),
    ),
    (
        ActionView("back", "BACK  Esc"),
        ActionView("ask", "ASK PRESCRIBER"),
        ActionView("accept", "ACCEPT, GO ON"),
    ),
)
INJECTED = EntryView(
    step_title(4, "nothing sent"),
    (Line("How much was injected into the pump?"), Line("Capacity 20 mL, withdrawn 4.6 mL", Tone.STRONG)),
    VOLUME,
    "5 mL by the pump's own figure",
    "GO ON",
    checks=(
        TileView("asp", "aspirated"),
        TileView("reasp", "again at 5 mL"),
    ),
)
WRITE = RefillView(
    5,
    "nothing sent",
    (Line("The pump will hold 20 mL; its program stays 100 mcg/day.", Tone.STRONG),),
    (
        ActionView("back", "BACK  Esc"),
        ActionView("raise", "RAISE TO 2.6 mL"),
        ActionView("sign", "SIGN, WRITE"),
    ),
    (),
    (
        DiffRow("Volume", "5 mL", "20 mL", "+15 mL"),
        DiffRow("Alarm sounds on", "Sun 2026-12-20", "Tue 2027-02-23", "65 days later"),
        DiffRow("May reach 2 mL, silently", "Sun 2026-12-13", "Thu 2027-02-11", "60 days later"),
    ),
)
ALARMS = AlarmsView(
    "ALARMS   list read 12 s ago   pump is sounding: yes, every 10 min   2 of 2",
    (
        AlarmLine(
            Priority.HIGH,
            "MOTOR_STALL",
            "no drug flows. Flow 0 mL/day, programmed 0.15 mL/day",
            "ACTIVE",
            "since pump 11:02:10, tablet 11:02:19, 1 h 12 min, not acknowledged",
            "MRI today? If not: EMERGENCY. Withdrawal watch. CALL prescriber",
        ),
        AlarmLine(
            Priority.MEDIUM,
            "LOW_RESERVOIR",
            "1.8 mL, limit 2 mL, computed",
            "ACTIVE",
            "since pump 2026-11-22 08:00:00, 1 day 4 h, acknowledged N. Ito 12:13",
            "refill today or tomorrow. CALL desk",
        ),
    ),
    (
        ActionView("back", "BACK  Esc"),
        ActionView("acknowledge", "ACKNOWLEDGE  K"),
        ActionView("silence", "PAUSE SOUND  S"),
    ),
)
AUDIT = AuditView(
    "AUDIT",
    (Line("VERIFIED  42 entries, head 7f3a19c2 at 12:06:18", Tone.OK),),
    tuple(f"{n:>4}  2026-11-23 12:0{n % 10}  rivera   DOSE_STAGED   115 mcg/day" for n in range(42, 32, -1)),
    (
        ActionView("back", "BACK  Esc"),
        ActionView("older", "OLDER"),
        ActionView("newer", "NEWER", False, "newest page"),
    ),
)
IN_DOUBT = PageView(
    Line("IN DOUBT since 12:07:41. The order was sent; no answer arrived.", Tone.BAD),
    (
        Line("The pump gives EITHER 100 mcg/day OR 115 mcg/day. Neither is confirmed.", Tone.DOSE),
        Line("12:07:38  order signed by Dr A. Rivera   115 mcg/day   kept in the journal"),
        Line("12:07:41  order sent, no answer          transaction 7f3a-19c2"),
        Line("12:07:43  three repeats, no answer       link lost: wand unplugged"),
        Line("DO NOW   1 plug the wand in   2 hold it over the pump   3 READ THE PUMP", Tone.STRONG),
        Line("If reading fails: stay with the patient, call the number on the card (F7)."),
        Line("Not possible until the pump was read: new dose, refill, other patient,"),
        Line("closing."),
    ),
    (
        ActionView("read", "READ THE PUMP"),
        ActionView("emergency", "EMERGENCY CARD  F7"),
        ActionView("frames", "SHOW JOURNAL"),
        ActionView("leave", "LEAVE IN DOUBT: signed"),
    ),
)
DONE = PageView(
    Line("DONE   115 mcg/day is in force, read back from the pump", Tone.OK),
    (Line("From 100 to 115 mcg/day by Dr A. Rivera at 12:07:43."), Line("Alarm on Sun 2026-12-20.")),
    (ActionView("status", "BACK TO STATUS"), ActionView("close", "CLOSE VISIT")),
)


def all_screens() -> dict[str, FrameScreen]:
    """A fresh screen of every kind."""
    return {
        "unlock": UnlockScreen(UNLOCK),
        "connect": PickScreen(CONNECT),
        "status": StatusScreen(STATUS),
        "dose": EntryScreen(DOSE_ENTRY),
        "review": ReviewScreen(REVIEW),
        "sign": SignScreen(SIGN),
        "transfer": TransferScreen(TRANSFER),
        "applied": TransferScreen(TRANSFER_END),
        "vial": RefillScreen(VIAL),
        "compare": RefillScreen(COMPARE),
        "injected": EntryScreen(INJECTED),
        "write": RefillScreen(WRITE),
        "alarms": AlarmsScreen(ALARMS),
        "audit": AuditScreen(AUDIT),
        "in_doubt": PageScreen(IN_DOUBT),
        "done": PageScreen(DONE),
    }
