"""The two secrets behind every user key: what the user knows, and what the tablet keeps off its disk image."""

import os
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

MIN_DIGITS = 8
MIN_PHRASE = 12
TABLET_SECRET_SIZE = 32
TABLET_SECRET_FILE = "tablet.secret"


class SecretTooWeak(ValueError):
    """The secret is too short or too uniform: take at least 8 digits, or a passphrase of 12 characters."""


class TabletSecretMissing(Exception):
    """The tablet secret is not in the state folder: put it back, or set the tablet up again."""


class TabletSecretOpen(Exception):
    """Others may read the tablet secret: set its file to be read by its owner only (mode 0600)."""


def user_secret(text: str) -> bytes:
    """The bytes of an acceptable secret: at least 8 digits, or a passphrase of at least 12 characters.

    Raises SecretTooWeak, also for one repeated character and for digits that only count up or down.
    """
    secret = unicodedata.normalize("NFC", text)
    digits = secret.isascii() and secret.isdigit()
    if len(secret) < (MIN_DIGITS if digits else MIN_PHRASE):
        raise SecretTooWeak("take at least 8 digits, or a passphrase of at least 12 characters")
    steps = {ord(b) - ord(a) for a, b in pairwise(secret)}
    if steps in ({0}, {1}, {-1}):
        raise SecretTooWeak("the secret repeats or counts: take another one")
    return secret.encode("utf-8")


def create_tablet_secret(state_dir: Path, random: Callable[[int], bytes]) -> bytes:
    """Draw the tablet secret and keep it in the state folder, mode 0600. An existing one is never replaced."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = random(TABLET_SECRET_SIZE)
    handle = os.open(state_dir / TABLET_SECRET_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def read_tablet_secret(state_dir: Path) -> bytes:
    """The tablet secret. Raises TabletSecretMissing or TabletSecretOpen."""
    path = state_dir / TABLET_SECRET_FILE
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        raise TabletSecretMissing(f"{path} is missing: put it back, or set the tablet up again") from None
    if len(secret) != TABLET_SECRET_SIZE:
        raise TabletSecretMissing(f"{path} is damaged: put it back, or set the tablet up again")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise TabletSecretOpen(f"others may read {path}: set its mode to 0600")
    return secret
