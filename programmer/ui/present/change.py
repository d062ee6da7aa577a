"""Views that every change shares: sign, transfer, verdict, in doubt, recovery, leaving."""

from collections.abc import Sequence

from programmer.clinical import display
from programmer.clinical.entry import EntryProfile
from programmer.ui.model import Model
from programmer.ui.present.views import (
    ActionView,
    Line,
    PageView,
    SignView,
    Tone,
    TransferStep,
    TransferView,
)
from programmer.ui.present.wrap import wrapped
from programmer.visit.history import mcg
from programmer.visit.machine import Word
from programmer.visit.unfinished import Unfinished

_TONES = {Word.APPLIED: Tone.OK, Word.NOT_APPLIED: Tone.NOTE, Word.IN_DOUBT: Tone.BAD}

STEPS = (
    ("before Present", "your key shown to the pump"),
    ("before intent row", "order signed"),
    ("after intent row", "intent saved in the signed log"),
    ("journal intent", "intent saved in the journal"),
    ("before Commit", "order sent, waiting for the pump"),
    ("after Committed", "pump answered"),
    ("journal committed", "answer saved"),
    ("after outcome row", "outcome saved in the signed log"),
)
"""Points that the visit passes, and what they are called on the screen."""


def sign(model: Model, lines: Sequence[str], label: str, rekey: EntryProfile, message: str = "") -> SignView:
    """What is signed and by whom."""
    user = model.signer.user
    shown = (
        Line(lines[0], Tone.DOSE),
        *(Line(text) for text in lines[1:]),
        Line(f"signed by {user.name}, {user.role.replace('-', ' ')}"),
    )
    return SignView("SIGN AND SEND", shown, label, rekey, Line(message, Tone.BAD) if message else None)


def sending(passed: Sequence[tuple[str, str]]) -> TransferView:
    """A transfer under way; there is no way out before its end."""
    names = dict(STEPS)
    steps = tuple(TransferStep(names[point], "done", at) for point, at in passed if point in names)
    return TransferView("SENDING TO THE PUMP   do not move the wand", steps)


def ended(passed: Sequence[tuple[str, str]], word: Word, lines: Sequence[str], trouble: str = "") -> TransferView:
    """The verdict: applied, not applied, or in doubt; never anything else."""
    texts = {
        Word.APPLIED: "APPLIED, and verified by reading the pump again.",
        Word.NOT_APPLIED: "NOT APPLIED. The pump's program is unchanged.",
        Word.IN_DOUBT: "IN DOUBT. The order was sent; the answer did not arrive.",
    }
    more = [line for text in lines for line in wrapped(text)]
    if trouble:
        more += wrapped(trouble, Tone.BAD)
    action = ActionView("doubt", "READ THE PUMP") if word is Word.IN_DOUBT else ActionView("home", "GO ON")
    return TransferView(
        "TRANSFER ENDED", sending(passed).steps, Line(texts[word], _TONES[word]), tuple(more), (action,)
    )


def unverified(passed: Sequence[tuple[str, str]], trouble: str) -> TransferView:
    """Applied by the pump's signed receipt, but the reading that verifies it is missing."""
    return TransferView(
        "TRANSFER ENDED",
        sending(passed).steps,
        Line("APPLIED by the pump's receipt. NOT YET VERIFIED: read the pump again.", Tone.NOTE),
        tuple(wrapped(trouble, Tone.BAD)),
        (ActionView("verify", "READ PUMP AGAIN"),),
    )


def _doses(item: Unfinished) -> str:
    if item.kind == "refill":
        return "The refill is EITHER written OR not. The program is the same in both cases."
    was, new = (display.mcg_per_day(mcg(ng)) for ng in (item.was_ng_per_day, item.now_ng_per_day))
    return f"The pump gives EITHER {was} OR {new}. Neither is confirmed."


