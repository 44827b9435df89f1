"""The voice's port: a sentence in, sound out, as it is made.

Adapters live in ``audio/providers``; the in-memory twin is ``audio.scripted.ScriptedTts``.
"""

import re
from collections.abc import AsyncGenerator
from enum import StrEnum
from typing import Final, Protocol

from memory.breaker import Fault, ProviderFailed


class TtsFailed(ProviderFailed):
    """The voice could not speak (outage, time-out, refusal), before or within a sentence.

    Raised with the cause chained; ``slow`` when it was given up because it took too long.
    """

    def __init__(self, message: str, fault: Fault | None = None, *, slow: bool = False) -> None:
        super().__init__(message, fault)
        self.slow = slow


class Pace(StrEnum):
    """How fast the caller wants to be spoken to."""

    NORMAL = "normal"
    SLOW = "slow"
    """He asked for it, or writes down what he hears."""

    @property
    def speed(self) -> float:
        """Times the voice's own speed: what a provider's speed setting takes."""
        return SLOW_SPEED if self is Pace.SLOW else 1.0


SLOW_SPEED: Final = 0.8
"""A fifth slower: plainly noticed, and not yet a drawl that mocks (ElevenLabs ends at 0.7)."""


class TextToSpeech(Protocol):
    """Speaks one sentence. Stateless: one instance serves every call."""

    @property
    def name(self) -> str:
        """Which voice this is, for the journal and the terminal: ``espeak-ng:fr``."""

    def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """Sound of ``text``, one sentence, at ``pace``: signed 16-bit mono, 8 kHz, in even chunks, as made.

        Closing it (``aclose``) cancels the synthesis. Never blocks the event loop.
        Raises :class:`TtsFailed`, possibly after some chunks.
        """


# A sentence ends at . ! ? or … followed by space; not after an initial or "M.", nor inside a number.
_SENTENCE_END = re.compile(r"(?<=[.!?…])(?<!\bM\.)(?<!\bMM\.)(?<!\b[A-Z]\.)\s+")


def sentences(text: str) -> list[str]:
    """Cut ``text`` into the sentences that are synthesised one by one, in order, none empty."""
    return [sentence for sentence in _SENTENCE_END.split(text.strip()) if sentence]
