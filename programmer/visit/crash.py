"""What is kept of an internal fault: the frames of the traceback, never values, so that no patient data is written."""

import os
import tempfile
import traceback


def report(error: BaseException) -> str:
    """Write the frames and the kind of ``error`` to a private file; its path."""
    lines = [f"{type(error).__name__}\n"]
    lines += [f"{frame.filename}:{frame.lineno} {frame.name}\n" for frame in traceback.extract_tb(error.__traceback__)]
    handle, path = tempfile.mkstemp(prefix="programmer-fault-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.writelines(lines)
    return path
