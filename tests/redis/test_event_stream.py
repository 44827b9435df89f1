"""Events on a real Redis: shared among readers, none lost, none for ever."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import settings as configuration
from app.commands.events import follow, send_to_webhook
from app.settings import Settings, SettingsInvalid
from memory import webhook
from memory.event_stream import FIELD, STREAM, EventReader, EventStream, forget, writing
from memory.events import CallStarted, Event, read
from memory.redis_connection import connect
from memory.webhook import DEAD_LETTERS, Webhook
from tests.redis.server import RedisServer
from tests.simulators.server import SimulatedProvider

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)


def event(call_id: str) -> CallStarted:
    return CallStarted(at=AT, call_id=call_id, caller="0612345678")


async def published(redis: Redis, *call_ids: str) -> list[Event]:
    events: list[Event] = [event(call_id) for call_id in call_ids]
    async with writing(redis) as bus:
        for one in events:
            bus.publish(one)
        await bus.flushed()
    return events


async def on_the_stream(redis: Redis) -> list[str]:
    entries = await redis.xrange(STREAM) or []
    return [json.loads((fields or {})[FIELD.encode()])["call_id"] for _, fields in entries]


async def test_two_readers_of_a_group_share_the_events_and_another_group_has_them_all(redis: Redis) -> None:
    one, two = EventReader(redis, "crm", "one"), EventReader(redis, "crm", "two")
    other = EventReader(redis, "dashboard", "one")
    for reader in (one, two, other):
        await reader.join(from_the_beginning=True)
    events = await published(redis, *"abcdef")
    first, rest = await one.take(limit=2), await two.take()
    assert [delivery.event for delivery in first + rest] == events
    assert [delivery.event for delivery in await other.take()] == events
    for delivery in first + rest:
        await one.done(delivery)
    assert await one.take() == await two.take() == []


async def test_what_a_dead_reader_had_taken_is_given_to_another(redis: Redis) -> None:
    dead = EventReader(redis, "crm", "dead", idle_ms=0)
    await dead.join(from_the_beginning=True)
    events = await published(redis, "a")
    assert len(await dead.take()) == 1
    heir = EventReader(redis, "crm", "heir", idle_ms=0)
    (delivery,) = await heir.take()
    assert delivery.event == events[0]
    await heir.done(delivery)
    assert await heir.take() == []


async def test_a_group_is_joined_as_often_as_one_likes_and_begins_with_what_comes_next(redis: Redis) -> None:
    await published(redis, "before")
    reader = EventReader(redis, "crm", "one")
    await reader.join()
    await reader.join()
    await published(redis, "after")
    assert [delivery.event.call_id for delivery in await reader.take()] == ["after"]


async def test_what_is_no_event_of_ours_stops_nobody(redis: Redis) -> None:
    reader = EventReader(redis, "crm", "one")
    await reader.join(from_the_beginning=True)
    await redis.xadd(STREAM, {FIELD: "nonsense"})
    await redis.xadd(STREAM, {"other": "field"})
    await published(redis, "a")
    assert [delivery.event.call_id for delivery in await reader.take()] == ["a"]
    assert (await redis.xpending(STREAM, "crm"))["pending"] == 1


async def test_the_stream_is_bounded(redis: Redis) -> None:
    bus = EventStream(redis, longest=100)
    writer = asyncio.create_task(bus.run())
    for at in range(1000):
        bus.publish(event(str(at)))
    await bus.flushed()
    writer.cancel()
    await asyncio.wait([writer])
    assert 100 <= await redis.xlen(STREAM) < 400, "Redis trims by whole nodes"


async def test_events_wait_while_redis_is_away_and_a_call_does_not(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as redis:
        bus = EventStream(redis, longest_line=3, tried_again_s=0.01)
        writer = asyncio.create_task(bus.run())
        server.stop()
        for call_id in "abcde":
            bus.publish(event(call_id))
        assert bus.dropped == 2
        server.start()
        await asyncio.wait_for(bus.flushed(), 10)
        writer.cancel()
        await asyncio.wait([writer])
        assert await on_the_stream(redis) == list("cde")


async def test_a_worker_stops_in_time_although_redis_is_away(own_redis: Callable[..., RedisServer]) -> None:
    server = own_redis(modules=False)
    async with connect(server.url) as redis, asyncio.timeout(10), writing(redis) as bus:
        server.stop()
        bus.publish(event("a"))


async def test_events_of_a_call_can_be_removed(redis: Redis) -> None:
    await published(redis, *"abacabad")
    assert await forget(redis, frozenset("ab")) == 6
    assert await on_the_stream(redis) == ["c", "d"]


# the webhook


def receiver(redis: Redis, status: Callable[[httpx.Request], int]) -> Webhook:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status(request))

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return Webhook(client, "http://crm/hook", "secret", lambda: AT)


async def test_what_the_receiver_refuses_is_kept_and_the_next_event_is_delivered(redis: Redis) -> None:
    seen: list[str] = []

    def status(request: httpx.Request) -> int:
        seen.append(json.loads(request.content)["call_id"])
        return 422 if seen[-1] == "a" else 200

    reader = EventReader(redis, webhook.GROUP, "one")
    await reader.join(from_the_beginning=True)
    await published(redis, "a", "b")
    assert await webhook.deliver(reader, redis, receiver(redis, status)) == 2
    assert seen == ["a", "b"]
    assert (await redis.xpending(STREAM, webhook.GROUP))["pending"] == 0
    ((_, dead),) = await redis.xrange(DEAD_LETTERS) or []
    assert (dead or {})[b"why"] == b"HTTP 422"


@pytest.mark.parametrize("mended", [True, False])
async def test_dead_letters_are_sent_once_more(redis: Redis, *, mended: bool) -> None:
    reader = EventReader(redis, webhook.GROUP, "one")
    await reader.join(from_the_beginning=True)
    await published(redis, "a", "b")
    await webhook.deliver(reader, redis, receiver(redis, lambda _: 410))
    dead = EventReader(redis, webhook.GROUP, "one", DEAD_LETTERS)
    await dead.join(from_the_beginning=True)
    sent, failed = await webhook.revive(dead, redis, receiver(redis, lambda _: 200 if mended else 410))
    assert (sent, failed) == ((2, 0) if mended else (0, 2))
    assert await redis.xlen(DEAD_LETTERS) == failed


# the commands


def settings_of(server: RedisServer, tmp_path: Path, **more: str) -> Settings:
    lines = {"REDIS_URL": server.url, **more}
    env = tmp_path / ".env"
    env.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")
    return configuration.read(env)


async def test_the_command_prints_each_event_once_for_a_group(
    redis: Redis, bare_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = await published(redis, "a", "b")
    settings = settings_of(bare_redis, tmp_path)
    for expected in (events, []):
        assert await follow(settings, "crm", from_the_beginning=True, once=True) == 0
        assert [read(line) for line in capsys.readouterr().out.splitlines()] == expected


async def test_the_command_delivers_to_a_real_receiver_and_says_what_is_refused_again(
    redis: Redis, bare_redis: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await published(redis, "a", "b")
    statuses = [200, 410, 410, 200]
    with SimulatedProvider(crm(statuses)) as server:
        settings = settings_of(
            bare_redis, tmp_path, EVENTS_WEBHOOK_URL=f"{server.url}/hook", EVENTS_WEBHOOK_SECRET="s"
        )
        assert await send_to_webhook(settings, dead=False, once=True) == 0
        assert await send_to_webhook(settings, dead=True, once=True) == 1
        assert await send_to_webhook(settings, dead=True, once=True) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0 delivered, 1 refused again",
        "1 delivered, 0 refused again",
    ]
    assert statuses == []


async def test_without_redis_or_receiver_the_commands_say_what_to_set(tmp_path: Path) -> None:
    nothing = configuration.read(tmp_path / ".env")
    with pytest.raises(SettingsInvalid, match="REDIS_URL"):
        await follow(nothing, "crm", from_the_beginning=True, once=True)
    with pytest.raises(SettingsInvalid, match="EVENTS_WEBHOOK_URL"):
        await send_to_webhook(nothing, dead=False, once=True)


def crm(statuses: list[int]) -> Starlette:
    async def hook(request: Request) -> Response:
        assert request.headers[webhook.SIGNATURE].startswith("t=")
        read(await request.body())
        return Response(status_code=statuses.pop(0))

    return Starlette(routes=[Route("/hook", hook, methods=["POST"])])
