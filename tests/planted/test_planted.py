"""Each planted fault is found by the check that names it, and each check passes on the program as it is."""

import pytest
from _pytest.outcomes import Failed

from programmer.visit.desk import PumpRefused, ReadBackDiffers
from programmer.visit.machine import NotNow
from tests.planted.mutants import MUTANTS, Mutant

CHECKS = {mutant.check.__name__: mutant.check for mutant in MUTANTS}
NOTICED = (AssertionError, Failed, NotNow, PumpRefused, ReadBackDiffers)
"""How a check fails: its own assertion, or the program's refusal where none is expected. No other error counts."""


@pytest.mark.parametrize("name", CHECKS)
def test_the_check_passes_on_the_program_as_it_is(name: str) -> None:
    CHECKS[name]()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_fault_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    with pytest.raises(NOTICED):
        mutant.check()
