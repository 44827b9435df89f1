"""Events on a Redis stream of bounded length, and how to read them from there.

Writing: :meth:`EventStream.publish` only puts the event in line; one task of the process writes what has
gathered, in one round trip. While Redis is away the line grows up to ``LONGEST_LINE``; then the oldest go,
are counted, and a call notices nothing.

Reading: by consumer group, so that several readers share the work and none of it is lost. An event is given
again until it is acknowledged, also when its reader died with it (after ``idle_ms``). So every event comes at
least once; its ``id`` tells whether it has come before.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from memory.events import Event, EventInvalid, read, written

log = logging.getLogger(__name__)

STREAM = "standardiste:events"
FIELD = "event"

LONGEST_STREAM = 100_000
"""About a day of a busy line (15 events a call); Redis trims whole nodes, so it may be a little longer."""

LONGEST_LINE = 10_000
"""Events that wait in the process while Redis is away: some ten megabytes."""

TRIED_AGAIN_S = 0.5
BATCH = 100
IDLE_MS = 60_000
WAIT_MS = 200
"""Of one blocking read; shorter than the connection's time-out."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event with its place on the stream."""

    place: str
    event: Event


class EventStream:
    """A bus that writes to Redis."""

    def __init__(
        self,
        client: Redis,
        stream: str = STREAM,
        longest: int = LONGEST_STREAM,
        longest_line: int = LONGEST_LINE,
        tried_again_s: float = TRIED_AGAIN_S,
    ) -> None:
        self._redis = client
        self._stream = stream
        self._longest = longest
        self._line: deque[str] = deque(maxlen=longest_line)
        self._tried_again_s = tried_again_s
        self._something = asyncio.Event()
        self._written = asyncio.Event()
        self._written.set()
        self.dropped = 0
        """Events that were lost because Redis was away too long."""

    def publish(self, event: Event) -> None:
        """See :class:`memory.events.Bus`."""
        if len(self._line) == self._line.maxlen:
            self.dropped += 1
        self._line.append(written(event))
        self._written.clear()
        self._something.set()

    async def run(self) -> None:
        """Write what is published, until cancelled."""
        while True:
            await self._something.wait()
            self._something.clear()
            while self._line:
                try:
                    await self._write()
                except (RedisError, OSError) as exc:
                    log.warning(
                        "events.waiting", extra={"error": type(exc).__name__, "events": len(self._line)}
                    )
                    await asyncio.sleep(self._tried_again_s)
            self._written.set()

    async def flushed(self) -> None:
        """Return when everything published so far is on the stream."""
        await self._written.wait()

    async def _write(self) -> None:
        batch = [self._line[at] for at in range(min(BATCH, len(self._line)))]
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in batch:
                pipe.xadd(self._stream, {FIELD: one}, maxlen=self._longest, approximate=True)
            await pipe.execute()
        for one in batch:
            if self._line and self._line[0] is one:  # newer ones may have pushed it out meanwhile
                self._line.popleft()


@asynccontextmanager
async def writing(client: Redis, stream: str = STREAM) -> AsyncIterator[EventStream]:
    """An :class:`EventStream` that writes until the block is left, and then what it still has, if it can."""
    bus = EventStream(client, stream)
    task = asyncio.create_task(bus.run(), name="events to Redis")
    try:
        yield bus
    finally:
        try:
            async with asyncio.timeout(1.0):
                await bus.flushed()
        except TimeoutError:
            log.warning("events.lost", extra={"dropped": bus.dropped})
        task.cancel()
        await asyncio.wait([task])


class EventReader:
    """One reader of a consumer group."""

    def __init__(
        self,
        client: Redis,
        group: str,
        reader: str,
        stream: str = STREAM,
        idle_ms: int = IDLE_MS,
    ) -> None:
        """``group`` shares the work, ``reader`` is this one's name in it: the same after a restart."""
        self._redis = client
        self._group = group
        self._reader = reader
        self._stream = stream
        self._idle_ms = idle_ms

    async def join(self, *, from_the_beginning: bool = False) -> None:
        """Make the group if it is not there; it begins with what comes next."""
        try:
            await self._redis.xgroup_create(
                self._stream, self._group, id="0" if from_the_beginning else "$", mkstream=True
            )
        except ResponseError as exc:
            if "BUSYGROUP" not in str(exc):
                raise

    async def take(self, limit: int = BATCH) -> list[Delivery]:
        """Up to ``limit`` events that nobody has acknowledged: left behind by a dead reader, or new ones.

        Waits a moment when there are none. What is no event of ours is acknowledged, logged and left out.
        Raises ``redis.exceptions.RedisError``.
        """
        _, left, *_ = await self._redis.xautoclaim(
            self._stream, self._group, self._reader, min_idle_time=self._idle_ms, count=limit
        )
        if not left:
            answer = await self._redis.xreadgroup(
                self._group, self._reader, {self._stream: ">"}, count=limit, block=WAIT_MS
            )
            streams = answer.items() if isinstance(answer, dict) else answer or []
            left = [entry for _, entries in streams for entry in _flat(entries)]
        taken = []
        for place, fields in left:
            try:
                taken.append(Delivery(_text(place), read(fields[FIELD.encode()])))
            except (EventInvalid, KeyError, TypeError) as exc:
                log.warning("events.not_understood", extra={"place": _text(place), "reason": str(exc)})
                await self._redis.xack(self._stream, self._group, place)
        return taken

    async def done(self, delivery: Delivery) -> None:
        """It need not come again."""
        await self._redis.xack(self._stream, self._group, delivery.place)


async def on_stream(client: Redis, stream: str = STREAM) -> AsyncIterator[Event]:
    """Every event on the stream, oldest first; what is none of ours is left out."""
    async for _, event in _entries(client, stream):
        yield event


async def forget(client: Redis, call_ids: frozenset[str], stream: str = STREAM) -> int:
    """Remove every event of these calls from the stream; how many those were. Reads the whole stream."""
    gone = 0
    async for place, event in _entries(client, stream):
        if event.call_id in call_ids:
            gone += int(await client.xdel(stream, place))
    return gone


async def _entries(client: Redis, stream: str) -> AsyncIterator[tuple[str, Event]]:
    after = "-"
    while entries := await client.xrange(stream, min=after, count=1000):
        for place, fields in entries:
            try:
                yield _text(place or b""), read((fields or {})[FIELD.encode()])
            except (EventInvalid, KeyError):
                continue
        after = f"({_text(entries[-1][0] or b'')}"


def _flat(entries: list) -> list:  # type: ignore[type-arg]  # redis-py nests once more with RESP3
    return entries[0] if entries and isinstance(entries[0], list) else entries


def _text(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw
