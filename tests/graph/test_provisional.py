"""A turn that is run before it is certain: prepared whole, and nothing of it left when it is taken back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from graph.builder import build_graph
from graph.checkpoints import open_checkpoints
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Words
from graph.reply import Listen, Manner, NodeRan, Reply, Say
from graph.skill import adopt, running, sure
from graph.state import SpokenTo
from tests.graph.conversation import Conversation, services

Everything = list[tuple[Any, ...]]


def _in_memory(saver: InMemorySaver) -> Everything:
    return [(str(saver.storage), str(saver.writes), str(saver.blobs))]


@asynccontextmanager
async def memory(_: Path) -> AsyncIterator[tuple[BaseCheckpointSaver[Any], Callable[[], Any]]]:
    saver = InMemorySaver()

    async def everything() -> Everything:
        return _in_memory(saver)

    yield saver, everything


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[tuple[BaseCheckpointSaver[Any], Callable[[], Any]]]:
    async with open_checkpoints(str(folder / "checkpoints.sqlite")) as saver:
        connection = getattr(saver, "conn")  # noqa: B009 - not in the base class

        async def everything() -> Everything:
            rows: Everything = []
            for table in ("checkpoints", "writes"):
                async with connection.execute(f"SELECT * FROM {table} ORDER BY rowid") as found:
                    rows += [tuple(row) for row in await found.fetchall()]
            return rows

        yield saver, everything


async def _prepared(dialogue: Dialogue, call_id: str, heard: Heard, confirmed: asyncio.Event) -> list[Reply]:
    async with aclosing(dialogue.turn(call_id, heard, {"unknown": "cut"}, confirmed)) as replies:
        return [reply async for reply in replies]


@pytest.mark.parametrize("kept", [memory, sqlite])
@pytest.mark.parametrize("heard", [Words("quels sont vos horaires"), Keys("01041962")])
async def test_taken_back_at_any_moment_it_leaves_every_byte_as_it_was(
    kept: Any, heard: Heard, tmp_path: Path
) -> None:
    async with kept(tmp_path) as (saver, everything):
        dialogue = Dialogue(build_graph(services()), saver)
        call = Conversation(dialogue)
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        await call.keys("10078821")
        before = await everything()
        for steps in [*range(60), 100, 200, 400]:
            turn = asyncio.create_task(_prepared(dialogue, call.call_id, heard, asyncio.Event()))
            for _ in range(steps):
                await asyncio.sleep(0)
            assert not turn.done(), "it waits to be certain"
            turn.cancel()
            await asyncio.wait([turn])
            assert turn.cancelled(), f"cancelled after {steps} steps of the event loop"
            assert await everything() == before, f"cancelled after {steps} steps of the event loop"
        answer = await call.keys("01041962")
        assert "contract.value" in answer.said, "and the call goes on as if nothing had been"


@pytest.mark.parametrize("kept", [memory, sqlite])
async def test_left_at_any_reply_it_leaves_every_byte_as_it_was(kept: Any, tmp_path: Path) -> None:
    async with kept(tmp_path) as (saver, everything):
        dialogue = Dialogue(build_graph(services()), saver)
        call = Conversation(dialogue)
        await call.begins()
        before = await everything()
        for enough in (1, 2, 3, 4):
            turn = dialogue.turn(call.call_id, Words("quels sont vos horaires"), None, asyncio.Event())
            async with aclosing(turn) as replies:
                seen = 0
                async for _ in replies:
                    seen += 1
                    if seen == enough:
                        break
            assert await everything() == before


async def test_it_says_everything_before_it_is_certain_and_ends_only_then() -> None:
    call = Conversation.of()
    await call.begins()
    confirmed, prepared, replies = asyncio.Event(), asyncio.Event(), list[Reply]()
    words = Words("quels sont vos horaires")

    async def run() -> None:
        async for reply in call.dialogue.turn(call.call_id, words, None, confirmed):
            replies.append(reply)
            if isinstance(reply, NodeRan) and reply.node == "faq":
                prepared.set()

    turn = asyncio.create_task(run())
    await asyncio.wait_for(prepared.wait(), 5)
    said = [reply.key for reply in replies if isinstance(reply, Say)]
    assert said == ["faq.answer", "common.anything_else"]
    assert not any(isinstance(reply, Listen) for reply in replies)
    confirmed.set()
    await turn
    assert replies[-1] == Listen("open")
    assert (await call.dialogue.state(call.call_id))["topic"] == "faq"


async def test_a_turn_that_proved_to_be_one_is_kept_as_any_other(tmp_path: Path) -> None:
    certain = asyncio.Event()
    certain.set()
    async with open_checkpoints(str(tmp_path / "checkpoints.sqlite")) as saver:
        dialogue = Dialogue(build_graph(services()), saver)
        call = Conversation(dialogue)
        await call.begins()
        await _prepared(dialogue, call.call_id, Words("combien j'ai sur mon assurance vie"), certain)
        assert (await dialogue.state(call.call_id))["pending"] == "contract"


async def test_a_call_is_not_begun_anew_before_that_is_certain() -> None:
    call = Conversation.of()
    await call.begins()
    before = await call.dialogue.state(call.call_id)
    turn = asyncio.create_task(_prepared(call.dialogue, call.call_id, CallBegins(), asyncio.Event()))
    for _ in range(200):
        await asyncio.sleep(0)
    turn.cancel()
    await asyncio.wait([turn])
    assert await call.dialogue.state(call.call_id) == before


async def test_outside_a_turn_everything_is_certain_and_no_manner_is_adopted() -> None:
    await asyncio.wait_for(sure(), 1)
    adopt({"pace": "slow", "louder": False})


async def test_who_waits_to_be_sure_waits_for_the_turn_he_is_in() -> None:
    confirmed, adopted = asyncio.Event(), list[SpokenTo]()
    with running(confirmed.wait, adopted.append):
        waiting = asyncio.create_task(sure())
        adopt({"pace": "slow", "louder": True})
    await asyncio.sleep(0)
    assert not waiting.done()
    confirmed.set()
    await asyncio.wait_for(waiting, 1)
    assert adopted == [{"pace": "slow", "louder": True}]


async def test_how_the_caller_wants_to_be_spoken_to_is_told_again_on_a_line_that_has_just_opened() -> None:
    call = Conversation.of()
    await call.begins()
    thread: RunnableConfig = {"configurable": {"thread_id": call.call_id}}
    await call.dialogue._compiled.aupdate_state(thread, {"manner": {"pace": "slow", "louder": False}})
    assert Manner("slow") not in (await call.says("quels sont vos horaires")).replies, "the line knows"
    resumed = await call.resumes()
    assert resumed.replies[0] == Manner("slow"), "before anything is said"


async def _instead(call: Conversation, heard: Heard, confirmed: asyncio.Event | None = None) -> list[Reply]:
    replies = call.dialogue.turn(call.call_id, heard, confirmed=confirmed, instead=True)
    return [reply async for reply in replies]


@pytest.mark.parametrize("kept", [memory, sqlite])
@pytest.mark.parametrize(
    ("before", "first", "whole"),
    [
        ([], "blabla", "blabla truc"),  # misses
        (["mon assurance vie"], "douze", "douze treize"),
        (
            ["mon assurance vie", "10078821"],
            "le deux mars mille neuf cent",
            "le deux mars mille neuf cent dix",
        ),
        ([], "mon assurance vie et vos horaires", "mon assurance vie et vos horaires s'il vous plaît"),
        ([], "va te faire foutre", "va te faire foutre connard"),
        (["la recette de la tarte"], "oui", "oui enfin non"),
    ],
    ids=["misses", "number", "refusals", "queued", "insults", "offer"],
)
async def test_who_goes_on_before_he_is_answered_is_counted_once_as_if_he_had_not_paused(
    kept: Any, before: list[str], first: str, whole: str, tmp_path: Path
) -> None:
    """His first words were taken for a turn; the state is that of a call in which they were not."""
    async with kept(tmp_path) as (saver, _):
        dialogue = Dialogue(build_graph(services()), saver)
        paused, fluent = Conversation(dialogue, "paused"), Conversation(dialogue, "fluent")
        for call in (paused, fluent):
            await call.begins()
            for said in before:
                await call.says(said)
        await paused.says(first)
        twice = [await _instead(paused, Words(whole)) for _ in range(2)][-1]
        once = await fluent.says(whole)
        assert [reply.key for reply in twice if isinstance(reply, Say)] == once.said
        assert twice[-1] == once.then
        states = [dict(await dialogue.state(call.call_id)) for call in (paused, fluent)]
        assert _told(states[0]) == _told(states[1])


async def test_a_turn_in_place_of_another_that_is_taken_back_leaves_the_other() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("blabla")
    before = await call.dialogue.state(call.call_id)
    turn = asyncio.create_task(_instead(call, Words("blabla truc"), asyncio.Event()))
    for _ in range(200):
        await asyncio.sleep(0)
    turn.cancel()
    await asyncio.wait([turn])
    assert await call.dialogue.state(call.call_id) == before
    await _instead(call, Words("blabla truc machin"))
    assert (await call.dialogue.state(call.call_id)).get("misses") == 1


class SlipperyStore(InMemorySaver):
    """Loses a cancellation that comes while it answers.

    As redis-py 8 does on Python 3.11, whose ``asyncio.wait_for`` swallows one that comes as it is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        self.asked.set()
        with suppress(asyncio.CancelledError):
            await self.answers.wait()
        return await super().aget_tuple(config)


