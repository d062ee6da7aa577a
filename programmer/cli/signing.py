"""The part that every change on the command line shares: who signs, staging, confirming, sending, the word."""

import argparse
from collections.abc import Callable, Sequence

from programmer.cli import desk, reading, talk
from programmer.cli.exits import Exit
from programmer.cli.main import NOTICE
from programmer.identity.keyfile import KeyFileError
from programmer.identity.roles import Allowed, Refused, check, check_second
from programmer.identity.users import IdentityError, UserSigner
from programmer.records.errors import StoreError
from programmer.visit import logbook
from programmer.visit.consistency import HALTING, contradictions
from programmer.visit.journal import JournalError
from programmer.visit.line import LineFault
from programmer.visit.logbook import RefillFacts
from programmer.visit.machine import NotNow, Phase, Word
from programmer.visit.shell import VisitShell
from programmer.visit.tablet import OpenChart, Tablet
from protocol.errors import ProtocolError
from protocol.messages import Mode, ReadBackReport, Realm, Status

READ_AGAIN = 3
"""So often a lost pump is looked for before the outcome is called unknown."""


class RoleRefused(Exception):
    """The role of this person does not include the act."""

    exit_code = 5


class StillUnfinished(Exception):
    """An earlier change has no known end."""

    exit_code = 6

    def __init__(self) -> None:
        super().__init__(
            "An earlier change of this pump has no known end. Compare the pump's program with it and sign what holds "
            "by 'programmer recover --settle'; no other change is possible before."
        )


class Contradicts(Exception):
    """The pump's report contradicts itself."""

    exit_code = 4

    def __init__(self, found: Sequence[str]) -> None:
        super().__init__(f"{' '.join(found)} Nothing was sent. Do not program this pump; report it.")


class OtherRealm(Exception):
    """A simulated clinic and a real pump, or the reverse."""

    exit_code = 4

    def __init__(self, realm: Realm) -> None:
        super().__init__(
            f"This pump is a {reading.realm_word(realm)}, the clinic in the data folder is not. Nothing was sent. "
            "Choose the clinic of this pump with --data."
        )


class NotDelivering(Exception):
    """The pump does not give its programmed dose."""

    exit_code = 1

    def __init__(self, status: Status) -> None:
        found = ", ".join([*reading.alarm_words(status.alarms & HALTING)]) or reading.MODES[status.mode]
        super().__init__(
            f"The pump does not give its dose now ({found}). Restart it by the therapy-gap rule on the tablet's "
            "screens; the command line does not. Nothing was sent."
        )


class NotConfirmed(Exception):
    """The value keyed again is another one."""

    exit_code = 1

    def __init__(self) -> None:
        super().__init__(
            "What was keyed is not what the pump read back, so nothing was signed. Compare both with the "
            "prescription, then begin anew."
        )


def author(tablet: Tablet, options: argparse.Namespace, action: str, more: Sequence[str] = ()) -> UserSigner:
    """The unlocked signer of ``--user``; the role is looked at before the secret is asked.

    Raises:
        RoleRefused: the table of roles does not let this role do ``action`` (and each of ``more``), or only with a
            second person, and none is given.
        Usage: no way to give the secret. And the errors of ``Identity.unlock``.
    """
    user = tablet.identity.user(options.user)
    for each in (action, *more):
        match check(user.role, each, realm=tablet.clinic.realm):
            case Refused(reason):
                raise RoleRefused(f"{reason} Nothing was sent.")
            case Allowed(second=True) if getattr(options, "second", None) is None:
                raise RoleRefused(
                    f"The role {user.role} needs a second person here. Name one by --second; nothing was sent."
                )
    return _unlocked(tablet, options.user, talk.secret(options.user, options.secret_fd))


def second(tablet: Tablet, options: argparse.Namespace, action: str) -> UserSigner | None:
    """The unlocked signer of ``--second``; None where nobody is named. Raises as ``author``."""
    if options.second is None:
        return None
    if options.second == options.user:
        raise RoleRefused("The second person must be another one than the author. Nothing was sent.")
    match check_second(tablet.identity.user(options.second).role, action):
        case Refused(reason):
            raise RoleRefused(f"{reason} Nothing was sent.")
    given = talk.secret(options.second, options.second_secret_fd, "--second-secret-fd")
    return _unlocked(tablet, options.second, given)


