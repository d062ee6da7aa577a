"""Limit checks of a simple continuous dose: findings with a sentence, the worst first.

Only a changed value is judged, and no upper limit refuses an unchanged or lower value, because
patients arrive with them. Steps are judged against the last signed therapeutic dose as read from
the pump, not against stop, minimum rate or safe state. Limits are inclusive and compare exact values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from programmer.clinical import display
from programmer.clinical.library import DrugLibrary
from programmer.clinical.profiles import PumpProfile
from programmer.clinical.sentinels import decimal_shift, digit_transposition

ADVISORY, SOFT, HARD = "advisory", "soft", "hard"
_WORST_FIRST: Final = {HARD: 0, SOFT: 1, ADVISORY: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one limit check: ``value`` and ``limit`` in the unit of the limit."""

    code: str
    severity: str
    value: Fraction
    limit: Fraction
    basis: str
    sentence: str


@dataclass(frozen=True, slots=True)
class DoseContext:
    """What a new dose is judged against; None means not known, and never counts as 0.

    ``population`` and ``phase`` choose the rows; doses are mcg/day, the strength mcg/mL.
    ``last_therapeutic_mcg_per_day`` is the base of all steps; without it the running dose is, if it
    is above 0. ``start_rule_mcg_per_day`` is the start dose after the trial, used without a base.
    """

    population: str
    phase: str
    running_mcg_per_day: Fraction | None
    conc_mcg_per_ml: Fraction
    last_therapeutic_mcg_per_day: Fraction | None
    profile: PumpProfile
    library: DrugLibrary
    today: date
    hours_since_change: Fraction | None = None
    dose_24h_ago_mcg_per_day: Fraction | None = None
    dose_7d_ago_mcg_per_day: Fraction | None = None
    discrepancy_open: bool = False
    overdose_suspected: bool = False
    taper_signed: bool = False
    under_four: bool = False
    start_rule_mcg_per_day: Fraction | None = None

    @property
    def base_mcg_per_day(self) -> Fraction | None:
        """The dose that steps are judged against, or None if there is none."""
        for dose in (self.last_therapeutic_mcg_per_day, self.running_mcg_per_day):
            if dose:
                return dose
        return None


Check = Callable[[DoseContext, Fraction], Iterator[Finding]]


def _compared(base: Fraction, dose: Fraction, than: str = "now", of: str = "the present dose") -> str:
    """A new dose beside a base in words: percent more or less, from twice on the factor."""
    if dose >= 2 * base:
        return f"{display.times(dose / base)} {of}"
    change = (dose - base) / base * 100
    return f"{display.percent(abs(change))} {'more' if change > 0 else 'less'} than {than}"


def _beside(base: Fraction, dose: Fraction, past: str) -> str:
    return _compared(base, dose, past, past)


def _step(
    context: DoseContext, dose: Fraction, base: Fraction, row_id: str, codes: tuple[str, str], words: str
) -> Iterator[Finding]:
    """An increase in percent against one row; at most one finding, the harder one."""
    row = context.library.limit(row_id, context.population)
    change = (dose - base) / base * 100
    for bound, severity, code, advice in (
        (row.hard_high, HARD, codes[1], "Enter another dose; this one cannot be signed."),
        (row.soft_high, SOFT, codes[0], "Enter a smaller dose, or give the reason before signing."),
    ):
        if bound is not None and change > bound:
            limit = f"{'largest step' if severity == HARD else 'usual step'} +{display.percent(bound)}"
            yield Finding(code, severity, change, bound, row.basis, f"{words} ({limit}). {advice}")
            return


