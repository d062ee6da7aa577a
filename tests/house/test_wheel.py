"""What is installed holds the specification, its CDDL and its vectors, which the conformance suite reads."""

import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from tests.house.vectors import FILES

ROOT = Path(__file__).resolve().parents[2]


def test_the_wheel_holds_specification_and_vectors(tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {"protocol/SPEC.md", "protocol/pump.cddl", "protocol/vectors/README.md"}
    assert wanted | {f"protocol/vectors/{name}.json" for name in FILES} <= names
