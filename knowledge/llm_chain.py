"""Several language models behind the one port: the next one answers when the one before it does not.

Each request has one budget for all. A model that is not the last gets ``share`` of what is left of it, to
its form or to its first piece of text; then it is given up. Models are not asked side by side: unlike an
utterance, a request is counted in tokens, and what is written is not needed for the dialogue to go on.

Once a piece of text has been handed out it may have been spoken: the chain does not begin again with another
model then, it fails, and whoever asked goes on from what was heard.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass

from knowledge.llm import Asked, Form, LanguageModel, LlmFailed
from memory.breaker import Attempt, Breakers, Fault
from memory.provider_news import Exhausted, Failed, Stage, Switched, Tell, Why, nobody

SHARE = 0.6
"""What is left for the second model is enough for the smaller, quicker one."""

SLOW = "too slow"


class FallbackModel:
    """An ordered chain of models; see :class:`knowledge.llm.LanguageModel`."""

    def __init__(
        self,
        models: Sequence[LanguageModel],
        breakers: Breakers,
        *,
        share: float = SHARE,
        tell: Tell = nobody,
    ) -> None:
        """``breakers`` are asked and told by the models' names. Raises ``ValueError`` without a model."""
        if not models:
            raise ValueError("a chain of models needs one at least")
        self.models = tuple(models)
        self.breakers = breakers
        self.share = share
        self.tell = tell

    @property
    def name(self) -> str:
        """``groq:openai/gpt-oss-120b, then groq:openai/gpt-oss-20b``."""
        return ", then ".join(model.name for model in self.models)

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`knowledge.llm.LanguageModel`."""
        request = _Request(self, budget_ms)
        while (turn := request.next()) is not None:
            try:
                async with asyncio.timeout(turn.share_s):
                    filled = await turn.model.fill(asked, form, round(turn.share_s * 1000))
            except (LlmFailed, TimeoutError) as error:
                request.failed(turn, error)
            else:
                turn.attempt.succeeded()
                return filled
            finally:
                turn.attempt.dropped()  # the caller spoke on; of no consequence when it ended otherwise
        raise request.failure() from request.last

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`knowledge.llm.LanguageModel`."""
        request = _Request(self, budget_ms)
        while (turn := request.next()) is not None:
            pieces = turn.model.write(asked, round(turn.left_s * 1000))
            spoken = False
            try:
                async with asyncio.timeout(turn.share_s):
                    piece = await anext(pieces, None)
                while piece is not None:
                    spoken = True
                    yield piece
                    piece = await anext(pieces, None)
            except (LlmFailed, TimeoutError) as error:
                request.failed(turn, error)
                if spoken:
                    break
            else:
                turn.attempt.succeeded()
                return
            finally:
                turn.attempt.dropped()
                if isinstance(pieces, AsyncGenerator):
                    await pieces.aclose()
        raise request.failure() from request.last


@dataclass(frozen=True, slots=True)
class _Turn:
    """One model's turn to answer."""

    model: LanguageModel
    attempt: Attempt
    share_s: float
    """Until its form, or its first piece of text."""
    left_s: float
    """Of the whole budget."""


class _Request:
    """One request on its way through the chain."""

    def __init__(self, chain: "FallbackModel", budget_ms: int) -> None:
        self.last: Exception | None = None
        self._chain = chain
        self._rest = deque(chain.models)
        self._loop = asyncio.get_running_loop()
        self._ends_s = self._loop.time() + budget_ms / 1000
        self._left: list[tuple[str, Why, str]] = []

    def next(self) -> _Turn | None:
        """The next model that may be tried; None when there is none, or no time."""
        while self._rest:
            left_s = self._ends_s - self._loop.time()
            if left_s <= 0:
                return None
            model = self._rest.popleft()
            attempt = self._chain.breakers.of(model.name).attempt()
            if attempt is None:
                self._left.append((model.name, Why.BARRED, ""))
                continue
            self._switched(model.name)
            return _Turn(model, attempt, left_s * (self._chain.share if self._rest else 1.0), left_s)
        return None

    def failed(self, turn: _Turn, error: LlmFailed | TimeoutError) -> None:
        """``turn`` came to nothing."""
        self.last = error
        slow = isinstance(error, TimeoutError)
        fault = Fault(reason=SLOW) if isinstance(error, TimeoutError) else error.fault
        turn.attempt.failed(fault)
        self._chain.tell(Failed(Stage.LLM, turn.model.name, fault.reason))
        self._left.append((turn.model.name, Why.SLOW if slow else Why.FAILED, fault.reason))

    def failure(self) -> LlmFailed:
        """Nobody answered."""
        self._switched("")
        self._chain.tell(Exhausted(Stage.LLM))
        if isinstance(self.last, LlmFailed):
            return LlmFailed(f"no model answered; the last one to fail: {self.last}", self.last.fault)
        return LlmFailed(
            "no model answered: all were too slow, or barred by their breakers", Fault(reason=SLOW)
        )

    def _switched(self, taken: str) -> None:
        for left, why, reason in self._left:
            self._chain.tell(Switched(Stage.LLM, left, taken, why, reason))
        self._left.clear()
