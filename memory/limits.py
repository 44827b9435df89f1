"""How much of the line one caller, one call and one day may take.

Not against people: against machines that dial in circles, a fault that talks for ever, and a bill that nobody
expected. Whoever is over a limit is told so politely and handed to people; nobody is cut off.

When the store of counters is away, limits do not bind: a line that answers is worth more than one that
counts (the lock-out after failed identifications is another matter, see :mod:`memory.lockout`).
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from memory.counters import Counters, CountersAway, pseudonym

log = logging.getLogger(__name__)

HOUR_S = 3600.0
DAY_S = 86_400.0

T = TypeVar("T")


class Over(StrEnum):
    """Which limit is reached."""

    CALLS_OF_CALLER = "calls_of_caller"
    CALLS_AT_ONCE = "calls_at_once"
    COST_OF_CALL = "cost_of_call"
    COST_OF_DAY = "cost_of_day"


@dataclass(frozen=True, slots=True)
class Rules:
    """The limits; 0 is none."""

    calls_of_caller_an_hour: int = 20
    """More than anybody rings by hand. A hidden number is not counted: those are many callers."""
    calls_at_once: int = 0
    """Over all workers."""
    cost_of_call_cents: float = 0
    cost_of_day_cents: float = 0
    longest_call_s: float = HOUR_S
    """After which a place is free again although nobody gave it back: its worker died."""


class Limits:
    """The limits of one line, over all workers that share ``counters``."""

    def __init__(self, counters: Counters, rules: Rules, secret: bytes) -> None:
        """``secret`` hides callers' numbers from the store."""
        self._counters = counters
        self._rules = rules
        self._secret = secret
        self._spent: dict[str, float] = {}

    async def admit(self, call_id: str, caller: str) -> Over | None:
        """A call begins, or goes on in this worker; the limit it is over, or None: it has its place.

        Give the place back with :meth:`leave`, whatever the answer was.
        """
        rules = self._rules
        if caller and rules.calls_of_caller_an_hour:
            calls = await self._unless_away(self._counters.mark(self._of_caller(caller), HOUR_S, call_id), 0)
            if calls > rules.calls_of_caller_an_hour:
                return Over.CALLS_OF_CALLER
        if rules.cost_of_day_cents and await self._day(0) >= rules.cost_of_day_cents:
            return Over.COST_OF_DAY
        if rules.calls_at_once and not await self._unless_away(
            self._counters.take_place("line", call_id, rules.calls_at_once, rules.longest_call_s), True
        ):
            return Over.CALLS_AT_ONCE
        return None

    async def leave(self, call_id: str) -> None:
        """The call is over in this worker."""
        self._spent.pop(call_id, None)
        if self._rules.calls_at_once:
            await self._unless_away(self._counters.give_back("line", call_id), None)

    async def spend(self, call_id: str, cents: float) -> Over | None:
        """Providers cost ``cents`` for this call; the limit that is reached by it.

        Without a name of a call (empty) it is the day's alone.
        """
        rules = self._rules
        spent = 0.0
        if call_id:
            spent = self._spent[call_id] = self._spent.get(call_id, 0.0) + cents
        day = await self._day(cents) if rules.cost_of_day_cents else 0.0
        if call_id and rules.cost_of_call_cents and spent >= rules.cost_of_call_cents:
            return Over.COST_OF_CALL
        if rules.cost_of_day_cents and day >= rules.cost_of_day_cents:
            return Over.COST_OF_DAY
        return None

    async def forget_caller(self, caller: str) -> bool:
        """Remove what is counted of a caller; whether there was anything. Raises ``CountersAway``."""
        return await self._counters.forget(self._of_caller(caller))

    async def _day(self, cents: float) -> float:
        """The day's cost with ``cents`` more, kept in thousandths of a cent: whole numbers add up exactly."""
        return await self._unless_away(self._counters.add("cost", round(cents * 1000), DAY_S), 0) / 1000

    def _of_caller(self, caller: str) -> str:
        return pseudonym(self._secret, "caller", caller)

    async def _unless_away(self, asked: Awaitable[T], otherwise: T) -> T:
        try:
            return await asked
        except CountersAway as exc:
            log.warning("limits.away", extra={"reason": str(exc)})
            return otherwise
