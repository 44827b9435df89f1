"""Fixed lines in Redis: what any worker had made, for all workers, also those that start on an empty disk.

Redis bounds its memory itself (``maxmemory``); sounds that nobody played for a month expire. A Redis that is
slow or away costs a caller a fifth of a second at most, and the voice speaks.
"""

import asyncio
import logging
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from audio.sound_cache import packed, unpacked

log = logging.getLogger(__name__)


class RedisSounds:
    """What any worker made, for all workers. Redis bounds its memory itself; unused sounds expire."""

    PREFIX: Final = "standardiste:sound:"

    def __init__(
        self, client: redis.asyncio.Redis, keep_s: int = 30 * 24 * 3600, timeout_s: float = 0.2
    ) -> None:
        """``client`` gives bytes, not text. No caller waits longer than ``timeout_s`` for it."""
        self._client = client
        self._keep_s = keep_s
        self._timeout_s = timeout_s

    async def get(self, key: str) -> bytes | None:
        """See :class:`SoundCache`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                content = await self._client.getex(self.PREFIX + key, ex=self._keep_s)
        except (RedisError, OSError, TimeoutError) as error:
            _away(error)
            return None
        return unpacked(content) if isinstance(content, bytes) else None

    async def put(self, key: str, sound: bytes) -> None:
        """See :class:`SoundCache`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.set(self.PREFIX + key, packed(sound), ex=self._keep_s)
        except (RedisError, OSError, TimeoutError) as error:
            _away(error)

    async def holds(self, key: str) -> bool:
        """See :class:`SoundCache`."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return bool(await self._client.exists(self.PREFIX + key))
        except (RedisError, OSError, TimeoutError) as error:
            _away(error)
            return False


def _away(error: Exception) -> None:
    log.warning("sounds.redis_away", extra={"reason": type(error).__name__})
