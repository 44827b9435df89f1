"""Calls go on while their store is away, and nothing is lost when it comes back."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.reply import Listen
from graph.safekeeping import Safekeeping, StateAway
from tests.graph.conversation import Conversation, services


class Store(InMemorySaver):
    """A store that may be away, and counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked = 0
        self._writing = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()

    def hold_writes(self) -> asyncio.Event:
        """Writes wait; the event given back tells that one does."""
        self._may_write.clear()
        self._writing.clear()
        return self._writing

    def release_writes(self) -> None:
        self._may_write.set()

    async def _reached(self) -> None:
        self.asked += 1
        if self.away:
            raise ConnectionError("the store is away")

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        await self._reached()
        return await super().aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        await self._reached()
        self._writing.set()
        await self._may_write.wait()
        return await super().aput(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._reached()
        await super().aput_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        await self._reached()
        await super().adelete_thread(thread_id)


def kept(store: Store, changes: list[bool] | None = None, patience_s: float = 0.01) -> Safekeeping:
    told = changes if changes is not None else []
    return Safekeeping(
        store, (ConnectionError,), asked_again_s=0.001, on_change=told.append, patience_s=patience_s
    )


def conversation(saver: Safekeeping | Store, call_id: str = "") -> Conversation:
    return Conversation(Dialogue(build_graph(services()), saver), call_id or str(uuid4()))


async def back(saver: Safekeeping) -> None:
    async with asyncio.timeout(5):
        while not saver.present:  # noqa: ASYNC110 - the saver tells nobody but its worker
            await asyncio.sleep(0.001)


async def test_a_call_goes_on_while_the_store_is_away_and_is_written_when_it_is_back() -> None:
    store, changes = Store(), list[bool]()
    saver = kept(store, changes)
    call = await conversation(saver).identified()
    store.away = True
    assert "contract.value" in (await call.says("combien j'ai sur mon assurance vie")).said
    assert not saver.present
    assert saver.unsaved
    await call.says("vos horaires")
    store.away = False
    await back(saver)
    assert changes == [False, True]
    assert not saver.unsaved
    elsewhere = conversation(store, call.call_id)
    words = [message.content for message in (await elsewhere.dialogue.state(call.call_id))["messages"]]
    assert "vos horaires" in words
    await elsewhere.resumes()
    assert "contract.value" in (await elsewhere.says("combien j'ai sur mon assurance vie")).said


async def test_a_store_that_is_away_is_not_asked_at_every_turn() -> None:
    store = Store()
    saver = Safekeeping(store, (ConnectionError,), asked_again_s=3600)
    call = conversation(saver)
    await call.begins()
    store.away = True
    await call.says("vos horaires")
    asked = store.asked
    for _ in range(5):
        await call.says("vos horaires")
    assert store.asked == asked
    await saver.close()


async def test_a_call_that_is_known_nowhere_is_never_begun_anew_in_silence() -> None:
    store = Store()
    await conversation(store, "call").identified()
    store.away = True
    saver = kept(store)
    call = conversation(saver, "call")
    with pytest.raises(StateAway):
        await call.resumes()
    with pytest.raises(StateAway):
        await call.says("combien j'ai sur mon assurance vie")
    store.away = False
    await back(saver)
    assert "contract.value" in (await call.says("combien j'ai sur mon assurance vie")).said


async def test_a_call_from_another_worker_is_waited_for_when_the_store_is_away_only_for_a_moment() -> None:
    store = Store()
    await conversation(store, "call").identified()
    store.away = True
    saver = kept(store, patience_s=3600)
    taken_over = asyncio.create_task(conversation(saver, "call").resumes())
    while saver.present:  # noqa: ASYNC110 - until the first attempt has failed
        await asyncio.sleep(0)
    store.away = False
    turn = await asyncio.wait_for(taken_over, 5)
    assert "common.cut_off" in turn.said


async def test_a_store_that_is_away_again_after_the_wait_has_lost_the_call() -> None:
    class Flickers(Store):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            self.away = config["configurable"]["thread_id"] == "call"
            return await super().aget_tuple(config)

    saver = kept(Flickers(), patience_s=3600)
    with pytest.raises(StateAway):
        await asyncio.wait_for(conversation(saver, "call").resumes(), 5)


async def test_a_turn_cancelled_while_it_is_written_is_written_all_the_same() -> None:
    store = Store()
    saver = kept(store)
    call = conversation(saver)
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    held = store.hold_writes()
    turn = asyncio.create_task(call.keys("10078821"))
    async with asyncio.timeout(5):
        await held.wait()  # the write has begun
    turn.cancel()
    await asyncio.sleep(0.01)
    store.release_writes()
    await asyncio.wait([turn])
    await saver.close()
    assert not saver.unsaved
    assert (await conversation(store).dialogue.state(call.call_id))["given_number"] == "10078821"


async def test_a_call_that_has_ended_leaves_no_copy() -> None:
    store = Store()
    saver = kept(store)
    for _ in range(3):
        call = await conversation(saver).identified()
        call.dialogue.release(call.call_id)
    assert saver.copies == 0


async def test_a_call_that_ends_while_the_store_is_away_is_kept_until_it_is_written() -> None:
    store = Store()
    saver = kept(store)
    call = await conversation(saver).identified()
    store.away = True
    await call.says("vos horaires")
    call.dialogue.release(call.call_id)
    assert saver.copies
    store.away = False
    await back(saver)
    assert saver.copies == 0
    assert "10078821" not in str(await conversation(store, call.call_id).dialogue.state("another call"))
    assert (await conversation(store).dialogue.state(call.call_id))["identity"]


async def test_what_was_to_be_forgotten_meanwhile_is_forgotten_when_the_store_is_back() -> None:
    store = Store()
    saver = kept(store)
    call = await conversation(saver).identified()
    store.away = True
    await call.says("vos horaires")
    await call.dialogue.forget(call.call_id)
    store.away = False
    await back(saver)
    assert await conversation(store).dialogue.state(call.call_id) == {}


async def test_what_is_unsaved_when_the_worker_stops_is_tried_once_more() -> None:
    store = Store()
    saver = Safekeeping(store, (ConnectionError,), asked_again_s=3600)
    call = conversation(saver)
    await call.begins()
    store.away = True
    await call.says("combien j'ai sur mon assurance vie")
    store.away = False
    await saver.close()
    turn = await conversation(store, call.call_id).resumes()
    assert turn.then == Listen("number")


async def test_a_worker_stops_even_if_the_store_stays_away() -> None:
    store = Store()
    saver = Safekeeping(store, (ConnectionError,), asked_again_s=3600)
    call = conversation(saver)
    await call.begins()
    store.away = True
    await call.says("vos horaires")
    await saver.close()
    assert saver.unsaved == 1
