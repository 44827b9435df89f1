"""One contract for every store of calls: what a phone call needs of it."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.memory import InMemorySaver
from redis.asyncio import Redis
from typing_extensions import is_typeddict

from graph.builder import build_graph
from graph.checkpoints import CheckpointsUnavailable, RedisForm, open_redis_checkpoints
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Words
from graph.redis_core_saver import RedisCoreSaver
from graph.reply import Listen, Say
from graph.state import CallState
from memory.redis_connection import connect
from tests.graph.conversation import Conversation, services
from tests.redis.savers import Opened, redis, sqlite
from tests.redis.server import RedisServer

Store = Callable[[], Opened]


@pytest.fixture(params=["sqlite", "library", "core"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, full_redis: RedisServer, bare_redis: RedisServer
) -> Iterator[Store]:
    match request.param:
        case "sqlite":
            yield sqlite(tmp_path)
        case "library":
            yield redis(full_redis.url, "library")
        case "core":
            yield redis(bare_redis.url, "core")


def conversation(saver: BaseCheckpointSaver[Any], call_id: str) -> Conversation:
    return Conversation(Dialogue(build_graph(services()), saver), call_id)


async def test_a_call_goes_on_in_another_process_where_it_was(store: Store) -> None:
    call_id = str(uuid4())
    async with store() as saver:
        call = conversation(saver, call_id)
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        await call.keys("10078821")
    async with store() as saver:
        call = conversation(saver, call_id)
        turn = await call.resumes()
        assert turn.then == Listen("date")
        assert "contract.value" in (await call.keys("01041962")).said


async def test_a_turn_that_the_caller_interrupts_loses_neither_its_past_nor_his_next_words(
    store: Store,
) -> None:
    call_id = str(uuid4())
    async with store() as saver:
        call = conversation(saver, call_id)
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        for words in ("euh", "je ne sais pas", "attendez"):
            replies = call.dialogue.turn(call_id, Words(words))
            async for reply in replies:
                if isinstance(reply, Say):
                    break
            await replies.aclose()
        turn = await call.keys("10078821")
        assert turn.then == Listen("date"), "the number was asked for before, and is heard now"


async def test_a_turn_cancelled_anywhere_leaves_a_call_that_goes_on(store: Store) -> None:
    async with store() as saver:
        call_id = str(uuid4())
        call = conversation(saver, call_id)
        await call.begins()
        for steps in range(0, 40, 3):
            turn = asyncio.create_task(_whole(call.dialogue, call_id, Words("vos horaires")))
            for _ in range(steps):
                await asyncio.sleep(0)
            turn.cancel()
            await asyncio.wait([turn])
        assert "faq.answer" in (await call.says("vos horaires")).said


async def test_what_was_heard_of_a_sentence_is_what_the_history_keeps(store: Store) -> None:
    async with store() as saver:
        call_id = str(uuid4())
        call = conversation(saver, call_id)
        turn = await call.begins()
        said = next(reply for reply in turn.replies if isinstance(reply, Say))
        await call.dialogue.cut(call_id, {said.message_id: "Bonjour et"})
    async with store() as saver:
        state = await conversation(saver, call_id).dialogue.state(call_id)
        assert "Bonjour et" in [message.content for message in state["messages"]]


async def test_two_turns_at_once_are_both_kept(store: Store) -> None:
    async with store() as saver:
        call_id = str(uuid4())
        call = conversation(saver, call_id)
        await call.begins()
        await asyncio.gather(
            _whole(call.dialogue, call_id, Words("vos horaires")),
            _whole(call.dialogue, call_id, Words("vos horaires s'il vous plaît")),
        )
        words = [
            str(message.content)
            for message in (await call.dialogue.state(call_id))["messages"]
            if isinstance(message, HumanMessage)
        ]
        assert {"vos horaires", "vos horaires s'il vous plaît"} <= set(words)


async def test_a_call_that_begins_again_knows_nothing_of_the_one_before(store: Store) -> None:
    async with store() as saver:
        call = await conversation(saver, str(uuid4())).identified()
        await _whole(call.dialogue, call.call_id, CallBegins())
        assert not (await call.dialogue.state(call.call_id)).get("identity")


async def test_a_forgotten_call_leaves_nothing(store: Store) -> None:
    async with store() as saver:
        call = await conversation(saver, str(uuid4())).identified()
        await call.dialogue.forget(call.call_id)
        assert await call.dialogue.state(call.call_id) == {}
        assert [one async for one in saver.alist({"configurable": {"thread_id": call.call_id}})] == []


SAMPLES: Mapping[object, object] = {
    str: "dix mille euros, é, 😀, \u0000, {'lc': 2}",
    bool: True,
    int: 7,
    float: 0.25,
}


def _every_field() -> dict[str, Any]:
    """A state with a value in every field; a kind of field that is new here has to be thought of."""
    messages = [
        HumanMessage("deux mille", id="1", additional_kwargs={"heard": "words"}),
        AIMessage("Je vous écoute.", id="2", name="greet", additional_kwargs={"key": "greet.listen"}),
    ]
    state = {
        name: _sample(name, hint) for name, hint in get_type_hints(CallState).items() if name != "messages"
    }
    return {**state, "messages": messages, "goto": ""}  # a node's name there would lead on to it


def _sample(name: str, hint: Any) -> object:
    if hint in SAMPLES:
        return SAMPLES[hint]
    if is_typeddict(hint):
        return {field: _sample(field, kind) for field, kind in get_type_hints(hint).items()}
    kinds = [kind for kind in get_args(hint) if kind is not type(None)]
    if get_origin(hint) is Literal:
        return kinds[-1]
    if get_origin(hint) is list:
        return [_sample(name, kinds[0])]
    if get_origin(hint) is dict:
        return {f"key {at}": _sample(name, kind) for at, kind in enumerate(get_args(kinds[1]) or (kinds[1],))}
    if get_origin(hint) in (Union, UnionType):
        return _sample(name, kinds[0])
    raise AssertionError(f"think of a sample for the state's field {name}: {hint}")


async def test_every_field_of_the_state_comes_back_as_it_was_written(store: Store) -> None:
    call_id = str(uuid4())
    written = _every_field()
    thread: RunnableConfig = {"configurable": {"thread_id": call_id}}
    async with store() as saver:
        graph = build_graph(services()).compile(checkpointer=saver)
        await graph.aupdate_state(thread, written, as_node="goodbye")
    async with store() as saver:
        graph = build_graph(services()).compile(checkpointer=saver)
        read = (await graph.aget_state(thread)).values
    assert read == written
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in written.items()
    }


async def _whole(dialogue: Dialogue, call_id: str, heard: CallBegins | Words) -> None:
    async for _ in dialogue.turn(call_id, heard):
        pass


# Redis only


async def test_a_call_is_forgotten_by_itself_when_its_time_is_over(
    full_redis: RedisServer, bare_redis: RedisServer
) -> None:
    kinds: list[tuple[RedisServer, RedisForm]] = [(full_redis, "library"), (bare_redis, "core")]
    for server, form in kinds:
        async with connect(server.url) as client:
            await client.flushdb()
            async with redis(server.url, form, ttl_s=900)() as saver:
                await conversation(saver, str(uuid4())).begins()
            left_s = [await client.ttl(key) for key in await client.keys("*")]
            assert left_s, form
            assert all(0 < one <= 900 for one in left_s), form


async def test_a_redis_without_json_and_search_is_refused_with_what_it_lacks(bare_redis: RedisServer) -> None:
    async with connect(bare_redis.url) as client:
        with pytest.raises(CheckpointsUnavailable, match=r"lacks JSON and Search.*CHECKPOINTS_REDIS=core"):
            async with open_redis_checkpoints(client, "library", 900):
                pass


async def test_a_redis_that_is_not_there_is_named_at_the_start(
    own_redis: Callable[..., RedisServer],
) -> None:
    server = own_redis()
    server.stop()
    async with connect(server.url) as client:
        forms: list[RedisForm] = ["library", "core"]
        for form in forms:
            with pytest.raises(CheckpointsUnavailable, match="does not answer"):
                async with open_redis_checkpoints(client, form, 900):
                    pass


async def test_the_core_saver_passes_langgraphs_own_conformance_suite(redis: Redis) -> None:
    @checkpointer_test(name="core")
    async def core() -> Any:
        await redis.flushdb()
        yield RedisCoreSaver(redis, ttl_s=900, history=True)

    report = await validate(core)
    assert report.passed_all_base(), report.results


async def test_the_twin_passes_the_same_suite() -> None:
    @checkpointer_test(name="memory")
    async def memory() -> Any:
        yield InMemorySaver()

    assert (await validate(memory)).passed_all_base()
