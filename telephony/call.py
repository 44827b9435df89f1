"""A call and how it can end. Depends on nothing."""

from dataclasses import dataclass
from typing import NewType

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


@dataclass(frozen=True, slots=True)
class HungUp:
    """The dialogue said goodbye: hang up."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """The caller is to be put through to people."""

    queue: str
    reason: str
    summary: str
    """One line for the adviser, so that nothing is asked twice."""
    customer_number: str = ""
    """Only when identity was proven in this call."""


@dataclass(frozen=True, slots=True)
class CallerLeft:
    """The caller hung up, or his line was cut."""


@dataclass(frozen=True, slots=True)
class NoAudio:
    """Asterisk announced the call but its audio leg never came."""


Outcome = HungUp | Transferred | CallerLeft | NoAudio
