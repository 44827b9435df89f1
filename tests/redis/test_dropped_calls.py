"""A call that broke off is remembered for a quarter of an hour, once, and under no telephone number."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from redis.asyncio import Redis

from graph.builder import build_graph
from graph.dialogue import Dialogue
from memory.dropped_calls import (
    KEPT_S,
    PREFIX,
    DroppedCall,
    DroppedCalls,
    MemoryDroppedCalls,
    RedisDroppedCalls,
)
from memory.redis_connection import connect
from memory.sealing import KeyRing
from tests.graph.conversation import Conversation, services
from tests.redis.server import RedisServer

CALLER = "0612345678"
SECRET = b"s" * 32
DROPPED = DroppedCall("claims", "où en est mon sinistre")


@pytest.fixture(params=["memory", "redis"])
def dropped_calls(request: pytest.FixtureRequest, redis: Redis) -> DroppedCalls:
    return MemoryDroppedCalls() if request.param == "memory" else RedisDroppedCalls(redis, SECRET)


async def test_it_is_given_back_once_to_who_rings_from_that_number(dropped_calls: DroppedCalls) -> None:
    await dropped_calls.keep(CALLER, DROPPED)
    assert await dropped_calls.take("0687654321") is None
    assert await dropped_calls.take(CALLER) == DROPPED
    assert await dropped_calls.take(CALLER) is None


async def test_the_last_one_counts(dropped_calls: DroppedCalls) -> None:
    await dropped_calls.keep(CALLER, DROPPED)
    await dropped_calls.keep(CALLER, DroppedCall("contract", "mon contrat"))
    assert await dropped_calls.take(CALLER) == DroppedCall("contract", "mon contrat")


async def test_callers_who_hide_their_number_never_meet(dropped_calls: DroppedCalls) -> None:
    await dropped_calls.keep("", DROPPED)
    assert await dropped_calls.take("") is None


async def test_it_can_be_forgotten(dropped_calls: DroppedCalls) -> None:
    await dropped_calls.keep(CALLER, DROPPED)
    assert await dropped_calls.forget(CALLER)
    assert not await dropped_calls.forget(CALLER)
    assert await dropped_calls.take(CALLER) is None


async def test_who_rings_later_begins_anew() -> None:
    now_s = [0.0]
    kept = MemoryDroppedCalls(lambda: now_s[0])
    await kept.keep(CALLER, DROPPED)
    now_s[0] = KEPT_S + 1
    assert await kept.take(CALLER) is None


async def test_redis_drops_it_by_itself_and_holds_no_number(redis: Redis) -> None:
    await RedisDroppedCalls(redis, SECRET).keep(CALLER, DROPPED)
    (key,) = await redis.keys("*")
    assert PREFIX in str(key)
    assert CALLER not in str(key)
    assert 0 < await redis.ttl(key) <= KEPT_S


async def test_what_is_damaged_is_no_dropped_call(redis: Redis) -> None:
    kept = RedisDroppedCalls(redis, SECRET)
    await kept.keep(CALLER, DROPPED)
    (key,) = await redis.keys("*")
    await redis.set(key, '{"pending": 1}')
    assert await kept.take(CALLER) is None


async def test_a_call_does_not_depend_on_it(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as client:
        kept = RedisDroppedCalls(client, SECRET)
        server.stop()
        await kept.keep(CALLER, DROPPED)
        assert await kept.take(CALLER) is None


async def test_under_a_key_it_is_sealed_and_without_it_there_is_nothing(redis: Redis) -> None:
    ring = KeyRing((("k1", bytes(32)),))
    await RedisDroppedCalls(redis, SECRET, ring).keep(CALLER, DROPPED)
    (key,) = await redis.keys("*")
    assert b"sinistre" not in (await redis.get(key) or b"")
    assert await RedisDroppedCalls(redis, SECRET, ring).take(CALLER) == DROPPED
    await RedisDroppedCalls(redis, SECRET, ring).keep(CALLER, DROPPED)
    assert await RedisDroppedCalls(redis, SECRET).take(CALLER) is None
    await RedisDroppedCalls(redis, SECRET).keep(CALLER, DROPPED)
    assert await RedisDroppedCalls(redis, SECRET, ring).take(CALLER) is None


async def test_who_rings_another_worker_back_may_go_on_there(redis: Redis) -> None:
    def worker() -> Dialogue:
        dropped = RedisDroppedCalls(redis, SECRET)
        return Dialogue(build_graph(replace(services(), dropped=dropped)), InMemorySaver())

    await RedisDroppedCalls(redis, SECRET).keep(CALLER, DroppedCall("contract", "ma valeur"))
    call = Conversation(worker())
    assert (await call.begins(CALLER)).said == ["greet.notice", "greet.take_up"]
    await call.says("oui")
    await call.keys("10078821")
    assert "contract.value" in (await call.keys("01041962")).said
    again = Conversation(worker())
    assert (await again.begins(CALLER)).said == ["greet.notice", "greet.question"]
