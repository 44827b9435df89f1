"""What is counted across calls and workers: how often in a while, how many at once, how much in a while.

Theory of operation. Three measures, each one atomic step of the store, so that two workers can never both
take the last place:

- a *sliding window* keeps one mark per occurrence, and counts those that are young enough;
- *places* are leases: taken, given back, and free again by themselves when a worker died with them;
- a *meter* sums amounts in twenty-four parts of its window, and forgets the oldest part as a whole.

Time is the store's, never a worker's: clocks that differ by minutes change nothing. Keys are opaque to the
store (:func:`pseudonym`), so that it holds no telephone and no customer number.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from uuid import uuid4

log = logging.getLogger(__name__)

T = TypeVar("T")

PARTS = 24
"""Of a meter's window: the error is at most one part, an hour of a day."""


class CountersAway(Exception):
    """The store of counters does not answer; the message says which, and never what was counted."""


class Counters(Protocol):
    """The store. Every method may raise :class:`CountersAway`."""

    async def mark(self, key: str, window_s: float, mark: str = "") -> int:
        """Note one occurrence of ``key``; how many there are in the last ``window_s``, this one included.

        The same ``mark`` counts once, at its first time.
        """

    async def unmark(self, key: str) -> None:
        """Take back the youngest mark of ``key``."""

    async def take_place(self, key: str, who: str, places: int, lease_s: float) -> bool:
        """Take or keep one of ``places`` for ``who``; False when all are taken by others."""

    async def give_back(self, key: str, who: str) -> None:
        """The place of ``who`` is free; giving back twice changes nothing."""

    async def add(self, key: str, amount: int, window_s: float) -> int:
        """Add ``amount`` to the meter ``key``; its sum over the last ``window_s``."""

    async def forget(self, key: str) -> bool:
        """Remove all that is counted under ``key``; whether there was anything."""


def pseudonym(secret: bytes, kind: str, value: str) -> str:
    """A key for ``value`` that tells nobody without ``secret`` what it is: HMAC-SHA256, 128 bits of it."""
    digest = hmac.new(secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()
    return f"{kind}:{digest[:32]}"


@dataclass(slots=True)
class MemoryCounters:
    """The twin: one process's own."""

    clock: Callable[[], float] = time.monotonic
    _marks: dict[str, dict[str, float]] = field(default_factory=dict)
    _places: dict[str, dict[str, float]] = field(default_factory=dict)
    _meters: dict[str, dict[int, int]] = field(default_factory=dict)

    async def mark(self, key: str, window_s: float, mark: str = "") -> int:
        """See :class:`Counters`."""
        now = self.clock()
        marks = {one: at for one, at in self._marks.get(key, {}).items() if at > now - window_s}
        marks.setdefault(mark or uuid4().hex, now)
        self._marks[key] = marks
        return len(marks)

    async def unmark(self, key: str) -> None:
        """See :class:`Counters`."""
        marks = self._marks.get(key, {})
        if marks:
            del marks[max(marks, key=lambda one: marks[one])]
        if not marks:
            self._marks.pop(key, None)

    async def take_place(self, key: str, who: str, places: int, lease_s: float) -> bool:
        """See :class:`Counters`."""
        now = self.clock()
        taken = {one: until for one, until in self._places.get(key, {}).items() if until > now}
        if who in taken or len(taken) < places:
            taken[who] = now + lease_s
        self._places[key] = taken
        return who in taken

    async def give_back(self, key: str, who: str) -> None:
        """See :class:`Counters`."""
        self._places.get(key, {}).pop(who, None)

    async def add(self, key: str, amount: int, window_s: float) -> int:
        """See :class:`Counters`."""
        part = int(self.clock() / window_s * PARTS)
        parts = {at: sum_ for at, sum_ in self._meters.get(key, {}).items() if at > part - PARTS}
        parts[part] = parts.get(part, 0) + amount
        self._meters[key] = parts
        return sum(parts.values())

    async def forget(self, key: str) -> bool:
        """See :class:`Counters`."""
        marks = self._marks.pop(key, None)
        places = self._places.pop(key, None)
        meter = self._meters.pop(key, None)
        return bool(marks or places or meter)


class SturdyCounters:
    """Counts in the shared store and in the process, so that a store that is away loses nobody's count.

    While it is away the process's own numbers count: each worker is then a line of its own, with limits of
    its own. What both know, the larger number tells.
    """

    def __init__(self, shared: Counters, own: Counters) -> None:
        self._shared = shared
        self._own = own

    async def mark(self, key: str, window_s: float, mark: str = "") -> int:
        """See :class:`Counters`."""
        mark = mark or uuid4().hex
        own = await self._own.mark(key, window_s, mark)
        try:
            return max(own, await self._shared.mark(key, window_s, mark))
        except CountersAway as exc:
            return _alone(exc, own)

    async def unmark(self, key: str) -> None:
        """See :class:`Counters`."""
        await self._own.unmark(key)
        try:
            await self._shared.unmark(key)
        except CountersAway as exc:
            _alone(exc, None)

    async def take_place(self, key: str, who: str, places: int, lease_s: float) -> bool:
        """See :class:`Counters`."""
        own = await self._own.take_place(key, who, places, lease_s)
        try:
            return await self._shared.take_place(key, who, places, lease_s)
        except CountersAway as exc:
            return _alone(exc, own)

    async def give_back(self, key: str, who: str) -> None:
        """See :class:`Counters`."""
        await self._own.give_back(key, who)
        try:
            await self._shared.give_back(key, who)
        except CountersAway as exc:
            _alone(exc, None)

    async def add(self, key: str, amount: int, window_s: float) -> int:
        """See :class:`Counters`."""
        own = await self._own.add(key, amount, window_s)
        try:
            return max(own, await self._shared.add(key, amount, window_s))
        except CountersAway as exc:
            return _alone(exc, own)

    async def forget(self, key: str) -> bool:
        """See :class:`Counters`; raises :class:`CountersAway`: who erases must know."""
        own = await self._own.forget(key)
        return await self._shared.forget(key) or own


def _alone(why: CountersAway, own: T) -> T:
    log.warning("counters.away", extra={"reason": str(why)})
    return own
