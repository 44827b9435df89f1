"""Decides which node takes the caller's turn. Speaks to nobody and sees no personal data.

The order of the questions matters: a key pressed, then an answer to the question that is open, then
what the words are about. While a number, a date or a yes is awaited, only a clear change of mind
leads away from it; everything else goes back to whoever asked, who can say that it was not understood.
After "anything else?" it is the other way round: "non, un conseiller" is first of all a request.

Two requests in one sentence are both kept: the first takes the turn, the second waits in ``queued`` until
it is served. What the local classifier is unsure of, and a sentence of several parts of which it is not sure
of each, goes to a language model, where there is one: masked, within a budget, and only to choose an intent;
late, away or wrong, the local guess stands.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from graph.skill import HUMAN_KEY, Caller, Described, caller_turn
from graph.state import Awaiting, CallState, CallUpdate, Request
from knowledge.acts import Act, act
from knowledge.intents import Guess, IntentClassifier
from knowledge.llm import Asked, LanguageModel, LlmFailed
from knowledge.masking import mask
from knowledge.retriever import ANSWERABLE, Retriever
from knowledge.wishes import refuses_recording, takes_leave
from prompts import load
from tools import choices, spoken

log = logging.getLogger(__name__)

FEW_WORDS = 6
"""« et celui de mars, alors »: a longer sentence says by itself what it is about."""

YES_NO_KEYS = frozenset({"1", "2"})

LEAST_OF_A_QUESTION = 5
"""Words; « vous êtes là ? » asks for nothing."""

SURE = 0.5
"""Confidence above which a guess is acted upon."""

ASKED_BUDGET_MS = 700
"""What a second opinion may cost: a caller hears a pause of a second."""

BELIEVED = 0.7
"""The confidence of a model's choice: enough to act upon, too little to leave an open question."""

SURE_ENOUGH_TO_CHANGE = 0.8
"""Confidence above which the caller is taken to have changed the subject in the middle of a question."""


class Intent(StrEnum):
    """What a language model may choose from."""

    CONTRACT_INQUIRY = "contract_inquiry"
    CLAIMS_STATUS = "claims_status"
    FAQ = "faq"
    AUTHENTICATION = "authentication"
    TRANSFER = "transfer"
    GOODBYE = "goodbye"
    OTHER = "other"