def _unlocked(tablet: Tablet, user: str, secret: str) -> UserSigner:
    try:
        return tablet.identity.unlock(user, secret)
    except (KeyFileError, IdentityError):
        wrong = tablet.identity.attempts(user).wrong
        tablet.log.append(logbook.auth_failed(tablet.identity.device, user, wrong))
        raise


def read_first(tablet: Tablet, shell: VisitShell) -> Status:
    """The reading that a change is built on, with what was unfinished settled and said.

    Raises:
        StillUnfinished, Contradicts, OtherRealm, NotDelivering, LineFault.
    """
    before = desk.open_changes(tablet)
    status = shell.read()
    changes = desk.verdicts(tablet, before)
    for change in changes:
        talk.talk(f"UNFINISHED CHANGE  {reading.change_line(change)}")
    for item in shell.not_written:
        talk.talk(reading.not_written_line(item))
    if any(not change.settled and change.item.serial == shell.serial for change in changes):
        raise StillUnfinished
    if (status.realm is Realm.SIMULATED) is not tablet.simulated:
        raise OtherRealm(status.realm)
    if found := contradictions(status):
        raise Contradicts(found)
    if status.mode is not Mode.SIMPLE:
        raise NotDelivering(status)
    return status


def open_chart(tablet: Tablet, shell: VisitShell, signer: UserSigner) -> OpenChart:
    """The chart of the patient of this pump, opened for the rest of the visit."""
    card = next(card for card in tablet.pumps() if card.serial == shell.serial)
    chart = tablet.chart(card.patient, signer)
    shell.unlock_patient(chart.ref, chart.key, chart.kid)
    return chart


def head(chart: OpenChart, shell: VisitShell, status: Status) -> list[str]:
    """Who and which pump, above every review."""
    return [
        f"{reading.realm_word(status.realm)}  {NOTICE}",
        f"patient   {chart.chart.name}, born {chart.chart.born}, record {chart.chart.record}",
        f"pump      {shell.serial}",
    ]


def send(
    shell: VisitShell,
    signer: UserSigner,
    review: Callable[[ReadBackReport], None],
    facts: RefillFacts | None = None,
    approver: UserSigner | None = None,
) -> int:
    """Stage, review, sign, commit, verify by reading; says the word and gives the exit code.

    ``review`` shows the pump's read-back and returns only when the person confirmed it.
    """
    try:
        shell.check(signer, persons=1 if approver is None else 2)
        tx = shell.visit.transaction
        assert tx is not None
        assert tx.read_back is not None
        review(tx.read_back)
        shell.sign_and_send(signer, facts, approver)
    except BaseException:
        _take_back(shell)
        word = shell.visit.word or Word.NOT_APPLIED
        talk.data(word.value)
        raise
    return _verified(shell)


def _take_back(shell: VisitShell) -> None:
    if shell.visit.phase is not Phase.REVIEW:
        return
    try:
        shell.withdraw()
    except (LineFault, ProtocolError, JournalError, StoreError, NotNow) as error:
        talk.talk(f"The proposal could not be taken back: {error} It is unsigned and has no effect.")


def _verified(shell: VisitShell) -> int:
    read = False
    for _ in range(READ_AGAIN):
        try:
            shell.read()
            read = True
            break
        except LineFault as fault:
            talk.talk(str(fault))
    word = shell.visit.word
    assert word is not None
    talk.data(word.value)
    match word, shell.visit.phase:
        case Word.APPLIED, Phase.VERIFIED:
            talk.talk("The pump was read again and runs the signed order.")
            return Exit.NOT_STORED if shell.not_saved else Exit.DONE
        case Word.APPLIED, _ if read:
            talk.talk("The pump confirmed the order, but reports another program. Do not program it; report it.")
            return Exit.INTEGRITY
        case Word.APPLIED, _:
            talk.talk("The pump confirmed the order, but could not be read again. Read it before the patient leaves.")
            return Exit.NOT_STORED if shell.not_saved else Exit.DONE
        case Word.NOT_APPLIED, _:
            talk.talk("The pump's program is unchanged. Begin anew if the change is still wanted.")
            return Exit.REFUSED
    talk.talk("The outcome is unknown. Run 'programmer recover' with the wand over the pump now.")
    return Exit.UNKNOWN_OUTCOME
