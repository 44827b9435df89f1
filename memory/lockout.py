"""Too many attempts at one customer's identity, counted over all calls.

Three failures end the attempts of a call; whoever rings again could go on. So attempts are also counted
per customer, whichever of his numbers was tried, within a sliding day (practice of French insurers: the
fifth failure of a day hands over to people, whatever is given after it).

Theory of operation. An attempt is written down *before* it is compared and taken back when it succeeds:
several calls at once cannot all slip through between a look and a count. Subjects are opaque: whoever
counts hands over a keyed hash, so that the store holds no customer number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from memory.counters import Counters, CountersAway

MAX_FAILURES_A_DAY = 5
"""Failures at one customer's identity within :data:`WINDOW`, after which only people go on."""

WINDOW = timedelta(hours=24)


class LockoutUnavailable(Exception):
    """Attempts can be neither counted nor looked up, so none may be made; the message says what to do."""


class Lockout(Protocol):
    """The count of attempts that failed. Every method may raise :class:`LockoutUnavailable`."""

    async def attempt(self, subject: str) -> int:
        """Write down an attempt at ``subject``; how many there are within the window, this one included."""

    async def take_back(self, subject: str) -> None:
        """The attempt written down last was none that counts: it succeeded, or was never compared."""


@dataclass(slots=True)
class MemoryLockout:
    """The twin: one process's own count."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _attempts: dict[str, list[datetime]] = field(default_factory=dict)

    async def attempt(self, subject: str) -> int:
        """See :class:`Lockout`."""
        now = self.now()
        self._forget(now)
        attempts = self._attempts.setdefault(subject, [])
        attempts.append(now)
        return len(attempts)

    async def take_back(self, subject: str) -> None:
        """See :class:`Lockout`."""
        attempts = self._attempts.get(subject)
        if attempts:
            attempts.pop()
        if not attempts:
            self._attempts.pop(subject, None)

    def _forget(self, now: datetime) -> None:
        """Drop what has left the window, of every subject: whoever is never tried again is not kept."""
        oldest = now - WINDOW
        for subject, attempts in list(self._attempts.items()):
            kept = [at for at in attempts if at > oldest]
            if kept:
                self._attempts[subject] = kept
            else:
                del self._attempts[subject]


class CountedLockout:
    """The count over all workers that share ``counters``."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    async def attempt(self, subject: str) -> int:
        """See :class:`Lockout`."""
        try:
            return await self._counters.mark(key_of(subject), WINDOW.total_seconds())
        except CountersAway as exc:
            raise LockoutUnavailable(str(exc)) from exc

    async def take_back(self, subject: str) -> None:
        """See :class:`Lockout`."""
        try:
            await self._counters.unmark(key_of(subject))
        except CountersAway as exc:
            raise LockoutUnavailable(str(exc)) from exc


def key_of(subject: str) -> str:
    """Under which attempts at ``subject`` are counted."""
    return f"lockout:{subject}"
