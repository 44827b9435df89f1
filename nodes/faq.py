"""General questions, answered from the knowledge base, or not at all.

A passage that answers directly is spoken as it was written: no model, no wait. Only when the best passage
is near the question without being it, or is a piece of a plain document, is a language model asked to
word an answer, which code checks sentence by sentence (:mod:`knowledge.answer_writer`). Whatever goes
wrong there, the passage's own answer is spoken; where there is none, the agent says that it does not know
and offers a human.
"""

import logging
from dataclasses import dataclass

from graph.skill import Caller, Speak, asked, offer_adviser, request_served
from graph.state import Awaiting, CallState, CallUpdate
from knowledge.answer_writer import AnswerWriter, NotAnswered, NotWritten
from knowledge.retriever import ANSWERABLE, DIRECT, Passage, Retriever
from prompts import load

log = logging.getLogger(__name__)

PASSAGES = 3
"""What a model gets to word an answer from: the best, and what it may have been confused with."""


@dataclass(frozen=True, slots=True)
class Faq:
    """Looks the question up; says that it does not know when nothing is close enough."""

    retriever: Retriever
    writer: AnswerWriter | None = None
    """None: answers are the knowledge base's own."""
    name: str = "faq"
    intent: str = "faq"
    describes: str = "poser une question générale : horaires, démarches, délais, fiscalité, documents"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """It leaves no question of its own open."""
        return False

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Speak the best passage's answer, or one worded from the passages, or offer a human."""
        words = load(self.name)
        question = asked(state)
        passages = await self.retriever.search(question, limit=PASSAGES)
        near = [one for one in passages if one.score >= ANSWERABLE]
        if not near or not await self._told(question, near, speak):
            return offer_adviser(state, speak, words, "unknown", "unknown", self.name)
        return request_served(state, speak, self.name)

    async def _told(self, question: str, near: list[Passage], speak: Speak) -> bool:
        """Whether there was an answer, which was spoken."""
        words = load(self.name)
        best = near[0]
        said = False
        if self.writer is not None and (not best.answer or best.score < DIRECT):
            try:
                async for sentence in self.writer.write(question, near):
                    speak(words.say("answer", answer=sentence))
                    said = True
            except NotAnswered:
                log.info("faq.not_in_passages", extra={"source": best.source})
                return said
            except NotWritten as exc:
                log.warning("faq.own_answer", extra={"reason": str(exc), "source": best.source})
        if not said and best.answer:
            speak(words.say("answer", answer=best.answer))
            said = True
        return said
