"""The book of calls: what the HTTP pages know of each, live and lately ended. No personal data.

A journal like the others: the sessions note, this keeps the last word.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from telephony import journal
from telephony.call import CallId, OutcomeName

LONGEST_BOOK = 1000
"""Ended calls that are remembered for whoever asks afterwards; the oldest go first."""

Phase = Literal["announced", "live"] | OutcomeName


@dataclass(slots=True)
class CallStatus:
    """One call, as operations may see it."""

    call_id: CallId
    phase: Phase
    began_at_s: float
    """On the clock of the book."""
    ended_at_s: float | None = None
    turns: int = 0
    nodes: list[str] = field(default_factory=list)
    """Of the turn under way or of the last one."""
    heard_silence_ms: float | None = None
    """What the caller waited for the last answer."""
    failures: int = 0
    identified: bool = False
    """Whether identity was proven in this call."""
    channel: str = ""
    """Asterisk's, while it was begun; empty for a text call."""


class CallBook:
    """Every call this process has seen, as far back as :data:`LONGEST_BOOK`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._calls: OrderedDict[CallId, CallStatus] = OrderedDict()

    def announce(self, call_id: CallId) -> CallStatus:
        """The dialplan says that a call is coming. Announcing twice changes nothing."""
        if call_id not in self._calls:
            self._forget_oldest()
            self._calls[call_id] = CallStatus(call_id, "announced", self._clock())
        return self._calls[call_id]

    def status(self, call_id: CallId) -> CallStatus | None:
        """What is known of ``call_id``."""
        return self._calls.get(call_id)

    def seconds(self, status: CallStatus) -> float:
        """How long the call has lasted."""
        ended_at_s = self._clock() if status.ended_at_s is None else status.ended_at_s
        return ended_at_s - status.began_at_s

    def live(self) -> list[CallStatus]:
        """Calls under way, oldest first."""
        return [status for status in self._calls.values() if status.phase == "live"]

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        status = self.announce(call_id)
        match event:
            case journal.CallStarted(call):
                status.phase, status.began_at_s, status.ended_at_s = "live", self._clock(), None
                status.channel = call.channel
            case journal.TurnHeard():
                status.turns += 1
                status.nodes = []
            case journal.NodePassed(node):
                status.nodes.append(node)
            case journal.TurnTimed(times):
                status.heard_silence_ms = times.heard_silence_ms
            case journal.CallerIdentified():
                status.identified = True
            case journal.StageFailed():
                status.failures += 1
            case journal.CallPassedOn():
                status.phase, status.ended_at_s = "transferred", self._clock()
            case journal.CallCameBack(_, call):
                status.phase, status.ended_at_s = "live", None
                status.channel = call.channel
            case journal.CallEnded(outcome):
                status.phase = outcome.name
                if status.ended_at_s is None:  # of a caller who was passed on, the agent's part counts
                    status.ended_at_s = self._clock()
            case (
                journal.TurnSaid()
                | journal.TurnInterrupted()
                | journal.RecordingRefused()
                | journal.TalkedThrough()
                | journal.SpeculationDropped()
                | journal.LimitReached()
            ):
                pass

    def _forget_oldest(self) -> None:
        while len(self._calls) >= LONGEST_BOOK:
            oldest = next((one.call_id for one in self._calls.values() if one.phase != "live"), None)
            if oldest is None:
                return
            del self._calls[oldest]
