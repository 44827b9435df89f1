"""What keeping a call costs, turn by turn: commands, bytes and milliseconds, per saver.

    python -m bench.checkpoints                     starts the Redis of the tests (tests/redis/stack.py)
    python -m bench.checkpoints --redis redis://…   or asks another one, which nobody else may use meanwhile

The calls are real ones by text, on the real graph with the fictional customers: greeted, identified, then
questions until the fiftieth turn. Each saver is opened as production opens it, but for the last row: the
full saver of the library, which is not offered. Redis counts for itself (``INFO stats``); what asking it for
that costs is measured first and taken off. Milliseconds are medians over the calls and hold the dialogue as
well, whose share the row "memory" shows.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from redis.asyncio import Redis

from graph.builder import Services, build_graph
from graph.checkpoints import RedisForm, open_checkpoints, open_redis_checkpoints
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Words
from knowledge.documents import read_folder
from knowledge.intents import LocalIntentClassifier
from knowledge.qdrant_retriever import QdrantRetriever
from memory.redis_connection import connect
from tests.redis.server import RedisServer
from tests.redis.stack import stack
from tools.backoffice_demo import DemoBackoffice
from tools.call_backs import MemoryCallBacks
from tools.gate import Gate

MEASURED = (1, 5, 50)
"""Which turns, the last of them being the call's."""
TTL_S = 3600

BEGINNING: tuple[Heard, ...] = (
    CallBegins("0612345678"),
    Words("combien j'ai sur mon assurance vie"),
    Keys("10078821"),
    Keys("01041962"),
)
QUESTIONS = (
    "quels sont vos horaires",
    "où en est mon sinistre",
    "comment déclarer un sinistre",
    "combien j'ai sur mon assurance vie",
    "peut-on changer le bénéficiaire",
)

