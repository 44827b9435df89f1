"""Calls whose ears are all away: the caller is told, and gets people."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from audio.endpointing import TurnTiming
from audio.fallback_ears import FallbackEars
from audio.providers.groq_stt import GroqStt
from audio.scripted import ScriptedTts
from audio.stt import SpeechToText
from audio.vad import EnergyDetector
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins
from memory.breaker import Breakers
from telephony.call import TECHNICAL, Call, CallId, Outcome, Transferred
from telephony.front_desk import FrontDesk
from telephony.journal import MemoryJournal, StageFailed
from tests.graph.conversation import services
from tests.simulators.groq import KEY, GroqSimulator
from tests.simulators.server import Fault
from tests.telephony.phone import Phone

CALL = Call(CallId("b6b1c0de-0000-4000-8000-000000000002"))
TEN_MINUTES_MS = 600_000


@asynccontextmanager
async def call(ears: SpeechToText) -> AsyncIterator[tuple[Phone, MemoryJournal, "asyncio.Task[Outcome]"]]:
    phone, journal = Phone(), MemoryJournal()
    dialogue = Dialogue(build_graph(services()), InMemorySaver())
    voice = ScriptedTts(ms_per_character=20)
    desk = FrontDesk(dialogue, ears, voice, EnergyDetector(), TurnTiming(), journal)
    phone.connect()
    running = asyncio.create_task(desk.run(CALL, phone.line, CallBegins()))
    try:
        yield phone, journal, running
    finally:
        phone.line.closed("the test is over")
        await asyncio.wait_for(running, 5)


@pytest.mark.parametrize(
    "fault",
    [Fault(503), Fault(401), Fault(404), Fault(429), Fault(cut=True), Fault(raw=b"{"), Fault(delay_s=5)],
    ids=["5xx", "key", "model", "limit", "cut", "broken", "stalled"],
)
async def test_when_every_ear_is_away_the_caller_is_told_and_gets_people(fault: Fault) -> None:
    with GroqSimulator() as provider:
        provider.broken = {"": fault}
        cloud = GroqStt(KEY, base_url=provider.url)
        ears = FallbackEars([cloud], Breakers(), budget_ms=400)
        async with call(ears) as (phone, journal, running):
            await phone.hears_the_agent_out()
            await phone.speaks(800)
            await phone.waits_until(running.done, at_most_ms=TEN_MINUTES_MS)
            outcome = await running
        await cloud.close()
    assert isinstance(outcome, Transferred)
    assert outcome.reason == TECHNICAL
    assert journal.said()[-1] == "common.technical"
    assert [event.component for event in journal.events if isinstance(event, StageFailed)] == ["stt"]
