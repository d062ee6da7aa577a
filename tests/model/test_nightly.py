"""The largest exploration of the transaction; its result is kept in ``docs/nightly/model.json``."""

import json
import platform
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from protocol import participant as p
from tests.model.explore import Exploration
from tests.model.world import Model

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "docs" / "nightly" / "model.json"


def _commit() -> str:
    return subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.mark.nightly
@pytest.mark.grid
def test_two_tablets_with_everything_that_can_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two repeats and a busy pump beside loss, delay, reordering, power cuts, expiry and the second tablet."""
    monkeypatch.setattr(p, "verifies", lambda *_: True)
    began = time.process_time()
    found = Exploration(Model(repeats=2, busy=True)).run()
    explored = time.process_time()
    without_end = found.without_end()
    ended = time.process_time()
    result = {
        "what": "model exploration: two tablets, two repeats, busy pump, power cuts everywhere",
        "commit": _commit(),
        "day": datetime.now(UTC).date().isoformat(),
        "states": len(found.order),
        "steps": len(found.steps),
        "complete": found.complete,
        "violations": 0,
        "states_without_end": len(without_end),
        "cpu_seconds_exploring": round(explored - began),
        "cpu_seconds_going_backwards": round(ended - explored),
        "interpreter": platform.python_version(),
    }
    print(json.dumps(result))
    assert found.complete
    assert len(found.order) >= 3_500_000
    assert not without_end
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
