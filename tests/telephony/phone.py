"""A caller on a line, without wires or waiting: 20 ms of sound is one call of a function.

The ear is the real one, with the loudness detector in place of Silero: loud is speech. Time is the
sound that was pushed; nothing here sleeps.
"""

import asyncio
from collections.abc import Callable

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.playback import Playback
from audio.vad import EnergyDetector
from telephony.line import Line

LOUD_FRAME = b"\x00\x20\x00\xe0" * (len(SILENCE_FRAME) // 4)

STEPS_PER_TICK = 40
"""Turns of the event loop in one tick: enough for a whole turn of the dialogue, which never waits."""


class SilentWire:
    """A socket that is only asked to close."""

    def __init__(self) -> None:
        self.closed = False

    def hang_up(self) -> None:
        self.closed = True


class Phone:
    """The caller's side of a :class:`Line`."""

    def __init__(self, timing: TurnTiming | None = None, kind: type[Line] = Line) -> None:
        self.line = kind(Ear(EnergyDetector(), timing or TurnTiming()), Playback())
        self.wire = SilentWire()
        self.heard: list[bytes] = []

    def connect(self) -> "Phone":
        self.line.attach(self.wire)
        return self

    async def tick(self, frame: bytes | None = SILENCE_FRAME) -> None:
        """20 ms: a frame in (None: the caller's phone sends nothing), a frame out."""
        if frame is not None:
            self.line.audio_in(frame)
        self.heard.append(self.line.next_frame())
        for _ in range(STEPS_PER_TICK):
            await asyncio.sleep(0)

    async def speaks(self, for_ms: int) -> None:
        for _ in range(for_ms // FRAME_MS):
            await self.tick(LOUD_FRAME)

    async def waits(self, for_ms: int) -> None:
        for _ in range(for_ms // FRAME_MS):
            await self.tick()

    async def waits_until(self, holds: Callable[[], bool], at_most_ms: int = 60_000) -> None:
        for _ in range(at_most_ms // FRAME_MS):
            if holds():
                return
            await self.tick()
        raise AssertionError(f"not within {at_most_ms} ms of the call")

    async def hears_the_agent(self) -> None:
        """Wait until the agent's voice is on the line."""
        before = len(self.heard)
        await self.waits_until(lambda: any(frame != SILENCE_FRAME for frame in self.heard[before:]))

    async def hears_the_agent_out(self) -> None:
        """Wait until the agent has spoken and has nothing more to say."""
        await self.hears_the_agent()
        await self.waits_until(lambda: not self.line.playback.busy)
        await self.waits(100)

    @property
    def hears_silence(self) -> bool:
        return self.heard[-1] == SILENCE_FRAME
