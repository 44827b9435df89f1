"""Several workers on one machine and one real Redis: calls spread over them, and one of them is killed."""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from app.rehearsal.caller import line
from app.wiring import REHEARSAL_VOICE
from audio.providers import load
from memory.redis_connection import READER_TIMEOUT_S
from telephony.simulated_asterisk import EndedBy, SimulatedAsterisk, SimulatedCall
from telephony.simulated_caller import CallEnded, NotHeard
from tests.redis.savers import redis
from tests.redis.server import RedisServer
from tests.redis.workers import KEY, Workers, serving

pytestmark = pytest.mark.timeout(300)  # a conversation in real time, on a machine that may be busy

TEXT_CALLS = 200
AT_ONCE = 20
AUDIO_CALLS = 20

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


# by telephone


@dataclass
class AudioCaller:
    """Listens, and answers the question that is open, as the store of calls has it."""

    saver: BaseCheckpointSaver[Any]
    sounds: dict[str, bytes]
    asked: int = 0
    """Questions answered so far."""
    cut_off: int = 0

    async def talk(self, call: SimulatedCall) -> None:
        while not call.ended.done():
            try:
                await call.hear_out(quiet_ms=500)
                await self._answer(call)
            except NotHeard:
                continue
            except CallEnded:
                if call.ended.done():
                    return
                with suppress(CallEnded):
                    await call.comes_back()
                    self.cut_off += 1

    async def _answer(self, call: SimulatedCall) -> None:
        state = await state_of(self.saver, str(call.call_id))
        question = (state.get("awaiting") or {}).get("what", "")
        self.asked += 1
        if question == "number":
            await call.press(NUMBER)
        elif question == "birth_date":
            await call.press(BIRTH_DATE)
        else:
            said = GOODBYE if "contract.value" in keys_of(state) else WISH
            await call.say(self.sounds[said])


async def state_of(saver: BaseCheckpointSaver[Any], call_id: str) -> dict[str, Any]:
    config: RunnableConfig = {"configurable": {"thread_id": call_id, "checkpoint_ns": ""}}
    found = await saver.aget_tuple(config)
    return {} if found is None else dict(found.checkpoint["channel_values"])


def keys_of(state: dict[str, Any]) -> list[str]:
    """What the agent has said."""
    return [str(message.additional_kwargs.get("key", "")) for message in state.get("messages", [])]


def pressed(state: dict[str, Any]) -> list[str]:
    """What the caller has keyed in."""
    told = state.get("messages", [])
    return [str(message.text) for message in told if message.additional_kwargs.get("heard") == "keys"]


async def active(http: httpx.AsyncClient, workers: Workers) -> list[float]:
    """Calls on each worker, as one scrape shows them."""
    text = (await http.get(f"{workers.url}/metrics")).text
    return [float(one.split()[-1]) for one in text.splitlines() if one.startswith("voicebot_active_calls{")]


async def test_twenty_callers_on_the_phone_go_on_with_another_worker_when_theirs_is_killed(
    workers: Workers, full_redis: RedisServer
) -> None:
    voice = load("espeak")(REHEARSAL_VOICE)
    sounds = {said: await line(said, voice) for said in (WISH, GOODBYE)}
    asterisk = SimulatedAsterisk(workers.agi_address)
    async with (
        redis(full_redis.url, "library", timeout_s=READER_TIMEOUT_S)() as saver,
        httpx.AsyncClient(headers={"X-API-Key": KEY}, trust_env=False, timeout=30) as http,
    ):
        callers = [AudioCaller(saver, sounds) for _ in range(AUDIO_CALLS)]
        seen: list[list[float]] = []

        async def ring(caller: AudioCaller) -> tuple[str, EndedBy]:
            async with asterisk.call(reentries=2) as call:
                await caller.talk(call)
                return str(call.call_id), (await call.ended).by

        async def kill() -> None:
            while sum(one.asked >= 2 for one in callers) < AUDIO_CALLS // 2:  # noqa: ASYNC110 - plain facts
                await asyncio.sleep(0.05)
            seen.append(await active(http, workers))
            workers.kill_one()

        async with asyncio.TaskGroup() as group:
            ringing = [group.create_task(ring(caller)) for caller in callers]
            group.create_task(kill())
        assert all(calls > 0 for calls in seen[0]), "both workers had some"
        assert sum(seen[0]) == AUDIO_CALLS
        assert 0 < sum(caller.cut_off for caller in callers) < AUDIO_CALLS
        ended = Counter(task.result()[1] for task in ringing)
        # Where a machine is so busy that Redis is not heard within 300 ms, callers are given to people.
        assert ended.keys() <= {EndedBy.AGENT, EndedBy.QUEUE}, "no call was lost"
        assert ended[EndedBy.AGENT] > AUDIO_CALLS // 2
        for call_id, by in (task.result() for task in ringing):
            state = await state_of(saver, call_id)
            keys = Counter(keys_of(state))
            assert max(keys[question] for question in QUESTIONS) <= 1, "no value was asked for twice"
            if by is EndedBy.AGENT:
                assert pressed(state) == [NUMBER, BIRTH_DATE]
                assert keys["contract.value"] == 1


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
