"""What one worker learns of a provider, another knows at once; and neither waits for Redis."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from memory.breaker import BreakerNews, Breakers, BreakerState, Closed, Fault, FaultKind, Opened, Probing
from memory.breaker_link import CHANNEL, NewsInvalid, read, sharing, written
from memory.redis_connection import connect
from tests.redis.server import RedisServer

GROQ = "groq:whisper-large-v3-turbo"
DOWN = Fault(FaultKind.BUSY, "HTTP 429", retry_after_s=30)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is the other worker that is waited for
            await asyncio.sleep(0.005)


async def listening(redis: Redis, workers: int) -> None:
    async with asyncio.timeout(10):
        while dict(await redis.pubsub_numsub(CHANNEL)).get(CHANNEL.encode(), 0) < workers:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_provider_that_is_down_for_one_worker_is_down_for_all_and_up_again_for_all(
    bare_redis: RedisServer, redis: Redis
) -> None:
    one, two = Breakers(), Breakers()
    async with (
        connect(bare_redis.url) as first,
        connect(bare_redis.url) as second,
        sharing(one, first),
        sharing(two, second),
    ):
        await listening(redis, 2)
        attempt = one.of(GROQ).attempt()
        assert attempt is not None
        attempt.failed(DOWN)
        await until(lambda: two.of(GROQ).state is BreakerState.OPEN)
        assert two.of(GROQ).attempt() is None, "never asked, and known to be down"
        await redis.publish(CHANNEL, written(Closed(GROQ), "a third worker"))
        await until(lambda: two.of(GROQ).state is BreakerState.CLOSED)


async def test_without_redis_each_worker_learns_for_himself_and_hears_again_when_it_is_back(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis(modules=False)
    breakers = Breakers()
    async with connect(server.url) as client, sharing(breakers, client):
        await listening(client, 1)
        server.stop()
        attempt = breakers.of(GROQ).attempt()
        assert attempt is not None
        attempt.failed(DOWN)
        assert breakers.of(GROQ).attempt() is None
        server.start()
        async with connect(server.url, timeout_s=5) as again:
            async with asyncio.timeout(60):
                while breakers.of(GROQ).state is not BreakerState.CLOSED:
                    # News are not kept: who is just coming back may miss one.
                    await again.publish(CHANNEL, written(Closed(GROQ), "another"))
                    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "news", [Opened(GROQ, 5.0, Fault(FaultKind.AWAY, "HTTP 503")), Probing(GROQ, 10.0), Closed(GROQ)]
)
def test_news_come_back_as_they_were_sent(news: BreakerNews) -> None:
    assert read(written(news, "w")) == ("w", news)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"worker": "w"}',
        '{"worker": "w", "opened": "x", "for_s": 1, "fault": "?", "reason": ""}',
    ],
)
def test_what_is_no_news_is_refused(text: str) -> None:
    with pytest.raises(NewsInvalid):
        read(text)


async def test_nonsense_on_the_channel_makes_nobody_deaf(bare_redis: RedisServer, redis: Redis) -> None:
    breakers = Breakers()
    async with connect(bare_redis.url) as client, sharing(breakers, client):
        await listening(redis, 1)
        await redis.publish(CHANNEL, "nonsense")
        await redis.publish(CHANNEL, written(Opened(GROQ, 60.0, DOWN), "another"))
        await until(lambda: breakers.of(GROQ).state is BreakerState.OPEN)
