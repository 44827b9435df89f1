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

from app.rehearsal.caller import line
from app.wiring import REHEARSAL_VOICE
from audio.providers import load
from memory.redis_connection import READER_TIMEOUT_S
from telephony.simulated.asterisk import EndedBy, SimulatedAsterisk
from tests.redis.phone_callers import (
    LINES,
    VALUE,
    Caller,
    Calls,
    Person,
    customer_of,
    customers_file,
    lines_of,
    open_question,
    said_by_caller,
)
from tests.redis.savers import redis
from tests.redis.server import RedisServer
from tests.redis.workers import KEY, LONGEST_S, Workers, serving

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


async def test_twenty_callers_on_the_phone_go_on_with_another_worker_where_they_were_when_theirs_is_killed(
    full_redis: RedisServer, tmp_path: Path
) -> None:
    people = [Person.of(at) for at in range(AUDIO_CALLS)]
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(LINES), encoding="utf-8")
    also = {
        "INSURANCE_DEMO_CUSTOMERS_FILE": str(customers_file(people, tmp_path / "customers.json")),
        "SPEECH_LINES_FILE": str(lines),
    }
    voice = load("espeak")(REHEARSAL_VOICE)
    sounds = {said: await line(said, voice) for said in LINES}
    killed, came_on, door = asyncio.Event(), asyncio.Condition(), asyncio.Lock()
    with serving(2, full_redis.url, tmp_path, also) as workers:
        asterisk = SimulatedAsterisk(workers.agi_address)
        async with redis(full_redis.url, "library", timeout_s=READER_TIMEOUT_S)() as saver:
            callers = [Caller(person, Calls(saver), sounds, killed, came_on) for person in people]

            def in_the_middle() -> bool:
                """All talk, and on either worker some are verified."""
                verified = Counter(caller.workers[0] for caller in callers if caller.customer)
                return all(caller.workers for caller in callers) and sorted(verified.values())[-2:][:1] > [1]

            async def kill() -> None:
                async with came_on:
                    await came_on.wait_for(in_the_middle)
                workers.kill_one()
                killed.set()

            async with asyncio.timeout(LONGEST_S), asyncio.TaskGroup() as group:
                ringing = [group.create_task(caller.ring(asterisk, door)) for caller in callers]
                group.create_task(kill())
            states = [await caller.calls.state(caller.call_id) for caller in callers]
    endings = [task.result() for task in ringing]
    assert len({caller.call_id for caller in callers}) == AUDIO_CALLS
    assert Counter(ending.by for ending in endings) == {EndedBy.AGENT: AUDIO_CALLS}, "no call was lost"

    [killed_at] = {caller.workers[0] for caller in callers if len(caller.workers) == 2}
    for caller in callers:
        assert len(caller.workers) == (2 if caller.workers[0] == killed_at else 1)
        assert killed_at not in caller.workers[1:], "on the other worker"

    for caller in callers:
        if len(caller.workers) == 2:
            before, after = caller.at_the_cut, caller.taken_up
            assert before is not None
            assert after is not None
            assert customer_of(after) == customer_of(before)
            assert open_question(after) == open_question(before), "the same point of the dialogue"
            assert lines_of(after)[: len(lines_of(before))] == lines_of(before)
            assert "common.cut_off" in lines_of(after)[len(lines_of(before)) :]
    assert any(caller.at_the_cut and customer_of(caller.at_the_cut) for caller in callers)

    for caller, state in zip(callers, states, strict=True):
        person = caller.person
        assert state["caller_number"] == person.phone
        assert customer_of(state) == person.customer
        assert [said for said in said_by_caller(state) if said.isdigit()] == [
            person.customer,
            person.birth_date,
        ], "nothing that was given is asked for again"
        keys = Counter(lines_of(state))
        assert [keys[question] for question in (*QUESTIONS, VALUE)] == [1, 1, 1]
        [told] = [str(one.text) for one in state["messages"] if one.additional_kwargs.get("key") == VALUE]
        assert person.value in told, "his own figure"
        assert state["ended"] == "goodbye"


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
