import time
from types import SimpleNamespace

import pytest
import serial.rfc2217


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """pyserial's rfc2217 looks every 50 ms whether the terminal server has answered; here it looks every 2 ms.

    The command line's own test keeps pyserial's pace. Gives the sleeps that it asked for, in seconds.
    """
    asked: list[float] = []

    def sleep(seconds: float) -> None:
        asked.append(seconds)
        time.sleep(min(seconds, 0.002))

    monkeypatch.setattr(serial.rfc2217, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    return asked
