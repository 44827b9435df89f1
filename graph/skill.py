"""What a node of the dialogue is.

Nodes are plain asynchronous functions of the state, with their ports as fields. They know neither
LangGraph nor the line. What a node may do is in its signature:

- a :class:`Station` speaks by the ``speak`` it is given;
- a :class:`Sorter` is given none, so it cannot speak;
- a :class:`PersonalSkill` is given the caller's proven :class:`~tools.identity.Identity`, without
  which no personal data can be asked of the back office.

A turn may be run before it is certain to be one: the caller has paused, and may go on. Until then a node
may read and prepare whatever it likes; before anything that outlives the turn other than by the state it
gives back (an appointment written down, a failed attempt counted) it waits with :func:`sure`.
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from langchain_core.messages import AnyMessage

from graph.state import Awaiting, CallState, CallUpdate, Form, SpokenTo, TransferReason, Turns
from prompts import Line, Prompt, load
from tools.identity import Identity

HUMAN_KEY = "0"
"""Zero is a human, always (accessibility: promised to callers who cannot or will not speak)."""

MAX_TURNS = 80
"""A caller who has had so many turns and is still there is better off with people (10 to 20 minutes)."""

LAST_TURN = 100
"""What is left to arrange with people, a call-back for one, fits in between; then the call ends."""

_QUESTION = re.compile(r"[^.!?…]+\?.*", re.DOTALL)
"""A question, and what was said behind it to help (« Vous pouvez aussi dire : le dernier. »)."""

_CHANGES_HIS_MIND = re.compile(
    r"\b(?:en fait|finalement|plut[oô]t|laissez tomber|laisse tomber|tant pis|oubliez|juste|non)\b",
    re.IGNORECASE,
)

_NOT_THE_CALLERS = frozenset({"begins", "resumed", "not_reached"})
"""What ``heard`` says of a turn in which the line has something to tell, not the caller."""


_certainty: ContextVar[Callable[[], Awaitable[object]] | None] = ContextVar("certainty", default=None)
_adopts: ContextVar[Callable[[SpokenTo], None] | None] = ContextVar("adopts", default=None)


async def sure() -> None:
    """Wait until this turn is certain to be the caller's; at once when it already is.

    To be awaited before whatever cannot be taken back. A turn that never becomes certain is cancelled here.
    """
    certainty = _certainty.get()
    if certainty is not None:
        await certainty()


def adopt(manner: SpokenTo) -> None:
    """Have the very next line, and all that follow, spoken as ``manner`` says.

    The node gives ``manner`` back in its update as well, so that it outlives the turn.
    """
    adopts = _adopts.get()
    if adopts is not None:
        adopts(manner)


@contextmanager
def running(
    certainty: Callable[[], Awaitable[object]] | None, adopts: Callable[[SpokenTo], None]
) -> Iterator[None]:
    """What :func:`sure` and :func:`adopt` mean to the node that runs within; for the builder.

    ``certainty`` returns when the turn is certain; None: it is.
    """
    until, manner = _certainty.set(certainty), _adopts.set(adopts)
    try:
        yield
    finally:
        _certainty.reset(until)
        _adopts.reset(manner)


class Speak(Protocol):
    """The agent's voice, as a node sees it."""

    def __call__(self, line: Line, /) -> None:
        """Say ``line`` next. It reaches the caller while the node is still at work."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller's turn, read from the state."""

    text: str
    """His words, or the digits he keyed; empty when he was not understood or silent."""
    keyed: bool = False
    quiet: bool = False


class Sorter(Protocol):
    """Decides which node takes the turn. Speaks to nobody."""

    async def __call__(self, state: CallState) -> CallUpdate:
        """The fields of the state that change, ``goto`` among them."""


class Station(Protocol):
    """A node that speaks."""

    async def __call__(self, state: CallState, speak: Speak) -> CallUpdate:
        """Say what there is to say; the fields of the state that change."""


class Described(Protocol):
    """What whoever classifies has to know of a skill."""

    @property
    def name(self) -> str:
        """The node's name, which is its file's and its prompt's too."""

    @property
    def intent(self) -> str:
        """The intent it serves, as the classifier calls it."""

    @property
    def describes(self) -> str:
        """One French sentence: what the caller wants when he wants this."""

    def answers(self, awaiting: Awaiting, caller: Caller) -> bool:
        """Whether the caller's words are an answer to this skill's open question."""


class Skill(Described, Station, Protocol):
    """A node that serves an intent. Adding one to the builder's list is all the wiring there is."""


class PersonalSkill(Described, Protocol):
    """A skill that needs to know who is calling. Only reachable through ``authenticate``."""

    async def __call__(self, state: CallState, speak: Speak, identity: Identity) -> CallUpdate:
        """As a :class:`Station`, for the customer whose identity was proven."""


def caller_turn(state: CallState) -> Caller | None:
    """The caller's turn that this run is about; None when it is the agent's."""
    heard = heard_as(state)
    if heard in _NOT_THE_CALLERS:
        return None
    message = _turns(state)[-1]
    return Caller(str(message.text).strip(), keyed=heard == "keys", quiet=heard == "quiet")


