"""Events to a system that only knows HTTP: signed, retried, and kept when it refuses them for good.

Each event is one POST of its JSON. ``Standardiste-Signature: t=SECONDS,v1=HEX`` is HMAC-SHA256, with the
shared secret, over ``SECONDS.BODY``: the receiver computes it again and refuses old times, so that nobody
else can send and nothing can be sent twice later. ``Standardiste-Event`` is the event's id, the same each
time.

2xx is success. 408, 425, 429, 5xx and no answer are tried again, later each time; anything else will not get
better and goes to the dead letters at once, like what failed ``attempts`` times. Dead letters are a stream of
their own; ``python -m app webhook --dead`` sends them once more.
"""

import asyncio
import hashlib
import hmac
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import httpx
from redis.asyncio import Redis

from memory.event_stream import FIELD, Delivery, EventReader
from memory.events import Event, written

log = logging.getLogger(__name__)

GROUP = "webhook"
DEAD_LETTERS = "standardiste:events:dead"
LONGEST_DEAD = 10_000
LATER_HELPS = frozenset({408, 425, 429})
SIGNATURE = "Standardiste-Signature"
EVENT_ID = "Standardiste-Event"


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and how long between: doubled each time, with a little chance against stampedes."""

    attempts: int = 6
    first_s: float = 0.5
    longest_s: float = 30.0

    def pause_s(self, attempt: int, chance: float) -> float:
        """Before retry ``attempt`` (the first is 1); ``chance`` in 0..1 takes up to half of it off."""
        return min(self.first_s * 2.0 ** (attempt - 1), self.longest_s) * (1 - chance / 2)


RETRIES = Retries()


class Undeliverable(Exception):
    """The receiver will not have it; the message says why, and holds nothing of the event."""


def signature(secret: str, at: datetime, body: bytes) -> str:
    """The header's value for ``body`` sent at ``at``."""
    seconds = int(at.timestamp())
    signed = hmac.new(secret.encode(), b"%d.%s" % (seconds, body), hashlib.sha256)
    return f"t={seconds},v1={signed.hexdigest()}"


class Webhook:
    """The receiver."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        secret: str,
        now: Callable[[], datetime],
        retries: Retries = RETRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = url
        self._secret = secret
        self._now = now
        self._retries = retries
        self._sleep = sleep

    async def send(self, event: Event) -> None:
        """Deliver ``event``, however long the retries take. Raises :class:`Undeliverable`."""
        why = ""
        for attempt in range(self._retries.attempts):
            if attempt:
                chance = random.random()  # noqa: S311 - not a secret
                await self._sleep(self._retries.pause_s(attempt, chance))
            why, later_helps = await self._post(event)
            if not why:
                return
            if not later_helps:
                raise Undeliverable(why)
        raise Undeliverable(f"{why}, {self._retries.attempts} times")

    async def _post(self, event: Event) -> tuple[str, bool]:
        """Why it was not taken (empty: it was), and whether another attempt may help."""
        body = written(event).encode()
        headers = {
            "Content-Type": "application/json",
            EVENT_ID: event.id,
            SIGNATURE: signature(self._secret, self._now(), body),
        }
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
        except httpx.HTTPError as exc:
            return type(exc).__name__, True
        if answer.is_success:
            return "", False
        status = answer.status_code
        return f"HTTP {status}", status >= 500 or status in LATER_HELPS


async def deliver(reader: EventReader, redis: Redis, webhook: Webhook) -> int:
    """One round: take what is there, deliver it in order, keep what is refused; how many were taken."""
    deliveries = await reader.take()
    for delivery in deliveries:
        try:
            await webhook.send(delivery.event)
        except Undeliverable as exc:
            await _bury(redis, delivery, str(exc))
        await reader.done(delivery)
    return len(deliveries)


async def _bury(redis: Redis, delivery: Delivery, why: str) -> None:
    log.warning("webhook.undeliverable", extra={"event_id": delivery.event.id, "reason": why})
    await redis.xadd(
        DEAD_LETTERS,
        {FIELD: written(delivery.event), "why": why},
        maxlen=LONGEST_DEAD,
        approximate=True,
    )


async def revive(reader: EventReader, redis: Redis, webhook: Webhook) -> tuple[int, int]:
    """Send the dead letters once more; how many were taken now, and how many are dead again.

    ``reader`` reads :data:`DEAD_LETTERS`.
    """
    sent = failed = 0
    buried_before = await redis.xlen(DEAD_LETTERS)
    while sent + failed < buried_before and (deliveries := await reader.take()):
        for delivery in deliveries:
            try:
                await webhook.send(delivery.event)
                sent += 1
            except Undeliverable as exc:
                await _bury(redis, delivery, str(exc))
                failed += 1
            await reader.done(delivery)
            await redis.xdel(DEAD_LETTERS, delivery.place)
    return sent, failed
