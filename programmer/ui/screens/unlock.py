"""Unlock: who are you, and your secret. No patient data, nobody preselected."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from programmer.ui.messages import Acted, UnlockAsked
from programmer.ui.present.views import ActionView, UnlockView
from programmer.ui.screens.base import ActionRow
from programmer.ui.screens.keyed import KeyedScreen
from programmer.ui.strings import en
from programmer.ui.widgets.action_button import ActionButton
from programmer.ui.widgets.keypad import Keypad
from programmer.ui.widgets.safe_text import Lines, SafeText
from programmer.ui.widgets.secret_pad import SecretPad
from programmer.ui.widgets.touch_list import Tile, TouchList


class UnlockScreen(KeyedScreen):
    """User tiles, notices, the secret and the keypad."""

    safe_focus = "Tile"

    def __init__(self, view: UnlockView) -> None:
        super().__init__()
        self.view = view

    def body(self) -> ComposeResult:
        """Tiles and secret left, keypad right."""
        yield SafeText(self.view.title, id="title")
        with Horizontal(id="entry-page"):
            with Vertical(id="entry-left"):
                yield Lines(self.view.notices, id="above")
                yield TouchList(self.view.users, id="users")
                yield Lines(id="word")
                yield Vertical(id="spring")
                with Horizontal(id="field-row"):
                    yield SecretPad(id="secret")
                    yield ActionButton(ActionView("clear", en.CLEAR), id="act-clear")
                yield ActionRow((*self.view.actions, ActionView("unlock", "UNLOCK")), id="entry-actions")
            yield Keypad(id="keypad")

    def on_mount(self) -> None:
        """Show the message of the view."""
        self.show_word(self.view.message.text if self.view.message else "")

    async def show(self, view: UnlockView) -> None:
        """Show other users, notices or a message."""
        self.view = view
        self.query_one("#title", SafeText).say(view.title)
        self.query_one("#above", Lines).show(view.notices)
        self.show_word(view.message.text if view.message else "")
        await self.query_one("#users", TouchList).show(view.users)

    def on_tile_pressed(self, event: Tile.Pressed) -> None:
        """A user was picked: on to the secret."""
        self.query_one(SecretPad).focus()

    def on_secret_pad_entered(self, event: SecretPad.Entered) -> None:
        """Enter in the secret."""
        event.stop()
        self.unlock()

    def act(self, action: str) -> None:
        """UNLOCK, or another action."""
        if action == "unlock":
            self.unlock()
        else:
            self.post_message(Acted(action))

    def unlock(self) -> None:
        """Post user and secret, or say what is missing."""
        picked = self.query_one("#users", TouchList).picked
        pad = self.query_one(SecretPad)
        if not picked or pad.blank:
            word = "Pick who you are first." if not picked else "Key your secret first."
            self.show_word(word)
            return
        self.post_message(UnlockAsked(picked[0], pad.take()))
