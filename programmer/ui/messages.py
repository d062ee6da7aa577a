"""Typed messages from the screens to the application. A screen posts; it never calls a service."""

from textual.message import Message

from programmer.clinical.entry import EntryEvent, EntryResult


class Acted(Message):
    """An action was asked for, by key or touch. ``action`` is its id in the view."""

    def __init__(self, action: str) -> None:
        self.action = action
        super().__init__()


class Picked(Message):
    """A tile was picked. ``tile`` is its id in the view."""

    def __init__(self, tile: str) -> None:
        self.tile = tile
        super().__init__()


class UnlockAsked(Message):
    """A user asks to be let in. The secret is dropped by the screen as it posts."""

    def __init__(self, user: str, secret: str) -> None:
        self.user, self.secret = user, secret
        super().__init__()


class DraftChanged(Message):
    """The text in the number field changed; ``result`` is its answer now, for the live lines."""

    def __init__(self, text: str, result: EntryResult) -> None:
        self.text, self.result = text, result
        super().__init__()


class NumberKeyed(Message):
    """A number was confirmed, with the raw key events that made it and the ids of the checks ticked."""

    def __init__(
        self, result: EntryResult, keys: tuple[EntryEvent, ...], reason: str, checks: tuple[str, ...] = ()
    ) -> None:
        self.result, self.keys, self.reason, self.checks = result, keys, reason, checks
        super().__init__()


class EntryLeft(Message):
    """The number field was left without a value; ``discarded`` after ten idle minutes."""

    def __init__(self, discarded: bool = False) -> None:
        self.discarded = discarded
        super().__init__()


class SendAsked(Message):
    """Sign and send: with the secret, by hold (``rekeyed`` is None) or by keying the value again."""

    def __init__(self, secret: str, rekeyed: EntryResult | None) -> None:
        self.secret, self.rekeyed = secret, rekeyed
        super().__init__()


class LockAsked(Message):
    """F9 or LOCK in the header."""


class LeaveAsked(Message):
    """ctrl+q, ctrl+c: close the visit, if its state allows."""


class GlobalKey(Message):
    """A function key of the frame that is not the screen's own."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__()
