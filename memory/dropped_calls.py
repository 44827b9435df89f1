"""Calls that broke off, for as long as their callers may ring back and want to go on.

Only what the caller wanted is kept, under a pseudonym of his number, never what had been proven: whoever
rings from that number next has to prove who he is like anybody else. It is offered once.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from memory.counters import pseudonym
from memory.sealing import CannotOpen, KeyRing

log = logging.getLogger(__name__)

KEPT_S = 15 * 60.0
"""How long a caller may take to ring back; after that he has begun something new."""

PREFIX = "standardiste:dropped"


@dataclass(frozen=True, slots=True)
class DroppedCall:
    """What a call was about when it broke off."""

    pending: str
    """The node that was to answer, or had the caller in it."""
    request: str
    """The caller's words that made the request; they may hold a claim's number."""


class DroppedCalls(Protocol):
    """Where they are kept. Nothing here fails: a call must not depend on it."""

    async def keep(self, caller: str, dropped: DroppedCall) -> None:
        """Keep it for :data:`KEPT_S`, in place of an earlier one. A hidden number (empty) keeps nothing."""

    async def take(self, caller: str) -> DroppedCall | None:
        """The call that broke off, once; None when there is none, or it is too long ago."""

    async def forget(self, caller: str) -> bool:
        """Remove it; whether there was one."""


@dataclass(slots=True)
class MemoryDroppedCalls:
    """The twin: of this process only."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[str, tuple[float, DroppedCall]] = field(default_factory=dict)

    async def keep(self, caller: str, dropped: DroppedCall) -> None:
        """See :class:`DroppedCalls`."""
        now = self.clock()
        self._kept = {one: kept for one, kept in self._kept.items() if kept[0] > now}
        if caller:
            self._kept[caller] = (now + KEPT_S, dropped)

    async def take(self, caller: str) -> DroppedCall | None:
        """See :class:`DroppedCalls`."""
        until, dropped = self._kept.pop(caller, (0.0, None))
        return dropped if until > self.clock() else None

    async def forget(self, caller: str) -> bool:
        """See :class:`DroppedCalls`."""
        return self._kept.pop(caller, None) is not None


class RedisDroppedCalls:
    """For all workers."""

    def __init__(
        self, client: Redis, secret: bytes, ring: KeyRing | None = None, prefix: str = PREFIX
    ) -> None:
        """``secret`` hides callers' numbers from the store; ``ring`` seals what is kept."""
        self._redis = client
        self._secret = secret
        self._ring = ring
        self._prefix = prefix

    async def keep(self, caller: str, dropped: DroppedCall) -> None:
        """See :class:`DroppedCalls`."""
        if not caller:
            return
        key = self._key(caller)
        written = json.dumps({"pending": dropped.pending, "request": dropped.request}).encode()
        if self._ring is not None:
            written = self._ring.seal(written, key.encode())
        try:
            await self._redis.set(key, written, ex=round(KEPT_S))
        except (RedisError, OSError) as exc:
            log.warning("dropped_call.not_kept", extra={"error": type(exc).__name__})

    async def take(self, caller: str) -> DroppedCall | None:
        """See :class:`DroppedCalls`."""
        if not caller:
            return None
        key = self._key(caller)
        try:
            written = self._opened(await self._redis.getdel(key), key)
        except (RedisError, OSError, CannotOpen, ValueError) as exc:
            log.warning("dropped_call.not_read", extra={"error": type(exc).__name__})
            return None
        match written:
            case {"pending": str(pending), "request": str(request)}:
                return DroppedCall(pending, request)
            case _:
                return None

    async def forget(self, caller: str) -> bool:
        """See :class:`DroppedCalls`; raises ``redis.exceptions.RedisError``: who erases must know."""
        return bool(await self._redis.unlink(self._key(caller)))

    def _opened(self, written: bytes | str | None, key: str) -> object:
        """What was written. Raises ``CannotOpen``, and ValueError for what is no JSON."""
        if not written:
            return None
        data = written.encode() if isinstance(written, str) else written
        return json.loads(data if self._ring is None else self._ring.open(data, key.encode()))

    def _key(self, caller: str) -> str:
        return f"{self._prefix}:{pseudonym(self._secret, 'caller', caller)}"
