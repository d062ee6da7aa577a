"""What a pump's witness record means beside the logs: each row of the table, and which rows block programming."""

import pytest

from programmer.audit.anchor import PENDING_S, Known, Statement, Verdict, compare, next_chain, split_witness, tablet_tag

OWN, PEER, ALIEN = (tablet_tag(name) for name in ("T-1", "T-2", "T-9"))
C4, HASH = b"\x04" * 32, b"\x0a" * 32
C5 = next_chain(C4, 5, HASH, OWN)
KNOWN = Known(OWN, 4, C4, {"aa": HASH}, frozenset({PEER}), {b"\x55" * 32: 1_000})


def told(epoch: int, chain: bytes, tag: bytes = OWN, order: bytes = HASH, *, genuine: bool = True) -> Statement:
    return Statement(genuine, epoch, order, chain, tag, 1_000 + PENDING_S)


ROWS = {
    "same epoch, same chain": (told(4, C4), Verdict.AGREE, False),
    "one ahead, an open intent": (told(5, C5), Verdict.DANGLING_INTENT, False),
    "one ahead, an open intent on another history": (told(5, b"\x66" * 32), Verdict.PUMP_CHAIN_MISMATCH, True),
    "own tag, unknown order": (told(5, C5, order=b"\x0b" * 32), Verdict.ROLLBACK, True),
    "own tag, two ahead": (told(6, C5), Verdict.ROLLBACK, True),
    "a peer's tag": (told(5, b"\x77" * 32, PEER), Verdict.PEER_PENDING, False),
    "a peer's tag for 7 days": (told(5, b"\x55" * 32, PEER), Verdict.PEER_PENDING, False),
    "an unknown tag": (told(5, b"\x77" * 32, ALIEN), Verdict.FOREIGN_PROGRAM, True),
    "same epoch, other chain": (told(4, b"\x66" * 32), Verdict.PUMP_CHAIN_MISMATCH, True),
    "behind": (told(3, C4), Verdict.PUMP_CHAIN_MISMATCH, True),
    "another pump or key": (told(4, C4, genuine=False), Verdict.PUMP_IDENTITY, True),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_table(row: str) -> None:
    statement, verdict, blocks = ROWS[row]
    assert compare(statement, KNOWN) is verdict
    assert verdict.blocks == blocks


def test_a_peer_whose_log_never_comes_is_foreign_after_seven_days() -> None:
    late = Statement(True, 5, HASH, b"\x55" * 32, PEER, 1_001 + PENDING_S)
    assert compare(late, KNOWN) is Verdict.FOREIGN_PROGRAM


def test_a_record_of_another_length_is_no_record() -> None:
    assert split_witness((4).to_bytes(4, "big") + HASH + C4 + OWN) == (4, HASH, C4, OWN)
    with pytest.raises(ValueError, match="76 bytes"):
        split_witness(bytes(75))
