"""The same counting in the process and in a real Redis; there also by many workers at once."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from memory.counters import Counters, CountersAway, MemoryCounters, SturdyCounters
from memory.lockout import CountedLockout, LockoutUnavailable
from memory.redis_connection import connect
from memory.redis_counters import PREFIX, RedisCounters
from tests.redis.server import RedisServer


@pytest.fixture(params=["memory", "redis", "sturdy"])
def counters(request: pytest.FixtureRequest, redis: Redis) -> Counters:
    match request.param:
        case "memory":
            return MemoryCounters()
        case "redis":
            return RedisCounters(redis)
        case _:
            return SturdyCounters(RedisCounters(redis), MemoryCounters())


async def test_marks_are_counted_within_their_window(counters: Counters) -> None:
    assert [await counters.mark("k", 60) for _ in range(3)] == [1, 2, 3]
    assert await counters.mark("other", 60) == 1
    await asyncio.sleep(0.05)
    assert await counters.mark("k", 0.04) == 1


async def test_the_same_mark_counts_once(counters: Counters) -> None:
    assert [await counters.mark("k", 60, "call") for _ in range(3)] == [1, 1, 1]


async def test_the_youngest_mark_can_be_taken_back(counters: Counters) -> None:
    await counters.mark("k", 60)
    await counters.mark("k", 60)
    await counters.unmark("k")
    assert await counters.mark("k", 60) == 2
    await counters.unmark("nothing there")


async def test_places_are_leased(counters: Counters) -> None:
    taken = [await counters.take_place("line", who, 2, 60) for who in ("a", "b", "c", "a")]
    assert taken == [True, True, False, True]
    await counters.give_back("line", "b")
    await counters.give_back("line", "nobody")
    assert await counters.take_place("line", "c", 2, 0.03)
    await asyncio.sleep(0.05)
    assert await counters.take_place("line", "d", 2, 60), "the lease of c is over"


async def test_amounts_are_summed(counters: Counters) -> None:
    assert [await counters.add("cost", amount, 3600) for amount in (5, 0, 7)] == [5, 5, 12]


async def test_what_is_forgotten_is_gone(counters: Counters) -> None:
    await counters.mark("k", 60)
    assert await counters.forget("k")
    assert not await counters.forget("k")
    assert await counters.mark("k", 60) == 1


async def test_many_workers_never_take_more_places_than_there_are(
    bare_redis: RedisServer, redis: Redis
) -> None:
    async def worker(name: str) -> int:
        async with connect(bare_redis.url, timeout_s=5) as client:
            places = RedisCounters(client)
            return sum([await places.take_place("line", f"{name}{at}", 25, 60) for at in range(20)])

    taken = await asyncio.gather(*(worker(name) for name in "abcd"))
    assert sum(taken) == 25


async def test_every_key_goes_by_itself(redis: Redis) -> None:
    counters = RedisCounters(redis)
    await counters.mark("k", 60)
    await counters.take_place("line", "a", 2, 60)
    await counters.add("cost", 5, 3600)
    keys = await redis.keys(f"{PREFIX}:*")
    assert len(keys) == 3
    assert all([0 < await redis.ttl(key) <= 3600 for key in keys])


async def test_a_meter_in_redis_forgets_what_is_too_old(redis: Redis) -> None:
    counters = RedisCounters(redis)
    await redis.hset(f"{PREFIX}:cost", "17", "5000")  # the seventeenth part of all time
    assert await counters.add("cost", 7, 3600) == 7
    assert b"17" not in await redis.hgetall(f"{PREFIX}:cost")


async def test_a_redis_that_is_away_is_said_and_not_guessed_around(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as client:
        counters = RedisCounters(client)
        server.stop()
        for asked in (
            counters.mark("k", 60),
            counters.unmark("k"),
            counters.take_place("k", "a", 1, 60),
            counters.give_back("k", "a"),
            counters.add("k", 1, 60),
            counters.forget("k"),
        ):
            with pytest.raises(CountersAway, match="Redis does not count"):
                await asked


async def test_a_lock_out_holds_over_workers_and_while_redis_is_away(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as first, connect(server.url) as second:
        one, two = (
            CountedLockout(SturdyCounters(RedisCounters(client), MemoryCounters()))
            for client in (first, second)
        )
        assert [await worker.attempt("who") for worker in (one, two, one)] == [1, 2, 3]
        await two.take_back("who")
        assert await one.attempt("who") == 3
        server.stop()
        assert await one.attempt("who") == 4, "its own three, and this one"
        with pytest.raises(LockoutUnavailable):
            await CountedLockout(RedisCounters(first)).attempt("who")
