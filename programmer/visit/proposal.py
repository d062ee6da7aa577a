"""What a clinician proposes, as data: a new simple-continuous program or a refill, and the annex signed with it.

The annex holds what the pump cannot know (library, findings, reasons). Only its digest travels, with STAGE, so that
the signature over the order covers it.
"""

import hashlib
import json
from dataclasses import dataclass

from protocol.messages import Discrepancy, Program, Stage, StageProgram, StageRefill
from protocol.order import program_digest


@dataclass(frozen=True, slots=True)
class Annex:
    """What stands behind a proposal besides the program: library, findings and the reasons given for them."""

    library: str
    findings: tuple[str, ...] = ()
    reasons: tuple[tuple[str, str], ...] = ()
    cause: str = ""

    def digest(self) -> bytes:
        """SHA-256 over the annex as canonical JSON."""
        body = {
            "cause": self.cause,
            "findings": list(self.findings),
            "library": self.library,
            "reasons": [list(item) for item in self.reasons],
        }
        text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(b"annex/1\n" + text.encode()).digest()


@dataclass(frozen=True, slots=True)
class DoseProposal:
    """A whole new program."""

    program: Program
    annex: Annex

    @property
    def kind(self) -> str:
        """Kind of the change in the log."""
        return "dose"

    def stage(self, txid: bytes, base_epoch: int, running: Program) -> Stage:
        """The STAGE message of this proposal."""
        return StageProgram(txid=txid, base_epoch=base_epoch, program=self.program, annex=self.annex.digest())


@dataclass(frozen=True, slots=True)
class RefillProposal:
    """The volume that is in the pump after a refill; the program stays as it is."""

    reservoir_nl: int
    withdrawn_nl: int
    expected_nl: int
    injected_nl: int
    discrepancy: Discrepancy
    annex: Annex

    @property
    def kind(self) -> str:
        """Kind of the change in the log."""
        return "refill"

    def stage(self, txid: bytes, base_epoch: int, running: Program) -> Stage:
        """The STAGE message of this proposal."""
        return StageRefill(
            txid=txid,
            base_epoch=base_epoch,
            program_digest=program_digest(running),
            reservoir_nl=self.reservoir_nl,
            discrepancy=self.discrepancy,
            annex=self.annex.digest(),
        )


Proposal = DoseProposal | RefillProposal
