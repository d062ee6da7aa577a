"""Exports: exact bytes, tile names, every changed byte found, the command line."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from programmer.audit.export import (
    ExportExists,
    export_log,
    number_path,
    parse_tile_path,
    tile_path,
    write_export,
    write_tar,
)
from programmer.audit.findings import Finding, ordered
from programmer.audit.verify import main, read_files, verify_files
from tests.audit.example import example, rebuild
from tests.audit.forge import DATA, GENUINE, NOTES, PIN, checkpoint, export

COSIGNED = DATA["cosigned"]["note"].encode()


def test_the_export_comes_out_byte_for_byte() -> None:
    files = export_log(rebuild(example())[0], COSIGNED)
    assert {path: (len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items()} == {
        path: (row["bytes"], row["sha256"]) for path, row in DATA["export"].items()
    }


@pytest.mark.parametrize(
    "number, path", [(0, "000"), (7, "007"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067")]
)
def test_tile_numbers_are_in_groups_of_three(number: int, path: str) -> None:
    assert number_path(number) == path
    for level, width in (("0", 256), ("entries", 7)):
        assert parse_tile_path(tile_path(level, number, width)) == (level, number, width)


@pytest.mark.parametrize(
    "path", ["tile/0/0", "tile/0/x000/001", "tile/0/000.p/256", "tile/0/000.p/0", "tile/00/000", "tile/a/000", "tile/0"]
)
def test_other_names_are_no_tiles(path: str) -> None:
    assert parse_tile_path(path) is None


def test_full_tiles_have_256_hashes() -> None:
    notes = [b"%d" % n for n in range(256 * 2 + 3)]
    files = export(notes, checkpoint(notes))
    assert sorted(path for path in files if path.startswith("tile/")) == [
        "tile/0/000", "tile/0/001", "tile/0/002.p/3", "tile/1/000.p/2",
        "tile/entries/000", "tile/entries/001", "tile/entries/002.p/3",
    ]  # fmt: skip
    assert len(files["tile/0/000"]) == 256 * 32
    codes = {item.code for item in verify_files(files)}
    assert codes == {"NOTE_MALFORMED", "PROVENANCE_MISMATCH", "UNWITNESSED"}


BOUNDS = [0]
for _note in NOTES:
    BOUNDS.append(BOUNDS[-1] + 2 + len(_note))


def places(path: str, at: int) -> set[str]:
    """The loci of which at least one must be told for a changed byte."""
    if path.startswith("tile/entries"):
        idx = next(n for n in range(len(NOTES)) if at < BOUNDS[n + 1])
        return {f"idx:{idx}", "tile:entries/0"}
    if path.startswith("tile/0"):
        return {f"idx:{at // 32}"}
    if path == "checkpoint":
        # A changed name in a witness's line makes it an unknown line, which is ignored: nobody has witnessed then.
        return {"file:checkpoint", "witness:clinic.example/sim/witness/server", "quorum"} | {
            f"ckpt:{size}" for size in (10, 0, 11, *range(12, 20), *range(30, 40))
        }
    return {f"file:{path}"}


def found_at_every(stride: int) -> None:
    files = export(NOTES, COSIGNED)
    for path, data in files.items():
        for at in range(0, len(data), stride):
            altered = {**files, path: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]}
            loci = {item.locus for item in verify_files(altered, PIN)}
            assert loci & places(path, at), (path, at, loci)


def test_a_changed_byte_is_found_and_its_place_named() -> None:
    found_at_every(41)


@pytest.mark.full
def test_every_changed_byte_is_found_and_its_place_named() -> None:
    found_at_every(1)


@pytest.mark.parametrize("path", sorted(DATA["export"]))
def test_a_missing_file_is_named(path: str) -> None:
    files = export(NOTES, COSIGNED)
    del files[path]
    loci = {item.locus for item in verify_files(files, PIN)}
    assert loci & {f"file:{path}", "tile:0/0" if path.startswith("tile/0") else "tile:entries/0"}


@pytest.mark.parametrize("path", ["extra.txt", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/001.p/1"])
def test_a_file_too_many_is_named(path: str) -> None:
    found = verify_files({**export(NOTES, COSIGNED), path: b"x"}, PIN)
    assert any(path in item.locus or path in item.detail for item in found)


def test_files_beside_the_log_that_exports_may_have_are_let_be() -> None:
    assert verify_files({**export(NOTES, COSIGNED), "policy": b"", "proofs/7.tlog-proof": b"x"}, PIN) == ()


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    write_export(good, export(NOTES, COSIGNED))
    write_export(bad, export(NOTES[:8], COSIGNED))
    assert main([str(good), "--pin", PIN]) == 0
    assert "CLEAN" in capsys.readouterr().out
    assert main([str(bad), "--json"]) == 4
    first = json.loads(capsys.readouterr().out)["findings"][0]
    assert (first["code"], first["locus"]) == ("SIZE_SHORT", "ckpt:10")
    assert set(first) == {"code", "detail", "locus"}
    assert main([str(tmp_path / "nothing")]) == 2
    assert "cannot be read" in capsys.readouterr().err
    with pytest.raises(ExportExists):
        write_export(good, export(NOTES, COSIGNED))


def test_a_log_that_nobody_has_witnessed_is_clean_with_a_notice(tmp_path: Path) -> None:
    write_export(tmp_path / "e", export(NOTES, GENUINE))
    assert [item.code for item in verify_files(read_files(tmp_path / "e"), PIN)] == ["UNWITNESSED"]
    assert main([str(tmp_path / "e")]) == 0


def test_a_tar_is_read_like_its_folder(tmp_path: Path) -> None:
    files = export(NOTES, COSIGNED)
    with tarfile.open(tmp_path / "e.tar", "w") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert read_files(tmp_path / "e.tar") == files


def test_findings_are_sorted_by_the_table_then_by_place() -> None:
    rows = [Finding("CLOCK_JUMP", "idx:2", ""), Finding("SEQ_GAP", "idx:10", ""), Finding("SEQ_GAP", "idx:9", "")]
    assert [(f.code, f.locus) for f in ordered(rows)] == [
        ("SEQ_GAP", "idx:9"), ("SEQ_GAP", "idx:10"), ("CLOCK_JUMP", "idx:2"),
    ]  # fmt: skip
    with pytest.raises(ValueError):
        Finding("NO_SUCH_CODE", "idx:0", "")


def test_a_tar_is_the_same_log_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    files = export(NOTES, COSIGNED)
    first, second = tmp_path / "a.tar", tmp_path / "b.tar"
    write_tar(first, files)
    write_tar(second, files)
    assert first.read_bytes() == second.read_bytes()
    assert read_files(first) == files
    with pytest.raises(ExportExists):
        write_tar(first, files)
