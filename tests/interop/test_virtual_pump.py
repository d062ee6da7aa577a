"""The client against the virtual pump in its own process, over TCP and over a pseudo terminal."""

import os
from collections.abc import Iterator

import pytest

from tests.interop import orders
from tests.interop.bench import (
    CARD,
    DOSE_NG,
    KNOWN,
    NEW_STATIC,
    PRESCRIBER,
    REFILL_NURSE,
    STRANGER_ID,
    TABLET_ID,
    TABLET_STATIC,
    Pump,
    running_pump,
    tablet_credential,
)
from tests.interop.client import Client

PROGRAM_IN_FORCE, REFILL_IN_FORCE = 8, 9
LINES = ["tcp:127.0.0.1:0", *(["pty"] if os.name == "posix" else [])]


@pytest.fixture(scope="module", params=LINES, ids=[line[:3] for line in LINES])
def pump(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pump]:
    with running_pump(tmp_path_factory.mktemp("pump"), request.param) as running:
        yield running


@pytest.fixture
def client(pump: Pump) -> Iterator[Client]:
    with pump.client() as one:
        yield one


def test_it_names_the_wand_and_reads_status_and_events(pump: Pump, client: Client) -> None:
    assert client.identify()["virtual"] is True
    client.connect(KNOWN)
    status, truth = client.status(), pump.control("status")
    assert (status["dose_ng_per_day"], status["epoch"]) == (truth["dose_ng_per_day"], truth["epoch"])
    assert len(client.events()) == status["events_next"] - status["events_first"]
    client.anchor(KNOWN.receipt_key)
    client.close()


def test_a_new_tablet_pairs_by_presence_and_changes_the_dose(pump: Pump) -> None:
    pump.control("presence")
    pump.control("advance", seconds=21)
    with pump.client(STRANGER_ID, NEW_STATIC) as client:
        client.identify()
        client.start_pairing(CARD)
        assert 0 < client.pair() <= 120
        known = client.confirm(CARD, bytes(pump.control("status")["beeps"]))
        client.close()
    assert STRANGER_ID in pump.control("status")["tablets"]
    with pump.client(STRANGER_ID, NEW_STATIC) as client:
        client.connect(known)
        assert client.status()["dose_ng_per_day"] == pump.true_dose_ng == DOSE_NG
        one = client.stage(115_000)
        assert (one.staged["persons"], pump.true_dose_ng) == (1, DOSE_NG)
        assert client.present(orders.TABLET, tablet_credential(STRANGER_ID, NEW_STATIC)) == orders.PRESCRIBER
        assert client.present(orders.AUTHOR, PRESCRIBER.credential) == orders.PRESCRIBER
        done = client.commit(one, [PRESCRIBER], known.receipt_key)
        assert pump.true_dose_ng == 115_000
        assert client.query(one) == ("COMMITTED", done)
        record = client.anchor(known.receipt_key)
        assert (record["epoch"], record["chain"]) == (done["epoch"], done["chain"])
        assert record["tablet_tag"] == orders.tablet_tag(STRANGER_ID)
        client.close()
    with pump.client(STRANGER_ID, NEW_STATIC) as client:
        client.connect(known)
        assert client.query(one) == ("COMMITTED", done)
        client.close()


def test_a_nurse_refills_alone_and_signs_a_dose_as_second_person(pump: Pump, client: Client) -> None:
    client.connect(KNOWN)
    before_ng, before_epoch = pump.true_dose_ng, client.status()["epoch"]
    client.present(orders.TABLET, tablet_credential(TABLET_ID, TABLET_STATIC))
    client.present(orders.AUTHOR, REFILL_NURSE.credential)
    client.commit(client.stage_refill(19_000_000), [REFILL_NURSE], KNOWN.receipt_key)
    assert 18_990_000 < pump.control("status")["true_reservoir_nl"] <= 19_000_000
    one = client.stage(before_ng - 5_000)
    client.present(orders.AUTHOR, PRESCRIBER.credential)
    client.present(orders.SECOND, REFILL_NURSE.credential)
    client.commit(one, [PRESCRIBER, REFILL_NURSE], KNOWN.receipt_key)
    status = pump.control("status")
    assert (status["dose_ng_per_day"], status["epoch"]) == (before_ng - 5_000, before_epoch + 2)
    assert [code for _, code, _ in client.events()][-2:] == [REFILL_IN_FORCE, PROGRAM_IN_FORCE]
    client.close()
