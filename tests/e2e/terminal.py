"""A real pseudo terminal with the program in it: what is painted, the keys and the mouse of a person.

The program runs as its own process on the terminal's other end; pyte plays the glass. Nothing of the program is
imported here but the colours, by which a person sees where the focus is.
"""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

from programmer.ui.styles.themes import THEMES

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0
DEAF_S = 0.35
"""A fresh page ignores presses for 300 ms after it came."""
KEY_GAP_S = 0.08
"""Between two digits: the field takes two of the same within 60 ms for a bounce."""
QUIET_S = 0.06
"""A paint comes in pieces; after so long without one it is whole."""
FOCUS = THEMES[0].variables["key-focus"].lstrip("#").lower()
NAMED = {
    "enter": "\r", "tab": "\t", "esc": "\x1b", "ctrl+q": "\x11", "down": "\x1b[B",
    "f1": "\x1bOP", "f4": "\x1bOS", "f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~",
}  # fmt: skip


class NotSeen(AssertionError):
    """The screen did not come to show what was waited for; the message holds the screen."""


class Terminal:
    """One program in one terminal of ``columns`` by ``rows``."""

    def __init__(self, arguments: list[str], columns: int, rows: int, env: Mapping[str, str]) -> None:
        self.glass = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.glass)
        self._master, slave = os.openpty()
        self._size(columns, rows)
        around = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "programmer", *arguments],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=ROOT,
            env={**around, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT), **env},
        )  # fmt: skip
        os.close(slave)
        self._typed_at = 0.0

    # -- seeing -----------------------------------------------------------------------------------------------------

    @property
    def lines(self) -> list[str]:
        """The painted rows."""
        return [line.rstrip() for line in self.glass.display]

    @property
    def text(self) -> str:
        """The painted rows as one text; no-break spaces read as spaces."""
        return "\n".join(self.lines).replace("\xa0", " ")

    def look(self, seconds: float) -> None:
        """Take in what the program paints for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def _read(self, wait_s: float) -> bool:
        """Take in one piece; whether there was one."""
        ready, _, _ = select.select([self._master], [], [], wait_s)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the other end is closed
            time.sleep(min(wait_s, 0.02))
            return False
        self._stream.feed(data)
        return True

    def settle(self) -> None:
        """Take in the rest of what is being painted."""
        while self._read(QUIET_S):
            pass

    def until(self, seen: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until ``seen`` holds. Raises ``NotSeen`` with the screen."""
        end = time.monotonic() + patience_s
        while not seen():
            if time.monotonic() > end or (self.process.poll() is not None and not self._read(0.1) and not seen()):
                raise NotSeen(f"never saw {what!r} on this screen:\n{self.text}")
            self._read(0.02)

    def see(self, *texts: str, patience_s: float = PATIENCE_S) -> None:
        """Wait until every text is painted at once."""
        self.until(lambda: all(text in self.text for text in texts), " and ".join(texts), patience_s)

    def page(self, *texts: str) -> None:
        """Wait for another page, and until it hears."""
        self.see(*texts)
        self.look(DEAF_S)
        self.settle()

    # -- keys -------------------------------------------------------------------------------------------------------

    def press(self, *names: str) -> None:
        """Press keys by name or character."""
        for name in names:
            os.write(self._master, NAMED.get(name, name).encode())
            self.look(0.03)

    def keyed(self, text: str) -> None:
        """Wait until the number field in front, the one with the heaviest edge, shows so much, and a gap longer."""
        field = re.compile(rf"[║┃]\s*{re.escape(text)}\s")
        self.until(lambda: any(field.search(line) for line in self.lines), f"the field with {text!r}")
        self.look(KEY_GAP_S)

    def digits(self, text: str) -> None:
        """Key a number into the field in front, each digit seen there before the next."""
        for n in range(len(text)):
            self.press(text[n])
            self.keyed(text[: n + 1])

    def secret(self, text: str) -> None:
        """Key a secret; only its length is painted."""
        os.write(self._master, text.encode())
        self.see("•" * len(text))

    def focused(self, label: str) -> bool:
        """Whether the control with that label has the focus, by its colour; an unavailable one by its edge."""
        return any(
            self.glass.buffer[row][column].bg.lower() == FOCUS or self._edged(row, column)
            for row, column in self._places(label)
        )

    def _edged(self, row: int, column: int) -> bool:
        """Whether the nearest edge to the left is the heavy one of the focus."""
        for cell in (self.glass.buffer[row][x] for x in range(column - 1, -1, -1)):
            if cell.data in "│┃":
                return cell.data == "┃" and cell.fg.lower() == FOCUS
        return False

    def _look_of_the_page(self) -> list[tuple[str, str, bool]]:
        """Colours and heavy edges under the header: what moves with the focus, and with no clock."""
        cells = (self.glass.buffer[y][x] for y in range(4, self.glass.lines) for x in range(self.glass.columns))
        return [(cell.fg, cell.bg, cell.data == "┃") for cell in cells]

    def choose(self, label: str) -> None:
        """Go to a control with Tab and press Enter."""
        self.see(label)
        for _ in range(30):
            if self.focused(label):
                self.press("enter")
                return
            before = self._look_of_the_page()
            self.press("tab")
            self.until(lambda: self._look_of_the_page() != before, "the focus moving on")  # noqa: B023  # at once
            self.settle()
        raise NotSeen(f"Tab never reaches {label!r} on this screen:\n{self.text}")

    # -- mouse ------------------------------------------------------------------------------------------------------

    def _places(self, label: str) -> list[tuple[int, int]]:
        """Row and column of each occurrence, where it is not a part of a longer word."""
        pattern = re.compile(rf"(?<![\w.]){re.escape(label)}(?![\w.])")
        rows = (line.replace("\xa0", " ") for line in self.glass.display)
        return [(y, found.start()) for y, line in enumerate(rows) for found in pattern.finditer(line)]

    def place(self, label: str, last: bool = True) -> tuple[int, int]:
        """Column and row (from 1) of a label; the last one on the screen, where the buttons are."""
        self.until(lambda: bool(self._places(label)), label)
        row, column = self._places(label)[-1 if last else 0]
        return column + 1, row + 1

    def _mouse(self, x: int, y: int, down: bool) -> None:
        os.write(self._master, f"\x1b[<0;{x};{y}{'M' if down else 'm'}".encode())

    def click(self, label: str) -> None:
        """Press and release on a label."""
        x, y = self.place(label)
        self._mouse(x, y, True)
        self.look(0.03)
        self._mouse(x, y, False)
        self.look(0.03)

    def hold(self, label: str, seconds: float | None = None) -> None:
        """Press and keep pressed until the button is gone, as the bar on it asks for, or only for ``seconds``."""
        x, y = self.place(label)
        self._mouse(x, y, True)
        if seconds is None:
            self.until(lambda: not self._places(label), f"that {label!r} acts")
        else:
            self.look(seconds)
        self._mouse(x, y, False)
        self.look(0.03)

    def key_row(self, digit: str) -> tuple[int, int]:
        """Where a key of the keypad is: the digit alone between two edges, right of the middle."""
        for y, line in enumerate(self.glass.display):
            for found in re.finditer(rf"│\s+{re.escape(digit)}\s+│", line):
                if found.start() > self.glass.columns // 2:
                    return line.index(digit, found.start()) + 1, y + 1
        raise NotSeen(f"no key {digit!r} on this screen:\n{self.text}")

    def _tap(self, digit: str) -> None:
        x, y = self.key_row(digit)
        self._mouse(x, y, True)
        self.look(0.02)
        self._mouse(x, y, False)

    def tap_digits(self, text: str) -> None:
        """Key a number on the keypad with the mouse, each digit seen in the field before the next."""
        for n, digit in enumerate(text):
            self._tap(digit)
            self.keyed(text[: n + 1])

    def tap_secret(self, text: str) -> None:
        """Key a secret on the keypad with the mouse; only its length is painted."""
        for n, digit in enumerate(text):
            self._tap(digit)
            self.see("•" * (n + 1))
            self.look(KEY_GAP_S)

    # -- window and end ---------------------------------------------------------------------------------------------

    def _size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns: int, rows: int) -> None:
        """Give the window another size."""
        self.glass.resize(rows, columns)
        self._size(columns, rows)
        self.process.send_signal(signal.SIGWINCH)

    def ended(self, patience_s: float = PATIENCE_S) -> int:
        """Wait for the program to end by itself; its exit code."""
        self.until(lambda: self.process.poll() is not None, "the end of the program", patience_s)
        self.look(0.1)
        return int(self.process.wait())

    def kill(self) -> None:
        """Kill -9, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """End the program and everything it started, and give the terminal back."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self._master)
