"""The examples in the docstrings of the wire rooms are true."""

import doctest
import importlib

import pytest

MODULES = ["protocol.framing", "protocol.link", "protocol.noise", "protocol.units", "drivers.errors", "drivers.address"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
