"""A clock on which a minute of a call takes no longer than its work: time passes when everybody waits.

Whatever sleeps, times out or is called later within :func:`in_call_time` does so on the loop's own clock,
which leaps to the next thing that is due; with a :class:`WaitingPhone` that clock and the sound of the call
are one. So the default budgets can be held against what the caller hears, and no wall clock has a say. For
twins only: a socket has its own time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

from audio.pcm import FRAME_MS, SILENCE_FRAME
from tests.telephony.phone import Phone

Given = TypeVar("Given")
Taken = TypeVarTuple("Taken")


class _Leaping(selectors.DefaultSelector):
    """Never waits while only time is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.in_threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.in_threads or timeout is None:
            return super().select(None)  # a thread wakes the loop when it is done
        self.now_s += timeout
        return []


class CallTime(asyncio.SelectorEventLoop):
    """An event loop on such a clock."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Taken], Given], *args: *Taken
    ) -> "asyncio.Future[Given]":
        """Work in a thread takes no time of the call."""
        self._leaping.in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self._leaping.in_threads -= 1


def in_call_time(scenario: Coroutine[Any, Any, Given]) -> Given:
    """Run ``scenario`` to its end."""
    with asyncio.Runner(loop_factory=CallTime) as runner:
        return runner.run(scenario)


class WaitingPhone(Phone):
    """A phone whose 20 ms are 20 ms of the loop's clock."""

    async def tick(self, frame: bytes | None = SILENCE_FRAME) -> None:
        if frame is not None:
            self.line.audio_in(frame)
        self.heard.append(self.line.next_frame())
        await asyncio.sleep(FRAME_MS / 1000)
