"""A thousand calls one after the other leave nothing behind: no file, socket, task, thread, key or memory."""

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from app import settings as configuration
from app.serving.service import Running, running
from app.settings import Settings
from telephony.simulated.asterisk import SimulatedAsterisk
from tests.redis.server import RedisServer
from tests.telephony.waiting import until

CALLS = 1000
WARM_UP = 200
"""Until pools, caches and the allocator have what they need."""
BY_PHONE = 10
"""Every tenth call rings, with sound on a socket of its own."""
KEPT_S = 1
"""Calls are kept as long after their last turn, instead of an hour: so that keys can be seen to go."""
GROWTH_MB = 24
"""More than an allocator's mood over so many calls; one leaked state a call would be above it."""
TICK_MS = 2.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the process and Redis hold between two calls."""

    files: Counter[str]
    """Open file descriptors by kind: socket, pipe, a file's name."""
    tasks: Counter[str]
    threads: int
    keys: list[bytes | None]
    """But those of the last second."""


@pytest.fixture
def settings(tmp_path: Path, bare_redis: RedisServer) -> Settings:
    read = configuration.read(tmp_path / "no-such.env")
    lines = tmp_path / "lines.txt"
    lines.write_text("Au revoir.\n", encoding="utf-8")
    return replace(
        read,
        application=read.application.model_copy(update={"port": 0, "data_folder": tmp_path}),
        asterisk=read.asterisk.model_copy(update={"agi_port": 0, "audio_port": 0}),
        groq=read.groq.model_copy(update={"api_key": SecretStr("")}),
        speech=read.speech.model_copy(update={"lines_file": lines}),
        checkpoints=read.checkpoints.model_copy(update={"redis": "core"}),
        redis=read.redis.model_copy(update={"url": SecretStr(bare_redis.url), "session_ttl": KEPT_S}),
        limits=read.limits.model_copy(update={"calls_of_caller_an_hour": 0}),
        privacy=read.privacy.model_copy(update={"transcript_days": 0}),
    )


@pytest.fixture
async def service(settings: Settings, redis: Redis) -> AsyncIterator[Running]:
    async with running(settings, tick_ms=TICK_MS) as up:
        yield up


async def test_a_thousand_calls_leave_nothing_behind(service: Running, redis: Redis) -> None:
    key = {"X-API-Key": service.api_key}
    async with httpx.AsyncClient(base_url=service.http_url, headers=key, trust_env=False) as http:
        asterisk = SimulatedAsterisk(("127.0.0.1", service.agent.agi.port), tick_ms=TICK_MS)

        async def ring(calls: int) -> None:
            for at in range(calls):
                if at % BY_PHONE == 0:
                    await by_phone(asterisk)
                else:
                    await by_text(http)
            await until(lambda: not service.agent.calls.live())

        await ring(WARM_UP)
        before, memory_before_mb = await held(redis), resident_mb()
        await ring(CALLS - WARM_UP)
        assert await held(redis) == before
        assert resident_mb() - memory_before_mb < GROWTH_MB
        assert not service.agent.switchboard.live()


async def by_text(http: httpx.AsyncClient) -> None:
    call_id = (await http.post("/api/text-calls")).json()["call_id"]
    for said in ({"text": "combien j'ai sur mon assurance vie"}, {"text": "au revoir"}):
        answer = await http.post(f"/api/text-calls/{call_id}/turns", json=said)
    assert answer.json()["next"] == "hangup"


async def by_phone(asterisk: SimulatedAsterisk) -> None:
    async with asterisk.call() as call:
        await call.hear_speech()


async def held(redis: Redis) -> Held:
    while None in (keys := await lasting(redis)):  # noqa: ASYNC110 - Redis lets go of the last calls
        await asyncio.sleep(0.1)
    return Held(
        files=open_files(),
        tasks=Counter(task.get_name().rstrip("0123456789") for task in asyncio.all_tasks()),
        threads=threading.active_count(),
        keys=keys,
    )


async def lasting(redis: Redis) -> list[bytes | None]:
    """The keys there are; None for one that is about to go."""
    names = [name async for name in redis.scan_iter()]
    left_ms = [int(await redis.pttl(name)) for name in names]
    return [None if 0 <= left <= KEPT_S * 1000 else name for name, left in zip(names, left_ms, strict=True)]


def open_files() -> Counter[str]:
    kinds: Counter[str] = Counter()
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists the folder
            kinds[str(descriptor.readlink()).partition(":[")[0]] += 1
    return kinds


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1_000_000
