"""The example log comes out byte for byte."""

from programmer.audit.log import AuditLog, Stamp
from programmer.audit.note import unb64
from programmer.audit.sealed import key_label, pump_tag, unseal
from tests.audit.example import example, keys, rebuild


def test_notes_leaves_roots_and_checkpoints_come_out_byte_for_byte() -> None:
    data = example()
    log, store = rebuild(data)
    assert [raw.decode() for raw in store.notes(0, 10)] == [row["note"] for row in data["entries"]]
    assert [entry.leaf.hex() for entry in log.entries()] == [row["leaf"] for row in data["entries"]]
    assert [log.root_at(row["size"]).hex() for row in data["roots"]] == [row["root"] for row in data["roots"]]
    assert [note.decode() for _, note in store.checkpoints()] == data["checkpoints"]


def test_proofs_come_out_as_given() -> None:
    data = example()
    tree = rebuild(data)[0].tree()
    for row in data["inclusion"]:
        assert list(tree.inclusion(row["idx"], row["size"])) == [unb64(item) for item in row["proof"]]
    for row in data["consistency"]:
        assert list(tree.consistency(row["size1"], row["size2"])) == [unb64(item) for item in row["proof"]]


def test_sealed_fields_open_with_the_patient_key() -> None:
    data = example()
    patient = data["patient"]
    assert key_label(bytes.fromhex(patient["key"])) == patient["kid"]
    assert pump_tag(bytes.fromhex(patient["pump_salt"]), patient["pump_serial"]) == patient["pump_tag"]
    for row in data["sealed"]:
        plain = unseal(row["sealed"], bytes.fromhex(patient["key"]), data["origin"], row["idx"], row["path"])
        assert plain.hex() == row["plaintext_hex"]


def test_a_log_opened_again_goes_on_where_it_stood() -> None:
    data = example()
    log, store = rebuild(data)
    again = AuditLog(
        store, origin=data["origin"], realm="simulated", device=keys(data)[data["origin"]],
        stamp=lambda: Stamp("2026-12-18T10:00:00.000000Z", "0" * 32, 1), policy="1", software="0.1.0",
    )  # fmt: skip
    assert (again.size, again.root()) == (log.size, log.root())