async def test_who_goes_on_while_the_store_is_asked_is_not_waited_for_for_ever() -> None:
    store = SlipperyStore()
    dialogue = Dialogue(build_graph(services()), store)
    call = Conversation(dialogue)
    await call.begins()
    before = await dialogue.state(call.call_id)
    store.asked.clear()
    store.answers.clear()
    never = asyncio.Event()
    turn = asyncio.create_task(_prepared(dialogue, call.call_id, Words("vos horaires"), never))
    await store.asked.wait()
    turn.cancel()
    _, hanging = await asyncio.wait({turn}, timeout=5)
    store.answers.set()
    turn.cancel()
    await asyncio.wait({turn})
    assert not hanging
    assert turn.cancelled()
    assert await dialogue.state(call.call_id) == before
    assert (await call.says("quels sont vos horaires")).said == ["faq.answer", "common.anything_else"]


def _told(state: dict[str, Any]) -> dict[str, Any]:
    """The state without the names of call and messages, and without the seal that is made of them."""
    told = {name: value for name, value in state.items() if name not in {"call_id", "spoken", "identity"}}
    return told | {
        "messages": [(one.type, one.text, one.additional_kwargs) for one in state["messages"]],
        "spoken": state["spoken"]["lines"],
        "turns": state["turns"]["count"],
        "identified": bool(state.get("identity")),
    }
