"""Everything that workers share, behind Sentinel and on a cluster: real ones, of real Redis processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from audio.redis_sounds import RedisSounds
from audio.sound_cache import sound_key
from audio.tts import Pace
from graph.builder import build_graph
from graph.checkpoints import CheckpointsUnavailable, open_redis_checkpoints
from graph.dialogue import Dialogue
from graph.redis_core_saver import RedisCoreSaver
from graph.reply import Listen
from graph.safekeeping import Safekeeping
from memory.breaker import Breakers, BreakerState, Fault, FaultKind, Opened
from memory.breaker_link import CHANNEL, sharing, written
from memory.dropped_calls import DroppedCall, RedisDroppedCalls
from memory.event_stream import EventReader, forget, on_stream, writing
from memory.events import CallStarted
from memory.redis_connection import READER_TIMEOUT_S, RedisUnusable, connect
from memory.redis_counters import RedisCounters
from tests.graph.conversation import Conversation, services
from tests.redis.savers import redis
from tests.redis.stack import Stack
from tests.redis.topologies import behind_sentinel, cluster

CALLS = 12
"""Enough to lie on every node of three."""

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture(params=["sentinel", "cluster"])
async def url(request: pytest.FixtureRequest, redis_stack: Stack, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sentinel":
        async with behind_sentinel(redis_stack, tmp_path) as sentinels:
            yield sentinels.url
    else:
        async with cluster(redis_stack, tmp_path) as address:
            yield address


async def test_all_that_workers_share_works_there(url: str) -> None:
    async with connect(url, timeout_s=READER_TIMEOUT_S) as client:
        await calls_are_kept(url, client)
        await callers_are_counted(client)
        await events_are_shared(client)
        await dropped_calls_and_sounds_are_found(client)
        await breakers_hear_of_each_other(url, client)


async def calls_are_kept(url: str, client: Redis) -> None:
    async with redis(url, "core", timeout_s=READER_TIMEOUT_S)() as saver:
        dialogue = Dialogue(build_graph(services()), saver)
        for at in range(CALLS):
            call = Conversation(dialogue, f"call {at}")
            await call.begins()
            await call.says("combien j'ai sur mon assurance vie")
            await call.keys("10078821")
    async with redis(url, "core", timeout_s=READER_TIMEOUT_S)() as saver:
        dialogue = Dialogue(build_graph(services()), saver)
        for at in range(CALLS):
            call = Conversation(dialogue, f"call {at}")
            assert (await call.resumes()).then == Listen("date")
            assert "contract.value" in (await call.keys("01041962")).said
    kept = RedisCoreSaver(client, ttl_s=60)
    assert len(await kept.calls()) == CALLS, "erasing looks on every node"
    await kept.adelete_thread("call 0")
    assert len(await kept.calls()) == CALLS - 1


async def callers_are_counted(client: Redis) -> None:
    counters = RedisCounters(client)
    assert [await counters.mark("k", 60) for _ in range(2)] == [1, 2]
    assert [await counters.take_place("line", who, 1, 60) for who in "ab"] == [True, False]
    assert [await counters.add("cost", 5, 60) for _ in range(2)] == [5, 10]
    assert await counters.forget("k")


async def events_are_shared(client: Redis) -> None:
    reader = EventReader(client, "crm", "one")
    await reader.join()
    async with writing(client) as bus:
        bus.publish(CallStarted(at=AT, call_id="a"))
        await bus.flushed()
    [delivery] = await reader.take()
    await reader.done(delivery)
    assert [event.call_id async for event in on_stream(client)] == ["a"]
    assert await forget(client, frozenset({"a"})) == 1


async def dropped_calls_and_sounds_are_found(client: Redis) -> None:
    dropped = RedisDroppedCalls(client, b"s" * 32)
    await dropped.keep("0612345678", DroppedCall("claims", "mon sinistre"))
    assert await dropped.take("0612345678") == DroppedCall("claims", "mon sinistre")
    key = sound_key("a", "", Pace.NORMAL, "un")
    sounds = RedisSounds(client, timeout_s=READER_TIMEOUT_S)
    await sounds.put(key, b"\1\2\3\4")
    assert await sounds.get(key) == b"\1\2\3\4"


async def breakers_hear_of_each_other(url: str, client: Redis) -> None:
    breakers = Breakers()
    news = Opened("groq", 60, Fault(FaultKind.AWAY, "HTTP 503"))
    async with connect(url, timeout_s=READER_TIMEOUT_S) as listening, sharing(breakers, listening):
        while breakers.of("groq").state is not BreakerState.OPEN:
            await client.publish(CHANNEL, written(news, "another worker"))  # the first, perhaps to nobody
            await asyncio.sleep(0.05)


async def test_calls_outlive_a_master_that_dies_behind_its_sentinel(
    redis_stack: Stack, tmp_path: Path
) -> None:
    async with behind_sentinel(redis_stack, tmp_path) as sentinels:
        async with redis(sentinels.url, "core")() as saver:
            assert isinstance(saver, Safekeeping)
            call = Conversation(Dialogue(build_graph(services()), saver), "call")
            await call.begins()
            await call.says("combien j'ai sur mon assurance vie")
            sentinels.master.stop()
            await call.keys("10078821")
            assert not saver.present, "the caller was answered all the same"
            while not saver.present:  # noqa: ASYNC110 - the saver tells nobody but its worker
                await asyncio.sleep(0.05)
        async with redis(sentinels.url, "core")() as saver:
            call = Conversation(Dialogue(build_graph(services()), saver), "call")
            assert (await call.resumes()).then == Listen("date"), "the new master has what was said meanwhile"


async def test_the_librarys_form_on_a_cluster_is_refused_with_the_cure(
    redis_stack: Stack, tmp_path: Path
) -> None:
    async with (
        cluster(redis_stack, tmp_path, modules=True) as url,
        connect(url, timeout_s=READER_TIMEOUT_S) as client,
    ):
        with pytest.raises(CheckpointsUnavailable, match="CHECKPOINTS_REDIS=core"):
            async with open_redis_checkpoints(client, "library", 3600):
                pass


async def test_sentinels_that_know_no_such_master_are_named(redis_stack: Stack, tmp_path: Path) -> None:
    async with behind_sentinel(redis_stack, tmp_path) as sentinels:
        wrong = sentinels.url.replace("mymaster", "yourmaster")
        async with connect(wrong) as client:
            with pytest.raises((CheckpointsUnavailable, RedisUnusable), match="REDIS_URL"):
                async with open_redis_checkpoints(client, "core", 3600):
                    pass
