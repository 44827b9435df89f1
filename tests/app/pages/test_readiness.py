"""Readiness by itself: who is asked, for how long, and what is said of those that do not answer."""

import asyncio

from app.pages.readiness import faults
from knowledge.retriever import Passage
from tests.app.office import opened
from tests.graph.conversation import HOURS


class HangingRetriever:
    """Never answers."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        await asyncio.Event().wait()
        return []


class StubbornRetriever(HangingRetriever):
    """Does not stop when it is told to either."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        try:
            return await super().search(question, limit)
        except asyncio.CancelledError:
            return [HOURS]


async def test_an_agent_that_can_take_calls_has_no_faults() -> None:
    async with opened() as office:
        assert await faults(office.agent) == []


async def test_what_does_not_answer_in_time_is_named_and_left_alone() -> None:
    async with opened(knowledge=HangingRetriever()) as office:
        reasons = await faults(office.agent, within_ms=20)
        assert reasons == ["knowledge: no answer within 20 ms"]
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("ready")]


async def test_what_goes_on_after_its_time_is_a_fault_all_the_same() -> None:
    async with opened(knowledge=StubbornRetriever()) as office:
        reasons = await faults(office.agent, within_ms=20)
    assert reasons == ["knowledge: no answer within 20 ms"]


async def test_asking_leaves_no_trace_in_the_checkpoints() -> None:
    async with opened() as office:
        await faults(office.agent)
        assert await office.agent.dialogue.state("readiness") == {}


async def test_an_agent_that_is_being_stopped_says_so() -> None:
    async with opened() as office:
        office.agent.agi.drain()
        [reason] = await faults(office.agent)
    assert reason.startswith("draining")
