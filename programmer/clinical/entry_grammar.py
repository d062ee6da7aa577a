"""The grammar of a number that a person keys: one text, exactly one answer, nothing repaired.

A dose or volume field accepts ``0`` or a digit string without leading zero, optionally one point and decimals
of which the last is not 0; ASCII only, no sign, exponent, grouping, unit or blank. Every other text is
refused with the *first* reason of a fixed order. A value never passes through binary floating point: the
digits go straight to an integer in base units.

Source: Thimbleby and Cairns 2010 (10.1098/rsif.2010.0112) on number entry errors; ISMP list of error-prone
dose designations; Generic Infusion Pump safety requirements 2.2 and 3.2.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Outcome(StrEnum):
    """What became of an entry. ``EDITING`` means that nobody has confirmed or left it yet."""

    ACCEPT = "ACCEPT"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"
    ACCEPT_ONCE = "ACCEPT_ONCE"
    LOCKED = "LOCKED"
    ALERT_IDLE = "ALERT_IDLE"
    CLEARED = "CLEARED"
    CANCELLED = "CANCELLED"
    EDITING = "EDITING"


class Reason(StrEnum):
    """Why an entry is answered as it is: the text reasons in their order, then the reasons of events."""

    E_EMPTY = "E_EMPTY"
    E_CONTROL = "E_CONTROL"
    E_NON_ASCII = "E_NON_ASCII"
    E_SPACE = "E_SPACE"
    E_GROUPING = "E_GROUPING"
    E_EXPONENT = "E_EXPONENT"
    E_LETTER = "E_LETTER"
    E_SIGN = "E_SIGN"
    E_SYMBOL = "E_SYMBOL"
    E_TWO_POINTS = "E_TWO_POINTS"
    E_NAKED_POINT = "E_NAKED_POINT"
    E_DANGLING_POINT = "E_DANGLING_POINT"
    E_LEADING_ZERO = "E_LEADING_ZERO"
    E_TOO_LONG = "E_TOO_LONG"
    E_PRECISION = "E_PRECISION"
    E_TRAILING_ZERO = "E_TRAILING_ZERO"
    E_ZERO = "E_ZERO"
    E_BELOW_HARD_MIN = "E_BELOW_HARD_MIN"
    E_ABOVE_HARD_MAX = "E_ABOVE_HARD_MAX"
    W_BELOW_SOFT_MIN = "W_BELOW_SOFT_MIN"
    W_ABOVE_SOFT_MAX = "W_ABOVE_SOFT_MAX"
    OK = "OK"
    E_BOUNCE = "E_BOUNCE"
    E_PASTE = "E_PASTE"
    E_CURSOR = "E_CURSOR"
    E_TIMEOUT = "E_TIMEOUT"
    E_STALE_BASE = "E_STALE_BASE"
    E_ALARM_PENDING = "E_ALARM_PENDING"


REASON_TEXT: Final = MappingProxyType(
    {
        Reason.E_EMPTY: "Nothing is keyed: key a number first.",
        Reason.E_CONTROL: "A control character came in: ERASE it and key digits.",
        Reason.E_NON_ASCII: "That character is not a plain digit: ERASE it and key 0 to 9.",
        Reason.E_SPACE: "A blank is not part of a number: ERASE it.",
        Reason.E_GROUPING: "No comma or other separator: ERASE it and use a point.",
        Reason.E_EXPONENT: "No exponent: ERASE it and key the number in full.",
        Reason.E_LETTER: "A letter is not part of a number: ERASE it, the unit stands already.",
        Reason.E_SIGN: "No plus or minus sign: ERASE it.",
        Reason.E_SYMBOL: "That sign is not part of a number: ERASE it.",
        Reason.E_TWO_POINTS: "Two points: ERASE one and check the number.",
        Reason.E_NAKED_POINT: "Key a digit before the point, as in 0.5.",
        Reason.E_DANGLING_POINT: "Key a digit after the point, or ERASE the point.",
        Reason.E_LEADING_ZERO: "A zero stands in front: press CLEAR and key the number without it.",
        Reason.E_TOO_LONG: "At most {int_digits} digits before the point: ERASE and check the number.",
        Reason.E_PRECISION: "At most {decimals} digits after the point: ERASE, nothing is rounded.",
        Reason.E_TRAILING_ZERO: "No zero at the end after the point: ERASE it.",
        Reason.E_ZERO: "Zero is not a value here: to stop the pump use its own page.",
        Reason.E_BELOW_HARD_MIN: "Under the least possible {hard_min} {unit}: key a higher number.",
        Reason.E_ABOVE_HARD_MAX: "Over the highest possible {hard_max} {unit}: key a lower number.",
        Reason.W_BELOW_SOFT_MIN: "Under {soft_min} {unit}: give a reason, or change the number.",
        Reason.W_ABOVE_SOFT_MAX: "Over {soft_max} {unit}: give a reason, or change the number.",
        Reason.OK: "Inside the limits.",
        Reason.E_BOUNCE: "A key came too fast: ERASE the marked digit and key it again.",
        Reason.E_PASTE: "Pasted text never becomes a number: ERASE the mark and key the digits.",
        Reason.E_CURSOR: "Arrow keys do not work here: ERASE the mark and go on.",
        Reason.E_TIMEOUT: "Ten minutes without a key: the entry was discarded. Unlock and key it again.",
        Reason.E_STALE_BASE: "The pump's program changed meanwhile: read the pump, then enter again.",
        Reason.E_ALARM_PENDING: "A new HIGH alarm: look at it first (F4), then confirm.",
    }
)


class EntryError(ValueError):
    """The entry machinery was asked for something that it cannot do; the sentence says what to do."""


class UnknownProfile(EntryError):
    """No entry profile has that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no entry profile {name!r}. Use one of: {', '.join(known)}.")


