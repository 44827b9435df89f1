"""What is kept, and where: in Redis, or in this machine's files and memory; and the key of identities."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from app.person import Stores
from app.settings import Settings, SettingsInvalid
from app.wiring.backoffice import choose_backoffice
from app.wiring.providers import Providers
from graph.checkpoints import open_checkpoints, open_redis_checkpoints
from graph.sealed_checkpoints import sealed
from memory.archive import FileArchive
from memory.counters import Counters, MemoryCounters, SturdyCounters
from memory.dropped_calls import DroppedCalls, MemoryDroppedCalls, RedisDroppedCalls
from memory.limits import Limits
from memory.redis_connection import connect, shown
from memory.redis_counters import RedisCounters
from tools.gate import MIN_KEY_BYTES, Gate

CALL_BACKS = "callbacks.jsonl"
"""In the data folder: promised call-backs."""


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Everything that keeps something of calls, for who looks for a person in it.

    Raises what the stores raise when they cannot be reached.
    """
    async with AsyncExitStack() as stack:
        redis = await choose_redis(settings, stack)
        calls, _ = await choose_checkpoints(settings, redis, stack)
        key = identity_key(settings)
        counters: Counters = MemoryCounters() if redis is None else RedisCounters(redis)
        yield Stores(
            archive=archive_of(settings),
            calls=calls,
            call_backs=settings.application.data_folder / CALL_BACKS,
            counters=counters,
            limits=Limits(counters, settings.limits.rules(settings.asterisk_manager.longest_call_s), key),
            dropped=choose_dropped_calls(settings, redis, key),
            gate=Gate(await choose_backoffice(settings, Providers.watched_by(), stack), key),
            redis=redis,
        )


async def choose_redis(settings: Settings, stack: AsyncExitStack) -> Redis | None:
    """What the workers share; None for a worker on its own."""
    given = settings.redis
    if not given.address:
        return None
    return await stack.enter_async_context(connect(given.address, given.password.get_secret_value()))


async def choose_checkpoints(
    settings: Settings, redis: Redis | None, stack: AsyncExitStack
) -> tuple[BaseCheckpointSaver[Any], str]:
    """Where calls are kept, and how that is called."""
    ring, ttl_s = settings.privacy.ring(), settings.redis.session_ttl
    serde = sealed(ring) if ring is not None else None
    if redis is None:
        path = settings.checkpoints.path or str(settings.application.data_folder / "checkpoints.sqlite")
        return await stack.enter_async_context(open_checkpoints(path, serde, ttl_s)), path
    form = settings.checkpoints.redis
    opened = open_redis_checkpoints(redis, form, ttl_s, serde)
    return await stack.enter_async_context(opened), f"{shown(settings.redis.address)} ({form})"


def choose_counters(redis: Redis | None) -> Counters:
    """What is counted across calls; across workers too when there is a Redis."""
    own = MemoryCounters()
    return own if redis is None else SturdyCounters(RedisCounters(redis), own)


def choose_dropped_calls(settings: Settings, redis: Redis | None, key: bytes) -> DroppedCalls:
    """Calls that broke off: of this worker, or of all."""
    return MemoryDroppedCalls() if redis is None else RedisDroppedCalls(redis, key, settings.privacy.ring())


def archive_of(settings: Settings) -> FileArchive:
    """Where calls that are over are kept."""
    return FileArchive(settings.application.data_folder / "archive", settings.privacy.ring())


def identity_key(settings: Settings) -> bytes:
    """The configured key, or one that is made at the first start and kept for the next.

    Raises :class:`app.settings.SettingsInvalid`.
    """
    configured = settings.insurance.identity_key.get_secret_value().encode()
    if configured:
        if len(configured) < MIN_KEY_BYTES:
            raise SettingsInvalid(f"INSURANCE_IDENTITY_KEY: give at least {MIN_KEY_BYTES} characters")
        return configured
    if settings.checkpoints.path == ":memory:":
        return secrets.token_bytes(MIN_KEY_BYTES)  # the calls do not outlive the process either
    path = settings.application.data_folder / "identity.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - for the mode
            file.write(secrets.token_bytes(MIN_KEY_BYTES))
    except FileExistsError:
        pass
    except OSError as exc:
        raise SettingsInvalid(
            f"APP_DATA_FOLDER: {path.parent} cannot be written ({exc}); name a folder that can, or set "
            "INSURANCE_IDENTITY_KEY"
        ) from exc
    key = path.read_bytes()
    if len(key) < MIN_KEY_BYTES:
        raise SettingsInvalid(f"{path} is damaged; remove it and a new one is made (callers identify again)")
    return key
