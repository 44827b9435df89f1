"""What hosted ears and voices are asked for, measured where it is asked: behind caches and breakers.

So a sentence that is played from the cache costs nothing, and an answer that was prepared in a pause and
thrown away costs what it did. An attempt that fails is not charged: providers bill what they delivered.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from audio.endpointing import Expecting, Utterance
from audio.stt import SpeechToText, SttFailed, Transcript
from audio.tts import Pace, TextToSpeech, TtsFailed


class MeteredEar:
    """An ear that tells how much speech it was given."""

    def __init__(self, ear: SpeechToText, heard: Callable[[int], None], least_ms: int = 0) -> None:
        """``heard`` is told milliseconds per utterance, ``least_ms`` at least."""
        self._ear = ear
        self._heard = heard
        self._least_ms = least_ms

    @property
    def name(self) -> str:
        """The ear's own."""
        return self._ear.name

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`."""
        delivered = True  # also when the wait for it is given up
        try:
            return await self._ear.transcribe(utterance, expecting)
        except SttFailed:
            delivered = False
            raise
        finally:
            if delivered:
                self._heard(max(utterance.duration_ms, self._least_ms))


class MeteredVoice:
    """A voice that tells how many characters it was given."""

    def __init__(self, voice: TextToSpeech, said: Callable[[int], None]) -> None:
        """``said`` is told characters per sentence."""
        self._voice = voice
        self._said = said

    @property
    def name(self) -> str:
        """The voice's own."""
        return self._voice.name

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`."""
        sounded = failed = False
        try:
            async with aclosing(self._voice.speak(text, pace)) as sound:
                async for chunk in sound:
                    sounded = True
                    yield chunk
        except TtsFailed:
            failed = True
            raise
        finally:
            if sounded or not failed:
                self._said(len(text))
