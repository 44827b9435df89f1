"""Several voices as one: the first that works speaks, and a sentence that breaks off is taken up by the next.

Two classes, one on the other:

:class:`GuardedVoice` is one provider's voice that cannot do harm. It asks the provider's circuit breaker
first and tells it how it went; it lets only whole samples through, and fails where the sound is none of the
sentence: empty, silent, a file instead of samples, far too long (a wrong sample rate is slow motion to the
caller) or far too short (a stream that was cut and ended as if all were well).

:class:`FallbackVoice` asks voices in order. When one fails before any sound, the next one says the sentence;
when it fails within, a :class:`audio.word_ruler.Ruler` says which word was being spoken and the next one goes
on with that word. All sound that was handed out will be heard, so what counts is what was made, not what has
left already. Where the voices meet, the last sample is led to zero over 5 ms: no click.

When no voice is left, :class:`audio.tts.TtsFailed`; the session then hands over. How long all of that may
take is bounded by the adapters, each by its own :class:`audio.arriving.Bounds`.
"""

import struct
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

from audio.arriving import SampleAligner, foreign_format, wrong_format
from audio.pcm import BYTES_PER_MS
from audio.tts import Pace, TextToSpeech, TtsFailed
from audio.word_ruler import MS_PER_CHARACTER, Ruler
from memory.breaker import Breaker, Fault
from memory.provider_news import Answered, Exhausted, Failed, Stage, Switched, Tell, Why, nobody

LONGEST_SILENCE_MS: Final = 1500
"""At the start of a sentence; voices begin within some 300 ms."""

QUIET: Final = 40
"""Samples under it are silence: -58 dB below full scale, under a telephone line's own noise."""

_SUSPECT_SHARE: Final = (0.5, 1.5)
"""Of the length a text has by its characters: outside, the ruler is asked, which costs some milliseconds."""
_LONGEST_SHARE: Final = 1.7
"""Of the local voice's length. Twice is a sample rate of 16 kHz; calm voices take up to 1.4 times."""
_SHORTEST_SHARE: Final = 0.5
_SLACK_MS: Final = 300
"""For the pauses around a short sentence, which differ most between voices."""

_FADE_SAMPLES: Final = 40


class VoiceBarred(TtsFailed):
    """The voice was not asked: it is known to be down."""


class GuardedVoice:
    """One provider's voice behind its breaker; hands out sound of the sentence or fails."""

    def __init__(
        self,
        voice: TextToSpeech,
        breaker: Breaker,
        ruler: Ruler,
        tell: Tell = nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``breaker`` is the provider's, shared by all calls; ``clock`` gives seconds."""
        self._voice = voice
        self._breaker = breaker
        self._ruler = ruler
        self._tell = tell
        self._clock = clock

    @property
    def name(self) -> str:
        """The voice's own."""
        return self._voice.name

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`. Raises :class:`VoiceBarred` when the breaker is open."""
        attempt = self._breaker.attempt()
        if attempt is None:
            last = self._breaker.status().last_fault
            raise VoiceBarred(f"{self.name} is left alone for now", Fault(reason=last.reason if last else ""))
        began_s, first_s = self._clock(), 0.0
        try:
            async with aclosing(self._checked(text, pace)) as sound:
                async for piece in sound:
                    first_s = first_s or self._clock()
                    yield piece
            attempt.succeeded()
            self._tell(Answered(Stage.TTS, self.name, (first_s - began_s) * 1000))
        except TtsFailed as failure:
            attempt.failed(failure.fault)
            self._tell(Failed(Stage.TTS, self.name, failure.fault.reason))
            raise
        finally:
            attempt.dropped()  # the caller spoke on or hung up, unless it has ended above

    async def _checked(self, text: str, pace: Pace) -> AsyncGenerator[bytes, None]:
        aligner, made_bytes, audible = SampleAligner(), 0, False
        by_characters_ms = len(text) * MS_PER_CHARACTER / pace.speed + _SLACK_MS
        longest_ms, measured = by_characters_ms * _SUSPECT_SHARE[1], False
        async with aclosing(self._voice.speak(text, pace)) as sound:
            async for received in sound:
                piece = aligner.take(received)
                if not piece:
                    continue
                if not made_bytes and (got := foreign_format(piece)) is not None:
                    raise wrong_format(self.name, got)
                made_bytes += len(piece)
                made_ms = made_bytes / BYTES_PER_MS
                audible = audible or _is_audible(piece)
                if not audible and made_ms > LONGEST_SILENCE_MS:
                    raise self._not_the_sentence("silence")
                if made_ms > longest_ms:
                    if not measured:
                        measured = True
                        longest_ms = _LONGEST_SHARE * await self._ruler.length_ms(text, pace) + _SLACK_MS
                    if made_ms > longest_ms:
                        raise self._not_the_sentence("sound too long for its text: is it 8 kHz?")
                yield piece
        made_ms = made_bytes / BYTES_PER_MS
        if not text.strip():
            return
        if not audible:
            raise self._not_the_sentence("silence" if made_bytes else "no sound")
        if made_ms < by_characters_ms * _SUSPECT_SHARE[0]:
            shortest_ms = _SHORTEST_SHARE * await self._ruler.length_ms(text, pace) - _SLACK_MS
            if made_ms < shortest_ms:
                raise self._not_the_sentence("sound too short for its text")

    def _not_the_sentence(self, reason: str) -> TtsFailed:
        return TtsFailed(f"{self.name} made {reason}", Fault(reason=reason))


class FallbackVoice:
    """Voices in order; see the module."""

    def __init__(self, voices: Sequence[TextToSpeech], ruler: Ruler, tell: Tell = nobody) -> None:
        """Raises ValueError when there is none."""
        if not voices:
            raise ValueError("give at least one voice")
        self._voices = tuple(voices)
        self._ruler = ruler
        self._tell = tell

    @property
    def name(self) -> str:
        """All of them, in order: ``elevenlabs:…, azure:…, espeak-ng:fr``."""
        return ", ".join(voice.name for voice in self._voices)

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`. Raises :class:`audio.tts.TtsFailed` when no voice is left."""
        rest = text
        names = [voice.name for voice in self._voices[1:]]
        for voice, next_name in zip(self._voices, [*names, ""], strict=True):
            made = bytearray()
            try:
                async with aclosing(voice.speak(rest, pace)) as sound:
                    async for piece in sound:
                        made += piece
                        yield piece
            except TtsFailed as failure:
                if made:
                    yield _led_to_zero(made)
                    rest = rest[await self._ruler.reached(rest, bytes(made), pace) :]
                    if not any(sign.isalnum() for sign in rest):
                        return  # it broke off behind the last word
                why = (
                    Why.BARRED
                    if isinstance(failure, VoiceBarred)
                    else Why.SLOW
                    if failure.slow
                    else Why.FAILED
                )
                self._tell(Switched(Stage.TTS, voice.name, next_name, why, failure.fault.reason))
                if not next_name:
                    self._tell(Exhausted(Stage.TTS))
                    raise TtsFailed(f"no voice is left: {failure}", failure.fault) from failure
            else:
                return


def _is_audible(piece: bytes) -> bool:
    samples = memoryview(piece).cast("h")
    return max(samples) > QUIET or min(samples) < -QUIET


def _led_to_zero(sound: bytearray) -> bytes:
    """5 ms from the last sample of ``sound`` to zero."""
    (last,) = struct.unpack("<h", sound[-2:])
    steps = [round(last * (1 - step / _FADE_SAMPLES)) for step in range(1, _FADE_SAMPLES + 1)]
    return struct.pack(f"<{_FADE_SAMPLES}h", *steps)