def heard_as(state: CallState) -> str:
    """What this run is about: ``words``, ``keys``, ``quiet``, ``begins``, ``resumed`` or ``not_reached``."""
    turns = _turns(state)
    return _heard(turns[-1]) if turns else "begins"


def has_taken_a_turn(state: CallState) -> bool:
    """Whether the caller has ever had his turn, be it silence: then he has heard the notice to its end."""
    return turns_taken(state) > 0


def why_not_reached(state: CallState) -> str:
    """Of a turn ``not_reached``: one of :data:`graph.heard.Unreached`."""
    return str(_turns(state)[-1].additional_kwargs.get("why", "no_answer"))


def _turns(state: CallState) -> list[AnyMessage]:
    return [message for message in state.get("messages", []) if message.type == "human"]


def _heard(message: AnyMessage) -> str:
    return str(message.additional_kwargs.get("heard", "words"))


def question(by: str, what: str, form: Form) -> Awaiting:
    """The question that ``by`` leaves open."""
    return Awaiting(by=by, what=what, form=form)


def open_question(state: CallState, by: str) -> str:
    """What ``by`` has asked and not had answered; empty when the open question is not its own."""
    awaiting = state.get("awaiting")
    return awaiting["what"] if awaiting and awaiting["by"] == by else ""


def is_new_request(state: CallState, caller: Caller) -> bool:
    """Whether the pending request was made in this turn: the caller did not answer, he asks for something.

    Of two requests in one sentence the pending one is a part.
    """
    request = state.get("request", "")
    return bool(request) and not caller.keyed and request in caller.text


def asked(state: CallState) -> str:
    """The words that an open skill answers: the request that is taken up, or what the caller just said."""
    caller = caller_turn(state)
    return state.get("taken_up", "") or (caller.text if caller is not None else "")


def turns_taken(state: CallState) -> int:
    """How often the caller has had his turn, silence included; bounds every call."""
    return counted(state)["count"]


def counted(state: CallState) -> Turns:
    """The caller's turns so far, with that of this run; for the builder, which writes it down."""
    before: Turns = state.get("turns") or {"count": 0, "last": ""}
    own = [str(one.id) for one in _turns(state) if _heard(one) not in _NOT_THE_CALLERS]
    fresh = own[own.index(before["last"]) + 1 :] if before["last"] in own else own
    return Turns(count=before["count"] + len(fresh), last=fresh[-1] if fresh else before["last"])


def last_question(state: CallState) -> str:
    """What the agent asked last, of what the caller has heard; empty when he has heard no question."""
    for message in reversed(state.get("messages", [])):
        found = _QUESTION.search(str(message.text)) if message.type == "ai" else None
        if found:
            return found[0].strip()
    return ""


def request_served(state: CallState, speak: Speak, by: str) -> CallUpdate:
    """A request was answered: take up the next one of the same breath, or ask whether there is more.

    A general question in the middle of an identification leaves the identification where it was.
    """
    answered = state.get("answered", 0)
    served: CallUpdate = {"answered": answered + 1, "misses": 0, "topic": by}
    if state.get("queued"):
        following, *later = state["queued"]
        speak(load("common").say("next_request"))
        return {
            **served,
            "queued": later,
            "goto": following["node"],
            "pending": following["node"],
            "request": following["said"],
            "taken_up": following["said"],
            "act": following["act"],
        }
    awaiting, question_again = state.get("awaiting"), last_question(state)
    if _was_a_parenthesis(state, by) and question_again:
        again = question_again[0].lower() + question_again[1:]
        speak(load("common").say("back_to", question=again))
        return {"misses": 0, "awaiting": awaiting}
    speak(load("common").say("more" if answered else "anything_else", nth=answered - 1))
    return {**served, "pending": "", "request": "", "awaiting": question("goodbye", "more", "open")}


def _was_a_parenthesis(state: CallState, by: str) -> bool:
    """Whether the caller, while he was being identified for something else, asked something in between."""
    awaiting, caller = state.get("awaiting"), caller_turn(state)
    if awaiting is None or awaiting["by"] != "authenticate" or by == state.get("pending"):
        return False
    return bool(state.get("pending")) and caller is not None and not _CHANGES_HIS_MIND.search(caller.text)


def offer_adviser(
    state: CallState, speak: Speak, words: Prompt, key: str, reason: TransferReason, by: str, **values: str
) -> CallUpdate:
    """Say the line ``key``, which ends in the offer of an adviser, and wait for yes or no.

    When nobody is there ``<key>_closed`` is said instead, which offers a call-back.
    """
    away = state.get("people_away", False)
    speak(words.say(f"{key}_closed" if away else key, nth=0, **values))
    return {
        "transfer_reason": reason,
        "topic": by,
        "pending": "",
        "request": "",
        "misses": 0,
        "awaiting": question("transfer", "call_back" if away else "offer", "yes_no"),
    }
