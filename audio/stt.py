"""The ear's port: an utterance in, a transcript out.

Adapters live in ``audio/providers``; the in-memory twin is ``audio.scripted.ScriptedStt``.
"""

from dataclasses import dataclass
from typing import Protocol

from audio.endpointing import Expecting, Utterance
from memory.breaker import ProviderFailed


class SttFailed(ProviderFailed):
    """The speech-to-text service could not answer (outage, time-out, refusal).

    Raised by adapters only, with the cause chained. Not for speech that could not be
    understood: that is a :class:`Transcript` without words.
    """


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood of one utterance.

    ``text`` is French as spoken, stripped; empty when speech was heard but no words were
    recognised (noise, a cough, a line the ear does not know). ``confidence`` is in 0..1,
    in the provider's own terms; 0 when ``text`` is empty.
    """

    text: str
    confidence: float = 1.0


class SpeechToText(Protocol):
    """Turns one utterance into text. Stateless: one instance serves every call."""

    @property
    def name(self) -> str:
        """Which ear this is, for the journal and the terminal: ``groq:whisper-large-v3-turbo``."""

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """Transcribe ``utterance`` (signed 16-bit mono at 8 kHz); ``expecting`` says what was asked.

        Never blocks the event loop. Raises :class:`SttFailed`.
        """