Opened = AbstractAsyncContextManager[BaseCheckpointSaver[Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one turn of one call."""

    commands: float
    bytes_in: float
    """To Redis."""
    bytes_out: float
    ms: float


@dataclass(frozen=True, slots=True)
class Row:
    """One saver."""

    name: str
    costs: tuple[Cost, ...]
    """Of the turns of :data:`MEASURED`."""
    keys: float
    """Of one call at its end."""
    memory: float
    """Bytes of those keys."""


class Meter:
    """Redis' own counts."""

    def __init__(self, client: Redis | None) -> None:
        self._client = client
        self._own = (0, 0, 0)

    async def calibrate(self) -> None:
        """Learn what reading the counts costs."""
        for _ in range(3):  # the counts grow longer while commands are new
            before = await self.read()
            after = await self.read()
            self._own = tuple(b - a for a, b in zip(before, after, strict=True))  # type: ignore[assignment]

    async def read(self) -> tuple[int, int, int]:
        """Commands, bytes in, bytes out so far."""
        if self._client is None:
            return (0, 0, 0)
        stats = await self._client.info("stats")
        commands = int(stats["total_commands_processed"])
        return commands, int(stats["total_net_input_bytes"]), int(stats["total_net_output_bytes"])

    def between(self, before: tuple[int, int, int], after: tuple[int, int, int]) -> tuple[int, int, int]:
        """What was spent, without the reading itself."""
        one, two, three = (b - a - own for a, b, own in zip(before, after, self._own, strict=True))
        return one, two, three


def said(turn: int) -> Heard:
    """What the caller does in turn ``turn``, the first being 1."""
    return BEGINNING[turn - 1] if turn <= len(BEGINNING) else Words(QUESTIONS[turn % len(QUESTIONS)])


async def one_call(dialogue: Dialogue, call_id: str, meter: Meter) -> tuple[Cost, ...]:
    """The costs of the measured turns of a whole call."""
    costs = []
    for turn in range(1, MEASURED[-1] + 1):
        measured = turn in MEASURED
        before = await meter.read() if measured else (0, 0, 0)
        began_s = time.perf_counter()
        async for _ in dialogue.turn(call_id, said(turn)):
            pass
        ms = (time.perf_counter() - began_s) * 1000
        if measured:
            costs.append(Cost(*meter.between(before, await meter.read()), ms))
    return tuple(costs)


async def measure(name: str, services: Services, opened: Opened, client: Redis | None, calls: int) -> Row:
    """One saver, over ``calls`` calls one after the other."""
    if client is not None:
        await client.flushall()
    async with opened as saver:
        dialogue = Dialogue(build_graph(services), saver)
        meter = Meter(client)
        await one_call(dialogue, "warm-up", meter)
        before = await holds(client)
        await meter.calibrate()
        costs = [await one_call(dialogue, f"call-{at}", meter) for at in range(calls)]
        after = await holds(client)
    by_turn = zip(*costs, strict=True)
    keys, memory = ((b - a) / calls for a, b in zip(before, after, strict=True))
    return Row(name, tuple(map(typical, by_turn)), keys, memory)


def typical(costs: tuple[Cost, ...]) -> Cost:
    """Medians."""
    return Cost(
        median(cost.commands for cost in costs),
        median(cost.bytes_in for cost in costs),
        median(cost.bytes_out for cost in costs),
        median(cost.ms for cost in costs),
    )


async def holds(client: Redis | None) -> tuple[int, int]:
    """Keys and bytes of memory."""
    if client is None:
        return 0, 0
    sizes = [await client.memory_usage(key, samples=0) or 0 async for key in client.scan_iter(count=1000)]
    return len(sizes), sum(sizes)


@asynccontextmanager
async def in_memory() -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """No store at all."""
    yield InMemorySaver()


@asynccontextmanager
async def full(client: Redis) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The library's saver that keeps every turn."""
    saver = AsyncRedisSaver(redis_client=client, ttl={"default_ttl": TTL_S / 60})
    await saver.asetup()
    yield saver


def in_redis(client: Redis, form: RedisForm) -> Opened:
    """As production keeps calls there."""
    return open_redis_checkpoints(client, form, TTL_S)


async def bench(address: str, calls: int) -> list[Row]:
    """Every saver in turn."""
    async with AsyncExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        if not address:
            server = RedisServer(stack(), folder / "redis")
            server.start()
            exits.callback(server.stop)
            address = server.url
        client = await exits.enter_async_context(connect(address, timeout_s=30))
        backoffice = DemoBackoffice()
        knowledge = QdrantRetriever.open(":memory:")
        exits.callback(knowledge.close)
        knowledge.index(read_folder())
        services = Services(
            backoffice=backoffice,
            gate=Gate(backoffice, b"k" * 32),
            retriever=knowledge,
            classifier=LocalIntentClassifier.train(),
            call_backs=MemoryCallBacks(),
        )
        savers: dict[str, tuple[Callable[[], Opened], Redis | None]] = {
            "memory": (in_memory, None),
            "SQLite": (lambda: open_checkpoints(str(folder / "calls.sqlite")), None),
            "Redis, library (shallow)": (lambda: in_redis(client, "library"), client),
            "Redis, core": (lambda: in_redis(client, "core"), client),
            "(library, full)": (lambda: full(client), client),
        }
        return [
            await measure(name, services, opened(), counted, calls)
            for name, (opened, counted) in savers.items()
        ]


def shown(rows: list[Row]) -> str:
    """The table of the README."""
    turns = " → ".join(map(str, MEASURED))
    lines = [
        f"| turn {turns} | commands | bytes to Redis | bytes from it | ms, dialogue and all | call |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        kept = f"{row.keys:.0f} keys, {row.memory / 1000:.0f} kB" if row.keys else "–"
        counted = [
            " → ".join(f"{count:,.0f}" for count in counts) if row.keys else "–"
            for counts in (
                [cost.commands for cost in row.costs],
                [cost.bytes_in for cost in row.costs],
                [cost.bytes_out for cost in row.costs],
            )
        ]
        took = " → ".join(f"{cost.ms:.1f}" for cost in row.costs)
        lines.append(f"| {row.name} | {' | '.join(counted)} | {took} | {kept} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--redis", default="", help="address of a Redis with JSON and Search; it is EMPTIED")
    parser.add_argument("--calls", type=int, default=20, help="per saver (%(default)s)")
    options = parser.parse_args()
    print(shown(asyncio.run(bench(options.redis, options.calls))))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
