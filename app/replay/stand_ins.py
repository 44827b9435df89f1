"""Who stands in while a transcript is played: for the clock, the language model, systems that are down."""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from pydantic import ValidationError

from app.replay.script import ModelAnswer
from knowledge.llm import Asked, Form, LlmFailed
from tools.backoffice import BackofficeUnavailable
from tools.identity import Identity
from tools.models import Beneficiaries, Claim, Contract, Customer, ThirdItem


@dataclass(slots=True)
class StoppedClock:
    """The time of the transcript, until the transcript says another."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


class PlayedModel:
    """A language model that answers as the transcript says; see :class:`knowledge.llm.LanguageModel`."""

    name = "replayed"

    def __init__(self, answers: Sequence[ModelAnswer]) -> None:
        self._left = [(answer, answer.times) for answer in answers]
        self.asked: list[Asked] = []

    @property
    def unused(self) -> list[ModelAnswer]:
        """Answers that nobody asked for."""
        return [answer for answer, left in self._left if left == answer.times]

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`knowledge.llm.LanguageModel`."""
        answer = self._next(asked, lambda one: one.writes is None)
        raw = answer.fills_raw if answer.fills_raw is not None else json.dumps(answer.fills)
        if answer.fails is not None:
            raise _failed(answer)
        try:
            return form.model_validate_json(raw, strict=True, extra="forbid")
        except ValidationError:
            raise LlmFailed("replayed gave nothing usable: its form is not valid") from None

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`knowledge.llm.LanguageModel`; word by word."""
        answer = self._next(asked, lambda one: one.fills is None and one.fills_raw is None)
        for at, word in enumerate((answer.writes or "").split(" ") if answer.writes else ()):
            yield f" {word}" if at else word
        if answer.fails is not None:
            raise _failed(answer)

    def _next(self, asked: Asked, can: Callable[[ModelAnswer], bool]) -> ModelAnswer:
        self.asked.append(asked)
        for at, (answer, left) in enumerate(self._left):
            if (
                left
                and can(answer)
                and re.search(answer.when, f"{asked.system}\n{asked.user}", re.IGNORECASE)
            ):
                self._left[at] = (answer, left - 1)
                return answer
        raise LlmFailed("replayed did not answer: the transcript has no answer to this")


def _failed(answer: ModelAnswer) -> LlmFailed:
    return LlmFailed(f"replayed did not answer: {answer.fails}")


class AwayBackoffice:
    """The insurer's systems, all down; see :class:`tools.backoffice.Backoffice`."""

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        """Fails."""
        raise _AWAY

    async def holder(self, number: str) -> str | None:
        """Fails."""
        raise _AWAY

    async def confirms(self, identity: Identity, item: ThirdItem) -> bool:
        """Fails."""
        raise _AWAY

    async def customer(self, identity: Identity) -> Customer:
        """Fails."""
        raise _AWAY

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        """Fails."""
        raise _AWAY

    async def beneficiaries(self, identity: Identity) -> tuple[Beneficiaries, ...]:
        """Fails."""
        raise _AWAY

    async def claims(self, identity: Identity) -> tuple[Claim, ...]:
        """Fails."""
        raise _AWAY

    async def claim(self, identity: Identity, number: str) -> Claim | None:
        """Fails."""
        raise _AWAY


_AWAY = BackofficeUnavailable("the transcript says that the back office is away")
