"""Quantities on the command line: one number by the rule of the number field, one blank, the unit exactly.

Nothing is rounded, cut or repaired. Source: ISMP list of error-prone dose designations; Generic Infusion Pump safety
requirements 2.2 and 3.2.
"""

from fractions import Fraction
from typing import Final

from programmer.clinical.entry import EntryProfile, Outcome, Reason, judge, reason_sentence
from programmer.clinical.library import POPULATIONS, DrugLibrary

_LIMITS: Final = frozenset({Reason.E_BELOW_HARD_MIN, Reason.E_ABOVE_HARD_MAX, Reason.E_ZERO})
_EXAMPLES: Final = {"mcg/day": "115", "mL": "4.6", "mcg/mL": "500"}


class NotAQuantity(Exception):
    """The text is no quantity in the unit that is asked for."""

    exit_code = 2


class OutOfLimits(Exception):
    """A well-formed quantity that no limit allows."""

    exit_code = 1


def dose_field(library: DrugLibrary) -> EntryProfile:
    """The field of a daily dose, as wide as the widest row of the library; the patient's own row judges later."""
    rows = [library.limit("dose_high", population) for population in POPULATIONS]
    hard = max(row.hard_high for row in rows if row.hard_high is not None)
    return EntryProfile.of(
        "mcg/day", int_digits=4, decimals=1, hard_min=0, soft_min=0, soft_max=hard, hard_max=hard, base_per_unit=1_000
    )


def volume_field(largest_ml: Fraction, *, zero_allowed: bool) -> EntryProfile:
    """The field of a syringe volume, to 0.1 mL."""
    return EntryProfile.of(
        "mL",
        int_digits=2,
        decimals=1,
        hard_min=0,
        soft_min=0,
        soft_max=largest_ml,
        hard_max=largest_ml,
        base_per_unit=1_000_000,
        zero_allowed=zero_allowed,
    )


def strength_field() -> EntryProfile:
    """The field of a drug strength."""
    return EntryProfile.of(
        "mcg/mL", int_digits=4, decimals=1, hard_min=0, soft_min=0, soft_max=9_999, hard_max=9_999, base_per_unit=1_000
    )


def quantity(option: str, text: str, field: EntryProfile) -> Fraction:
    """The exact value of ``text`` in the field's unit.

    Raises:
        NotAQuantity: another unit, or no number of this field.
        OutOfLimits: zero, or beyond the field's limits.
    """
    shown = "".join(char if char.isprintable() else "?" for char in text)[:40]
    number, _, unit = text.partition(" ")
    if unit != field.unit:
        raise NotAQuantity(
            f"{option} '{shown}': write the number, one blank and the unit {field.unit}, as in "
            f"'{_EXAMPLES[field.unit]} {field.unit}'. Nothing was sent."
        )
    result = judge(field, number)
    if result.outcome is Outcome.REJECT or result.base_value is None:
        assert result.reason is not None
        kind = OutOfLimits if result.reason in _LIMITS else NotAQuantity
        raise kind(f"{option} '{shown}': {reason_sentence(result.reason, field)} Nothing was sent.")
    return Fraction(result.base_value, field.base_per_unit)
