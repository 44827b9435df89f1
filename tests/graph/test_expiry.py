"""Calls in SQLite go when they have had no turn for long enough, and no sooner."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graph.builder import build_graph
from graph.checkpoints import open_checkpoints
from graph.dialogue import Dialogue
from graph.expiry import expire, expiring
from tests.graph.conversation import Conversation, services

LATER = timedelta(minutes=1)
OLD: RunnableConfig = {"configurable": {"thread_id": "old", "checkpoint_ns": ""}}


async def test_a_call_goes_when_its_last_turn_is_long_ago(tmp_path: Path) -> None:
    async with open_checkpoints(str(tmp_path / "calls.sqlite")) as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        dialogue = Dialogue(build_graph(services()), saver)
        old, live = Conversation(dialogue, "old"), Conversation(dialogue, "live")
        await old.begins()
        await old.says("vos horaires")
        await live.begins()
        between = datetime.now(UTC)
        await live.says("vos horaires")
        assert await expire(saver, between - LATER) == 0
        assert await expire(saver, between) == 1
        assert await dialogue.state("old") == {}
        assert (await live.says("non merci")).said == ["goodbye.farewell"]
        assert await expire(saver, datetime.now(UTC) + LATER) == 1
        async with saver.conn.execute("SELECT COUNT(*) FROM writes") as rows:
            assert [row async for row in rows] == [(0,)]


async def test_a_name_that_tells_no_time_stays(tmp_path: Path) -> None:
    async with open_checkpoints(str(tmp_path / "calls.sqlite")) as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        for at, name in enumerate(("1", "0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")):
            await saver.conn.execute(
                "INSERT INTO checkpoints (thread_id, checkpoint_ns, checkpoint_id) VALUES (?, '', ?)",
                (f"call {at}", name),
            )
        assert await expire(saver, datetime.now(UTC) + LATER) == 0


async def test_it_is_looked_after_while_the_file_is_open(tmp_path: Path) -> None:
    path = str(tmp_path / "calls.sqlite")
    async with open_checkpoints(path) as saver:
        await Conversation(Dialogue(build_graph(services()), saver), "old").begins()
    before = asyncio.all_tasks()
    async with open_checkpoints(path) as saver:
        assert isinstance(saver, AsyncSqliteSaver)
        dialogue = Dialogue(build_graph(services()), saver)
        async with asyncio.timeout(10), expiring(saver, 60, lambda: datetime.now(UTC) + 2 * LATER, 0.01):
            while await dialogue.state("old"):  # noqa: ASYNC110 - the store tells nobody
                await asyncio.sleep(0.01)
    async with open_checkpoints(path, ttl_s=3600):
        pass
    assert asyncio.all_tasks() == before


async def test_a_file_that_is_locked_is_looked_at_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(tmp_path / "calls.sqlite")
    async with open_checkpoints(path) as saver, open_checkpoints(path) as other:
        assert isinstance(saver, AsyncSqliteSaver)
        assert isinstance(other, AsyncSqliteSaver)
        await Conversation(Dialogue(build_graph(services()), saver), "old").begins()
        await other.conn.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(10), expiring(saver, 0, lambda: datetime.now(UTC) + LATER, 0.01):
            while "checkpoints.not_expired" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await other.conn.rollback()
            while await saver.aget_tuple(OLD):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
