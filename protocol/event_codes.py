"""Codes of the pump's event log, as they travel in a page of events."""

from enum import IntEnum


class EventCode(IntEnum):
    """What happened in the pump; the comment says what the argument of the entry is."""

    ALARM_RAISED = 1  # bit of Alarm
    ALARM_CLEARED = 2  # bit of Alarm
    ALARM_SILENCED = 3  # bit of Alarm
    ALARM_RESOUNDED = 4  # bit of Alarm
    SESSION_OPENED = 5  # 0
    SESSION_CLOSED = 6  # requests served
    SESSION_INTERRUPTED = 7  # requests served
    PROGRAM_IN_FORCE = 8  # epoch
    REFILL_IN_FORCE = 9  # epoch
    COMMAND_REFUSED = 10  # first reason, a number of Refusal
    STAGE_DROPPED = 11  # epoch that the proposal would have had
    RESET = 12  # number of resets so far
    SLOT_BAD = 13  # 0
    MEMORY_CRITICAL = 14  # 0
    BREAK_GLASS_OPENED = 15  # 0
    EMERGENCY_ACT = 16  # a number of EmergencyAct
    TABLET_PAIRED = 17  # tablets paired by presence so far
