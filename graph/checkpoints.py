"""Where the state of calls is kept.

One worker: a file of SQLite, so that a restart loses nothing. Several workers: Redis, behind
:class:`graph.safekeeping.Safekeeping`. Redis has two forms. ``library`` is langgraph-checkpoint-redis, the
default; it needs a server with JSON and Search. ``core`` is :class:`graph.redis_core_saver.RedisCoreSaver`,
for any Redis or Valkey, and the only one of the two that can encrypt what it keeps.

Of the library the shallow saver is taken: with ``durability="exit"`` it costs four commands and one key a
call, where the full one keeps every turn. Its known weakness, an ``interrupt()`` in the middle of a run, is
not used by our graph.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from graph.expiry import expiring
from graph.redis_core_saver import RedisCoreSaver
from graph.safekeeping import ASKED_AGAIN_S, Safekeeping
from memory.redis_connection import missing

RedisForm = Literal["library", "core"]

AWAY: tuple[type[Exception], ...] = (RedisError, OSError)
"""What a Redis that is away makes of a read or a write."""

IN_MEMORY = ":memory:"

BUSY_TIMEOUT_MS = 300
"""How long a write waits for another process's lock; longer than any write, shorter than a pause."""


class CheckpointsUnavailable(Exception):
    """The state of calls can be neither read nor written; the message says what to do."""


@asynccontextmanager
async def open_checkpoints(
    path: str, serde: SerializerProtocol | None = None, ttl_s: float | None = None
) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The saver on the file ``path`` (made with its folder if it is not there), or ``":memory:"``.

    ``serde`` encrypts what is written. Calls go ``ttl_s`` after their last turn (None: never; in memory they
    go with the process). Raises :class:`CheckpointsUnavailable` when the file cannot be used.
    """
    if path == IN_MEMORY:
        yield InMemorySaver(serde=serde)
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = await aiosqlite.connect(path)
    except (OSError, aiosqlite.Error) as exc:
        raise _unavailable(path) from exc
    try:
        try:
            # A checkpoint a turn: the write-ahead log makes that one append, and survives kill -9.
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=NORMAL")
            await connection.execute("PRAGMA secure_delete=ON")  # what is erased is gone from the file too
            await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            saver = AsyncSqliteSaver(connection, serde=serde)
            await saver.setup()
        except aiosqlite.Error as exc:
            raise _unavailable(path) from exc
        async with expiring(saver, ttl_s) if ttl_s is not None else nullcontext():
            yield saver
    finally:
        await connection.close()


@asynccontextmanager
async def open_redis_checkpoints(
    client: Redis,
    form: RedisForm,
    ttl_s: int,
    serde: SerializerProtocol | None = None,
    asked_again_s: float = ASKED_AGAIN_S,
) -> AsyncIterator[Safekeeping]:
    """Checkpoints in the Redis of ``client``, which may go away later, but has to be there now.

    ``ttl_s`` counts from a call's last turn. ``serde`` encrypts what is written, with ``core`` only. Raises
    :class:`CheckpointsUnavailable`, which names what the server lacks.
    """
    try:
        store, faults = await _redis_saver(client, form, ttl_s, serde)
    except AWAY as exc:
        raise CheckpointsUnavailable(
            f"Redis does not answer ({type(exc).__name__}): is it running, and are REDIS_URL and "
            "REDIS_PASSWORD right?"
        ) from exc
    kept = Safekeeping(store, faults, asked_again_s)
    try:
        yield kept
    finally:
        await kept.close()


async def _redis_saver(
    client: Redis, form: RedisForm, ttl_s: int, serde: SerializerProtocol | None
) -> tuple[BaseCheckpointSaver[Any], tuple[type[Exception], ...]]:
    """The saver, and what it raises when Redis is away."""
    if form == "core":
        await client.ping()
        return RedisCoreSaver(client, ttl_s=ttl_s, serde=serde), AWAY
    if serde is not None:
        raise CheckpointsUnavailable(
            "langgraph-checkpoint-redis cannot encrypt; set CHECKPOINTS_REDIS=core to keep calls under a key"
        )
    if isinstance(client, RedisCluster):
        raise CheckpointsUnavailable(
            "langgraph-checkpoint-redis does not run on a cluster: its indexes cannot be made there. Set "
            "CHECKPOINTS_REDIS=core, whose calls lie on all nodes."
        )
    if lacking := await missing(client):
        raise CheckpointsUnavailable(
            f"this Redis lacks {' and '.join(lacking)}, which langgraph-checkpoint-redis stands on. Take "
            "redis.io's own Redis 8 or Redis Stack (Debian's redis packages have neither), or set "
            "CHECKPOINTS_REDIS=core, which any Redis or Valkey can serve."
        )
    # Half a second of imports, for those who use it.
    from langgraph.checkpoint.redis.ashallow import AsyncShallowRedisSaver
    from redisvl.exceptions import RedisVLError

    saver = AsyncShallowRedisSaver(redis_client=client, ttl={"default_ttl": ttl_s / 60})
    try:
        await saver.asetup()
    except RedisVLError as exc:
        raise RedisError("the index cannot be made") from exc
    return saver, (*AWAY, RedisVLError)


def _unavailable(path: str) -> CheckpointsUnavailable:
    return CheckpointsUnavailable(
        f"the checkpoint file {path} cannot be used: is its folder writable, and is it an SQLite file? "
        f"Set CHECKPOINTS_PATH to another file, or to {IN_MEMORY} to keep nothing."
    )
