"""What a command says: data to standard output, talk to standard error, secrets by terminal or open file only."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

MAX_SECRET = 1_024


class Usage(Exception):
    """The command line cannot be obeyed as it is; the sentence says how to change it."""

    exit_code = 2


def data(text: str) -> None:
    """A line of data."""
    print(text)


def talk(text: str) -> None:
    """A line for the person, never for a script."""
    print(text, file=sys.stderr)


def document(schema: str, body: Mapping[str, Any]) -> None:
    """One JSON document with its schema."""
    print(json.dumps({"schema": schema, **body}, indent=1, ensure_ascii=True))


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(question: str) -> str:
    """What the person at the terminal keys, without the end of the line."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().rstrip("\n")


def secret_source(handle: int | None, option: str = "--secret-fd") -> None:
    """Refuse early where a secret could not be given."""
    if handle is None and not at_terminal():
        raise Usage(
            f"There is no terminal to ask for the secret. Give it by {option} N, an open file that holds it; "
            "a secret is never taken from the command line."
        )


def secret(user: str, handle: int | None, option: str = "--secret-fd") -> str:
    """The secret of a person, from the terminal or the open file. Raises ``Usage``."""
    secret_source(handle, option)
    if handle is None:
        import getpass

        try:
            return getpass.getpass(f"Secret of {user}: ", stream=sys.stderr)
        except EOFError:
            raise Usage("No secret was keyed, so nothing was sent. Begin anew and key it.") from None
    parts, size = [], 0
    try:
        while size <= MAX_SECRET and (part := os.read(handle, MAX_SECRET)):
            parts.append(part)
            size += len(part)
        return b"".join(parts).decode("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError, ValueError):
        raise Usage(
            f"The secret cannot be read from open file {handle}. Name an open file that holds it as text."
        ) from None
