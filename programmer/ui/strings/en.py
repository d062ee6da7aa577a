"""English strings of the interface."""

from typing import Final

LABEL: Final = "not a cleared medical device; for simulation, training and research"
SIMULATED: Final = "[[ SIMULATED ]]"
REAL: Final = "<< REAL PUMP >>"
LOCK: Final = "LOCK"
LOCK_KEY: Final = "F9"
NO_PATIENT: Final = "no patient opened"
NO_USER: Final = "nobody signed in"
CLEAR: Final = "CLEAR"
ERASE: Final = "ERASE"
LOCKED_PREFIX: Final = "LOCKED  "
PASTE_MARK: Final = "‹PASTE›"
CARET_MARK: Final = "‹ARROW›"
BLANK_FIELD: Final = "key a number"
IDLE_ALERT: Final = "Five minutes without a key: go on, or the entry is discarded at ten."
HOLD_CANCELLED: Final = "Not sent: the button was released before 1.5 s. Hold it until the bar is full."
HOLD_HINT: Final = "hold 1.5 s"
SECRET_BLANK: Final = "key the secret"
TOO_SMALL: Final = (
    "WINDOW TOO SMALL",
    "This window is {width} x {height}; at least 80 x 24 is needed.",
    "Enlarge it: the visit goes on, nothing was lost.",
    "Numbers are never cut or wrapped, so no page is shown.",
)
NOT_AVAILABLE: Final = "Not available now."
LEAVE_FIELD: Final = "Left. Nothing was changed. The pump still runs {running}."
