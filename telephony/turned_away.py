"""Where callers go whom the agent may not serve, or serve no further (:mod:`memory.limits`).

To people, always, after one polite sentence that says why; outside opening hours nobody would answer there,
so they hear when to ring again instead (usual practice of French insurers: never a queue to nobody). Whom
people did not take is told so and waits on, if he likes: the agent is not the way round its own limit.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from memory.limits import Over
from prompts import Line, load
from telephony.call import HungUp, Outcome, Transferred
from tools import written
from tools.opening_hours import OpeningHours

QUEUE = "conseillers"

REASON = "limit"
"""Why he is passed on, for whoever files the call; which limit it was, the summary tells."""


@dataclass(frozen=True, slots=True)
class Parting:
    """The agent's last words in a talk, and what becomes of the caller then."""

    over: Over
    """Why."""
    lines: tuple[Line, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class WayOut:
    """Words and destination for whoever is over a limit."""

    hours: OpeningHours = field(default_factory=OpeningHours)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    """With its time zone."""

    def parting(self, over: Over, *, again: bool = False) -> Parting:
        """For the limit ``over``; ``again``: nobody has taken him so far."""
        words = load("turned_away")
        why = words.say("still") if again else words.say(over.value)
        if not self.hours.is_open(self.now()):
            return Parting(over, (words.say(over.value), self._closed()), HungUp())
        summary = words.say(f"summary_{over.value}").text
        return Parting(over, (why, words.say("people")), Transferred(QUEUE, REASON, summary))

    def texts(self) -> list[str]:
        """All that may have to be said; to be ready before (:class:`telephony.standby.StandbyLines`)."""
        words = load("turned_away")
        why = [words.say(over.value).text for over in Over]
        return [*why, words.say("still").text, words.say("people").text, self._closed().text]

    def _closed(self) -> Line:
        opens, closes = written.clock(self.hours.opens_at), written.clock(self.hours.closes_at)
        return load("turned_away").say("closed", opens=opens, closes=closes)
