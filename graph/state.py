"""The state of a call: what is written to the checkpoint after every turn.

JSON values and messages only. Class instances would be stored by import path and come back as
something else after a rename (and langgraph-checkpoint-redis turns dates, decimals and enums into
other types in silence), so the nodes rebuild their models at their own door.

It is written whole after every turn, so it does not grow with the call: of the history it holds the tail that
nodes read, and what they want to know of the rest as a number (:class:`Turns`). All that was said is kept by
the transcript (:mod:`app.watching.archiving`), where the settings say so.
"""

from typing import Annotated, Literal, cast

from langchain_core.messages import AnyMessage
from langgraph.graph.message import Messages, add_messages
from typing_extensions import TypedDict  # pydantic asks for this one before 3.12, to describe the state

KEPT_MESSAGES = 30
"""Some ten turns. The nodes look back to the last question, and to what the skill named that spoke last."""

Form = Literal["open", "yes_no", "choice", "number", "date"]

TransferReason = Literal[
    "asked",
    "not_understood",
    "not_identified",
    "adviser_needed",
    "unavailable",
    "unknown",
    "third_party",
    "bereavement",
    "distress",
    "emergency",
    "complaint",
    "declare",
    "language",
    "insult",
    "too_long",
    "operator",
]


class Awaiting(TypedDict):
    """The question that is open."""

    by: str
    """The node that asked and will read the answer."""
    what: str
    """What it asked for, in its own terms: ``number``, ``birth_date``, ``offer``."""
    form: Form
    """The form of the answer; it sets the ear's patience."""


class Request(TypedDict):
    """Something the caller asked for in the same breath as something else."""

    node: str
    """The node that serves it."""
    said: str
    """His words for it."""
    act: str
    """One of :class:`knowledge.acts.Act`, or empty."""


class Spoken(TypedDict):
    """What the agent said in one turn, whole, though the history keeps only what was heard of it."""

    turn: str
    """The message of the caller that it answers, by its id."""
    lines: list[list[str]]
    """Key and text of each line."""


class Turns(TypedDict):
    """How often the caller has had his turn; most of what he said then is no longer in the state."""

    count: int
    last: str
    """Of them by its message's id; empty while there was none. What comes behind it is not counted yet."""


class Handover(TypedDict):
    """What people need to know when the caller reaches them."""

    queue: str
    reason: str
    summary: str
    customer_number: str
    """Empty unless identity was proven in this call."""


class SpokenTo(TypedDict):
    """How the caller wants to be spoken to, until he says otherwise."""

    pace: Literal["normal", "slow"]
    louder: bool


def latest(kept: Messages, more: Messages) -> list[AnyMessage]:
    """The history with ``more`` behind it, or in the place of messages with the same id; its tail."""
    history = cast("list[AnyMessage]", add_messages(kept, more))
    return history[-KEPT_MESSAGES:]


class TurnInput(TypedDict, total=False):
    """What enters the graph: the caller's turn as a human message.

    ``additional_kwargs["heard"]`` of the message says what it is: ``words`` (the default, so that
    a plain chat works), ``keys``, ``quiet``; or, when it is not the caller's turn at all, ``begins`` (the
    line has just opened), ``resumed`` (it is open again) or ``not_reached`` (nobody took him; ``why``).
    """

    call_id: str
    caller_number: str
    """As the network shows it; empty when hidden. To ring him back, never a proof."""
    messages: Annotated[list[AnyMessage], latest]
    """The last of them; all are in the transcript."""


class CallState(TurnInput, total=False):
    """Everything a call needs to go on after its worker died."""

    greeted: bool
    turns: Turns

    # who
    identity: dict[str, str | int] | None
    """Sealed proof of identity; only ``tools.gate`` makes and opens it."""
    given_number: str
    """The customer, contract or claim number given and not yet proven."""
    tried_number: str
    """The number of the attempt that was refused last: the caller may correct only the date."""
    given_birth_date: str
    """A birth date given before the number, as ``YYYY-MM-DD``; never said again."""
    refusals: int
    """Items that did not match, in this call: pairs of number and birth date, third items."""
    wants_level: int
    """The level of proof that the pending request needs, when the identity has a lower one."""
    for_another: Literal["", "third_party", "bereavement"]
    """The caller speaks for somebody else, or of somebody who died: nobody is identified any more."""

    # what about
    pending: str
    """The node that waits until identity is proven."""
    request: str
    """The caller's words that made the pending request: they may hold the claim's number."""
    act: str
    """What the caller's words of this turn do (:class:`knowledge.acts.Act`); empty when nothing special."""
    left_off: Request | None
    """What the caller's last call was about when it broke off; taken up if he says so."""
    queued: list[Request]
    """Requests that wait until the one before them is served: « mon contrat, et aussi vos horaires »."""
    taken_up: str
    """The caller's words that the node of this moment answers, when they are not his last ones."""
    about: str
    """Number of the contract that was spoken of last: « et les bénéficiaires ? » is about it."""
    aspect: str
    """What was told of it: its value, payments, dates or beneficiaries."""
    about_claim: str
    """Number of the claim that was spoken of last."""
    spoken: Spoken
    """The agent's last turn, for « vous pouvez répéter ? »."""
    insults: int
    """Turns in which the caller insulted; the second ends in people's hands."""
    topic: str
    """The node that served the caller last; tells people what the call was about."""

    # what is open
    awaiting: Awaiting | None
    set_aside: Awaiting | None
    """The question that was open when people were offered to who did not answer; he may answer it yet."""
    goto: str
    """The node that takes over in this turn; empty: the turn is over."""

    # repair
    misses: int
    """Turns in a row that were not understood."""
    silences: int
    """Times in a row that nobody spoke."""
    answered: int
    """Requests answered so far."""

    # people
    people_away: bool
    """Nobody is there to be passed on to. Told to the nodes with each run, and never kept."""
    unreached: int
    """Times in a row that he was passed on and nobody took him."""
    call_back_number: str
    """The number given for a call-back that is being arranged."""

    # the end
    transfer_reason: TransferReason
    """Why the caller is to be put through, set by whoever sends him to ``transfer``."""
    manner: SpokenTo
    """How the caller asked to be spoken to; absent until he does."""
    recording: Literal["", "refused"]
    """The caller said that he does not want to be recorded."""
    ended: Literal["", "transfer", "goodbye"]
    handover: Handover | None


CallUpdate = CallState
"""What a node gives back: the fields that change."""
