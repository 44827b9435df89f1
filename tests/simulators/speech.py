"""What the two simulated voices share: how they fail within a stream, and the sound they make."""

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache

from tests.simulators.server import Fault

Synth = Callable[[str, int, float], bytes]
"""Text, sample rate and speed (1.0 is the voice's own) to signed 16-bit mono."""


@dataclass(frozen=True, slots=True)
class SpeechFault(Fault):
    """One failure of a sentence; see :class:`tests.simulators.server.Fault` for what it inherits.

    With ``after_chunks`` a good answer comes first: so many chunks of it, then ``delay_s`` of nothing, then
    the rest, or the end of the connection when ``cut``, or a regular end when ``truncated``. ``rate_hz``
    sends sound of another rate than was asked for, ``odd`` a byte less than whole samples, and in pieces
    of odd size; ``silent`` zeros; ``content_type`` another type of answer.
    """

    after_chunks: int | None = None
    truncated: bool = False
    rate_hz: int = 0
    odd: bool = False
    silent: bool = False
    content_type: str = ""


async def played(
    sound: bytes, bytes_per_s: int, chunk_ms: int, first_audio_s: float, fault: Fault | None
) -> AsyncIterator[bytes]:
    """``sound`` in chunks, at once but for ``first_audio_s``, and failing as told.

    Raises ConnectionAbortedError where the connection is to be cut.
    """
    told = fault if isinstance(fault, SpeechFault) else SpeechFault()
    step = max(2, bytes_per_s * chunk_ms // 1000 // 2 * 2)
    if told.silent:
        sound = bytes(len(sound))
    if told.odd:
        sound, step = sound[:-1], step - 1
    await asyncio.sleep(first_audio_s)
    for number, start in enumerate(range(0, len(sound), step)):
        if number == told.after_chunks:
            await asyncio.sleep(told.delay_s)
            if told.cut:
                raise ConnectionAbortedError
            if told.truncated:
                return
        yield sound[start : start + step]


def speechlike(text: str, rate_hz: int, speed: float) -> bytes:
    """As long as the text would take, loud and soft four times a second; a voice detector ignores it."""
    length = 2 * max(1, int(rate_hz * len(text) * 0.06 / speed))
    second = _second(rate_hz)
    return (second * (length // len(second) + 1))[:length]


@cache
def _second(rate_hz: int) -> bytes:
    turn = 2 * math.pi / rate_hz
    loudness = [12000 * (0.5 - 0.5 * math.cos(4 * turn * n)) for n in range(rate_hz)]
    tone = [0.5 * math.sin(180 * turn * n) + 0.3 * math.sin(720 * turn * n) for n in range(rate_hz)]
    wave = [loud * wave for loud, wave in zip(loudness, tone, strict=True)]
    return struct.pack(f"<{rate_hz}h", *(int(sample) for sample in wave))


def mu_law(pcm: bytes) -> bytes:
    """G.711 mu-law of signed 16-bit: written from the rule, not with the table that is tested against it."""
    coded = bytearray()
    for (sample,) in struct.iter_unpack("<h", pcm):
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        coded.append(~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0F)) & 0xFF)
    return bytes(coded)
