"""The specification says what the code does."""

from protocol.framing import Frame, encode_frame
from tests.house.spec import SPEC, sections, split


def test_tables_are_those_of_the_code() -> None:
    _, generated, _ = split(SPEC.read_text(encoding="utf-8"))
    assert generated.strip() == sections().strip(), "run python -m tests.house.spec"


def test_the_example_frame_is_right() -> None:
    example = encode_frame(Frame(0x12, 0xFE, b"")).hex(" ")
    assert f"`{example}`" in SPEC.read_text(encoding="utf-8")
