"""What one worker learns of a provider, all know: the news of breakers over a Redis channel.

Published and forgotten: who is not listening learns for himself, a few failures later. Nothing waits for
Redis: news leave by a task of their own, and while Redis is away they are dropped, for they would be old.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from memory.breaker import BreakerNews, Breakers, Closed, Fault, FaultKind, Opened, Probing

log = logging.getLogger(__name__)

CHANNEL = "standardiste:breakers"
LONGEST_LINE = 100
HEARD_EVERY_S = 1.0
TRIED_AGAIN_S = 1.0


class NewsInvalid(ValueError):
    """Something on the channel is no news of breakers."""


@asynccontextmanager
async def sharing(breakers: Breakers, client: Redis, channel: str = CHANNEL) -> AsyncIterator[None]:
    """``breakers`` hear of other workers, and tell them, until the block is left."""
    line: asyncio.Queue[BreakerNews] = asyncio.Queue(LONGEST_LINE)
    worker = uuid4().hex

    def tell(news: BreakerNews) -> None:
        with suppress(asyncio.QueueFull):
            line.put_nowait(news)

    unshare = breakers.share(tell)
    tasks = [
        asyncio.create_task(_tell(line, client, channel, worker), name="breakers tell"),
        asyncio.create_task(_hear(breakers, client, channel, worker), name="breakers hear"),
    ]
    try:
        yield
    finally:
        unshare()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def written(news: BreakerNews, worker: str) -> str:
    """``news`` as ``worker`` sends it."""
    match news:
        case Opened(name, for_s, fault):
            told: dict[str, object] = {"opened": name, "for_s": for_s}
            told |= {"fault": fault.kind.value, "reason": fault.reason}
        case Probing(name, for_s):
            told = {"probing": name, "for_s": for_s}
        case Closed(name):
            told = {"closed": name}
    return json.dumps({"worker": worker, **told})


def read(text: str | bytes) -> tuple[str, BreakerNews]:
    """Who sent it, and the news. Raises :class:`NewsInvalid`."""
    try:
        told = json.loads(text)
    except ValueError as exc:
        raise NewsInvalid("no JSON") from exc
    match told:
        case {
            "worker": str(worker),
            "opened": str(name),
            "for_s": int() | float() as for_s,
            "fault": str(kind),
            "reason": str(reason),
        } if kind in list(FaultKind):
            return worker, Opened(name, float(for_s), Fault(FaultKind(kind), reason))
        case {"worker": str(worker), "probing": str(name), "for_s": int() | float() as for_s}:
            return worker, Probing(name, float(for_s))
        case {"worker": str(worker), "closed": str(name)}:
            return worker, Closed(name)
        case _:
            raise NewsInvalid("not of the form that workers send")


async def _tell(line: "asyncio.Queue[BreakerNews]", client: Redis, channel: str, worker: str) -> None:
    while True:
        news = await line.get()
        try:
            await client.publish(channel, written(news, worker))
        except (RedisError, OSError) as exc:
            log.debug("breakers.not_told", extra={"error": type(exc).__name__})


async def _hear(breakers: Breakers, client: Redis, channel: str, worker: str) -> None:
    while True:
        try:
            await client.ping()  # from its first command a cluster's client knows the nodes; this is not one
            async with client.pubsub(ignore_subscribe_messages=True) as heard:
                await heard.subscribe(channel)
                while True:
                    message = await heard.get_message(timeout=HEARD_EVERY_S)
                    if message is not None:
                        _take(breakers, message["data"], worker)
        except (RedisError, OSError) as exc:
            log.debug("breakers.deaf", extra={"error": type(exc).__name__})
            await asyncio.sleep(TRIED_AGAIN_S)


def _take(breakers: Breakers, data: bytes, worker: str) -> None:
    try:
        sender, news = read(data)
    except NewsInvalid as exc:
        log.warning("breakers.not_understood", extra={"reason": str(exc)})
        return
    if sender != worker:
        breakers.hear(news)
