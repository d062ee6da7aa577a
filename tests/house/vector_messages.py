"""Golden vectors of every message and of every reason of refusal."""

from typing import Any

import cbor2

from protocol import messages as m
from tests.house.spec import PARTS, capitals
from tests.house.vector_inputs import TXID, largest, smallest, wrong
from tests.house.vector_wire import noted


def messages() -> dict[str, Any]:
    """Each message at its smallest and its largest, and what is refused of it."""
    found = []
    for op, kind in sorted(m.MESSAGES.items()):
        cases = []
        for number, (name, value) in enumerate((("smallest", smallest(kind)), ("largest", largest(kind)))):
            request_id = 0xFFFF * number
            data = m.encode_message(request_id, value)
            cases.append(
                {"name": name, "request_id": request_id, "bytes": data.hex(), "body": noted(value.to_wire())}
            )  # fmt: skip
        refused, accepted = [], []
        for name, body, good in wrong(kind):
            case = {"name": name, "bytes": cbor2.dumps([op, 1, body], canonical=True).hex()}
            (accepted if good else refused).append(case)
        found.append(
            {
                "op": op,
                "name": capitals(kind.__name__),
                "to_pump": kind.REQUEST,
                "affects_therapy": kind.AFFECTS_THERAPY,
                "fields": list(kind.wire_keys().values()),
                "cases": cases,
                "refused": refused,
                "accepted_and_ignored": accepted,
            }
        )
    envelope = [
        {"name": name, "bytes": cbor2.dumps(value, canonical=True).hex()}
        for name, value in (
            ("no such op", [9, 1, {}]),
            ("an op above 255", [256, 1, {}]),
            ("an op that is a boolean", [True, 1, {}]),
            ("no body", [3, 1]),
            ("one element more", [3, 1, {}, 0]),
            ("a request id of 65,536", [3, 65_536, {}]),
            ("a request id that is a boolean", [3, False, {}]),
            ("a request id of text", [3, "1", {}]),
            ("a body that is an array where a map is due", [3, 1, []]),
            ("a body that is a map where an array is due", [4, 1, {0: 0}]),
            ("a map in place of the envelope", {0: 3, 1: 1, 2: {}}),
        )
    ]
    return {"section": "5, 7, 8", "messages": found, "refused_envelopes": envelope}


def refusals() -> dict[str, Any]:
    """REFUSED with each reason."""
    codes = [
        {
            "code": int(reason),
            "name": reason.name,
            "bytes": m.encode_message(7, m.Refused(op=m.Commit.OP, txid=TXID, reasons=(reason,))).hex(),
        }
        for reason in m.Refusal
    ]
    every = tuple(m.Refusal)[:16]
    several = m.encode_message(7, m.Refused(op=m.StageProgram.OP, txid=TXID, reasons=every))
    unknown = cbor2.dumps([m.Refused.OP, 7, {0: 23, 1: TXID, 2: [max(m.Refusal) + 1]}], canonical=True)
    return {
        "section": "7",
        "codes": codes,
        "sixteen_at_once": {"codes": [int(item) for item in every], "bytes": several.hex()},
        "refused": [{"name": "a reason that does not exist", "bytes": unknown.hex()}],
    }


def parts() -> dict[str, Any]:
    """Greetings, beacon and what messages are made of, each alone."""
    found = []
    for kind in PARTS:
        for name, value in (("smallest", smallest(kind)), ("largest", largest(kind))):
            found.append(
                {"name": f"{kind.__name__} {name}", "bytes": value.encode().hex(), "value": noted(value.to_wire())}
            )
    return {"section": "8", "parts": found}
