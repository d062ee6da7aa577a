"""Draw the pictures of the documentation from the running program: ``python -m tests.ui.pictures``.

A demo clinic is made in a temporary folder, its pump started, and a physician's change walked up to the review.
"""

import asyncio
import re
from pathlib import Path
from tempfile import TemporaryDirectory

from textual.pilot import Pilot

from programmer.qa import demo_clinic
from programmer.qa.pump_process import PumpProcess
from programmer.ui.clinic import ClinicApp
from programmer.ui.model import Model
from programmer.ui.screens.base import FrameScreen
from programmer.visit.tablet import Tablet

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SIZE = (98, 27)
KEY_S = 0.1


async def keys(pilot: Pilot[int], *names: str) -> None:
    """Press keys as a person does, with time between them."""
    for name in names:
        await pilot.press(name)
        await pilot.pause(KEY_S)


async def front(pilot: Pilot[int], name: str) -> None:
    """Wait until a screen of that class stands in front and takes presses."""
    for _ in range(200):
        screen = pilot.app.screen
        if type(screen).__name__ == name and isinstance(screen, FrameScreen) and not screen.has_class("deaf"):
            return
        await pilot.pause(0.05)
    raise TimeoutError(f"{name} did not come; {type(pilot.app.screen).__name__} stands in front")


def save(app: ClinicApp, name: str) -> None:
    """Keep the screen as SVG; blanks are made hard, since viewers drop soft ones at the ends of a text."""
    svg = app.export_screenshot(title="ITB programmer")
    hard = re.sub(r">([^<>]*)</text>", lambda found: ">" + found[1].replace(" ", "&#160;") + "</text>", svg)
    (PICTURES / f"{name}.svg").write_text(hard, encoding="utf-8")


async def draw(tablet: Tablet, wand: str, user: demo_clinic.DemoUser) -> None:
    """Walk from the first page to the review, with a picture of each."""
    app = ClinicApp(Model(tablet, (wand,)))
    async with app.run_test(size=SIZE) as pilot:
        await front(pilot, "UnlockScreen")
        await keys(pilot, "enter", *user.secret, "enter")
        await front(pilot, "PickScreen")
        await keys(pilot, "enter")
        await pilot.pause(2)
        await keys(pilot, "tab", "enter")
        await front(pilot, "StatusScreen")
        await pilot.pause(2)
        save(app, "status")
        await keys(pilot, "d")
        await front(pilot, "EntryScreen")
        await keys(pilot, "1", "1", "5")
        save(app, "dose")
        await keys(pilot, "enter")
        await front(pilot, "ReviewScreen")
        save(app, "review")
        await keys(pilot, "escape")
        await front(pilot, "StatusScreen")
        await app.end()


def main() -> None:
    """Draw them all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder:
        data, state = Path(folder) / "data", Path(folder) / "state"
        demo_clinic.create(data, state)
        pump = PumpProcess.start(demo_clinic.provision_path(data), demo_clinic.state_path(data), "tcp:127.0.0.1:0")
        with pump, Tablet.open(data, state) as tablet:
            pump.control.send("advance", days=demo_clinic.DAYS_SINCE_FILL)
            asyncio.run(draw(tablet, pump.wand, demo_clinic.USERS[0]))


if __name__ == "__main__":
    main()
