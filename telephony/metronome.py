"""One 20 ms clock for all calls of the process.

Asterisk neither paces nor buffers: a frame written is an RTP packet sent. So every call needs one
frame every 20 ms for as long as it lives, and the sum of small delays must not add up.

Theory of operation:

- Tick ``n`` is due at ``origin + n × tick``, never at "the last one + tick": there is no drift.
- When the loop was stalled past one or more ticks, those are counted in ``late_ticks`` and skipped.
  Catching up would send a burst of packets that the phone throws away.
- One timer serves all calls, and there is none while there are no calls.
- A callback that raises is taken out, and its owner is told why; the other calls go on.
- What many calls need at about the same time is done once for all of them: :meth:`Metronome.soon` gathers
  until the next tick, or for ``GATHER_MS``, whichever is sooner, and not at all for a few calls.

``tick_ms`` is the real time between two ticks. It stands for 20 ms of sound: tests and benches set
less than 20 to let calls run faster than life.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from audio.pcm import FRAME_MS

log = logging.getLogger(__name__)

GATHER_MS = 8
"""Longest wait for company: a caller notices nothing of it, and at a hundred calls 25 windows of 32 ms of
sound meet in that time."""

GATHER_FROM = 4
"""Calls from which gathering pays (measured, with Silero); fewer are served at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Beat:
    """A callback on the metronome; the handle to take it off."""

    callback: Callable[[], None]
    dropped: Callable[[Exception], None]


class Metronome:
    """Calls every callback once per tick, in the order they were added."""

    def __init__(self, tick_ms: float = FRAME_MS) -> None:
        if tick_ms <= 0:
            raise ValueError(f"a tick of {tick_ms} ms")
        self.late_ticks = 0
        """Ticks that were skipped because the event loop was busy when they were due."""
        self._tick_s = tick_ms / 1000
        self._beats: dict[Beat, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._origin_s = 0.0
        self._ticks = 0
        self._gathered: list[Callable[[], None]] = []
        self._gathering: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many callbacks are served."""
        return len(self._beats)

    def add(self, callback: Callable[[], None], dropped: Callable[[Exception], None]) -> Beat:
        """Call ``callback`` from the next tick on; ``dropped`` is told the error if it ever raises."""
        beat = Beat(callback, dropped)
        self._beats[beat] = None
        if self._timer is None:
            self._origin_s, self._ticks = asyncio.get_running_loop().time(), 0
            self._wait()
        return beat

    def remove(self, beat: Beat) -> None:
        """Do not call it again, not even in a tick under way. Removing twice changes nothing."""
        self._beats.pop(beat, None)
        if not self._beats and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def soon(self, action: Callable[[], None]) -> None:
        """Call ``action`` once: before the callbacks of the next tick, or ``GATHER_MS`` from now at most.

        With fewer than ``GATHER_FROM`` callbacks, at once.
        """
        if len(self._beats) < GATHER_FROM:
            action()
            return
        self._gathered.append(action)
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(GATHER_MS / 1000, self._settle)

    def _settle(self) -> None:
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        gathered, self._gathered = self._gathered, []
        for action in gathered:
            action()

    def _wait(self) -> None:
        self._ticks += 1
        due_s = self._origin_s + self._ticks * self._tick_s
        self._timer = asyncio.get_running_loop().call_at(due_s, self._tick)

    def _tick(self) -> None:
        # Skip first: what the callbacks below take of this tick is not lateness of the loop.
        behind = int((asyncio.get_running_loop().time() - self._origin_s) / self._tick_s) - self._ticks
        if behind > 0:
            self.late_ticks += behind
            self._ticks += behind
        self._wait()
        self._settle()
        beats = self._beats
        for beat in list(beats):
            if beat in beats:
                try:
                    beat.callback()
                except (
                    Exception
                ) as error:  # one call's fault, whatever it is, must not stop the others' clock
                    log.exception("metronome.dropped")
                    self.remove(beat)
                    beat.dropped(error)
