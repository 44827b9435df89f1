"""Calls in a file of SQLite go when their time is over, as those in Redis do by themselves.

A checkpoint's name is a UUID of version 6, which begins with the time it was written (RFC 9562): the names
alone tell which calls have had no turn for long enough. Several workers may look at one file at once;
what one has removed, the other does not find.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiosqlite
from langgraph.checkpoint.base.id import UUID
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

log = logging.getLogger(__name__)

LOOKED_EVERY_S = 600.0

_UUID_ERA = datetime(1582, 10, 15, tzinfo=UTC)
_UUID_VERSION = 6

_LAST_TURNS = "SELECT thread_id, MAX(checkpoint_id) FROM checkpoints GROUP BY thread_id"


async def expire(saver: AsyncSqliteSaver, before: datetime) -> int:
    """Remove the calls whose last turn was before ``before`` (with its time zone); how many those were."""
    async with saver.lock, saver.conn.execute(_LAST_TURNS) as rows:
        last_turns = [(str(call), str(checkpoint)) async for call, checkpoint in rows]
    expired = [call for call, checkpoint in last_turns if _written_at(checkpoint) < before]
    for call in expired:
        await saver.adelete_thread(call)
    return len(expired)


@asynccontextmanager
async def expiring(
    saver: AsyncSqliteSaver,
    ttl_s: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    looked_every_s: float = LOOKED_EVERY_S,
) -> AsyncIterator[None]:
    """Within the block, calls go when they have had no turn for ``ttl_s``."""
    sweeper = asyncio.create_task(_sweep(saver, ttl_s, now, looked_every_s), name="calls in SQLite expire")
    try:
        yield
    finally:
        sweeper.cancel()
        await asyncio.wait([sweeper])


async def _sweep(
    saver: AsyncSqliteSaver, ttl_s: float, now: Callable[[], datetime], looked_every_s: float
) -> None:
    while True:
        try:
            if gone := await expire(saver, now() - timedelta(seconds=ttl_s)):
                log.info("checkpoints.expired", extra={"calls": gone})
        except aiosqlite.Error as exc:  # another worker's lock: later again
            log.warning("checkpoints.not_expired", extra={"error": type(exc).__name__})
        await asyncio.sleep(looked_every_s)


def _written_at(checkpoint_id: str) -> datetime:
    """When a checkpoint was written; now and later for a name that does not tell."""
    try:
        name = UUID(hex=checkpoint_id)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    if name.version != _UUID_VERSION:
        return datetime.max.replace(tzinfo=UTC)
    return _UUID_ERA + timedelta(microseconds=name.time // 10)