def doubt(items: Sequence[Unfinished], problem: str = "", signed_in: bool = True) -> PageView:
    """Unfinished changes, before anything else is offered; only safe ways on."""
    sent = any(item.intent_logged for item in items)
    title = "***  HIGH   OUTCOME UNKNOWN: read the pump now" if sent else "UNFINISHED VISIT: read the pump"
    lines = []
    for item in items:
        what = "order sent, no answer" if item.intent_logged else "proposal never sent"
        since = item.started_utc[:16].replace("T", " ")
        lines += wrapped(f"Pump {item.serial}, {item.kind}, since {since} UTC: {what}", Tone.STRONG)
        if item.intent_logged:
            lines.append(Line(_doses(item)))
    lines += [
        Line(""),
        Line("DO NOW   1 plug the wand in   2 hold it over the pump   3 READ THE PUMP", Tone.STRONG),
        *wrapped("If reading fails: stay with the patient, ask a second tablet, call the prescriber on call."),
        *wrapped("Not possible until the pump was read: new dose, refill, other patient, closing."),
    ]
    if problem:
        lines += wrapped(problem, Tone.BAD)
    leave = ActionView("leave", "LEAVE, SIGNED", signed_in, "Unlock first.")
    return PageView(
        Line(title, Tone.BAD if sent else Tone.NOTE),
        tuple(lines),
        (ActionView("read", "READ THE PUMP"), ActionView("emergency", "EMERGENCY  F7"), leave),
        wide_first=True,
    )


def unresolved(items: Sequence[Unfinished], runs: str, may_sign: bool, problem: str = "") -> PageView:
    """A change that the pump no longer remembers, beside what it runs; only a prescriber's signature closes it."""
    lines = []
    for item in items:
        lines += wrapped(f"Pump {item.serial}, {item.kind}, since {item.started_utc[:16].replace('T', ' ')} UTC")
        lines.append(Line(_doses(item)))
    lines += [
        Line(f"The pump runs {runs} now", Tone.STRONG),
        *wrapped(
            "The pump was read and cannot tell what became of the order: it has seen too many since. Compare its "
            "program with the order and with the chart; ask who else has programmed it. Then sign what holds."
        ),
    ]
    if problem:
        lines += wrapped(problem, Tone.BAD)
    why_not = "Only a prescriber signs this."
    return PageView(
        Line("***  HIGH   THE PUMP CANNOT TELL THE OUTCOME", Tone.BAD),
        tuple(lines),
        (
            ActionView("applied", "IT IS IN FORCE", may_sign, why_not),
            ActionView("not_applied", "IT IS NOT", may_sign, why_not),
            ActionView("leave", "LEAVE, SIGNED"),
        ),
    )


def why_settled(word: Word, reasons: Sequence[str]) -> PageView:
    """Why a prescriber signs that an order is in force, or is not."""
    actions = [ActionView(f"r{n}", text.upper()) for n, text in enumerate(reasons)]
    return notice(
        f"YOU SIGN: {word.value}. Why?",
        ["The verdict and the reason are signed with your key. It cannot be taken back."],
        (*actions, ActionView("back", "BACK  Esc")),
        Tone.NOTE,
    )


def settled(word: Word, lines: Sequence[str], how: str = "SETTLED BY READING THE PUMP") -> PageView:
    """What reading the pump said about an unfinished change, or a prescriber's signature."""
    return PageView(
        Line(f"{how}: {word.value}", _TONES[word]),
        tuple(line for text in lines for line in wrapped(text)),
        (ActionView("home", "GO ON"),),
    )


def notice(
    title: str,
    lines: Sequence[str],
    actions: Sequence[ActionView] = (ActionView("back", "BACK  Esc"),),
    tone: Tone = Tone.STRONG,
) -> PageView:
    """A plain page: help, refusals, faults."""
    return PageView(Line(title, tone), tuple(line for text in lines for line in wrapped(text)), tuple(actions))
