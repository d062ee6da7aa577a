"""What a verifier can find: one table, in the order in which findings are told. The first is the diagnosis."""

from collections.abc import Iterable
from dataclasses import dataclass

_TABLE: tuple[tuple[str, str], ...] = (
    ("STORE_CORRUPT", "the database is damaged: restore a backup as a new log epoch"),
    ("KDF_DOWNGRADE", "a key file asks for less work than the floor: enrol the user again"),
    ("KEY_AAD_MISMATCH", "a key file is another user's, or was altered: enrol the user again"),
    ("TILE_MALFORMED", "a tile or bundle is missing, or name and content disagree"),
    ("PROOF_MALFORMED", "a proof has a wrong form, or a wrong number of hashes"),
    ("NOTE_MALFORMED", "an entry or checkpoint is no signed note"),
    ("NONCANONICAL", "the text of an entry is not canonical JSON"),
    ("SCHEMA_UNKNOWN", "an entry has an unknown field, type, value or version"),
    ("GENESIS_MISMATCH", "entry 0 is not the genesis that was pinned"),
    ("ORIGIN_MISMATCH", "it belongs to another log"),
    ("REALM_MIXED", "simulated and clinical entries stand in one log"),
    ("EPOCH_UNLINKED", "a later log epoch does not name the log that it continues"),
    ("SEQ_GAP", "an entry is missing"),
    ("SEQ_ORDER", "entries are out of order"),
    ("SEQ_REPLAY", "an entry stands here a second time"),
    ("SEQ_DUP", "two different entries have the same index"),
    ("UNKNOWN_ACTOR", "no clinic root has granted this key"),
    ("WEAK_KEY", "a small-order or non-canonical key lets anybody sign in this name"),
    ("SIGNER_ACTOR_MISMATCH", "the signature lines are not the persons in the text"),
    ("SIG_NONCANONICAL", "a signature is not in its one allowed form"),
    ("ENTRY_SIG_INVALID", "a signature does not verify: entry or signature was altered"),
    ("KEY_NOT_VALID", "the key was not valid when it signed"),
    ("ROLE_VIOLATION", "the role may not sign this"),
    ("ORDER_MISMATCH", "the sealed order does not agree with its entry"),
    ("ORPHAN_OUTCOME", "an outcome has no intent before it"),
    ("LEAF_MISMATCH", "an entry does not have the hash in its tile"),
    ("TILE_MISMATCH", "a tile does not have the hashes of the tiles below it"),
    ("CKPT_SIGNER_UNKNOWN", "the checkpoint has no line of the log's device key"),
    ("CKPT_SIG_INVALID", "the device's line on the checkpoint does not verify"),
    ("SIZE_SHORT", "the checkpoint counts more entries than there are"),
    ("FORK", "another copy of this log differs"),
    ("EQUIVOCATION", "two signed checkpoints of one size have two roots"),
    ("ROOT_MISMATCH", "the entries do not have the root that the checkpoint signs"),
    ("TAIL_UNCOVERED", "entries stand beyond the newest checkpoint"),
    ("PROOF_INVALID", "a proof leads to another root"),
    ("COSIG_INVALID", "the line of a listed witness does not verify"),
    ("CHECKPOINT_FORK", "a cosigned smaller size had another root"),
    ("ROLLBACK", "a witness, a peer or the pump has seen more than is here"),
    ("CONSISTENCY_FAIL", "the central store cannot prove what it acknowledged"),
    ("QUORUM_NOT_MET", "no checkpoint has enough listed witnesses"),
    ("STALE", "the newest witnessed checkpoint is older than the policy allows"),
    ("ACTOR_PREV_BROKEN", "an entry does not name its actor's previous entry"),
    ("HEAD_MISMATCH", "an order was built on another log"),
    ("PUMP_IDENTITY", "this is not the pump last linked to the patient"),
    ("PUMP_RECEIPT_INVALID", "the pump's receipt does not verify"),
    ("PUMP_CHAIN_MISMATCH", "pump and log tell different histories"),
    ("FOREIGN_PROGRAM", "the pump was programmed by a device that has no log here"),
    ("DANGLING_INTENT", "an intent was applied and its outcome is missing"),
    ("MONO_VIOLATION", "the clock of one boot does not rise"),
    ("CLOCK_FUTURE", "an entry is later than the witness that has seen it"),
    ("CLOCK_ROLLBACK", "the clock went back and nobody declared it"),
    ("CLOCK_JUMP", "the clock jumped forward and nobody declared it"),
    ("DERIVED_STATE_MISMATCH", "a derived table differs from the log"),
    ("PROVENANCE_MISMATCH", "a file beside the log differs from what the log says, or does not belong here"),
)
_NOTICES: tuple[tuple[str, str], ...] = (
    ("EPOCH_DECLARED", "the log continues another one and says so"),
    ("CLOCK_STEP", "a step of the clock was declared"),
    ("PEER_PENDING", "another tablet's log is awaited"),
    ("IN_DOUBT", "the outcome of a change is not known yet"),
    ("UNWITNESSED", "nothing shows that the end is not missing"),
)

SENTENCES = dict(_TABLE + _NOTICES)
"""The sentence of each code."""
NOTICES = frozenset(code for code, _ in _NOTICES)
"""Codes that inform and leave the exit code at 0."""
_RANK = {code: rank for rank, code in enumerate(SENTENCES)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: code of the table, where (``idx:20``, ``ckpt:60``, ``tile:0/3``, ``file:PATH`` ...), detail."""

    code: str
    locus: str
    detail: str

    def __post_init__(self) -> None:
        if self.code not in _RANK:
            raise ValueError(f"{self.code} is not in the table of findings")

    @property
    def notice(self) -> bool:
        """Whether it only informs."""
        return self.code in NOTICES

    def __str__(self) -> str:
        return f"{self.code} {self.locus}: {SENTENCES[self.code]} ({self.detail})"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sorted by the table, then by locus (numbers as numbers); repeated findings once."""
    return tuple(sorted(set(findings), key=lambda f: (_RANK[f.code], _natural(f.locus), f.detail)))


def _natural(locus: str) -> tuple[str, int, str]:
    kind, _, rest = locus.partition(":")
    return (kind, int(rest), "") if rest.isascii() and rest.isdigit() else (kind, -1, rest)
