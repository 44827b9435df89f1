"""Limits hold over all workers that share a Redis, and a Redis that is away turns nobody away."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from memory.counters import MemoryCounters, SturdyCounters
from memory.limits import Limits, Over, Rules
from memory.redis_connection import connect
from memory.redis_counters import RedisCounters
from telephony.call import Call, CallId, HungUp, Transferred
from telephony.front_desk import FrontDesk
from telephony.turned_away import WayOut
from tests.graph.conversation import OPEN
from tests.redis.server import RedisServer
from tests.telephony.scene import call

CALLER = "0612345678"
SECRET = b"s" * 32


def worker(redis: Redis, rules: Rules) -> Limits:
    return Limits(SturdyCounters(RedisCounters(redis), MemoryCounters()), rules, SECRET)


def who(number: int) -> Call:
    return Call(CallId(f"b6b1c0de-0000-4000-8000-{number:012}"), CALLER)


def at(limits: Limits) -> Callable[[FrontDesk], FrontDesk]:
    return lambda desk: replace(desk, limits=limits, way_out=WayOut(now=lambda: OPEN))


async def test_two_workers_never_talk_on_more_lines_than_there_are(redis: Redis) -> None:
    rules = Rules(calls_at_once=1, calls_of_caller_an_hour=0)
    one, other = worker(redis, rules), worker(redis, rules)
    async with call(["au revoir"], who=who(1), at=at(one)) as first:
        await first.phone.hears_the_agent_out()
        async with call(who=who(2), at=at(other)) as second:
            assert isinstance(await second.outcome(), Transferred)
            assert second.journal.said()[0] == "turned_away.calls_at_once"
        await first.says()
        assert isinstance(await first.outcome(), HungUp)
        await first.running
        async with call(["au revoir"], who=who(3), at=at(other)) as third:
            await third.phone.hears_the_agent_out()
            assert third.journal.said()[0] == "greet.notice"


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        (Rules(calls_of_caller_an_hour=1), "turned_away.calls_of_caller"),
        (Rules(cost_of_day_cents=5), "turned_away.cost_of_day"),
    ],
)
async def test_what_one_worker_counted_the_other_knows(redis: Redis, rules: Rules, key: str) -> None:
    one, other = worker(redis, rules), worker(redis, rules)
    assert await one.admit("before", CALLER) is None
    await one.spend("before", 6)
    async with call(who=who(1), at=at(other)) as scene:
        assert isinstance(await scene.outcome(), Transferred)
        assert scene.journal.said()[0] == key
    assert all(CALLER not in str(name) for name in await redis.keys("*"))


async def test_without_redis_each_worker_has_limits_of_its_own(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as client:
        line = worker(client, Rules(calls_at_once=1))
        server.stop()
        assert await line.admit("1", CALLER) is None
        assert await line.admit("2", CALLER) is Over.CALLS_AT_ONCE
        await line.leave("1")
        assert await line.admit("2", CALLER) is None
