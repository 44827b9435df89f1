"""``events`` and ``webhook``: what was published of calls, read out of Redis by groups of consumers."""

import socket
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import httpx
from redis.asyncio import Redis

from app.settings import Settings, SettingsInvalid
from memory import webhook
from memory.event_stream import EventReader
from memory.redis_connection import READER_TIMEOUT_S, connect

WEBHOOK_TIMEOUT_S = 5.0


async def follow(settings: Settings, group: str, *, from_the_beginning: bool, once: bool) -> int:
    """Print events as a consumer group reads them, one line of JSON each; the pattern for a reader of yours.

    ``once`` stops when there is nothing left. Raises ``SettingsInvalid`` when there is no Redis.
    """
    async with _redis(settings) as redis:
        reader = EventReader(redis, group, socket.gethostname())
        await reader.join(from_the_beginning=from_the_beginning)
        while True:
            deliveries = await reader.take()
            for delivery in deliveries:
                print(delivery.event.model_dump_json(), flush=True)  # noqa: T201 - the terminal is the interface
                await reader.done(delivery)
            if once and not deliveries:
                return 0


async def send_to_webhook(settings: Settings, *, dead: bool, once: bool) -> int:
    """Deliver events to ``EVENTS_WEBHOOK_URL`` until stopped, or its dead letters once more."""
    given = settings.events
    if not given.webhook_url or not given.webhook_secret.get_secret_value():
        raise SettingsInvalid(
            "EVENTS_WEBHOOK_URL and EVENTS_WEBHOOK_SECRET: set both: where events go, and signed how"
        )
    async with (
        _redis(settings) as redis,
        httpx.AsyncClient(timeout=WEBHOOK_TIMEOUT_S) as client,
    ):
        secret = given.webhook_secret.get_secret_value()
        receiver = webhook.Webhook(client, given.webhook_url, secret, lambda: datetime.now(UTC))
        if dead:
            reader = EventReader(redis, webhook.GROUP, socket.gethostname(), webhook.DEAD_LETTERS)
            await reader.join(from_the_beginning=True)
            sent, failed = await webhook.revive(reader, redis, receiver)
            print(f"{sent} delivered, {failed} refused again")  # noqa: T201 - the terminal is the interface
            return 1 if failed else 0
        reader = EventReader(redis, webhook.GROUP, socket.gethostname())
        await reader.join(from_the_beginning=True)
        while True:
            if not await webhook.deliver(reader, redis, receiver) and once:
                return 0


def _redis(settings: Settings) -> AbstractAsyncContextManager[Redis]:
    given = settings.redis
    if not given.address:
        raise SettingsInvalid("REDIS_URL or REDIS_HOST: set one; without Redis no events are kept to be read")
    return connect(given.address, given.password.get_secret_value(), READER_TIMEOUT_S)
