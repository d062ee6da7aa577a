"""What a failed run leaves behind, in a folder of its own: trace, bytes, pump truth, tablet view, the log."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from programmer.audit.export import export_log, write_export
from programmer.qa.scenario import Scenario
from programmer.qa.transcript import Recorder, write
from programmer.qa.world_pump import WorldPump
from programmer.qa.world_tablet import View, WorldTablet


def keep(
    folder: Path,
    scenario: Scenario,
    seed: int,
    failure: str,
    recorder: Recorder,
    pump: WorldPump,
    tablets: Mapping[str, WorldTablet],
) -> Path:
    """Write the folder anew; its path. What an earlier run of the same name left there is replaced."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    vary = "".join(f" --vary {name}={value}" for name, value in scenario.vary)
    again = f"programmer qa run {scenario.source} --seed {seed}{vary}"
    (folder / "failure.txt").write_text(f"{failure}\n\nAgain: {again}\n", encoding="utf-8")
    write(
        folder / "transcript.jsonl",
        scenario.text,
        scenario.source,
        seed,
        scenario.vary,
        scenario.file.pump.profile,
        recorder.lines,
    )
    (folder / "trace.jsonl").write_text("\n".join(recorder.only("step", "control", "end")) + "\n", encoding="utf-8")
    (folder / "wire.jsonl").write_text("\n".join(recorder.only("wire")) + "\n", encoding="utf-8")
    _json(folder / "state.json", pump.control("status"))
    for letter, tablet in tablets.items():
        _json(folder / f"tablet-{letter}.json", _view(tablet.view))
        write_export(folder / f"log-{letter}", export_log(tablet.log))
    return folder


def _json(path: Path, body: Any) -> None:
    path.write_text(json.dumps(body, indent=1, sort_keys=True, default=str) + "\n", encoding="utf-8")


def _view(view: View) -> dict[str, Any]:
    return {
        "status": None if view.status is None else view.status.model_dump(mode="python"),
        "word": None if view.word is None else view.word.value,
        "read_back": None if view.read_back is None else view.read_back.model_dump(mode="python"),
        "findings": view.findings,
        "refused": view.refused,
        "refused_by": view.refused_by,
        "says": view.says,
        "sent": view.sent,
    }
