"""The number field, keypad, secret and hold button under keys and mouse."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from textual import events
from textual.pilot import Pilot

from programmer.clinical.entry import Key, Outcome, Reason
from programmer.ui.app import ProgrammerApp
from programmer.ui.messages import Acted, EntryLeft, NumberKeyed, SendAsked, UnlockAsked
from programmer.ui.present.views import Line
from programmer.ui.screens.keyed import EntryScreen, SoftQuestion
from programmer.ui.widgets.hold_button import HoldButton
from programmer.ui.widgets.keypad_key import KeypadKey
from programmer.ui.widgets.number_entry import NumberEntry
from programmer.ui.widgets.secret_pad import SecretPad
from tests.ui.fixtures import FRAME, all_screens
from tests.ui.grid import grid


class Recorder(ProgrammerApp):
    """The application, keeping what the screens post."""

    def __init__(self) -> None:
        super().__init__(reduced_motion=True)
        self.posted: list[Any] = []
        self.frame = FRAME

    def on_acted(self, event: Acted) -> None:
        self.posted.append(event)

    def on_number_keyed(self, event: NumberKeyed) -> None:
        self.posted.append(event)

    def on_entry_left(self, event: EntryLeft) -> None:
        self.posted.append(event)

    def on_send_asked(self, event: SendAsked) -> None:
        self.posted.append(event)

    def on_unlock_asked(self, event: UnlockAsked) -> None:
        self.posted.append(event)


Script = Callable[[Recorder, Any, Pilot[int]], Awaitable[None]]


def play(name: str, script: Script, size: tuple[int, int] = (98, 27)) -> Recorder:
    """Open a screen, wait out its dead time, run the script."""

    async def run() -> Recorder:
        app = Recorder()
        async with app.run_test(size=size) as pilot:
            screen = all_screens()[name]
            await app.push_screen(screen)
            await pilot.pause(0.35)
            await script(app, screen, pilot)
            await pilot.pause()
        return app

    return asyncio.run(run())


FAR_MS = 10**9
"""Longer than any test takes, so that a dead time ends when the test says so and not when the machine is slow."""


async def keyed(pilot: Pilot[int], text: str) -> None:
    """Type with more than 60 ms between the keys."""
    for character in text:
        await pilot.press({".": "full_stop", ",": "comma"}.get(character, character))
        await pilot.pause(0.07)


def test_a_value_keyed_is_committed_with_its_raw_keys() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        assert screen.number.state.elements == ()
        await keyed(pilot, "110.5")
        assert any("110.5 mcg/day" in row for row in grid(app))
        await pilot.press("enter")

    (posted,) = play("dose", script).posted
    assert posted.result.base_value == 110_500
    assert "".join(k.char for k in posted.keys if isinstance(k, Key)) == "110.5"
    assert posted.reason == ""


def test_a_comma_locks_and_says_what_to_do() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        await keyed(pilot, "100,5")
        await pilot.press("enter")
        await pilot.pause()
        shown = "\n".join(grid(app))
        assert "100,5 mcg/day" in shown
        assert "use a" in shown
        assert "LOCKED" in shown
        assert screen.number.state.lock is Reason.E_GROUPING
        await pilot.press("backspace", "backspace")
        assert screen.number.state.fit

    assert play("dose", script, (80, 24)).posted == []


def test_paste_and_caret_keys_lock() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        field = screen.number
        field.post_message(events.Paste("100"))
        await pilot.pause()
        assert field.state.lock is Reason.E_PASTE
        await pilot.press("backspace", "left")
        assert field.state.lock is Reason.E_CURSOR
        await pilot.press("backspace", "delete")
        assert field.state.lock is Reason.E_CURSOR
        assert any("‹ARROW›" in row for row in grid(app))

    assert play("dose", script).posted == []


def test_taps_on_the_keypad_are_digits_or_a_visible_lock() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        field = screen.number
        for at, name in ((0, "1"), (90, "0"), (180, "0")):
            screen.query_one(f"#key-{name}", KeypadKey).post_message(KeypadKey.Pressed(name, at))
        await pilot.pause()
        assert field.state.text == "100"
        assert field.state.fit
        screen.query_one("#key-0", KeypadKey).post_message(KeypadKey.Pressed("0", 239))
        await pilot.pause()
        assert field.state.text == "1000"
        assert field.state.lock is Reason.E_BOUNCE
        await pilot.click("#act-clear")
        assert field.state.elements == ()

    play("dose", script)


def test_the_mouse_alone_keys_and_checks() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        for key in ("1", "1", "erase", "0", "5", "point", "5"):
            await pilot.mouse_down(f"#key-{key}")
            await pilot.pause(0.07)
            await pilot.mouse_up(f"#key-{key}")
        await pilot.click("#act-confirm")

    (posted,) = play("dose", script).posted
    assert posted.result.value == "105.5"


def test_a_soft_limit_asks_a_reason_and_enter_alone_cannot_give_it() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        await keyed(pilot, "120")
        await pilot.press("enter")
        await pilot.pause()
        question = app.screen
        assert isinstance(question, SoftQuestion)
        assert question.deaf_until_ms > 0
        question.deaf_until_ms += FAR_MS
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is question
        question.deaf_until_ms = 0
        await pilot.press("enter")
        await pilot.pause()
        assert app.screen is screen
        assert screen.number.state.text == "120"
        assert app.posted == []
        await pilot.press("enter")
        await pilot.pause(0.35)
        await pilot.click("#act-reason-1")

    (posted,) = play("dose", script).posted
    assert (posted.result.value, posted.reason) == ("120", "titration plan")
    assert posted.result.outcome is Outcome.CONFIRM


def test_esc_leaves_and_says_what_stays_in_force() -> None:
    async def script(app: Recorder, screen: EntryScreen, pilot: Pilot[int]) -> None:
        await keyed(pilot, "1")
        await pilot.press("escape")
        await pilot.pause()
        assert any("still runs 100 mcg/day" in row for row in grid(app))

    (posted,) = play("dose", script).posted
    assert isinstance(posted, EntryLeft)
    assert not posted.discarded


def test_a_secret_is_masked_and_handed_over_once() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        await pilot.click("#tile-rivera")
        await keyed(pilot, "8246")
        shown = "\n".join(grid(app))
        assert "••••" in shown
        assert "8246" not in shown
        await pilot.press("enter")
        assert screen.query_one(SecretPad).blank

    (posted,) = play("unlock", script).posted
    assert (posted.user, posted.secret) == ("rivera", "8246")


def test_unlock_without_a_user_says_so() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        await pilot.click("#act-unlock")
        await pilot.pause()
        assert any("Pick who you are" in row for row in grid(app))

    assert play("unlock", script).posted == []


def test_send_needs_a_secret_and_the_value_again_or_an_unbroken_hold() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        await keyed(pilot, "8246")
        await pilot.press("enter")
        await pilot.pause()
        assert app.posted == []
        assert isinstance(screen.focused, NumberEntry)
        await pilot.mouse_down("#act-send")
        await pilot.pause(0.2)
        await pilot.mouse_up("#act-send")
        await pilot.pause()
        assert any("released before 1.5 s" in row for row in grid(app))
        assert app.posted == []
        screen.query_one("#number").focus()
        await keyed(pilot, "115")
        await pilot.press("enter")

    (posted,) = play("sign", script).posted
    assert posted.secret == "8246"
    assert posted.rekeyed.value == "115"


def test_a_full_hold_sends_once() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        await keyed(pilot, "8246")
        await pilot.mouse_down("#act-send")
        await pilot.pause()
        button = screen.query_one("#act-send", HoldButton)
        for _ in range(15):
            button.tick()
        await pilot.pause()
        await pilot.mouse_up("#act-send")

    (posted,) = play("sign", script).posted
    assert posted.rekeyed is None


def test_a_new_screen_is_deaf_for_a_moment() -> None:
    async def run() -> list[Any]:
        app = Recorder()
        async with app.run_test(size=(98, 27)) as pilot:
            screen = all_screens()["review"]
            await app.push_screen(screen)
            await pilot.pause()
            assert screen.deaf_until_ms > 0
            screen.deaf_until_ms += FAR_MS
            await pilot.press("enter")
            await pilot.pause()
            first = list(app.posted)
            screen.deaf_until_ms = 0
            await pilot.press("enter")
            await pilot.pause()
            assert first == []
            return app.posted

    (posted,) = asyncio.run(run())
    assert posted.action == "back"


def test_letters_act_only_where_no_number_is_keyed() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        await pilot.press("d")

    (posted,) = play("status", script).posted
    assert posted.action == "dose"
    for name, screen in all_screens().items():
        if screen.letters:
            assert name not in ("dose", "sign", "unlock", "injected")


def test_after_a_wrong_secret_the_next_one_goes_into_the_masked_field() -> None:
    async def script(app: Recorder, screen: Any, pilot: Pilot[int]) -> None:
        screen.query_one("#number").focus()
        await screen.show(replace(screen.view, message=Line("The secret does not open this key.")))
        await pilot.pause()
        await pilot.press("2")
        await pilot.pause(0.1)
        assert screen.query_one(SecretPad).has_focus
        assert screen.query_one("#number", NumberEntry).state.text == ""

    play("sign", script)