class BadProfile(EntryError):
    """An entry profile contradicts itself."""


def _exact(value: Fraction | int | str) -> Fraction:
    if isinstance(value, str) and not re.fullmatch(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", value):
        raise BadProfile(f"The limit {value!r} is not a plain decimal number: write it as 0.5 or 1200.")
    return Fraction(value)


def decimal_text(value: Fraction) -> str:
    """Exact decimal text of ``value`` >= 0, or its ratio ``n/d`` where no finite decimal exists."""
    rest, places = value.denominator, 0
    while rest % 2 == 0 or rest % 5 == 0:
        rest //= 10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5
        places += 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(value.numerator * 10**places // value.denominator).rjust(places + 1, "0")
    whole, fraction = (digits, "") if places == 0 else (digits[:-places], digits[-places:].rstrip("0"))
    return f"{whole}.{fraction}" if fraction else whole


@dataclass(frozen=True, slots=True)
class EntryProfile:
    """What one field takes: its unit, its size, its limits (all inside) and its exact base unit.

    ``hard_min`` to ``hard_max`` are in ``unit``; ``base_per_unit`` base units make one ``unit`` and must hold
    every decimal the field allows exactly. ``zero_allowed`` is for a measured volume, which may be 0; a dose
    field never has it. Raises ``BadProfile``.
    """

    unit: str
    int_digits: int
    decimals: int
    hard_min: Fraction
    soft_min: Fraction
    soft_max: Fraction
    hard_max: Fraction
    base_per_unit: int
    zero_allowed: bool = False

    def __post_init__(self) -> None:
        if self.int_digits < 1 or self.decimals < 0:
            raise BadProfile("An entry field needs at least one digit before the point.")
        if not 0 <= self.hard_min <= self.soft_min <= self.soft_max <= self.hard_max:
            raise BadProfile("The limits must rise: hard minimum, soft minimum, soft maximum, hard maximum.")
        if self.base_per_unit < 1 or self.base_per_unit % 10**self.decimals:
            raise BadProfile("The base unit cannot hold the decimals of the field: allow fewer decimals.")

    @classmethod
    def of(
        cls,
        unit: str,
        *,
        int_digits: int,
        decimals: int,
        hard_min: Fraction | int | str,
        soft_min: Fraction | int | str,
        soft_max: Fraction | int | str,
        hard_max: Fraction | int | str,
        base_per_unit: int,
        zero_allowed: bool = False,
    ) -> "EntryProfile":
        """A profile from exact limits given as integers, ratios or plain decimal text."""
        limits = (_exact(hard_min), _exact(soft_min), _exact(soft_max), _exact(hard_max))
        return cls(unit, int_digits, decimals, *limits, base_per_unit, zero_allowed)


@dataclass(frozen=True, slots=True)
class EntryResult:
    """The answer to an entry. ``value`` is the text as keyed, ``base_value`` its exact integer."""

    outcome: Outcome
    reason: Reason | None = None
    value: str | None = None
    base_value: int | None = None


class _ProfileRow(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    unit: str
    int_digits: int
    decimals: int
    hard_min: str
    soft_min: str
    soft_max: str
    hard_max: str
    base_unit: str
    base_per_unit: int


class _ProfileFile(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")
    profiles: dict[str, _ProfileRow] = Field(min_length=1)


@cache
def fixture_profiles() -> MappingProxyType[str, EntryProfile]:
    """The named profiles of the conformance cases. Their limits are test fixtures, not clinical advice."""
    text = resources.files(__package__).joinpath("data/entry-profiles.toml").read_text(encoding="utf-8")
    rows = _ProfileFile.model_validate(tomllib.loads(text)).profiles
    return MappingProxyType({n: EntryProfile.of(**row.model_dump(exclude={"base_unit"})) for n, row in rows.items()})


def profile_named(name: str) -> EntryProfile:
    """The fixture profile of that name. Raises ``UnknownProfile``."""
    profiles = fixture_profiles()
    if name not in profiles:
        raise UnknownProfile(name, tuple(profiles))
    return profiles[name]


_CHARACTERS: Final = (
    (Reason.E_CONTROL, re.compile(r"[\x00-\x1f\x7f-\x9f]")),
    (Reason.E_NON_ASCII, re.compile(r"[^\x00-\x9f]")),
    (Reason.E_SPACE, re.compile(r" ")),
    (Reason.E_GROUPING, re.compile(r"[,_']")),
    (Reason.E_EXPONENT, re.compile(r"\A[+-]?[0-9.]+[eE][+-]?[0-9]*\Z")),
    (Reason.E_LETTER, re.compile(r"[A-Za-z]")),
    (Reason.E_SIGN, re.compile(r"[+-]")),
    (Reason.E_SYMBOL, re.compile(r"[^0-9.]")),
    (Reason.E_TWO_POINTS, re.compile(r"\..*\.")),
    (Reason.E_NAKED_POINT, re.compile(r"\A\.")),
    (Reason.E_DANGLING_POINT, re.compile(r"\.\Z")),
    (Reason.E_LEADING_ZERO, re.compile(r"\A0[0-9]")),
)


def form_reason(profile: EntryProfile, text: str) -> Reason | None:
    """The first reason for which ``text`` is not a well-formed number of this field; None if it is one."""
    if not text:
        return Reason.E_EMPTY
    for reason, pattern in _CHARACTERS:
        if pattern.search(text):
            return reason
    whole, _, fraction = text.partition(".")
    if len(whole) > profile.int_digits:
        return Reason.E_TOO_LONG
    if len(fraction) > profile.decimals:
        return Reason.E_PRECISION
    if fraction.endswith("0"):
        return Reason.E_TRAILING_ZERO
    return None


_CURED_BY_GOING_ON: Final = (Reason.E_EMPTY, Reason.E_DANGLING_POINT, Reason.E_TRAILING_ZERO)


def lock_reason_of(profile: EntryProfile, text: str) -> Reason | None:
    """Why no further key can make ``text`` a well-formed number; None while one still can."""
    reason = form_reason(profile, text)
    if reason not in _CURED_BY_GOING_ON:
        return reason
    if reason is Reason.E_EMPTY:
        return None
    whole, _, fraction = text.partition(".")
    if len(fraction) >= profile.decimals:
        return reason
    return form_reason(profile, f"{whole}.{fraction}1")


def base_units(profile: EntryProfile, text: str) -> int:
    """The exact integer in base units of a well-formed ``text``."""
    whole, _, fraction = text.partition(".")
    scale: int = 10 ** len(fraction)
    return int(whole + fraction) * (profile.base_per_unit // scale)


def judge(profile: EntryProfile, text: str) -> EntryResult:
    """The one answer of the rule to ``text`` as the whole content of the field when it is confirmed."""
    bad = form_reason(profile, text)
    if bad is not None:
        return EntryResult(Outcome.REJECT, bad)
    base = base_units(profile, text)
    if base == 0 and not profile.zero_allowed:
        return EntryResult(Outcome.REJECT, Reason.E_ZERO)
    value = Fraction(base, profile.base_per_unit)
    if value < profile.hard_min:
        return EntryResult(Outcome.REJECT, Reason.E_BELOW_HARD_MIN)
    if value > profile.hard_max:
        return EntryResult(Outcome.REJECT, Reason.E_ABOVE_HARD_MAX)
    if value < profile.soft_min:
        return EntryResult(Outcome.CONFIRM, Reason.W_BELOW_SOFT_MIN, text, base)
    if value > profile.soft_max:
        return EntryResult(Outcome.CONFIRM, Reason.W_ABOVE_SOFT_MAX, text, base)
    return EntryResult(Outcome.ACCEPT, Reason.OK, text, base)


def reason_sentence(reason: Reason, profile: EntryProfile) -> str:
    """What the person should do about ``reason``, in one sentence with this field's own figures."""
    return REASON_TEXT[reason].format(
        unit=profile.unit,
        int_digits=profile.int_digits,
        decimals=profile.decimals,
        hard_min=decimal_text(profile.hard_min),
        soft_min=decimal_text(profile.soft_min),
        soft_max=decimal_text(profile.soft_max),
        hard_max=decimal_text(profile.hard_max),
    )
