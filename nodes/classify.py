"""Decides which node takes the caller's turn. Speaks to nobody and sees no personal data.

The order of the questions matters: a key pressed, then an answer to the question that is open, then
what the words are about. While a number, a date or a yes is awaited, only a clear change of mind
leads away from it; everything else goes back to whoever asked, who can say that it was not understood.
After "anything else?" it is the other way round: "non, un conseiller" is first of all a request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graph.skill import HUMAN_KEY, Caller, Described, caller_turn
from graph.state import Awaiting, CallState, CallUpdate
from knowledge.acts import Act, act
from knowledge.intents import IntentClassifier
from knowledge.retriever import ANSWERABLE, Retriever
from knowledge.wishes import refuses_recording, takes_leave
from tools import choices, spoken

FEW_WORDS = 6
"""« et celui de mars, alors »: a longer sentence says by itself what it is about."""

SURE = 0.5
"""Confidence above which a guess is acted upon."""

SURE_ENOUGH_TO_CHANGE = 0.8
"""Confidence above which the caller is taken to have changed the subject in the middle of a question."""


@dataclass(frozen=True, slots=True)
class Classify:
    """Sorts the caller's words among the skills of the menu."""

    classifier: IntentClassifier
    retriever: Retriever
    menu: Sequence[Described]
    personal: frozenset[str]
    """Names of the skills that need identity: their turns go through ``authenticate``."""
    care: Mapping[Act, str] = field(default_factory=dict)
    """Acts that have a node of their own, which takes the turn whatever question is open."""

    async def __call__(self, state: CallState) -> CallUpdate:
        """The update that sends the turn to a node."""
        caller = caller_turn(state)
        if caller is None:
            return {"goto": "repair"}
        shown = None if caller.keyed else act(caller.text)
        if shown is not None and shown in self.care:
            return {"goto": self.care[shown], "act": shown.value, "silences": 0}
        update: CallUpdate = {"act": shown.value if shown else "", **self._sort(state, caller)}
        if update["goto"] == "repair" and await self._can_be_answered(caller):
            update = {**update, "goto": "faq"}
        return {**update, "silences": 0}

    async def _can_be_answered(self, caller: Caller) -> bool:
        """Whether words that no intent claims for sure are close to a question of the knowledge base."""
        if caller.keyed or not caller.text:
            return False
        passages = await self.retriever.search(caller.text, limit=1)
        return bool(passages) and passages[0].score >= ANSWERABLE

    def _sort(self, state: CallState, caller: Caller) -> CallUpdate:
        awaiting = state.get("awaiting")
        if caller.keyed and caller.text == HUMAN_KEY:
            return {"goto": "transfer", "transfer_reason": "asked"}
        if refuses_recording(caller.text):
            return {"goto": "greet"}
        answers = awaiting is not None and self._is_answer(awaiting, caller)
        if awaiting and answers and awaiting["form"] != "open":
            return self._back_to(awaiting, caller)
        if (followed := self._follows_up(state, caller)) is not None:
            return self._to(followed, caller)
        chosen, confidence = self._guess(caller)
        if awaiting and awaiting["form"] != "open":
            changed = chosen is not None and confidence >= SURE_ENOUGH_TO_CHANGE
            return self._to(chosen, caller) if chosen and changed else self._back_to(awaiting, caller)
        if chosen is not None and confidence >= SURE:
            return self._to(chosen, caller)
        if awaiting and answers:
            return self._back_to(awaiting, caller)
        return {"goto": "repair"}

    def _follows_up(self, state: CallState, caller: Caller) -> str | None:
        """The personal skill that spoke last, when a few words point at something it spoke of.

        « et l'autre », « le bris de glace » are no request that a classifier could know.
        """
        topic, awaiting = state.get("topic", ""), state.get("awaiting")
        open_ended = awaiting is None or awaiting["what"] == "more"
        if topic not in self.personal or not open_ended or caller.keyed or takes_leave(caller.text):
            return None
        if len(caller.text.split()) > FEW_WORDS or spoken.yes_no(caller.text) is not None:
            return None
        said = " ".join(str(one.text) for one in state.get("messages", []) if one.name == topic)
        points = choices.refers(caller.text) or choices.shares_name(caller.text, said)
        more = Awaiting(by=topic, what="more", form="open")
        return topic if points or self._is_answer(more, caller) else None

    def _is_answer(self, awaiting: Awaiting, caller: Caller) -> bool:
        return any(skill.answers(awaiting, caller) for skill in self.menu if skill.name == awaiting["by"])

    def _guess(self, caller: Caller) -> tuple[str | None, float]:
        """The node that serves the likeliest intent (None for ``other``), and how sure it is."""
        if caller.keyed or not caller.text:
            return None, 0.0
        guess = self.classifier.classify(caller.text)
        node = next((skill.name for skill in self.menu if skill.intent == guess.intent), None)
        return node, guess.confidence

    def _back_to(self, awaiting: Awaiting, caller: Caller) -> CallUpdate:
        """To whoever asked; why people were offered stays as it was."""
        return {"goto": "transfer"} if awaiting["by"] == "transfer" else self._to(awaiting["by"], caller)

    def _to(self, node: str, caller: Caller) -> CallUpdate:
        if node in self.personal:
            return {"goto": "authenticate", "pending": node, "request": caller.text}
        if node == "transfer":
            return {"goto": node, "transfer_reason": "asked"}
        return {"goto": node}
