"""Collects every scenario file as tests: the same runner as ``programmer qa run``, one item for each variant."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from programmer.qa.run import run
from programmer.qa.scenario import Scenario, variants


class ScenarioFailed(Exception):
    """The scenario does not hold; the text is the runner's."""


class ScenarioItem(pytest.Item):
    def __init__(self, *, scenario: Scenario, **more: Any) -> None:
        super().__init__(**more)
        self.scenario = scenario
        if "full" in scenario.file.tags:
            self.add_marker(pytest.mark.full)

    def runtest(self) -> None:
        result = run(self.scenario)
        if not result.passed:
            raise ScenarioFailed(result.failure)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, ScenarioFailed) else super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.scenario.title


class ScenarioModule(pytest.File):
    def collect(self) -> Iterator[ScenarioItem]:
        for scenario in variants(self.path):
            yield ScenarioItem.from_parent(self, name=scenario.title, scenario=scenario)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return ScenarioModule.from_parent(parent, path=file_path) if file_path.suffix == ".toml" else None
