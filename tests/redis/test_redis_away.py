"""Redis stops, freezes and restarts in the middle of calls: they go on, and no turn is lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from audio.pcm import SILENCE_FRAME
from graph.builder import build_graph
from graph.checkpoints import RedisForm
from graph.dialogue import Dialogue
from graph.heard import Resumed
from graph.reply import Listen
from graph.safekeeping import Safekeeping, StateAway
from telephony.call import Transferred
from tests.graph.conversation import Conversation, services
from tests.redis.savers import redis
from tests.redis.server import RedisServer
from tests.telephony.phone import Phone
from tests.telephony.scene import CALL, call

CALLS = 5


class UnhurriedPhone(Phone):
    """Leaves time for what waits by the clock: the time-outs of a store that does not answer."""

    async def tick(self, frame: bytes | None = SILENCE_FRAME) -> None:
        await super().tick(frame)
        await asyncio.sleep(0.005)


@pytest.fixture(params=["library", "core"])
def form(request: pytest.FixtureRequest) -> RedisForm:
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def worker(server: RedisServer, form: RedisForm) -> AsyncIterator[tuple[Safekeeping, Dialogue]]:
    """One worker's dialogue on ``server``."""
    async with redis(server.url, form)() as saver:
        assert isinstance(saver, Safekeeping)
        yield saver, Dialogue(build_graph(services()), saver)


async def asking_for_the_birth_date(dialogue: Dialogue, call_id: str) -> Conversation:
    call = Conversation(dialogue, call_id)
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.keys("10078821")
    return call


async def is_back(saver: Safekeeping) -> None:
    async with asyncio.timeout(20):
        while not saver.present:  # noqa: ASYNC110 - the saver tells nobody but its worker
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", ["stopped", "frozen"])
async def test_calls_go_on_without_redis_and_another_worker_finds_them_when_it_is_back(
    own_redis: Callable[..., RedisServer], form: RedisForm, fault: str
) -> None:
    server = own_redis(modules=form == "library")
    async with worker(server, form) as (saver, dialogue):
        calls = [await asking_for_the_birth_date(dialogue, f"call {at}") for at in range(CALLS)]
        server.freeze() if fault == "frozen" else server.stop()
        turns = await asyncio.gather(*(call.keys("01041962") for call in calls))
        assert all("contract.value" in turn.said for turn in turns)
        assert not saver.present
        again = await asyncio.gather(*(call.says("combien j'ai sur mon assurance vie") for call in calls))
        assert all("contract.value" in turn.said for turn in again), "verified once, and still known"
        server.thaw() if fault == "frozen" else server.start()
        await is_back(saver)
        assert saver.unsaved == 0
    async with worker(server, form) as (_, dialogue):
        for at in range(CALLS):
            call = Conversation(dialogue, f"call {at}")
            await call.resumes()
            assert "contract.value" in (await call.says("combien j'ai sur mon assurance vie")).said


async def test_a_redis_that_restarts_empty_is_filled_again_from_the_worker(
    own_redis: Callable[..., RedisServer], form: RedisForm
) -> None:
    server = own_redis(modules=form == "library", keeps=False)
    async with worker(server, form) as (saver, dialogue):
        call = await asking_for_the_birth_date(dialogue, "call")
        server.stop()
        await call.says("euh")
        server.start()
        await is_back(saver)
    async with worker(server, form) as (_, dialogue):
        assert (await Conversation(dialogue, "call").resumes()).then == Listen("date")


async def test_a_call_that_this_worker_never_had_is_not_begun_anew(
    own_redis: Callable[..., RedisServer], form: RedisForm
) -> None:
    server = own_redis(modules=form == "library")
    async with worker(server, form) as (_, dialogue):
        await asking_for_the_birth_date(dialogue, "call")
    async with worker(server, form) as (saver, dialogue):
        server.freeze()
        with pytest.raises(StateAway):
            await Conversation(dialogue, "call").resumes()
        assert not saver.present
        server.thaw()
        await is_back(saver)
        assert (await Conversation(dialogue, "call").resumes()).then == Listen("date")


async def test_the_caller_of_such_a_call_is_told_so_and_handed_over(
    own_redis: Callable[..., RedisServer], form: RedisForm
) -> None:
    server = own_redis(modules=form == "library")
    async with worker(server, form) as (_, dialogue):
        await asking_for_the_birth_date(dialogue, CALL.id)
    async with redis(server.url, form)() as saver:
        server.freeze()
        async with call(first=Resumed(), saver=saver, phones=UnhurriedPhone) as scene:
            outcome = await scene.outcome()
            assert scene.journal.said() == ["common.lost"]
            assert any("nous avons été coupés" in sentence for sentence in scene.voice.finished)
        assert isinstance(outcome, Transferred)
        assert (outcome.queue, outcome.reason) == ("conseillers", "technical")
        server.thaw()
        assert isinstance(saver, Safekeeping)
        await is_back(saver)
        assert (await Conversation(Dialogue(build_graph(services()), saver), CALL.id).resumes()).then == (
            Listen("date")
        ), "nothing was written over what could not be read"
