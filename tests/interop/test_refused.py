"""What the pump must refuse, and with which word, seen by the independent client."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.interop import noise, orders
from tests.interop.bench import (
    CARD,
    CLINIC,
    DAY_S,
    DOSE_NG,
    KNOWN,
    OTHER_ID,
    OTHER_PRESCRIBER,
    OTHER_PSK,
    OTHER_STATIC,
    PRESCRIBER,
    REFILL_NURSE,
    START_S,
    TABLET_ID,
    TABLET_STATIC,
    Pump,
    person,
    running_pump,
    tablet_credential,
)
from tests.interop.client import BREAK_GLASS, MINIMUM, RESUME, STOP, Client, NotMyPump, Person, Refused, Staged
from tests.interop.frames import BEACON, HANDSHAKE
from tests.interop.line import LinkLost

NOW_S = START_S + 14 * DAY_S


@pytest.fixture(scope="module")
def pump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pump]:
    with running_pump(tmp_path_factory.mktemp("pump"), "tcp:127.0.0.1:0") as running:
        yield running


@pytest.fixture
def client(pump: Pump) -> Iterator[Client]:
    with pump.client() as one:
        yield one


@pytest.fixture
def desk(client: Client) -> Client:
    """A routine session in which the tablet has shown its credential."""
    client.connect(KNOWN)
    client.present(orders.TABLET, tablet_credential(TABLET_ID, TABLET_STATIC))
    return client


def refused(client: Client, one: Staged, who: list[Person], sign: Staged | None = None) -> list[str]:
    with pytest.raises(Refused) as caught:
        client.commit(one, who, KNOWN.receipt_key, sign)
    return caught.value.reasons


# -- who is let in ----------------------------------------------------------------------------------------------


def test_a_wrong_key_finds_no_tag_and_one_who_goes_on_gets_no_answer(client: Client) -> None:
    with pytest.raises(NotMyPump):
        client.connect(replace(KNOWN, psk=b"\x01" * 32))
    with client.link.brief(HANDSHAKE), pytest.raises(LinkLost):  # the tag is right, the key in the handshake is not
        client._open(0, KNOWN.serial, KNOWN.pump_key, KNOWN.psk, b"\x01" * 32)
    with pytest.raises(NotMyPump):  # a key for one kind of session is none for another
        client._open(BREAK_GLASS, KNOWN.serial, KNOWN.pump_key, KNOWN.psk)


def test_a_hello_that_somebody_altered_opens_no_session(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "altered", lambda hello: hello[:6] + b"\x01" + hello[7:])
    with client.link.brief(HANDSHAKE), pytest.raises(LinkLost):
        client.connect(KNOWN)


def test_the_beacon_speaks_after_twenty_seconds_of_contact_only(pump: Pump, client: Client) -> None:
    pump.control("wand", strength=0)
    pump.control("wand", strength=5)
    with client.link.brief(BEACON), pytest.raises(LinkLost):
        client.beacon()
    pump.control("advance", seconds=61)
    told = client.beacon()
    assert (told["device"], told["call"]) == (1, "555 0100")


# -- what a session may do --------------------------------------------------------------------------------------


def test_the_card_reads_and_lowers_and_takes_up_again_but_programs_nothing(pump: Pump, client: Client) -> None:
    about = {"name": "Dr B. Lee", "reason": "drowsy", "phone": "555 0199"}
    pump.control("wand", strength=0)
    pump.control("wand", strength=5)
    client.break_glass(CARD)
    assert client.status()["dose_ng_per_day"] == DOSE_NG
    assert client.events()
    with pytest.raises(Refused, match="CONTACT_TOO_SHORT"):
        client.ask("EMERGENCY", act=MINIMUM, **about)
    with pytest.raises(Refused, match="NOT_IN_THIS_SESSION"):
        client.stage(1)
    client.close()
    pump.control("advance", seconds=61)
    client.break_glass(CARD)
    flows = [client.tell("EMERGENCY", "EMERGENCY_DONE", act=act, **about) for act in (MINIMUM, STOP)]
    assert 0 == flows[1]["flow_nl_per_day"] < flows[0]["flow_nl_per_day"] < 200_000
    with pytest.raises(Refused, match="NOT_LOWER"):
        client.ask("EMERGENCY", act=MINIMUM, **about)
    assert client.tell("EMERGENCY", "EMERGENCY_DONE", act=RESUME, **about)["flow_nl_per_day"] == 200_000
    client.close()
    uses = pump.control("status")["uses"]
    assert [use["act"] for use in uses if use["act"]] == ["MINIMUM", "STOP", "RESUME"]
    assert pump.true_dose_ng == DOSE_NG


def test_a_routine_session_takes_no_emergency_and_no_pairing(desk: Client) -> None:
    for name, body in (("PAIR", {"tablet_id": "T-1"}), ("CONFIRM_PATTERN", {"pattern": b"\1" * 6})):
        with pytest.raises(Refused, match="NOT_IN_THIS_SESSION"):
            desk.ask(name, **body)


def test_pairing_wants_an_open_window_and_the_pattern(pump: Pump, client: Client) -> None:
    pump.control("advance", seconds=130)
    with pytest.raises(NotMyPump):  # no window, no tag
        client.start_pairing(CARD)
    pump.control("presence")
    client.start_pairing(CARD)
    client.pair()
    wrong = bytes(5 - count for count in pump.control("status")["beeps"])
    with pytest.raises(Refused, match="WRONG_PATTERN"):
        client.confirm(CARD, wrong)
    with pytest.raises(Refused, match="WINDOW_CLOSED"):
        client.pair()
    client.close()


# -- who may sign -----------------------------------------------------------------------------------------------


def test_a_refill_nurse_may_not_change_the_dose(pump: Pump, desk: Client) -> None:
    one = desk.stage(110_000)
    desk.present(orders.AUTHOR, REFILL_NURSE.credential)
    assert refused(desk, one, [REFILL_NURSE]) == ["ROLE"]
    assert desk.query(one) == ("NOT_APPLIED", {"txid": one.txid})
    assert pump.true_dose_ng == DOSE_NG


def test_an_implanter_is_no_author_of_a_dose_either(pump: Pump, desk: Client) -> None:
    implanter = person(b"\x43" * 32, orders.IMPLANTER, "dr-i")
    one = desk.stage(110_000)
    desk.present(orders.AUTHOR, implanter.credential)
    assert refused(desk, one, [implanter]) == ["ROLE"]
    assert pump.true_dose_ng == DOSE_NG


def test_a_signature_of_another_order_buries_the_proposal(pump: Pump, desk: Client) -> None:
    one = desk.stage(110_000)
    desk.present(orders.AUTHOR, PRESCRIBER.credential)
    other = replace(one, txid=one.txid[:4] + bytes(12))
    assert refused(desk, one, [PRESCRIBER], other) == ["SIGNATURE"]
    assert refused(desk, one, [PRESCRIBER]) == ["EXPIRED"]
    assert desk.query(one)[0] == "NOT_APPLIED"
    with pytest.raises(Refused, match="TX_USED"):
        desk.stage(110_000, one.txid)
    assert pump.true_dose_ng == DOSE_NG


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"token": bytes(8)}, "TOKEN"),
        ({"digest": bytes(32)}, "DIGEST"),
        ({"token": bytes(8), "digest": bytes(32)}, "TOKEN"),
        ({"signatures": [bytes(64)]}, "SIGNATURE"),
        ({"signatures": [bytes(64)] * 2}, "SIGNER_UNKNOWN"),
    ],
)
def test_commit_is_checked_in_the_order_of_section_6(desk: Client, change: dict[str, object], reason: str) -> None:
    one = desk.stage(110_000)
    desk.present(orders.AUTHOR, PRESCRIBER.credential)
    signature = orders.sign(PRESCRIBER.seed, desk.order(replace(one, head=bytes(16))).to_sign(bytes(32)))
    body = {"txid": one.txid, **{name: one.staged[name] for name in ("token", "digest")}, "head": bytes(16)}
    with pytest.raises(Refused, match=f": {reason}$"):
        desk.ask("COMMIT", **{**body, "signatures": [signature], **change})


def test_staging_is_refused_with_its_reasons(desk: Client) -> None:
    now_s = desk.status()["pump_time_s"]
    ahead = (now_s + 100).to_bytes(4, "big") + bytes(12)
    for dose_ng, txid, reason in ((110_000, ahead, "MALFORMED"), (4 * 10**9, None, "LIMIT_DOSE_HIGH")):
        with pytest.raises(Refused, match=reason):
            desk.stage(dose_ng, txid)
    with pytest.raises(Refused, match="UNKNOWN_TX"):
        desk.ask("READ_BACK", txid=bytes(16))


def _clinician(root: bytes = CLINIC, until_s: int = NOW_S + DAY_S, holder: str = "clinician") -> bytes:
    key = orders.public(PRESCRIBER.seed)
    return orders.credential(root, holder, key, "dr-x", orders.PRESCRIBER, until_s, 1)


def _altered(whole: bytes) -> bytes:
    return whole[:-1] + bytes([whole[-1] ^ 1])


def _of_tablet(static: bytes = TABLET_STATIC, days: int = 30, tablet_id: str = TABLET_ID) -> bytes:
    key = noise.public(static)
    return orders.credential(CLINIC, "tablet", key, tablet_id, orders.PRESCRIBER, NOW_S + days * DAY_S, 1)


@pytest.mark.parametrize(
    ("position", "credential", "reason"),
    [
        (orders.AUTHOR, _clinician(root=b"\x7f" * 32), "ROOT_UNKNOWN"),
        (orders.AUTHOR, _clinician(until_s=NOW_S - DAY_S), "EXPIRED_CREDENTIAL"),
        (orders.AUTHOR, _altered(_clinician()), "CREDENTIAL"),
        (orders.AUTHOR, _of_tablet(), "CREDENTIAL"),
        (orders.TABLET, _clinician(), "CREDENTIAL"),
        (orders.TABLET, _of_tablet(static=b"\x55" * 32), "CREDENTIAL"),
        (orders.TABLET, _of_tablet(tablet_id="T-9999"), "CREDENTIAL"),
        (orders.TABLET, _of_tablet(days=32), "CREDENTIAL"),
        (orders.SECOND, PRESCRIBER.credential, "SECOND_PERSON"),
    ],
)
def test_a_credential_that_does_not_hold_is_refused(
    desk: Client, position: int, credential: bytes, reason: str
) -> None:
    desk.present(orders.AUTHOR, PRESCRIBER.credential)
    with pytest.raises(Refused, match=f": {reason}$"):
        desk.present(position, credential)


def test_the_tablet_shows_itself_first_and_bounds_the_roles_of_its_persons(pump: Pump) -> None:
    low = orders.credential(
        CLINIC, "tablet", noise.public(OTHER_STATIC), OTHER_ID, orders.REFILL_NURSE, NOW_S + DAY_S, 1
    )
    with pump.client(OTHER_ID, OTHER_STATIC) as client:
        client.connect(replace(KNOWN, psk=OTHER_PSK))
        with pytest.raises(Refused, match="TABLET_CREDENTIAL"):
            client.present(orders.AUTHOR, REFILL_NURSE.credential)
        client.present(orders.TABLET, low)
        client.present(orders.AUTHOR, REFILL_NURSE.credential)
        with pytest.raises(Refused, match="ROLE"):
            client.present(orders.AUTHOR, PRESCRIBER.credential)
        client.present(orders.AUTHOR, person(b"\x42" * 32, 5, "qa").credential)
        client.close()


def test_an_order_stands_under_the_credentials_shown_in_this_session(desk: Client) -> None:
    assert refused(desk, desk.stage(110_000), [PRESCRIBER]) == ["SIGNER_UNKNOWN"]
    desk.present(orders.AUTHOR, OTHER_PRESCRIBER.credential)
    assert refused(desk, desk.stage(110_000), [PRESCRIBER]) == ["SIGNATURE"]
    desk.close()
