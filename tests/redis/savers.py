"""The stores that calls can be kept in, each as production opens it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from graph.checkpoints import RedisForm, open_checkpoints, open_redis_checkpoints
from memory.redis_connection import TIMEOUT_S, connect

Opened = AbstractAsyncContextManager[BaseCheckpointSaver[Any]]

TTL_S = 3600


def sqlite(folder: Path) -> Callable[[], Opened]:
    """A file in ``folder``; opened twice it is the same file."""
    return lambda: open_checkpoints(str(folder / "checkpoints.sqlite"))


def redis(
    url: str,
    form: RedisForm,
    ttl_s: int = TTL_S,
    asked_again_s: float = 0.05,
    timeout_s: float = TIMEOUT_S,
) -> Callable[[], Opened]:
    """The Redis at ``url``; opened twice it is two workers."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[BaseCheckpointSaver[Any]]:
        async with (
            connect(url, timeout_s=timeout_s) as client,
            open_redis_checkpoints(client, form, ttl_s, asked_again_s=asked_again_s) as saver,
        ):
            yield saver

    return opened
