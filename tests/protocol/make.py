"""Messages to test with: any message of a class, and the largest one."""

import string
from typing import Any

from hypothesis import strategies as st

from protocol import messages as m
from protocol.wire_model import Wire, WireModel

NAME = string.ascii_uppercase + string.digits + "-"
ANY_LENGTH = {(m.Refused, "txid"): 16}
LISTS = {
    (m.Events, "items"): (m.EventItem, 0, 12),
    (m.Commit, "signatures"): (64, 1, 2),
    (m.Refused, "reasons"): (m.Refusal, 1, 16),
}


def bounds(kind: type[WireModel], name: str) -> dict[str, Any]:
    """Range and length of a field as it is declared."""
    found: dict[str, Any] = {}
    for item in kind.model_fields[name].metadata:
        for part in getattr(item, "metadata", None) or [item]:
            for bound in ("ge", "le", "min_length", "max_length"):
                value = getattr(part, bound, None)
                if value is not None and not isinstance(part, Wire):
                    narrower = {"le": min, "max_length": min}.get(bound, max)
                    found[bound] = narrower(found.get(bound, value), value)
    return found


def value(kind: type[WireModel], name: str) -> st.SearchStrategy[Any]:
    """Any legal value of a field."""
    if (kind, name) in LISTS:
        item, least, most = LISTS[kind, name]
        each = (
            st.binary(min_size=64, max_size=64) if item == 64
            else any_of(m.EventItem) if item is m.EventItem
            else st.sampled_from(m.Refusal)
        )  # fmt: skip
        return st.lists(each, min_size=least, max_size=most).map(tuple)
    declared = kind.model_fields[name].annotation
    limits = bounds(kind, name)
    if isinstance(declared, type) and issubclass(declared, WireModel):
        return any_of(declared)
    if isinstance(declared, type) and hasattr(declared, "__members__"):
        return st.sampled_from(declared)
    if declared is bool:
        return st.booleans()
    if declared is bytes:
        return st.binary(min_size=limits.get("min_length", 0), max_size=limits["max_length"])
    if declared is str:
        return st.text(NAME, min_size=limits["min_length"], max_size=limits["max_length"])
    if declared is int:
        return st.integers(limits["ge"], limits["le"])
    return st.none() | st.integers(0, 2**32 - 1)


def any_of(kind: type[WireModel]) -> st.SearchStrategy[Any]:
    """Any legal object of a class."""
    return st.builds(kind, **{name: value(kind, name) for name in kind.model_fields})


LARGEST_STATUS = m.Status(
    pump_time_s=2**32 - 1,
    realm=m.Realm.SIMULATED,
    mode=m.Mode.SAFE_STATE,
    drug=m.Drug.BACLOFEN,
    dose_ng_per_day=2**32 - 1,
    flow_nl_per_day=2**32 - 1,
    concentration_ng_per_ml=2**32 - 1,
    alarm_nl=2**32 - 1,
    epoch=2**32 - 1,
    program_digest8=b"\xff" * 8,
    since_s=2**32 - 1,
    reservoir_nl=2**32 - 1,
    capacity_nl=2**32 - 1,
    filled_nl=2**32 - 1,
    filled_at_s=2**32 - 1,
    delivered_nl=2**32 - 1,
    battery_mv=2**16 - 1,
    battery_used_permille=2**16 - 1,
    eri_at_s=2**32 - 1,
    alarms=2**16 - 1,
    silenced=2**16 - 1,
    events_first=2**32 - 1,
    events_next=2**32 - 1,
    patient_tag=b"\xff" * 8,
    profile=2**16 - 1,
    gap_s=2**32 - 1,
    discrepancy=m.Discrepancy.CLOSED,
    staged=True,
    interrupted=2**16 - 1,
    resets=2**16 - 1,
)
"""Every field at the value that takes the most bytes."""

PROGRAM = m.Program(
    mode=m.Mode.SIMPLE,
    dose_ng_per_day=100_000,
    concentration_ng_per_ml=2_000_000,
    alarm_nl=2_000_000,
    drug=m.Drug.BACLOFEN,
)
"""100 mcg/day of baclofen 2,000 mcg/mL, low-reservoir alarm at 2 mL."""
