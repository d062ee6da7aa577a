import time
from types import SimpleNamespace

import pytest
import serial.rfc2217


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """pyserial's rfc2217 looks every 50 ms whether the terminal server has answered; here it looks every 2 ms.

    The command line's own test keeps pyserial's pace.
    """
    pace = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.002)), monotonic=time.monotonic)
    monkeypatch.setattr(serial.rfc2217, "time", pace)
