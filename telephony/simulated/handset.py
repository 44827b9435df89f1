"""The audio leg as Asterisk plays it, with a caller's mouth and ear: the twin of a telephone.

It dials the media server, introduces the call by its UUID and sends one frame every 20 ms: what is to
be said, or silence, or background noise. What the agent sends is kept with its time of arrival. All
times are on one clock, in milliseconds of sound since the leg was connected.

Strict where Asterisk 22.10 is (measured): a frame of length 0, a kind it does not take or a reset end
the sound with an error; so do 2 s without a frame from either side; END or a close end it properly.
Unlike Asterisk it plays 8 kHz only.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

import numpy as np

from audio.pcm import BYTES_PER_MS, FRAME_BYTES, FRAME_MS, SILENCE_FRAME, frames
from telephony import audiosocket
from telephony.audiosocket import Frame, FrameDecoder, FrameKind
from telephony.call import CallId
from telephony.metronome import Beat, Metronome

LOUD_PEAK = 200
"""A frame with a sample beyond this (of 32 767) is sound: -44 dB, above line noise, below any voice."""

MUTE_MS = 2000
"""Without a frame from either side for this long, Asterisk ends the sound with an error."""

JITTER_MS = 60
"""Real time that a phone's buffer smooths: a frame of speech that is later leaves a hole."""

KEY_DOWN_MS = 100
"""How long a key is held; no sound is sent meanwhile, and the digit when it is released."""

SAMPLES_PER_MS = BYTES_PER_MS // 2

WITHIN_MS = 30_000
"""How long to wait for the agent by default: longer than any turn should take."""

Background = Callable[[], bytes]
"""Makes the next 20 ms (320 bytes) of the noise around the caller."""


class LegEnd(StrEnum):
    """How an audio leg ended."""

    PROPER = "proper"
    """The server said END, or closed."""
    FAILED = "failed"
    """Refused, reset, a bad frame, or nobody sent a thing."""
    HUNG_UP = "hung_up"
    """The caller did."""


class CallEnded(Exception):
    """The sound ended while the caller was speaking or waiting to hear something."""


class NotHeard(Exception):
    """What the caller was waiting for did not come in time."""


@dataclass(frozen=True, slots=True)
class Said:
    """When a piece of the caller's sound left, in ms on the call's clock."""

    started_ms: float
    """Its first frame."""
    speech_ended_ms: float
    """Its last frame that was not quiet: from here the caller waits for an answer."""
    ended_ms: float
    """Its last frame."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of the agent's speech, by arrival, in ms on the call's clock."""

    started_ms: float
    ended_ms: float


@dataclass(slots=True)
class _Piece:
    """What the caller says in one go; one clock time per frame that left."""

    frames: list[bytes]
    left_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """What leaves in one tick: sound of a piece, nothing (a key is down), or a digit beside silence."""

    frame: bytes | None = SILENCE_FRAME
    digit: str = ""
    piece: _Piece | None = None


