"""Counters in Redis: each measure is one script on one key, so it is atomic, also in a cluster.

Redis' own clock counts. Every key goes by itself when its window is over.
"""

from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from memory.counters import PARTS, CountersAway

PREFIX = "standardiste:count"

_NOW_MS = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

_MARK = (
    _NOW_MS
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
redis.call('ZADD', KEYS[1], 'NX', now, ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.call('ZCARD', KEYS[1])
"""
)

_TAKE = (
    _NOW_MS
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], last[2])
return 1
"""
)

_ADD = (
    _NOW_MS
    + """
local part = math.floor(now / ARGV[2] * ARGV[3])
redis.call('HINCRBY', KEYS[1], string.format('%.0f', part), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local parts, sum = redis.call('HGETALL', KEYS[1]), 0
for at = 1, #parts, 2 do
  if tonumber(parts[at]) > part - ARGV[3] then
    sum = sum + parts[at + 1]
  else
    redis.call('HDEL', KEYS[1], parts[at])
  end
end
return sum
"""
)


class RedisCounters:
    """See :class:`memory.counters.Counters`."""

    def __init__(self, client: Redis, prefix: str = PREFIX) -> None:
        self._redis = client
        self._prefix = prefix
        self._mark = client.register_script(_MARK)
        self._take = client.register_script(_TAKE)
        self._add = client.register_script(_ADD)

    async def mark(self, key: str, window_s: float, mark: str = "") -> int:
        """See :class:`Counters`."""
        try:
            return int(await self._mark([self._of(key)], [round(window_s * 1000), mark or uuid4().hex]))
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    async def unmark(self, key: str) -> None:
        """See :class:`Counters`."""
        try:
            await self._redis.zpopmax(self._of(key))
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    async def take_place(self, key: str, who: str, places: int, lease_s: float) -> bool:
        """See :class:`Counters`."""
        try:
            return bool(await self._take([self._of(key)], [who, places, round(lease_s * 1000)]))
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    async def give_back(self, key: str, who: str) -> None:
        """See :class:`Counters`."""
        try:
            await self._redis.zrem(self._of(key), who)
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    async def add(self, key: str, amount: int, window_s: float) -> int:
        """See :class:`Counters`."""
        try:
            return int(await self._add([self._of(key)], [amount, round(window_s * 1000), PARTS]))
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    async def forget(self, key: str) -> bool:
        """See :class:`Counters`."""
        try:
            return bool(await self._redis.unlink(self._of(key)))
        except (RedisError, OSError) as exc:
            raise _away(exc) from exc

    def _of(self, key: str) -> str:
        return f"{self._prefix}:{key}"


def _away(exc: Exception) -> CountersAway:
    return CountersAway(f"Redis does not count ({type(exc).__name__}); is it running, and reachable in time?")
