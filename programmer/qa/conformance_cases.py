"""All cases of a role, in the order in which they are tried."""

from programmer.qa import conformance_adapter, conformance_pump, conformance_therapy
from programmer.qa.conformance import ADAPTER, PUMP, Case
from programmer.qa.conformance_golden import suite


def of(role: str) -> list[Case]:
    """The cases of ``adapter`` or ``pump``; the golden vectors come first, the comparison with the beginning last."""
    first = suite(role).cases
    if role == ADAPTER:
        return [*first, *conformance_adapter.SUITE.cases]
    assert role == PUMP
    status, *rest = conformance_therapy.SUITE.cases
    return [*first, status, *conformance_pump.SUITE.cases, *rest]
