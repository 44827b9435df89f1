"""A conversation in a test: one line per turn, on the real graph with in-memory twins."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from langgraph.checkpoint.memory import InMemorySaver

from graph.builder import Services, build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Unreached, Words
from graph.reply import HangUp, Listen, NodeRan, Reply, Say, Transfer
from knowledge.intents import KeywordClassifier
from knowledge.retriever import ListRetriever, Passage
from tools.backoffice import Backoffice
from tools.backoffice_demo import DemoBackoffice
from tools.call_backs import CallBacks, MemoryCallBacks
from tools.gate import Gate
from tools.opening_hours import PARIS

KEY = b"k" * 32
TODAY = date(2026, 11, 20)
OPEN = datetime(2026, 11, 20, 10, 0, tzinfo=PARIS)
"""A Friday morning: people are there."""
CLOSED = datetime(2026, 11, 21, 11, 0, tzinfo=PARIS)
"""A Saturday."""
CALLER = "0612345678"

KEYWORDS: Mapping[str, str] = {
    "conseiller": "transfer",
    "rappel": "transfer",
    "au revoir": "goodbye",
    "assurance vie": "contract_inquiry",
    "sinistre": "claims_status",
    "dossier": "claims_status",
    "identifier": "authentication",
    "horaires": "faq",
    "recette": "faq",
}

HOURS = Passage(
    id="1",
    question="Quels sont vos horaires ?",
    answer="Nos conseillers sont là du lundi au vendredi, de neuf heures à dix-huit heures.",
    details="",
    source="horaires.md",
)


def services(
    backoffice: Backoffice | None = None, *, now: datetime = OPEN, call_backs: CallBacks | None = None
) -> Services:
    """The graph's ports, all in memory; ``now`` is the moment of the whole call."""
    backoffice = backoffice or DemoBackoffice()
    return Services(
        backoffice=backoffice,
        gate=Gate(backoffice, KEY),
        retriever=ListRetriever([HOURS]),
        classifier=KeywordClassifier(KEYWORDS),
        call_backs=call_backs or MemoryCallBacks(),
        today=lambda: TODAY,
        now=lambda: now,
    )


@dataclass
class Turn:
    """What the agent did in one turn."""

    replies: list[Reply]

    @property
    def said(self) -> list[str]:
        return [reply.key for reply in self.replies if isinstance(reply, Say)]

    @property
    def text(self) -> str:
        return " ".join(reply.text for reply in self.replies if isinstance(reply, Say))

    @property
    def nodes(self) -> list[str]:
        return [reply.node for reply in self.replies if isinstance(reply, NodeRan)]

    @property
    def then(self) -> Listen | Transfer | HangUp:
        last = self.replies[-1]
        assert isinstance(last, Listen | Transfer | HangUp)
        return last


@dataclass
class Conversation:
    """A call by text: ``call``, then ``says``, ``keys`` and ``silence``."""

    dialogue: Dialogue
    call_id: str = "b6b1c0de-0000-4000-8000-000000000001"
    turns: list[Turn] = field(default_factory=list)

    @classmethod
    def of(cls, given: Services | None = None) -> "Conversation":
        return cls(Dialogue(build_graph(given or services()), InMemorySaver()))

    async def begins(self, caller: str = CALLER) -> Turn:
        return await self.turn(CallBegins(caller))

    async def says(self, text: str, cut: Mapping[str, str] | None = None) -> Turn:
        return await self.turn(Words(text), cut)

    async def keys(self, digits: str) -> Turn:
        return await self.turn(Keys(digits))

    async def silence(self) -> Turn:
        return await self.turn(Quiet())

    async def resumes(self) -> Turn:
        return await self.turn(Resumed())

    async def comes_back(self, why: Unreached = "no_answer") -> Turn:
        return await self.turn(NotReached(why))

    async def turn(self, heard: Heard, cut: Mapping[str, str] | None = None) -> Turn:
        turn = Turn([reply async for reply in self.dialogue.turn(self.call_id, heard, cut)])
        self.turns.append(turn)
        return turn

    async def identified(self) -> "Conversation":
        """Greeted and identified as Madame Moreau."""
        await self.begins()
        await self.says("je voudrais m'identifier")
        await self.keys("10078821")
        await self.keys("01041962")
        return self
