"""In-memory ear and voice: the twins of the speech ports, for tests and for calls without sound services."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping

from audio.endpointing import Expecting, Utterance
from audio.pcm import BYTES_PER_MS
from audio.stt import SttFailed, Transcript

CHUNK_MS = 100
"""How much sound the twin voice gives at a time; real ones stream in pieces of this size."""

_TONE = b"\x00\x08\x00\xf8"
"""Two samples of a quiet square wave: audible in a recording, and told from silence by its bytes."""


class ScriptedStt:
    """Twin ear: answers from a list, in order, whatever it is given to hear."""

    name = "scripted"

    def __init__(self, transcripts: Iterable[str | Transcript | Exception] = ()) -> None:
        """An exception in the list is raised in its turn."""
        self._script = iter(list(transcripts))
        self.asked: list[tuple[Utterance, Expecting]] = []
        """What it was given, in order."""

    @property
    def utterances(self) -> list[Utterance]:
        """The sound it was given, in order."""
        return [utterance for utterance, _ in self.asked]

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """The next of the list. Raises :class:`SttFailed` when the list is over."""
        self.asked.append((utterance, expecting))
        match next(self._script, None):
            case None:
                raise SttFailed(f"the script has no transcript number {len(self.asked)}")
            case Exception() as failure:
                raise failure
            case Transcript() as transcript:
                return transcript
            case text:
                return Transcript(text, 1.0 if text else 0.0)


class ScriptedTts:
    """Twin voice: a quiet tone as long as the sentence, at once."""

    name = "scripted"

    def __init__(
        self, ms_per_character: int = 20, fail_on: Mapping[str, tuple[int, Exception]] | None = None
    ) -> None:
        """``fail_on``: sentence → after how many chunks of 100 ms it fails, and how."""
        self.ms_per_character = ms_per_character
        self.spoken: list[str] = []
        """The sentences it was asked for, in order."""
        self._fail_on = dict(fail_on or {})
        self._may_speak = asyncio.Event()
        self._may_speak.set()

    def hold(self) -> None:
        """Give no sound until :meth:`release`: a slow service."""
        self._may_speak.clear()

    def release(self) -> None:
        """Go on."""
        self._may_speak.set()

    async def speak(self, sentence: str) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`. Raises what ``fail_on`` says."""
        self.spoken.append(sentence)
        length_ms = len(sentence) * self.ms_per_character
        chunks, failure = self._fail_on.get(sentence, (length_ms, None))
        for number, start_ms in enumerate(range(0, length_ms, CHUNK_MS)):
            await self._may_speak.wait()
            if failure is not None and number == chunks:
                raise failure
            duration_ms = min(CHUNK_MS, length_ms - start_ms)
            yield _TONE * (duration_ms * BYTES_PER_MS // len(_TONE))
