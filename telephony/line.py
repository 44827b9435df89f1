"""One call's sound, between the wire and the session.

The wire (``telephony.media_server``) pushes 20 ms frames, digits and the end of the line in,
and asks for one frame to send every 20 ms. The session reads :attr:`Line.events` and fills
:attr:`Line.playback`. Nothing here knows a socket or a clock: a test pushes frames by hand.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from audio.ear import Ear
from audio.endpointing import EarEvent
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.playback import Playback

GAP_TICKS = 6
"""Ticks of 20 ms without a frame after which the gap is told to the ear as silence.

Callers with silence suppression send nothing at all (notes on Asterisk 22: gaps in the caller's
RTP are gaps in AudioSocket), so the end of a turn cannot wait for frames. 120 ms is longer than
the jitter of a healthy line.
"""


@dataclass(frozen=True, slots=True)
class Digit:
    """A key was pressed: one of ``0123456789*#ABCD``."""

    key: str


@dataclass(frozen=True, slots=True)
class LineClosed:
    """The line is gone; ``why`` is for the log."""

    why: str


LineEvent = EarEvent | Digit | LineClosed


class Wire(Protocol):
    """What the line needs of the socket behind it."""

    def hang_up(self) -> None:
        """End the audio leg properly; may be called more than once."""


class Line:
    """The audio of one call. All methods are synchronous, short and for the event loop's thread."""

    def __init__(self, ear: Ear, playback: Playback) -> None:
        self.ear = ear
        self.playback = playback
        self.events: asyncio.Queue[LineEvent] = asyncio.Queue()
        ear.tell = self.events.put_nowait
        self._wire: Wire | None = None
        self._joined = asyncio.Event()
        self._closed = False
        self._missing_frames = 0
        self._speaking = False

    # the wire's side

    def attach(self, wire: Wire) -> None:
        """The audio leg has come; one that comes too late is told to go."""
        if self._closed:
            wire.hang_up()
            return
        self._wire = wire
        self._joined.set()

    def audio_in(self, frame: bytes) -> None:
        """The caller's sound: signed 16-bit little-endian mono at 8 kHz, normally 320 bytes."""
        self._missing_frames = -1  # the next tick is this frame's own
        self.ear.hear(frame)

    def digit_in(self, key: str) -> None:
        """The caller pressed ``key``."""
        self.events.put_nowait(Digit(key))

    def next_frame(self) -> bytes:
        """The 320 bytes to send in this 20 ms tick: the agent's voice, or silence."""
        self._missing_frames += 1
        if self._missing_frames == GAP_TICKS:
            self.ear.pass_time(GAP_TICKS * FRAME_MS)
        elif self._missing_frames > GAP_TICKS:
            self.ear.pass_time(FRAME_MS)
        frame = self.playback.next_frame()
        speaking = frame is not None or self.playback.busy
        if speaking is not self._speaking:
            self.ear.agent_speaking = self._speaking = speaking
        return SILENCE_FRAME if frame is None else frame

    def closed(self, why: str) -> None:
        """The audio leg ended, from whichever side. Later calls change nothing."""
        if not self._closed:
            self._closed = True
            self._joined.set()
            self.events.put_nowait(LineClosed(why))

    # the session's side

    async def joined(self) -> bool:
        """Wait for the audio leg; False when the line was closed before it came."""
        await self._joined.wait()
        return self._wire is not None and not self._closed

    def hang_up(self) -> None:
        """End the audio leg; Asterisk goes on with its AGI commands."""
        if self._wire is not None:
            self._wire.hang_up()
        self.closed("the agent ended the audio")
