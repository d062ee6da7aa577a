"""Who signs is made known to the pump: the credentials of persons and tablet, short where the pump has them already."""

from collections.abc import Sequence

from programmer.visit.conductor import Conductor
from programmer.visit.desk import NoCredential, Person, PumpRefused, SecondPersonNeeded
from programmer.visit.line import LineLost
from programmer.visit.machine import Withdraw
from protocol import coordinator
from protocol.coordinator import State
from protocol.credential import credential_digest
from protocol.messages import Present, Presented, Refusal, Refused

TABLET_POSITION = 2
PRESENT_TURNS = 4


class Introduction(Conductor):
    """The part of a visit that shows credentials, and takes a proposal back where they cannot be enough."""

    _shown: tuple[bytes, ...] = ()

    def withdraw(self) -> None:
        """Take the proposal back; a staged one is dropped in the pump too."""
        self._step(Withdraw())
        tx = self.visit.transaction
        if tx is not None and tx.state in (State.ABORTED, State.COMMITTED):
            self._end_change(tx)

    def _are_enough(self, signers: Sequence[Person]) -> None:
        """The pump's demand is known; do not show it keys that cannot be enough."""
        staged = self._transaction().staged
        if staged is None or len({person.public_key for person in signers}) < max(staged.persons, len(signers)):
            self.withdraw()
            raise SecondPersonNeeded

    def _introduce(self, signers: Sequence[Person]) -> bool:
        """Show the pump who signs; one author whom it has seen in this session is not shown again."""
        assert self.opened is not None
        wanted = (self.opened.handshake_hash, *(person.public_key for person in signers))
        if len(signers) == 1 and self._shown == wanted:
            return True
        self._shown = ()
        if not all(self._present(position, person) for position, person in enumerate(signers)):
            return False
        self._shown = wanted
        return True

    def _present(self, position: int, person: Person) -> bool:
        """Show a person's credential to the pump, by its digest where that is enough; whether the link held."""
        credential = self.desk.credentials.people.get(person.public_key)
        if credential is None:
            raise NoCredential(person.name)
        shown = credential_digest(credential)
        try:
            for _ in range(PRESENT_TURNS):
                answer = self._ask(Present(position=position, credential=shown))
                reasons = answer.reasons if isinstance(answer, Refused) else ()
                if isinstance(answer, Presented):
                    return True
                if reasons == (Refusal.TABLET_CREDENTIAL,):
                    self._present_tablet()
                elif reasons == (Refusal.SIGNER_UNKNOWN,):
                    shown = credential
                else:
                    break
        except LineLost:
            self._run_wire(coordinator.LinkLost())
            return False
        raise PumpRefused(tuple(item.name for item in reasons))

    def _present_tablet(self) -> None:
        own = self.desk.credentials.tablet_at(self._status().pump_time_s)
        if own is None:
            raise NoCredential("its own")
        answer = self._ask(Present(position=TABLET_POSITION, credential=own))
        if isinstance(answer, Refused):
            raise PumpRefused(tuple(item.name for item in answer.reasons))
