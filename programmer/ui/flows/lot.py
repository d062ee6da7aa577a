"""Lot and expiry of the vial."""

import re
from datetime import date
from typing import TYPE_CHECKING

from programmer.ui.flows.base import Flow
from programmer.ui.screens.lot import LotScreen

if TYPE_CHECKING:
    from programmer.ui.clinic import ClinicApp
    from programmer.ui.flows.refill import RefillFlow

_LOT = re.compile(r"[A-Za-z0-9./ -]{1,20}")


class LotFlow(Flow):
    """Ask, check, hand back to the wizard."""

    def __init__(self, app: "ClinicApp", wizard: "RefillFlow") -> None:
        super().__init__(app)
        self.wizard = wizard
        self.screen: LotScreen | None = None

    async def begin(self) -> None:
        """Show the fields."""
        self.screen = LotScreen()
        await self.app.show(self.screen)

    async def acted(self, action: str) -> None:
        """GO ON, LOT NOT READ, BACK."""
        assert self.screen is not None
        if action == "back":
            await self.app.start_flow(self.wizard)
        elif action == "unread":
            await self.wizard.lot_known("", "")
        elif action == "go":
            lot, expires = self.screen.texts
            problem = self._problem(lot, expires)
            if problem:
                self.screen.show_word(problem)
            else:
                await self.wizard.lot_known(lot, expires)

    def _problem(self, lot: str, expires: str) -> str:
        if not _LOT.fullmatch(lot):
            return "A lot has 1 to 20 letters, digits, points, slashes and hyphens. Or: LOT NOT READ."
        try:
            day = date.fromisoformat(expires)
        except ValueError:
            return "The expiry date reads like 2027-06-30."
        if day < self.model.tablet.today():
            return "This vial has expired. Do not inject it; take another one."
        return ""
