"""A model words an answer from passages; every sentence is checked before it may be spoken.

Theory of operation. The model is given the caller's words, masked, and the passages between marks, as
data. What it writes is cut into sentences as it comes; each is given out as soon as
:func:`knowledge.answers.fault` has found nothing in it, so that the caller hears the first while the
second is written. The first sentence that may not be said ends the answer: what was given out before
stands by itself, and nothing of the rest is spoken. Whoever asks then falls back on the passage's own
answer.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from html import escape

from knowledge.answers import MOST_SENTENCES, commands, fault, sentences
from knowledge.llm import Asked, LanguageModel, LlmFailed
from knowledge.masking import mask
from knowledge.retriever import SOURCE_LABEL, Passage

ANSWER_BUDGET_MS = 2500
"""Longest wait for a whole answer; beyond it the passage's own is the better one: somebody waits."""
MOST_CHARACTERS = 400
"""More is no sentence: whatever writes on without a full stop is stopped."""
NOTHING = "INCONNU"
"""What the model is told to write when the passages do not answer."""


class NotWritten(Exception):
    """The model gave no sentence that may be said. The message says which rule, never what was written."""


class NotAnswered(Exception):
    """The model found that the passages do not answer the question."""


@dataclass(frozen=True, slots=True)
class AnswerWriter:
    """Words answers. One instance serves every call."""

    model: LanguageModel
    system: str
    """What the model is told to do, in ``prompts/faq.toml``."""
    budget_ms: int = ANSWER_BUDGET_MS

    async def write(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str]:
        """The sentences of an answer, each as soon as it was written and checked; at least one, at most two.

        ``question`` is masked here. Raises :class:`NotWritten` when the first sentence may not be said, or
        when the model failed or was late before it; :class:`NotAnswered` when it says that it does not know.
        A fault after the first sentence ends the answer without an error.
        """
        evidence = [evidence_of(one) for one in passages if not commands(evidence_of(one))]
        if not evidence:
            raise NotWritten("no passage may be shown to a model")
        given = 0
        try:
            async for sentence in self._sentences(Asked(self.system, _asked(question, evidence))):
                _check(sentence, evidence)
                yield sentence
                given += 1
                if given == MOST_SENTENCES:
                    return
        except (NotWritten, LlmFailed) as exc:
            if not given:
                raise NotWritten(str(exc)) from exc
        if not given:
            raise NotWritten("nothing was written")

    async def _sentences(self, asked: Asked) -> AsyncIterator[str]:
        """The model's sentences, each when it is whole; a long one is cut off, and then fails the check."""
        pending = ""
        async for piece in self._pieces(asked):
            pending += piece
            *whole, pending = _cut(pending)
            for sentence in whole:
                yield sentence
            if len(pending) > MOST_CHARACTERS:
                break
        if pending.strip():
            yield pending.strip()

    async def _pieces(self, asked: Asked) -> AsyncIterator[str]:
        """What the model writes, within the budget whatever the model does."""
        clock = asyncio.get_running_loop()
        deadline = clock.time() + self.budget_ms / 1000
        pieces = self.model.write(asked, self.budget_ms)
        try:
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError as exc:
                    raise LlmFailed(f"{self.model.name}: no whole answer in {self.budget_ms} ms") from exc
                yield piece
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()


def evidence_of(passage: Passage) -> str:
    """What of ``passage`` may be told: its answer and its details, without the sources."""
    told = (one for one in passage.details.split("\n\n") if not one.startswith(SOURCE_LABEL))
    return "\n".join(one for one in (passage.answer, *told) if one)


def _asked(question: str, evidence: Sequence[str]) -> str:
    # Escaped, so that no passage and no caller can close the marks and speak from outside of them.
    told = "\n".join(f"<passage>{escape(one, quote=False)}</passage>" for one in evidence)
    return f"{told}\n<question>{escape(mask(question), quote=False)}</question>"


def _check(sentence: str, evidence: Sequence[str]) -> None:
    if NOTHING in sentence.upper():
        raise NotAnswered
    reason = fault(sentence, evidence)
    if reason:
        raise NotWritten(reason)


def _cut(text: str) -> list[str]:
    """The whole sentences of ``text``, then what may still go on; at least that one."""
    said = sentences(text)
    if not said:
        return [text]
    return (
        [*said, ""]
        if text[-1:].isspace() and text.rstrip()[-1:] in ".!?…"
        else [*said[:-1], _rest(text, said)]
    )


def _rest(text: str, said: Sequence[str]) -> str:
    return text[text.rindex(said[-1]) :]
