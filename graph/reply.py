"""All that the dialogue may ask of the line. Depends on nothing."""

from dataclasses import dataclass
from typing import Literal

Awaited = Literal["open", "yes_no", "choice", "number", "date"]
"""What kind of answer the dialogue waits for; it sets the ear's patience. A choice is one of a few things."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak this, now. ``key`` names the line in ``prompts/`` (``claims.status``)."""

    key: str
    text: str
    interruptible: bool = True
    """False for the legal notice only: the caller must have heard it (AI Act art. 50)."""
    message_id: str = ""
    """Which message of the history this is, so that it can be cut to what was heard."""


@dataclass(frozen=True, slots=True)
class Listen:
    """The turn is over; the caller may speak."""

    awaited: Awaited = "open"
    identified: bool = False
    """Whether identity was proven in this call; for whoever watches, the line ignores it."""
    customer_number: str = ""
    """Whose identity; empty unless proven."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Put the caller through to people, once what was said has been heard."""

    queue: str
    reason: str
    summary: str
    customer_number: str = ""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call, once what was said has been heard."""


@dataclass(frozen=True, slots=True)
class StopRecording:
    """The caller does not want to be recorded: sound and words of this call are kept nowhere."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the caller wants to be spoken to, from now to the end of the call."""

    pace: Literal["normal", "slow"] = "normal"
    louder: bool = False


@dataclass(frozen=True, slots=True)
class NodeRan:
    """A node of the graph has run; for whoever watches, the line ignores it."""

    node: str
    took_ms: float


Reply = Say | Listen | Transfer | HangUp | StopRecording | Manner | NodeRan