def _steps_up(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is None or dose <= base:
        return
    codes = ("STEP_ABOVE_BAND", "CHANGE_ABOVE_HARD")
    found = list(_step(context, dose, base, f"step_up_{context.phase}", codes, _compared(base, dose)))
    day_ago = context.dose_24h_ago_mcg_per_day
    if day_ago and dose > day_ago and day_ago != base:
        row_id, words = f"change_24h_{context.phase}", _beside(day_ago, dose, "the dose 24 h ago")
        found.extend(_step(context, dose, day_ago, row_id, codes, words))
    found.sort(key=lambda finding: (_WORST_FIRST[finding.severity], -finding.value))
    yield from found[:1]
    week_ago = context.dose_7d_ago_mcg_per_day
    if week_ago and dose > week_ago:
        words = _beside(week_ago, dose, "the dose 7 days ago")
        yield from _step(context, dose, week_ago, "change_7d", ("CHANGE_7D", "CHANGE_7D"), words)


def _dose_high(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is not None and dose <= base:
        return
    row = context.library.limit("dose_high", context.population)
    shown = display.mcg_per_day(dose)
    if row.hard_high is not None and dose > row.hard_high:
        yield Finding(
            "DOSE_ABOVE_HARD",
            HARD,
            dose,
            row.hard_high,
            row.basis,
            f"{shown} is above the highest dose of {display.mcg_per_day(row.hard_high)}. Enter another dose.",
        )
    elif row.soft_high is not None and dose > row.soft_high:
        yield Finding(
            "DOSE_ABOVE_SOFT",
            SOFT,
            dose,
            row.soft_high,
            row.basis,
            f"{shown} is above the usual {display.mcg_per_day(row.soft_high)}. "
            "Enter a smaller dose, or give the reason before signing.",
        )
    start = context.start_rule_mcg_per_day
    if base is None and start is not None and dose > start:
        yield Finding(
            "DOSE_ABOVE_SOFT",
            SOFT,
            dose,
            start,
            "start rule after the screening trial",
            f"{shown} is above the start dose of {display.mcg_per_day(start)} that follows from the trial. "
            "Enter a smaller dose, or give the reason before signing.",
        )


def _window(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is not None and dose <= base:
        return
    for row_id, amount, span in (("window_24h", dose, "24 hours"), ("window_1h", dose / 24, "one hour")):
        row = context.library.limit(row_id, context.population)
        if row.hard_high is not None and amount > row.hard_high:
            yield Finding(
                "WINDOW_ABOVE_HARD",
                HARD,
                amount,
                row.hard_high,
                row.basis,
                f"{display.mcg(amount)} in {span} is above the highest {display.mcg(row.hard_high)}. "
                "Enter another dose.",
            )
            return


def _dose_low(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    row = context.library.limit("dose_low", context.population)
    floor = context.profile.min_flow_ml_per_day * context.conc_mcg_per_ml
    flow_row = context.library.limit("flow", context.population)
    least = max(context.profile.min_flow_ml_per_day, flow_row.hard_low or Fraction(0))
    flow = dose / context.conc_mcg_per_ml
    if flow < least or (row.hard_low is not None and dose < row.hard_low * floor):
        yield Finding(
            "FLOW_BELOW_MINIMUM",
            HARD,
            flow,
            least,
            row.basis,
            f"{display.ml_per_day(flow)} is below the least flow of {display.ml_per_day(least)}. "
            "Enter a higher dose, or choose a weaker strength at the next refill.",
        )
    elif row.soft_low is not None and dose < row.soft_low * floor:
        yield Finding(
            "DOSE_BELOW_SOFT",
            SOFT,
            dose,
            row.soft_low * floor,
            row.basis,
            f"{display.mcg_per_day(dose)} is close to the least flow of this pump at "
            f"{display.mcg_per_ml(context.conc_mcg_per_ml)}. Enter a higher dose, or give the reason.",
        )


def _flow_high(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is not None and dose <= base:
        return
    row = context.library.limit("flow", context.population)
    bounds = [bound for bound in (context.profile.max_flow_ml_per_day, row.hard_high) if bound is not None]
    flow, most = dose / context.conc_mcg_per_ml, min(bounds)
    if flow > most:
        yield Finding(
            "FLOW_ABOVE_MAXIMUM",
            HARD,
            flow,
            most,
            row.basis,
            f"{display.ml_per_day(flow)} is above the greatest flow of {display.ml_per_day(most)}. Enter a lower dose.",
        )


def _decrease(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is None or dose >= base:
        return
    row = context.library.limit("step_down", context.population)
    fall = (base - dose) / base * 100
    day_ago = context.dose_24h_ago_mcg_per_day
    undoing = day_ago is not None and day_ago < base and dose >= day_ago
    lifted = context.overdose_suspected or context.taper_signed or undoing
    words = _compared(base, dose)
    if row.hard_high is not None and fall > row.hard_high and not lifted:
        yield Finding(
            "DECREASE_ABOVE_HARD",
            HARD,
            fall,
            row.hard_high,
            row.basis,
            f"{words}: risk of withdrawal. Enter a higher dose; for a suspected overdose or a signed "
            "taper say so first.",
        )
    elif row.soft_high is not None and fall > row.soft_high:
        yield Finding(
            "DECREASE_ABOVE_BAND",
            SOFT,
            fall,
            row.soft_high,
            row.basis,
            f"{words} (usual step -{display.percent(row.soft_high)}): watch for withdrawal. "
            "Give the reason before signing.",
        )


def _blocks_on_increase(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is not None and dose <= base:
        return
    if context.library.expired(context.today):
        yield Finding(
            "LIBRARY_EXPIRED",
            HARD,
            dose,
            base or Fraction(0),
            f"library version {context.library.version}",
            f"The drug library expired on {display.day(context.library.expires)}. No increase until a new "
            "one is signed; refill, decrease, stop and resume work.",
        )
    if context.discrepancy_open:
        yield Finding(
            "DISCREPANCY_OPEN",
            HARD,
            dose,
            base or Fraction(0),
            "refill reconciliation",
            "A refill discrepancy is open. No increase until a prescriber has closed it.",
        )
    row = context.library.limit("increase_interval_h", context.population)
    since = context.hours_since_change
    if since is not None and row.soft_low is not None and since < row.soft_low:
        yield Finding(
            "INCREASE_TOO_SOON",
            SOFT,
            since,
            row.soft_low,
            row.basis,
            f"The dose was changed {display.hours(since)} ago; wait until {display.hours(row.soft_low)} "
            "have passed, or give the reason before signing.",
        )
    if context.under_four:
        yield Finding(
            "NO_POPULATION",
            SOFT,
            dose,
            base or Fraction(0),
            row.basis,
            "There are no limits for children under 4 years; those from 4 years on are used. "
            "First dose and increases need two persons.",
        )


_SENTINEL_WORDS: Final = {
    "POWER_OF_TEN": (SOFT, "was the point or a zero meant?"),
    "NEAR_POWER_OF_TEN": (SOFT, "close to a factor of ten: was a zero or the point meant?"),
    "DIGIT_PERMUTATION": (ADVISORY, "the same digits in another order: were two swapped?"),
    "DIGIT_DOUBLED": (ADVISORY, "one digit stands twice: was a key pressed twice?"),
}
_TIMES_WORDS: Final = {
    Fraction(10): "ten times",
    Fraction(100): "a hundred times",
    Fraction(1000): "a thousand times",
    Fraction(10000): "ten thousand times",
    Fraction(1, 10): "a tenth of",
    Fraction(1, 100): "a hundredth of",
    Fraction(1, 1000): "a thousandth of",
    Fraction(1, 10000): "a ten-thousandth of",
}


def _sentinels(context: DoseContext, dose: Fraction) -> Iterator[Finding]:
    base = context.base_mcg_per_day
    if base is None or dose == 0:
        return
    for sentinel in (decimal_shift(base, dose), digit_transposition(base, dose)):
        if sentinel.sentinel in _SENTINEL_WORDS:
            severity, question = _SENTINEL_WORDS[sentinel.sentinel]
            ratio = _TIMES_WORDS.get(sentinel.ratio)
            head = f"{ratio} the present dose" if ratio else _compared(base, dose)
            yield Finding(
                sentinel.sentinel,
                severity,
                sentinel.ratio,
                Fraction(1),
                "entry sentinel",
                f"{head[0].upper()}{head[1:]}; {question} Read the number again.",
            )


_CHECKS: Final[tuple[Check, ...]] = (
    _steps_up,
    _dose_high,
    _window,
    _flow_high,
    _decrease,
    _dose_low,
    _blocks_on_increase,
    _sentinels,
)


def check_simple_dose(context: DoseContext, dose_mcg_per_day: Fraction) -> list[Finding]:
    """Findings for a new simple continuous dose (mcg/day, 0 or more), worst first.

    An unchanged dose has none. Hard findings cannot be signed away; soft ones need a reason before
    the pump is asked; advisories are said.
    """
    unchanged = dose_mcg_per_day == context.running_mcg_per_day
    if unchanged or dose_mcg_per_day == context.base_mcg_per_day:
        return []
    found = [finding for check in _CHECKS for finding in check(context, dose_mcg_per_day)]
    return sorted(found, key=lambda finding: _WORST_FIRST[finding.severity])
