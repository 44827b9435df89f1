"""In-memory twins of the ear and the voice: for tests, replays and demonstrations. No network, no clock.

ear = ScriptedStt(["Bonjour", "mon numéro est le 10 07 88 21", SttFailed("no network")])
voice = ScriptedTts()
"""

import asyncio
import math
import struct
from collections.abc import AsyncGenerator, Sequence

from audio.endpointing import Expecting, Utterance
from audio.pcm import BYTES_PER_MS, FRAME_MS, SAMPLE_RATE_HZ
from audio.stt import Transcript
from audio.tts import Pace, TtsFailed


class ScriptedStt:
    """Hears what the script says, in order, whatever the sound is; a failure in the script is raised."""

    def __init__(self, transcripts: Sequence[str | Transcript | Exception]) -> None:
        self._script = list(transcripts)
        self.heard: list[Utterance] = []
        """Every utterance that was given, failures included."""
        self.expected: list[Expecting] = []
        """What was expected of each of them."""

    @property
    def name(self) -> str:
        """``scripted``."""
        return "scripted"

    @property
    def unheard(self) -> int:
        """How much of the script is left."""
        return len(self._script) - len(self.heard)

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """The script's next answer. Raises LookupError, which no caller expects, when there is none left."""
        self.heard.append(utterance)
        self.expected.append(expecting)
        if len(self.heard) > len(self._script):
            raise LookupError(f"utterance {len(self.heard)}, but the script holds {len(self._script)}")
        match self._script[len(self.heard) - 1]:
            case Exception() as failure:
                raise failure
            case Transcript() as transcript:
                return transcript
            case text:
                return Transcript(text, 1.0 if text else 0.0)


class ScriptedTts:
    """Speaks a quiet tone, as long as the sentence would take to say."""

    def __init__(
        self,
        ms_per_character: int = 60,
        *,
        chunk_ms: int = 100,
        fails_after_chunks: int | None = None,
    ) -> None:
        """``fails_after_chunks`` makes every sentence fail: 0 before any sound, n after n chunks of it."""
        self._ms_per_character = ms_per_character
        self._chunk_bytes = chunk_ms * BYTES_PER_MS
        self._fails_after_chunks = fails_after_chunks
        self.asked: list[str] = []
        """Every sentence that was to be spoken."""
        self.paces: list[Pace] = []
        """At which pace each of them was."""
        self.finished: list[str] = []
        """Those that were spoken to the end: neither cancelled nor failed."""

    @property
    def name(self) -> str:
        """``scripted``."""
        return "scripted"

    def duration_ms(self, text: str, pace: Pace = Pace.NORMAL) -> int:
        """How long ``text`` is spoken: whole frames, one at least."""
        return max(1, math.ceil(len(text) * self._ms_per_character / pace.speed / FRAME_MS)) * FRAME_MS

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`. Others get their turn between chunks."""
        self.asked.append(text)
        self.paces.append(pace)
        sound = _tone(self.duration_ms(text, pace))
        chunks = [sound[at : at + self._chunk_bytes] for at in range(0, len(sound), self._chunk_bytes)]
        for number, chunk in enumerate(chunks):
            await asyncio.sleep(0)
            self._fail_if_told(number)
            yield chunk
        self._fail_if_told(len(chunks))
        self.finished.append(text)

    def _fail_if_told(self, chunks_spoken: int) -> None:
        if chunks_spoken == self._fails_after_chunks:
            raise TtsFailed(f"the script fails after {chunks_spoken} chunks")


def _tone(duration_ms: int) -> bytes:
    """400 Hz at -30 dBFS: audible in a recording, far under speech."""
    period = SAMPLE_RATE_HZ // 400
    wave = [round(1036 * math.sin(2 * math.pi * n / period)) for n in range(period)]
    cycle = struct.pack(f"<{period}h", *wave)
    length = duration_ms * BYTES_PER_MS
    return (cycle * (length // len(cycle) + 1))[:length]
