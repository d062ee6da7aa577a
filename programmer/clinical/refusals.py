"""Refusals of the dosing arithmetic: one class, one table of codes with a sentence for each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "UNKNOWN_FUNCTION": "There is no such function; `programmer calc --list` names them all.",
        "BAD_INPUT": "This input is missing, malformed or not documented; correct it and ask again.",
        "OUT_OF_DOMAIN": "This input is well-formed but outside the range the function is defined for.",
        "TARGET_ABOVE_STOCK": "Dilution cannot strengthen: choose a stronger stock or a weaker target.",
        "LEAD_EXCEEDS_HORIZON": "The planned refill would lie before the fill: shorten the lead.",
        "STALL_EXCEEDS_SEGMENT": "The stall is longer than its segment: check the two times.",
        "EXPECTED_BELOW_ZERO": "The programme used more than was filled: the pump should be dry.",
        "WITHDRAWN_EXCEEDS_FILL": "More came out than went in: record both volumes with a cause.",
        "EXPECTED_EXCEEDS_FILL": "The expected residual is above the fill: check the fill and the history.",
        "NOTHING_PROGRAMMED": "Nothing was programmed since the fill, so there is no ratio.",
        "NO_RULE_FOR_PUMP": "No threshold is published for this reservoir size: use local protocol.",
        "ALARM_NOT_BELOW_RESERVOIR": "The alarm volume must be below the reservoir volume.",
        "REMOVED_EXCEEDS_LENGTH": "More catheter was removed than there was: check both lengths.",
        "FLOW_BELOW_MINIMUM": "The flow is below the least flow of the pump: use a weaker strength.",
        "FLOW_ABOVE_MAXIMUM": "The flow is above the greatest flow of the pump: check dose and strength.",
        "RATE_ABOVE_MAXIMUM": "The bolus is faster than the pump allows: give it over a longer time.",
        "TOO_MANY_STEPS": "The schedule has more steps than the pump holds: join steps.",
        "NOT_CONTIGUOUS": "The steps must follow one another from 00:00 to 24:00 without gap or overlap.",
        "NOT_AN_INCREASE": "The new dose is below the old one: use the rule for a decrease.",
        "NOT_A_DECREASE": "The new dose is above the old one: use the rule for an increase.",
        "BELOW_ONE_STROKE": "The dose is too small for one stroke of this pump.",
        "REPLACE_BY_INCONSISTENT": "The pump's own date cannot be right: show a fault, never the date.",
    }
)


class CalculationRefused(Exception):
    """A calculation that has no answer; never a measured fact that is refused.

    ``code`` is one of :data:`SENTENCES`; ``details`` are the values documented for the code,
    exact (``Fraction``, ``int``, ``date`` or text).
    """

    def __init__(self, code: str, **details: object) -> None:
        self.code = code
        self.details: Mapping[str, object] = MappingProxyType(details)
        self.sentence = SENTENCES[code]
        super().__init__(f"{code}: {self.sentence}")
