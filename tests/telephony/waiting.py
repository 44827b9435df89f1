"""Waiting in tests: until a fact holds, bounded by the test's own time-out, never by a guess."""

import asyncio
from collections.abc import Callable


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop run until ``holds``."""
    while not holds():  # noqa: ASYNC110  # what is waited for is plain state of the code under test
        await asyncio.sleep(0.001)
