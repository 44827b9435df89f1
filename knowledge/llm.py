"""The port to a language model: a form filled in, or a text written, within a budget.

A model never decides access, routing to personal data, or numbers (specification, section 3): it sorts what
the local classifier is unsure of, and words answers from passages, which code then checks. What is handed
over here is already masked (``knowledge.masking``). Nothing of a vendor is known in this file.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import BaseModel

from memory.breaker import ProviderFailed

Form = TypeVar("Form", bound=BaseModel)


class LlmFailed(ProviderFailed):
    """The model gave nothing usable in time: away, refused, too slow, or not in the form asked for.

    The message says which model and why, for the log; it never holds the model's or the caller's words.
    """


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as the model is given it."""

    system: str
    user: str


class LanguageModel(Protocol):
    """One model, or a chain of them. One instance serves every call."""

    @property
    def name(self) -> str:
        """``groq:openai/gpt-oss-120b``."""

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """``form`` filled in by the model, validated strictly. Raises :class:`LlmFailed`."""

    def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """The answer, piece by piece as it is made. Raises :class:`LlmFailed`, also after some pieces.

        ``budget_ms`` bounds the whole answer.
        """


@dataclass(slots=True)
class ScriptedModel:
    """The twin: answers what it is told to, and remembers what it was asked."""

    answer: Callable[[Asked], str | BaseModel] = field(default=lambda _: "")
    """A text for :meth:`write`, a filled form for :meth:`fill`; it may raise :class:`LlmFailed`."""
    asked: list[Asked] = field(default_factory=list)
    name: str = "scripted"

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`LanguageModel`."""
        self.asked.append(asked)
        given = self.answer(asked)
        if not isinstance(given, form):
            raise LlmFailed(f"{self.name}: {type(given).__name__} is not a {form.__name__}")
        return given

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`LanguageModel`; word by word."""
        self.asked.append(asked)
        for piece in _pieces(str(self.answer(asked))):
            yield piece


def _pieces(text: str) -> Sequence[str]:
    words = text.split(" ")
    return [word if at == 0 else f" {word}" for at, word in enumerate(words) if word]
