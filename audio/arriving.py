"""Sound as it arrives from a provider: in time or not at all, in whole samples, and nothing but samples.

What SDKs call a time-out bounds each read or nothing (measured: one SDK waits for ever for the first
audio, the other's limit starts again with every byte). So every adapter passes its sound through
:func:`bounded`: so long for the first audio, so long between two pieces, so long for all of the waiting
together. Only waiting counts: a consumer that takes its time is no fault of the provider.

The network cuts sound where it likes. A piece with half a sample would shift every sample behind it by a
byte, and speech becomes a roar; :class:`SampleAligner` carries the half over to the next piece. And a proxy
or a wrong setting can send a file (MP3, WAV) or an error page where samples were asked for; its first bytes
tell (:func:`foreign_format`).
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from audio.tts import TtsFailed
from memory.breaker import Fault, FaultKind


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a provider's sound is waited for.

    With the defaults a caller waits 2 s when two providers stall one after the other: less than a turn waits
    for any sound at all (``telephony.turn.Budgets``), so that the local voice still has its say.
    """

    first_audio_ms: int = 1000
    gap_ms: int = 800
    whole_ms: int = 10_000
    """All waiting for one sentence together."""


DEFAULT_BOUNDS: Final = Bounds()


async def bounded(
    sound: AsyncGenerator[bytes, None], bounds: Bounds, name: str
) -> AsyncGenerator[bytes, None]:
    """``sound`` of the voice ``name``, and :class:`audio.tts.TtsFailed` as soon as it keeps one waiting.

    Empty pieces are no sound. Closing it closes ``sound``.
    """
    loop = asyncio.get_running_loop()
    left_s = bounds.whole_ms / 1000
    patience_s, awaited = bounds.first_audio_ms / 1000, "first audio"
    async with aclosing(sound):
        while True:
            began_s = loop.time()
            try:
                async with asyncio.timeout(min(patience_s, left_s)):
                    piece = b""
                    while not piece:
                        piece = await anext(sound)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                waited_ms = round((loop.time() - began_s) * 1000)
                reason = f"no {awaited} within {waited_ms} ms"
                raise TtsFailed(f"{name}: {reason}", Fault(reason=reason), slow=True) from error
            left_s -= loop.time() - began_s
            patience_s, awaited = bounds.gap_ms / 1000, "more audio"
            yield piece


class SampleAligner:
    """Cuts sound of 16-bit samples into whole samples."""

    def __init__(self) -> None:
        self._half = b""

    def take(self, piece: bytes) -> bytes:
        """``piece`` without the half sample at its end, behind the half that the piece before had."""
        whole = self._half + piece if self._half else piece
        if len(whole) % 2:
            self._half = whole[-1:]
            return whole[:-1]
        self._half = b""
        return whole


_FORMATS: Final = {
    b"RIFF": "a WAV file",
    b"ID3": "an MP3 file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
}
_TEXTS: Final = (b'{"', b"<!DO", b"<htm")


def foreign_format(start: bytes) -> str | None:
    """What begins with ``start`` when it is no plain sound: ``a WAV file``; None when it may be sound."""
    for mark, called in _FORMATS.items():
        if start.startswith(mark):
            return called
    return "text" if start.startswith(_TEXTS) else None


def wrong_format(name: str, got: str) -> TtsFailed:
    """The failure of the voice ``name`` that sent ``got`` where samples were asked for."""
    reason = f"sent {got} where plain sound was asked for"
    return TtsFailed(f"{name} {reason}: check its address and format settings", Fault(FaultKind.AWAY, reason))
