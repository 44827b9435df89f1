"""General questions, answered with the very words of the knowledge base, or not at all."""

from dataclasses import dataclass

from graph.skill import Caller, Speak, caller_turn, offer_adviser, request_served
from graph.state import Awaiting, CallState, CallUpdate
from knowledge.retriever import ANSWERABLE, Retriever
from prompts import load


@dataclass(frozen=True, slots=True)
class Faq:
    """Looks the question up; says that it does not know when nothing is close enough."""

    retriever: Retriever
    name: str = "faq"
    intent: str = "faq"
    describes: str = "poser une question générale : horaires, démarches, délais, fiscalité, documents"

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """It leaves no question of its own open."""
        return False

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Speak the best passage's answer, or offer a human."""
        words = load(self.name)
        caller = caller_turn(state) or Caller("")
        passages = await self.retriever.search(caller.text, limit=1)
        if not passages or passages[0].score < ANSWERABLE:
            return offer_adviser(state, speak, words, "unknown", "unknown", self.name)
        speak(words.say("answer", answer=passages[0].answer))
        return request_served(state, speak, self.name)