class Sorted(BaseModel):
    """The form a language model fills in: one intent, and another when there are two requests."""

    model_config = ConfigDict(extra="forbid")

    first: Intent = Field(description="ce que l'appelant demande d'abord")
    second: Intent | None = Field(description="ce qu'il demande ensuite, ou null")


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
    model: LanguageModel | None = None
    """Asked when the classifier is unsure; None: nobody is."""

    async def __call__(self, state: CallState) -> CallUpdate:
        """The update that sends the turn to a node."""
        caller = caller_turn(state)
        if caller is None:
            return {"goto": "repair"}
        shown = None if caller.keyed else act(caller.text)
        reopened = self._reopened(state, caller)
        if shown is not None and shown in self.care:
            return {**reopened, "goto": self.care[shown], "act": shown.value, "silences": 0}
        state = {**state, **reopened}
        sorted_to = await self._sort(state, caller)
        update: CallUpdate = {**reopened, "act": shown.value if shown else "", **sorted_to}
        if update["goto"] == "repair" and (_asks(caller) or await self._can_be_answered(caller)):
            update = {**update, "goto": "faq"}
        return {**update, "silences": 0}

    def _reopened(self, state: CallState, caller: Caller) -> CallUpdate:
        """Who was silent, and offered people, may answer that offer, or after all the question before it."""
        awaiting, aside = state.get("awaiting"), state.get("set_aside")
        if aside is None or (awaiting is not None and self._is_answer(awaiting, caller)):
            return {"set_aside": None}
        return {"set_aside": None, "awaiting": aside}

    async def _can_be_answered(self, caller: Caller) -> bool:
        """Whether words that no intent claims for sure are close to a question of the knowledge base."""
        if caller.keyed or not caller.text:
            return False
        passages = await self.retriever.search(caller.text, limit=1)
        return bool(passages) and passages[0].score >= ANSWERABLE

    async def _sort(self, state: CallState, caller: Caller) -> CallUpdate:
        awaiting = state.get("awaiting")
        if caller.keyed and caller.text == HUMAN_KEY:
            return {"goto": "transfer", "transfer_reason": "asked"}
        if refuses_recording(caller.text):
            return {"goto": "greet"}
        if awaiting and awaiting["by"] == "greet":  # whether to go on where the last call broke off
            if self._says_yes_or_no(caller):
                return {"goto": "greet"}
            awaiting = None
        answers = awaiting is not None and self._is_answer(awaiting, caller)
        if awaiting and answers and awaiting["form"] != "open":
            return self._back_to(awaiting, caller)
        if (followed := self._follows_up(state, caller)) is not None:
            return self._to(followed, caller)
        if caller.keyed or not caller.text:
            guess = Guess("", 0.0, "", 0.0)
        else:
            guess = self.classifier.classify(caller.text)
        if awaiting and awaiting["form"] != "open":
            changed = self._node(guess) is not None and guess.confidence >= SURE_ENOUGH_TO_CHANGE
            return self._both(state, guess, caller) if changed else self._back_to(awaiting, caller)
        if caller.text and not caller.keyed and (guess.confidence < SURE or guess.several):
            guess = await self._second_opinion(caller.text, guess)
        if self._node(guess) is not None and guess.confidence >= SURE:
            return self._both(state, guess, caller)
        if awaiting and answers:
            return self._back_to(awaiting, caller)
        if (followed := self._follows_up(state, caller, 2 * FEW_WORDS)) is not None:
            return self._to(followed, caller)
        if state.get("topic", "") in self.personal and choices.goes_on(caller.text):
            return self._to(state.get("topic", ""), caller)
        return {"goto": "repair"}

    def _says_yes_or_no(self, caller: Caller) -> bool:
        """Whether it is that and no request, nor a farewell: « oui, un conseiller » is one."""
        if caller.keyed:
            return caller.text in YES_NO_KEYS
        if len(caller.text.split()) > FEW_WORDS or spoken.yes_no(caller.text) is None:
            return False
        guess = self.classifier.classify(caller.text)
        asks = self._node(guess) not in (None, "goodbye") and guess.confidence >= SURE_ENOUGH_TO_CHANGE
        return not asks and not takes_leave(caller.text)

    def _follows_up(self, state: CallState, caller: Caller, at_most: int = FEW_WORDS) -> str | None:
        """The personal skill that spoke last, when a few words point at something it spoke of.

        « et l'autre », « le bris de glace » are no request that a classifier could know.
        """
        topic, awaiting = state.get("topic", ""), state.get("awaiting")
        open_ended = awaiting is None or awaiting["what"] == "more"
        if topic not in self.personal or not open_ended or caller.keyed or takes_leave(caller.text):
            return None
        if len(caller.text.split()) > at_most:
            return None
        if spoken.yes_no(caller.text) is not None and not choices.means_other(caller.text):
            return None  # « non pas celui-là, l'autre » is no answer to "autre chose ?"
        said = " ".join(str(one.text) for one in state.get("messages", []) if one.name == topic)
        points = choices.refers(caller.text) or choices.shares_name(caller.text, said)
        more = Awaiting(by=topic, what="more", form="open")
        return topic if points or self._is_answer(more, caller) else None

    def _is_answer(self, awaiting: Awaiting, caller: Caller) -> bool:
        return any(skill.answers(awaiting, caller) for skill in self.menu if skill.name == awaiting["by"])

    def _node(self, guess: Guess) -> str | None:
        """The node that serves what was understood; None for ``other``."""
        return next((skill.name for skill in self.menu if skill.intent == guess.intent), None)

    async def _second_opinion(self, text: str, guess: Guess) -> Guess:
        """What a language model makes of words that the classifier is unsure of; else its own guess."""
        if self.model is None:
            return guess
        menu = "\n".join(f"{skill.intent} : {skill.describes}" for skill in self.menu)
        asked = Asked(f"{load('classify').system}\n{menu}", mask(text))
        try:
            chosen = await self.model.fill(asked, Sorted, ASKED_BUDGET_MS)
        except LlmFailed as exc:
            log.info("classify.model_failed", extra={"reason": str(exc)})
            return guess
        if chosen.first == guess.intent and chosen.second is None:
            return guess if guess.confidence >= BELIEVED else replace(guess, confidence=BELIEVED)
        then = Guess(chosen.second, BELIEVED, guess.intent, 0.0, said=text) if chosen.second else None
        kept = guess.act if chosen.first == guess.intent else None
        return Guess(chosen.first, BELIEVED, guess.intent, 0.0, kept, text, then)

    def _both(self, state: CallState, guess: Guess, caller: Caller) -> CallUpdate:
        """The first request takes the turn; the second waits, when it is one that can."""
        node = self._node(guess) or ""
        following = self._node(guess.then) if guess.then is not None else None
        if guess.then is None or following is None or following == node:
            return self._to(node, caller)
        if node == "authenticate" and following in self.personal:
            return self._to(following, caller)  # who he is, and what he wants: one thing
        if node == "transfer" or following in {"goodbye", "authenticate"}:
            topic: CallUpdate = {"topic": following} if following in self.personal else {}
            return {**topic, **self._to(node, caller)}
        waiting = Request(node=following, said=guess.then.said, act=guess.then.act or "")
        first = self._to(node, Caller(guess.said or caller.text))
        return {**first, "queued": [*state.get("queued", []), waiting]}

    def _back_to(self, awaiting: Awaiting, caller: Caller) -> CallUpdate:
        """To whoever asked; why people were offered stays as it was."""
        return {"goto": "transfer"} if awaiting["by"] == "transfer" else self._to(awaiting["by"], caller)

    def _to(self, node: str, caller: Caller) -> CallUpdate:
        if node in self.personal:
            return {"goto": "authenticate", "pending": node, "request": caller.text}
        if node == "transfer":
            return {"goto": node, "transfer_reason": "asked"}
        return {"goto": node}


def _asks(caller: Caller) -> bool:
    """Whether a question was put that no intent claims: who knows no answer says so, and offers a person."""
    said = caller.text.strip()
    return not caller.keyed and said.endswith("?") and len(said.split()) >= LEAST_OF_A_QUESTION
