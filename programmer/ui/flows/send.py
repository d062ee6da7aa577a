"""Sign, send, and say what became of it: the part that every change shares."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from programmer.clinical.entry import EntryProfile
from programmer.ui.flows.base import Flow
from programmer.ui.messages import SendAsked
from programmer.ui.present import change
from programmer.ui.present.views import SignView
from programmer.ui.present.wrap import said
from programmer.ui.screens.pages import TransferScreen
from programmer.ui.screens.sign import SignScreen
from programmer.visit import logbook
from programmer.visit.desk import (
    NoCredential,
    NotAllowed,
    NotSaved,
    PumpRefused,
    SecondPersonNeeded,
    StaleReading,
)
from programmer.visit.logbook import RefillFacts
from programmer.visit.machine import Phase, Word

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp


@dataclass(frozen=True, slots=True)
class Signing:
    """What the sign screen shows, and the value that is keyed again."""

    lines: Sequence[str]
    label: str
    rekey: EntryProfile
    base_value: int
    done: Sequence[str]
    facts: RefillFacts | None = None


class SendFlow(Flow):
    """Sign and send. ``behind`` is the review that BACK returns to."""

    def __init__(self, app: "ClinicApp", signing: Signing, behind: Flow) -> None:
        super().__init__(app)
        self.signing = signing
        self.behind = behind
        self.screen: SignScreen | None = None
        self.transfer: TransferScreen | None = None
        self.passed: list[tuple[str, str]] = []

    async def begin(self) -> None:
        """Ask for secret and value."""
        self.screen = SignScreen(self._view(""))
        await self.app.show(self.screen)

    def _view(self, message: str) -> SignView:
        signing = self.signing
        return change.sign(self.model, signing.lines, signing.label, signing.rekey, message)

    async def acted(self, action: str) -> None:
        """BACK before sending; going on after the verdict."""
        if action == "back" and not self.keeps_unlocked:
            await self.behind.resume()
            self.app.flow = self.behind
        elif action == "home":
            await self.app.go_home()
        elif action == "doubt":
            await self.app.start_doubt()
        elif action == "verify":
            await self._verify()

    async def tick(self) -> None:
        """Keep the reading fresh until the order leaves."""
        if self.transfer is None and not self.keeps_unlocked:
            await self.keep_fresh()

    async def send_asked(self, message: SendAsked) -> None:
        """Re-authenticate, then commit; there is no way out until the verdict."""
        assert self.screen is not None
        keyed = message.rekeyed
        if keyed is not None and keyed.base_value != self.signing.base_value:
            await self.screen.show(self._view("The value keyed again is another one: nothing was sent."))
            return
        if self.keeps_unlocked:
            return
        identity, user = self.model.tablet.identity, self.model.signer
        self.keeps_unlocked = True
        try:
            author = await self.app.bridge.call(lambda: identity.unlock(user.user.id, message.secret))
        except Exception as error:
            self.keeps_unlocked = False
            if not self.app.expected(error):
                raise
            wrong = identity.attempts(user.user.id).wrong
            failed = logbook.auth_failed(identity.device, user.user.id, wrong)
            await self.app.bridge.call(lambda: self.model.tablet.log.append(failed))
            await self.screen.show(self._view(f"{said(error).rstrip('.')}. Nothing was sent."))
            return
        self.model.user = author
        await self._send()

    async def _send(self) -> None:
        shell, author = self.model.shell, self.model.signer
        assert shell is not None
        self.transfer = TransferScreen(change.sending([]))
        await self.app.show(self.transfer)
        trouble = ""
        try:
            await self.app.bridge.call(lambda: shell.sign_and_send(author, self.signing.facts))
        except (PumpRefused, NotAllowed, NotSaved, StaleReading, NoCredential, SecondPersonNeeded) as error:
            trouble = said(error)
        finally:
            self.keeps_unlocked = False
        if shell.visit.phase is Phase.REVIEW:
            await self.app.bridge.call(shell.withdraw)
        word = shell.visit.word or Word.NOT_APPLIED
        if shell.visit.phase is Phase.APPLIED:
            await self._verify()
            return
        if shell.visit.phase is Phase.DANGLING and not trouble:
            trouble = "The link was lost before the order was sent. Read the pump to clear the proposal."
        if word is Word.IN_DOUBT:
            self.model.link = "NO LINK"
        await self.transfer.show(change.ended(self.passed, word, self._told(word), trouble or shell.not_saved))

    async def _verify(self) -> None:
        shell = self.model.shell
        assert shell is not None
        assert self.transfer is not None
        try:
            await self.app.bridge.call(shell.read)
        except Exception as error:
            if not self.app.expected(error):
                raise
            self.model.link = "NO LINK"
            await self.transfer.show(change.unverified(self.passed, said(error)))
            return
        await self.transfer.show(change.ended(self.passed, Word.APPLIED, self._told(Word.APPLIED), shell.not_saved))

    def _told(self, word: Word) -> Sequence[str]:
        return self.signing.done if word is Word.APPLIED else ()

    async def note(self, point: str, at: str) -> None:
        """The visit has passed a point."""
        self.passed.append((point, at))
        if self.transfer is not None and self.keeps_unlocked:
            await self.transfer.show(change.sending(self.passed))
