"""The graph: nodes, then edges, as a list.

Theory of operation. One turn of the caller is one run, entered by a conditional edge on the state,
never by ``interrupt()``: after a barge-in an interrupted graph would finish the old turn and lose the
caller's new words. A run passes ``classify`` and one skill, with ``authenticate`` between them for what
is personal; there is no loop. Every edge into a personal skill comes from ``authenticate``.

Nodes are wrapped on their way in: here, and only here, they meet LangGraph. The wrapper gives a node
the voice it is entitled to, writes what was said into the history, opens the sealed identity for the
skills that need one, and answers for a back office that does not.

A run may be speculative (see :mod:`graph.dialogue`): it goes through all its nodes, and the node that would
end it waits until the turn is certain. So a run that ends is certain, and nothing of one that is not is
ever an end state.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import uuid4

from langchain_core.messages import AIMessage
from langgraph.config import get_config, get_stream_writer
from langgraph.graph import END, START, StateGraph

from graph import routing
from graph.reply import Manner, NodeRan, Say
from graph.skill import PersonalSkill, Skill, Sorter, Speak, Station, counted, offer_adviser, running, sure
from graph.state import CallState, CallUpdate, Spoken, SpokenTo, TurnInput
from knowledge.answer_writer import AnswerWriter
from knowledge.intents import IntentClassifier
from knowledge.llm import LanguageModel
from knowledge.retriever import Retriever
from memory.dropped_calls import DroppedCalls, MemoryDroppedCalls
from nodes.authenticate import Authenticate
from nodes.care import ACTS, Care
from nodes.claims import Claims
from nodes.classify import Classify
from nodes.contract import Contract
from nodes.faq import Faq
from nodes.goodbye import Goodbye
from nodes.greet import Greet
from nodes.repair import Repair
from nodes.transfer import Transfer
from prompts import Line, load
from tools.backoffice import Backoffice, BackofficeUnavailable
from tools.call_backs import CallBacks
from tools.gate import Gate
from tools.opening_hours import OpeningHours

CallGraph = StateGraph[CallState, None, TurnInput, CallState]

CONFIRMED = "__confirmed"
"""Key of a run's configuration: the ``asyncio.Event`` that its turn is certain, or nothing when it is.
With two underscores, as what LangGraph is not to copy into the checkpoint's metadata."""


class Node(Protocol):
    """A node as LangGraph takes it."""

    async def __call__(self, state: CallState) -> CallUpdate:
        """The fields of the state that change."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the nodes stand on; ``app.wiring`` chooses, tests put twins."""

    backoffice: Backoffice
    gate: Gate
    retriever: Retriever
    classifier: IntentClassifier
    call_backs: CallBacks
    dropped: DroppedCalls = field(default_factory=MemoryDroppedCalls)
    """Calls that broke off a few minutes ago."""
    model: LanguageModel | None = None
    """None: nothing is asked of a language model; the dialogue does without."""
    hours: OpeningHours = field(default_factory=OpeningHours)
    """When people are there."""
    today: Callable[[], date] = date.today
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """With its time zone; tests and replays fix it."""

    def answer_writer(self) -> AnswerWriter | None:
        """Who words answers from passages; None without a model."""
        return None if self.model is None else AnswerWriter(self.model, load("faq").system)

    def people_away(self) -> bool:
        """Whether nobody is there to be passed on to."""
        return not self.hours.is_open(self.now())


def personal_skills(services: Services) -> tuple[PersonalSkill, ...]:
    """Skills that answer only to an identified caller; they leave by saying, asking or handing over."""
    return (
        Contract(services.backoffice, services.today),
        Claims(services.backoffice, services.today),
    )


def open_skills(services: Services) -> tuple[Skill, ...]:
    """Skills that answer to anybody."""
    return (
        Faq(services.retriever, services.answer_writer()),
        Transfer(services.call_backs, services.hours, services.now),
        Goodbye(),
        Care(),
    )


