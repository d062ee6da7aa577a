"""The one way from the screens to the visit: work runs in one thread of its own, results come back to the event loop.

The thread touches no widget, and the event loop never waits for disk or line.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Bridge:
    """One worker thread; calls run one after the other, in their order."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="visit")

    async def call(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread; its result, or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Let running work end, and take no more."""
        self._pool.shutdown(wait=True)
