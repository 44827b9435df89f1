"""How a caller is passed on to people, and whether they took him. Pure: commands out, statuses in.

A *desk* is what the dialogue names (``sinistres``). It is a queue of that name unless the plan gives it an
extension; passing on is blind, or attended. What the dialplan brings for each is in
:mod:`telephony.agi_server`; what the statuses mean was seen on Asterisk 22.10:

- ``Queue`` with option ``c`` leaves QUEUESTATUS ``CONTINUE`` when an adviser has hung up after the talk, and
  one of TIMEOUT, FULL, JOINEMPTY, LEAVEEMPTY, JOINUNAVAIL, LEAVEUNAVAIL when nobody took the caller;
  ``UNKNOWN`` when there is no such queue.
- ``Dial`` leaves DIALSTATUS ``ANSWER``, NOANSWER, BUSY, CHANUNAVAIL or CONGESTION. An adviser who hangs up
  while he is told the summary counts as ANSWER: then the mark ``listening`` has stayed behind.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from graph.heard import Unreached
from telephony import agi
from telephony.agi import Command, ProtocolError
from telephony.call import Transferred

TOLD_WITHIN_S = 60
"""Longer than it takes to tell an adviser, twice; the caller's Dial goes on meanwhile."""

ATTENDED_CONTEXT = "voicebot-attended"
"""Where the dialplan has the adviser told the summary first."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A desk, an extension, a context: nothing that Dial would split or evaluate."""

_QUEUE_UNREACHED: Mapping[str, Unreached] = {"TIMEOUT": "no_answer", "FULL": "busy"}
_DIAL_UNREACHED: Mapping[str, Unreached] = {"NOANSWER": "no_answer", "CANCEL": "no_answer", "BUSY": "busy"}


class AdviserMark(StrEnum):
    """What the adviser's leg leaves in VOICEBOT_ADVISER on the caller's channel."""

    LISTENING = "listening"
    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Statuses:
    """What Asterisk says of a passing-on that has ended; empty where it says nothing."""

    dial: str = ""
    queue: str = ""
    adviser: str = ""


@dataclass(frozen=True, slots=True)
class HandoverPlan:
    """How this house passes callers on. Raises ``ValueError`` for a name that no dialplan could have."""

    attended: bool = False
    """The adviser is told the summary first, and takes the call or refuses it."""
    extensions: Mapping[str, str] = field(default_factory=dict)
    """Desks that are an extension of the dialplan, not a queue."""
    context: str = "hand-over"
    """Where the dialplan has those extensions."""
    wait_s: int = 60
    """How long the caller waits for people before he is asked what to do."""
    adviser_leg: str = ""
    """Subroutine (``context^exten^priority``) for Queue to run on an adviser's channel before it rings."""

    def __post_init__(self) -> None:
        for name in (self.context, *self.extensions.keys(), *self.extensions.values()):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a desk, an extension or a context")
        if self.wait_s < 1:
            raise ValueError("people need a second at least to answer")

    def command(self, desk: str) -> Command:
        """What rings people. Raises :class:`telephony.agi.ProtocolError` for a desk that is no name."""
        if not _NAME.fullmatch(desk):
            raise ProtocolError(f"not the name of a desk: {desk!r}")
        extension = self.extensions.get(desk, desk)
        wait = str(self.wait_s)
        if self.attended:
            whole = str(self.wait_s + TOLD_WITHIN_S)
            return agi.execute("Dial", f"Local/{extension}@{ATTENDED_CONTEXT}/n", whole, "mg")
        if desk in self.extensions:
            return agi.execute("Dial", f"Local/{extension}@{self.context}/n", wait, "mg")
        return agi.execute(
            "Queue", desk, f"cb({self.adviser_leg})" if self.adviser_leg else "c", "", "", wait
        )

    def variables(self, transferred: Transferred, whisper_url: str) -> dict[str, str]:
        """Channel variables for whoever takes the caller, without their prefix."""
        told = self.told(transferred)
        return {**told, "WHISPER": whisper_url, "WAIT_S": str(self.wait_s)} if self.attended else told

    def told(self, transferred: Transferred) -> dict[str, str]:
        """Of those, the ones that tell of the caller."""
        return {
            "QUEUE": transferred.queue,
            "EXTENSION": self.extensions.get(transferred.queue, ""),
            "REASON": transferred.reason,
            "SUMMARY": transferred.summary,
            "CUSTOMER": transferred.customer_number,
        }


def unreached(statuses: Statuses) -> Unreached | None:
    """Why nobody took the caller; None when somebody did."""
    if statuses.queue:
        if statuses.queue == "CONTINUE":
            return None
        return _QUEUE_UNREACHED.get(statuses.queue, "unavailable")
    if statuses.adviser in (AdviserMark.LISTENING, AdviserMark.REFUSED):
        return "refused"
    if statuses.dial == "ANSWER":
        return None
    return _DIAL_UNREACHED.get(statuses.dial, "unavailable")
