"""Several workers on one machine and one real Redis: calls spread over them, and one of them is killed."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.redis.server import RedisServer
from tests.redis.workers import KEY, Workers, serving

pytestmark = pytest.mark.timeout(300)  # a conversation in real time, on a machine that may be busy

TEXT_CALLS = 200
AT_ONCE = 20

NUMBER, BIRTH_DATE = "10078821", "01041962"
WISH = "Oui bonjour, je voudrais savoir… combien j'ai sur mon assurance vie."
GOODBYE = "Non merci, au revoir."
QUESTIONS = ("authenticate.ask_number", "authenticate.ask_birth_date")


@pytest.fixture
def workers(full_redis: RedisServer, tmp_path: Path) -> Iterator[Workers]:
    with serving(2, full_redis.url, tmp_path) as up:
        yield up


# by text


@dataclass
class TextCaller:
    """Takes each turn with another worker than the one before; a turn that breaks off, with the one left."""

    http: httpx.AsyncClient
    workers: Workers
    urls: list[str]
    """Shared by all callers: who finds a worker gone looks who is there now."""
    broke_off: list[str] = field(default_factory=list)
    """Turns in flight when a worker died."""

    async def calls(self, at: int) -> dict[str, Any]:
        """A whole call; its state at the end."""
        begun = await self._turn(at, "", {})
        call_id = str(begun["call_id"])
        says = ({"text": WISH}, {"digits": NUMBER}, {"digits": BIRTH_DATE}, {"text": GOODBYE})
        for turn, said in enumerate(says, start=1):
            await self._turn(at + turn, call_id, said)
        return await self._state(call_id)

    async def _turn(self, at: int, call_id: str, body: dict[str, str]) -> dict[str, Any]:
        path = f"/api/text-calls/{call_id}/turns" if call_id else "/api/text-calls"
        while (taken := await self._asked("POST", self.urls[at % len(self.urls)], path, body)) is None:
            self.broke_off.append(call_id)
            if call_id and await self._was_taken(call_id, *body.values()):
                return {}
        return taken

    async def _was_taken(self, call_id: str, said: str) -> bool:
        """Whether the turn was written down before the worker died; only its answer was lost then."""
        messages = (await self._state(call_id))["messages"]
        return said in [message["text"] for message in messages if message["who"] == "caller"]

    async def _state(self, call_id: str) -> dict[str, Any]:
        while (state := await self._asked("GET", self.urls[0], f"/api/text-calls/{call_id}")) is None:
            continue
        return state

    async def _asked(
        self, method: str, url: str, path: str, body: dict[str, str] | None = None
    ) -> dict[str, Any] | None:
        """The answer; None when that worker is gone, and then the others are known."""
        try:
            answer = await self.http.request(method, f"{url}{path}", json=body)
        except httpx.TransportError:
            self.urls[:] = await self.workers.urls(self.http)
            return None
        told: dict[str, Any] = answer.raise_for_status().json()
        return told


async def test_two_hundred_calls_over_two_workers_outlive_the_death_of_one(workers: Workers) -> None:
    limits = httpx.Limits(max_connections=2 * AT_ONCE)
    async with httpx.AsyncClient(
        headers={"X-API-Key": KEY}, timeout=60, trust_env=False, limits=limits
    ) as http:
        caller = TextCaller(http, workers, await workers.urls(http))
        assert len(caller.urls) == 2
        turnstile = asyncio.Semaphore(AT_ONCE)
        done: list[dict[str, Any]] = []

        async def one(at: int) -> None:
            async with turnstile:
                done.append(await caller.calls(at))
                if len(done) == TEXT_CALLS // 3:
                    workers.kill_one()

        async with asyncio.TaskGroup() as group:
            for at in range(TEXT_CALLS):
                group.create_task(one(at))
        assert len(done) == TEXT_CALLS
        assert caller.broke_off, "somebody was in the middle of a turn, or the test shows nothing"
        for state in done:
            assert state["ended"] == "goodbye"
            assert [message["text"] for message in state["messages"] if message["who"] == "caller"] == [
                WISH,
                NUMBER,
                BIRTH_DATE,
                GOODBYE,
            ], "no turn was lost, and none counted twice"
            keys = Counter(message["key"] for message in state["messages"])
            assert [keys[question] for question in QUESTIONS] == [1, 1], "no value was asked for twice"
            assert keys["contract.value"] == 1
        while len(await workers.urls(http)) < 2:  # noqa: ASYNC110 - a process that starts
            await asyncio.sleep(0.1)


# the supervisor


def test_told_to_stop_all_workers_end(workers: Workers) -> None:
    pids = workers.pids()
    assert len(pids) == 2
    workers.process.send_signal(signal.SIGTERM)
    assert workers.process.wait(30) == 0
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_without_a_redis_several_workers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended early"), serving(2, "", tmp_path):
        pass
