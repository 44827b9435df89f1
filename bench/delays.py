"""The providers of the measured calls: twins of the ports with fixed delays and next to no processor time.

What the field was measured with (bench/calls.py): 150 ms for a transcript, 200 ms to a model's first word and
5 ms a word, 100 ms to a voice's first sound. Fixed lines are taken as synthesised ahead: no delay.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from audio.endpointing import Expecting, Utterance
from audio.pcm import FRAME_BYTES
from audio.scripted import ScriptedTts
from audio.speakable import speakable
from audio.stt import Transcript
from audio.tts import Pace, sentences
from knowledge.llm import Asked, Form, LlmFailed
from prompts import FOLDER, load


@dataclass(frozen=True, slots=True)
class Delays:
    """How long each provider takes."""

    transcript_ms: float = 150.0
    first_word_ms: float = 200.0
    word_ms: float = 5.0
    first_sound_ms: float = 100.0


class RecordedStt:
    """Knows the callers' recordings: finds pieces of them in what it hears, byte by byte; is never wrong.

    Sound is not changed on its way, so looking for a few milliseconds of a line from its beginning, middle
    and end tells which line it is and how far it has been said, for a few microseconds.
    """

    name = "recorded"

    def __init__(self, lines: Mapping[str, bytes], delay_ms: float) -> None:
        self.asked = 0
        """How often, also by turns that were given up."""
        self._delay_s = delay_ms / 1000
        self._probes = {text: _probes(pcm) for text, pcm in lines.items()}

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`."""
        self.asked += 1
        await asyncio.sleep(self._delay_s)
        found: list[tuple[int, str]] = []
        for text, probes in self._probes.items():
            places = [utterance.pcm.find(probe) for probe in probes]
            said = max((number + 1 for number, place in enumerate(places) if place >= 0), default=0)
            if said:
                words = text.split()
                heard = " ".join(words[: round(len(words) * said / len(probes))])
                found.append((max(places), heard))
        text = " ".join(heard for _, heard in sorted(found))
        return Transcript(text, 1.0 if text else 0.0)


def _probes(pcm: bytes) -> list[bytes]:
    """A frame from the beginning, the middle and the end of the speech."""
    places = [int(len(pcm) * share) // 2 * 2 for share in (0.2, 0.5, 0.8)]
    return [pcm[place : place + FRAME_BYTES] for place in places]


class PromptVoice:
    """A tone as long as the sentence; at once for the fixed lines of prompts/, else after the delay."""

    name = "tone"

    def __init__(self, delay_ms: float, ms_per_character: int) -> None:
        self._delay_s = delay_ms / 1000
        self._tone = ScriptedTts(ms_per_character)
        self._fixed = {speakable(sentence) for sentence in fixed_sentences()}

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`."""
        if text not in self._fixed:
            await asyncio.sleep(self._delay_s)
        async for chunk in self._tone.speak(text, pace):
            yield chunk


def fixed_sentences() -> Iterable[str]:
    """Every sentence of prompts/ that is the same for every caller."""
    prompts = [load(path.stem) for path in sorted(FOLDER.glob("*.toml"))]
    wordings = chain.from_iterable(prompt.lines.values() for prompt in prompts)
    texts = chain.from_iterable(wording.texts for wording in wordings if not wording.fields)
    return chain.from_iterable(sentences(text) for text in texts)


class PassageModel:
    """A language model that words an answer as its best passage does, at a model's pace."""

    name = "passage"

    def __init__(self, delays: Delays) -> None:
        self.wrote = 0
        """How many answers, also for turns that were given up."""
        self.filled = 0
        """How many forms: what the callers of the measurement say, the local classifier knows."""
        self._delays = delays

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`knowledge.llm.LanguageModel`: it has no opinion."""
        self.filled += 1
        await asyncio.sleep(self._delays.first_word_ms / 1000)
        raise LlmFailed(f"{self.name}: fills in no {form.__name__}")

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`knowledge.llm.LanguageModel`."""
        self.wrote += 1
        best = _PASSAGE.search(asked.user)
        if best is None:
            raise LlmFailed(f"{self.name}: was shown no passage")
        clock = asyncio.get_running_loop()
        due_s = clock.time() + self._delays.first_word_ms / 1000
        for word in re.findall(r"\S+\s*", best[1]):
            await asyncio.sleep(due_s - clock.time())
            yield word
            due_s += self._delays.word_ms / 1000


_PASSAGE = re.compile(r"<passage>([^\n<]*)")
"""Of the first passage, its spoken answer."""