class Handset(asyncio.Protocol):
    """One caller's phone on one audio leg."""

    def __init__(self, tick_ms: float = FRAME_MS, background: Background | None = None) -> None:
        """``tick_ms`` is the real time of one frame: less than 20 plays the call faster than life."""
        self.ended: asyncio.Future[LegEnd] = asyncio.get_running_loop().create_future()
        self.arrivals_ms = array("d")
        """When each frame of the agent came."""
        self.torn_reads = 0
        """Reads that ended within a frame: header and payload were not sent in one write."""
        self.suppresses_silence = False
        """Send nothing instead of silence, as some phones do."""
        self._tick_ms = tick_ms
        self._jitter_ms = JITTER_MS * FRAME_MS / tick_ms
        self._background = background
        self._metronome = Metronome(tick_ms)
        self._beat: Beat | None = None
        self._decoder = FrameDecoder()
        self._outgoing: deque[_Outgoing] = deque()
        self._sent_frames = 0
        self._mute_ticks = 0
        self._quiet_frames = 0
        self._caller_track = bytearray()
        self._agent_track = bytearray()
        self._loud_ms: list[float] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._started_s: float | None = None
        self._ended_at_ms = 0.0

    # what a caller does

    async def connected(self) -> None:
        """Wait until there is sound. Raises :class:`CallEnded` when there never was."""
        await self._until(lambda: self._started_s is not None, WITHIN_MS)

    async def say(self, pcm: bytes) -> Said:
        """Speak ``pcm`` (8 kHz) after what is already being said; returns when its last frame has left.

        Raises :class:`CallEnded`, and ValueError when there is nothing to say.
        """
        piece = _Piece(list(frames(pcm)))
        if not piece.frames:
            raise ValueError("nothing to say")
        await self.connected()
        self._outgoing.extend(_Outgoing(frame, piece=piece) for frame in piece.frames)
        await self._until(lambda: len(piece.left_ms) == len(piece.frames), None)
        loud = [at_ms for at_ms, frame in zip(piece.left_ms, piece.frames, strict=True) if is_loud(frame)]
        return Said(piece.left_ms[0], loud[-1] if loud else piece.left_ms[-1], piece.left_ms[-1])

    async def press(self, keys: str) -> None:
        """Press ``keys`` one after the other; returns when the last was released.

        Raises :class:`CallEnded`.
        """
        await self.connected()
        down = [_Outgoing(frame=None)] * (KEY_DOWN_MS // FRAME_MS)
        pause = [_Outgoing()] * (KEY_DOWN_MS // FRAME_MS)
        for key in keys:
            self._outgoing.extend([*down, _Outgoing(digit=key), *pause])
        await self._until(lambda: not self._outgoing, None)

    async def hear_speech(self, after_ms: float | None = None, within_ms: float = WITHIN_MS) -> float:
        """Wait until the agent speaks; gives when the first sound at or after ``after_ms`` (now) arrived.

        Raises :class:`NotHeard` or :class:`CallEnded`.
        """
        since_ms = self.clock_ms if after_ms is None else after_ms
        await self._until(lambda: self.first_speech_ms(since_ms) is not None, within_ms)
        first_ms = self.first_speech_ms(since_ms)
        assert first_ms is not None  # noqa: S101  # what was just waited for
        return first_ms

    async def hear_silence(self, for_ms: float, within_ms: float = WITHIN_MS) -> None:
        """Wait until the agent has been quiet for ``for_ms``, counting what is already past.

        Quiet is what was heard to be: frames of silence. That nothing came for a while, because the machine
        was busy, says nothing about the agent.

        Raises :class:`NotHeard` or :class:`CallEnded`.
        """
        await self._until(lambda: self._quiet_frames * FRAME_MS >= for_ms, within_ms)

    async def hear_out(
        self, quiet_ms: float = 600, after_ms: float | None = None, within_ms: float = WITHIN_MS
    ) -> Heard:
        """Wait until the agent has spoken (at or after ``after_ms``, or now) and then been quiet.

        Raises :class:`NotHeard` or :class:`CallEnded`.
        """
        started_ms = await self.hear_speech(after_ms, within_ms)
        await self.hear_silence(quiet_ms, within_ms)
        return Heard(started_ms, self.last_speech_ms)

    async def pause(self, for_ms: float) -> None:
        """Say nothing for ``for_ms`` of the call's clock. Raises :class:`CallEnded`."""
        until_ms = self.clock_ms + for_ms
        await self._until(lambda: self.clock_ms >= until_ms, None)

    # what is known of the call

    @property
    def clock_ms(self) -> float:
        """Sound time since the leg was connected; stands still when it has ended."""
        if self.ended.done() or self._started_s is None:
            return self._ended_at_ms
        real_ms = (asyncio.get_running_loop().time() - self._started_s) * 1000
        return real_ms * FRAME_MS / self._tick_ms

    @property
    def last_speech_ms(self) -> float:
        """When the agent's last sound ended; 0 when there was none."""
        return self._loud_ms[-1] + FRAME_MS if self._loud_ms else 0.0

    def first_speech_ms(self, after_ms: float = 0.0) -> float | None:
        """When the agent's first sound at or after ``after_ms`` arrived."""
        index = bisect_left(self._loud_ms, after_ms)
        return self._loud_ms[index] if index < len(self._loud_ms) else None

    def heard(self, pause_ms: float = 400) -> list[Heard]:
        """The agent's speech so far, cut where he was quiet for ``pause_ms``."""
        stretches: list[Heard] = []
        for at_ms in self._loud_ms:
            if stretches and at_ms - stretches[-1].ended_ms < pause_ms:
                stretches[-1] = Heard(stretches[-1].started_ms, at_ms + FRAME_MS)
            else:
                stretches.append(Heard(at_ms, at_ms + FRAME_MS))
        return stretches

    def tracks(self) -> tuple[bytes, bytes]:
        """Caller and agent, two mono tracks of the same length (8 kHz) that begin together."""
        length = max(len(self._caller_track), len(self._agent_track))
        return bytes(self._caller_track.ljust(length, b"\0")), bytes(self._agent_track.ljust(length, b"\0"))

    # what Asterisk does

    async def dial(self, call_id: CallId, host: str, port: int) -> LegEnd:
        """Connect ``call_id`` to a media server and stay until the sound ends."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except OSError:
            self._end(LegEnd.FAILED)
            return LegEnd.FAILED
        if not self.ended.done():
            self._transport.write(audiosocket.encode_call_id(call_id))
        return await asyncio.shield(self.ended)

    def hang_up(self) -> None:
        """The caller puts the phone down."""
        self._end(LegEnd.HUNG_UP)

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.ended.done():
            transport.close()
            return
        self._started_s = asyncio.get_running_loop().time()
        self._beat = self._metronome.add(self._tick, lambda _: self._end(LegEnd.FAILED))
        self._tell_waiters()

    def data_received(self, data: bytes) -> None:
        try:
            received = self._decoder.feed(data)
        except audiosocket.ProtocolError:
            self._end(LegEnd.FAILED)
            return
        self.torn_reads += not self._decoder.at_boundary
        for frame in received:
            self._hear(frame)

    def eof_received(self) -> None:
        self._end(LegEnd.PROPER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(LegEnd.PROPER if exc is None else LegEnd.FAILED)

    # the leg's life

    def _hear(self, frame: Frame) -> None:
        if self.ended.done():
            return
        if frame.kind == FrameKind.END:
            self._end(LegEnd.PROPER)
        elif frame.kind != FrameKind.SLIN or not frame.payload:
            self._end(LegEnd.FAILED)
        else:
            at_ms = self.clock_ms
            self._mute_ticks = 0
            self.arrivals_ms.append(at_ms)
            sound = frame.payload[: len(frame.payload) & ~1]  # Asterisk takes odd lengths too
            if is_loud(sound):
                self._loud_ms.append(at_ms)
                self._quiet_frames = 0
            else:
                self._quiet_frames += 1
            self._record(sound, at_ms)

    def _record(self, sound: bytes, at_ms: float) -> None:
        """Put ``sound`` where it arrived. Speech is not torn by jitter; silence makes up for it."""
        gap = int(at_ms * SAMPLES_PER_MS) * 2 - len(self._agent_track)
        if sound == SILENCE_FRAME:
            if gap < -FRAME_BYTES:
                return
            torn = gap
        else:
            torn = gap if gap > self._jitter_ms * BYTES_PER_MS else 0
        self._agent_track += bytes(max(torn, 0)) + sound

    def _tick(self) -> None:
        # Every frame is sent, also those of ticks that were missed: the caller's voice has no holes.
        due_frames = int(self.clock_ms / FRAME_MS + 0.25)
        while self._sent_frames < due_frames and not self.ended.done():
            self._send()
        # Ticks that came, not time that passed: while this process stood still nobody could be heard.
        self._mute_ticks += 1
        if self._mute_ticks * FRAME_MS >= MUTE_MS:
            self._end(LegEnd.FAILED)
        self._tell_waiters()

    def _send(self) -> None:
        outgoing = self._outgoing.popleft() if self._outgoing else _QUIET
        sound = None if outgoing is _QUIET and self.suppresses_silence else outgoing.frame
        if sound is not None and self._background is not None:
            sound = mixed(sound, self._background())
        wire = audiosocket.encode(FrameKind.DIGIT, outgoing.digit.encode()) if outgoing.digit else b""
        if sound is not None:
            wire += audiosocket.encode(FrameKind.SLIN, sound)
            self._mute_ticks = 0
        if wire:
            self._transport.write(wire)
        if outgoing.piece is not None:
            outgoing.piece.left_ms.append(self.clock_ms)
        self._caller_track += sound or SILENCE_FRAME
        self._sent_frames += 1

    def _end(self, how: LegEnd) -> None:
        if self.ended.done():
            return
        self._ended_at_ms = self.clock_ms
        self.ended.set_result(how)
        if self._beat is not None:
            self._metronome.remove(self._beat)
            self._transport.close()
        self._tell_waiters()

    # waiting

    async def _until(self, holds: Callable[[], bool], within_ms: float | None) -> None:
        """Wait until ``holds``, looked at with every tick."""
        began_ms = self.clock_ms
        while not holds():
            if self.ended.done():
                raise CallEnded(f"the sound has ended ({self.ended.result()})")
            if within_ms is not None and self.clock_ms - began_ms > within_ms:
                raise NotHeard(f"not within {within_ms:.0f} ms")
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _tell_waiters(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


_QUIET = _Outgoing()


def is_loud(pcm: bytes) -> bool:
    """Whether ``pcm`` is more than line noise."""
    if pcm == SILENCE_FRAME:
        return False
    samples = np.frombuffer(pcm, "<i2")
    return bool(samples.size) and (int(samples.max()) > LOUD_PEAK or int(samples.min()) < -LOUD_PEAK)


def mixed(one: bytes, other: bytes) -> bytes:
    """Both sounds at once, of the same length, held within 16 bits."""
    total = np.frombuffer(one, "<i2").astype(np.int32) + np.frombuffer(other, "<i2")
    return bytes(np.clip(total, -32768, 32767).astype("<i2").tobytes())
