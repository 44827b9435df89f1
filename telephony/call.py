"""A call and how it can end. Depends on nothing."""

from dataclasses import dataclass
from typing import ClassVar, Literal, NewType

CallId = NewType("CallId", str)
"""The UUID (lower-case, with hyphens) that joins the AGI leg and the audio leg of a call."""


TECHNICAL = "technical"
"""Why a caller is passed on whom the agent cannot serve: an ear, a voice or the dialogue has failed."""


@dataclass(frozen=True, slots=True)
class Call:
    """One phone call as Asterisk announced it."""

    id: CallId
    caller: str = ""
    """The number shown by the network. It is easily forged: never a proof of identity."""
    called: str = ""
    channel: str = ""


OutcomeName = Literal["hung_up", "transferred", "caller_left", "no_audio"]
"""By which pages, metrics, logs and transcripts know how a call ended."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """The dialogue said goodbye: hang up."""

    name: ClassVar[OutcomeName] = "hung_up"


@dataclass(frozen=True, slots=True)
class Transferred:
    """The caller is to be put through to people."""

    name: ClassVar[OutcomeName] = "transferred"

    queue: str
    reason: str
    summary: str
    """One line for the adviser, so that nothing is asked twice."""
    customer_number: str = ""
    """Only when identity was proven in this call."""


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The caller hung up, or his line was cut."""

    name: ClassVar[OutcomeName] = "caller_left"


@dataclass(frozen=True, slots=True)
class NoAudio:
    """Asterisk announced the call but its audio leg never came, and the caller is still there."""

    name: ClassVar[OutcomeName] = "no_audio"


Outcome = HungUp | Transferred | CallerLeft | NoAudio