def build_graph(services: Services) -> CallGraph:
    """The dialogue, not compiled: whoever runs it brings the checkpointer (Studio brings its own).

    Raises ``ValueError`` when two skills claim the same name or intent.
    """
    personal, open_ = personal_skills(services), open_skills(services)
    authenticate = Authenticate(services.gate, services.backoffice, services.today)
    menu = (authenticate, *personal, *open_)
    _refuse_duplicates([skill.name for skill in menu])
    _refuse_duplicates([skill.intent for skill in menu])
    personal_names = [skill.name for skill in personal]
    open_names = [skill.name for skill in open_]
    classify = Classify(
        services.classifier, services.retriever, menu, frozenset(personal_names), ACTS, services.model
    )

    graph: CallGraph = StateGraph(CallState, input_schema=TurnInput)

    def speaking(name: str, station: Station) -> Node:
        return _speaking(name, station, services.people_away)

    def add(name: str, node: Node, *leads_to: str, behind_gate: Sequence[str] = ()) -> None:
        graph.add_node(name, node)
        router = routing.leaving(name, leads_to, behind_gate)
        graph.add_conditional_edges(name, _inline(router), list(leads_to))

    graph.add_conditional_edges(
        START, _inline(routing.entry), ["greet", "classify", "repair", "transfer", "goodbye"]
    )
    greet = Greet(services.dropped, frozenset(personal_names))
    takes_up_again = ["classify", "authenticate", "transfer", END]  # what the last call broke off from
    add("greet", speaking("greet", greet), *takes_up_again, behind_gate=personal_names)
    add("classify", _sorting(classify), "greet", "authenticate", *open_names, "repair")
    add("authenticate", speaking("authenticate", authenticate), *personal_names, "transfer", END)
    takes_up = ["authenticate", *open_names, END]  # the second request of one breath
    for private in personal:
        node = speaking(private.name, _identified(private, services.gate))
        add(private.name, node, *takes_up, behind_gate=personal_names)
    for skill in open_:
        add(skill.name, speaking(skill.name, skill), *takes_up, behind_gate=personal_names)
    add("repair", speaking("repair", Repair()), "transfer", "goodbye", END)
    return graph


def _inline(router: Callable[[CallState], str]) -> Callable[[CallState], Awaitable[str]]:
    """``router`` as a coroutine: LangGraph would run a plain function in a thread, at every edge."""

    async def choose(state: CallState) -> str:
        return router(state)

    return choose


def _refuse_duplicates(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two skills are called {', '.join(twice)}; names and intents must be unique")


def _sorting(sorter: Sorter) -> Node:
    """A node without a voice."""

    async def run(state: CallState) -> CallUpdate:
        started = time.perf_counter()
        with running(_certainty(), _adopting):
            update = await sorter(state)
        _tell(NodeRan("classify", (time.perf_counter() - started) * 1000))
        return {**update, "turns": counted(state)}

    return run


def _speaking(name: str, station: Station, people_away: Callable[[], bool]) -> Node:
    """A node with a voice: what it says leaves at once and is written into the history."""

    async def run(state: CallState) -> CallUpdate:
        started = time.perf_counter()
        said: list[AIMessage] = []
        whole: list[list[str]] = []

        def speak(line: Line) -> None:
            message = AIMessage(line.text, id=uuid4().hex, name=name, additional_kwargs={"key": line.key})
            said.append(message)
            whole.append([line.key, line.text])
            _tell(Say(line.key, line.text, line.interruptible, str(message.id)))

        told: CallState = {**state, "people_away": people_away()}
        with running(_certainty(), _adopting):
            try:
                update = await station(told, speak)
            except BackofficeUnavailable:
                about = state.get("pending", "")
                update = offer_adviser(told, speak, load("common"), "unavailable", "unavailable", about)
            _tell(NodeRan(name, (time.perf_counter() - started) * 1000))
            if not update.get("goto"):
                await sure()
        closed: CallUpdate = {"goto": "", "awaiting": None, "ended": "", "handover": None, "taken_up": ""}
        kept: CallUpdate = {"messages": list(said), "spoken": _spoken(state, whole), "turns": counted(state)}
        return {**closed, **update, **kept}

    return run


def _spoken(state: CallState, lines: list[list[str]]) -> Spoken:
    """All that was said in this turn so far, by whichever node, and ``lines``."""
    turn = next((str(message.id) for message in reversed(state["messages"]) if message.type == "human"), "")
    before = state.get("spoken")
    return Spoken(turn=turn, lines=[*(before["lines"] if before and before["turn"] == turn else []), *lines])


def _identified(skill: PersonalSkill, gate: Gate) -> Station:
    """``skill`` for the proven caller; nobody else gets past this line, whatever the edges say."""

    async def run(state: CallState, speak: Speak) -> CallUpdate:
        identity = gate.restore(state.get("identity"), state.get("call_id", ""))
        if identity is None:
            raise routing.WrongTurn(f"{skill.name} was reached without a proven identity")
        return await skill(state, speak, identity)

    return run


def _certainty() -> Callable[[], Awaitable[object]] | None:
    confirmed = get_config().get("configurable", {}).get(CONFIRMED)
    return confirmed.wait if isinstance(confirmed, asyncio.Event) else None


def _adopting(manner: SpokenTo) -> None:
    _tell(Manner(manner["pace"], manner["louder"]))


def _tell(event: Say | Manner | NodeRan) -> None:
    """Out of the run, at once, to whoever drives the turn."""
    get_stream_writer()(event)
