"""What providers of speech and language did, for those who watch: switches, answers, tokens, costs.

Told through one callback per process (:data:`Tell`), which counts and logs; nothing here is of a caller, and
no call waits for it. Names are those of the ports' ``name``: who provides it, a colon, which of his models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """Which part of a turn a provider serves."""

    STT = "stt"
    LLM = "llm"
    TTS = "tts"


class Why(StrEnum):
    """Why a provider was left."""

    FAILED = "failed"
    """It refused, broke or could not be reached."""
    SLOW = "slow"
    """It had not answered after its share of the stage's budget."""
    BARRED = "barred"
    """Its breaker is open: it was not even asked."""


@dataclass(frozen=True, slots=True)
class Switched:
    """A request went to another provider than the one before it in the order."""

    stage: Stage
    left: str
    taken: str
    """Empty when there was none left."""
    why: Why
    reason: str = ""
    """Short and ours: ``HTTP 503``, ``TimeoutError``."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A provider's attempt failed, whether another one was left or not."""

    stage: Stage
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A request for which no provider was left: the chain failed."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Answered:
    """A provider gave what was asked of it."""

    stage: Stage
    name: str
    took_ms: float
    """To the whole transcript or form; for what is streamed to its first piece."""


@dataclass(frozen=True, slots=True)
class TokensUsed:
    """What an answer of a language model cost, as the provider counted it."""

    model: str
    prompt: int
    completion: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What a hosted provider did has its price."""

    stage: Stage
    cents: float


ProviderNews = Switched | Failed | Exhausted | Answered | TokensUsed | Spent

Tell = Callable[[ProviderNews], None]
"""Somebody who wants to know. Quick, and never fails."""


def nobody(news: ProviderNews) -> None:
    """Nobody wants to know."""
