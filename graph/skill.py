"""What a node of the dialogue is.

Nodes are plain asynchronous functions of the state, with their ports as fields. They know neither
LangGraph nor the line. What a node may do is in its signature:

- a :class:`Station` speaks by the ``speak`` it is given;
- a :class:`Sorter` is given none, so it cannot speak;
- a :class:`PersonalSkill` is given the caller's proven :class:`~tools.identity.Identity`, without
  which no personal data can be asked of the back office.
"""

from dataclasses import dataclass
from typing import Protocol

from graph.state import Awaiting, CallState, CallUpdate, Form, TransferReason
from prompts import Line, load
from tools.identity import Identity


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
    """The caller's turn that this run is about; None when the agent has to open the call."""
    human = (one for one in reversed(state.get("messages", [])) if one.type == "human")
    message = next(human, None)
    heard = "begins" if message is None else message.additional_kwargs.get("heard", "words")
    if message is None or heard == "begins":
        return None
    return Caller(str(message.text).strip(), keyed=heard == "keys", quiet=heard == "quiet")


def question(by: str, what: str, form: Form) -> Awaiting:
    """The question that ``by`` leaves open."""
    return Awaiting(by=by, what=what, form=form)


def open_question(state: CallState, by: str) -> str:
    """What ``by`` has asked and not had answered; empty when the open question is not its own."""
    awaiting = state.get("awaiting")
    return awaiting["what"] if awaiting and awaiting["by"] == by else ""


def request_served(state: CallState, speak: Speak, by: str) -> CallUpdate:
    """A request was answered: ask once in the call whether there is more, and wait for it."""
    answered = state.get("answered", 0)
    if not answered:
        speak(load("common").say("anything_else"))
    return {
        "answered": answered + 1,
        "misses": 0,
        "topic": by,
        "pending": "",
        "request": "",
        "awaiting": question("goodbye", "more", "open"),
    }


def offered_adviser(reason: TransferReason, by: str) -> CallUpdate:
    """An adviser was offered: wait for yes or no."""
    return {
        "transfer_reason": reason,
        "topic": by,
        "pending": "",
        "request": "",
        "awaiting": question("transfer", "offer", "yes_no"),
    }
